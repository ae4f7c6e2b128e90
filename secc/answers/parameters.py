"""ChargeParameterDiscovery: what car and outlet can do. The service decides between plain and bidirectional types."""

from dataclasses import replace

from secc.context import Context, Reply
from secc.station import Limits
from v2g.exi.schema import Type
from v2g.messages.ac import (
    AC_ChargeParameterDiscoveryReq,
    AC_ChargeParameterDiscoveryRes,
    AC_CPDReqEnergyTransferModeType,
    AC_CPDResEnergyTransferModeType,
    BPT_AC_CPDReqEnergyTransferModeType,
    BPT_AC_CPDResEnergyTransferModeType,
)
from v2g.messages.common_types import RationalNumberType
from v2g.messages.common_types import responseCodeType as Code
from v2g.messages.dc import (
    BPT_DC_CPDReqEnergyTransferModeType,
    BPT_DC_CPDResEnergyTransferModeType,
    DC_ChargeParameterDiscoveryReq,
    DC_ChargeParameterDiscoveryRes,
    DC_CPDReqEnergyTransferModeType,
    DC_CPDResEnergyTransferModeType,
)
from v2g.session.errors import Refused
from v2g.session.rational import number, optional, rational
from v2g.session.sequence import State

PHASES = ("", "_L2", "_L3")
AC_WRONG, DC_WRONG = "V2G20-1619", "V2G20-2272"


def ac_parameters(request: AC_ChargeParameterDiscoveryReq, known: Context) -> Reply:
    """AC and AC_BPT."""
    mode, selection = request.AC_CPDReqEnergyTransferMode, known.agreement.selected
    expected = BPT_AC_CPDReqEnergyTransferModeType if selection.bidirectional else AC_CPDReqEnergyTransferModeType
    _demand(type(mode) is expected, f"{type(mode).__name__} under service {selection.service}", AC_WRONG)
    car = Limits(
        charge_power=phases(mode, "EVMaximumChargePower"),
        charge_power_minimum=phases(mode, "EVMinimumChargePower"),
        discharge_power=abs(phases(mode, "EVMaximumDischargePower")),  # read with either sign: public stacks differ
        discharge_power_minimum=abs(phases(mode, "EVMinimumDischargePower")),
    )
    ours = known.outlet.limits  # what the hardware can do: what a backend leaves of it now may rise again, what is announced may not
    _plausible(car, ("charge_power", "discharge_power"), AC_WRONG)
    _common(car, ours, _flows(selection.bidirectional, ("charge_power",)), AC_WRONG)
    _common_per_phase(mode, ours, AC_WRONG)
    powers = {
        "EVSEMaximumChargePower": rational(ours.charge_power, "down"),
        "EVSEMinimumChargePower": rational(ours.charge_power_minimum, "up"),
        "EVSENominalFrequency": rational(ours.nominal_frequency),
    }
    if selection.bidirectional:
        powers |= _discharge(ours)
    response_mode = (BPT_AC_CPDResEnergyTransferModeType if selection.bidirectional else AC_CPDResEnergyTransferModeType)(**powers)
    response = AC_ChargeParameterDiscoveryRes(Header=known.header, ResponseCode=Code.OK, AC_CPDResEnergyTransferMode=response_mode)
    return Reply(response, State.AC_SCHEDULE, _learnt(known, car))


def dc_parameters(request: DC_ChargeParameterDiscoveryReq, known: Context) -> Reply:
    """DC and DC_BPT."""
    mode, selection = request.DC_CPDReqEnergyTransferMode, known.agreement.selected
    expected = BPT_DC_CPDReqEnergyTransferModeType if selection.bidirectional else DC_CPDReqEnergyTransferModeType
    _demand(type(mode) is expected, f"{type(mode).__name__} under service {selection.service}", DC_WRONG)
    car = _dc_limits(mode)
    ours = known.outlet.limits  # as in AC
    _plausible(car, ("charge_power", "charge_current", "discharge_power", "discharge_current", "voltage"), DC_WRONG)
    _demand(car.voltage > 0, f"EVMaximumVoltage is {car.voltage:g} V", DC_WRONG)
    _demand(car.charge_current > 0 or car.discharge_current > 0, "the car takes and gives no current", DC_WRONG)
    _common(car, ours, ("voltage", *_flows(selection.bidirectional, ("charge_power", "charge_current"))), DC_WRONG)
    values = {
        "EVSEMaximumChargePower": rational(ours.charge_power, "down"),
        "EVSEMinimumChargePower": rational(ours.charge_power_minimum, "up"),
        "EVSEMaximumChargeCurrent": rational(ours.charge_current, "down"),
        "EVSEMinimumChargeCurrent": rational(ours.charge_current_minimum, "up"),
        "EVSEMaximumVoltage": rational(ours.voltage, "down"),
        "EVSEMinimumVoltage": rational(ours.voltage_minimum, "up"),
    }
    if selection.bidirectional:
        values |= _discharge(ours)
        values["EVSEMaximumDischargeCurrent"] = rational(ours.discharge_current, "down")
        values["EVSEMinimumDischargeCurrent"] = rational(ours.discharge_current_minimum, "up")
    response_mode = (BPT_DC_CPDResEnergyTransferModeType if selection.bidirectional else DC_CPDResEnergyTransferModeType)(**values)
    response = DC_ChargeParameterDiscoveryRes(Header=known.header, ResponseCode=Code.OK, DC_CPDResEnergyTransferMode=response_mode)
    return Reply(response, State.DC_SCHEDULE, _learnt(known, car))


def _dc_limits(mode: DC_CPDReqEnergyTransferModeType) -> Limits:
    back = mode if isinstance(mode, BPT_DC_CPDReqEnergyTransferModeType) else None
    return Limits(
        charge_power=number(mode.EVMaximumChargePower),
        charge_power_minimum=number(mode.EVMinimumChargePower),
        charge_current=number(mode.EVMaximumChargeCurrent),
        charge_current_minimum=number(mode.EVMinimumChargeCurrent),
        voltage=number(mode.EVMaximumVoltage),
        voltage_minimum=number(mode.EVMinimumVoltage),
        discharge_power=abs(number(back.EVMaximumDischargePower)) if back else 0.0,
        discharge_power_minimum=abs(number(back.EVMinimumDischargePower)) if back else 0.0,
        discharge_current=abs(number(back.EVMaximumDischargeCurrent)) if back else 0.0,
        discharge_current_minimum=abs(number(back.EVMinimumDischargeCurrent)) if back else 0.0,
    )


def phases(mode: Type, name: str) -> float:
    """The sum of a power over its phases (W); 0 where the type has no such field."""
    values = (getattr(mode, name + suffix, None) for suffix in PHASES)
    return sum(number(value) for value in values if value is not None)


def _discharge(ours: Limits) -> dict[str, RationalNumberType]:
    return {
        "EVSEMaximumDischargePower": rational(ours.discharge_power, "down"),
        "EVSEMinimumDischargePower": rational(ours.discharge_power_minimum, "up"),
    }


def _demand(true: bool, otherwise: str, requirement: str) -> None:
    if not true:
        raise Refused(Code.FAILED_WrongChargeParameter, otherwise, requirement)


def _plausible(car: Limits, names: tuple[str, ...], requirement: str) -> None:
    """No limit below zero, no minimum above its maximum, and something that may flow."""
    for name in names:
        most, least = getattr(car, name), getattr(car, f"{name}_minimum")
        _demand(most >= 0 and least >= 0, f"the car's {name} is {least:g} to {most:g}, below zero", requirement)
        _demand(least <= most, f"the car's {name} has the minimum {least:g} above the maximum {most:g}", requirement)
    _demand(car.charge_power > 0 or car.discharge_power > 0, "the car takes and gives no power", requirement)


def _flows(bidirectional: bool, names: tuple[str, ...]) -> tuple[str, ...]:
    return (*names, *(f"dis{name}" for name in names)) if bidirectional else names


def _common(car: Limits, ours: Limits, names: tuple[str, ...], requirement: str) -> None:
    """What the car can and what the outlet can have values in common: neither needs more than the other has."""
    for name in names:
        (most, least), (our_most, our_least) = ((getattr(x, name), getattr(x, f"{name}_minimum")) for x in (car, ours))
        span = f"{least:g} to {most:g} {_UNITS[name]}, the outlet's is {our_least:g} to {our_most:g} {_UNITS[name]}"
        unused = most == 0 and name != "voltage"  # a direction in which the car takes or gives nothing needs nothing in common
        _demand(unused or (least <= our_most and our_least <= most), f"the car's {name} is {span}", requirement)


def _common_per_phase(mode: Type, ours: Limits, requirement: str) -> None:
    """Where a car speaks of its phases one by one, none may need more than a phase of the outlet has."""
    if all(getattr(mode, f"EVMaximumChargePower{phase}", None) is None for phase in PHASES[1:]):
        return
    for name, most in (("EVMinimumChargePower", ours.charge_power), ("EVMinimumDischargePower", ours.discharge_power)):
        for phase in PHASES:
            least = optional(getattr(mode, name + phase, None))
            has = most / ours.phases
            _demand(
                least is None or abs(least) <= has, f"{name}{phase} is {least or 0:g} W, a phase of the outlet has {has:g} W", requirement
            )


_UNITS = {
    "voltage": "V",
    **dict.fromkeys(("charge_power", "discharge_power"), "W"),
    **dict.fromkeys(("charge_current", "discharge_current"), "A"),
}


def _learnt(known: Context, car: Limits) -> Context:
    return replace(known, car=car, announced=known.outlet.limits)
