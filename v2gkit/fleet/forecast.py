"""What the cars of a site could draw less, or give, and for how long: capacity that may be bid. Pure.

A car can draw less as long as it still makes its driver's departure at full power afterwards; it can give what it has above its reserve
while that holds. What is offered is what is there at the begin of each quarter of an hour for cars that are here now: arrivals are not
foreseen.
"""

from collections.abc import Sequence
from typing import Any, Final

from v2gkit.fleet.decision import Car

QUARTER: Final = 900.0  # s
AHEAD: Final = 16  # quarters of an hour
HOUR: Final = 3_600.0


def slack(car: Car, at: float) -> float:
    """For how long (s) from `at` (epoch s) a car may draw nothing and still leave with what its driver wants."""
    if car.departure is None:
        return 0.0 if car.missing > 0 else QUARTER * AHEAD
    needed = car.missing / car.most * HOUR if car.most > 0 else 0.0
    return max(car.departure - at - needed, 0.0)


def bids(cars: Sequence[Car], at: float) -> list[dict[str, Any]]:
    """For each quarter of an hour to come W that can be drawn less and W that can be given, all of it kept up to then."""
    made = []
    for place in range(AHEAD):
        until = (place + 1) * QUARTER
        able = [car for car in cars if slack(car, at) >= until]
        less = sum(max(car.drawn if car.drawn is not None else car.wanted, 0.0) for car in able)
        give = sum(car.give for car in able)
        made.append({"start": at + place * QUARTER, "seconds": QUARTER, "less": less, "give": give, "cars": len(able)})
    return made
