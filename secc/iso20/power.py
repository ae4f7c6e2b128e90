"""PowerDelivery: the car's profile is checked against the offer, the contactor moves, power begins and ends."""

from dataclasses import replace
from enum import Enum

from secc.intent import Wish
from secc.iso20.beside import with_shown
from secc.iso20.notices import header, status
from secc.iso20.objections import warning
from secc.iso20.prices import account_from
from secc.iso20.profile import announced
from secc.iso20.standby import stand_by
from secc.neutral.account import bound_prices
from secc.neutral.bounds import bounds
from secc.neutral.contactor import CONTACTOR_LIMIT, wait_for_contactor
from secc.neutral.context import Context, Exchange, Pending, Reply
from secc.neutral.facts import with_wish
from secc.neutral.output import output
from secc.neutral.readiness import unready
from secc.station import Objection, OpenContactor, PowerStarted, PowerStopped, RenegotiationAsked, ScheduleChosen, SetOutput, SetPower
from v2g.iso20.sequence import State
from v2g.messages.common_messages import (
    PowerDeliveryReq,
    PowerDeliveryRes,
    chargeProgressType,
)
from v2g.messages.common_types import processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.session.endpoint import Event
from v2g.session.errors import Refused, SequenceError

STARTED: dict[Enum, State] = {
    State.AC_START: State.AC_LOOP,
    State.AC_LOOP: State.AC_LOOP,
    State.AC_STANDBY: State.AC_LOOP,
    State.WPT_START: State.WPT_LOOP,
    State.WPT_RESTART: State.WPT_LOOP,
    State.WPT_LOOP: State.WPT_LOOP,
    State.WPT_STANDBY: State.WPT_LOOP,
    State.DC_START: State.DC_LOOP,
    State.DC_RESTART: State.DC_LOOP,
    State.DC_LOOP: State.DC_LOOP,
    State.DC_STANDBY: State.DC_LOOP,
}
STOPPED: dict[Enum, State] = {
    State.AC_START: State.SESSION_STOP,
    State.AC_LOOP: State.SESSION_STOP,
    State.AC_STANDBY: State.SESSION_STOP,
    **dict.fromkeys((State.WPT_ALIGNMENT, State.WPT_START, State.WPT_RESTART), State.SESSION_STOP),
    **dict.fromkeys((State.WPT_LOOP, State.WPT_STANDBY), State.SESSION_STOP),
    State.DC_CABLE_CHECK: State.SESSION_STOP,
    State.DC_START: State.DC_WELDING,
    State.DC_RESTART: State.DC_WELDING,
    State.DC_LOOP: State.DC_WELDING,
    State.DC_STANDBY: State.DC_WELDING,
}
RENEGOTIATED: dict[Enum, State] = {
    State.AC_LOOP: State.AC_SCHEDULE,
    State.DC_LOOP: State.DC_RENEGOTIATION,
    State.WPT_LOOP: State.WPT_RENEGOTIATION,
}


def power_delivery(request: PowerDeliveryReq, known: Context) -> Reply | Pending:
    """Answer PowerDeliveryReq by its ChargeProgress: Start, Stop, Standby or ScheduleRenegotiation."""
    match request.ChargeProgress:
        case chargeProgressType.Start:
            return _start(request, known)
        case chargeProgressType.Stop:
            return _stop(known)
        case chargeProgressType.Standby:
            return stand_by(known)
        case chargeProgressType.ScheduleRenegotiation if request.EVPowerProfile is not None and with_shown(known) is not known:
            return _start(request, known)  # it was negotiated beside the loop
    return _renegotiate(known)


def _delivered(known: Context, code: Code = Code.OK) -> PowerDeliveryRes:
    return PowerDeliveryRes(Header=header(known), ResponseCode=code, EVSEStatus=status(known))


def _objecting(known: Context, kind: Reason, reason: str) -> Reply:
    objection = Objection(kind, reason, None)
    return Reply(_delivered(known, warning(objection)), known.state, known, objection=objection)


def _start(request: PowerDeliveryReq, known: Context) -> Reply | Pending:
    then = STARTED.get(known.state)
    if then is None:
        what = "alignment" if known.agreement.selected.row.wireless else "isolation"
        raise SequenceError(f"power is asked for before the {what} was checked", "V2G20-459")
    if known.stopping and not (known.delivering or known.standing):
        raise Refused(Reason.NO_POWER, known.stopping, None)
    if known.stopping:  # in the middle of a renegotiation or a standby: the car is told once more, and may stop in order
        return _declined(known)
    if request.EVProcessing is not processingType.Finished:
        return Reply(_delivered(known), known.state, known)  # the car is not ready yet and asks again
    takes = with_shown(known)
    profile, chosen, confirmed, relaxed = announced(request.EVPowerProfile, takes)
    if (why := unready(known)) is not None:
        if known.now >= known.moment.received + CONTACTOR_LIMIT:
            raise why
        return Pending(known, known.moment.received + CONTACTOR_LIMIT)
    if known.station.contactor is not True:  # its state, not its edge: it may be closed already
        return wait_for_contactor(known, True)
    tuple_id = chosen.id if chosen is not None else None
    started = takes.with_service(profile=profile, delivering=True, may_pause=False)
    started = started.with_session(intent=started.session.intent.without(Wish.POWER))
    started = started.with_agreement(tuple_id=tuple_id, tab=account_from(takes, tuple_id))
    started = started.with_station(contactor_wanted=True)  # the isolation test may have closed it: from now on it is to stay so
    wants: list[Event] = [
        *relaxed,
        ScheduleChosen(known.now, profile, tuple_id, confirmed, *bound_prices(started.agreement.tab, known.wall)),
    ]
    code, objection = Code.OK_PowerToleranceConfirmed if confirmed else Code.OK, None
    if confirmed is False:
        objection = Objection(
            Reason.NO_TOLERANCE, f"the car does not confirm the power tolerance of {chosen.tolerance if chosen else 0:g} W", None
        )
        code = warning(objection)
    if not known.delivering:
        wants.append(PowerStarted(known.now))
    if known.service.coming is not None:  # another offer came after this one was shown
        started = with_wish(RenegotiationAsked("Schedule"), started)
    return Reply(_delivered(known, code), then, started, tuple(wants), objection=objection)


def _declined(known: Context) -> Reply:
    """No power for a car that is to stop. A contactor that was closing for it, out of a standby that has it open, opens again."""
    reply = _objecting(known, Reason.SCHEDULE_RENEGOTIATION, f"the session is to end: {known.stopping}")
    if not known.standing or known.outlet.standby == "closed" or known.station.contactor_wanted is not True:
        return reply
    return replace(reply, known=known.with_station(contactor_wanted=False), wants=(OpenContactor(known.now),))


def _stop(known: Context) -> Reply | Pending:
    """Power off. An AC outlet opens its contactor; a DC outlet keeps it for the welding detection, without voltage."""
    if not known.delivering and not known.service.may_pause and not known.standing:
        raise SequenceError("power is to stop that never started", "V2G20-459")
    off: tuple[Event, ...] = ()
    if known.agreement.selected.dc:
        off = (SetOutput(known.now, 0.0, 0.0),)
        known = known.with_service(output_wanted=None)
    elif known.energised and known.station.contactor is not False:
        opening = wait_for_contactor(known, False)
        return replace(opening, wants=(SetPower(known.now, 0.0), *opening.wants) if opening.wants else ())
    stopped = (*off, PowerStopped(known.now)) if known.delivering else off
    followed = known.session.intent.without(Wish.PAUSE, Wish.POWER, Wish.SERVICE, Wish.SCHEDULE, Wish.METERING)
    known = known.with_service(delivering=False).with_session(intent=followed)
    return Reply(_delivered(known), STOPPED[known.state], known, stopped)


def _renegotiate(known: Context) -> Reply:
    """Another schedule while the contactor stays closed, and no power until it is there: no charge loop would bound it."""
    then = RENEGOTIATED.get(known.state)
    if known.standing:
        return _objecting(
            known, Reason.SCHEDULE_RENEGOTIATION, "the car stands by: a schedule is negotiated beside the loop, or under power"
        )
    if then is None or not known.delivering:
        raise SequenceError("a schedule is to be renegotiated that is not in use", "V2G20-459")
    if known.stopping:
        return _objecting(known, Reason.SCHEDULE_RENEGOTIATION, f"the session is to end: {known.stopping}")
    followed = known.session.intent.without(Wish.SCHEDULE)
    anew = known.with_service(exchange=Exchange(), aside=None, output_wanted=None, setpoint_wanted=None).with_session(intent=followed)
    dc = known.agreement.selected.dc
    quiet = output(known.service.target_voltage, 0.0, bounds(known), known)[0] if dc else SetPower(known.now, 0.0)
    return Reply(_delivered(anew), then, anew, (quiet,))
