"""Standby: what the outlet does meanwhile, what may flow, how long it lasts, and the ways out of it."""

from typing import Any

import pytest

from secc import station as words
from secc.neutral.supervision import NOTICE_GRACE
from tests.secc.scripted import EPOCH, Scripted, outlet, r
from v2g.messages.common_messages import ScheduleExchangeRes
from v2g.messages.common_types import evseNotificationType as Notification
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.errors import Refused, SequenceError, StationFailed, TimedOut
from v2g.session.v2gtp import PayloadType

SERVICES = ("AC", "DC_BPT")
POLICIES = ("closed", "open")
CONTROLS = ("Scheduled", "Dynamic")


def standing(service: str, policy: str = "closed", control: str = "Scheduled", **changes: Any) -> Scripted:
    car = Scripted(outlet(standby=policy, **changes))
    car.charging(service, control)
    car.happened.clear()
    assert car.deliver("Standby").ResponseCode is Code.OK
    return car


def looped(car: Scripted, seconds: float, service: str, control: str = "Scheduled", **changes: Any) -> Any:
    response: Any = None
    for _ in range(max(1, round(seconds / 0.4))):
        car.wait(0.4)
        response = car.loop(service, control, **changes)
    return response


def closed(car: Scripted) -> bool:
    return car.session.context.energised


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("service", SERVICES)
def test_the_contactor_is_as_the_outlet_has_it_and_power_is_over(service: str, policy: str, control: str) -> None:
    car = standing(service, policy, control)
    assert closed(car) is (policy == "closed")
    assert len(car.wants(words.OpenContactor)) == (policy == "open")
    assert len(car.wants(words.PowerStopped)) == len(car.wants(words.StoodBy)) == 1
    response = looped(car, 2.0, service, control)
    assert (response.ResponseCode, response.EVSEStatus) == (Code.OK, None)
    assert closed(car) is (policy == "closed")
    assert car.deliver("Standby").ResponseCode is Code.OK  # again: it does already
    assert len(car.wants(words.StoodBy)) == 1


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_flows_whatever_the_car_asks_for_and_whatever_the_setpoint_is(policy: str, control: str) -> None:
    car = standing("DC_BPT", policy, control)
    car.tell(words.SetpointChanged(20_000.0))
    wish = {"EVTargetCurrent": r(50), "EVTargetVoltage": r(420)} if control == "Scheduled" else {}
    looped(car, 2.0, "DC_BPT", control, **wish)
    wanted = car.wants(words.SetOutput)
    assert wanted
    assert all(want.current == 0.0 and want.power == 0.0 for want in wanted)
    assert policy == "closed" or all(want.voltage == 0.0 for want in wanted)
    car = standing("AC", policy, control)
    car.tell(words.SetpointChanged(9_000.0))
    response = looped(car, 2.0, "AC", control)
    assert response.CLResControlMode.EVSETargetActivePower == r(0)
    assert [want.power for want in car.wants(words.SetPower)] == [0.0]


def test_a_car_that_takes_power_while_it_stands_by_is_warned_and_then_switched_off() -> None:
    for told in (r(5000), r(0)):  # by its own word, or by the meter alone
        car = standing("AC", "closed")
        car.tell(words.OutputMeasured(230.0, 0.0, 5_000.0))
        codes = []
        for _ in range(200):
            car.wait(0.4)
            codes.append(car.loop("AC", EVPresentActivePower=told).ResponseCode)
            if car.session.ended is not None:
                break
        assert codes[0] is Code.OK
        assert Code.WARNING_EVPowerProfileViolation in codes
        assert codes[-1] is Code.FAILED
        assert car.wants(words.OpenContactor)


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("service", SERVICES)
def test_power_delivery_start_brings_power_back_where_the_contactor_stayed_closed(service: str, control: str) -> None:
    car = standing(service, "closed", control)
    looped(car, 1.0, service, control)
    assert car.start(control).ResponseCode is Code.OK
    assert len(car.wants(words.PowerStarted)) == 1
    assert not car.wants(words.OpenContactor)
    assert car.loop(service, control).ResponseCode is Code.OK
    if service != "AC":
        assert car.session.context.service.output_wanted.current > 0


def test_an_ac_contactor_that_opened_is_closed_again_once_the_pilot_asks_for_energy() -> None:
    car = standing("AC", "open")
    car.tell(words.PilotIs("B"))
    looped(car, 1.0, "AC")
    car.send(car.power("Start", EVPowerProfile=car.profile()))
    assert car.answers() == []
    car.tell(words.PilotIs("C"))
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.OK
    assert len(car.wants(words.CloseContactor)) == 1


def test_a_dc_contactor_that_opened_is_closed_only_after_cable_check_and_pre_charge() -> None:
    car = standing("DC_BPT", "open")
    assert car.start().ResponseCode is Code.FAILED_PowerDeliveryNotApplied
    assert not car.wants(words.CloseContactor)
    car = standing("DC_BPT", "open")
    looped(car, 1.0, "DC_BPT")
    car.isolated()
    assert len(car.wants(words.CheckIsolation)) == 1  # anew
    car.pre_charge()
    car.pre_charge("Finished")
    assert car.start().ResponseCode is Code.OK
    assert car.loop("DC_BPT").ResponseCode is Code.OK


def test_a_cable_check_out_of_a_closed_standby_opens_first() -> None:
    car = standing("DC_BPT", "closed")
    car.auto = False
    car.cable_check()
    assert [type(want) for want in car.wants(words.Want)][-2:] == [words.SetOutput, words.OpenContactor]
    car.cable_check()
    assert not car.wants(words.CheckIsolation)  # it has not opened yet
    car.tell(words.ContactorIs(False))
    car.cable_check()
    assert len(car.wants(words.CheckIsolation)) == 1


@pytest.mark.parametrize("service", SERVICES)
def test_the_station_asks_the_car_back_and_ends_what_does_not_follow(service: str) -> None:
    car = standing(service)
    car.tell(words.ExitStandbyAsked())
    response = looped(car, 0.4, service)
    assert response.EVSEStatus.EVSENotification is Notification.ExitStandby
    assert car.start().ResponseCode is Code.OK
    assert car.loop(service).EVSEStatus is None

    car = standing(service)
    car.tell(words.ExitStandbyAsked())
    for _ in range(300):
        car.wait(0.4)
        if car.loop(service, **({"EVPresentActivePower": r(0)} if service == "AC" else {})).ResponseCode is not Code.OK:
            break
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, Refused)
    assert f"{60 + NOTICE_GRACE:g} s" in str(car.session.ended.error)
    assert car.wants(words.OpenContactor)


def test_nobody_is_asked_back_who_does_not_stand_by() -> None:
    car = Scripted(outlet(standby="closed"))
    car.charging()
    car.tell(words.ExitStandbyAsked())
    assert car.loop().EVSEStatus is None


def test_a_standby_lasts_no_longer_than_the_outlet_lets_it() -> None:
    car = standing("DC_BPT", standby_limit=30.0)
    assert looped(car, 29.0, "DC_BPT").EVSEStatus is None
    assert looped(car, 4.0, "DC_BPT").EVSEStatus.EVSENotification is Notification.ExitStandby


@pytest.mark.parametrize("service", SERVICES)
def test_silence_in_standby_ends_as_in_every_loop(service: str) -> None:
    car = standing(service)
    car.loop(service)
    car.wait(0.6)
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, TimedOut)
    assert car.wants(words.OpenContactor)


def test_where_no_standby_is_offered_and_where_the_session_is_to_end_the_car_is_told_no_and_charges_on() -> None:
    for service in SERVICES:
        car = Scripted()
        car.charging(service)
        assert car.deliver("Standby").ResponseCode is Code.WARNING_StandbyNotAllowed
        assert car.loop(service).ResponseCode is Code.OK
        assert car.session.context.delivering
    car = Scripted(outlet(standby="open"))
    car.charging()
    car.tell(words.StopAsked("a button"))
    assert car.deliver("Standby").ResponseCode is Code.WARNING_StandbyNotAllowed
    assert car.loop().EVSEStatus.EVSENotification is Notification.Terminate


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("service", SERVICES)
def test_a_stop_is_shown_kept_and_obeyed_in_standby(service: str, policy: str) -> None:
    car = standing(service, policy)
    car.tell(words.StopAsked("a button"))
    assert looped(car, 0.4, service).EVSEStatus.EVSENotification is Notification.Terminate
    assert car.start().ResponseCode is Code.WARNING_ScheduleRenegotiationFailed
    assert not car.session.context.delivering
    assert car.deliver("Stop").ResponseCode is Code.OK
    assert car.stop().ResponseCode is Code.OK
    car.octets(b"")
    assert car.session.ended is not None
    assert car.session.ended.well
    assert not closed(car)
    assert len(car.wants(words.PowerStopped)) == 1  # paired with the start, not said twice


def test_pause_schedule_and_metering_are_asked_for_in_standby_too() -> None:
    for fact, notification in (
        (words.PauseAsked(), Notification.Pause),
        (words.RenegotiationAsked("Schedule"), Notification.ScheduleRenegotiation),
        (words.RenegotiationAsked("Service"), Notification.ServiceRenegotiation),
    ):
        car = standing("DC_BPT")
        car.tell(fact)
        assert looped(car, 0.4, "DC_BPT").EVSEStatus.EVSENotification is notification


def test_the_meter_is_shown_and_a_schedule_negotiated_beside_it() -> None:
    car = standing("AC")
    car.tell(words.MeterRead(words.MeterReading("M-1", 1234.0, 0.0, EPOCH, b"x" * 64)))
    assert car.loop("AC", meter=True).MeterInfo.ChargedEnergyReadingWh == 1234
    answer = car.exchange(on=PayloadType.SCHEDULE_RENEGOTIATION)
    assert isinstance(answer, ScheduleExchangeRes)
    assert answer.ResponseCode is Code.OK
    assert car.deliver("ScheduleRenegotiation").ResponseCode is Code.WARNING_ScheduleRenegotiationFailed
    car.loop("AC")
    car.exchange(on=PayloadType.SCHEDULE_RENEGOTIATION)
    assert car.start().ResponseCode is Code.OK
    assert car.session.context.service.aside is None


@pytest.mark.parametrize("service", SERVICES)
def test_before_power_a_car_may_stand_by_and_nothing_is_live(service: str) -> None:
    car = Scripted(outlet(standby="closed"))
    car.ready(service)
    assert car.deliver("Standby").ResponseCode is Code.OK
    assert not closed(car)
    looped(car, 1.0, service)
    assert not closed(car)
    if service == "AC":
        assert car.start().ResponseCode is Code.OK
    else:
        assert car.start().ResponseCode is Code.FAILED_PowerDeliveryNotApplied


@pytest.mark.parametrize("pilot", ["A", "E", "F"])
@pytest.mark.parametrize("service", SERVICES)
def test_what_takes_power_away_takes_a_closed_contactor_away_in_standby(service: str, pilot: Any) -> None:
    hazards = (words.PilotIs(pilot), words.EmergencyStop("button"), words.ConnectorLock(False), words.IsolationMeasured(False))
    for fact in hazards:
        car = standing(service)
        car.tell(fact)
        assert car.wants(words.OpenContactor), fact
        assert car.loop(service).ResponseCode is not Code.OK


def test_an_ac_car_may_let_its_pilot_go_to_b_and_the_contactor_opens_without_a_fault() -> None:
    car = standing("AC", "closed")
    car.tell(words.PilotIs("B"))
    assert len(car.wants(words.OpenContactor)) == 1
    assert looped(car, 2.0, "AC").ResponseCode is Code.OK
    car.tell(words.PilotIs("C"))
    assert car.start().ResponseCode is Code.OK
    assert len(car.wants(words.CloseContactor)) == 1

    car = standing("DC_BPT", "closed")
    car.tell(words.PilotIs("B"))
    assert car.loop("DC_BPT").ResponseCode is not Code.OK


def test_a_contactor_that_does_not_open_for_the_standby_is_an_error() -> None:
    car = Scripted(outlet(standby="open"))
    car.charging("AC")
    car.auto = False
    car.send(car.power("Standby"))
    assert car.answers() == []
    car.wait(2.0)
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.FAILED_ContactorError
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, StationFailed)


def test_a_car_that_drops_out_of_standby_leaves_an_open_contactor() -> None:
    car = standing("DC_BPT", "closed")
    assert car.exchange().ResponseCode is Code.FAILED_SequenceError  # on the main stream
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, SequenceError)
    assert car.wants(words.OpenContactor)
