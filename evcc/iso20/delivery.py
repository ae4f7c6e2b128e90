"""Power: from PowerDelivery(Start) through the charge loop to PowerDelivery(Stop)."""

from collections.abc import Callable
from typing import Any

import msgspec

from evcc.choice import Choice
from evcc.iso20.beside import Beside
from evcc.iso20.contract import signed_reading
from evcc.iso20.known import Car
from evcc.iso20.mode import Mode
from evcc.iso20.profile import power_profile
from evcc.iso20.requests import UNSTAMPED, ask
from evcc.iso20.schedule import choice, learn, obey, schedule
from evcc.script import Aside, Part, Wait
from v2g.exi.schema import Type
from v2g.messages.common_messages import (
    Dynamic_SMDTControlModeType,
    MeteringConfirmationReq,
    PowerDeliveryReq,
    Scheduled_SMDTControlModeType,
    SignedMeteringDataType,
)
from v2g.messages.common_messages import (
    chargeProgressType as Progress,
)
from v2g.messages.common_messages import (
    chargingSessionType as Session,
)
from v2g.messages.common_types import evseNotificationType as Notification
from v2g.messages.common_types import processingType as Processing
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.errors import PeerIncompatible

RENEGOTIATE = "renegotiate the schedule"
STAND_BY, RESUME = "stand by", "power again"
Leave = Session | str | None  # end the session so, or renegotiate, or go on
NOTIFICATIONS: dict[Notification, Leave] = {
    Notification.Terminate: Session.Terminate,
    Notification.Pause: Session.Pause,
    Notification.ServiceRenegotiation: Session.ServiceRenegotiation,
    Notification.ScheduleRenegotiation: RENEGOTIATE,
    Notification.ExitStandby: RESUME,
}

SOONEST = 60.0  # s of wall time between two renegotiations, whoever wants them: each costs both sides a plan and the car its power
LATEST = 900.0  # s; a car without power asks after one minute, two, four, and every quarter of an hour: prices and limits change so


def due(car: Car) -> Leave:
    """How the car itself leaves the charge loop now (loops done, driver, departure, target, schedule over); None: it stays."""
    wish, goal = car.wish, car.goal
    stays = car.known.service.bidirectional and (goal.departure is not None or car.known.service.control == "Scheduled")
    if car.stop_asked:
        return Session.Terminate
    if wish.pause_after is not None and car.loops >= wish.pause_after:
        return Session.Pause
    if wish.loops is not None and car.loops >= wish.loops:
        return Session.Terminate
    if goal.departure is not None and car.wall >= goal.departure:
        return Session.Terminate
    if goal.reached(car.ev) and not stays:
        return Session.Terminate
    return used_up(car)


def used_up(car: Car) -> Leave:
    """How the car goes on once its schedule has no more power: leave near the target, else ask for another schedule.

    It asks ever less often while the schedules have no power.
    """
    following, goal = car.known.choice, car.goal
    assert following is not None
    if following.tuple_id is None:
        return None
    enough, idle = goal.nearly(car.ev), not any(following.powers.values)
    stays = goal.departure is not None and (enough or not idle)
    if car.wall < (following.powers.until if stays else following.until):
        return None
    if enough:
        return Session.Terminate
    patience = min(SOONEST * 2 ** min(car.known.fruitless - 1, 10), LATEST) if idle else SOONEST
    return RENEGOTIATE if car.wall - following.powers.start >= patience else None


def delivery(car: Car, mode: Mode, leave: Callable[[Car], Leave] = due) -> Part[Session]:
    """Deliver power until `leave` or the station ends it; returns how the session goes on."""
    beside = Beside(car)
    try:
        why = yield from start(car, mode)
        while True:
            why = asked_beside(beside, why) or (yield from loop(car, mode, leave, beside))
            if why == RENEGOTIATE:
                try:
                    why = yield from renegotiation(car, mode)
                except PeerIncompatible as error:  # never SessionStop under power
                    car.note("no new schedule", why=str(error))
                    why = Session.Terminate
            elif why == STAND_BY:
                why = yield from standby(car, mode, leave, beside)
            elif why == RESUME:  # it does not stand by
                why = None
            if isinstance(why, Session):
                yield from stop(car, mode)
                return why
    finally:
        mode.settle()  # a session that is cut off has taken what it took until then


def start(car: Car, mode: Mode) -> Part[Leave]:
    """PowerDelivery(Start) with the profile that the car will follow; returns what the station wants instead, None: power flows."""
    chosen = choice(car, mode)
    if car.known.service.row.mains:
        car.show("C")  # within 0.25 s of the request [V2G20-847]
    car.delivering = True
    response = yield promise(car, chosen)
    mode.begin()
    return refused(car, response) or (yield from notified(car, response))


def asked_beside(beside: Beside, why: Leave) -> Leave:
    """How the loop is left; a wish for another schedule is no reason where the car negotiates it beside the loop."""
    if why != RENEGOTIATE or not beside.used:
        return why
    beside.begin()
    return None


def promise(car: Car, chosen: Choice) -> Type:
    """The PowerDeliveryReq(Start) with the profile that the car will follow from now on."""
    car.known.choice = chosen
    car.known.fruitless = 0 if any(chosen.powers.values) else car.known.fruitless + 1
    return ask(PowerDeliveryReq, EVProcessing=Processing.Finished, ChargeProgress=Progress.Start, EVPowerProfile=power_profile(chosen))


def take_over(car: Car, mode: Mode, offer: Any) -> Part[Leave]:
    """Take over a schedule that was negotiated beside the loop, by PowerDelivery; with an offer the car cannot use, do nothing."""
    before = car.known.offers, car.known.sold
    try:
        learn(car, offer)
        chosen = choice(car, mode)
    except PeerIncompatible as error:
        car.known.offers, car.known.sold = before
        car.note("no new schedule", why=str(error))
        return None
    response = yield promise(car, chosen)
    mode.carry()
    return refused(car, response) or (yield from notified(car, response))


def stop(car: Car, mode: Mode) -> Part[None]:
    """PowerDelivery(Stop), after which the energy that flowed until then is counted."""
    mode.cease()
    response: Any = yield ask(PowerDeliveryReq, EVProcessing=Processing.Finished, ChargeProgress=Progress.Stop)
    car.delivering = False
    mode.settle()
    due = {"owed": car.known.owed.total, "currency": car.known.owed.currency} if car.known.owed is not None else {}
    car.note("power stopped", response=response.ResponseCode.value, **due)


def standby(car: Car, mode: Mode, leave: Callable[[Car], Leave], beside: Beside) -> Part[Leave]:
    """Stand by until `leave` or the station says otherwise; returns how power ends, None: it flows again, or the station has no standby."""
    mode.cease()
    response: Any = yield ask(PowerDeliveryReq, EVProcessing=Processing.Finished, ChargeProgress=Progress.Standby)
    if response.ResponseCode is Code.WARNING_StandbyNotAllowed:
        return refused(car, response)
    mode.rest()
    car.note("stands by")
    why = yield from notified(car, response)
    while not isinstance(why, Session):
        if why == RESUME:
            yield from mode.awakening()
            try:
                return (yield from start(car, mode))
            except PeerIncompatible as error:  # the schedule has run out meanwhile
                car.note("no new schedule", why=str(error))
                return Session.Terminate
        if why == RENEGOTIATE:
            car.known.postponed = why  # for when power flows again
        why = yield from loop(car, mode, leave, beside)
    return why


def renegotiation(car: Car, mode: Mode) -> Part[Leave]:
    """Negotiate a new schedule under power. Where the station refuses, the car leaves in order."""
    car.known.renegotiated, car.known.postponed = car.wall, None
    mode.cease()
    response = yield ask(PowerDeliveryReq, EVProcessing=Processing.Finished, ChargeProgress=Progress.ScheduleRenegotiation)
    if why := refused(car, response):
        return why
    mode.settle()
    yield from schedule(car)
    return (yield from start(car, mode))


def refused(car: Car, response: Any) -> Leave:
    """Leave where the response refuses the renegotiation; its other warnings about the profile are added to the trace."""
    code = response.ResponseCode
    if code.value.startswith("WARNING"):
        car.note("warned", code=code.value, of="PowerDelivery")
    return Session.Terminate if code is Code.WARNING_ScheduleRenegotiationFailed else None


def loop(car: Car, mode: Mode, leave: Callable[[Car], Leave], beside: Beside) -> Part[Leave]:
    """The charge loop; returns how it was left. The next request follows a response within 0.25 s [V2G20-1499] [V2G20-1501]."""
    while True:
        response: Any = yield mode.loop_request()
        mode.loop_response(response)
        if car.known.service.control == "Dynamic":
            obey(car, getattr(response, "CLResControlMode", None))
        car.loops += 1
        yield from mode.aside()
        car.known.meter = response.MeterInfo or car.known.meter
        car.known.receipt = response.Receipt or car.known.receipt
        asked = yield from notified(car, response)
        if car.stop_asked:  # the driver first, whatever the station asks for
            return Session.Terminate
        why = asked if asked in (Session.Terminate, Session.Pause) else leave(car) or asked
        why = asked_beside(beside, why)
        if why is None and (offer := (yield from beside.turn())) is not None:
            why = asked_beside(beside, (yield from take_over(car, mode, offer)))
        if why:
            return why
        yield Wait(car.wish.pace)


def notified(car: Car, response: Any) -> Part[Leave]:
    """Do what the response's EVSEStatus asks for, at once, which is within any NotificationMaxDelay; renegotiations a minute apart."""
    status = response.EVSEStatus
    notification = None if status is None else status.EVSENotification
    if notification is Notification.MeteringConfirmation:
        yield from confirmation(car, response)
    if notification is Notification.ServiceRenegotiation and not car.known.renegotiable:
        car.note("service renegotiation asked for but not announced", requirement="V2G20-1477")
        return Session.Terminate
    asked = NOTIFICATIONS.get(notification) if notification else None
    if asked not in (RENEGOTIATE, Session.ServiceRenegotiation):
        asked = asked or car.known.postponed
    if asked not in (RENEGOTIATE, Session.ServiceRenegotiation):
        return asked
    if car.known.renegotiated is not None and car.wall - car.known.renegotiated < SOONEST:
        if car.known.postponed is None:
            car.note("renegotiation postponed", seconds=round(SOONEST - (car.wall - car.known.renegotiated), 1))
        car.known.postponed = asked
        return None
    car.known.renegotiated, car.known.postponed = car.wall, None
    return asked


def confirmation(car: Car, response: Any) -> Part[None]:
    """Sign the meter reading of this response with the contract, on its side stream [V2G20-1083]."""
    if car.contract is None or response.MeterInfo is None:
        car.note("meter reading not confirmed", why="no contract to sign with" if car.contract is None else "no MeterInfo in the response")
        return
    tuple_id = car.known.tuple_id
    data = SignedMeteringDataType(
        Id="id1",
        SessionID=car.session_id,
        MeterInfo=response.MeterInfo,
        Receipt=response.Receipt,
        Dynamic_SMDTControlMode=Dynamic_SMDTControlModeType() if tuple_id is None else None,
        Scheduled_SMDTControlMode=None if tuple_id is None else Scheduled_SMDTControlModeType(SelectedScheduleTupleID=tuple_id),
    )
    header = msgspec.structs.replace(UNSTAMPED, Signature=signed_reading(car.contract, data))
    sent = yield Aside(MeteringConfirmationReq(Header=header, SignedMeteringData=data))
    if sent:
        car.note("meter reading confirmed", wh=response.MeterInfo.ChargedEnergyReadingWh)
