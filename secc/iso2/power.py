"""PowerDelivery: the car's profile is checked against the offer, the contactor moves, power begins and ends."""

from dataclasses import replace

from secc.intent import Wish
from secc.iso2.notices import status
from secc.iso2.parameters import again
from secc.iso2.schedule import announced
from secc.neutral.account import account_of, bound_prices
from secc.neutral.contactor import CONTACTOR_LIMIT, wait_for_contactor
from secc.neutral.context import Context, Pending, Reply
from secc.neutral.facts import with_wish
from secc.neutral.readiness import unready
from secc.station import OpenContactor, PowerStarted, PowerStopped, RenegotiationAsked, ScheduleChosen, SetOutput, SetPower
from v2g.iso2.sequence import State
from v2g.messages.iso2.msg_body import PowerDeliveryReq, PowerDeliveryRes
from v2g.messages.iso2.msg_data_types import chargeProgressType
from v2g.messages.iso2.msg_data_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.session.endpoint import Event
from v2g.session.errors import Refused, SequenceError


def power_delivery(request: PowerDeliveryReq, known: Context) -> Reply | Pending:
    """Answer PowerDeliveryReq by its ChargeProgress: Start, Stop or Renegotiate."""
    match request.ChargeProgress:
        case chargeProgressType.Start:
            return _start(request, known)
        case chargeProgressType.Stop:
            return _stop(known)
    return _renegotiate(known)


def _delivered(known: Context) -> PowerDeliveryRes:
    return PowerDeliveryRes(ResponseCode=Code.OK, EVSEStatus=status(known))


def _start(request: PowerDeliveryReq, known: Context) -> Reply | Pending:
    dc = known.agreement.selected.dc
    if known.state not in (State.AC_START, State.DC_START):
        raise SequenceError("power is to start that flows", "V2G2-538")
    if known.stopping and not known.delivering:
        raise Refused(Reason.NO_POWER, known.stopping, None)
    profile, chosen = announced(request.SAScheduleTupleID, request.ChargingProfile, known)
    if (why := unready(known)) is not None:
        if known.now >= known.moment.received + CONTACTOR_LIMIT:
            raise why
        return Pending(known, known.moment.received + CONTACTOR_LIMIT)
    if known.station.contactor is not True:
        return wait_for_contactor(known, True)
    started = known.with_service(profile=profile, delivering=True, setpoint_wanted=None).with_agreement(tuple_id=chosen.id)
    started = started.with_agreement(tab=account_of(started, chosen.id))
    wants: list[Event] = [ScheduleChosen(known.now, profile, chosen.id, None, *bound_prices(started.agreement.tab, known.wall))]
    if not known.delivering:
        wants.append(PowerStarted(known.now))
    started = started.with_station(contactor_wanted=True)  # the isolation test may have closed it: from now on it is to stay so
    if known.service.coming is not None:  # another offer came after this one was shown
        started = with_wish(RenegotiationAsked("Schedule"), started)
    return Reply(_delivered(started), State.DC_LOOP if dc else State.AC_LOOP, started, tuple(wants))


def _stop(known: Context) -> Reply | Pending:
    """Power off. An AC outlet opens its contactor; a DC outlet keeps it for the welding detection, without voltage."""
    off: tuple[Event, ...] = ()
    dc = known.agreement.selected.dc
    if dc:
        off = (SetOutput(known.now, 0.0, 0.0),)
        known = known.with_service(output_wanted=None)
    elif known.energised and known.station.contactor is not False:
        opening = wait_for_contactor(known, False)
        return replace(opening, wants=(SetPower(known.now, 0.0), *opening.wants) if opening.wants else ())
    stopped = (*off, PowerStopped(known.now)) if known.delivering else off
    followed = known.session.intent.without(Wish.PAUSE, Wish.SCHEDULE, Wish.METERING)
    known = known.with_service(delivering=False).with_session(intent=followed)
    return Reply(_delivered(known), State.DC_WELDING if dc else State.SESSION_STOP, known, stopped)


def _renegotiate(known: Context) -> Reply:
    """Another schedule. In AC the contactor stays closed, without power; in DC it opens, for the cable is checked again before power."""
    if not known.delivering or known.state not in (State.AC_LOOP, State.DC_LOOP):
        raise SequenceError("a schedule is to be renegotiated that is not in use", "V2G2-538")
    if known.stopping:
        raise Refused(Reason.SCHEDULE_RENEGOTIATION, f"the session is to end: {known.stopping}", None)
    anew = again(known).with_session(intent=known.session.intent.without(Wish.SCHEDULE))
    if not known.agreement.selected.dc:
        return Reply(_delivered(anew), State.PARAMETERS, anew, (SetPower(known.now, 0.0),))
    off = (SetOutput(known.now, 0.0, 0.0), OpenContactor(known.now), PowerStopped(known.now))
    anew = anew.with_service(delivering=False, isolation=None, isolation_asked=None).with_station(contactor_wanted=False)
    return Reply(_delivered(anew), State.PARAMETERS, anew, off)
