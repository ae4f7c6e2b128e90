"""DC_ChargeParameterDiscovery: car and outlet tell each other their limits; and what of them makes no sense, for AC too."""

from secc.iso20.notices import header
from secc.neutral.context import Context, Reply
from secc.station import Limits
from v2g.iso20.rational import number, rational, with_discharge_sign
from v2g.iso20.sequence import State
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
from v2g.reasons import Reason
from v2g.session.errors import Refused

DC_WRONG = "V2G20-2272"


def dc_parameters(request: DC_ChargeParameterDiscoveryReq, known: Context) -> Reply:
    """Exchange limits with a car that selected a DC service. Raises Refused where the two have no power, current or voltage in common."""
    mode, selection = request.DC_CPDReqEnergyTransferMode, known.agreement.selected
    expected = BPT_DC_CPDReqEnergyTransferModeType if selection.bidirectional else DC_CPDReqEnergyTransferModeType
    demand(type(mode) is expected, f"{type(mode).__name__} under service {selection.service}", DC_WRONG)
    car = _dc_limits(mode)
    ours = known.outlet.limits  # as in AC
    demand_plausible(car, ("charge_power", "charge_current", "discharge_power", "discharge_current", "voltage"), DC_WRONG)
    demand(car.voltage > 0, f"EVMaximumVoltage is {car.voltage:g} V", DC_WRONG)
    demand(car.charge_current > 0 or car.discharge_current > 0, "the car takes and gives no current", DC_WRONG)
    demand_common(car, ours, ("voltage", *both_ways(selection.bidirectional, ("charge_power", "charge_current"))), DC_WRONG)
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
    response_mode = (BPT_DC_CPDResEnergyTransferModeType if selection.bidirectional else DC_CPDResEnergyTransferModeType)(
        **with_discharge_sign(values, known.outlet.negative_discharge)
    )
    response = DC_ChargeParameterDiscoveryRes(Header=header(known), ResponseCode=Code.OK, DC_CPDResEnergyTransferMode=response_mode)
    return Reply(response, State.DC_SCHEDULE, learnt(known, car))


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


def _discharge(ours: Limits) -> dict[str, RationalNumberType]:
    return {
        "EVSEMaximumDischargePower": rational(ours.discharge_power, "down"),
        "EVSEMinimumDischargePower": rational(ours.discharge_power_minimum, "up"),
    }


def demand(true: bool, otherwise: str, requirement: str | None) -> None:
    """Raises Refused where it is not."""
    if not true:
        raise Refused(Reason.WRONG_PARAMETERS, otherwise, requirement)


def demand_plausible(car: Limits, names: tuple[str, ...], requirement: str | None) -> None:
    """No limit below zero, no minimum above its maximum, and something that may flow."""
    for name in names:
        most, least = getattr(car, name), getattr(car, f"{name}_minimum")
        demand(most >= 0 and least >= 0, f"the car's {name} is {least:g} to {most:g}, below zero", requirement)
        demand(least <= most, f"the car's {name} has the minimum {least:g} above the maximum {most:g}", requirement)
    demand(car.charge_power > 0 or car.discharge_power > 0, "the car takes and gives no power", requirement)


def both_ways(bidirectional: bool, names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of limits, with those of discharging where it may flow back."""
    return (*names, *(f"dis{name}" for name in names)) if bidirectional else names


def demand_common(car: Limits, ours: Limits, names: tuple[str, ...], requirement: str | None) -> None:
    """What the car can and what the outlet can have values in common: neither needs more than the other has."""
    for name in names:
        (most, least), (our_most, our_least) = ((getattr(x, name), getattr(x, f"{name}_minimum")) for x in (car, ours))
        span = f"{least:g} to {most:g} {_UNITS[name]}, the outlet's is {our_least:g} to {our_most:g} {_UNITS[name]}"
        unused = most == 0 and name != "voltage"  # a direction in which the car takes or gives nothing needs nothing in common
        demand(unused or (least <= our_most and our_least <= most), f"the car's {name} is {span}", requirement)


_UNITS = {
    "voltage": "V",
    **dict.fromkeys(("charge_power", "discharge_power"), "W"),
    **dict.fromkeys(("charge_current", "discharge_current"), "A"),
}


def learnt(known: Context, car: Limits) -> Context:
    """The context with what the car can and what it was told of the outlet."""
    return known.with_service(car=car, announced=known.outlet.limits)
