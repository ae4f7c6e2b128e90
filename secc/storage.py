"""A stationary battery in a yard: what it says of itself, and the watts that it is told. Its meter is believed, its promise is not.

It is planned for with the state of charge that was read last. Once it has been silent for as long as a reading is believed it is told to
stand still, relieves nobody, and takes the room of whatever it drew last: what it does then nobody knows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Final, Protocol

from v2g.energy.fleet.pack import Pack
from v2g.energy.fleet.promises import Party
from v2g.energy.fleet.room import PATIENCE, Demand, Reading
from v2g.energy.plan import Plan
from v2g.energy.setpoint import limits, setpoint
from v2g.energy.site import Site
from v2g.energy.stay import POWER_BOUND

LAST: Final = 1_000_000  # rank: cars come first, whatever is left is for batteries
Tell = Callable[[float], None]


class Home(Protocol):
    """The yard of a battery: it knows the time, and plans."""

    def wall(self) -> float:
        """The present time (epoch s)."""

    def plan(self) -> None:
        """Make a plan for all who are here."""


@dataclass(slots=True)
class Storage:
    """One battery of a yard. `tell` takes the power (W, signed) that it shall have, each second; before that `look` lets it report."""

    yard: Home
    pack: Pack
    tell: Tell = lambda power: None
    look: Callable[[], None] = lambda: None
    soc: float | None = None  # %
    measured: Reading | None = None
    plan: Plan | None = None
    heard: bool = False  # at the last look

    def reports(self, soc: float, power: float) -> None:
        """Take the state of charge (%) and the power (W, + is drawn) at its meter now. ValueError for what no battery says."""
        if not (0 <= soc <= 100 and isfinite(power) and abs(power) <= POWER_BOUND):
            raise ValueError(f"the battery {self.pack.name} says {soc} % and {power} W; give 0 to 100 %, and a power")
        self.soc, self.measured = soc, Reading(power, self.yard.wall())
        if not self.heard:
            self.heard = True
            self.yard.plan()

    def there(self, wall: float) -> bool:
        """Whether what it said last is young enough (epoch s) to go by."""
        return self.measured is not None and self.soc is not None and wall - self.measured.at <= PATIENCE

    def due(self, wall: float) -> float:
        """W, signed, that the plan wants of it now; nothing without a plan, or where nobody knows how full it is."""
        return self.demand(wall).wanted

    def demand(self, wall: float) -> Demand:
        """What the dispatcher is asked for."""
        pack = self.pack
        if not self.there(wall):
            return Demand(pack.name, pack.feeder, 0.0, 0.0, phases=pack.phases, rank=LAST, measured=self.measured)
        assert self.soc is not None
        needs = pack.guest(self.soc, wall).needs
        site = Site(export_limit=POWER_BOUND, efficiency_charge=pack.efficiency_charge, efficiency_discharge=pack.efficiency_discharge)
        most = limits(needs, site, wall)
        wanted = 0.0 if self.plan is None else setpoint(self.plan, needs, site, wall)
        return Demand(pack.name, pack.feeder, wanted, most.charge, most.discharge, phases=pack.phases, rank=LAST, measured=self.measured)

    def party(self, wall: float) -> Party:
        """What the plan is asked for."""
        assert self.soc is not None
        return Party(self.pack.guest(self.soc, wall))

    def turned(self, wall: float) -> bool:
        """Whether it has fallen silent since the last look: then it has no plan any more."""
        before, self.heard = self.heard, self.there(wall)
        if not self.heard:
            self.plan = None
        return before and not self.heard
