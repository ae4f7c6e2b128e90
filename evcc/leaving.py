"""How a car leaves in order, whatever generation it speaks: when its driver wants to, and where it must not go on."""

from collections.abc import Callable
from typing import Any

from evcc.car import Car
from evcc.script import Part, Step
from v2g.exi.schema import Type
from v2g.session.errors import PeerIncompatible, PeerUnsafe, SessionError

Goodbye = Callable[[str, str], Type]
"""Makes the request that ends a session, from a code and the reason in words, as far as the generation can say them."""


def orderly(car: Car[Any], part: Part[str], off: Callable[[PeerUnsafe], Type], goodbye: Goodbye) -> Part[str]:
    """Run a part of a script; where both sides have nothing in common or the station is unsafe, end by the request that `goodbye` makes.

    Before that an unsafe station's car opens its contactors, and where power flows it sends the request that `off` makes of the fault.
    """
    try:
        return (yield from part)
    except PeerIncompatible as error:
        car.note("incompatible", why=str(error))
        car.open()
        yield goodbye("incompatible", str(error))
        raise
    except PeerUnsafe as fault:
        car.note("unsafe", why=str(fault), requirement=fault.requirement)
        car.make_safe()
        try:
            if car.delivering:
                yield off(fault)
                car.delivering = False
            yield goodbye("unsafe", str(fault))
        except SessionError as error:  # why the car leaves is the first fault, not that the station does not take it well
            car.note("no orderly end", why=str(error))
        raise


def heeding(car: Car[Any], part: Part[str], towards_power: Callable[[Step], bool], goodbye: Goodbye, over: str) -> Part[str]:
    """Run a part of a script, and end it as `over` once the driver wants to leave, before a step that goes `towards_power`.

    The charge loop ends by itself.
    """
    move: Callable[[], Step] = lambda: next(part)  # noqa: E731
    while True:
        try:
            step = move()
        except StopIteration as end:
            return str(end.value)
        if car.stop_asked and towards_power(step):
            part.close()
            car.note("leaving", why=car.stop_asked)
            yield goodbye("stopped", car.stop_asked)  # the station makes its outlet safe before it answers
            return over
        move = yield from answered(part, step)


def answered(part: Part[Any], step: Step) -> Part[Callable[[], Step]]:
    """Do a step; returns a function by which the script resumes: with the answer, or with the exception."""
    try:
        answer = yield step
    except SessionError as error:
        fault = error
        return lambda: part.throw(fault)
    return lambda: part.send(answer)
