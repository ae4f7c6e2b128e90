"""A car, or a battery that stays, at a connection: what it wants and how it stands to the others."""

import math
from dataclasses import dataclass, replace

from v2g.energy.fleet.connection import ALL_PHASES as ALL_PHASES
from v2g.energy.needs import Needs
from v2g.energy.signal import Signal
from v2g.energy.site import Site
from v2g.energy.stay import Stay, stay_of


@dataclass(frozen=True, slots=True)
class Guest:
    """A car at a connection. Of two guests for whom there is not energy enough the one with the smaller `rank` is served first.

    A car that is still expected has an `arrival` in the future. ValueError for a phase that does not exist.
    """

    name: str
    needs: Needs
    at: str  # the name of its connection
    phases: tuple[int, ...] = ALL_PHASES  # on which it draws, the same on each
    rank: int = 0
    tenant: str = ""
    arrival: float = -math.inf  # epoch s
    signals: tuple[Signal, ...] = ()  # for this car alone
    import_cap: float = math.inf  # W, of its outlet and cable
    export_cap: float = math.inf  # W
    outlet: str = ""  # where it stands; without one the outlet of its own name
    efficiencies: tuple[float, float] | None = None  # of charging and discharging; None: those of the site
    wear_cost: float | None = None  # currency per kWh out; None: that of the site
    stores: bool = False  # what it holds when the plan ends counts with what buying it anew costs in the mean

    def __post_init__(self) -> None:
        if not self.phases or set(self.phases) - set(ALL_PHASES):
            raise ValueError(f"{self.name} is on the phases {self.phases}; give some of {ALL_PHASES}")

    def stay(self, site: Site, now: float) -> Stay:
        """The stay of this car by itself, from `now` (epoch s) or its arrival on, without what it shares.

        Prices are those of the meter, so they come with the axis; here they count only where they decide how long it is, or what it offers.
        """
        own = replace(site, import_limit=self.import_cap, export_limit=self.export_cap)
        if self.needs.departure is not None and self.needs.energy_offer is None:
            own = replace(own, import_prices=None, export_prices=None)
        if self.efficiencies is not None:
            own = replace(own, efficiency_charge=self.efficiencies[0], efficiency_discharge=self.efficiencies[1])
        if self.wear_cost is not None:
            own = replace(own, wear_cost=self.wear_cost)
        return stay_of(self.needs, own, max(now, self.arrival), self.signals)


def battery(name: str, at: str, power: float, stored: float, capacity: float, reserve: float = 0.0, until: float | None = None) -> Guest:
    """A stationary battery as a guest that never leaves: it may give what is above its reserve and ends as full as it began.

    `power` in W both ways, `stored`, `capacity` and `reserve` in Wh. ValueError where it is fuller than full.
    """
    if not 0 <= reserve <= capacity or not 0 <= stored <= capacity:
        raise ValueError(f"the battery {name} holds {stored} Wh and keeps {reserve} Wh of {capacity} Wh; give 0 <= both <= capacity")
    needs = Needs(
        departure=until,
        energy_target=0.0,
        energy_maximum=capacity - stored,
        energy_minimum=min(reserve - stored, 0.0),
        charge_maximum=power,
        discharge_maximum=power,
        bidirectional=True,
    )
    return Guest(name, needs, at)
