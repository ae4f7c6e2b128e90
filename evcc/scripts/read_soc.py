"""A visit that moves no energy: the station learns the state of charge, and the car leaves."""

from evcc.car import Car
from evcc.goal import Goal
from evcc.script import Part
from evcc.scripts.charge import charge


def read_soc(car: Car) -> Part[str]:
    """One charge loop at no power, whose DisplayParameters carry SOC and capacity: no message before it does in -20."""
    here = car.ev.soc
    car.goal = Goal(target_soc=here, minimum_soc=here, maximum_soc=here)
    return (yield from charge(car))
