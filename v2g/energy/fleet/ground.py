"""The ground that guests stand on: connection, prices at its meter, what its peak costs."""

import math
from dataclasses import dataclass, field

from v2g.energy.fleet.connection import ALL_PHASES, Connection
from v2g.energy.fleet.shares import Tenant
from v2g.energy.series import Series
from v2g.energy.signal import Signal
from v2g.energy.site import Site


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where a car may come: a guest of that name is there, or names it as its `outlet`. ValueError for a power that is none."""

    name: str
    at: str  # the name of its connection
    power: float  # W that a car draws there at most
    phases: tuple[int, ...] = ALL_PHASES

    def __post_init__(self) -> None:
        if not 0 <= self.power < math.inf:
            raise ValueError(f"the power of outlet {self.name} is {self.power} W; give what a car draws there at most, 0 or above")


@dataclass(frozen=True, slots=True)
class Ground:
    """A connection with what flows through its meter costs. `site` gives prices, efficiencies, wear and taxes; its limits are not read.

    `signals` steer the power at the meter, base load included. ValueError for a price of the peak, or of carbon, that is negative.
    """

    connection: Connection
    site: Site = field(default_factory=Site)
    signals: tuple[Signal, ...] = ()
    peak_price: float = 0.0  # currency per kW of the highest mean over an interval, for the rest of the billing period
    peak_before: float = 0.0  # W that the period pays for already
    carbon: Series | None = None  # g/kWh of what is drawn
    carbon_price: float = 0.0  # currency/kg that a plan counts with, on top of the money
    tenants: tuple[Tenant, ...] = ()  # who have a part of the connection, whatever the others want
    outlets: tuple[Outlet, ...] = ()  # at which cars may come while a plan runs; none: nobody but the guests comes
    crowd: Series | None = (
        None  # W that all who are still to come draw at most, as far as it is foreseen; elsewhere every free outlet counts
    )

    def __post_init__(self) -> None:
        for name in ("peak_price", "peak_before", "carbon_price"):
            if not (getattr(self, name) >= 0 and math.isfinite(getattr(self, name))):
                raise ValueError(f"{name} is {getattr(self, name)}; give a finite number, 0 or above")
