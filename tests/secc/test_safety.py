"""Whatever the car sends: a stop is kept, a lost pilot takes the power away, and nothing under power lasts for ever."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count, permutations
from pathlib import Path
from typing import Any

import pytest

from secc import intent as intent_module
from secc import station as words
from secc.intent import PRIORITY, Intent, Notice, Wish
from secc.iso20.notices import NOTIFICATIONS
from secc.iso20.phases import AFTER_POWER, LOOPLESS, PRE_CHARGE_LIMIT
from secc.neutral.supervision import FAULT_ANSWER, NOTICE_GRACE
from tests.secc.scripted import Scripted, outlet, r
from tests.secc.test_order import reach
from v2g.iso20.sequence import State
from v2g.messages.common_messages import chargeProgressType
from v2g.messages.common_types import evseNotificationType as Ask
from v2g.messages.common_types import processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import Noted
from v2g.session.errors import Refused, StationFailed

S = State
UNDER_POWER = (S.AC_LOOP, S.DC_LOOP, S.DC_RENEGOTIATION, S.DC_RESTART)
LIVE = (*UNDER_POWER, S.DC_PRE_CHARGE, S.DC_START, S.DC_WELDING)


def charging(service: str = "DC", **given: Any) -> Scripted:
    car = Scripted(outlet(**given))
    car.charging(service)
    return car


def closed(car: Scripted) -> bool:
    """Whether the hardware has been left with a contactor that may be closed."""
    told = [type(event) for event in car.happened if isinstance(event, words.CloseContactor | words.CheckIsolation | words.OpenContactor)]
    return bool(told) and told[-1] is not words.OpenContactor


def opened(car: Scripted) -> int:
    return len(car.wants(words.OpenContactor))


# --- what the station asks, as one value ---


def test_the_most_urgent_wish_is_shown_and_none_is_lost_to_another() -> None:
    for order in permutations(PRIORITY):
        intent = Intent()
        for number, kind in enumerate(order, 1):
            intent = intent.ask(Notice(kind, since=float(number)))
            assert intent.notice is not None
            assert intent.notice.wish is min(order[:number], key=PRIORITY.index)
        assert [notice.wish for notice in intent.asked] == list(PRIORITY)


def test_wishes_are_words_of_no_generation_and_each_has_a_notification_in_this_one() -> None:
    assert PRIORITY == (Wish.STOP, Wish.PAUSE, Wish.POWER, Wish.SERVICE, Wish.SCHEDULE, Wish.METERING)
    assert set(NOTIFICATIONS) == set(Wish)
    assert len(set(NOTIFICATIONS.values())) == len(Wish)
    assert "v2g" not in Path(intent_module.__file__).read_text()


@pytest.mark.parametrize("fact", [words.StopAsked("button"), words.PauseAsked()], ids=["stop", "pause"])
@pytest.mark.parametrize("service", ["AC", "DC"])
@pytest.mark.parametrize("then", ["loops", "renegotiates", "is busy"])
def test_a_stop_and_a_pause_are_enforced_by_time_whatever_a_car_under_power_does(then: str, service: str, fact: words.Fact) -> None:
    car = charging(service)
    car.tell(fact)
    limit = NOTICE_GRACE + (60.0 if isinstance(fact, words.PauseAsked) else 0.0)
    asked, pauses, number = car.now, isinstance(fact, words.PauseAsked), count(1)  # needs that are others each time
    if then != "loops":
        car.deliver("ScheduleRenegotiation")  # a stop declines it, and the loop goes on
    if then == "is busy" and pauses:
        car.scheduled()
    while car.session.context.session.fault is None and car.session.ended is None:
        assert car.now - asked <= limit + 1, "the station's wish is not enforced"
        if then == "loops" or not pauses:
            car.loop(service)
        elif then == "renegotiates":
            car.exchange(EVTargetEnergyRequest=r(10_000 + 10_000 * (next(number) % 2)))
        else:
            car.deliver("Start", EVProcessing=processingType.Ongoing)
        car.wait(0.3)
    assert car.now - asked >= min(limit, LOOPLESS) - 1
    assert not closed(car)


def test_a_wish_that_is_repeated_keeps_its_time() -> None:
    intent = Intent().ask(Notice(Wish.PAUSE, 1.0, 60.0)).ask(Notice(Wish.PAUSE, 50.0, 60.0))
    assert [notice.since for notice in intent.asked] == [1.0]


def test_a_stop_is_never_taken_back() -> None:
    intent = Intent().ask(Notice(Wish.STOP, 0.0, reason="button")).ask(Notice(Wish.PAUSE, 0.0))
    assert [n.wish for n in intent.without(*PRIORITY).asked] == [Wish.STOP]
    assert intent.without(*PRIORITY).stopping == "button"


def test_wishes_of_several_kinds_come_back_when_the_more_urgent_is_done() -> None:
    car = charging("DC")
    car.session.context = car.session.context.with_session(agreement=replace(car.session.context.agreement, contract=b"DER"))
    car.tell(words.MeteringConfirmationAsked(), words.RenegotiationAsked("Schedule"))
    assert car.loop().EVSEStatus.EVSENotification is Ask.ScheduleRenegotiation
    car.deliver("ScheduleRenegotiation")
    car.scheduled()
    assert car.start().EVSEStatus.EVSENotification is Ask.MeteringConfirmation
    assert car.loop().EVSEStatus.EVSENotification is Ask.MeteringConfirmation


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_pause_survives_a_renegotiation_with_its_own_time(service: str) -> None:
    car = charging(service)
    car.tell(words.PauseAsked())
    for _ in range(20):
        car.wait(0.4)
        car.loop(service)
    car.deliver("ScheduleRenegotiation")
    car.scheduled()
    status = car.start().EVSEStatus
    assert (status.EVSENotification, status.NotificationMaxDelay) == (Ask.Pause, 52)


# --- a stop can neither be forgotten nor undone ---


def told_to_stop(service: str) -> Scripted:
    car = charging(service)
    car.tell(words.StopAsked("button"))
    assert car.loop(service).EVSEStatus.EVSENotification is Ask.Terminate
    return car


def loops(car: Scripted, service: str) -> None:
    car.loop(service)


def renegotiates(car: Scripted, service: str) -> None:
    answer = car.deliver("ScheduleRenegotiation")
    assert answer.ResponseCode is Code.WARNING_ScheduleRenegotiationFailed
    assert answer.EVSEStatus.EVSENotification is Ask.Terminate


def starts(car: Scripted, service: str) -> None:
    answer = car.start()
    assert answer.ResponseCode is Code.WARNING_ScheduleRenegotiationFailed
    assert answer.EVSEStatus.EVSENotification is Ask.Terminate


def stands_by(car: Scripted, service: str) -> None:
    assert car.deliver("Standby").EVSEStatus.EVSENotification is Ask.Terminate


def is_busy(car: Scripted, service: str) -> None:
    car.deliver("Start", EVProcessing=processingType.Ongoing)


def asks_again(car: Scripted, service: str) -> None:
    """The station asks for other things in the meantime."""
    car.tell(words.StopAsked("again"), words.PauseAsked(), words.RenegotiationAsked("Schedule"), words.RenegotiationAsked("Service"))
    car.loop(service)


@pytest.mark.parametrize("does", [loops, renegotiates, starts, stands_by, is_busy, asks_again])
@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_stop_stands_and_is_enforced_whatever_the_car_does(service: str, does: Callable[[Scripted, str], None]) -> None:
    car = told_to_stop(service)
    began = car.now
    while car.session.context.session.fault is None and car.session.ended is None:
        assert car.now < began + NOTICE_GRACE, "the stop is not enforced"
        does(car, service)
        car.wait(0.4)
    assert car.now <= began + NOTICE_GRACE + 0.4
    assert not closed(car)
    answer = car.loop(service)
    assert answer.ResponseCode is Code.FAILED
    assert answer.EVSEStatus.EVSENotification is Ask.Terminate
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, Refused)
    assert opened(car) == len(car.wants(words.PowerStopped)) == 1


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_stop_that_meets_a_renegotiation_on_its_way_is_told_and_obeyed_in_order(service: str) -> None:
    car = charging(service)
    car.deliver("ScheduleRenegotiation")
    car.tell(words.StopAsked("button"))
    car.scheduled()
    answer = car.start()
    assert answer.ResponseCode is Code.WARNING_ScheduleRenegotiationFailed
    assert answer.EVSEStatus.EVSENotification is Ask.Terminate
    assert car.deliver("Stop").ResponseCode is Code.OK
    assert car.stop().ResponseCode is Code.OK
    car.octets(b"")
    assert car.session.ended is not None
    assert car.session.ended.well
    assert not closed(car)


@pytest.mark.parametrize("when", ["in the loop", "after the power"])
@pytest.mark.parametrize(("way", "code"), [("ServiceRenegotiation", Code.FAILED), ("Pause", Code.FAILED_PauseNotAllowed)])
@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_stop_is_not_undone_by_another_service_or_a_pause(service: str, way: str, code: Code, when: str) -> None:
    from secc.pause import PausedSessions

    kept = PausedSessions()
    car = Scripted(given={"paused": kept})
    car.charging(service)
    if when == "in the loop":
        car.tell(words.StopAsked("button"))
        car.loop(service)
    car.deliver("Stop")
    car.tell(words.StopAsked("button"))
    assert car.stop(way).ResponseCode is code
    assert car.session.ended is not None
    assert "button" in str(car.session.ended.error)
    assert not closed(car)
    assert len(kept) == 0


@pytest.mark.parametrize("state", [s for s in State if s not in AFTER_POWER], ids=lambda s: s.value)
def test_a_stop_ends_the_session_of_a_silent_car_in_every_state(state: State) -> None:
    car = reach(state)
    car.tell(words.StopAsked("button"))
    car.wait(NOTICE_GRACE + FAULT_ANSWER + 0.1)
    assert car.session.ended is not None
    assert not closed(car)


# --- power without loops ---


@pytest.mark.parametrize("does", ["is busy", "asks for schedules", "starts anew", "stands by"])
@pytest.mark.parametrize("service", ["AC", "DC"])
def test_power_without_a_loop_does_not_last(service: str, does: str) -> None:
    car = charging(service)
    if does in ("asks for schedules", "is busy"):
        car.deliver("ScheduleRenegotiation")
    if does == "is busy":
        car.scheduled()
    began, number = car.now, 0
    while car.session.context.session.fault is None:
        assert car.now - began <= LOOPLESS
        number += 1
        match does:
            case "is busy":
                car.deliver("Start", EVProcessing=processingType.Ongoing)
            case "asks for schedules":
                car.exchange(EVTargetEnergyRequest=r(1000 * number))
            case "starts anew":
                car.deliver("Start", EVPowerProfile=car.profile(power=0))
            case "stands by":
                car.deliver("Standby")
        car.wait(1)
    assert car.now - began <= LOOPLESS + 1
    assert not closed(car)
    assert car.session.context.delivering is False
    car.send(car.power("Stop"))
    (answer,) = car.answers()
    assert answer.ResponseCode is (Code.FAILED_ScheduleRenegotiation if does in ("is busy", "asks for schedules") else Code.FAILED)


@pytest.mark.parametrize(
    ("state", "poll", "limit"),
    [
        (S.DC_PRE_CHARGE, lambda car: car.pre_charge(), PRE_CHARGE_LIMIT),
        (S.DC_START, lambda car: car.pre_charge(), 60.0),
        (S.DC_START, lambda car: car.deliver("Start", EVProcessing=processingType.Ongoing), 60.0),
        (S.AC_START, lambda car: car.deliver("Start", EVProcessing=processingType.Ongoing), 60.0),
        (S.DC_CABLE_CHECK, lambda car: car.deliver("Standby"), 60.0),
        (S.DC_WELDING, lambda car: car.welding(), 60.0),
        (S.AC_DER_SETTLING, lambda car: car.parameters("AC_DER_IEC"), 60.0),  # a car that never has taken the grid's codes over
    ],
)
def test_no_step_is_polled_for_ever(state: State, poll: Callable[[Scripted], Any], limit: float) -> None:
    car = reach(state)
    poll(car)
    began = car.now
    while car.session.context.session.fault is None:
        assert car.now - began < limit
        assert poll(car).ResponseCode.value.startswith(("OK", "WARNING"))
        car.wait(1)
    assert car.now - began == pytest.approx(limit, abs=1.1)
    assert not closed(car)
    assert poll(car).ResponseCode is Code.FAILED
    assert car.session.ended is not None
    assert f"did not finish {state.value} within {limit:g} s" in car.session.ended.reason


# --- the control pilot ---


@pytest.mark.parametrize("pilot", ["A", "E", "F"])
@pytest.mark.parametrize("state", LIVE, ids=lambda s: s.value)
def test_a_lost_pilot_takes_the_power_away_at_once(state: State, pilot: Any) -> None:
    car = reach(state)
    before = opened(car)
    started = bool(car.wants(words.PowerStarted))
    car.tell(words.PilotIs(pilot))
    assert opened(car) == before + 1
    assert not closed(car)
    assert len(car.wants(words.PowerStopped)) == started
    assert car.wants(Noted)[-1].topic == "fault"
    answer = car.stop()
    assert answer.ResponseCode is Code.FAILED
    assert car.session.ended is not None
    assert f"state {pilot}" in str(car.session.ended.error)


@pytest.mark.parametrize("state", LIVE, ids=lambda s: s.value)
def test_a_lost_pilot_ends_the_session_of_a_car_that_is_not_heard_of_again(state: State) -> None:
    car = reach(state)
    before = opened(car)
    car.tell(words.PilotIs("A"))
    car.wait(FAULT_ANSWER)
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, Refused)
    assert opened(car) == before + 1


def test_the_loop_says_terminate_when_it_refuses_for_a_fault() -> None:
    car = charging("DC")
    car.tell(words.PilotIs("F"))
    answer = car.loop()
    assert answer.ResponseCode is Code.FAILED
    assert (answer.EVSEStatus.EVSENotification, answer.EVSEStatus.NotificationMaxDelay) == (Ask.Terminate, 0)


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_pilot_b_under_power_switches_off_and_the_car_may_stop_in_order(service: str) -> None:
    car = charging(service)
    car.tell(words.PilotIs("B"))
    if service == "AC":
        assert not closed(car)
    else:
        last = car.wants(words.SetOutput)[-1]
        assert (last.voltage, last.current) == (0, 0)
    assert car.deliver("Stop").ResponseCode is Code.OK
    assert len(car.wants(words.PowerStopped)) == 1
    if service == "DC":
        assert car.welding().ResponseCode is Code.OK
    assert car.stop().ResponseCode is Code.OK
    car.octets(b"")
    assert car.session.ended is not None
    assert car.session.ended.well
    assert not closed(car)


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("service", ["AC", "DC"])
def test_pilot_b_under_power_ends_the_session_of_a_car_that_goes_on(service: str, goes_on: bool) -> None:
    car = charging(service)
    car.tell(words.PilotIs("B"))
    if goes_on:
        assert car.loop(service).ResponseCode is Code.FAILED
    else:
        car.wait(0.5)
    assert car.session.ended is not None
    assert not car.session.ended.well
    assert not closed(car)
    assert len(car.wants(words.PowerStopped)) == 1


def test_a_worse_fault_after_pilot_b_opens_at_once() -> None:
    car = charging("DC")
    car.tell(words.PilotIs("B"))
    assert opened(car) == 0
    car.tell(words.PilotIs("A"))
    assert opened(car) == 1
    assert car.deliver("Stop").ResponseCode is Code.FAILED


@pytest.mark.parametrize("pilot", ["A", "E", "F"])
def test_ac_power_does_not_start_without_a_car(pilot: Any) -> None:
    car = Scripted()
    car.ready("AC")
    car.tell(words.PilotIs(pilot))
    assert car.start().ResponseCode is Code.FAILED
    assert car.wants(words.CloseContactor) == []


@pytest.mark.parametrize("comes", ["C", "D", None])
def test_ac_start_waits_for_a_car_that_asks_for_energy(comes: Any) -> None:
    car = Scripted()
    car.ready("AC")
    car.tell(words.PilotIs("B"))
    car.send(car.power("Start", EVPowerProfile=car.profile()))
    car.wait(1.0)
    assert car.answers() == []
    assert car.wants(words.CloseContactor) == []
    if comes is not None:
        car.tell(words.PilotIs(comes))
    else:
        car.wait(0.5)
    (answer,) = car.answers()
    assert answer.ResponseCode is (Code.OK if comes else Code.FAILED_PowerDeliveryNotApplied)
    assert len(car.wants(words.CloseContactor)) == len(car.wants(words.PowerStarted)) == (comes is not None)


@pytest.mark.parametrize("pilot", ["A", "B", "E", "F"])
@pytest.mark.parametrize("step", ["cable check", "pre-charge", "start"])
def test_dc_steps_refuse_a_car_that_asks_for_no_energy(step: str, pilot: Any) -> None:
    state = {"cable check": S.DC_CABLE_CHECK, "pre-charge": S.DC_PRE_CHARGE, "start": S.DC_START}[step]
    car = reach(state)
    car.tell(words.PilotIs(pilot))
    does: dict[str, Callable[[], Any]] = {"cable check": car.cable_check, "pre-charge": car.pre_charge, "start": car.start}
    assert does[step]().ResponseCode is Code.FAILED
    assert car.session.ended is not None
    assert car.wants(words.PowerStarted) == []
    assert not closed(car)


# --- the hardware's own word ---


FAULTS: list[tuple[words.Fact, Code]] = [
    (words.EmergencyStop("red button"), Code.FAILED),
    (words.IsolationMeasured(False), Code.FAILED),
    (words.ConnectorLock(False), Code.FAILED),
    (words.ContactorIs(False), Code.FAILED_ContactorError),
]


@pytest.mark.parametrize(("fact", "code"), FAULTS)
@pytest.mark.parametrize("state", UNDER_POWER, ids=lambda s: s.value)
def test_what_the_hardware_finds_under_power_ends_it_at_once(state: State, fact: words.Fact, code: Code) -> None:
    car = reach(state)
    car.tell(fact)
    assert not closed(car)
    assert len(car.wants(words.PowerStopped)) == 1
    assert car.stop().ResponseCode is code
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, StationFailed)
    assert car.session.ended.how == "failed"


@pytest.mark.parametrize("state", [s for s in State if s is not S.ENDED], ids=lambda s: s.value)
def test_an_emergency_stop_ends_a_session_in_every_state(state: State) -> None:
    car = reach(state)
    car.tell(words.EmergencyStop("red button"))
    assert not closed(car)
    car.wait(FAULT_ANSWER)
    assert car.session.ended is not None
    assert "red button" in str(car.session.ended.error)


def test_an_emergency_stop_answers_a_car_that_waits() -> None:
    car = reach(S.AC_START)
    car.auto = False
    car.send(car.power("Start", EVPowerProfile=car.profile()))
    car.tell(words.EmergencyStop("red button"))
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.FAILED
    assert answer.EVSEStatus.EVSENotification is Ask.Terminate
    assert opened(car) == 1


@pytest.mark.parametrize("progress", [*chargeProgressType])
def test_after_an_emergency_stop_nothing_is_granted(progress: chargeProgressType) -> None:
    car = charging("DC")
    car.tell(words.EmergencyStop("red button"))
    assert car.deliver(progress.name).ResponseCode is Code.FAILED


@pytest.mark.parametrize("way", ["Terminate", "Pause", "ServiceRenegotiation"])
@pytest.mark.parametrize("told", [words.ContactorIs(True), None])
@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_contactor_that_does_not_open_is_the_stations_failure(service: str, told: words.Fact | None, way: str) -> None:
    car = charging(service)
    if service == "DC":
        car.deliver("Stop")
    car.auto = False
    from v2g.messages.common_messages import SessionStopReq, chargingSessionType

    car.send(SessionStopReq(Header=car.header(), ChargingSession=chargingSessionType[way]))
    assert car.answers() == []
    if told is not None:
        car.tell(told)
    else:
        car.wait(1.5)
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.FAILED_ContactorError
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, StationFailed)


def test_a_contactor_seen_closed_after_the_end_is_no_good_end() -> None:
    car = charging("AC")
    car.deliver("Stop")
    car.stop()
    car.tell(words.ContactorIs(True))
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, StationFailed)


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_the_connector_is_locked_before_the_outlet_is_live(service: str) -> None:
    car = charging(service)
    kinds = [type(event).__name__ for event in car.happened]
    assert kinds.index("LockConnector") < kinds.index("CloseContactor" if service == "AC" else "CheckIsolation")


def test_an_isolation_test_after_a_renegotiation_leaves_no_closed_contactor_behind() -> None:
    car = charging("DC")
    car.deliver("Stop")
    car.stop("ServiceRenegotiation")
    car.select("DC")
    car.parameters("DC")
    car.scheduled()
    car.auto = False
    car.cable_check()
    car.octets(b"")
    assert not closed(car)


# --- pre-charge and start ---


def test_start_waits_for_the_output_and_is_refused_where_it_does_not_come() -> None:
    for comes in (True, False):
        car = reach(S.DC_START)
        car.tell(words.OutputMeasured(150.0, 0.0))
        car.send(car.power("Start", EVPowerProfile=car.profile()))
        assert car.answers() == []
        assert car.wants(words.CloseContactor) == []
        car.wait(1.0)
        car.tell(words.OutputMeasured(399.0 if comes else 370.0, 0.0))
        car.wait(0.5)
        (answer,) = car.answers()
        assert answer.ResponseCode is (Code.OK if comes else Code.FAILED_PowerDeliveryNotApplied)
        assert len(car.wants(words.PowerStarted)) == comes
        assert closed(car) == comes


def test_a_car_that_is_busy_starts_no_power_even_with_a_profile() -> None:
    for state in (S.AC_START, S.DC_START):
        car = reach(state)
        answer = car.deliver("Start", EVProcessing=processingType.Ongoing, EVPowerProfile=car.profile())
        assert answer.ResponseCode is Code.OK
        assert car.session.context.state is state
        assert car.wants(words.CloseContactor) == car.wants(words.PowerStarted) == []


@pytest.mark.parametrize("service", ["DC", "MCS", "DC_ACDP"])
def test_a_contactor_that_the_isolation_test_closed_may_not_open_under_power_either(service: str) -> None:
    """Hardware that tests behind its closed contactor, and reports that: it is never told to close."""
    car = Scripted()
    car.authorized(service)
    car.select(service)
    car.parameters(service)
    car.scheduled()
    car.cable_check()
    car.tell(words.ContactorIs(True))
    car.isolated()
    car.pre_charge()
    car.pre_charge("Finished")
    car.start()
    car.loop(service)
    assert not car.wants(words.CloseContactor)
    car.tell(words.ContactorIs(False))
    assert not closed(car)
    assert len(car.wants(words.PowerStopped)) == 1
    assert car.loop(service).ResponseCode is not Code.OK
    assert car.session.ended is not None
    assert "opened under power" in car.session.ended.reason


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_stop_while_the_contactor_opens_for_a_standby_leaves_no_power_behind_it(service: str) -> None:
    car = charging(service, standby="open")
    car.auto = False
    car.send(car.power("Standby"))
    assert car.answers() == []  # it waits for the contactor
    car.tell(words.StopAsked("button"))
    car.tell(words.ContactorIs(False))
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.OK
    assert answer.EVSEStatus.EVSENotification is Ask.Terminate
    assert not car.session.context.delivering
    assert len(car.wants(words.PowerStopped)) == 1


def test_a_stop_while_the_contactor_closes_after_a_standby_opens_it_again() -> None:
    car = charging("AC", standby="open")
    car.deliver("Standby")
    car.auto = False
    car.send(car.power("Start", EVPowerProfile=car.profile()))
    assert not car.answers()
    assert closed(car)
    car.tell(words.StopAsked("button"))
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.WARNING_ScheduleRenegotiationFailed
    assert not closed(car)
    assert not car.wants(words.PowerStarted)[1:]
