"""PowerDelivery: the car's profile against the offer, the contactor, the beginning and the end of power."""

from dataclasses import replace

from secc.answers.bounds import bounds
from secc.answers.contactor import CONTACTOR_LIMIT, waiting
from secc.answers.output import output
from secc.answers.profile import announced
from secc.context import Context, Pending, Reply
from secc.facts import asked
from secc.station import Objection, PowerStarted, PowerStopped, RenegotiationAsked, ScheduleChosen, SetOutput, SetPower
from v2g.messages.common_messages import (
    PowerDeliveryReq,
    PowerDeliveryRes,
    chargeProgressType,
)
from v2g.messages.common_types import evseNotificationType as Ask
from v2g.messages.common_types import processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import Event
from v2g.session.errors import Refused, SequenceError
from v2g.session.sequence import State

PRE_CHARGE_MATCH = 20.0  # V between output and target at which contactors may close [IEC 61851-23]
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
            return _objecting(known, Code.WARNING_StandbyNotAllowed, "this outlet has no standby")
    return _renegotiate(known)


def _delivered(known: Context, code: Code = Code.OK) -> PowerDeliveryRes:
    return PowerDeliveryRes(Header=known.header, ResponseCode=code, EVSEStatus=known.status)


def _objecting(known: Context, code: Code, reason: str) -> Reply:
    return Reply(_delivered(known, code), known.state, known, objection=Objection(code, reason, None))


def _start(request: PowerDeliveryReq, known: Context) -> Reply | Pending:
    then = STARTED.get(known.state)
    if then is None:
        raise SequenceError("power is asked for before the isolation was checked", "V2G20-459")
    if known.stopping and not known.delivering:
        raise Refused(Code.FAILED_PowerDeliveryNotApplied, known.stopping, None)
    if known.stopping:  # in the middle of a renegotiation: the car is told once more, and may stop in order
        return _objecting(known, Code.WARNING_ScheduleRenegotiationFailed, f"the session is to end: {known.stopping}")
    if request.EVProcessing is not processingType.Finished:
        return Reply(_delivered(known), known.state, known)  # the car is not ready yet and asks again
    profile, chosen, code, relaxed = announced(request.EVPowerProfile, known)
    if (unready := _unready(known)) is not None:
        if known.now >= known.received + CONTACTOR_LIMIT:
            raise Refused(Code.FAILED_PowerDeliveryNotApplied, unready, None)
        return Pending(known, known.received + CONTACTOR_LIMIT)
    if known.contactor is not True:  # its state, not its edge: it may be closed already
        return waiting(known, True)
    tuple_id = chosen.id if chosen is not None else None
    started = replace(known, profile=profile, agreement=replace(known.agreement, tuple_id=tuple_id), delivering=True, may_pause=False)
    confirmed = None if code is Code.OK else code is Code.OK_PowerToleranceConfirmed
    wants: list[Event] = [*relaxed, ScheduleChosen(known.now, profile, tuple_id, confirmed)]
    objection: Objection | None = None
    if code is Code.WARNING_PowerToleranceNotConfirmed:
        objection = Objection(code, f"the car does not confirm the power tolerance of {chosen.tolerance if chosen else 0:g} W", None)
    if not known.delivering:
        wants.append(PowerStarted(known.now))
    if known.coming is not None:  # another offer came after this one was shown
        started = asked(RenegotiationAsked("Schedule"), started)
    return Reply(_delivered(known, code), then, started, tuple(wants), objection=objection)


def _unready(known: Context) -> str | None:
    """What the contactor still waits for: an AC car's pilot, the voltage of a DC output. Raises Refused for what waiting does not mend."""
    pilot, dc = known.pilot, known.agreement.selected.dc
    if pilot in ("A", "E", "F") or (pilot == "B" and dc):
        raise Refused(Code.FAILED, f"the control pilot is in state {pilot}, the car must ask for energy (C or D)", None)
    if pilot == "B":
        return f"the control pilot stayed in state B for {CONTACTOR_LIMIT:g} s, the car must ask for energy (C or D)"  # [V2G20-847]
    if dc and not known.delivering and not matched(known):
        return (
            f"the output is at {known.output.voltage:.0f} V, the car named {known.target_voltage:.0f} V: contactors must not close on that"
        )
    return None


def matched(known: Context) -> bool:
    """Whether contactors may close on the present output."""
    return abs(known.output.voltage - known.target_voltage) <= PRE_CHARGE_MATCH


def _stop(known: Context) -> Reply | Pending:
    """Power off. An AC outlet opens its contactor; a DC outlet keeps it for the welding detection, without voltage."""
    if not known.delivering and not known.may_pause:
        raise SequenceError("power is to stop that never started", "V2G20-459")
    off: tuple[Event, ...] = ()
    if known.agreement.selected.dc:
        off = (SetOutput(known.now, 0.0, 0.0),)
        known = replace(known, output_wanted=None)
    elif known.energised and known.contactor is not False:
        opening = waiting(known, False)
        return replace(opening, wants=(SetPower(known.now, 0.0), *opening.wants) if opening.wants else ())
    stopped = (*off, PowerStopped(known.now)) if known.delivering else off
    followed = known.intent.without(Ask.Pause, Ask.ServiceRenegotiation, Ask.ScheduleRenegotiation, Ask.MeteringConfirmation)
    known = replace(known, delivering=False, intent=followed)
    return Reply(_delivered(known), STOPPED[known.state], known, stopped)


def _renegotiate(known: Context) -> Reply:
    """Another schedule while the contactor stays closed; a DC output waits for it at no current."""
    then = RENEGOTIATED.get(known.state)
    if then is None or not known.delivering:
        raise SequenceError("a schedule is to be renegotiated that is not in use", "V2G20-459")
    if known.stopping:
        return _objecting(known, Code.WARNING_ScheduleRenegotiationFailed, f"the session is to end: {known.stopping}")
    followed = known.intent.without(Ask.ScheduleRenegotiation)
    anew = replace(known, needs=None, offer=None, schedule_asked=None, intent=followed, output_wanted=None)
    quiet = (output(known.target_voltage, 0.0, bounds(known), known)[0],) if known.agreement.selected.dc else ()
    return Reply(_delivered(anew), then, anew, quiet)
