"""The place where the car stands: what may flow there, what it costs and what is lost on the way."""

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo

from v2g.energy.prices import Prices
from v2g.energy.series import Series
from v2g.energy.tariff import Tariff


@dataclass(frozen=True, slots=True)
class Site:
    """Limits and prices at one connection.

    The limits are what is left for this car, in W, as magnitudes: whatever else the connection feeds is subtracted already. A number always
    holds, a series only where it is defined. Export needs a permission, so its limit is 0 unless given. ValueError for a negative limit,
    an efficiency outside (0, 1], a negative wear.
    """

    import_limit: Series | float = math.inf  # W
    export_limit: Series | float = 0.0  # W
    import_prices: Series | None = None  # currency/kWh
    export_prices: Series | None = None  # currency/kWh
    currency: str = "EUR"  # ISO 4217
    efficiency_charge: float = 0.95  # energy that arrives in the battery per energy metered
    efficiency_discharge: float = 0.95  # energy metered per energy that leaves the battery
    wear_cost: float = 0.0  # currency per kWh metered out
    tariff: Tariff = field(default_factory=Tariff)  # taxes and fees besides the prices, which are without the taxes it adds
    daily: Prices | None = None  # by time of day; `at` repeats them over the days that lie ahead
    zone: tzinfo = UTC  # of the time of day of `daily`

    def __post_init__(self) -> None:
        for name in ("import_limit", "export_limit"):
            limit = getattr(self, name)
            lowest = min(limit.values, default=0.0) if isinstance(limit, Series) else limit
            if not lowest >= 0:
                raise ValueError(f"{name} is {lowest} W; limits are magnitudes, 0 or above")
        for name in ("efficiency_charge", "efficiency_discharge"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give a share above 0 and up to 1")
        if not (self.wear_cost >= 0 and math.isfinite(self.wear_cost)):
            raise ValueError(f"wear_cost is {self.wear_cost} {self.currency}/kWh; give a finite cost, 0 or above")

    def at(self, wall: float) -> "Site":
        """The site with prices from `wall` (epoch s) on: daily ones set on the days that lie ahead, others as given."""
        if self.daily is None:
            return self
        ahead = self.daily.upcoming(wall, self.zone, days=3)  # no plan looks further than 48 h
        return replace(self, import_prices=ahead.imports, export_prices=ahead.exports)
