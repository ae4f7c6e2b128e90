"""Whether a car keeps to what it may take and give, by its own word and by the outlet's measurement."""

from dataclasses import replace
from typing import Any

import pytest

from secc import station as words
from tests.secc.scripted import LIMITS, Scripted, outlet, r
from tests.secc.test_power import entries
from v2g.messages.common_types import responseCodeType as Code


def charging(service: str = "AC", control: str = "Scheduled", **profile: Any) -> Scripted:
    car = Scripted(outlet())
    car.ready(service, control)
    assert car.deliver("Start", EVPowerProfile=car.profile(control, **profile)).ResponseCode is Code.OK
    return car


def codes(car: Scripted, seconds: float, service: str = "AC", control: str = "Scheduled", **loop: Any) -> list[Code]:
    """The response codes of loops for so long, or until the end."""
    found = []
    end = car.now + seconds
    while car.now < end and car.session.ended is None:
        found.append(car.loop(service, control, **loop).ResponseCode)
        car.wait(0.4)
    return found


def measured(car: Scripted, power: float) -> None:
    car.tell(words.OutputMeasured(230.0, 0.0, power))


def test_a_meter_is_believed_where_the_car_says_less() -> None:
    car = charging("AC")
    measured(car, 9_000)
    found = codes(car, 120, EVPresentActivePower=r(5_000))
    assert found[0] is Code.OK
    assert found[20] is Code.WARNING_EVPowerProfileViolation
    assert found[-1] is Code.FAILED_EVPowerProfileViolation
    assert car.now == pytest.approx(1000 + 60, abs=2)
    assert len(car.wants(words.OpenContactor)) == 1


def test_a_car_is_believed_where_it_says_more_than_the_meter() -> None:
    car = charging("AC")
    measured(car, 5_000)
    assert codes(car, 120, EVPresentActivePower=r(9_000))[-1] is Code.FAILED_EVPowerProfileViolation


def test_discharge_that_nobody_announced_is_seen_as_well() -> None:
    car = charging("AC_BPT")
    measured(car, -6_000)
    assert codes(car, 120, "AC_BPT", EVPresentActivePower=r(5_000))[-1] is Code.FAILED_EVPowerProfileViolation


@pytest.mark.parametrize("service", ["AC", "AC_BPT"])
def test_a_profile_that_has_ended_is_a_profile_of_nothing(service: str) -> None:
    car = charging(service, EVPowerProfileEntries=entries((1, 5_000)))
    car.wait(0.4)
    car.loop(service)
    car.jump(2)
    assert codes(car, 120, service, EVPresentActivePower=r(5_000))[-1] is Code.FAILED_EVPowerProfileViolation


def test_nothing_for_the_rest_of_the_stay_is_what_a_profile_that_has_ended_allows() -> None:
    car = charging(EVPowerProfileEntries=entries((1, 5_000)))
    car.jump(2)
    assert set(codes(car, 120, EVPresentActivePower=r(0))) == {Code.OK}


@pytest.mark.parametrize("power", [300e3, 60e3])
def test_dynamic_control_does_not_excuse_what_the_outlet_cannot(power: float) -> None:
    car = charging("AC", "Dynamic")
    measured(car, power)
    found = codes(car, 120, control="Dynamic")
    assert found[-1] is Code.FAILED
    assert car.now <= 1000 + 15
    assert f"{power:.0f} W flow where the outlet can 50000 W" in str(car.session.ended and car.session.ended.error)


def test_the_outlets_own_limit_ends_sooner_than_the_profile() -> None:
    car = charging("AC")
    measured(car, 300e3)
    assert codes(car, 120, EVPresentActivePower=r(5_000))[-1] is Code.FAILED_EVPowerProfileViolation
    assert car.now <= 1000 + 15


@pytest.mark.parametrize("into", [1, -1], ids=["charge", "discharge"])
@pytest.mark.parametrize("seen", ["measured", "stated"])
def test_a_phase_is_held_to_its_share_of_the_outlet(seen: str, into: int) -> None:
    """20 kW on one phase are within 50 kW, and more than the wires of one of three phases were made for."""
    car = charging("AC_BPT", "Dynamic")
    share = (LIMITS.charge_power if into > 0 else LIMITS.discharge_power) / LIMITS.phases
    power = into * (share + 4_000.0)
    loop = {"EVPresentActivePower": r(0)}
    if seen == "measured":
        car.tell(words.OutputMeasured(230.0, 0.0, power, (0.0, power, 0.0)))
    else:
        loop = {"EVPresentActivePower": r(0), "EVPresentActivePower_L2": r(power), "EVPresentActivePower_L3": r(0)}
    found = codes(car, 60, "AC_BPT", "Dynamic", **loop)
    assert found[0] is Code.OK
    assert found[-1] is Code.FAILED
    assert car.now == pytest.approx(1000 + 10, abs=2)
    assert car.session.ended is not None
    assert f"{power:.0f} W flow where a phase of the outlet can {into * share:.0f} W" in car.session.ended.reason
    assert len(car.wants(words.OpenContactor)) == 1


def test_a_phase_within_its_share_is_let_be() -> None:
    car = charging("AC_BPT", "Dynamic")
    each = LIMITS.charge_power / LIMITS.phases
    car.tell(words.OutputMeasured(230.0, 0.0, 3 * each, (each, each, each)))
    assert set(codes(car, 60, "AC_BPT", "Dynamic", EVPresentActivePower=r(0))) == {Code.OK}


def test_a_limit_of_the_moment_binds_dynamic_control_once_the_car_had_time_to_follow() -> None:
    car = charging("AC", "Dynamic")
    car.tell(words.LimitsChanged(replace(LIMITS, charge_power=4_000)))
    measured(car, 9_000)
    found = codes(car, 120, control="Dynamic")
    assert found[0] is Code.OK
    assert found[-1] is Code.FAILED
    assert car.now == pytest.approx(1000 + 60, abs=2)


def test_a_limit_of_the_moment_leaves_a_schedule_the_time_of_a_renegotiation() -> None:
    car = charging("AC")
    car.tell(words.LimitsChanged(replace(LIMITS, charge_power=2_000)))
    measured(car, 5_000)
    found = codes(car, 300)
    assert Code.WARNING_EVPowerProfileViolation in found
    assert found[-1] is Code.FAILED
    assert car.now == pytest.approx(1000 + 180, abs=2)


def test_what_lies_within_metering_error_is_kept() -> None:
    car = charging("AC")
    measured(car, 5_600)
    assert set(codes(car, 120, EVPresentActivePower=r(5_000))) == {Code.OK}


def test_a_dc_outlet_is_held_to_the_profile_by_what_it_measures() -> None:
    car = charging("DC", power=1_000)
    found = codes(car, 120, "DC")  # 12 A at 400 V
    assert found[-1] is Code.FAILED_EVPowerProfileViolation
