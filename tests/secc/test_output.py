"""A DC output within every limit of outlet, car and schedule, in whatever message the car names its wish."""

from dataclasses import replace
from typing import Any

import pytest

from secc import station as words
from tests.secc.scripted import LIMITS, Scripted, outlet, r
from v2g.exi.derive import least
from v2g.messages import dc
from v2g.messages.common_messages import SessionStopReq
from v2g.messages.common_types import responseCodeType as Code

SMALL = {"EVMaximumVoltage": r(450), "EVMaximumChargeCurrent": r(10), "EVMaximumChargePower": r(3000)}
DC_VARIANTS = [(service, control) for service in ("DC", "DC_BPT") for control in ("Scheduled", "Dynamic")]


def precharging(service: str = "DC", control: str = "Scheduled", limits: words.Limits = LIMITS, **car: Any) -> Scripted:
    scripted = Scripted(outlet(limits=limits))
    scripted.authorized(service)
    scripted.select(service, 1 if control == "Scheduled" else 2)
    scripted.parameters(service, **car)
    scripted.scheduled(control)
    scripted.isolated()
    return scripted


def charging(service: str = "DC", control: str = "Scheduled", limits: words.Limits = LIMITS, target: float = 400.0, **car: Any) -> Scripted:
    scripted = precharging(service, control, limits, **car)
    scripted.pre_charge(target=target)
    scripted.pre_charge("Finished", target=target)
    assert scripted.start(control).ResponseCode is Code.OK
    return scripted


def last(car: Scripted) -> words.SetOutput:
    want: words.SetOutput = car.wants(words.SetOutput)[-1]
    return want


# --- the car's own limits ---


def test_the_cars_own_limits_bind_what_it_asks_for() -> None:
    car = charging(**SMALL)
    answer = car.loop("DC", EVTargetCurrent=r(25), EVTargetVoltage=r(900))
    want = last(car)
    assert (want.voltage, want.current, want.power) == pytest.approx((450, 3000 / 400, 3000))
    assert answer.EVSEVoltageLimitAchieved
    assert answer.EVSECurrentLimitAchieved
    assert answer.EVSEPowerLimitAchieved


@pytest.mark.parametrize(("target", "expected"), [(900, 450), (400, 400), (200, 300), (1, 300), (0, 0), (-400, 0)])
def test_precharge_keeps_to_the_range_that_both_ends_have(target: float, expected: float) -> None:
    car = precharging()  # 300 to 450 V against 150 to 920 V
    car.pre_charge(target=target)
    assert last(car).voltage == expected
    assert last(car).current <= 2
    assert last(car).power == last(car).voltage * last(car).current


def test_what_a_car_says_in_the_loop_binds_the_loop() -> None:
    car = charging("DC_BPT", "Dynamic")
    car.tell(words.SetpointChanged(20e3))
    car.loop("DC_BPT", "Dynamic", EVMaximumVoltage=r(420), EVMaximumChargeCurrent=r(30), EVMaximumChargePower=r(8e3))
    want = last(car)
    assert (want.voltage, want.current, want.power) == pytest.approx((420, 20, 8e3))
    car.tell(words.SetpointChanged(-20e3))
    car.loop("DC_BPT", "Dynamic", EVMaximumDischargePower=r(4e3), EVMaximumDischargeCurrent=r(50))
    want = last(car)
    assert (want.current, want.power) == pytest.approx((-4e3 / 420, -4e3))


# --- renegotiation ---


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
def test_no_voltage_of_the_loop_reaches_the_hardware_by_way_of_a_renegotiation(control: str) -> None:
    car = charging("DC", control)
    wish = {"EVTargetVoltage": r(100e3)} if control == "Scheduled" else {"EVMaximumVoltage": r(9999)}
    car.loop("DC", control, **wish)
    assert car.deliver("ScheduleRenegotiation").ResponseCode is Code.OK
    assert last(car).current == last(car).power == 0
    for want in car.wants(words.SetOutput):
        assert want.voltage <= LIMITS.voltage


def test_limits_that_have_fallen_hold_in_a_renegotiation() -> None:
    car = charging("DC")
    car.loop("DC")
    car.tell(words.LimitsChanged(replace(LIMITS, voltage=350)))
    car.deliver("ScheduleRenegotiation")
    assert last(car).voltage == 350


# --- targets below what the outlet can ---


def test_a_target_below_the_least_voltage_is_said_and_no_current_flows() -> None:
    car = charging("DC", EVMinimumVoltage=r(0))
    answer = car.loop("DC", EVTargetCurrent=r(25), EVTargetVoltage=r(10))
    assert answer.EVSEVoltageLimitAchieved
    want = last(car)
    assert (want.voltage, want.current, want.power) == (LIMITS.voltage_minimum, 0, 0)


# --- power, whatever the voltage ---


def test_the_power_goes_with_the_command_when_the_voltage_jumps() -> None:
    car = charging(target=160, EVMaximumVoltage=r(920), EVMinimumVoltage=r(0))
    mode = dc.Scheduled_DC_CLReqControlModeType(EVTargetCurrent=r(125), EVTargetVoltage=r(920))
    answer = car.ask(dc.DC_ChargeLoopReq, EVPresentVoltage=r(1), MeterInfoRequested=False, CLReqControlMode=mode)
    assert answer.EVSEPowerLimitAchieved
    want = last(car)
    assert want.voltage == 920
    assert want.power == 11_000  # what the schedule gives, though the current was made for 160 V
    assert want.current * 160 == pytest.approx(11_000)


def test_the_power_is_said_anew_when_it_falls_and_the_current_does_not() -> None:
    car = charging("DC", "Dynamic")
    car.loop("DC", "Dynamic", EVMaximumChargeCurrent=r(10))
    assert last(car).power == LIMITS.charge_power
    car.tell(words.LimitsChanged(replace(LIMITS, charge_power=20e3)))
    car.loop("DC", "Dynamic", EVMaximumChargeCurrent=r(10))
    assert (last(car).current, last(car).power) == (10, 20e3)


@pytest.mark.parametrize(("service", "control"), DC_VARIANTS)
@pytest.mark.parametrize("setpoint", [99e3, 4e3, -99e3])
def test_a_commanded_power_is_within_the_limits_and_has_the_sign_of_its_current(service: str, control: str, setpoint: float) -> None:
    car = charging(service, control)
    car.tell(words.SetpointChanged(setpoint))
    wishes = [{"EVTargetCurrent": r(sign * 200), "EVTargetVoltage": r(450)} for sign in (1, -1)] if control == "Scheduled" else [{}, {}]
    for wish, hour in zip(wishes, (0, 3660), strict=True):
        car.jump(hour)
        car.loop(service, control, **wish)
        want = last(car)
        assert -30e3 <= want.power <= 50e3
        assert want.current * want.power >= 0
        assert (want.current == 0) == (want.power == 0)
        assert abs(want.current * 400) <= abs(want.power) + 1e-6


@pytest.mark.parametrize("service", ["AC", "DC", "DC_BPT"])
def test_a_limit_that_falls_holds_at_once_whatever_the_car_does_next(service: str) -> None:
    """The loop that would say it anew may be a minute away: after PowerDelivery a car has that long."""
    car = Scripted()
    car.charging(service)
    assert car.start().ResponseCode is Code.OK
    commands = len(car.wants(words.SetOutput) + car.wants(words.SetPower))
    car.tell(words.LimitsChanged(replace(LIMITS, charge_power=1_000.0, charge_current=2.0)))
    said = (car.wants(words.SetOutput) + car.wants(words.SetPower))[commands:]
    assert [want.power for want in said] == [1_000.0]
    if service != "AC":
        assert said[0].current == 2.0
        assert said[0].voltage == 400.0
    car.tell(words.LimitsChanged(LIMITS))
    assert len(car.wants(words.SetOutput) + car.wants(words.SetPower)) == commands + 1  # what rises is the loop's to take


@pytest.mark.parametrize("way", ["SessionStop", "PowerDelivery(Stop)"])
@pytest.mark.parametrize("service", ["AC", "DC", "DC_BPT", "WPT"])
def test_an_outlet_that_is_told_to_open_is_told_no_power_any_more(service: str, way: str) -> None:
    """Its contactor is slow, the answer waits for it, and meanwhile a limit falls."""
    car = Scripted()
    car.charging(service)
    car.auto = False
    ends = car.power("Stop") if way == "PowerDelivery(Stop)" else least(SessionStopReq, Header=car.header())
    car.send(ends)
    before = len(car.happened)
    car.tell(words.LimitsChanged(replace(LIMITS, charge_power=1_000.0, charge_current=2.0)))
    assert [each for each in car.happened[before:] if isinstance(each, words.SetOutput | words.SetPower)] == []


@pytest.mark.parametrize("field", ["EVMaximumVoltage", "EVMaximumChargeCurrent", "EVMaximumChargePower"])
@pytest.mark.parametrize("service", ["DC", "DC_BPT"])
def test_a_limit_below_zero_in_the_loop_is_no_command_to_discharge_or_to_turn_the_voltage(service: str, field: str) -> None:
    car = Scripted()
    car.charging(service, "Dynamic")
    assert car.loop(service, "Dynamic", **{field: r(-32_000)}).ResponseCode is Code.OK
    last = car.wants(words.SetOutput)[-1]
    assert (last.current, last.power) == (0.0, 0.0)
    assert last.voltage >= 0
