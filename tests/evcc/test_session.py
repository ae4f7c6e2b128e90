"""The car's session against a scripted station, in virtual time. Test names carry the case that they are."""

from functools import partial
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evcc.car import Car, Wish
from evcc.credentials import PriceTrust
from evcc.engine import EvccSession
from evcc.ev import Ev
from evcc.goal import Goal
from evcc.iso20.requests import ask
from evcc.script import Part, Raw, Wait
from pki.chains import octets_of
from pki.profiles import Role
from pki.signature import verify
from pki.tariff import sign_prices
from tests.evcc.scripted_station import (
    EPOCH,
    STANDARD,
    Answer,
    Code,
    Processing,
    Station,
    code,
    detail,
    finished,
    going,
    loop_dc,
    moved,
    ok,
    ongoing,
    parameter_set,
    parameters_dc,
    positioned,
    power_schedule,
    prices,
    restamped,
    run,
    schedule_tuple,
    setup,
    silence,
    times,
    well,
)
from tests.evcc.test_pair import contract
from tests.pki.sample_pki import NOW, anchors, hierarchy
from v2g.exi.codec import encode
from v2g.exi.derive import least
from v2g.iso20.frames import exi, payload_type_of
from v2g.iso20.limits import LIMITS
from v2g.iso20.phases import total
from v2g.iso20.rational import number, rational
from v2g.iso20.sequence import REQUESTS, response_to
from v2g.iso20.services import SERVICES
from v2g.iso20.timing import timing
from v2g.messages import acdp, app_protocol, dc, schema_set
from v2g.messages import common_messages as cm
from v2g.session.clock import Clock
from v2g.session.endpoint import FrameReceived, FrameSent, Noted, Relaxed
from v2g.session.errors import (
    ConnectionLost,
    FramingError,
    Misuse,
    PeerFailed,
    PeerIncompatible,
    PeerMisbehaved,
    PeerUnsafe,
    SessionError,
    TimedOut,
    UnknownSession,
)
from v2g.session.v2gtp import PayloadType, frame

EIM: dict[str, Any] = {"authorizations": ("EIM",), "bench_plain": True}


def car(service: str = "DC", control: str = "Scheduled", scale: float = 1.0, goal: Goal | None = None, **wish: Any) -> Car:
    """A car on a bench, ten loops long."""
    wishes = Wish(services=(service,), control=control, **{"loops": 10, **EIM, **wish})  # type: ignore[arg-type]
    return Car(Ev(), goal or Goal(), wishes, Clock(EPOCH, 0.0, scale))


def error(session: EvccSession) -> SessionError:
    """Why the session ended; it must not have ended well."""
    assert session.ended is not None
    assert session.ended.error is not None, "the session ended well"
    return session.ended.error


HEAD = ["supportedAppProtocol", "SessionSetup", "AuthorizationSetup", "Authorization"]
MIDDLE = ["ServiceDiscovery", "ServiceDetail", "ServiceSelection"]
AC = ["AC_ChargeParameterDiscovery", "ScheduleExchange", "PowerDelivery", *["AC_ChargeLoop"] * 10, "PowerDelivery", "SessionStop"]
DC = ["DC_ChargeParameterDiscovery", "ScheduleExchange", "DC_CableCheck", "DC_PreCharge", "DC_PreCharge", "PowerDelivery",
      *["DC_ChargeLoop"] * 10, "PowerDelivery", "DC_WeldingDetection", "DC_WeldingDetection", "SessionStop"]  # fmt: skip
WPT = ["WPT_FinePositioningSetup", "WPT_FinePositioning", "WPT_Pairing", "WPT_ChargeParameterDiscovery", "ScheduleExchange",
       "WPT_AlignmentCheck", "WPT_AlignmentCheck", "PowerDelivery", *["WPT_ChargeLoop"] * 10, "PowerDelivery", "SessionStop"]  # fmt: skip


def docked(energy: list[str]) -> list[str]:
    """The same under a device."""
    return ["ACDP_VehiclePositioning", "ACDP_Connect", *energy[:-1], "ACDP_Disconnect", energy[-1]]


SAFE = {"DC_WeldingDetectionReq": lambda q, s: ok(q, s, EVSEPresentVoltage=rational(0))}


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
@pytest.mark.parametrize("service", SERVICES)
def test_a_whole_session(service: str, control: str) -> None:
    station = Station(answers=SAFE | {"AuthorizationReq": finished})
    visitor = car(service, control)
    session = run(visitor, station)
    assert session.ended is not None
    assert session.ended.well, session.ended
    assert session.ended.how == "Terminate"
    settling = ["AC_ChargeParameterDiscovery"] if SERVICES[service].der else []  # the car says once more that it has taken it over
    energy = WPT if SERVICES[service].wireless else DC if SERVICES[service].dc else settling + AC
    names = [name for name in station.names() if name != "ACDP_SystemStatus"]  # that has a stream of its own
    assert names == HEAD + MIDDLE + (docked(energy) if SERVICES[service].docked else energy)
    assert visitor.loops == 10
    stamped = [request.Header.SessionID for request in station.requests[2:]]
    assert set(stamped) == {station.session_id}
    selected = station.of(cm.ServiceSelectionReq)[0].SelectedEnergyTransferService
    assert selected.ParameterSetID == {"Scheduled": 9, "Dynamic": 7}[control]  # by name, not by place [V2G20-1216]
    for request in station.requests[8:]:
        assert_typed(request, service, control)


@pytest.mark.parametrize("place", ["Moving", "Home"])
def test_a_device_that_is_finished_and_not_down_is_left_without_power(place: str) -> None:
    station = Station(answers=SAFE | {"ACDP_ConnectReq": partial(moved, place)})
    visitor = car("DC_ACDP")
    session = run(visitor, station)
    assert isinstance(error(session), PeerUnsafe)
    assert f"its device is {place}, not EndPosition" in str(error(session))
    assert not visitor.closed
    assert station.names()[-1] == "SessionStop"
    assert "PowerDelivery" not in station.names()


def test_a_place_that_is_finished_and_not_reached_is_left() -> None:
    station = Station(answers={"ACDP_VehiclePositioningReq": finished})
    session = run(car("DC_ACDP"), station)
    assert isinstance(error(session), PeerUnsafe)
    assert "ACDP_Connect" not in station.names()


def test_a_vehicle_waits_for_place_and_device_as_long_as_it_may() -> None:
    waits = times(20, ongoing, positioned)
    station = Station(
        answers=SAFE | {"ACDP_VehiclePositioningReq": waits, "ACDP_ConnectReq": times(20, ongoing, partial(moved, "EndPosition"))}
    )
    session = run(car("DC_ACDP"), station)
    assert session.ended is not None
    assert session.ended.well
    assert station.names().count("ACDP_VehiclePositioning") == station.names().count("ACDP_Connect") == 21


@pytest.mark.parametrize(
    "said",
    [
        *({name: True} for name in ("EVSEDisabled", "EVSEUtilityInterruptEvent", "EVSEEmergencyShutdown", "EVSEMalfunction")),
        {"EVSEMechanicalChargingDeviceStatus": acdp.mechanicalChargingDeviceStatusType.Moving},
        {"EVSEIsolationStatus": acdp.isolationStatusType.Fault},
    ],
    ids=str,
)
def test_a_station_whose_machinery_is_not_well_is_left_under_power(said: Any) -> None:
    station = Station(answers=SAFE | {"ACDP_SystemStatusReq": lambda q, s: well(q, s, **said)})
    visitor = car("DC_ACDP", loops=200)
    session = run(visitor, station)
    assert isinstance(error(session), PeerUnsafe)
    assert visitor.loops <= 3  # the one that asked, and the next
    assert not visitor.closed
    assert station.names()[-2:] == ["PowerDelivery", "SessionStop"]


def test_the_status_is_asked_for_once_a_second_on_its_own_stream() -> None:
    station = Station(answers=SAFE)
    visitor = car("DC_ACDP", loops=50)
    began = visitor.now
    session = run(visitor, station)
    assert session.ended is not None
    assert session.ended.well
    asked = [kind for kind in station.payload_types if kind == 0x8103]
    assert 3 <= len(asked) <= visitor.now - began + 1
    assert station.of(acdp.ACDP_SystemStatusReq)[0].EVTechnicalStatus.EVImmobilized is True


def assert_typed(request: Any, service: str, control: str) -> None:
    """BPT types for BPT services, DER types for those of an amendment, loop modes of the control mode, and no others."""
    row = SERVICES[service]
    for name in ("DC_CPDReqEnergyTransferMode", "AC_CPDReqEnergyTransferMode", "CLReqControlMode"):
        kind = type(getattr(request, name, None)).__name__
        prefix = kind[:4] if kind[:4] in ("BPT_", "DER_") else ""
        assert kind == "NoneType" or prefix == ("DER_" if row.der else "BPT_" if row.bidirectional else "")
        assert name != "CLReqControlMode" or kind == "NoneType" or control in kind


def test_a_night_in_virtual_time() -> None:
    """Three hours and more of charging, seconds of protocol, milliseconds of the processor."""
    visitor = car(scale=300.0, loops=None, goal=Goal(target_soc=80))
    session = run(visitor, Station(answers=SAFE))
    assert session.ended is not None
    assert session.ended.well
    assert visitor.ev.soc == pytest.approx(80.0, abs=0.5)
    assert visitor.ev.charged * visitor.ev.battery.charge_efficiency == pytest.approx(0.6 * visitor.ev.battery.capacity, rel=0.01)
    assert visitor.wall - EPOCH > 3600


# --- SupportedAppProtocol and SessionSetup ---


def test_E_SAP_01_and_10_what_is_offered() -> None:
    station = Station()
    session = run(car(bench_plain=False), station)
    assert isinstance(error(session), PeerIncompatible)  # no -20 on plain TCP [V2G20-1237]
    assert station.requests == []
    station = Station()
    session = run(Car(Ev(), wish=Wish(services=("AC", "DC_BPT", "DC"), **{**EIM, "loops": 1})), station)
    entries = station.requests[0].AppProtocol
    assert [entry.ProtocolNamespace.rpartition(":")[2] for entry in entries] == ["AC", "DC"]
    assert len({entry.SchemaID for entry in entries}) == 2
    assert [entry.Priority for entry in entries] == [1, 2]
    assert any(isinstance(event, Noted) and event.topic == "bench override" for event in session.events())


def sap(schema_id: int | None, code: str = "OK_SuccessfulNegotiation") -> Answer:
    return lambda q, s: app_protocol.supportedAppProtocolRes(ResponseCode=app_protocol.responseCodeType(code), SchemaID=schema_id)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (sap(9), PeerMisbehaved),  # E-SAP-02
        (sap(None, "Failed_NoNegotiation"), PeerIncompatible),  # E-SAP-03
        (silence, TimedOut),  # E-SAP-04
        (setup, PeerMisbehaved),
    ],
)
def test_E_SAP_wrong_answers(answer: Answer, expected: type[SessionError]) -> None:
    station = Station(answers={"supportedAppProtocolReq": answer if answer is not setup else lambda q, s: least(cm.SessionSetupRes)})
    visitor = car()
    assert isinstance(error(run(visitor, station)), expected)
    assert station.names() == ["supportedAppProtocol"]
    assert visitor.now <= 2.01


def test_the_protocol_of_the_answer_is_run() -> None:
    station = Station(answers={"supportedAppProtocolReq": sap(2), **SAFE})
    visitor = Car(Ev(), wish=Wish(services=("AC", "DC"), **{**EIM, "loops": 1}), clock=Clock(EPOCH))
    session = run(visitor, station)
    assert session.ended is not None
    assert session.ended.well
    assert visitor.known.service.service == "DC"


def test_E_SES_01_the_first_request() -> None:
    station = Station()
    run(car(evccid="WMIV1234567890ABCDEX"), station)
    request = station.of(cm.SessionSetupReq)[0]
    assert request.Header.SessionID == bytes(8)
    assert request.EVCCID == "WMIV1234567890ABCDEX"


def test_E_SES_03_a_session_without_id() -> None:
    station = Station(answers={"SessionSetupReq": lambda q, s: restamped(setup(q, s), SessionID=bytes(8))})
    assert isinstance(error(run(car(), station)), UnknownSession)


def test_the_communication_setup_timer() -> None:
    station = Station()
    session = EvccSession(lambda c: late(c), car(), 0.0)
    for _ in going(session):
        due = session.deadline()
        assert due is not None
        answer = station.hear(session.octets_to_send())
        session.receive(answer, session.car.now) if answer else session.tick(due)
    ended = error(session)
    assert isinstance(ended, TimedOut)
    assert (ended.timer, ended.limit) == ("V2G_EVCC_CommunicationSetup_Timeout", 20.0)


def late(c: Car) -> Part[str]:
    yield Wait(30.0)
    return "Terminate"


# --- every response of a session, one at a time made wrong ---

ASKED = [name + "Req" for name in dict.fromkeys(HEAD[1:] + MIDDLE + DC)]
KINDS = {kind.__name__: kind for kind in REQUESTS}


def standard(name: str) -> Answer:
    return SAFE.get(name) or STANDARD.get(name) or (lambda q, s: ok(q, s))


def spoiled(name: str, spoil: Any) -> Station:
    """A station that spoils its answers to one request."""
    good = standard(name) if name != "AuthorizationReq" else finished
    return Station(answers={**SAFE, name: lambda q, s: spoil(good(q, s))})


@pytest.mark.parametrize("name", ASKED)
def test_E_SES_04_another_session_id_in_every_state(name: str) -> None:
    station = spoiled(name, lambda response: restamped(response, SessionID=b"\x55" * 8))
    ended = error(run(car(), station))
    assert isinstance(ended, UnknownSession), ended
    # of SessionSetup the wrong one is the right one: the next answer is the stranger
    assert station.names()[-1] + "Req" == (name if name != "SessionSetupReq" else "AuthorizationSetupReq")


@pytest.mark.parametrize("name", ASKED)
def test_E_a_FAILED_ends_the_session_in_every_state(name: str) -> None:
    station = spoiled(name, lambda response: msgspec.structs.replace(response, ResponseCode=Code.FAILED_ServiceIDInvalid))
    ended = error(run(car(), station))
    assert isinstance(ended, PeerFailed)
    assert ended.code is Code.FAILED_ServiceIDInvalid
    assert station.names()[-1] + "Req" == name  # nothing is sent after it


@pytest.mark.parametrize("name", ASKED)
def test_E_END_05_an_answer_of_the_wrong_type_in_every_state(name: str) -> None:
    wrong = cm.AuthorizationSetupRes if name != "AuthorizationSetupReq" else cm.ServiceSelectionRes
    station = Station(answers={**SAFE, name: lambda q, s: least(wrong, Header=s.header)})
    assert isinstance(error(run(car(), station)), PeerMisbehaved)
    assert station.names()[-1] + "Req" == name


@pytest.mark.parametrize("name", ["supportedAppProtocolReq", *ASKED])
def test_E_END_04_the_message_timeout_in_every_state(name: str) -> None:
    """E-SES-02, E-LOP-02, E-END-02 among them: 0.5 s in the loop, 5 s for ServiceDetail, 2 s elsewhere."""
    station = Station(answers={**SAFE, name: silence})
    visitor = car()
    session = run(visitor, station)
    ended = error(session)
    assert isinstance(ended, TimedOut)
    limit = timing(KINDS[name]).msg_timeout
    assert (ended.timer, ended.limit) == ("V2G_EVCC_Msg_Timeout", limit)
    assert limit == {"DC_ChargeLoopReq": 0.5, "ServiceDetailReq": 5.0}.get(name, 2.0)
    sent = [event for event in session.events() if isinstance(event, FrameSent)]
    assert visitor.now - sent[-1].at == pytest.approx(limit)


@pytest.mark.parametrize("share", [0.9, 1.1])
@pytest.mark.parametrize("name", ASKED)
def test_E_END_04_just_in_time_and_too_late(name: str, share: float) -> None:
    """An answer after nine tenths of the timeout is taken, one after eleven tenths is not."""
    station, visitor = Station(answers={**SAFE, "AuthorizationReq": finished}), car(loops=2)
    session = EvccSession(charge_script(), visitor, 0.0)
    now, asked = 0.0, ""
    for _ in going(session):
        octets = session.octets_to_send()
        answer = station.hear(octets) if octets else b""
        if not answer:
            due = session.deadline()
            assert due is not None
            session.tick(now := due)
            continue
        asked = type(station.requests[-1]).__name__
        now += timing(KINDS[asked]).msg_timeout * share if asked == name else 0.001
        session.tick(now)
        session.receive(answer, now)
    assert session.ended.well == (share < 1.0), session.ended
    assert share < 1.0 or isinstance(session.ended.error, TimedOut)


def charge_script() -> Any:
    from evcc.iso20.charge import charge

    return charge


@pytest.mark.parametrize("name", ["supportedAppProtocolReq", *ASKED])
def test_E_END_03_the_station_closes_in_every_state(name: str) -> None:
    class Closed(Exception):
        pass

    def close(q: Any, s: Station) -> None:
        raise Closed

    station, session = Station(answers={**SAFE, name: close}), EvccSession(charge_script(), car(), 0.0)
    now = 0.0
    for _ in going(session):
        octets = session.octets_to_send()
        try:
            answer = station.hear(octets) if octets else b""
        except Closed:
            session.receive(b"", now)
            break
        if answer:
            session.receive(answer, now)
        else:
            session.tick(now := session.deadline() or now)
    assert isinstance(error(session), ConnectionLost)
    pilots = [e.facts["state"] for e in session.events() if isinstance(e, Noted) and e.topic == "control pilot"]
    assert pilots[-1] == "B"
    assert session.deadline() is None
    session.tick(now + 100)
    session.receive(b"\x01", now + 100)  # nothing happens any more


# --- polls and their limits ---


@pytest.mark.parametrize(
    ("name", "limit", "timer"),
    [
        ("AuthorizationReq", 60.0, "V2G_EVCC_Authorization_Ongoing_Timeout"),  # E-AUT-04
        ("ScheduleExchangeReq", 60.0, "V2G_EVCC_Ongoing_Timeout"),  # E-CHG-03
        ("DC_CableCheckReq", 40.0, "V2G_EVCC_CableCheck_Timeout"),  # E-CHG-07
    ],
)
def test_E_ongoing_for_ever(name: str, limit: float, timer: str) -> None:
    station = Station(answers={"AuthorizationReq": finished, name: ongoing})
    if name == "ScheduleExchangeReq":
        station.answers[name] = lambda q, s: msgspec.structs.replace(STANDARD[name](q, s), EVSEProcessing=Processing.Ongoing)
    visitor = car()
    ended = error(run(visitor, station))
    assert isinstance(ended, TimedOut)
    assert (ended.timer, ended.limit) == (timer, limit)
    assert len(station.of(KINDS[name])) > 100


def test_E_CHG_08_precharge_that_never_arrives() -> None:
    station = Station(answers={"DC_PreChargeReq": lambda q, s: ok(q, s, EVSEPresentVoltage=rational(12))})
    ended = error(run(car(), station))
    assert isinstance(ended, TimedOut)
    assert (ended.timer, ended.limit) == ("V2G_EVCC_PreCharge_Timeout", 10.0)
    asked = station.of(dc.DC_PreChargeReq)
    assert all(q.EVProcessing is Processing.Ongoing for q in asked)
    assert number(asked[-1].EVPresentVoltage) == 12  # what the inlet has, not what the battery has


def test_E_AUT_03_thirty_seconds_of_ongoing() -> None:
    station = Station(answers={"AuthorizationReq": times(250, ongoing, finished), **SAFE})
    visitor = car()
    session = run(visitor, station)
    assert session.ended is not None
    assert session.ended.well
    asked = station.of(cm.AuthorizationReq)
    assert len(asked) == 251
    assert asked[-1].Header.TimeStamp - asked[0].Header.TimeStamp >= 25
    assert len({encode(restamped(q, TimeStamp=0), schema_set("common")) for q in asked}) == 1  # [V2G20-1582]


def test_precharge_ends_with_Finished_and_welding_too() -> None:
    station = Station(
        answers={"DC_PreChargeReq": times(5, lambda q, s: ok(q, s, EVSEPresentVoltage=rational(100)), STANDARD["DC_PreChargeReq"])}
    )
    visitor = car()
    run(visitor, station)
    assert [q.EVProcessing for q in station.of(dc.DC_PreChargeReq)] == [Processing.Ongoing] * 6 + [Processing.Finished]


def test_a_welded_contact_is_noticed_and_the_session_still_ends() -> None:
    visitor = car()
    session = run(visitor, Station(answers={"DC_WeldingDetectionReq": lambda q, s: ok(q, s, EVSEPresentVoltage=rational(390))}))
    assert session.ended is not None
    assert session.ended.well
    (noted,) = [e for e in session.events() if isinstance(e, Noted) and e.topic == "welding suspected"]
    assert noted.facts["voltage"] == 390


# --- authorization, services ---


def test_E_AUT_02_nothing_in_common() -> None:
    station = Station(authorizations=("PnC",))
    ended = error(run(car(), station))
    assert isinstance(ended, PeerIncompatible)
    assert "PnC" in str(ended)
    assert station.names()[-1] == "SessionStop"  # an orderly end, and why
    assert "PnC" in station.requests[-1].EVTerminationExplanation


@pytest.mark.parametrize("order", [("EIM", "PnC"), ("PnC", "EIM")])
def test_E_AUT_01_either_order(order: tuple[str, ...]) -> None:
    station = Station(authorizations=order, answers=SAFE)
    session = run(car(), station)
    assert session.ended is not None
    assert session.ended.well
    request = station.of(cm.AuthorizationReq)[0]
    assert request.SelectedAuthorizationService is cm.authorizationType.EIM
    assert request.Header.Signature is None


def test_E_AUT_05_a_refusal_is_no_authorization() -> None:
    refused = lambda q, s: ok(q, s, ResponseCode=Code.WARNING_EIMAuthorizationFailure, EVSEProcessing=Processing.Finished)  # noqa: E731
    station = Station(answers={"AuthorizationReq": refused})
    ended = error(run(car(), station))
    assert isinstance(ended, PeerIncompatible)
    assert "WARNING_EIMAuthorizationFailure" in str(ended)
    assert station.names() == [*HEAD, "SessionStop"]


def test_E_SVC_02_the_other_energy_type() -> None:
    station = Station(services=("AC", "AC_BPT"))
    ended = error(run(car("DC"), station))
    assert isinstance(ended, PeerIncompatible)
    assert station.names()[-2:] == ["ServiceDiscovery", "SessionStop"]


def test_ranking_is_the_cars_own() -> None:
    station = Station(answers=SAFE)
    run(Car(Ev(), wish=Wish(services=("DC_BPT", "DC"), **{**EIM, "loops": 1}), clock=Clock(EPOCH)), station)
    assert [q.ServiceID for q in station.of(cm.ServiceDetailReq)] == [6]  # offered last
    only_dynamic = lambda q, s: ok(q, s, ServiceID=q.ServiceID, ServiceParameterList=cm.ServiceParameterListType(ParameterSet=(  # noqa: E731
        parameter_set(1, ControlMode=2 if q.ServiceID == 6 else 1),)))  # fmt: skip
    station = Station(answers={**SAFE, "ServiceDetailReq": only_dynamic})
    run(Car(Ev(), wish=Wish(services=("DC_BPT", "DC"), **{**EIM, "loops": 1}), clock=Clock(EPOCH)), station)
    assert [q.ServiceID for q in station.of(cm.ServiceDetailReq)] == [6, 2]


def test_E_SVC_03_the_largest_offer() -> None:
    sets = tuple(parameter_set(i, **{f"P{j}": j for j in range(31)}, ControlMode=2 - (i == 31)) for i in range(32))
    big = lambda q, s: ok(q, s, ServiceID=q.ServiceID, ServiceParameterList=cm.ServiceParameterListType(ParameterSet=sets))  # noqa: E731
    services = tuple(cm.ServiceType(ServiceID=i, FreeService=False) for i in (1, 2, 3, 4, 5, 6, 7, 8))
    vas = tuple(cm.ServiceType(ServiceID=100 + i, FreeService=False) for i in range(8))
    lists = {"EnergyTransferServiceList": cm.ServiceListType(Service=services), "VASList": cm.ServiceListType(Service=vas)}
    discovery: Answer = lambda q, s: ok(q, s, **lists)  # noqa: E731
    station = Station(answers={**SAFE, "ServiceDetailReq": big, "ServiceDiscoveryReq": discovery})
    session = run(car(), station)
    assert session.ended is not None
    assert session.ended.well
    assert station.of(cm.ServiceSelectionReq)[0].SelectedEnergyTransferService.ParameterSetID == 31


def test_E_SVC_04_details_of_another_service() -> None:
    station = Station(answers={"ServiceDetailReq": lambda q, s: msgspec.structs.replace(detail(q, s), ServiceID=5)})
    assert isinstance(error(run(car(), station)), PeerMisbehaved)


# --- parameters, loop ---


def limits(**changes: float) -> Answer:
    def answer(q: Any, s: Station) -> Any:
        said = parameters_dc(q, s)
        mode = msgspec.structs.replace(said.DC_CPDResEnergyTransferMode, **{name: rational(v) for name, v in changes.items()})
        return msgspec.structs.replace(said, DC_CPDResEnergyTransferMode=mode)

    return answer


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"EVSEMaximumVoltage": 150, "EVSEMinimumVoltage": 50}, PeerIncompatible),
        ({"EVSEMaximumVoltage": 300}, PeerIncompatible),  # the inlet would do, the battery would not
        ({"EVSEMinimumChargePower": 70e3}, PeerMisbehaved),
    ],
)
def test_E_CHG_01_limits_that_do_not_meet(changes: dict[str, float], expected: type[SessionError]) -> None:
    station = Station(answers={"DC_ChargeParameterDiscoveryReq": limits(**changes)})
    assert isinstance(error(run(car(), station)), expected)
    assert "PowerDelivery" not in station.names()


def test_E_CHG_01_no_power_for_the_moment_is_waited_for() -> None:
    nothing = limits(EVSEMaximumChargePower=0, EVSEMaximumChargeCurrent=0)
    station = Station(answers={**SAFE, "DC_ChargeParameterDiscoveryReq": nothing})
    visitor = car("DC", "Scheduled")
    session = run(visitor, station)
    assert session.ended is not None
    assert session.ended.well
    assert visitor.ev.charged == 0.0


@pytest.mark.parametrize("name", ["BPT_Scheduled_DC_CLResControlModeType", "Dynamic_DC_CLResControlModeType"])
def test_E_CHG_02_an_answer_in_another_mode(name: str) -> None:
    other = least(getattr(dc, name))
    station = Station(answers={"DC_ChargeLoopReq": lambda q, s: msgspec.structs.replace(loop_dc(q, s), CLResControlMode=other)})
    ended = error(run(car(), station))
    assert isinstance(ended, PeerMisbehaved)
    assert ended.requirement == "V2G20-1600"


def test_E_CHG_02_a_schedule_of_the_other_mode() -> None:
    other = lambda q, s: ok(q, s, EVSEProcessing=Processing.Finished, Dynamic_SEResControlMode=cm.Dynamic_SEResControlModeType())  # noqa: E731
    ended = error(run(car(), Station(answers={"ScheduleExchangeReq": other})))
    assert ended.requirement == "V2G20-1600"


def test_E_LOP_01_two_thousand_loops_in_step() -> None:
    visitor = car(loops=2_000)
    session = run(visitor, Station(answers=SAFE))
    gaps = [e.since_previous for e in session.events() if isinstance(e, FrameSent) and isinstance(e.message, dc.DC_ChargeLoopReq)]
    assert len(gaps) == 2_000
    assert max(gap or 0.0 for gap in gaps) <= 0.25  # [V2G20-1501]


def test_E_LOP_04_a_lowered_limit_is_followed() -> None:
    def lowered(q: Any, s: Station) -> Any:
        said = loop_dc(q, s)
        if s.loops < 5:
            return said
        mode = msgspec.structs.replace(said.CLResControlMode, EVSEMaximumChargePower=rational(8e3))
        return msgspec.structs.replace(said, CLResControlMode=mode)

    station = Station(answers={**SAFE, "DC_ChargeLoopReq": lowered})
    session = run(car(loops=9), station)
    assert session.ended is not None
    assert session.ended.well
    asked = [
        number(q.CLReqControlMode.EVTargetCurrent) * number(q.CLReqControlMode.EVTargetVoltage) for q in station.of(dc.DC_ChargeLoopReq)
    ]
    assert min(asked[:5]) > 30e3
    assert all(7.9e3 < power <= 8.001e3 for power in asked[5:])


NOTIFIED = {"Terminate": "Terminate", "Pause": "Pause"}


@pytest.mark.parametrize(("notification", "how"), NOTIFIED.items())
@pytest.mark.parametrize("service", ["AC", "DC"])
def test_E_LOP_05_terminate_and_pause_are_obeyed_at_once(service: str, notification: str, how: str) -> None:
    station = Station(answers=SAFE, notify={4: notification})
    visitor = car(service)
    session = run(visitor, station)
    assert session.ended is not None
    assert (session.ended.how, session.ended.error) == (how, None)
    assert station.loops == 4
    assert station.of(cm.SessionStopReq)[0].ChargingSession.value == how
    assert (visitor.memory is not None) == (how == "Pause")


@pytest.mark.parametrize("service", ["AC_BPT", "DC"])
def test_E_LOP_05_schedule_renegotiation(service: str) -> None:
    station = Station(answers=SAFE, notify={3: "ScheduleRenegotiation"})
    session = run(car(service, loops=6), station)
    assert session.ended is not None
    assert session.ended.well
    names = station.names()
    loop = f"{service[:2]}_ChargeLoop"
    at = names.index(loop) + 3
    assert names[at : at + 4] == ["PowerDelivery", "ScheduleExchange", "PowerDelivery", loop]  # no cable check under power
    progress = [q.ChargeProgress.value for q in station.of(cm.PowerDeliveryReq)]
    assert progress == ["Start", "ScheduleRenegotiation", "Start", "Stop"]


@pytest.mark.parametrize("service", ["AC", "DC_BPT"])
def test_E_LOP_06_service_renegotiation(service: str) -> None:
    station = Station(answers=SAFE, notify={3: "ServiceRenegotiation"})
    session = run(car(service, loops=6), station)
    assert session.ended is not None
    assert session.ended.well
    names = station.names()
    at = names.index("SessionStop")
    assert names[at + 1] == "ServiceDiscovery"  # [V2G20-1477]
    assert names.count("Authorization") == 2  # Ongoing, Finished: not again
    assert [q.ChargingSession.value for q in station.of(cm.SessionStopReq)] == ["ServiceRenegotiation", "Terminate"]


def test_E_LOP_09_a_setpoint_beyond_the_car() -> None:
    station = Station(setpoint=90e3)
    run(car("AC_BPT", "Dynamic"), station)
    powers = [total(q.CLReqControlMode, "EVPresentActivePower") for q in station.of(KINDS["AC_ChargeLoopReq"])]
    assert powers[0] == 0.0
    assert powers[1:] == pytest.approx([11e3] * (len(powers) - 1), abs=3)  # each phase rounds down
    station = Station(setpoint=-90e3)
    visitor = car("AC_BPT", "Dynamic", goal=Goal(minimum_soc=10))
    run(visitor, station)
    powers = [total(q.CLReqControlMode, "EVPresentActivePower") for q in station.of(KINDS["AC_ChargeLoopReq"])]
    assert powers[1:] == pytest.approx([-11e3] * (len(powers) - 1), abs=3)
    assert visitor.ev.discharged > 0


def test_a_car_at_its_reserve_gives_nothing() -> None:
    station = Station(setpoint=-5e3)
    visitor = car("AC_BPT", "Dynamic", goal=Goal(minimum_soc=20))  # arrives with 20 %
    run(visitor, station)
    assert visitor.ev.discharged == 0.0


# --- the end, stopping ---


def asking(visitor: Car, times: int, answer: Answer) -> Answer:
    """The driver asks to leave while the station answers for the n-th time."""
    count = [0]

    def asked(q: Any, s: Station) -> Any:
        count[0] += 1
        if count[0] == times:
            visitor.stop_asked = "the driver asked"
        return answer(q, s)

    return asked


def test_E_END_01_the_driver_stops() -> None:
    visitor = car(loops=None)
    station = Station(answers={**SAFE, "DC_ChargeLoopReq": asking(visitor, 3, loop_dc)})
    session = run(visitor, station)
    assert session.ended is not None
    assert session.ended.well
    assert visitor.loops == 3
    assert station.names()[-5:] == ["DC_ChargeLoop", "PowerDelivery", "DC_WeldingDetection", "DC_WeldingDetection", "SessionStop"]


@pytest.mark.parametrize("state", ["A", "E", "F"])
def test_E_LOP_08_the_control_pilot_ends_the_session_at_once(state: str) -> None:
    station, visitor = Station(answers=SAFE), car(loops=None)
    session = EvccSession(charge_script(), visitor, 0.0)
    now = 0.0
    for _ in going(session):
        if station.loops == 3:
            break
        octets = session.octets_to_send()
        answer = station.hear(octets) if octets else b""
        if answer:
            session.receive(answer, now)
        else:
            session.tick(now := session.deadline() or now)
    session.pilot("C", now)
    assert session.ended is None
    session.pilot(state, now)
    assert f"state {state}" in str(error(session))
    assert session.octets_to_send() == b""
    assert session.deadline() is None


def test_E_CHG_04_the_largest_offer() -> None:
    """Three tuples of 1024 entries both ways, each with 1024 stacks of eight prices: close to a megabyte, decoded, planned, chosen."""
    steps = [(60, 7_000.0 + i % 13) for i in range(1024)]
    rules = tuple(cm.PriceRuleType(EnergyFee=rational(0.1 + i / 100), PowerRangeStart=rational(1_000 * i)) for i in range(8))
    stacks = cm.PriceRuleStackListType(PriceRuleStack=(cm.PriceRuleStackType(Duration=60, PriceRule=rules),) * 1024)
    dear = msgspec.structs.replace(prices(EPOCH, (60, 0.1)), PriceRuleStacks=stacks)
    watts = power_schedule(EPOCH, *steps)
    station = Station(answers=SAFE, tuples=tuple(schedule_tuple(number, watts, dear, watts, dear) for number in (1, 2, 3)))
    visitor = car("DC_BPT", supporting_points=1024, goal=Goal(target_soc=40))
    session = run(visitor, station)
    assert session.ended is not None
    assert session.ended.well, session.ended
    profile = station.of(cm.PowerDeliveryReq)[0].EVPowerProfile
    assert len(profile.EVPowerProfileEntries.EVPowerProfileEntry) <= 1024


# --- octets ---


@pytest.mark.parametrize(
    "octets",
    [
        frame(PayloadType.COMMON, b"\x80\xff\xff\xff"),
        frame(PayloadType.DC, b"\x00"),
        bytes.fromhex("01fe8002fffffff8"),  # E-EXI-02
        bytes.fromhex("01fe800200000000"),
        bytes.fromhex("01fe900000000002") + b"\0\0",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
@pytest.mark.parametrize("name", ["supportedAppProtocolReq", "SessionSetupReq", "DC_ChargeLoopReq"])
def test_E_EXI_02_octets_that_are_no_message(name: str, octets: bytes) -> None:
    ended = error(run(car(), Station(answers={name: lambda q, s: octets})))
    assert isinstance(ended, FramingError | PeerMisbehaved)


@pytest.mark.parametrize("name", ["supportedAppProtocolReq", "SessionSetupReq", "DC_ChargeLoopReq", "SessionStopReq"])
def test_octets_behind_a_response(name: str) -> None:
    """Zeros are put up with and told; anything else ends the session, and the end says what it was."""

    def padded(tail: bytes) -> Answer:
        return lambda q, s: frame(payload_type_of(response_to(type(q))), exi(standard(name)(q, s)) + tail)

    for zeros in (1, 2, 16):
        session = run(car(), Station(answers={name: padded(bytes(zeros))}))
        assert session.ended is not None
        assert session.ended.well, session.ended
        told = {finding for event in session.events() if isinstance(event, FrameReceived) for finding in event.findings}
        assert told
        assert all("0x00 follow" in finding for finding in told)
    for tail in (b"\xff", b"\0\1"):
        ended = error(run(car(), Station(answers={name: padded(tail)})))
        assert isinstance(ended, PeerMisbehaved)
        assert "the end, not all of them 0x00" in str(ended)
        assert response_to(KINDS[name]).__name__ in str(ended)


@pytest.mark.parametrize(
    "name", ["supportedAppProtocolReq", "SessionSetupReq", "ServiceDetailReq", "ScheduleExchangeReq", "DC_ChargeLoopReq"]
)
def test_a_response_longer_than_any_of_its_name_costs_its_header(name: str) -> None:
    kind = payload_type_of(response_to(KINDS[name]))
    most = LIMITS[response_to(KINDS[name])].octets

    def announced(length: int) -> Answer:
        return lambda q, s: bytes((1, 0xFE)) + kind.to_bytes(2, "big") + length.to_bytes(4, "big")

    ended = error(run(car(), Station(answers={name: announced(most + 1)})))
    assert isinstance(ended, FramingError)
    assert f"payload length is {most + 1} octets, must be 1 to {most}" in str(ended)
    assert isinstance(error(run(car(), Station(answers={name: announced(most)}))), TimedOut)  # it waits for the rest


def test_an_answer_nobody_asked_for() -> None:
    station = Station()
    twice = lambda q, s: frame(PayloadType.COMMON, encode(setup(q, s), schema_set("common"))) * 2  # noqa: E731
    station.answers["SessionSetupReq"] = twice
    assert isinstance(error(run(car(), station)), PeerMisbehaved)


WORDS = {name: response_to(KINDS[name]) for name in ASKED}


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(WORDS)), st.integers(0, 2**32), st.integers(0, 2_000))
def test_E_EXI_01_03_a_response_with_flipped_bits(name: str, seed: int, at: int) -> None:
    """Whatever a station says, the session ends with a value."""

    def flipped(q: Any, s: Station) -> bytes:
        good = finished(q, s) if name == "AuthorizationReq" else standard(name)(q, s)
        octets = bytearray(exi(good))
        for n in range(1 + seed % 3):
            place = (at + seed * (n + 1)) % (len(octets) * 8)
            octets[place // 8] ^= 1 << place % 8
        return frame(payload_type_of(type(good)), bytes(octets))

    session = run(car(loops=3), Station(answers={**SAFE, name: flipped}), until=300.0)
    assert session.ended is not None


EXTREMES = [rational(0), *(rational(0).__class__(Exponent=e, Value=v) for e in (-128, 127) for v in (-32768, -1, 1, 32767))]


@pytest.mark.parametrize("value", EXTREMES)
@pytest.mark.parametrize(
    "name", ["DC_ChargeParameterDiscoveryReq", "DC_PreChargeReq", "DC_ChargeLoopReq", "ScheduleExchangeReq", "DC_WeldingDetectionReq"]
)
def test_E_EXI_01_every_number_at_its_extremes(name: str, value: Any) -> None:
    def extreme(message: Any) -> Any:
        if isinstance(message, type(value)):
            return value
        if isinstance(message, tuple):
            return tuple(extreme(part) for part in message)
        if isinstance(message, msgspec.Struct):
            return msgspec.structs.replace(message, **{f: extreme(getattr(message, f)) for f in message.__struct_fields__})
        return message

    session = run(car("DC", loops=3), spoiled(name, extreme), until=300.0)
    assert session.ended is not None


# --- scripts ---


def test_a_script_out_of_sequence_is_our_own_fault() -> None:
    def hasty(c: Car) -> Part[str]:
        yield ask(cm.SessionSetupReq, EVCCID="X")
        return "Terminate"

    assert isinstance(error(run(car(), Station(), hasty)), Misuse)


def test_a_raw_step_is_sent_as_it_is_and_answered_by_whatever_comes() -> None:
    seen = []

    def wild(c: Car) -> Part[str]:
        response = yield Raw(c.stamped(ask(cm.AuthorizationSetupReq), SessionID=b"\x07" * 8))
        seen.append(response)
        yield Raw(b"\x01", answered=False)
        return "done"

    station = Station(answers={"AuthorizationSetupReq": code(Code.FAILED_UnknownSession)})
    session = run(car(), station, wild)
    assert session.ended is not None
    assert session.ended.how == "done"
    assert station.requests[0].Header.SessionID == b"\x07" * 8
    assert seen[0].ResponseCode is Code.FAILED_UnknownSession


def test_a_script_may_flood() -> None:
    def flood(c: Car) -> Part[str]:
        for _ in range(5_000):
            yield Raw(b"\x01", answered=False)
        return "done"

    session = run(car(), Station(), flood)
    assert session.ended is not None
    assert session.ended.how == "done"
    assert len(session.octets_to_send()) == 5_000


def test_a_script_may_catch_what_the_station_does() -> None:
    def patient(c: Car) -> Part[str]:
        try:
            yield Raw(frame(PayloadType.COMMON, b"\x80"), within=0.7)
        except TimedOut:
            return "silence"
        return "answered"

    class Mute(Station):
        def hear(self, octets: bytes) -> bytes:
            return b""

    visitor = car()
    session = run(visitor, Mute(), patient)
    assert session.ended is not None
    assert session.ended.how == "silence"
    assert visitor.now == pytest.approx(0.7)


# --- Plug & Charge ---


def contracted(**wish: Any) -> Car:
    visitor = car(**{"authorizations": ("PnC", "EIM"), **wish})
    visitor.contract = contract()
    return visitor


def test_E_AUT_07_what_the_car_signs() -> None:
    station = Station(authorizations=("EIM", "PnC"), answers=SAFE)
    session = run(contracted(), station)
    assert session.ended is not None
    assert session.ended.well
    asked = station.of(cm.AuthorizationReq)
    mode = asked[0].PnC_AReqAuthorizationMode
    assert mode.GenChallenge == bytes(range(16))
    assert list(octets_of(mode.ContractCertificateChain)) == list(contract().chain)
    verified = verify(asked[0].Header.Signature, [mode], contract().key.public_key(), schema_set("common"))
    assert verified.grammar == "xmldsig"
    assert len(asked) == 2
    assert restamped(asked[0], TimeStamp=0) == restamped(asked[1], TimeStamp=0)  # signature and all [V2G20-1582]


def test_nothing_is_signed_without_a_contract_or_with_EIM() -> None:
    for visitor in (car(authorizations=("PnC", "EIM")), contracted(authorizations=("EIM",))):
        station = Station(authorizations=("EIM", "PnC"), answers=SAFE)
        session = run(visitor, station)
        assert session.ended is not None
        assert session.ended.well
        assert all(request.Header.Signature is None for request in station.requests[1:])


def test_after_a_refused_contract_the_car_tries_the_other_way() -> None:
    refused = lambda q, s: ok(q, s, ResponseCode=Code.WARNING_CertificateExpired, EVSEProcessing=Processing.Finished)  # noqa: E731
    station = Station(authorizations=("EIM", "PnC"), answers={**SAFE, "AuthorizationReq": times(1, refused, finished)})
    visitor = contracted()
    session = run(visitor, station)
    assert session.ended is not None
    assert session.ended.well
    assert visitor.authorization == "EIM"
    assert [q.SelectedAuthorizationService.value for q in station.of(cm.AuthorizationReq)] == ["PnC", "EIM"]


@pytest.mark.parametrize("profile", ["conformance", "interop"])
def test_a_contract_of_the_older_generation_signs_under_interop_only(profile: str) -> None:
    visitor = contracted(authorizations=("PnC",), profile=profile)
    visitor.contract = contract("secp256r1")
    session = run(visitor, Station(authorizations=("PnC",), answers=SAFE))
    assert session.ended is not None
    assert session.ended.well == (profile == "interop")
    relaxed = [event.requirement for event in session.events() if isinstance(event, Relaxed)]
    assert relaxed == (["V2G20-2674"] if profile == "interop" else [])


@pytest.mark.parametrize("slow", [False, True])
def test_E_LOP_07_a_meter_reading_is_signed_beside_the_loop(slow: bool) -> None:
    """On its side stream, with the MeterInfo of the response; a station that is slow to answer it does not slow the loop."""
    station = Station(authorizations=("PnC",), answers=SAFE, notify={3: "MeteringConfirmation"})
    later: list[bytes] = []

    def answer(q: Any, s: Station) -> Any:
        later.append(frame(PayloadType.METERING_CONFIRMATION, encode(ok(q, s), schema_set("common"))))
        return None if slow else later.pop()

    def loop(q: Any, s: Station) -> Any:
        response = loop_dc(q, s)
        if later and s.loops == 9:
            return frame(PayloadType.DC, encode(response, schema_set("dc"))) + later.pop()
        return response

    station.answers |= {"MeteringConfirmationReq": answer, "DC_ChargeLoopReq": loop}
    session = run(contracted(authorizations=("PnC",)), station)
    assert session.ended is not None
    assert session.ended.well, session.ended
    (request,) = station.of(cm.MeteringConfirmationReq)
    assert station.payload_types[station.requests.index(request)] == PayloadType.METERING_CONFIRMATION
    data = request.SignedMeteringData
    assert (data.MeterInfo.ChargedEnergyReadingWh, data.SessionID) == (1003, station.session_id)
    assert data.Scheduled_SMDTControlMode.SelectedScheduleTupleID == 3
    verify(request.Header.Signature, [data], contract().key.public_key(), schema_set("common"))
    gaps = [e.since_previous for e in session.events() if isinstance(e, FrameSent) and isinstance(e.message, dc.DC_ChargeLoopReq)]
    assert max(gap or 0.0 for gap in gaps) <= 0.25


def test_a_confirmation_that_is_never_answered_ends_the_session() -> None:
    station = Station(authorizations=("PnC",), answers={**SAFE, "MeteringConfirmationReq": silence}, notify={3: "MeteringConfirmation"})
    ended = error(run(contracted(authorizations=("PnC",), loops=100), station))
    assert isinstance(ended, TimedOut)
    assert "MeteringConfirmationReq" in str(ended)


# --- signed prices ---


def signed(key: Any = None, spoil: bool = False) -> Answer:
    """A schedule that is dear at once and cheap later, with its prices signed (or spoiled after)."""

    def answer(q: Any, s: Station) -> Any:
        now = int(NOW.timestamp())
        told = msgspec.structs.replace(prices(now, (3600, 0.9), (7200, 0.1)), Id="p1")
        s.tuples = (schedule_tuple(3, power_schedule(now, (3 * 3600, 20e3)), told),)
        response = STANDARD["ScheduleExchangeReq"](q, s)
        signature = sign_prices(response, key or hierarchy()[Role.TARIFF].key)
        if spoil:
            wrong = msgspec.structs.replace(told, Currency="USD")
            s.tuples = (schedule_tuple(3, power_schedule(now, (3 * 3600, 20e3)), wrong),)
            response = STANDARD["ScheduleExchangeReq"](q, s)
        return msgspec.structs.replace(response, Header=msgspec.structs.replace(response.Header, Signature=signature))

    return answer


@pytest.mark.parametrize(
    ("answer", "known", "standing"),
    [
        (signed(), True, "genuine"),
        (signed(spoil=True), True, "wrong"),
        (signed(key=hierarchy()[Role.SECC].key), True, "wrong"),
        (signed(key=hierarchy()[Role.CPS].key), False, "unsigned"),  # nobody to hold it against: the station's word
    ],
)
def test_E_CHG_05_prices_decide_only_if_nothing_is_wrong_with_them(answer: Answer, known: bool, standing: str) -> None:
    visitor = car(goal=Goal(target_soc=40, minimum_soc=10))
    visitor.clock = Clock(NOW.timestamp() + 60)
    tariff = tuple(c.public_bytes(Encoding.DER) for c in hierarchy()[Role.TARIFF].chain)
    visitor.prices = PriceTrust(anchors(), (tariff,) if known else ())
    session = run(visitor, Station(answers={**SAFE, "ScheduleExchangeReq": answer}))
    assert session.ended is not None
    assert session.ended.well, session.ended
    (judged,) = [e.facts for e in session.events() if isinstance(e, Noted) and e.topic == "prices judged"]
    assert judged["standing"] == standing
    assert visitor.known.choice is not None
    waits = visitor.known.choice.at(visitor.known.choice.powers.start + 60) == 0.0
    assert waits == (standing != "wrong")  # who does not believe the prices charges at once
