"""PowerDelivery: the car's profile against the offer, the contactor, the beginning and the end of power."""

from dataclasses import replace

from energy.offer import Tuple
from energy.series import Series, Step
from energy.setpoint import held
from secc.context import Context, Pending, Reply
from secc.station import CloseContactor, OpenContactor, PowerStarted, PowerStopped, ScheduleChosen, SetOutput, SetPower
from v2g.messages.common_messages import (
    EVPowerProfileType,
    PowerDeliveryReq,
    PowerDeliveryRes,
    Scheduled_EVPPTControlModeType,
    chargeProgressType,
    powerToleranceAcceptanceType,
)
from v2g.messages.common_types import processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import Event
from v2g.session.errors import Refused, SequenceError
from v2g.session.rational import number
from v2g.session.sequence import State

CONTACTOR_LIMIT = 1.4  # s to move, so that the answer leaves within the performance time of 1.5 s
CLOCK_SLACK = 30.0  # s by which a profile may lag the schedule it follows: clocks differ, and an answer takes its time
ROUNDING = 1.0  # W that four digits of a rational number may differ
STARTED = {
    State.AC_START: State.AC_LOOP,
    State.AC_LOOP: State.AC_LOOP,
    State.DC_START: State.DC_LOOP,
    State.DC_RESTART: State.DC_LOOP,
    State.DC_LOOP: State.DC_LOOP,
}
STOPPED = {
    State.AC_START: State.SESSION_STOP,
    State.AC_LOOP: State.SESSION_STOP,
    State.DC_CABLE_CHECK: State.SESSION_STOP,
    State.DC_START: State.DC_WELDING,
    State.DC_RESTART: State.DC_WELDING,
    State.DC_LOOP: State.DC_WELDING,
}
RENEGOTIATED = {State.AC_LOOP: State.AC_SCHEDULE, State.DC_LOOP: State.DC_RENEGOTIATION}


def power_delivery(request: PowerDeliveryReq, known: Context) -> Reply | Pending:
    """Start, Stop, Standby or ScheduleRenegotiation."""
    match request.ChargeProgress:
        case chargeProgressType.Start:
            return _start(request, known)
        case chargeProgressType.Stop:
            return _stop(known)
        case chargeProgressType.Standby:
            return Reply(_delivered(known, Code.WARNING_StandbyNotAllowed), known.state, known)
    return _renegotiate(known)


def _delivered(known: Context, code: Code = Code.OK) -> PowerDeliveryRes:
    status = None if known.notice is None else known.notice.status(known.now)
    return PowerDeliveryRes(Header=known.header, ResponseCode=code, EVSEStatus=status)


def _start(request: PowerDeliveryReq, known: Context) -> Reply | Pending:
    then = STARTED.get(known.state)
    if then is None:
        raise SequenceError("power is asked for before the isolation was checked", "V2G20-459")
    if known.stopping:
        raise Refused(Code.FAILED_PowerDeliveryNotApplied, known.stopping)
    if request.EVProcessing is not processingType.Finished and request.EVPowerProfile is None:
        return Reply(_delivered(known), known.state, known)  # the car is not ready yet and asks again
    if request.EVPowerProfile is None:
        raise Refused(Code.FAILED_EVPowerProfileInvalid, "there is no EVPowerProfile")
    profile, chosen, code = _profile(request.EVPowerProfile, known)
    if known.contactor is not True:  # its state, not its edge: it may be closed already
        return _contactor(known, True)
    tuple_id = chosen.id if chosen is not None else None
    started = replace(known, profile=profile, agreement=replace(known.agreement, tuple_id=tuple_id), delivering=True)
    confirmed = None if code is Code.OK else code is Code.OK_PowerToleranceConfirmed
    wants: list[Event] = [ScheduleChosen(known.now, profile, tuple_id, confirmed)]
    if not known.delivering:
        wants.append(PowerStarted(known.now))
    return Reply(_delivered(known, code), then, started, tuple(wants))


def _profile(sent: EVPowerProfileType, known: Context) -> tuple[Series, Tuple | None, Code]:
    """The car's profile (W, signed), the schedule that it follows and the response code. Raises Refused for what was not offered."""
    entries = sent.EVPowerProfileEntries.EVPowerProfileEntry
    if any(entry.Duration == 0 for entry in entries):
        raise Refused(Code.FAILED_EVPowerProfileInvalid, "an entry of EVPowerProfile lasts 0 s", "V2G20-1864")
    powers = (sum(number(p) for p in (entry.Power, entry.Power_L2, entry.Power_L3) if p is not None) for entry in entries)
    profile = Series(sent.TimeAnchor, tuple(Step(entry.Duration, power) for entry, power in zip(entries, powers, strict=True)))
    mode, control = sent.Scheduled_EVPPTControlMode, known.agreement.selected.control
    if (mode is not None) != (control == "Scheduled"):
        raise Refused(Code.FAILED_EVPowerProfileInvalid, f"EVPowerProfile is not of {control} control", "V2G20-1600")
    if mode is None:
        return profile, None, Code.OK
    offered = known.offer.chosen(mode.SelectedScheduleTupleID) if known.offer is not None else None
    if offered is None:
        raise Refused(Code.FAILED_ScheduleSelectionInvalid, f"schedule tuple {mode.SelectedScheduleTupleID} was not offered", "V2G20-1058")
    broken = [v for v in held(profile, offered, max(offered.tolerance or 0.0, ROUNDING)) if v.duration > CLOCK_SLACK]
    if broken:
        raise Refused(Code.FAILED_EVPowerProfileInvalid, f"EVPowerProfile leaves its schedule: {broken[0]}", "V2G20-1864")
    return profile, offered, _tolerance(mode, offered, known)


def _tolerance(mode: Scheduled_EVPPTControlModeType, offered: Tuple, known: Context) -> Code:
    if offered.tolerance is None:
        return Code.OK
    if mode.PowerToleranceAcceptance is powerToleranceAcceptanceType.PowerToleranceConfirmed:
        return Code.OK_PowerToleranceConfirmed
    if known.outlet.tolerance_required:
        raise Refused(Code.FAILED_PowerToleranceNotConfirmed, f"the power tolerance of {offered.tolerance:g} W is a condition here")
    return Code.WARNING_PowerToleranceNotConfirmed


def _contactor(known: Context, closed: bool) -> Pending:
    """Wait for the contactor, which PowerDeliveryRes cannot say; one that does not move is an error [V2G20-847]."""
    until = known.received + CONTACTOR_LIMIT
    if known.now >= until:
        raise Refused(Code.FAILED_ContactorError, f"the contactor did not {'close' if closed else 'open'} within {CONTACTOR_LIMIT:g} s")
    if known.contactor_wanted is closed:
        return Pending(known, until)
    want: Event = CloseContactor(known.now) if closed else OpenContactor(known.now)
    return Pending(replace(known, contactor_wanted=closed), until, (want,))


def _stop(known: Context) -> Reply | Pending:
    """Power off. An AC outlet opens its contactor; a DC outlet keeps it for the welding detection, without voltage."""
    if not known.delivering and not known.pause_proposed:
        raise SequenceError("power is to stop that never started", "V2G20-459")
    off: tuple[Event, ...] = ()
    if known.agreement.selected.dc:
        off = (SetOutput(known.now, 0.0, 0.0),)
        known = replace(known, output_wanted=None)
    elif known.energised and known.contactor is not False:
        waiting = _contactor(known, False)
        return replace(waiting, wants=(SetPower(known.now, 0.0), *waiting.wants) if waiting.wants else ())
    stopped = (*off, PowerStopped(known.now)) if known.delivering else off
    return Reply(_delivered(replace(known, notice=None)), STOPPED[known.state], replace(known, delivering=False, notice=None), stopped)


def _renegotiate(known: Context) -> Reply:
    """Another schedule while the contactor stays closed; a DC output waits for it at no current."""
    then = RENEGOTIATED.get(known.state)
    if then is None or not known.delivering:
        raise SequenceError("a schedule is to be renegotiated that is not in use", "V2G20-459")
    anew = replace(known, needs=None, offer=None, schedule_asked=None, notice=None, output_wanted=None)
    quiet = (SetOutput(known.now, known.target_voltage, 0.0),) if known.agreement.selected.dc else ()
    return Reply(_delivered(anew), then, anew, quiet)
