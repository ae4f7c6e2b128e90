"""DC_ChargeLoop in its four variants (Scheduled or Dynamic, plain or BPT): the station controls the power within the car's limits."""

from secc.iso20.loop import Kinds, car_limits, car_report, common, mobility_fields, response_mode
from secc.iso20.standby import NOTHING
from secc.neutral.bounds import Bounds, bounds
from secc.neutral.context import Context, Reply
from secc.neutral.output import LEAST_VOLTAGE, differs, output, voltage_within
from secc.station import Limits
from v2g.iso20.rational import number, rational, with_discharge_sign
from v2g.messages.common_types import CLReqControlModeType, CLResControlModeType, RationalNumberType
from v2g.messages.dc import (
    BPT_Dynamic_DC_CLReqControlModeType,
    BPT_Dynamic_DC_CLResControlModeType,
    BPT_Scheduled_DC_CLReqControlModeType,
    BPT_Scheduled_DC_CLResControlModeType,
    DC_ChargeLoopReq,
    DC_ChargeLoopRes,
    Dynamic_DC_CLReqControlModeType,
    Dynamic_DC_CLResControlModeType,
    Scheduled_DC_CLReqControlModeType,
    Scheduled_DC_CLResControlModeType,
)
from v2g.session.endpoint import Event

MODES: dict[tuple[str, bool], Kinds] = {
    ("Scheduled", False): (Scheduled_DC_CLReqControlModeType, Scheduled_DC_CLResControlModeType),
    ("Scheduled", True): (BPT_Scheduled_DC_CLReqControlModeType, BPT_Scheduled_DC_CLResControlModeType),
    ("Dynamic", False): (Dynamic_DC_CLReqControlModeType, Dynamic_DC_CLResControlModeType),
    ("Dynamic", True): (BPT_Dynamic_DC_CLReqControlModeType, BPT_Dynamic_DC_CLResControlModeType),
}


def dc_charge_loop(request: DC_ChargeLoopReq, known: Context) -> Reply:
    """Command the output that the car asks for, within the limits of both ends, and say which limit was reached [V2G20-2188]."""
    mode = request.CLReqControlMode
    selection = known.agreement.selected
    kind = response_mode(mode, MODES[selection.control, selection.bidirectional], known)
    power = known.station.output.watts
    known, named = known.with_service(car=car_limits(mode, known)), _voltage(mode, known)
    if not known.standing:
        known = known.with_service(target_voltage=voltage_within(named, known))
    known, reports = car_report(request, mode, power, known)
    fields, known, relaxed = common(request, power, known)
    allowed = bounds(known)
    present = max(number(request.EVPresentVoltage), known.station.output.voltage, LEAST_VOLTAGE)
    wanted, reached = output(named, _wished(mode, allowed, present, known), NOTHING if known.standing else allowed, known, present)
    tell = differs(known.service.output_wanted, wanted) and not known.standing  # which has its output already
    response = DC_ChargeLoopRes(
        **fields,
        EVSEPresentCurrent=rational(known.station.output.current),
        EVSEPresentVoltage=rational(known.station.output.voltage),
        EVSEPowerLimitAchieved="power" in reached,
        EVSECurrentLimitAchieved="current" in reached,
        EVSEVoltageLimitAchieved="voltage" in reached,
        CLResControlMode=_mode(kind, allowed, known),
    )
    wants: tuple[Event, ...] = (wanted,) if tell else ()
    return Reply(
        response,
        known.state,
        known.with_service(output_wanted=wanted if tell else known.service.output_wanted),
        (*wants, *reports, *relaxed),
    )


def _voltage(mode: CLReqControlModeType, known: Context) -> float:
    """The voltage that the car names; where it names none the last one holds [V2G20-2183]."""
    named = getattr(mode, "EVTargetVoltage", None) or getattr(mode, "EVMaximumVoltage", None)
    value = number(named) if named is not None else 0.0
    return value if value > 0 else known.service.target_voltage


def _wished(mode: CLReqControlModeType, allowed: Bounds, present: float, known: Context) -> float:
    """The current (A, negative discharges) that the car asks for, or in Dynamic control the one that makes the power of the station."""
    if isinstance(mode, Scheduled_DC_CLReqControlModeType):
        return number(mode.EVTargetCurrent)
    car = known.service.car or Limits()
    power = known.station.setpoint if known.station.setpoint is not None else allowed.charge
    power = min(max(power, -car.discharge_power), car.charge_power)
    return min(max(power / present, -car.discharge_current), car.charge_current)


def _minimum(least: float, most: float) -> RationalNumberType:
    """A minimum rounds up, as it was announced; one that is the maximum too is the same number."""
    return rational(least, "down" if least == most else "up")


def _mode(kind: type[CLResControlModeType], allowed: Bounds, known: Context) -> CLResControlModeType:
    ours = known.present_limits
    fields = {
        "EVSEMaximumChargePower": rational(allowed.charge, "down"),
        "EVSEMinimumChargePower": _minimum(allowed.charge_minimum, allowed.charge),
        "EVSEMaximumChargeCurrent": rational(ours.charge_current, "down"),
        "EVSEMaximumVoltage": rational(ours.voltage, "down"),
    }
    if known.agreement.selected.bidirectional:
        fields |= {
            "EVSEMaximumDischargePower": rational(allowed.discharge, "down"),
            "EVSEMinimumDischargePower": _minimum(allowed.discharge_minimum, allowed.discharge),
            "EVSEMaximumDischargeCurrent": rational(ours.discharge_current, "down"),
            "EVSEMinimumVoltage": rational(ours.voltage_minimum, "up"),
        }
    return kind(**with_discharge_sign(fields, known.outlet.negative_discharge), **mobility_fields(known))
