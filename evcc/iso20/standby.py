"""A car that stands by under way: it takes nothing for a while, stays in the charge loop, and comes back to power."""

from evcc.iso20.charge import charge
from evcc.iso20.delivery import RESUME, STAND_BY, Leave, due
from evcc.iso20.known import Car
from evcc.script import Script


def standby(after: int, seconds: float) -> Script:
    """Charge, stand by after so many loops for so many seconds, and charge on. A station without standby is charged from all along."""
    began: float | None = None

    def leave(car: Car) -> Leave:
        nonlocal began
        if began is None and car.loops >= after:
            began = car.now
            return due(car) or STAND_BY
        if began is not None and began <= car.now - seconds:
            began = float("inf")
            return due(car) or RESUME
        return due(car)

    return lambda car: charge(car, leave)
