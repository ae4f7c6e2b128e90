"""The charge loops of AC and DC: answers in kind, limits, meter, notices, violations."""

from dataclasses import replace
from typing import Any

import pytest

from secc import station as words
from tests.secc.scripted import EPOCH, LIMITS, Scripted, outlet, r
from v2g.energy.offer import Offer, Tuple
from v2g.energy.series import Series
from v2g.iso20.rational import number
from v2g.iso20.services import SERVICES
from v2g.messages import dc
from v2g.messages.common_types import DisplayParametersType, RationalNumberType, evseNotificationType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import Relaxed
from v2g.session.errors import Refused

VARIANTS = [(service, control) for service in SERVICES for control in ("Scheduled", "Dynamic")]
KINDS = [(service, control) for service, control in VARIANTS if not SERVICES[service].wireless]  # WPT has one kind of loop alone
READING = words.MeterReading("METER-1", 5000.7, 800.2, EPOCH + 7, b"s" * 64, None, 2000.0, 300.0)


def charging(service: str = "DC", control: str = "Scheduled", **changes: Any) -> Scripted:
    car = Scripted(outlet(**changes))
    car.ready(service, control)
    car.start(control)
    return car


# --- in kind ---


@pytest.mark.parametrize(("service", "control"), KINDS)
def test_the_answer_is_of_the_kind_of_the_request(service: str, control: str) -> None:
    car = charging(service, control)
    answer = car.loop(service, control)
    assert answer.ResponseCode is Code.OK
    row = SERVICES[service]
    energy, prefix = "DC" if row.dc else "AC", "DER_" if row.der else "BPT_" if row.bidirectional else ""
    assert type(answer.CLResControlMode).__name__ == f"{prefix}{control}_{energy}_CLResControlModeType"


@pytest.mark.parametrize(("service", "control"), KINDS)
def test_another_kind_than_was_selected_ends_the_session_with_power_off(service: str, control: str) -> None:
    for other_service, other_control in KINDS:
        one, other = SERVICES[service], SERVICES[other_service]
        kinds = {(each.bidirectional, way) for each, way in ((one, control), (other, other_control))}
        if one.schema_set == other.schema_set and len(kinds) == 2:
            car = charging(service, control)
            assert car.loop(other_service, other_control).ResponseCode is Code.FAILED
            assert car.session.ended is not None
            assert car.session.ended.requirement == "V2G20-1600"
            assert len(car.wants(words.OpenContactor)) == 1


# --- DC output ---


def test_the_output_follows_the_car_in_scheduled_control() -> None:
    car = charging("DC")
    answer = car.loop("DC", EVTargetCurrent=r(20), EVTargetVoltage=r(400))
    want = car.wants(words.SetOutput)[-1]
    assert (want.voltage, want.current) == (400, 20)
    assert (answer.EVSEPowerLimitAchieved, answer.EVSECurrentLimitAchieved, answer.EVSEVoltageLimitAchieved) == (False, False, False)
    answer = car.loop("DC", EVTargetCurrent=r(20), EVTargetVoltage=r(400))
    assert (number(answer.EVSEPresentVoltage), number(answer.EVSEPresentCurrent)) == (400, 20)


@pytest.mark.parametrize(
    ("current", "voltage", "expected", "flags"),
    [
        (100, 400, (400, 27.5), (True, False, False)),  # 11 kW are scheduled at 400 V
        (500, 400, (400, 27.5), (True, True, False)),
        (10, 5000, (450, 10), (False, False, True)),  # the car takes no more
        (-10, 400, (400, 0), (False, True, False)),  # no way back in a plain service
    ],
)
def test_targets_beyond_a_limit_are_kept_within_and_said(current: float, voltage: float, expected: Any, flags: Any) -> None:
    car = charging("DC")
    answer = car.loop("DC", EVTargetCurrent=r(current), EVTargetVoltage=r(voltage))
    assert answer.ResponseCode is Code.OK
    assert (answer.EVSEPowerLimitAchieved, answer.EVSECurrentLimitAchieved, answer.EVSEVoltageLimitAchieved) == flags
    want = car.wants(words.SetOutput)[-1]
    assert (want.voltage, want.current) == pytest.approx(expected)


def test_discharge_is_limited_to_what_the_schedule_gives_at_that_hour() -> None:
    car = charging("DC_BPT")
    car.loop("DC_BPT", EVTargetCurrent=r(-50))
    assert car.wants(words.SetOutput)[-1].current == 0  # the first hour is for charging
    car.jump(3600 + 60)
    car.loop("DC_BPT", EVTargetCurrent=r(-50))
    assert car.wants(words.SetOutput)[-1].current == pytest.approx(-9000 / 400)


def test_beyond_the_schedule_nothing_flows() -> None:
    car = charging("DC")
    car.jump(4 * 3600)
    car.loop("DC", EVTargetCurrent=r(20))
    assert car.wants(words.SetOutput)[-1].current == 0


def test_where_the_car_names_no_voltage_the_last_one_holds() -> None:
    car = charging("DC")
    car.loop("DC", EVTargetVoltage=r(410))
    car.loop("DC", EVTargetVoltage=r(0), EVTargetCurrent=r(5))
    want = car.wants(words.SetOutput)[-1]
    assert (want.voltage, want.current) == (410, 5)


@pytest.mark.parametrize(("exponent", "value"), [(127, 32767), (-128, 1), (127, -32768), (0, 0)])
def test_extreme_targets_are_numbers_like_others(exponent: int, value: int) -> None:
    extreme = RationalNumberType(Exponent=exponent, Value=value)
    car = charging("DC")
    answer = car.loop("DC", EVTargetCurrent=extreme, EVTargetVoltage=extreme)
    assert answer.ResponseCode is Code.OK
    want = car.wants(words.SetOutput)[-1]
    assert 0 <= want.voltage <= LIMITS.voltage
    assert 0 <= want.current <= LIMITS.charge_current


# --- limits ---


@pytest.mark.parametrize(("service", "control"), [v for v in VARIANTS if SERVICES[v[0]].dc])
def test_limits_fall_with_the_outlet_and_never_rise_above_what_was_announced(service: str, control: str) -> None:
    car = charging(service, control)
    car.tell(words.LimitsChanged(replace(LIMITS, charge_power=5_000, charge_current=20, voltage=800)))
    mode = car.loop(service, control).CLResControlMode
    assert number(mode.EVSEMaximumChargePower) == 5_000
    assert (number(mode.EVSEMaximumChargeCurrent), number(mode.EVSEMaximumVoltage)) == (20, 800)
    car.tell(words.LimitsChanged(replace(LIMITS, charge_power=500_000, charge_current=2_000, voltage=1_500)))
    mode = car.loop(service, control).CLResControlMode
    assert number(mode.EVSEMaximumChargePower) <= LIMITS.charge_power
    assert (number(mode.EVSEMaximumChargeCurrent), number(mode.EVSEMaximumVoltage)) == (LIMITS.charge_current, LIMITS.voltage)


@pytest.mark.parametrize("setpoint", [None, 8e3, 0.0, -6e3, 49_999.9])
@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
def test_minima_are_never_below_those_that_were_announced(control: str, setpoint: float | None) -> None:
    least = replace(LIMITS, charge_power_minimum=2_000.0, discharge_power_minimum=1_500.0, voltage_minimum=200.0)
    car = charging("DC_BPT", control, limits=least)
    car.tell(words.SetpointChanged(setpoint), words.LimitsChanged(LIMITS))  # the hardware says that it could do with less
    mode = car.loop("DC_BPT", control).CLResControlMode
    assert number(mode.EVSEMinimumChargePower) >= 2_000
    assert number(mode.EVSEMinimumDischargePower) >= 1_500
    assert number(mode.EVSEMinimumVoltage) == 200
    car.tell(words.LimitsChanged(replace(least, voltage_minimum=250.0)))
    assert number(car.loop("DC_BPT", control).CLResControlMode.EVSEMinimumVoltage) == 250


def test_no_minimum_is_above_what_the_car_can_take_or_above_its_own_maximum() -> None:
    car = charging("DC_BPT", "Dynamic")
    for setpoint in (20e3, 12_345.67, -20e3, -12_345.67):
        car.tell(words.SetpointChanged(setpoint))
        mode = car.loop("DC_BPT", "Dynamic", EVMaximumChargePower=r(3e3), EVMaximumDischargePower=r(2e3)).CLResControlMode
        assert number(mode.EVSEMinimumChargePower) <= min(3e3, number(mode.EVSEMaximumChargePower))
        assert number(mode.EVSEMinimumDischargePower) <= min(2e3, number(mode.EVSEMaximumDischargePower))


# --- dynamic control ---


@pytest.mark.parametrize(("setpoint", "charge", "discharge"), [(8e3, 8e3, 0), (-6e3, 0, 6e3), (0, 0, 0), (99e3, 50e3, 0), (-99e3, 0, 30e3)])
def test_a_setpoint_squeezes_the_limits_of_dynamic_dc(setpoint: float, charge: float, discharge: float) -> None:
    car = charging("DC_BPT", "Dynamic")
    car.tell(words.SetpointChanged(setpoint))
    mode = car.loop("DC_BPT", "Dynamic").CLResControlMode
    assert number(mode.EVSEMaximumChargePower) == number(mode.EVSEMinimumChargePower) == charge
    assert number(mode.EVSEMaximumDischargePower) == number(mode.EVSEMinimumDischargePower) == discharge
    want = car.wants(words.SetOutput)[-1]
    assert want.current * 400 == pytest.approx(max(min(setpoint, 50e3), -30e3), abs=1)


def test_without_a_setpoint_dynamic_dc_gives_what_both_can() -> None:
    car = charging("DC", "Dynamic")
    mode = car.loop("DC", "Dynamic", EVMaximumChargePower=r(20e3)).CLResControlMode
    assert number(mode.EVSEMaximumChargePower) == LIMITS.charge_power
    assert car.wants(words.SetOutput)[-1].current == pytest.approx(50)


def test_a_plain_service_is_never_led_to_discharge() -> None:
    for service in ("DC", "AC"):
        car = charging(service, "Dynamic")
        car.tell(words.SetpointChanged(-5e3))
        mode = car.loop(service, "Dynamic").CLResControlMode
        if service == "AC":
            assert number(mode.EVSETargetActivePower) == 0
        else:
            assert car.wants(words.SetOutput)[-1].current == 0


def test_a_setpoint_is_the_target_of_dynamic_ac() -> None:
    car = charging("AC_BPT", "Dynamic")
    for setpoint, expected in ((7e3, 7e3), (-4e3, -4e3), (99e3, 50e3)):
        car.tell(words.SetpointChanged(setpoint))
        mode = car.loop("AC_BPT", "Dynamic", EVMaximumChargePower=r(60e3)).CLResControlMode
        assert number(mode.EVSETargetActivePower) == expected
        assert car.wants(words.SetPower)[-1].power == expected


def test_the_cars_own_limit_holds_in_dynamic_control() -> None:
    car = charging("AC", "Dynamic")
    car.tell(words.SetpointChanged(20e3))
    mode = car.loop("AC", "Dynamic", EVMaximumChargePower=r(2e3), EVMaximumChargePower_L2=r(2e3), EVMaximumChargePower_L3=r(2e3))
    assert number(mode.CLResControlMode.EVSETargetActivePower) == 6e3


def test_scheduled_ac_is_told_the_cars_own_plan_within_what_the_outlet_can() -> None:
    car = charging("AC")
    assert number(car.loop("AC").CLResControlMode.EVSETargetActivePower) == 5_000
    car.tell(words.LimitsChanged(replace(LIMITS, charge_power=3_000)))
    assert number(car.loop("AC").CLResControlMode.EVSETargetActivePower) == 3_000


def test_other_needs_in_the_loop_are_told_once() -> None:
    car = charging("DC", "Dynamic")
    for _ in range(3):
        car.loop("DC", "Dynamic", DepartureTime=3 * 3600)
    assert len(car.wants(words.NeedsChanged)) == 1
    car.loop("DC", "Dynamic", DepartureTime=3600)
    car.loop("DC", "Dynamic", DepartureTime=3600)
    first, again = car.wants(words.NeedsChanged)
    assert first.first
    assert not again.first
    assert again.needs.departure == pytest.approx(EPOCH + car.now + 3600)


def test_what_the_car_tells_is_passed_on() -> None:
    car = charging("DC", "Dynamic")
    mode = car.loop_fields("DC", "Dynamic", False)
    car.ask(
        dc.DC_ChargeLoopReq,
        DisplayParameters=DisplayParametersType(PresentSOC=57),
        MeterInfoRequested=False,
        EVPresentVoltage=r(400),
        CLReqControlMode=dc.Dynamic_DC_CLReqControlModeType(**mode),
    )
    report = car.wants(words.EVReported)[-1]
    assert (report.soc, report.energy_target, report.energy_maximum, report.energy_minimum) == (57, 30e3, 40e3, -20e3)


# --- meter ---


@pytest.mark.parametrize("service", ["AC_BPT", "DC_BPT"])
def test_the_first_answer_shows_the_meter_and_every_one_that_is_asked(service: str) -> None:
    car = charging(service)
    car.tell(words.MeterRead(READING))
    shown = car.loop(service).MeterInfo
    assert (shown.MeterID, shown.ChargedEnergyReadingWh, shown.BPT_DischargedEnergyReadingWh) == ("METER-1", 3000, 500)
    assert (shown.MeterSignature, shown.MeterTimestamp) == (b"s" * 64, int(EPOCH + 7))
    assert car.loop(service).MeterInfo is None
    assert car.loop(service, meter=True).MeterInfo == shown


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_meter_that_was_not_read_in_time_is_made_up_for(service: str) -> None:
    car = charging(service)
    assert car.loop(service).MeterInfo is None
    car.tell(words.MeterRead(READING))
    assert car.loop(service).MeterInfo is not None
    assert car.loop(service).MeterInfo is None


def test_a_plain_service_shows_no_discharged_energy() -> None:
    car = charging("AC")
    car.tell(words.MeterRead(READING))
    assert car.loop("AC").MeterInfo.BPT_DischargedEnergyReadingWh is None


def test_without_a_meter_nothing_is_shown() -> None:
    assert charging("AC").loop("AC", meter=True).MeterInfo is None


def test_under_interop_the_discharged_energy_is_left_out_and_that_is_told() -> None:
    car = charging("DC_BPT", profile="interop")
    car.tell(words.MeterRead(READING))
    for _ in range(2):
        assert car.loop("DC_BPT", meter=True).MeterInfo.BPT_DischargedEnergyReadingWh is None
    assert len(car.wants(Relaxed)) == 1


# --- notices ---


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_stop_is_asked_for_at_once_and_insisted_upon(service: str) -> None:
    car = charging(service)
    car.loop(service)
    car.tell(words.StopAsked("button"))
    status = car.loop(service).EVSEStatus
    assert (status.EVSENotification, status.NotificationMaxDelay) == (evseNotificationType.Terminate, 0)
    for _ in range(60):
        car.wait(0.2)
        answer = car.loop(service)
        if answer.ResponseCode is not Code.OK:
            break
    assert answer.ResponseCode is Code.FAILED
    assert len(car.wants(words.OpenContactor)) == 1


def test_a_pause_counts_down() -> None:
    car = charging("AC")
    car.loop("AC")
    car.tell(words.PauseAsked())
    delays = []
    for _ in range(10):
        status = car.loop("AC").EVSEStatus
        assert status.EVSENotification is evseNotificationType.Pause
        delays.append(status.NotificationMaxDelay)
        for _ in range(10):
            car.wait(0.4)
            car.loop("AC")
    assert delays[0] == 60
    assert delays == sorted(delays, reverse=True)
    assert delays[-1] == 60 - 9 * 4
    assert car.deliver("Stop").ResponseCode is Code.OK
    assert car.stop("Pause").ResponseCode is Code.OK


@pytest.mark.parametrize(
    ("fact", "notification"),
    [
        (words.RenegotiationAsked("Schedule"), evseNotificationType.ScheduleRenegotiation),
        (words.RenegotiationAsked("Service"), evseNotificationType.ServiceRenegotiation),
    ],
)
def test_renegotiations_are_asked_for(fact: words.Fact, notification: evseNotificationType) -> None:
    car = charging("DC")
    car.tell(fact)
    assert car.loop("DC").EVSEStatus.EVSENotification is notification


def test_nothing_is_asked_of_a_car_that_has_been_told_to_stop() -> None:
    car = charging("DC")
    car.tell(words.StopAsked("button"), words.PauseAsked(), words.RenegotiationAsked("Schedule"))
    assert car.loop("DC").EVSEStatus.EVSENotification is evseNotificationType.Terminate


def test_a_metering_confirmation_is_not_asked_of_a_car_without_contract() -> None:
    car = charging("DC")
    car.tell(words.MeteringConfirmationAsked())
    assert car.loop("DC").EVSEStatus is None


# --- trouble ---


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_contactor_that_opens_under_power_ends_the_session(service: str) -> None:
    car = charging(service)
    car.loop(service)
    car.tell(words.ContactorIs(False))
    assert car.loop(service).ResponseCode is Code.FAILED_ContactorError
    assert len(car.wants(words.PowerStopped)) == 1


def test_a_car_that_leaves_its_profile_is_warned_and_then_refused() -> None:
    car = charging("AC")
    codes = []
    for _ in range(200):
        answer = car.loop("AC", EVPresentActivePower=r(9_000))  # 5 kW were announced
        codes.append(answer.ResponseCode)
        if car.session.ended is not None:
            break
        car.wait(0.4)
    assert codes[0] is Code.OK
    assert codes[20] is Code.WARNING_EVPowerProfileViolation
    assert codes[-1] is Code.FAILED_EVPowerProfileViolation
    assert isinstance(car.session.ended.error if car.session.ended else None, Refused)


def test_a_car_that_comes_back_to_its_profile_is_forgiven() -> None:
    car = charging("AC")
    for _ in range(20):
        car.loop("AC", EVPresentActivePower=r(9_000))
        car.wait(0.4)
    assert car.loop("AC", EVPresentActivePower=r(5_100)).ResponseCode is Code.OK
    assert car.loop("AC", EVPresentActivePower=r(9_000)).ResponseCode is Code.OK


def test_pacing_close_to_the_limit_neither_ends_nor_drifts() -> None:
    car = charging("DC")
    for _ in range(2500):  # ten minutes
        assert car.loop("DC").ResponseCode is Code.OK
        car.wait(0.24)
    assert car.session.ended is None


def test_an_offer_without_charging_gives_nothing() -> None:
    car = Scripted(outlet())
    car.authorized("DC_BPT")
    car.select("DC_BPT")
    car.parameters("DC_BPT")
    car.auto = False
    car.exchange()
    start = float(int(EPOCH + car.now))
    car.tell(words.ScheduleReady(Offer((Tuple(1, Series.constant(start, 3 * 3600, 0.0), Series.constant(start, 3 * 3600, -4000.0)),))))
    car.auto = True
    car.scheduled()
    car.cable_check(), car.cable_check()
    car.pre_charge("Finished")
    assert car.deliver("Start", EVPowerProfile=car.profile(power=-4000)).ResponseCode is Code.OK
    car.loop("DC_BPT", EVTargetCurrent=r(30))
    assert car.wants(words.SetOutput)[-1].current == 0
    car.loop("DC_BPT", EVTargetCurrent=r(-30))
    assert car.wants(words.SetOutput)[-1].current == pytest.approx(-10)
