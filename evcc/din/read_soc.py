"""A session without power: the station learns the state of charge, and the car leaves."""

from evcc.din.charge import opening
from evcc.din.known import Car
from evcc.din.selection import choosing
from evcc.din.words import WORDS
from evcc.early.charge import in_order, telling
from evcc.script import Part


def read_soc(car: Car) -> Part[str]:
    """A session that ends after ChargeParameterDiscovery, before the cable is checked; returns "Terminate"."""
    yield from opening(car)
    return (yield from in_order(car, WORDS, telling(car, WORDS, choosing)))
