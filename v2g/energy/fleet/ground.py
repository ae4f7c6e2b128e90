"""The ground that guests stand on: connection, prices at its meter, what its peak costs."""

import math
from dataclasses import dataclass, field
from typing import Final

from v2g.energy.fleet.connection import Connection
from v2g.energy.series import Series
from v2g.energy.signal import Signal
from v2g.energy.site import Site

SOON: Final = 7_200.0  # s


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
    kept: float = 0.0  # of the import cap, for who is still to come: from `SOON` on, and before it as much less as it is nearer

    def __post_init__(self) -> None:
        if not 0 <= self.kept < 1:
            raise ValueError(f"kept is {self.kept}; give the share of the import cap that is left for cars to come, from 0 to below 1")
        for name in ("peak_price", "peak_before", "carbon_price"):
            if not (getattr(self, name) >= 0 and math.isfinite(getattr(self, name))):
                raise ValueError(f"{name} is {getattr(self, name)}; give a finite number, 0 or above")
