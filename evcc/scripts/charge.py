"""The usual visit: connect, authorize, choose a service, charge (or discharge), leave. Pause, resume and renegotiation included."""

from collections.abc import Callable

from evcc.ac import Ac
from evcc.car import Car
from evcc.dc import Dc
from evcc.mode import Mode
from evcc.script import Part, ask
from evcc.scripts.authorization import authorization
from evcc.scripts.delivery import Leave, delivery, due
from evcc.scripts.opening import opening
from evcc.scripts.schedule import schedule
from evcc.scripts.selection import selection
from v2g.messages.common_messages import SessionStopReq
from v2g.messages.common_messages import chargingSessionType as Session
from v2g.session.errors import PeerIncompatible


def charge(car: Car, leave: Callable[[Car], Leave] = due) -> Part[str]:
    """A whole session. With `car.memory` it joins the paused session if the station still knows it, and starts anew if not."""
    if (yield from opening(car)):
        return (yield from orderly(car, visit(car, leave, selected=True)))
    return (yield from orderly(car, first(car, leave)))


def first(car: Car, leave: Callable[[Car], Leave]) -> Part[str]:
    """From authorization on."""
    yield from authorization(car)
    return (yield from visit(car, leave))


def visit(car: Car, leave: Callable[[Car], Leave], selected: bool = False) -> Part[str]:
    """Services one after the other until the car pauses or leaves; service renegotiation comes back to the discovery [V2G20-1477]."""
    while True:
        if not selected:
            yield from selection(car)
        how = yield from energy(car, leave)
        yield ask(SessionStopReq, ChargingSession=how)
        if how is Session.Pause:
            car.memory = car.remember()
        if how is not Session.ServiceRenegotiation:
            return str(how.value)
        selected = False


def mode_of(car: Car) -> Mode:
    """The energy side of the selected service."""
    return Dc(car) if car.service.dc else Ac(car)


def energy(car: Car, leave: Callable[[Car], Leave]) -> Part[Session]:
    """One service from its parameters to the end of power."""
    mode = mode_of(car)
    yield from mode.discovery()
    yield from schedule(car)
    yield from mode.preparation()
    how = yield from delivery(car, mode, leave)
    yield from mode.conclusion()
    return how


def orderly(car: Car, part: Part[str]) -> Part[str]:
    """Where both sides cannot come together the car says goodbye, and why, before it goes."""
    try:
        return (yield from part)
    except PeerIncompatible as error:
        car.note("incompatible", why=str(error))
        yield ask(
            SessionStopReq, ChargingSession=Session.Terminate, EVTerminationCode="incompatible", EVTerminationExplanation=str(error)[:160]
        )
        raise
