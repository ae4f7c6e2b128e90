"""A stationary battery as people declare it, and what it is to a plan: a guest that never leaves and owes nobody a full charge.

What it holds when a plan ends counts with what buying it anew costs in the mean: so it charges where a kWh costs less, gives where one is
worth more by its losses and wear, and is full again where money says nothing. Energy that a car would miss counts far more.
"""

from dataclasses import dataclass, replace
from math import isfinite
from typing import Final, Literal

from v2g.energy.fleet.connection import ALL_PHASES
from v2g.energy.fleet.feeders import TOP
from v2g.energy.fleet.guest import Guest, battery

AHEAD: Final = 86_400.0  # s that its use is planned for: dear and cheap hours come again each day


@dataclass(frozen=True, slots=True)
class Pack:
    """A stationary battery: every key of its table. ValueError for numbers that no battery has."""

    name: str = ""
    feeder: str = TOP  # the connection that it is at
    phases: tuple[int, ...] = ALL_PHASES
    capacity: float = 0.0  # Wh
    charge_power: float = 0.0  # W at its meter
    discharge_power: float = 0.0  # W
    efficiency_charge: float = 0.95
    efficiency_discharge: float = 0.95
    minimum_soc: float = 10.0  # %, below which nothing is taken out of it
    maximum_soc: float = 95.0  # %, above which nothing is put into it
    wear_cost: float = 0.0  # currency per kWh out
    driver: Literal["feed", "simulated"] = "feed"  # who says how full it is, and is told what it shall do

    def __post_init__(self) -> None:
        if not self.name or self.name == TOP:
            raise ValueError(f"a battery is named {self.name!r}; give each a name of its own, other than {TOP!r}")
        for name in ("capacity", "charge_power", "discharge_power"):
            if not (isfinite(value := getattr(self, name)) and value > 0):
                raise ValueError(f"{name} of the battery {self.name} is {value}; give what it has, above 0")
        for name in ("efficiency_charge", "efficiency_discharge"):
            if not 0 < (value := getattr(self, name)) <= 1:
                raise ValueError(f"{name} of the battery {self.name} is {value}; give a share above 0, at most 1")
        if not 0 <= self.minimum_soc < self.maximum_soc <= 100:
            raise ValueError(
                f"the battery {self.name} has {self.minimum_soc} to {self.maximum_soc} %; give 0 <= minimum_soc < maximum_soc <= 100"
            )
        if not (isfinite(self.wear_cost) and self.wear_cost >= 0):
            raise ValueError(f"wear_cost of the battery {self.name} is {self.wear_cost}; give currency per kWh, 0 or above")
        if not self.phases or set(self.phases) - set(ALL_PHASES):
            raise ValueError(f"the battery {self.name} is on the phases {self.phases}; give some of {ALL_PHASES}")

    def guest(self, soc: float, now: float) -> Guest:
        """The battery as it is at `now` (epoch s), with its state of charge in %, for the day to come."""
        most, least = self.maximum_soc / 100 * self.capacity, self.minimum_soc / 100 * self.capacity
        stored = min(max(soc, 0.0), 100.0) / 100 * self.capacity
        made = battery(self.name, self.feeder, self.charge_power, min(stored, most), most, min(least, most), now + AHEAD)
        needs = replace(made.needs, energy_target=made.needs.energy_minimum, discharge_maximum=self.discharge_power)
        losses = (self.efficiency_charge, self.efficiency_discharge)
        return replace(made, needs=needs, phases=self.phases, stores=True, efficiencies=losses, wear_cost=self.wear_cost)


def demand_apart(packs: tuple[Pack, ...], connections: tuple[str, ...], export: float | None) -> None:
    """Raise ValueError unless each battery has a name of its own and a connection that is there, and what the site may feed is said."""
    names = [pack.name for pack in packs]
    for pack in packs:
        if names.count(pack.name) > 1:
            raise ValueError(f"{names.count(pack.name)} batteries are named {pack.name!r}; give each its own")
        if pack.feeder not in connections:
            raise ValueError(f"the battery {pack.name} is at the feeder {pack.feeder!r}; there are {', '.join(connections)}")
    if packs and export is None:
        raise ValueError(f"there is a battery, {packs[0].name}, and no export_limit; give what it may feed into the grid, 0 for nothing")
