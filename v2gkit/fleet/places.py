"""Sites and programs while a fleet runs, and what holds of several programs at once (pure)."""

import math
from dataclasses import dataclass, field
from typing import Final

from v2g.energy.signal import Signal
from v2gkit.fleet.decision import Car, Held, Remembered
from v2gkit.fleet.declared import Asset, Program, Site
from v2gkit.fleet.plans.task import Planned, other
from v2gkit.fleet.shed import Rebound
from v2gkit.grid.standing import Standing

CHANGED: Final = 50.0  # W that an order may differ from the one before without being told


@dataclass
class Place:
    """A site while the process runs."""

    site: Site
    assets: list[Asset]
    before: Remembered = field(default_factory=Remembered)
    held: Held = field(default_factory=Held)
    dirty: bool = True
    cause: str = "the beginning"
    limit: float | None = None  # W that an operator admits
    again: float = math.inf  # tick s at which it is looked at though nothing is new
    plan: Planned | None = None
    edge: float = math.inf  # epoch s at which what is planned changes


@dataclass
class Selling:
    """A program while the process runs: what holds of its signals."""

    program: Program
    standing: Standing = field(default_factory=Standing)
    signals: tuple[Signal, ...] = ()  # what holds, and what is still to come
    rebound: Rebound = field(init=False)

    def __post_init__(self) -> None:
        self.rebound = Rebound(self.program.rebound)


def idle(asset: Asset) -> Car:
    """An asset at which nobody is: it wants nothing, and its draw is known to be nothing."""
    return Car(asset.id, asset.feeder, 0.0, asset.power, phases=asset.phases, drawn=0.0, drawn_at=math.inf)


def differs(before: Car, after: Car) -> bool:
    """Whether a car is another one than before, by more than counts."""
    moved = abs((before.drawn or 0.0) - (after.drawn or 0.0)) > CHANGED or abs(before.wanted - after.wanted) > CHANGED
    return (
        moved
        or other(before.departure, after.departure)
        or (before.drawn is None) != (after.drawn is None)
        or abs(before.give - after.give) > CHANGED
    )


def finite(power: float) -> float | None:
    """A cap (W), None where it is infinite."""
    return power if math.isfinite(power) else None


def both(one: Held, other: Held) -> Held:
    """What holds of two programs: the lower cap of each direction, the setpoint of the first that has one."""
    first = one if _or_inf(one.import_cap) <= _or_inf(other.import_cap) else other
    out = one if _or_inf(one.export_cap) <= _or_inf(other.export_cap) else other
    point = one if one.setpoint is not None else other
    return Held(first.import_cap, first.import_by, out.export_cap, out.export_by, point.setpoint, point.setpoint_by)


def _or_inf(cap: float | None) -> float:
    return math.inf if cap is None else cap
