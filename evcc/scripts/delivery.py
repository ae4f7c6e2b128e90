"""Power: from PowerDelivery(Start) through the charge loop to PowerDelivery(Stop)."""

from collections.abc import Callable
from typing import Any

import msgspec

from evcc.car import Car
from evcc.mode import Mode
from evcc.profile import power_profile
from evcc.script import UNSTAMPED, Aside, Part, Wait, ask
from evcc.scripts.schedule import choice, schedule
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
Leave = Session | str | None  # end the session so, or renegotiate, or go on
NOTIFICATIONS: dict[Notification, Leave] = {
    Notification.Terminate: Session.Terminate,
    Notification.Pause: Session.Pause,
    Notification.ServiceRenegotiation: Session.ServiceRenegotiation,
    Notification.ScheduleRenegotiation: RENEGOTIATE,
}

SOONEST = 60.0  # s of wall time between two renegotiations, whoever wants them: each costs both sides a plan and the car its power
LATEST = 900.0  # s; a car without power asks after one minute, two, four, and every quarter of an hour: prices and limits change so


def due(car: Car) -> Leave:
    """Why the car itself leaves the loop, if it does: loops, driver, departure, target, the end of its schedule."""
    wish, goal = car.wish, car.goal
    stays = car.service.bidirectional and (goal.departure is not None or car.service.control == "Scheduled")
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
    """What follows when the schedule brings no more: leave near the target, else ask for another, ever less often while none has power."""
    following, goal = car.choice, car.goal
    assert following is not None
    if following.tuple_id is None:
        return None
    enough, idle = goal.nearly(car.ev), not any(following.powers.values)
    stays = goal.departure is not None and (enough or not idle)
    if car.wall < (following.powers.until if stays else following.until):
        return None
    if enough:
        return Session.Terminate
    patience = min(SOONEST * 2 ** min(car.fruitless - 1, 10), LATEST) if idle else SOONEST
    return RENEGOTIATE if car.wall - following.powers.start >= patience else None


def delivery(car: Car, mode: Mode, leave: Callable[[Car], Leave] = due) -> Part[Session]:
    """Deliver power until `leave` or the station says otherwise; how the session shall go on."""
    why = yield from start(car, mode)
    while True:
        why = why or (yield from loop(car, mode, leave))
        if why == RENEGOTIATE:
            try:
                why = yield from renegotiation(car, mode)
            except PeerIncompatible as error:  # never SessionStop under power
                car.note("no new schedule", why=str(error))
                why = Session.Terminate
        if isinstance(why, Session):
            yield from stop(car, mode)
            return why


def start(car: Car, mode: Mode) -> Part[Leave]:
    """PowerDelivery(Start) with the profile that the car will hold; what the station wants instead, if it does."""
    car.choice = choice(car, mode)
    car.fruitless = 0 if any(car.choice.powers.values) else car.fruitless + 1
    if not car.service.dc:
        car.show("C")  # within 0.25 s of the request [V2G20-847]
    car.delivering = True
    response = yield ask(
        PowerDeliveryReq, EVProcessing=Processing.Finished, ChargeProgress=Progress.Start, EVPowerProfile=power_profile(car.choice)
    )
    mode.begin()
    return refused(car, response) or (yield from notified(car, response))


def stop(car: Car, mode: Mode) -> Part[None]:
    """PowerDelivery(Stop), and what has flowed until now."""
    response: Any = yield ask(PowerDeliveryReq, EVProcessing=Processing.Finished, ChargeProgress=Progress.Stop)
    car.delivering = False
    mode.settle()
    car.note("power stopped", response=response.ResponseCode.value)


def renegotiation(car: Car, mode: Mode) -> Part[Leave]:
    """A new schedule under power. A station that refuses is left in order."""
    car.renegotiated, car.postponed = car.wall, None
    response = yield ask(PowerDeliveryReq, EVProcessing=Processing.Finished, ChargeProgress=Progress.ScheduleRenegotiation)
    if why := refused(car, response):
        return why
    mode.settle()
    yield from schedule(car)
    return (yield from start(car, mode))


def refused(car: Car, response: Any) -> Leave:
    """Leave where the station wants no renegotiation; its other warnings about a profile are told to the trace."""
    code = response.ResponseCode
    if code.value.startswith("WARNING"):
        car.note("warned", code=code.value, of="PowerDelivery")
    return Session.Terminate if code is Code.WARNING_ScheduleRenegotiationFailed else None


def loop(car: Car, mode: Mode, leave: Callable[[Car], Leave]) -> Part[Leave]:
    """The charge loop. The next request follows a response within 0.25 s [V2G20-1499] [V2G20-1501]."""
    while True:
        response: Any = yield mode.loop_request()
        mode.loop_response(response)
        car.loops += 1
        car.meter = response.MeterInfo or car.meter
        asked = yield from notified(car, response)
        if car.stop_asked:  # the driver first, whatever the station asks for
            return Session.Terminate
        why = asked if asked in (Session.Terminate, Session.Pause) else leave(car) or asked
        if why:
            return why
        yield Wait(car.wish.pace)


def notified(car: Car, response: Any) -> Part[Leave]:
    """What EVSEStatus asks for; obeyed at once, which is within any NotificationMaxDelay. Renegotiations are a minute apart."""
    status = response.EVSEStatus
    notification = None if status is None else status.EVSENotification
    if notification is Notification.MeteringConfirmation:
        yield from confirmation(car, response)
    if notification is Notification.ServiceRenegotiation and not car.renegotiable:
        car.note("service renegotiation asked for but not announced", requirement="V2G20-1477")
        return Session.Terminate
    asked = NOTIFICATIONS.get(notification) if notification else None
    if asked not in (RENEGOTIATE, Session.ServiceRenegotiation):
        asked = asked or car.postponed
    if asked not in (RENEGOTIATE, Session.ServiceRenegotiation):
        return asked
    if car.renegotiated is not None and car.wall - car.renegotiated < SOONEST:
        if car.postponed is None:
            car.note("renegotiation postponed", seconds=round(SOONEST - (car.wall - car.renegotiated), 1))
        car.postponed = asked
        return None
    car.renegotiated, car.postponed = car.wall, None
    return asked


def confirmation(car: Car, response: Any) -> Part[None]:
    """Sign the meter reading of this response with the contract, on its side stream [V2G20-1083]."""
    if car.contract is None or response.MeterInfo is None:
        car.note("meter reading not confirmed", why="no contract to sign with" if car.contract is None else "no MeterInfo in the response")
        return
    tuple_id = car.choice.tuple_id if car.choice else None
    data = SignedMeteringDataType(
        Id="id1",
        SessionID=car.session_id,
        MeterInfo=response.MeterInfo,
        Receipt=response.Receipt,
        Dynamic_SMDTControlMode=Dynamic_SMDTControlModeType() if tuple_id is None else None,
        Scheduled_SMDTControlMode=None if tuple_id is None else Scheduled_SMDTControlModeType(SelectedScheduleTupleID=tuple_id),
    )
    header = msgspec.structs.replace(UNSTAMPED, Signature=car.contract.metering(data))
    sent = yield Aside(MeteringConfirmationReq(Header=header, SignedMeteringData=data))
    if sent:
        car.note("meter reading confirmed", wh=response.MeterInfo.ChargedEnergyReadingWh)
