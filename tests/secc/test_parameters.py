"""ChargeParameterDiscovery: types, limits, and what cannot be."""

from dataclasses import replace
from typing import Any

import pytest

from secc import station as words
from tests.secc.scripted import LIMITS, Scripted, outlet, r
from v2g.iso20.rational import number
from v2g.iso20.services import SERVICES
from v2g.messages import ac, dc
from v2g.messages.common_types import RationalNumberType
from v2g.messages.common_types import responseCodeType as Code


def selected(service: str) -> Scripted:
    car = Scripted()
    car.authorized(service)
    car.select(service)
    return car


IN_KIND = [service for service, row in SERVICES.items() if not row.wireless]  # those of WPT have one kind: tests/secc/test_wpt.py


@pytest.mark.parametrize("service", IN_KIND)
def test_limits_are_those_of_the_outlet_and_in_order(service: str) -> None:
    response = selected(service).parameters(service)
    assert response.ResponseCode is Code.OK
    energy = "DC" if SERVICES[service].dc else "AC"
    mode = getattr(response, f"{energy}_CPDResEnergyTransferMode")
    module: Any = dc if energy == "DC" else ac
    prefix = "DER_" if SERVICES[service].der else "BPT_" if "BPT" in service else ""
    assert type(mode).__name__ == f"{prefix}{energy}_CPDResEnergyTransferModeType"
    assert isinstance(mode, getattr(module, f"{energy}_CPDResEnergyTransferModeType"))
    assert number(mode.EVSEMaximumChargePower) == LIMITS.charge_power
    for name in ("ChargePower", "ChargeCurrent", "Voltage", "DischargePower", "DischargeCurrent"):
        most, least = (getattr(mode, f"EVSE{which}{name}", None) for which in ("Maximum", "Minimum"))
        if most is not None and least is not None:
            assert 0 <= number(least) <= number(most)


@pytest.mark.parametrize("service", IN_KIND)
def test_plain_parameters_under_a_bidirectional_service_and_the_reverse_are_wrong(service: str) -> None:
    car = selected(service)
    other = service.removesuffix("_BPT") if service.endswith("_BPT") else "AC_BPT" if SERVICES[service].der else f"{service}_BPT"
    assert car.parameters(other).ResponseCode is Code.FAILED_WrongChargeParameter
    assert car.session.ended is not None
    assert car.session.ended.requirement == ("V2G20-2272" if SERVICES[service].dc else "V2G20-1619")


WRONG = [
    ("DC", {"EVMaximumChargePower": r(10), "EVMinimumChargePower": r(20)}),
    ("DC", {"EVMaximumChargePower": r(-10)}),
    ("DC", {"EVMaximumChargePower": r(0)}),
    ("DC", {"EVMaximumChargeCurrent": r(-1)}),
    ("DC", {"EVMaximumChargeCurrent": r(0)}),
    ("DC", {"EVMaximumVoltage": r(0), "EVMinimumVoltage": r(0)}),
    ("DC", {"EVMaximumVoltage": r(100), "EVMinimumVoltage": r(50)}),  # below what the outlet can
    ("DC", {"EVMaximumVoltage": r(1500), "EVMinimumVoltage": r(1000)}),  # above it
    ("DC", {"EVMaximumVoltage": r(200), "EVMinimumVoltage": r(300)}),
    ("DC_BPT", {"EVMaximumDischargePower": r(10), "EVMinimumDischargePower": r(20)}),
    ("DC_BPT", {"EVMaximumDischargeCurrent": r(10), "EVMinimumDischargeCurrent": r(20)}),
    ("AC", {"EVMaximumChargePower": r(0)}),
    ("AC", {"EVMaximumChargePower": r(-3000)}),
    ("AC", {"EVMinimumChargePower": r(12e3)}),
    ("AC_BPT", {"EVMaximumDischargePower": r(1), "EVMinimumDischargePower": r(2)}),
]


@pytest.mark.parametrize(("service", "changes"), WRONG)
def test_limits_that_cannot_be_are_refused(service: str, changes: dict[str, RationalNumberType]) -> None:
    car = selected(service)
    assert car.parameters(service, **changes).ResponseCode is Code.FAILED_WrongChargeParameter
    assert car.session.ended is not None


@pytest.mark.parametrize("exponent", [-128, 127])
def test_extreme_exponents_are_numbers_like_others(exponent: int) -> None:
    car = selected("DC")
    value = RationalNumberType(Exponent=exponent, Value=32767)
    response = car.parameters("DC", EVMaximumChargePower=value)
    assert response.ResponseCode is Code.OK
    car.scheduled()
    assert car.session.context.service.exchange.needs is not None
    assert car.session.context.service.exchange.needs.charge_maximum <= LIMITS.charge_power


@pytest.mark.parametrize("sign", [1, -1])
def test_discharge_limits_are_read_with_either_sign(sign: int) -> None:
    car = selected("DC_BPT")
    response = car.parameters("DC_BPT", EVMaximumDischargePower=r(sign * 20e3), EVMaximumDischargeCurrent=r(sign * 50))
    assert response.ResponseCode is Code.OK
    assert car.session.context.service.car is not None
    assert (car.session.context.service.car.discharge_power, car.session.context.service.car.discharge_current) == (20e3, 50)


def test_phases_add_up() -> None:
    car = selected("AC")
    car.parameters("AC", EVMaximumChargePower=r(3000), EVMaximumChargePower_L2=r(3000), EVMaximumChargePower_L3=r(3000))
    assert car.session.context.service.car is not None
    assert car.session.context.service.car.charge_power == 9000


@pytest.mark.parametrize(
    ("service", "changes"),
    [
        ("DC", {"EVMinimumChargePower": r(51e3)}),
        ("DC", {"EVMinimumChargeCurrent": r(126)}),
        ("DC_BPT", {"EVMinimumDischargePower": r(31e3)}),
        ("DC_BPT", {"EVMinimumDischargePower": r(-31e3), "EVMaximumDischargePower": r(-40e3)}),
        ("DC_BPT", {"EVMinimumDischargeCurrent": r(76)}),
        ("AC", {"EVMinimumChargePower": r(51e3), "EVMaximumChargePower": r(60e3)}),
        ("AC_BPT", {"EVMinimumDischargePower": r(31e3), "EVMaximumDischargePower": r(60e3)}),
    ],
)
def test_a_car_that_needs_more_than_the_outlet_has_is_refused(service: str, changes: dict[str, RationalNumberType]) -> None:
    car = selected(service)
    assert car.parameters(service, **changes).ResponseCode is Code.FAILED_WrongChargeParameter
    assert "the outlet's is" in str(car.session.ended and car.session.ended.error)


@pytest.mark.parametrize(
    ("service", "changes"),
    [
        ("DC", {"EVMinimumChargePower": r(50e3)}),
        ("DC_BPT", {"EVMinimumDischargeCurrent": r(75)}),
        ("DC_BPT", {"EVMaximumDischargePower": r(0), "EVMaximumDischargeCurrent": r(0)}),  # a direction that it does not use
        ("AC", {"EVMinimumChargePower": r(50e3), "EVMaximumChargePower": r(60e3)}),
    ],
)
def test_a_car_that_needs_all_that_the_outlet_has_is_served(service: str, changes: dict[str, RationalNumberType]) -> None:
    assert selected(service).parameters(service, **changes).ResponseCode is Code.OK


@pytest.mark.parametrize("name", ["charge_power", "charge_current"])
def test_a_car_that_can_take_less_than_the_least_of_the_outlet_is_refused(name: str) -> None:
    car = Scripted(outlet(limits=replace(LIMITS, **{f"{name}_minimum": 20.0})))
    car.authorized("DC")
    car.select("DC")
    field = {"charge_power": "EVMaximumChargePower", "charge_current": "EVMaximumChargeCurrent"}[name]
    assert car.parameters("DC", **{field: r(19)}).ResponseCode is Code.FAILED_WrongChargeParameter


@pytest.mark.parametrize("phase", ["", "_L2", "_L3"])
@pytest.mark.parametrize(("least", "code"), [(17e3, Code.FAILED_WrongChargeParameter), (16e3, Code.OK)])
def test_no_phase_may_need_more_than_a_phase_of_the_outlet_has(phase: str, least: float, code: Code) -> None:
    car = selected("AC")
    most = {f"EVMaximumChargePower{each}": r(20e3) for each in ("", "_L2", "_L3")}
    assert car.parameters("AC", **most, **{f"EVMinimumChargePower{phase}": r(least)}).ResponseCode is code


def test_no_phase_may_have_to_give_more_than_a_phase_of_the_outlet_takes() -> None:
    car = selected("AC_BPT")
    most = {f"EVMaximum{way}Power{each}": r(20e3) for way in ("Charge", "Discharge") for each in ("", "_L2", "_L3")}
    answer = car.parameters("AC_BPT", **most, EVMinimumDischargePower_L2=r(11e3))
    assert answer.ResponseCode is Code.FAILED_WrongChargeParameter


@pytest.mark.parametrize("service", ["DC", "AC"])
def test_what_is_low_for_a_moment_does_not_cap_the_session(service: str) -> None:
    car = selected(service)
    car.tell(words.LimitsChanged(replace(LIMITS, charge_power=2_000, charge_power_minimum=1_000)))
    mode = getattr(car.parameters(service), f"{service}_CPDResEnergyTransferMode")
    assert (number(mode.EVSEMaximumChargePower), number(mode.EVSEMinimumChargePower)) == (LIMITS.charge_power, 0)
    assert car.session.context.present_limits.charge_power == 2_000
    car.tell(words.LimitsChanged(LIMITS))
    assert car.session.context.present_limits.charge_power == LIMITS.charge_power
