"""Event codes: counts and positions that other codecs agree on, and the shape of single states."""

import pytest

from v2g.exi.grammar import Event, QName, SchemaSet, State
from v2g.exi.schema import Type
from v2g.messages import MODULES, schema_set

# set: global elements, bits of a document code, distinct element names, bits of a fragment code
SIZES = {
    "app": (2, 2, 9, 4),
    "xmldsig": (24, 5, 45, 6),
    "common": (54, 6, 281, 9),
    "ac": (42, 6, 154, 8),
    "dc": (48, 6, 149, 8),
    "wpt": (38, 6, 193, 8),
    "acdp": (34, 6, 129, 8),
    "ac_der_iec": (48, 6, 259, 9),
    "ac_der_sae": (49, 6, 367, 9),
    "iso2": (80, 7, 243, 8),
    "din": (81, 7, 245, 8),
}
DOCUMENT_CODES = [
    ("app", "supportedAppProtocolReq", 0),
    ("iso2", "V2G_Message", 76),
    ("din", "V2G_Message", 77),
    ("common", "AuthorizationReq", 0),
    ("common", "CertificateInstallationRes", 8),
    ("common", "SignedMeteringData", 46),
    ("common", "VehicleCheckOutRes", 52),
    ("ac", "AC_ChargeLoopReq", 2),
    ("dc", "DC_WeldingDetectionRes", 20),
    ("acdp", "ACDP_ConnectReq", 0),
    ("acdp", "ACDP_DisconnectReq", 2),
    ("wpt", "WPT_PairingRes", 36),
    ("ac_der_iec", "AC_ChargeLoopRes", 3),
    ("ac_der_sae", "FrequencyDroop", 26),
]
FRAGMENT_CODES = [
    ("xmldsig", "SignedInfo", 32),
    ("iso2", "AuthorizationReq", 4),
    ("iso2", "CertificateInstallationReq", 15),
    ("iso2", "MeteringReceiptReq", 121),
    ("iso2", "SalesTariff", 174),
    ("iso2", "SignedInfo", 208),
    ("iso2", "eMAID", 236),
    ("common", "AbsolutePriceSchedule", 0),
    ("common", "OEMProvisioningCertificateChain", 128),
    ("common", "PnC_AReqAuthorizationMode", 151),
    ("common", "SignedInfo", 230),
    ("common", "SignedMeteringData", 232),
    ("ac_der_iec", "SignedInfo", 217),
    ("ac_der_sae", "SignedInfo", 324),
]


def class_named(schemas: SchemaSet, name: str) -> type[Type]:
    return next(c for c in schemas.classes if c.__name__ == name)


def start(set_name: str, class_name: str) -> State:
    schemas = schema_set(set_name)
    return schemas.grammar(class_named(schemas, class_name)).start


def follow(state: State, *names: str) -> State:
    """The state after these elements or attributes, each the first of its list."""
    for name in names:
        state = next(p for p in state.productions if p.name and p.name.local == name).next(1)
    return state


def codes(state: State) -> list[str]:
    return [str(p) for p in state.productions]


@pytest.mark.parametrize("name", MODULES)
def test_sizes(name: str) -> None:
    schemas = schema_set(name)
    assert (len(schemas.globals), schemas.document_width, len(schemas.names), schemas.fragment_width) == SIZES[name]


@pytest.mark.parametrize(("name", "element", "code"), DOCUMENT_CODES)
def test_document_codes(name: str, element: str, code: int) -> None:
    assert schema_set(name).globals[code].name == element


@pytest.mark.parametrize(("name", "element", "code"), FRAGMENT_CODES)
def test_fragment_codes(name: str, element: str, code: int) -> None:
    assert tuple(schema_set(name).names)[code].local == element


def test_one_production_takes_a_bit_because_of_the_escape() -> None:
    state = start("dc", "RationalNumberType")
    assert codes(state) == ["SE Exponent"]
    assert state.width == 1


def test_optional_elements_list_their_successors_up_to_the_first_required_one() -> None:
    assert codes(start("common", "ScheduleExchangeRes").productions[0].after.productions[0].after) == ["SE EVSEProcessing"]
    state = follow(start("common", "ScheduleExchangeRes"), "Header", "ResponseCode", "EVSEProcessing")
    assert codes(state) == ["SE GoToPause", "SE Dynamic_SEResControlMode", "SE Scheduled_SEResControlMode"]
    assert state.width == 2


def test_a_substitution_group_counts_its_abstract_head() -> None:
    state = follow(start("dc", "DC_ChargeLoopReq"), "Header", "MeterInfoRequested", "EVPresentVoltage")
    assert codes(state) == [
        "SE BPT_Dynamic_DC_CLReqControlMode",
        "SE BPT_Scheduled_DC_CLReqControlMode",
        "SE CLReqControlMode",
        "SE Dynamic_DC_CLReqControlMode",
        "SE Scheduled_DC_CLReqControlMode",
    ]


def test_a_group_without_a_further_element_in_the_set_is_smaller_there() -> None:
    common = follow(start("ac", "AC_ChargeLoopReq"), "Header", "MeterInfoRequested")
    amended = follow(start("ac_der_iec", "AC_ChargeLoopReq"), "Header", "MeterInfoRequested")
    assert (len(common.productions), len(amended.productions)) == (5, 7)


def test_the_body_of_an_iso2_message() -> None:
    state = start("iso2", "BodyType")
    assert codes(state)[:4] == ["SE AuthorizationReq", "SE AuthorizationRes", "SE BodyElement", "SE CableCheckReq"]
    assert codes(state)[34:] == ["SE WeldingDetectionRes", "EE"]
    assert state.width == 6


@pytest.mark.parametrize(("count", "expected"), [(1, ["SE TaxCosts", "EE"]), (9, ["SE TaxCosts", "EE"]), (10, ["EE"])])
def test_a_full_list_offers_no_further_start(count: int, expected: list[str]) -> None:
    production = next(p for p in follow(start("common", "ReceiptType"), "TimeAnchor").productions if p.name and p.name.local == "TaxCosts")
    assert codes(production.next(count)) == expected


def test_a_list_without_maximum_never_shrinks() -> None:
    production = start("xmldsig", "TransformsType").productions[0]
    assert codes(production.next(1)) == codes(production.next(100_000)) == ["SE Transform", "EE"]


def test_required_copies_are_forced() -> None:
    state = start("ac_der_iec", "CurveDataPointsListType")
    assert codes(state) == ["SE CurveDataPoint"]
    assert codes(state.productions[0].next(1)) == ["SE CurveDataPoint"]
    assert codes(state.productions[0].next(1).productions[0].next(2)) == ["SE CurveDataPoint", "EE"]


def test_attributes_come_first_by_name() -> None:
    assert codes(start("xmldsig", "ReferenceType")) == ["AT Id", "AT Type", "AT URI", "SE Transforms", "SE DigestMethod"]
    assert codes(start("xmldsig", "ObjectType"))[:3] == ["AT Encoding", "AT Id", "AT MimeType"]


def test_wildcards_and_mixed_content_are_counted_where_the_schema_has_them() -> None:
    assert codes(follow(start("xmldsig", "CanonicalizationMethodType"), "Algorithm")) == ["SE(*)", "EE", "CH mixed"]
    assert codes(follow(start("xmldsig", "SignatureMethodType"), "Algorithm")) == ["SE HMACOutputLength", "SE(*)", "EE", "CH mixed"]
    assert codes(follow(start("xmldsig", "TransformType"), "Algorithm")) == ["SE XPath", "SE(*)", "EE", "CH mixed"]


def test_the_second_level_depends_on_where_in_the_element_one_is() -> None:
    first = start("xmldsig", "CanonicalizationMethodType")
    assert first.undeclared == ("end", "xsi:type", "xsi:nil", "attribute", "untyped attribute", "element", "untyped text")
    assert first.productions[0].after.undeclared == ("attribute", "untyped attribute", "element", "untyped text")
    assert follow(start("dc", "RationalNumberType"), "Exponent").undeclared == ("end", "element", "untyped text")


def test_states_are_shared_and_made_on_demand() -> None:
    schemas = SchemaSet("fresh", schema_set("iso2").modules)
    grammar = schemas.grammar(class_named(schemas, "PMaxScheduleType"))
    state = grammar.start.productions[0].next(1)
    assert state is state.productions[0].next(500)
    assert codes(state.productions[0].next(1024)) == ["EE"]


def test_names_sort_by_local_name_before_namespace() -> None:
    assert QName("a", "z") < QName("b", "a") < QName("b", "b")
    assert sorted(Event) == [Event.ATTRIBUTE, Event.ELEMENT, Event.ANY_ELEMENT, Event.END, Event.TEXT, Event.MIXED_TEXT]
