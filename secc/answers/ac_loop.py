"""AC_ChargeLoop in its four variants: the car moves the power, the station says how much."""

from dataclasses import replace

from secc.answers.bounds import bounds
from secc.answers.loop import Modes, admitted, car_limits, common, reported
from secc.answers.parameters import phases
from secc.context import Context, Reply
from secc.station import SetPower
from v2g.messages.ac import (
    AC_ChargeLoopReq,
    AC_ChargeLoopRes,
    BPT_Dynamic_AC_CLReqControlModeType,
    BPT_Dynamic_AC_CLResControlModeType,
    BPT_Scheduled_AC_CLReqControlModeType,
    BPT_Scheduled_AC_CLResControlModeType,
    Dynamic_AC_CLReqControlModeType,
    Dynamic_AC_CLResControlModeType,
    Scheduled_AC_CLReqControlModeType,
    Scheduled_AC_CLResControlModeType,
)
from v2g.messages.common_types import CLResControlModeType
from v2g.session.endpoint import Event
from v2g.session.rational import rational
from v2g.session.sequence import State

MODES: Modes = {
    ("Scheduled", False): (Scheduled_AC_CLReqControlModeType, Scheduled_AC_CLResControlModeType),
    ("Scheduled", True): (BPT_Scheduled_AC_CLReqControlModeType, BPT_Scheduled_AC_CLResControlModeType),
    ("Dynamic", False): (Dynamic_AC_CLReqControlModeType, Dynamic_AC_CLResControlModeType),
    ("Dynamic", True): (BPT_Dynamic_AC_CLReqControlModeType, BPT_Dynamic_AC_CLResControlModeType),
}
SAME = 1.0  # W; a target that moves less is not said again to the hardware


def ac_charge_loop(request: AC_ChargeLoopReq, known: Context) -> Reply:
    """The target is the car's own plan within the schedule, or the setpoint; both within what outlet and car can do."""
    mode = request.CLReqControlMode
    kind = admitted(mode, MODES, known)
    power = phases(mode, "EVPresentActivePower")
    known = replace(known, car=car_limits(mode, known))
    known, reports = reported(request, mode, power, known)
    fields, known, relaxed = common(request, power, known)
    target = _target(known)
    wants: tuple[Event, ...] = ()
    if known.setpoint_wanted is None or abs(known.setpoint_wanted - target) >= SAME:
        known, wants = replace(known, setpoint_wanted=target), (SetPower(known.now, target),)
    response = AC_ChargeLoopRes(**fields, CLResControlMode=_mode(kind, target, known))
    return Reply(response, State.AC_LOOP, known, (*wants, *reports, *relaxed))


def _target(known: Context) -> float:
    """Power that the car shall take now (W, negative discharges)."""
    allowed, car = bounds(known), known.car
    planned = known.profile.at(known.wall) if known.profile is not None and known.agreement.selected.control == "Scheduled" else None
    wanted = planned if planned is not None else known.setpoint if known.setpoint is not None else allowed.charge
    if car is not None:
        wanted = min(max(wanted, -car.discharge_power), car.charge_power)
    return allowed.clamp(wanted)


def _mode(kind: type[CLResControlModeType], target: float, known: Context) -> CLResControlModeType:
    fields = {
        "EVSETargetActivePower": rational(target, "down" if target >= 0 else "up"),
        "EVSEPresentActivePower": rational(known.output.watts),
    }
    return kind(**fields)
