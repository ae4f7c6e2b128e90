"""A session without power: the station learns the state of charge, and the car leaves."""

from evcc.early.charge import in_order, telling
from evcc.iso2.charge import choosing
from evcc.iso2.known import Car
from evcc.iso2.setup import opening
from evcc.iso2.words import WORDS
from evcc.script import Part


def read_soc(car: Car) -> Part[str]:
    """A session that ends after ChargeParameterDiscovery, before the cable is checked; returns "Terminate"."""
    yield from opening(car)
    return (yield from in_order(car, WORDS, telling(car, WORDS, choosing)))
