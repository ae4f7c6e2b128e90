"""ServiceDiscovery, ServiceDetail, ServiceSelection, and SupportedAppProtocol before them."""

from typing import Any

import pytest

from secc import station as words
from tests.secc.scripted import Scripted, outlet
from v2g.iso20.services import SERVICES
from v2g.messages.app_protocol import AppProtocolType, supportedAppProtocolReq
from v2g.messages.app_protocol import responseCodeType as sapCodeType
from v2g.messages.common_messages import (
    AuthorizationSetupReq,
    SelectedServiceListType,
    SelectedServiceType,
    ServiceDetailReq,
    ServiceDiscoveryReq,
    ServiceIDListType,
    ServiceSelectionReq,
)
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import Relaxed
from v2g.session.errors import PeerIncompatible

DC, AC, DIN = "urn:iso:std:iso:15118:-20:DC", "urn:iso:std:iso:15118:-20:AC", "urn:din:70121:2012:MsgDef"

ON_DC = [row.id for row in SERVICES.values() if row.schema_set == "dc"]


def entry(namespace: str, schema_id: int, priority: int, minor: int = 0, major: int = 1) -> AppProtocolType:
    return AppProtocolType(
        ProtocolNamespace=namespace, VersionNumberMajor=major, VersionNumberMinor=minor, SchemaID=schema_id, Priority=priority
    )


def negotiated(car: Scripted, *entries: AppProtocolType) -> Any:
    return car.ask(supportedAppProtocolReq, AppProtocol=entries)


# --- SupportedAppProtocol ---


@pytest.mark.parametrize("schema_id", [0, 7, 200, 255])
def test_the_answer_names_the_entry_that_was_taken(schema_id: int) -> None:
    response = negotiated(Scripted(), entry(DC, schema_id, 1))
    assert (response.ResponseCode, response.SchemaID) == (sapCodeType.OK_SuccessfulNegotiation, schema_id)


def test_the_car_ranks_by_priority_not_by_place() -> None:
    assert negotiated(Scripted(), entry(DC, 1, 2), entry(AC, 2, 1), entry(DIN, 3, 20)).SchemaID == 2
    assert negotiated(Scripted(), entry(DIN, 1, 1), entry(DC, 2, 2)).SchemaID == 2


@pytest.mark.parametrize(("services", "namespace"), [(("DC",), AC), (("AC", "AC_BPT"), DC)])
def test_a_protocol_without_a_service_is_not_taken(services: Any, namespace: str) -> None:
    car = Scripted(outlet(services=services))
    response = negotiated(car, entry(namespace, 1, 1))
    assert (response.ResponseCode, response.SchemaID) == (sapCodeType.Failed_NoNegotiation, None)
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, PeerIncompatible)


def test_another_minor_version_is_a_deviation_another_major_none() -> None:
    response = negotiated(Scripted(), entry(DC, 1, 1, minor=7))
    assert response.ResponseCode is sapCodeType.OK_SuccessfulNegotiationWithMinorDeviation
    assert negotiated(Scripted(), entry(DC, 1, 1, major=2)).ResponseCode is sapCodeType.Failed_NoNegotiation


def test_without_tls_13_and_both_certificates_nothing_of_20_is_spoken() -> None:
    from dataclasses import replace

    from tests.secc.scripted import secure

    for tls in (None, replace(secure(), version="TLSv1.2"), replace(secure(), verified=None)):
        car = Scripted(given={"tls": tls})
        assert negotiated(car, entry(DC, 1, 1)).ResponseCode is sapCodeType.Failed_NoNegotiation
        assert car.session.ended is not None
        assert car.session.ended.requirement == "V2G20-2356"


def test_the_bench_override_is_said_aloud() -> None:
    car = Scripted(given={"tls": None, "insecure": True})
    assert negotiated(car, entry(DC, 1, 1)).ResponseCode is sapCodeType.OK_SuccessfulNegotiation
    assert [event.requirement for event in car.wants(Relaxed)] == ["V2G20-2356"]


# --- discovery ---


def discovered(car: Scripted, *ids: int) -> Any:
    return car.ask(ServiceDiscoveryReq, SupportedServiceIDs=ServiceIDListType(ServiceID=ids) if ids else None)


def test_everything_of_the_protocol_is_offered_to_a_car_that_does_not_filter() -> None:
    car = Scripted()
    car.authorized("DC")
    assert [s.ServiceID for s in discovered(car).EnergyTransferServiceList.Service] == ON_DC


@pytest.mark.parametrize(("filter_", "expected"), [((6,), [6]), ((1, 5, 6, 10), [6]), ((99,), ON_DC), (tuple(range(50, 66)), ON_DC)])
def test_a_filter_never_leaves_the_energy_services_empty(filter_: tuple[int, ...], expected: list[int]) -> None:
    car = Scripted()
    car.authorized("DC")
    response = discovered(car, *filter_)
    assert response.ResponseCode is Code.OK
    assert [s.ServiceID for s in response.EnergyTransferServiceList.Service] == expected


def test_value_added_services_are_filtered_and_may_be_none() -> None:
    for filter_, expected in (((), [65]), ((65, 2), [65]), ((2,), None)):
        car = Scripted(outlet(internet=("https",)))
        car.authorized("DC")
        listed = discovered(car, *filter_).VASList
        assert (None if listed is None else [s.ServiceID for s in listed.Service]) == expected


def test_an_authorization_may_limit_the_services() -> None:
    car = Scripted(auto=False)
    car.setup("DC")
    car.ask(AuthorizationSetupReq)
    car.tell(words.Authorized(energy_transfer=("DC",)))
    car.authorize()
    assert [s.ServiceID for s in discovered(car).EnergyTransferServiceList.Service] == [2]


def test_what_is_allowed_may_change_until_the_services_are_discovered() -> None:
    for allowed, expected in ((("DC",), [2]), (("DC_BPT", "DC"), [2, 6]), ((), ON_DC)):
        car = Scripted(auto=False)
        car.setup("DC")
        car.ask(AuthorizationSetupReq)
        car.tell(words.Authorized(energy_transfer=("DC_BPT",)))
        car.authorize()
        car.tell(words.ServicesAllowed(allowed))
        assert [s.ServiceID for s in discovered(car).EnergyTransferServiceList.Service] == expected


def test_service_renegotiation_is_said_as_it_is_configured() -> None:
    for supported in (True, False):
        car = Scripted(outlet(service_renegotiation=supported))
        car.authorized()
        assert discovered(car).ServiceRenegotiationSupported is supported


# --- detail ---

NAMES = {
    "AC": ["Connector", "ControlMode", "EVSENominalVoltage", "MobilityNeedsMode", "Pricing"],
    "DC": ["Connector", "ControlMode", "MobilityNeedsMode", "Pricing"],
}
NAMES["AC_BPT"] = [*NAMES["AC"], "BPTChannel", "GeneratorMode", "GridCodeIslandingDetectionMethod"]
NAMES["DC_BPT"] = [*NAMES["DC"], "BPTChannel", "GeneratorMode"]
NAMES |= {"MCS": NAMES["DC"], "MCS_BPT": NAMES["DC_BPT"]}
NAMES["DC_ACDP"] = ["ControlMode", "MobilityNeedsMode"]
NAMES["DC_ACDP_BPT"] = [*NAMES["DC_ACDP"], "BPTChannel", "GeneratorMode"]
NAMES["WPT"] = ["ControlMode", "Pricing"]
NAMES |= {"AC_DER_IEC": [*NAMES["AC"], "DERControlFunctions"], "AC_DER_SAE": NAMES["AC"]}


@pytest.mark.parametrize("service", list(SERVICES))
def test_parameter_sets_have_the_parameters_of_their_service(service: str) -> None:
    car = Scripted(outlet(mobility_by_station=True))
    car.authorized(service)
    discovered(car)
    response = car.ask(ServiceDetailReq, ServiceID=SERVICES[service].id)
    sets = response.ServiceParameterList.ParameterSet
    assert response.ServiceID == SERVICES[service].id
    assert 1 <= len(sets) <= 4
    for each in sets:
        assert [p.Name for p in each.Parameter] == NAMES[service]
        assert all(p.intValue is not None for p in each.Parameter)
    values = [{p.Name: p.intValue for p in each.Parameter} for each in sets]
    if "MobilityNeedsMode" in NAMES[service]:
        assert [(v["ControlMode"], v["MobilityNeedsMode"]) for v in values] == [(1, 1), (2, 1), (2, 2)]  # [V2G20-2656] [V2G20-2663]
    else:
        assert [v["ControlMode"] for v in values] == [1, 2]


@pytest.mark.parametrize("service", [0, 1, 5, 65, 65535])
def test_a_service_that_was_not_offered_has_no_detail(service: int) -> None:
    car = Scripted()
    car.authorized("DC")
    discovered(car)
    assert car.ask(ServiceDetailReq, ServiceID=service).ResponseCode is Code.FAILED_ServiceIDInvalid
    assert car.session.ended is not None


def test_details_may_be_asked_for_as_often_as_a_car_likes() -> None:
    car = Scripted()
    car.authorized("DC")
    discovered(car)
    for number in range(32):
        assert car.ask(ServiceDetailReq, ServiceID=(2, 6)[number % 2]).ResponseCode is Code.OK
    assert car.choose("DC_BPT").ResponseCode is Code.OK


# --- selection ---


def selected(car: Scripted, energy: tuple[int, int], *added: tuple[int, int]) -> Any:
    pairs = [SelectedServiceType(ServiceID=s, ParameterSetID=p) for s, p in added]
    return car.ask(
        ServiceSelectionReq,
        SelectedEnergyTransferService=SelectedServiceType(ServiceID=energy[0], ParameterSetID=energy[1]),
        SelectedVASList=SelectedServiceListType(SelectedService=tuple(pairs)) if pairs else None,
    )


def detailed(*services: int, **changes: Any) -> Scripted:
    car = Scripted(outlet(internet=("http", "https"), **changes))
    car.authorized("DC")
    discovered(car)
    for service in services:
        car.ask(ServiceDetailReq, ServiceID=service)
    return car


@pytest.mark.parametrize(
    ("energy", "added", "code"),
    [
        ((2, 1), (), Code.OK),
        ((2, 2), ((65, 3),), Code.OK),
        ((2, 99), (), Code.FAILED_ServiceSelectionInvalid),  # a set that was never given
        ((6, 1), (), Code.FAILED_ServiceSelectionInvalid),  # a service whose detail was never asked for
        ((1, 1), (), Code.FAILED_ServiceSelectionInvalid),  # a service of the other protocol
        ((65, 1), (), Code.FAILED_NoEnergyTransferServiceSelected),
        ((2, 1), ((65, 9),), Code.FAILED_ServiceSelectionInvalid),
        ((2, 1), ((65, 1),), Code.FAILED_ServiceSelectionInvalid),  # ftp, which this outlet does not offer
        ((2, 1), ((65, 1),) * 15 + ((66, 1),), Code.FAILED_ServiceSelectionInvalid),
        ((2, 1), ((2, 1),), Code.FAILED_ServiceSelectionInvalid),
    ],
)
def test_a_selection_holds_only_with_what_was_shown(energy: Any, added: Any, code: Code) -> None:
    car = detailed(2, 65)
    assert selected(car, energy, *added).ResponseCode is code
    assert (car.session.ended is None) == (code is Code.OK)
    assert len(car.wants(words.ServiceSelected)) == (code is Code.OK)


def test_a_selection_is_told_to_the_station() -> None:
    car = detailed(6, mobility_by_station=True)
    selected(car, (6, 3))
    (want,) = car.wants(words.ServiceSelected)
    assert (want.service, want.control, want.mobility_needs) == ("DC_BPT", "Dynamic", "SECC")


@pytest.mark.parametrize(
    ("internet", "sets"),
    [
        (("https",), {4: ("https", 443)}),
        (("http", "https"), {3: ("http", 80), 4: ("https", 443)}),
        (("ftp", "https", "http"), {1: ("ftp", 20), 2: ("ftp", 21), 3: ("http", 80), 4: ("https", 443)}),
    ],
)
def test_internet_is_offered_with_the_protocols_that_are_configured_under_the_numbers_of_the_standard(internet: Any, sets: Any) -> None:
    car = Scripted(outlet(internet=internet))
    car.authorized("DC")
    discovered(car)
    detail = car.ask(ServiceDetailReq, ServiceID=65)
    said = {
        one.ParameterSetID: {p.Name: p.finiteString or p.intValue for p in one.Parameter}
        for one in detail.ServiceParameterList.ParameterSet
    }
    assert said == {number: {"Protocol": protocol, "Port": port} for number, (protocol, port) in sets.items()}


def test_what_a_car_takes_beside_energy_is_told_to_the_station() -> None:
    car = detailed(2, 65)
    selected(car, (2, 1), (65, 4))
    assert [want.added for want in car.wants(words.ServiceSelected)] == [(words.Added("Internet", "https", 443),)]


def test_a_protocol_that_internet_does_not_know_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match=r"gopher.*none of the choices"):
        outlet(internet=("gopher",))
