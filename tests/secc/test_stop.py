"""SessionStop, pause and resume, service renegotiation."""

from typing import Any

import pytest

from secc import station as words
from secc.neutral.contactor import CONTACTOR_LIMIT
from secc.neutral.context import Agreement
from secc.pause import CAPACITY, PausedSession, PausedSessions, binding
from tests.secc.scripted import EPOCH, Scripted, outlet, secure
from v2g.iso20.generation import ISO20
from v2g.messages.common_messages import (
    AuthorizationSetupReq,
    ServiceDiscoveryReq,
    SessionSetupReq,
    SessionStopReq,
    chargingSessionType,
)
from v2g.messages.common_types import responseCodeType as Code


def charged(service: str = "DC", **given: Any) -> Scripted:
    """A car after its power has stopped."""
    changes = given.pop("changes", {})
    car = Scripted(outlet(**changes), given=given)
    car.charging(service)
    car.deliver("Stop")
    return car


# --- pause ---


def paused(service: str = "DC", **changes: Any) -> tuple[PausedSessions, bytes]:
    store = PausedSessions()
    car = charged(service, paused=store, changes=changes)
    assert car.stop("Pause").ResponseCode is Code.OK
    car.octets(b"")
    assert car.session.ended is not None
    assert car.session.ended.how == "Pause"
    assert car.session.ended.well
    return store, car.id


def returned(store: PausedSessions, session_id: bytes, service: str = "DC", leaf: bytes = b"vehicle", **given: Any) -> tuple[Scripted, Any]:
    """A car that comes back with a session id."""
    car = Scripted(given={"paused": store, "tls": secure(leaf), "entropy": lambda n: b"\x99" * n, **given})
    car.sap(service.split("_")[0].lower())
    car.id = session_id
    return car, car.ask(SessionSetupReq, EVCCID="WMIV1234567890ABCDEX")


@pytest.mark.parametrize("service", ["DC", "AC_BPT"])
def test_the_car_that_paused_goes_on_with_its_parameters(service: str) -> None:
    store, session_id = paused(service)
    car, response = returned(store, session_id, service)
    assert response.ResponseCode is Code.OK_OldSessionJoined
    assert response.Header.SessionID == session_id
    assert car.wants(words.SessionStarted)[-1].resumed
    [selected] = car.wants(words.ServiceSelected)  # a backend that has not outlived the pause could offer no schedule
    assert (selected.service, selected.control) == (service, "Scheduled")
    assert car.parameters(service).ResponseCode is Code.OK
    (offered,) = car.scheduled().Scheduled_SEResControlMode.ScheduleTuple
    assert offered.ScheduleTupleID == 1
    assert car.wants(words.AuthorizationWanted) == []
    if service == "DC":
        car.cable_check()
        car.cable_check()
        car.pre_charge("Finished")
    assert car.start().ResponseCode is Code.OK


def test_a_resumed_car_is_not_authorized_again() -> None:
    store, session_id = paused()
    car, _ = returned(store, session_id)
    assert car.ask(AuthorizationSetupReq).ResponseCode is Code.FAILED_SequenceError


def test_a_chosen_schedule_keeps_its_id_over_a_pause() -> None:
    store, session_id = paused()
    car, _ = returned(store, session_id)
    car.auto = False
    car.parameters()
    car.exchange()
    offer = car.offer(car.session.context.service.exchange.needs)
    from dataclasses import replace

    car.tell(words.ScheduleReady(replace(offer, tuples=(replace(offer.tuples[0], id=7),))))
    (offered,) = car.exchange().Scheduled_SEResControlMode.ScheduleTuple
    assert offered.ScheduleTupleID == 1  # [V2G20-1058]


@pytest.mark.parametrize("leaf", [b"another vehicle", b""])
def test_another_car_gets_a_new_session_and_must_authorize(leaf: bytes) -> None:
    store, session_id = paused()
    given = {} if leaf else {"tls": None, "insecure": True}
    car, response = returned(store, session_id, leaf=leaf, **given)
    assert response.ResponseCode is Code.OK_NewSessionEstablished
    assert response.Header.SessionID not in (session_id, bytes(8))
    assert car.ask(AuthorizationSetupReq).ResponseCode is Code.OK
    _, again = returned(store, session_id)
    assert again.ResponseCode is Code.OK_OldSessionJoined  # the one that paused has lost nothing


def test_a_session_is_resumed_once() -> None:
    store, session_id = paused()
    returned(store, session_id)
    assert returned(store, session_id)[1].ResponseCode is Code.OK_NewSessionEstablished


def test_a_pause_does_not_last_for_ever() -> None:
    store, session_id = paused(pause_limit=60.0)
    car = Scripted(given={"paused": store}, epoch=EPOCH + 120)
    car.sap()
    car.id = session_id
    assert car.ask(SessionSetupReq, EVCCID="X").ResponseCode is Code.OK_NewSessionEstablished


@pytest.mark.parametrize(
    ("changes", "joined"),
    [
        ({}, True),
        ({"evse_id": "DE*V2G*E2"}, False),  # authorized and metered at another outlet
        ({"services": ("DC", "AC")}, False),  # its service is gone
        ({"controls": ("Dynamic", "Scheduled")}, False),  # its parameter set has another meaning now
        ({"controls": ("Dynamic",)}, False),
        ({"services": ("AC", "DC_BPT"), "pause": False}, True),
    ],
)
def test_a_session_is_joined_only_where_its_selection_is_still_offered(changes: dict[str, Any], joined: bool) -> None:
    store, session_id = paused("DC_BPT")
    car = Scripted(outlet(**changes), given={"paused": store, "entropy": lambda n: b"\x99" * n})
    car.sap()
    car.id = session_id
    expected = Code.OK_OldSessionJoined if joined else Code.OK_NewSessionEstablished
    assert car.ask(SessionSetupReq, EVCCID="X").ResponseCode is expected
    assert len(store) == (not joined)  # where it is offered it may still be joined
    assert car.ask(AuthorizationSetupReq).ResponseCode is (Code.FAILED_SequenceError if joined else Code.OK)


@pytest.mark.parametrize("fact", [words.OutletTaken(True), words.OutOfService("the contactor does not open"), words.StopAsked("closing")])
def test_an_attempt_that_is_refused_costs_no_pause(fact: words.Fact) -> None:
    store, session_id = paused()
    car = Scripted(given={"paused": store})
    car.sap()
    car.tell(fact)
    car.id = session_id
    assert car.ask(SessionSetupReq, EVCCID="X").ResponseCode is Code.FAILED
    assert returned(store, session_id)[1].ResponseCode is Code.OK_OldSessionJoined


def test_a_terminated_session_is_over() -> None:
    store = PausedSessions()
    car = charged(paused=store)
    car.stop("Terminate")
    assert returned(store, car.id)[1].ResponseCode is Code.OK_NewSessionEstablished


def test_a_session_paused_under_the_other_protocol_is_not_joined() -> None:
    store, session_id = paused("DC")
    assert returned(store, session_id, "AC")[1].ResponseCode is Code.OK_NewSessionEstablished


@pytest.mark.parametrize("pause", [True, False])
def test_a_pause_needs_an_outlet_that_pauses_and_something_to_come_back_to(pause: bool) -> None:
    car = Scripted(outlet(pause=pause))
    if pause:
        car.setup()
    else:
        car.charging()
        car.deliver("Stop")
    assert car.stop("Pause").ResponseCode is Code.FAILED_PauseNotAllowed
    assert car.session.ended is not None


def test_without_a_certificate_a_pause_is_granted_and_cannot_be_resumed() -> None:
    store = PausedSessions()
    car = charged(paused=store, tls=None, insecure=True)
    assert car.stop("Pause").ResponseCode is Code.OK
    assert len(store) == 0


def test_the_binding_is_of_the_id_and_the_certificate() -> None:
    assert len({binding(i, c) for i in (b"1" * 8, b"2" * 8) for c in (b"a", b"b")}) == 4


def test_a_pause_is_given_back_in_its_own_generation_alone() -> None:
    store = PausedSessions([PausedSession(b"1" * 8, binding(b"1" * 8, b"car"), "another", Agreement(), EPOCH)])
    assert store.look(b"1" * 8, b"car", ISO20.name, 0.0) is None
    assert store.look(b"1" * 8, b"car", "another", 0.0) is not None


def test_paused_sessions_are_bounded() -> None:
    store = PausedSessions()
    for number in range(2 * CAPACITY):
        session_id = number.to_bytes(8, "big")
        store.keep(PausedSession(session_id, binding(session_id, b"car"), ISO20.name, Agreement(), EPOCH))
    assert len(store) == CAPACITY
    assert store.look((0).to_bytes(8, "big"), b"car", ISO20.name, 0.0) is None
    assert store.look((2 * CAPACITY - 1).to_bytes(8, "big"), b"car", ISO20.name, 0.0) is not None


# --- service renegotiation ---


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_services_are_renegotiated_on_the_same_connection_without_another_authorization(service: str) -> None:
    car = charged(service)
    asked = len(car.wants(words.AuthorizationWanted))
    assert car.stop("ServiceRenegotiation").ResponseCode is Code.OK
    assert car.session.ended is None
    other = f"{service}_BPT"
    assert car.select(other).ResponseCode is Code.OK
    car.parameters(other)
    car.scheduled()
    if service == "DC":
        car.cable_check()
        car.cable_check()
        car.pre_charge("Finished")
    assert car.start().ResponseCode is Code.OK
    assert car.loop(other).ResponseCode is Code.OK
    assert len(car.wants(words.AuthorizationWanted)) == asked
    assert len(car.wants(words.OpenContactor)) == 1
    assert len(car.wants(words.CloseContactor)) == 2


def test_a_renegotiation_measures_the_isolation_again() -> None:
    car = charged("DC")
    car.stop("ServiceRenegotiation")
    car.select("DC")
    car.parameters("DC")
    car.scheduled()
    car.cable_check()
    assert len(car.wants(words.CheckIsolation)) == 2


def test_an_old_selection_does_not_survive_a_renegotiation() -> None:
    car = charged("DC")
    car.stop("ServiceRenegotiation")
    car.ask(ServiceDiscoveryReq)
    assert car.session.context.agreement.selection is None
    assert car.session.context.service.sets == frozenset()


def test_a_renegotiation_that_is_not_supported_ends_the_session() -> None:
    car = charged(changes={"service_renegotiation": False})
    assert car.stop("ServiceRenegotiation").ResponseCode is Code.FAILED_NoServiceRenegotiationSupported
    assert car.session.ended is not None


def test_there_is_nothing_to_renegotiate_before_authorization() -> None:
    car = Scripted()
    car.setup()
    assert car.stop("ServiceRenegotiation").ResponseCode is Code.FAILED_NoServiceRenegotiationSupported


# --- setup and end ---


def test_a_new_session_has_an_id_of_its_own() -> None:
    drawn = iter([bytes(8), b"random-8"])
    car = Scripted(given={"entropy": lambda n: next(drawn)})
    assert car.setup().Header.SessionID == b"random-8"  # eight zeros mean no session [V2G20-2106]


@pytest.mark.parametrize("evccid", ["", "x", "x" * 255])
def test_any_evccid_is_a_name(evccid: str) -> None:
    car = Scripted()
    car.sap()
    assert car.ask(SessionSetupReq, EVCCID=evccid).ResponseCode is Code.OK_NewSessionEstablished
    assert car.wants(words.SessionStarted)[-1].evccid == evccid


def test_a_taken_outlet_refuses_a_second_session() -> None:
    car = Scripted()
    car.sap()
    car.tell(words.OutletTaken(True))
    assert car.ask(SessionSetupReq, EVCCID="X").ResponseCode is Code.FAILED
    assert car.session.ended is not None


def test_after_a_failed_answer_nothing_more_is_said() -> None:
    car = charged()
    car.stop("ServiceRenegotiation")
    car.ask(ServiceDiscoveryReq)
    car.id = b"stranger"
    car.ask(ServiceDiscoveryReq)
    car.send(ServiceDiscoveryReq(Header=car.header()))
    assert car.answers() == []
    assert car.session.deadline() is None


def test_stop_in_the_loop_makes_the_outlet_safe_first() -> None:
    car = Scripted()
    car.charging("AC")
    car.auto = False
    car.send(SessionStopReq(Header=car.header(), ChargingSession=chargingSessionType.Terminate))
    assert car.answers() == []
    assert len(car.wants(words.OpenContactor)) == 1
    car.tell(words.ContactorIs(False))
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.OK
    assert len(car.wants(words.OpenContactor)) == len(car.wants(words.PowerStopped)) == 1


@pytest.mark.parametrize("how", list(chargingSessionType))
def test_no_way_out_of_the_loop_is_answered_over_a_closed_contactor(how: chargingSessionType) -> None:
    car = Scripted(outlet(service_renegotiation=True))
    car.charging("AC")
    car.auto = False
    car.send(SessionStopReq(Header=car.header(), ChargingSession=how))
    assert car.answers() == []
    car.wait(CONTACTOR_LIMIT + 0.1)
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.FAILED_ContactorError
    assert car.session.ended is not None


def test_after_a_renegotiation_of_the_service_the_contactor_is_closed_anew() -> None:
    car = Scripted()
    car.charging("AC")
    car.stop("ServiceRenegotiation")
    car.select("AC")
    car.parameters("AC")
    car.scheduled()
    closed = len(car.wants(words.CloseContactor))
    assert car.start().ResponseCode is Code.OK
    assert len(car.wants(words.CloseContactor)) == closed + 1
    assert car.session.context.station.contactor is True


def test_octets_after_the_stop_are_ignored() -> None:
    car = charged()
    car.stop()
    car.send(ServiceDiscoveryReq(Header=car.header()))
    assert car.answers() == []
