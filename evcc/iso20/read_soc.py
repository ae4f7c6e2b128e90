"""A session without energy: the station learns the state of charge, and the car leaves."""

from evcc.goal import Goal
from evcc.iso20.charge import charge
from evcc.iso20.known import Car
from evcc.script import Part


def read_soc(car: Car) -> Part[str]:
    """A session of one charge loop at no power, whose DisplayParameters carry SOC and capacity; no earlier message of -20 does."""
    here = car.ev.soc
    car.goal = Goal(target_soc=here, minimum_soc=here, maximum_soc=here)
    return (yield from charge(car))
