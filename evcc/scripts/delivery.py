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


ASK_AGAIN = 300.0  # s of wall time between two renegotiations that the car wants itself


def due(car: Car) -> Leave:
    """Why the car itself leaves the loop, if it does: loops, driver, departure, target, the end of its schedule."""
    wish, goal, following = car.wish, car.goal, car.choice
    assert following is not None
    stays = car.service.bidirectional and (goal.departure is not None or car.service.control == "Scheduled")
    if wish.pause_after is not None and car.loops >= wish.pause_after:
        return Session.Pause
    if car.stop_asked or (wish.loops is not None and car.loops >= wish.loops):
        return Session.Terminate
    if goal.departure is not None and car.wall >= goal.departure:
        return Session.Terminate
    if goal.reached(car.ev) and not stays:
        return Session.Terminate
    if following.tuple_id is not None and car.wall >= (following.powers.until if goal.departure else following.until):
        if goal.nearly(car.ev):
            return Session.Terminate
        asked = car.renegotiated  # a station that offers no power is asked again, but not in every loop
        return RENEGOTIATE if asked is None or car.wall - asked >= ASK_AGAIN else None
    return None


def delivery(car: Car, mode: Mode, leave: Callable[[Car], Leave] = due) -> Part[Session]:
    """Deliver power until `leave` or the station says otherwise; how the session shall go on."""
    yield from start(car, mode)
    while True:
        why = yield from loop(car, mode, leave)
        if why != RENEGOTIATE:
            yield from stop(car, mode)
            assert isinstance(why, Session)
            return why
        car.renegotiated = car.wall
        try:
            yield from renegotiation(car, mode)
        except PeerIncompatible as error:  # never SessionStop under power
            car.note("no new schedule", why=str(error))
            yield from stop(car, mode)
            return Session.Terminate


def start(car: Car, mode: Mode) -> Part[Any]:
    """PowerDelivery(Start) with the profile that the car will hold."""
    car.choice = choice(car, mode)
    if not car.service.dc:
        car.note("control pilot", state="C")  # within 0.25 s of the request [V2G20-847]
    response = yield ask(
        PowerDeliveryReq, EVProcessing=Processing.Finished, ChargeProgress=Progress.Start, EVPowerProfile=power_profile(car.choice)
    )
    mode.begin()
    return response


def stop(car: Car, mode: Mode) -> Part[None]:
    """PowerDelivery(Stop), and what has flowed until now."""
    response: Any = yield ask(PowerDeliveryReq, EVProcessing=Processing.Finished, ChargeProgress=Progress.Stop)
    mode.settle()
    car.note("power stopped", response=response.ResponseCode.value)


def renegotiation(car: Car, mode: Mode) -> Part[None]:
    """A new schedule under power."""
    response: Any = yield ask(PowerDeliveryReq, EVProcessing=Processing.Finished, ChargeProgress=Progress.ScheduleRenegotiation)
    if response.ResponseCode is Code.WARNING_ScheduleRenegotiationFailed:
        car.note("no new schedule", why="the station does not renegotiate now")  # the loop goes on as it was
        return
    mode.settle()
    yield from schedule(car)
    response = yield from start(car, mode)
    if response.ResponseCode is Code.WARNING_ScheduleRenegotiationFailed:
        raise PeerIncompatible("the station does not go on with the new schedule")


def loop(car: Car, mode: Mode, leave: Callable[[Car], Leave]) -> Part[Leave]:
    """The charge loop. The next request follows a response within 0.25 s [V2G20-1499] [V2G20-1501]."""
    while True:
        response: Any = yield mode.loop_request()
        mode.loop_response(response)
        car.loops += 1
        car.meter = response.MeterInfo or car.meter
        why = yield from notified(car, response)
        why = why or leave(car)
        if why:
            return why
        yield Wait(car.wish.pace)


def notified(car: Car, response: Any) -> Part[Leave]:
    """What EVSEStatus asks for; obeyed at once, which is within any NotificationMaxDelay."""
    if response.EVSEStatus is None:
        return None
    notification = response.EVSEStatus.EVSENotification
    if notification is Notification.MeteringConfirmation:
        yield from confirmation(car, response)
    if notification is Notification.ServiceRenegotiation and not car.renegotiable:
        car.note("service renegotiation asked for but not announced", requirement="V2G20-1477")
        return Session.Terminate
    return NOTIFICATIONS.get(notification)


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
