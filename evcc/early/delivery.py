"""Power: from the PowerDeliveryReq that begins with it through the charge loop to the one that ends it."""

from collections.abc import Callable
from typing import Any, Final, Literal

from evcc.early.known import Car
from evcc.early.mode import Mode, ends
from evcc.early.schedule import choice
from evcc.early.words import End
from evcc.script import Part, Wait

RENEGOTIATE: Final = "renegotiate the schedule"
Leave = End | Literal["renegotiate the schedule"] | None  # end the session so, or renegotiate, or go on
Receipt = Callable[[Car, Mode, Any], Part[Leave]]
"""Confirms the meter reading of a response, where it asks for that; returns what the station wants then. A car that cannot ends it."""
SOONEST = 60.0  # s of wall time between two renegotiations, whoever wants them: each costs a DC car its power and a cable check
LATEST = 900.0  # s; a car without power asks after one minute, two, four, and every quarter of an hour


def due(car: Car) -> Leave:
    """How the car itself leaves the charge loop now (loops done, driver, departure, target, schedule over); None: it stays."""
    wish, goal = car.wish, car.goal
    if car.stop_asked:
        return "Terminate"
    if wish.pause_after is not None and car.loops >= wish.pause_after:
        return "Pause"
    if wish.loops is not None and car.loops >= wish.loops:
        return "Terminate"
    if (goal.departure is not None and car.wall >= goal.departure) or goal.reached(car.ev):
        return "Terminate"
    return used_up(car)


def used_up(car: Car) -> Leave:
    """How the car goes on once its schedule has no more power: leave near the target, else ask for another, ever less often."""
    following = car.known.choice
    if following is None or car.wall < following.until:
        return None
    if car.goal.nearly(car.ev):
        return "Terminate"
    idle = not any(following.powers.values)
    patience = min(SOONEST * 2 ** min(max(car.known.fruitless - 1, 0), 10), LATEST) if idle else SOONEST
    return RENEGOTIATE if car.wall - following.powers.start >= patience else None


def delivery(car: Car, mode: Mode, leave: Callable[[Car], Leave], receipt: Receipt | None = None) -> Part[End]:
    """Deliver power until `leave` or the station ends it; returns how the session ends."""
    try:
        why = yield from start(car, mode)
        while True:
            why = why or (yield from loop(car, mode, leave, receipt))
            if why == RENEGOTIATE:
                why = yield from renegotiation(car, mode)
            if why == "Terminate" or why == "Pause":
                yield from stop(car, mode)
                return why
    finally:
        mode.settle()  # a session that is cut off has taken what it took until then


def start(car: Car, mode: Mode) -> Part[Leave]:
    """Begin with power by the profile that the car will follow; returns what the station wants instead, None: power flows."""
    chosen = car.known.choice = choice(car, mode, mode.words)
    car.known.fruitless = 0 if any(chosen.powers.values) else car.known.fruitless + 1
    if car.known.service.row.mains:
        car.show("C")
    car.delivering = True
    response = yield mode.words.power_on(car, mode, chosen)
    mode.begin()
    return notified(car, mode, response)


def stop(car: Car, mode: Mode) -> Part[None]:
    """End the power, after which the energy that flowed until then is counted."""
    mode.cease()
    response: Any = yield mode.words.power_off(car, mode.state(False))
    car.delivering = False
    mode.settle()
    car.note("power stopped", response=response.ResponseCode.value)


def renegotiation(car: Car, mode: Mode) -> Part[Leave]:
    """Negotiate a new schedule: power stops, parameters are exchanged anew, in DC the cable is checked again.

    Where the generation has no renegotiation, the car leaves.
    """
    request = mode.words.renegotiation(car, mode)
    if request is None:
        car.note("no renegotiation", why="this generation has none: the car leaves")
        return "Terminate"
    car.known.renegotiated, car.known.postponed = car.wall, False
    mode.cease()
    response = yield request
    car.delivering = False
    mode.settle()
    car.open()
    mode.status(response)  # a danger ends it; a stop that it asks for is said again with the answer to Start
    mode.status(response)  # a danger ends it; a stop that it asks for is said again with the answer to Start
    yield from mode.discovery()
    yield from mode.preparation()
    return (yield from start(car, mode))  # PeerIncompatible for an offer without a future: the car leaves in order, power is off


def loop(car: Car, mode: Mode, leave: Callable[[Car], Leave], receipt: Receipt | None = None) -> Part[Leave]:
    """The charge loop; returns how it was left."""
    while True:
        response: Any = yield mode.loop_request()
        asked = notified(car, mode, response)
        mode.loop_response(response)
        car.loops += 1
        if receipt is not None:
            heard = yield from receipt(car, mode, response)
            asked = heard if heard == "Terminate" else asked or heard
        if car.stop_asked:  # the driver first, whatever the station asks for
            return "Terminate"
        why = asked if asked == "Terminate" else leave(car) or asked
        if why:
            return why
        yield Wait(car.wish.pace)


def notified(car: Car, mode: Mode, response: Any) -> Leave:
    """What the EVSEStatus of a response asks for, at once, which is within any NotificationMaxDelay; renegotiations a minute apart."""
    status = mode.status(response)
    if status is None:
        return None
    asked = status.EVSENotification.value
    if ends(status):
        return "Terminate"
    if not (asked == "ReNegotiation" or car.known.postponed):
        return None
    if not mode.words.renegotiates:
        if not car.known.postponed:
            car.note("no renegotiation", why="the station asks for one, and this generation has none: power goes on")
        car.known.postponed = True
        return None
    since = car.known.renegotiated
    if since is not None and car.wall - since < SOONEST:
        if not car.known.postponed:
            car.note("renegotiation postponed", seconds=round(SOONEST - (car.wall - since), 1))
        car.known.postponed = True
        return None
    return RENEGOTIATE
