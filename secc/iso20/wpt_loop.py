"""WPT_ChargeParameterDiscovery and WPT_ChargeLoop: the station controls the power (W), within the limits of both ends; it only charges."""

from secc.iso20.loop import car_report, common
from secc.iso20.notices import header
from secc.iso20.objections import warning
from secc.iso20.parameters import demand, demand_common, demand_plausible, learnt
from secc.neutral.bounds import Bounds, bounds
from secc.neutral.context import Context, Reply
from secc.neutral.field import obstructed
from secc.station import Limits, Objected, Objection, SetPower
from v2g.iso20.rational import number, rational
from v2g.iso20.sequence import State
from v2g.messages.common_types import responseCodeType as Code
from v2g.messages.wpt import (
    WPT_ChargeLoopReq,
    WPT_ChargeLoopRes,
    WPT_ChargeParameterDiscoveryReq,
    WPT_ChargeParameterDiscoveryRes,
    WPT_EVPCChargeDiagnosticsType,
    WPT_PowerClassType,
    WPT_SPCChargeDiagnosticsType,
)
from v2g.reasons import Reason
from v2g.session.endpoint import Event
from v2g.session.errors import Refused

SAME = 1.0  # W; a power that moves less is not said again to the hardware


def wpt_parameters(request: WPT_ChargeParameterDiscoveryReq, known: Context) -> Reply:
    """Exchange the limits of vehicle and ground device. Raises Refused where they have no power or no ground clearance in common."""
    ours, device = known.outlet.limits, known.outlet.ground_device
    car = Limits(charge_power=number(request.EVPCMaxReceivablePower), discharge_power=0.0)
    demand_plausible(car, ("charge_power",), None)
    demand_common(car, ours, ("charge_power",), None)
    most, least = request.SDMaxGroundClearence, request.SDMinGroundClearence
    own = f"the ground device's is {device.clearance_minimum} to {device.clearance}"
    demand(least <= most, f"the vehicle's ground clearance is {least} to {most}", None)
    demand(
        least <= device.clearance and device.clearance_minimum <= most, f"the vehicle's ground clearance is {least} to {most}, {own}", None
    )
    demand(number(request.EVPCNaturalFrequency) > 0, f"EVPCNaturalFrequency is {number(request.EVPCNaturalFrequency):g} Hz", None)
    response = WPT_ChargeParameterDiscoveryRes(
        Header=header(known),
        ResponseCode=Code.OK,
        PDInputPowerClass=WPT_PowerClassType(device.power_class),
        SDMinOutputPower=rational(ours.charge_power_minimum, "up"),
        SDMaxOutputPower=rational(ours.charge_power, "down"),
        SDMaxGroundClearanceSupport=device.clearance,
        SDMinGroundClearanceSupport=device.clearance_minimum,
        PDMinCoilCurrent=rational(ours.charge_current_minimum, "up"),
        PDMaxCoilCurrent=rational(ours.charge_current, "down"),
    )
    return Reply(response, State.WPT_SCHEDULE, learnt(known, car))


def wpt_charge_loop(request: WPT_ChargeLoopReq, known: Context) -> Reply:
    """Command the power that the vehicle asks for, within the limits of both ends, the schedule and the setpoint, and say what is given.

    While something is on the ground device, or it is too hot, nothing is given, and the vehicle is warned.
    """
    _demand_well(request)
    asked, power = number(request.EVPCPowerRequest), number(request.EVPCPowerOutput)
    known, reports = car_report(request, None, power, known)
    fields, known, relaxed = common(request, power, known)
    allowed, why = bounds(known), obstructed(known)
    target = 0.0 if why or known.standing else _target(asked, allowed, known)
    wants: tuple[Event, ...] = ()
    if known.service.setpoint_wanted is None or abs(known.service.setpoint_wanted - target) >= SAME:
        known, wants = known.with_service(setpoint_wanted=target), (SetPower(known.now, target),)
    if why:
        objection = Objection(Reason.FIELD, why, None)
        fields["ResponseCode"] = warning(objection)
        if known.service.obstruction_told != known.station.ground_since:  # once
            known = known.with_service(obstruction_told=known.station.ground_since)
            wants = (*wants, Objected(known.now, type(request).__name__, warning(objection).value, objection))
    response = WPT_ChargeLoopRes(
        **fields,
        EVPCPowerRequest=rational(target, "down"),
        SDPowerInput=rational(known.station.output.watts),
        SPCMaxOutputPowerLimit=rational(allowed.charge, "down"),
        SPCMinOutputPowerLimit=rational(min(allowed.charge_minimum, allowed.charge), "down"),
        SPCChargeDiagnostics=WPT_SPCChargeDiagnosticsType(f"SPC{known.station.ground}"),
    )
    return Reply(response, known.state, known, (*wants, *reports, *relaxed))


def _demand_well(request: WPT_ChargeLoopReq) -> None:
    """Raises Refused for a vehicle that reports a fault of its own, and for powers out of it."""
    if request.EVPCChargeDiagnostics is not WPT_EVPCChargeDiagnosticsType.EVPCNoIssue:
        raise Refused(Reason.FIELD, f"the vehicle reports {request.EVPCChargeDiagnostics.value}", None)
    for name in ("EVPCPowerRequest", "EVPCPowerOutput"):
        if (value := number(getattr(request, name))) < 0:
            raise Refused(Reason.OTHER, f"{name} is {value:g} W, and this service only charges", None)


def _target(asked: float, allowed: Bounds, known: Context) -> float:
    """The power (W) that the ground device gives now; what it cannot give so weakly it does not give."""
    car, limits = known.service.car or Limits(), [asked, allowed.charge]
    if known.agreement.selected.control == "Scheduled":
        planned = known.service.profile.at(known.wall) if known.service.profile is not None else None
        limits.append(max(planned or 0.0, 0.0))
    power = max(min(*limits, car.charge_power), 0.0)
    return power if power >= known.present_limits.charge_power_minimum else 0.0
