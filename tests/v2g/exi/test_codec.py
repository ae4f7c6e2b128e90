"""What encoding refuses, what decoding reports, and how errors say where."""

from enum import Enum
from typing import Any

import pytest

from v2g.exi import engine
from v2g.exi.codec import DecodeError, EncodeError, decode, decode_fragment, element_name, encode, encode_fragment, read
from v2g.exi.derive import describe, least, walk
from v2g.exi.schema import Type
from v2g.messages import MODULES, ac, common_messages, common_types, dc, schema_set, xmldsig
from v2g.messages.common_types import MessageHeaderType, RationalNumberType, processingType, responseCodeType
from v2g.messages.iso2 import msg_data_types

HEADER = MessageHeaderType(SessionID=bytes(range(8)), TimeStamp=1_700_000_000)
pytestmark = pytest.mark.usefixtures("each_engine")

DC = schema_set("dc")
COMMON = schema_set("common")


def rational(value: int, exponent: int = 0) -> RationalNumberType:
    return RationalNumberType(Exponent=exponent, Value=value)


def test_one_message_bit_by_bit() -> None:
    """The worked example of docs/exi.md."""
    message = dc.DC_PreChargeRes(
        Header=MessageHeaderType(SessionID=bytes.fromhex("0011223344556677"), TimeStamp=5),
        ResponseCode=responseCodeType.OK,
        EVSEPresentVoltage=rational(400),
    )
    bits = (
        "10000000 010010"  # header; document code 18 of 48
        " 0"  # Header
        " 0 0 00001000 0000000000010001001000100011001101000100010101010110011001110111 0"  # SessionID: 8 octets
        " 0 0 00000101 0"  # TimeStamp
        " 01"  # no Signature: end of Header
        " 0 0 000000 0"  # ResponseCode: the first of 40
        " 0 0 0 10000000 0 0 0 0 10010000 00000011 0 0"  # EVSEPresentVoltage: Exponent 0 + 128, Value +400 in groups of 7 bits, end
        " 0"  # end of the message
    ).replace(" ", "")
    octets = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    assert encode(message, DC) == octets
    assert decode(octets, DC) == message


def pre_charge(**given: Any) -> Type:
    return dc.DC_PreChargeRes(**{"Header": HEADER, "ResponseCode": responseCodeType.OK, "EVSEPresentVoltage": rational(1), **given})


def cable_check(session: Any = bytes(8), time: Any = 1) -> Type:
    return dc.DC_CableCheckReq(Header=MessageHeaderType(SessionID=session, TimeStamp=time))


def charge_loop(mode: Any) -> Type:
    return dc.DC_ChargeLoopReq(Header=HEADER, MeterInfoRequested=False, EVPresentVoltage=rational(1), CLReqControlMode=mode)


REFUSED: list[tuple[Type, str]] = [
    (pre_charge(ResponseCode="OK"), "'OK' is no responseCodeType"),
    (pre_charge(EVSEPresentVoltage=400), "400 is no RationalNumberType"),
    (pre_charge(EVSEPresentVoltage=rational(2**15)), "above the maximum 32767"),
    (pre_charge(EVSEPresentVoltage=rational(0, -129)), "below the minimum -128"),
    (pre_charge(Header=None), "Header is expected"),
    (cable_check(session=bytes(7)), "7 octets are fewer than the 8 required"),
    (cable_check(session=bytes(9)), "9 octets are more than the 8 allowed"),
    (cable_check(session="00"), "'00' is no bytes"),
    (cable_check(time=True), "True is no int"),
    (cable_check(time=2**64), "above the maximum"),
    (charge_loop(common_types.CLReqControlModeType()), "CLReqControlModeType is abstract"),
    (charge_loop(least(ac.Scheduled_AC_CLReqControlModeType)), "has no place here"),
]


@pytest.mark.parametrize(("message", "reason"), REFUSED, ids=[r for _, r in REFUSED])
def test_encoding_enforces_the_declaration(message: Type, reason: str) -> None:
    with pytest.raises(EncodeError, match=reason) as raised:
        encode(message, DC)
    assert raised.value.path[0] == type(message).__name__


def test_the_path_leads_to_the_fault() -> None:
    message = dc.DC_PreChargeRes(Header=HEADER, ResponseCode=responseCodeType.OK, EVSEPresentVoltage=rational(99_999))
    with pytest.raises(EncodeError) as raised:
        encode(message, DC)
    assert raised.value.path == ("DC_PreChargeRes", "EVSEPresentVoltage", "Value")
    assert str(raised.value).startswith("DC_PreChargeRes/EVSEPresentVoltage/Value: 99999 is above")


def test_alternatives_of_a_choice_exclude_each_other() -> None:
    both = common_messages.AuthorizationReq(
        Header=HEADER,
        SelectedAuthorizationService=common_messages.authorizationType.EIM,
        EIM_AReqAuthorizationMode=common_messages.EIM_AReqAuthorizationModeType(),
        PnC_AReqAuthorizationMode=least(common_messages.PnC_AReqAuthorizationModeType, Id="id1"),
    )
    with pytest.raises(EncodeError, match=r"PnC_AReqAuthorizationMode = .* has no place here"):
        encode(both, COMMON)
    with pytest.raises(EncodeError, match="EIM_AReqAuthorizationMode or PnC_AReqAuthorizationMode is expected"):
        encode(common_messages.AuthorizationReq(Header=HEADER, SelectedAuthorizationService=both.SelectedAuthorizationService), COMMON)


@pytest.mark.parametrize("count", [0, 4])
def test_occurrence_is_enforced(count: int) -> None:
    chain = common_messages.CertificateChainType(
        Certificate=b"x", SubCertificates=common_messages.SubCertificatesType(Certificate=(b"y",) * count)
    )
    contract = common_messages.ContractCertificateChainType(Certificate=chain.Certificate, SubCertificates=chain.SubCertificates)
    least_valid = least(common_messages.PnC_AReqAuthorizationModeType, Id="id1", ContractCertificateChain=contract)
    with pytest.raises(EncodeError, match=r"incomplete|has no place"):
        encode_fragment(least_valid, COMMON)


def test_what_is_no_message() -> None:
    for thing in (None, 5, "DC_CableCheckReq", object()):
        with pytest.raises(EncodeError):
            encode(thing, DC)  # type: ignore[arg-type]
    with pytest.raises(EncodeError, match="no global element of the set dc"):
        encode(HEADER, DC)
    with pytest.raises(EncodeError, match="no global element of the set ac"):
        encode(dc.DC_CableCheckReq(Header=HEADER), schema_set("ac"))


def test_a_lone_surrogate_cannot_be_written() -> None:
    with pytest.raises(EncodeError, match="no character"):
        encode_fragment(xmldsig.SignatureMethodType(Algorithm="\ud800"), schema_set("xmldsig"))


# --- what decoding tolerates and reports ---


def octets_of(value: int) -> bytes:
    """A DC_PreChargeRes whose ResponseCode, six bits wide, holds any number."""
    good = encode(dc.DC_PreChargeRes(Header=HEADER, ResponseCode=responseCodeType.OK, EVSEPresentVoltage=rational(1)), DC)
    other = encode(dc.DC_PreChargeRes(Header=HEADER, ResponseCode=list(responseCodeType)[32], EVSEPresentVoltage=rational(1)), DC)
    highest = int.from_bytes(good, "big") ^ int.from_bytes(other, "big")  # the one bit of the code that 32 sets
    return (int.from_bytes(good, "big") + (highest >> 5) * value).to_bytes(len(good), "big")


def test_an_enumeration_value_beyond_the_last_is_refused_in_either_mode() -> None:
    assert decode(octets_of(39), DC).ResponseCode is list(responseCodeType)[39]  # type: ignore[attr-defined]
    for mode in ("conformance", "interop"):
        with pytest.raises(DecodeError, match="enumeration value 40 of 40") as raised:
            read(octets_of(40), DC, mode=mode)  # type: ignore[arg-type]
        assert raised.value.path == ("DC_PreChargeRes", "ResponseCode")


def percent(value: int) -> bytes:
    """A DC_ChargeLoopReq whose PresentSOC, seven bits wide, holds any number."""

    def with_soc(soc: int) -> bytes:
        request = least(dc.DC_ChargeLoopReq, DisplayParameters=common_types.DisplayParametersType(PresentSOC=soc))
        return encode(request, DC)

    zero, one = int.from_bytes(with_soc(0), "big"), int.from_bytes(with_soc(1), "big")
    return (zero + (zero ^ one) * value).to_bytes(len(with_soc(0)), "big")


def test_a_value_out_of_range_is_refused_or_reported() -> None:
    assert decode(percent(100), DC).DisplayParameters.PresentSOC == 100  # type: ignore[attr-defined]
    with pytest.raises(DecodeError, match="127 is above the maximum 100") as raised:
        decode(percent(127), DC)
    assert raised.value.path == ("DC_ChargeLoopReq", "DisplayParameters", "PresentSOC")
    reading = read(percent(127), DC, mode="interop")
    assert reading.message.DisplayParameters.PresentSOC == 127  # type: ignore[attr-defined]
    assert [str(f) for f in reading.findings] == [
        f"DC_ChargeLoopReq/DisplayParameters/PresentSOC: 127 is above the maximum 100 (at bit {reading.findings[0].bit})"
    ]


@pytest.mark.parametrize("quick", engine.ENGINES)
def test_zeros_behind_the_end_are_reported_and_anything_else_is_refused(quick: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_used", quick)
    octets = encode(dc.DC_CableCheckReq(Header=HEADER), DC)
    for zeros, told in ((1, "an octet 0x00 follows"), (2, "2 octets 0x00 follow"), (4096, "4096 octets 0x00 follow")):
        reading = read(octets + bytes(zeros), DC)
        assert reading.message == decode(octets, DC) == decode(octets + bytes(zeros), DC)
        assert [str(f) for f in reading.findings] == [f"DC_CableCheckReq: {told} the end (at bit {len(octets) * 8})"]
    for tail in (b"\1", b"\0\1", b"\xff" * 100):
        with pytest.raises(DecodeError, match=r"DC_CableCheckReq: .* the end, not all of them 0x00: 0x") as refused:
            decode(octets + tail, DC)
        assert refused.value.path == ("DC_CableCheckReq",)
        assert "not all of them 0x00" in read(octets + tail, DC, mode="interop").findings[0].reason


def test_padding_that_is_not_zero_is_reported() -> None:
    octets = encode(least(dc.DC_CableCheckRes, Header=HEADER), DC)
    assert octets[-1] & 1 == 0
    reading = read(octets[:-1] + bytes([octets[-1] | 1]), DC)
    assert "padding" in reading.findings[0].reason


def test_an_undeclared_end_stands_for_empty_text_even_where_an_attribute_could_come() -> None:
    """SignatureValue in its first state: Id 00, text 01, and behind the escape 10 its end 000."""
    schemas = schema_set("xmldsig")
    empty = xmldsig.SignatureValueType(value=b"")
    stream = bits(encode(empty, schemas))
    code = 8 + schemas.document_width
    assert stream[code:].startswith("01" + "00000000" + "0")
    reading = read(packed(f"{stream[:code]} 10 000".replace(" ", "")), schemas)
    assert reading.message == empty
    assert "empty value" in reading.findings[0].reason


def test_an_error_tells_path_and_bit() -> None:
    octets = encode(dc.DC_CableCheckReq(Header=HEADER), DC)
    with pytest.raises(DecodeError) as raised:
        decode(octets[:8], DC)
    assert raised.value.path == ("DC_CableCheckReq", "Header", "SessionID")
    assert 14 < raised.value.bit <= 64
    assert str(raised.value).endswith(f"(at bit {raised.value.bit})")


# What EXIficient makes of a DC_CableCheckReq with these attributes in its XML.
STATED = [
    ("xsi:type of Header", "802d380128100022446688aaccee0148", "Header: its type MessageHeaderType is stated"),
    ("xsi:type of TimeStamp", "802c0400089119a22ab33b93002c0290", "TimeStamp: its type unsignedLong is stated"),
    ("xsi:type of the message", "802e780110100022446688aaccee0148", "DC_CableCheckReq: its type DC_CableCheckReqType is stated"),
]
PLAIN = bytes.fromhex("802c0400089119a22ab33b8052")


@pytest.mark.parametrize(("octets", "finding"), [(o, f) for _, o, f in STATED], ids=[s[0] for s in STATED])
def test_a_stated_type_is_read_and_reported(octets: str, finding: str) -> None:
    reading = read(bytes.fromhex(octets), DC)
    assert reading.message == decode(PLAIN, DC)
    assert len(reading.findings) == 1
    assert finding in str(reading.findings[0])


def bits(octets: bytes) -> str:
    return "".join(f"{octet:08b}" for octet in octets)


def packed(stream: str) -> bytes:
    size = -(-len(stream) // 8)
    return int(stream.ljust(size * 8, "0"), 2).to_bytes(size, "big")


HEADER_OF_PLAIN = bits(PLAIN)[15:-1]  # what follows the start of Header: its content, its end, the end of the message


def test_not_nil_is_read_and_nil_is_refused_where_content_must_be() -> None:
    """Behind the escape of a start state: end 000, xsi:type 001, xsi:nil 010, and a boolean."""
    start = bits(PLAIN)[:15]
    reading = read(packed(f"{start} 1 010 0 {HEADER_OF_PLAIN}".replace(" ", "")), DC)
    assert reading.message == decode(PLAIN, DC)
    assert "xsi:nil is stated to be false" in reading.findings[0].reason
    with pytest.raises(DecodeError, match="nil, but MessageHeaderType must have content"):
        decode(packed(f"{start} 1 010 1 0 0".replace(" ", "")), DC)
    with pytest.raises(DecodeError, match="xsi:nil is stated twice"):
        decode(packed(f"{start} 1 010 0 1 010 0 {HEADER_OF_PLAIN}".replace(" ", "")), DC)


def test_nil_is_accepted_where_nothing_need_be() -> None:
    """All four elements of this type are optional, so its end is the fifth of its codes and the escape the sixth."""
    mode = dc.Scheduled_DC_CLResControlModeType()
    empty = bits(encode(mode, DC))
    assert empty[14:] == "100".ljust(len(empty) - 14, "0")
    reading = read(packed(f"{empty[:14]} 101 001 1 0".replace(" ", "")), DC)
    assert reading.message == mode
    assert "xsi:nil is stated to be true" in reading.findings[0].reason


@pytest.mark.parametrize(
    ("code", "event"), [("011", "attribute"), ("100", "untyped attribute"), ("101", "element"), ("110", "untyped text"), ("111", "code 7")]
)
def test_what_else_the_second_level_offers_is_refused(code: str, event: str) -> None:
    with pytest.raises(DecodeError, match=event):
        decode(packed(f"{bits(PLAIN)[:15]}1{code}{HEADER_OF_PLAIN}"), DC)


# --- fragments ---


def test_signed_info_alone_and_within_the_message_set_differ_by_their_codes_only() -> None:
    info = least(xmldsig.SignedInfoType)
    alone, within = encode_fragment(info, schema_set("xmldsig")), encode_fragment(info, COMMON)
    assert alone[:2].hex() == "8081"
    assert alone != within
    assert decode_fragment(alone, schema_set("xmldsig")) == decode_fragment(within, COMMON) == info


def test_the_emaid_of_iso2_uses_the_relaxed_grammar() -> None:
    octets = bytes.fromhex("80EC0202B4B21A40041111505090D0CC4C8CD05090CD4DBD3D00")
    emaid = msg_data_types.EMAIDType(Id="id4", value="DEABCC123ABC56")
    assert decode_fragment(octets, schema_set("iso2")) == emaid
    assert encode_fragment(emaid, schema_set("iso2"), "eMAID") == octets


def test_a_fragment_is_named_by_its_class_or_by_the_caller() -> None:
    chain = least(common_messages.SignedCertificateChainType, Id="id1")
    assert element_name(chain, COMMON).local == "OEMProvisioningCertificateChain"
    certificates = least(msg_data_types.CertificateChainType)
    with pytest.raises(EncodeError, match="name the one that is meant"):
        encode_fragment(certificates, schema_set("iso2"))
    octets = encode_fragment(certificates, schema_set("iso2"), "ContractSignatureCertChain")
    assert read(octets, schema_set("iso2"), fragment=True).name.local == "ContractSignatureCertChain"
    with pytest.raises(EncodeError, match="no element of that type"):
        encode_fragment(certificates, schema_set("iso2"), "SalesTariff")


# --- what follows from a declaration ---


@pytest.mark.parametrize("name", MODULES)
def test_least_is_valid_and_minimal(name: str) -> None:
    schemas = schema_set(name)
    for element in schemas.globals:
        if not element.type.__dict__.get("__abstract__") and element.name not in ("SignatureProperty", "SignatureProperties"):
            message = least(element.type)
            assert decode(encode(message, schemas), schemas) == message


def test_least_keeps_what_is_given() -> None:
    refusal = least(dc.DC_CableCheckRes, Header=HEADER, ResponseCode=responseCodeType.FAILED_SequenceError)
    assert refusal == dc.DC_CableCheckRes(
        Header=HEADER, ResponseCode=responseCodeType.FAILED_SequenceError, EVSEProcessing=processingType.Finished
    )
    chosen = least(common_messages.AuthorizationSetupRes, PnC_ASResAuthorizationMode=least(common_messages.PnC_ASResAuthorizationModeType))
    assert chosen.EIM_ASResAuthorizationMode is None
    with pytest.raises(TypeError, match="no field Nonsense"):
        least(dc.DC_CableCheckRes, Nonsense=1)


def test_walk_yields_every_simple_value_once() -> None:
    message = dc.DC_PreChargeRes(Header=HEADER, ResponseCode=responseCodeType.OK, EVSEPresentVoltage=rational(400, -1))
    assert [("/".join(path), value) for path, _, value in walk(message)] == [
        ("Header/SessionID", bytes(range(8))),
        ("Header/TimeStamp", 1_700_000_000),
        ("ResponseCode", responseCodeType.OK),
        ("EVSEPresentVoltage/Exponent", -1),
        ("EVSEPresentVoltage/Value", 400),
    ]


@pytest.mark.parametrize("name", MODULES)
def test_the_header_is_one_octet_and_no_other(name: str) -> None:
    """Distinguishing bits 10, no options, version 1: of all octets one begins a document, in every schema set [V2G2-099]."""
    for first in range(256):
        with pytest.raises(DecodeError) as refused:
            decode(bytes([first]), schema_set(name))
        assert ("the first octet is" in refused.value.reason) is (first != 0x80), first


def test_describe_tells_the_declaration() -> None:
    text = describe(common_messages.ParameterType)
    assert "@Name" in text
    assert "0..80 characters" in text
    assert "(boolValue | byteValue | shortValue | intValue | rationalNumber | finiteString)" in text


def test_a_declared_class_is_a_value() -> None:
    first, second = (dc.DC_CableCheckReq(Header=HEADER) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    changed: Any = first
    with pytest.raises(AttributeError):
        changed.Header = None
    assert issubclass(processingType, Enum)
