"""AC_ChargeLoop in its variants: the car controls the power, the station says how much, and what the grid asks of a car that feeds it."""

from typing import Any

from secc.iso20.ac_parameters import spoken
from secc.iso20.grid import heard, loop_fields
from secc.iso20.loop import car_limits, car_report, common, mobility_fields, response_mode
from secc.neutral.bounds import bounds
from secc.neutral.context import Context, Reply
from secc.station import SetPower
from v2g.iso20.modes import ac_modes
from v2g.iso20.phases import PHASES, each, spread
from v2g.iso20.rational import rational, with_discharge_sign
from v2g.messages.ac import AC_ChargeLoopReq, AC_ChargeLoopRes
from v2g.messages.common_types import CLResControlModeType
from v2g.session.endpoint import Event

SAME = 1.0  # W; a target that moves less is not said again to the hardware


def ac_charge_loop(request: AC_ChargeLoopReq, known: Context) -> Reply:
    """Answer with the power that the car shall take: its own profile (Scheduled) or the setpoint (Dynamic), within both sides' limits."""
    mode = request.CLReqControlMode
    selection = known.agreement.selected
    kind = response_mode(mode, ac_modes(selection.row).loop[selection.control], known)
    stated = each(mode, "EVPresentActivePower")
    power = sum(stated)
    known = known.with_service(car=car_limits(mode, known))
    known, news = heard(mode, known)
    known, reports = car_report(request, mode, power, known)
    fields, known, relaxed = common(request, power, known, stated if len(stated) > 1 else ())
    target = _target(known)
    wants: tuple[Event, ...] = ()
    if known.service.setpoint_wanted is None or abs(known.service.setpoint_wanted - target) >= SAME:
        known, wants = known.with_service(setpoint_wanted=target), (SetPower(known.now, target),)
    response = AC_ChargeLoopRes(**fields, CLResControlMode=_mode(kind, target, known))
    return Reply(response, known.state, known, (*wants, *news, *reports, *relaxed))


def _target(known: Context) -> float:
    """Power that the car shall take now (W, negative discharges)."""
    if known.standing:
        return 0.0
    allowed, car = bounds(known), known.service.car
    planned = (
        known.service.profile.at(known.wall)
        if known.service.profile is not None and known.agreement.selected.control == "Scheduled"
        else None
    )
    wanted = planned if planned is not None else known.station.setpoint if known.station.setpoint is not None else allowed.charge
    if car is not None:
        wanted = min(max(wanted, -car.discharge_power), car.charge_power)
    return allowed.clamp(wanted)


def _mode(kind: type[CLResControlModeType], target: float, known: Context) -> CLResControlModeType:
    phases, output = spoken(known), known.station.output
    fields: dict[str, Any] = spread("EVSETargetActivePower", target, phases, "down" if target >= 0 else "up")
    if (reactive := known.station.reactive) is not None and known.agreement.selected.control == "Dynamic":
        fields |= spread("EVSETargetReactivePower", 0.0 if known.standing else reactive, phases, "down" if reactive >= 0 else "up")
    if phases > 1 and len(output.phases) >= phases:
        fields |= {f"EVSEPresentActivePower{name}": rational(watts) for name, watts in zip(PHASES[:phases], output.phases, strict=False)}
    else:
        fields |= spread("EVSEPresentActivePower", output.watts, phases, "nearest")
    return kind(**fields, **mobility_fields(known), **with_discharge_sign(loop_fields(known, phases), known.outlet.negative_discharge))
