"""A schedule that is negotiated beside the charge loop, on a side stream: the old schedule binds until PowerDelivery takes the new one.

side    ScheduleExchangeReq (poll) > Finished, the offer is shown
main    charge loops all the while > PowerDelivery with the profile that follows it: the offer binds
"""

from dataclasses import replace

from msgspec.structs import replace as replace_fields

from secc.intent import Wish
from secc.iso20.objections import warning
from secc.iso20.schedule import (
    DONE,
    asking,
    finished_response,
    fitted_offer,
    needs_of,
    ongoing_response,
    reserve_of,
    schedule_exchange,
)
from secc.neutral.context import Aside, Context, Exchange, Reply
from secc.neutral.exchange import equal_needs, overdue, waiting_offer
from secc.neutral.facts import with_wish
from secc.station import Objection, RenegotiationAsked
from v2g.energy.needs import Needs
from v2g.iso20.sequence import State
from v2g.iso20.timing import SECC_ONGOING_TIMEOUT, SECC_SEQUENCE_TIMEOUT
from v2g.messages.common_messages import ScheduleExchangeReq
from v2g.messages.common_types import processingType
from v2g.reasons import Reason
from v2g.session.endpoint import Event
from v2g.session.errors import SequenceError

LAPSE = SECC_SEQUENCE_TIMEOUT  # s from the last word about an offer: who has not taken it over by then does not want it
QUESTIONS = 5.0  # s between two questions to the scheduler: a car that wishes something else with every poll costs a plan each time
AFTER_POWER = (State.SESSION_STOP, State.DC_WELDING)


def schedule(request: ScheduleExchangeReq, known: Context) -> Reply:
    """Answer ScheduleExchangeReq: before power and in a renegotiation of the main stream, or beside the charge loop, by the state."""
    return schedule_exchange(request, known) if known.state in DONE else schedule_beside(request, known)


def schedule_beside(request: ScheduleExchangeReq, known: Context) -> Reply:
    """Answer ScheduleExchangeReq beside the charge loop: Ongoing until there is an offer. Without one the old schedule still holds."""
    if known.state in AFTER_POWER:
        if known.service.aside is None:
            raise SequenceError("a schedule is to be renegotiated that is no longer in use", "V2G20-459")
        return _failed("the power has ended", known)
    if known.stopping:
        return _failed(f"the session is to end: {known.stopping}", known)
    needs = needs_of(request, known)
    known = known.with_service(reserve=reserve_of(needs, known))
    aside = known.service.aside
    if aside is None or (aside.shown is not None and not equal_needs(needs, aside.exchange.needs, known.wall)):
        known = _begun(known)
    return _answered(needs, request.MaximumSupportingPoints, known)


def _begun(known: Context) -> Context:
    """Another exchange: what the station asked for is being followed."""
    wanted = known.session.intent.of(Wish.SCHEDULE) is not None or known.service.coming is not None
    aside = Aside(exchange=Exchange(asked=known.now), wanted=wanted)
    return known.with_service(aside=aside).with_session(intent=known.session.intent.without(Wish.SCHEDULE))


def _answered(needs: Needs, points: int, known: Context) -> Reply:
    aside = known.service.aside
    assert aside is not None
    exchange, wants = aside.exchange, tuple[Event, ...]()
    if not equal_needs(needs, exchange.needs, known.wall):
        offer, since = waiting_offer(needs, known), known.service.questioned
        if offer is not None or since is None or known.now - since >= QUESTIONS:
            exchange = Exchange(needs, exchange.asked, offer, points, known.station.limits)
            known = known.with_service(coming=None)
            if offer is None:
                known, wants = known.with_service(questioned=known.now), (asking(needs, known),)
    if exchange.offer is None or not equal_needs(needs, exchange.needs, known.wall):
        if overdue(exchange, known.now, SECC_ONGOING_TIMEOUT):
            return _failed(f"there is no schedule after {SECC_ONGOING_TIMEOUT:g} s", known)
        known = known.with_service(aside=replace(aside, exchange=exchange))
        return Reply(ongoing_response(known), known.state, known, wants)
    seen = _as_binding(exchange, known)
    exchange = replace(exchange, offer=fitted_offer(exchange.offer, seen))
    response = finished_response(_as_binding(exchange, known))
    shown = replace(aside, exchange=exchange, shown=known.now if aside.shown is None else aside.shown)
    return Reply(response, known.state, known.with_service(aside=shown))


def _as_binding(exchange: Exchange, known: Context) -> Context:
    """What is known as it would be with this exchange on the main stream. A pause is proposed there alone."""
    return known.with_service(exchange=exchange, aside=None, pause_proposed=False)


def _failed(why: str, known: Context) -> Reply:
    """There is no new schedule; the one that binds is said again, for a car that looks at the schedule alone."""
    binding = _as_binding(known.service.exchange, known)
    response = ongoing_response(binding) if binding.service.exchange.offer is None else finished_response(binding)
    objection = Objection(Reason.SCHEDULE_RENEGOTIATION, why, None)
    response = replace_fields(response, ResponseCode=warning(objection), EVSEProcessing=processingType.Finished)
    after = known if known.state in AFTER_POWER else _dropped(known)
    return Reply(response, known.state, after, objection=objection)


def _dropped(known: Context) -> Context:
    """Without the exchange. What the station had asked for it asks again, with the offer that there was."""
    aside = known.service.aside
    if aside is None:
        return known
    known = known.with_service(aside=None)
    if not aside.wanted:
        return known
    if aside.exchange.offer is not None and aside.exchange.needs is not None and known.service.coming is None:
        known = known.with_service(coming=(aside.exchange.offer, aside.exchange.needs))
    return with_wish(RenegotiationAsked("Schedule"), known)


def without_lapsed(known: Context) -> Context:
    """The context without an exchange beside the loop that the car has given up: it neither polls nor takes the offer over."""
    aside = known.service.aside
    since = None if aside is None else aside.exchange.asked if aside.shown is None else aside.shown
    return known if since is None or known.now - since < LAPSE else _dropped(known)


def with_shown(known: Context) -> Context:
    """The context in which the offer shown beside the loop binds, as PowerDelivery takes it over."""
    aside = known.service.aside
    return known if aside is None or aside.shown is None else known.with_service(exchange=aside.exchange, aside=None)
