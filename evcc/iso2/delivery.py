"""Power: from PowerDelivery(Start) through the charge loop to PowerDelivery(Stop)."""

from collections.abc import Callable
from typing import Any, Final, Literal

from evcc.iso2.known import Car
from evcc.iso2.mode import Mode, ends
from evcc.iso2.schedule import choice, profile
from evcc.script import Part, Signed, Wait
from pki import signature as xmldsig
from v2g.exi.schema import Type
from v2g.messages import schema_set
from v2g.messages.iso2.msg_body import MeteringReceiptReq, PowerDeliveryReq
from v2g.messages.iso2.msg_data_types import EVSENotificationType
from v2g.messages.iso2.msg_data_types import chargeProgressType as Progress
from v2g.messages.iso2.msg_data_types import chargingSessionType as Session

RENEGOTIATE: Final = "renegotiate the schedule"
Leave = Session | Literal["renegotiate the schedule"] | None  # end the session so, or renegotiate, or go on
SOONEST = 60.0  # s of wall time between two renegotiations, whoever wants them: each costs a DC car its power and a cable check
LATEST = 900.0  # s; a car without power asks after one minute, two, four, and every quarter of an hour


def due(car: Car) -> Leave:
    """How the car itself leaves the charge loop now (loops done, driver, departure, target, schedule over); None: it stays."""
    wish, goal = car.wish, car.goal
    if car.stop_asked:
        return Session.Terminate
    if wish.pause_after is not None and car.loops >= wish.pause_after:
        return Session.Pause
    if wish.loops is not None and car.loops >= wish.loops:
        return Session.Terminate
    if (goal.departure is not None and car.wall >= goal.departure) or goal.reached(car.ev):
        return Session.Terminate
    return used_up(car)


def used_up(car: Car) -> Leave:
    """How the car goes on once its schedule has no more power: leave near the target, else ask for another, ever less often."""
    following = car.known.choice
    if following is None or car.wall < following.until:
        return None
    if car.goal.nearly(car.ev):
        return Session.Terminate
    idle = not any(following.powers.values)
    patience = min(SOONEST * 2 ** min(max(car.known.fruitless - 1, 0), 10), LATEST) if idle else SOONEST
    return RENEGOTIATE if car.wall - following.powers.start >= patience else None


def delivery(car: Car, mode: Mode, leave: Callable[[Car], Leave] = due) -> Part[Session]:
    """Deliver power until `leave` or the station ends it; returns how the session ends."""
    try:
        why = yield from start(car, mode)
        while True:
            why = why or (yield from loop(car, mode, leave))
            if why == RENEGOTIATE:
                why = yield from renegotiation(car, mode)
            if isinstance(why, Session):
                yield from stop(car, mode)
                return why
    finally:
        mode.settle()  # a session that is cut off has taken what it took until then


def start(car: Car, mode: Mode) -> Part[Leave]:
    """PowerDelivery(Start) with the profile that the car will follow; returns what the station wants instead, None: power flows."""
    chosen = car.known.choice = choice(car, mode)
    car.known.fruitless = 0 if any(chosen.powers.values) else car.known.fruitless + 1
    if car.known.service.row.mains:
        car.show("C")
    car.delivering = True
    response = yield delivering(car, mode, Progress.Start, ChargingProfile=profile(chosen, mode.phases))
    mode.begin()
    return notified(car, mode, response)


def delivering(car: Car, mode: Mode, progress: Progress, **fields: Any) -> Type:
    """A PowerDeliveryReq of the schedule that is followed, with the state of the car."""
    state = mode.state(progress is Progress.Start)
    return PowerDeliveryReq(ChargeProgress=progress, SAScheduleTupleID=car.known.tuple_id, EVPowerDeliveryParameter=state, **fields)


def stop(car: Car, mode: Mode) -> Part[None]:
    """PowerDelivery(Stop), after which the energy that flowed until then is counted."""
    mode.cease()
    response: Any = yield delivering(car, mode, Progress.Stop)
    car.delivering = False
    mode.settle()
    car.note("power stopped", response=response.ResponseCode.value)


def renegotiation(car: Car, mode: Mode) -> Part[Leave]:
    """Negotiate a new schedule: power stops, parameters are exchanged anew, in DC the cable is checked again."""
    car.known.renegotiated, car.known.postponed = car.wall, False
    mode.cease()
    response = yield delivering(car, mode, Progress.Renegotiate)
    car.delivering = False
    mode.settle()
    car.open()
    mode.status(response)  # a danger ends it; a stop that it asks for is said again with the answer to Start
    yield from mode.discovery()
    yield from mode.preparation()
    return (yield from start(car, mode))  # PeerIncompatible for an offer without a future: the car leaves in order, power is off


def loop(car: Car, mode: Mode, leave: Callable[[Car], Leave]) -> Part[Leave]:
    """The charge loop; returns how it was left."""
    while True:
        response: Any = yield mode.loop_request()
        asked = notified(car, mode, response)
        mode.loop_response(response)
        car.loops += 1
        car.known.meter = response.MeterInfo or car.known.meter
        if response.ReceiptRequired:
            heard = yield from receipt(car, mode, response)
            asked = heard if isinstance(heard, Session) else asked or heard
        if car.stop_asked:  # the driver first, whatever the station asks for
            return Session.Terminate
        why = asked if isinstance(asked, Session) else leave(car) or asked
        if why:
            return why
        yield Wait(car.wish.pace)


def notified(car: Car, mode: Mode, response: Any) -> Leave:
    """What the EVSEStatus of a response asks for, at once, which is within any NotificationMaxDelay; renegotiations a minute apart."""
    status = mode.status(response)
    if status is None:
        return None
    if ends(status):
        return Session.Terminate
    if not (status.EVSENotification is EVSENotificationType.ReNegotiation or car.known.postponed):
        return None
    since = car.known.renegotiated
    if since is not None and car.wall - since < SOONEST:
        if not car.known.postponed:
            car.note("renegotiation postponed", seconds=round(SOONEST - (car.wall - since), 1))
        car.known.postponed = True
        return None
    return RENEGOTIATE


def receipt(car: Car, mode: Mode, response: Any) -> Part[Leave]:
    """Confirm the meter reading of a response, signed with the contract where the car pays by one; returns what the station wants then.

    A car that has nothing to confirm ends the session.
    """
    if response.MeterInfo is None:
        car.note("meter reading not confirmed", why="no MeterInfo in the response")
        return Session.Terminate
    request = MeteringReceiptReq(Id="id1", SessionID=car.session_id, SAScheduleTupleID=car.known.tuple_id, MeterInfo=response.MeterInfo)
    if car.authorization == "PnC" and car.contract is not None:
        signature = xmldsig.sign([request], car.contract.key, schema_set("iso2"), grammar=car.contract.grammar)
        answer = yield Signed(request, signature)
    else:
        answer = yield request
    car.note("meter reading confirmed", wh=response.MeterInfo.MeterReading)
    return notified(car, mode, answer)
