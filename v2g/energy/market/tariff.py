"""From a spot price to what a kWh costs: time of use by the clocks of a zone, fees, levies, taxes; and the demand charge."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Final

from v2g.energy.ledger.transaction import millionths
from v2g.energy.prices import Prices
from v2g.energy.series import Series, Step

STEP: Final = 900  # s: bands change at quarter hours, as every tariff's do
DAY: Final = 86_400
LONGEST: Final = 366  # days of a series of bands
MONDAY_TO_FRIDAY: Final = frozenset(range(5))
EVERY_DAY: Final = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Band:
    """A price from one time of day to another, s after midnight by the clocks; `start` >= `until` reaches over midnight.

    The part after midnight belongs to the weekday on which the band began. Of two bands that fit, the first holds.
    """

    price: float  # currency/kWh
    start: int = 0  # s
    until: int = DAY  # s
    weekdays: frozenset[int] = EVERY_DAY  # 0 is Monday
    first: date | None = None
    last: date | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.start < DAY and 0 < self.until <= DAY and self.start % STEP == self.until % STEP == 0):
            raise ValueError(f"a band lasts from {self.start} to {self.until} s after midnight; give quarter hours of a day")
        if not (math.isfinite(self.price) and self.weekdays <= EVERY_DAY):
            raise ValueError(f"a band has the price {self.price} on weekdays {sorted(self.weekdays)}; give a finite price, and 0 to 6")

    def holds(self, day: date, second: int, yesterday: date) -> bool:
        """Whether it holds at a second of a local day."""
        if self.start < self.until:
            return self.start <= second < self.until and self._on(day)
        return (second >= self.start and self._on(day)) or (second < self.until and self._on(yesterday))

    def _on(self, day: date) -> bool:
        return day.weekday() in self.weekdays and (self.first is None or day >= self.first) and (self.last is None or day <= self.last)


def banded(bands: Sequence[Band], start: float, until: float, zone: tzinfo) -> Series:
    """The prices of the bands over [start, until) (epoch s), quarter hour by quarter hour as the clocks show it.

    18:00 stays 18:00 on days of 23 and 25 hours; the hour that is there twice has its price twice. ValueError where no band holds.
    """
    if not 0 < until - start <= LONGEST * DAY:
        raise ValueError(f"prices from {start} to {until} are wanted; give at most {LONGEST} days")
    pairs: list[tuple[float, float]] = []
    at = start // STEP * STEP
    while at < until:
        local = datetime.fromtimestamp(at, zone)
        second = local.hour * 3_600 + local.minute * 60 + local.second
        yesterday = date.fromordinal(local.toordinal() - 1)
        found = next((band for band in bands if band.holds(local.date(), second, yesterday)), None)
        if found is None:
            raise ValueError(f"no band has a price for {local:%A %Y-%m-%d %H:%M}; let the last band hold all day")
        pairs.append((max(at, start), found.price))
        at += STEP
    return Series.from_pairs(pairs, until).merged()


@dataclass(frozen=True, slots=True)
class Retail:
    """What a supplier makes of a spot price, currency/kWh; taxes in % of all of it. Export is taxed by nobody here."""

    fee: float = 0.0  # the supplier's, on import
    grid: tuple[Band, ...] = ()  # use of the network, by time of use
    levies: float = 0.0
    tax: float = 0.0  # %
    export_share: float = 1.0  # of the spot price
    export_fee: float = 0.0  # taken off it
    floor: float = -math.inf  # export is never paid less than this

    def __post_init__(self) -> None:
        finite = all(map(math.isfinite, (self.fee, self.levies, self.tax, self.export_share, self.export_fee)))
        if not (finite and 0 <= self.tax <= 1_000 and 0 <= self.export_share <= 10):
            raise ValueError(f"a tax of {self.tax} % or an export share of {self.export_share} is none; give 0 to 1000, 0 to 10")

    def prices(self, spot: Series, zone: tzinfo, currency: str | None = None) -> Prices:
        """Import and export prices over the span of a spot price (currency/kWh)."""
        fees = banded(self.grid, spot.start, spot.until, zone) if self.grid else Series.constant(spot.start, spot.duration, 0.0)
        edges = sorted({*spot.edges(), *fees.edges()})
        cuts = [edge for place, edge in enumerate(edges[:-1]) if edges[place + 1] - edge > 1e-6]
        rows = list(zip(cuts, spot.sample(cuts), fees.sample(cuts), strict=True))
        factor = 1.0 + self.tax / 100.0
        buys = [(at, ((price or 0.0) + (fee or 0.0) + self.fee + self.levies) * factor) for at, price, fee in rows]
        sells = [(at, max((price or 0.0) * self.export_share - self.export_fee, self.floor)) for at, price, _ in rows]
        return Prices(Series.from_pairs(buys, spot.until).merged(), Series.from_pairs(sells, spot.until).merged(), currency)


@dataclass(frozen=True, slots=True)
class DemandCharge:
    """A price for the highest mean power of any window: currency per kW and billing period. `free`: W that cost nothing."""

    price: float  # currency/kW
    window: int = STEP  # s
    free: float = 0.0  # W

    def __post_init__(self) -> None:
        if not (self.price >= 0 and math.isfinite(self.price) and self.window > 0 and self.free >= 0):
            raise ValueError(f"a demand charge of {self.price} per kW over {self.window} s; give a finite price and a window above 0")

    def peak(self, power: Series) -> float:
        """The highest mean import (W) of the windows that begin at multiples of `window`; outside the series nothing flows."""
        if not power.steps:
            return 0.0
        start = power.start // self.window * self.window
        ahead = power.start - start
        steps = (Step(ahead, 0.0), *power.steps) if ahead > 0 else power.steps
        padded = Series(start, steps).map(lambda value: max(value, 0.0))
        left = -padded.duration % self.window
        whole = padded.then(Series.constant(padded.until, left, 0.0)) if left > 1e-6 else padded
        return max(whole.resample(self.window).values)

    def due(self, power: Series, before: float = 0.0) -> int:
        """Millionths of the currency that the power adds to a period whose peak so far was `before` (W)."""
        reached, had = (max(value - self.free, 0.0) for value in (max(self.peak(power), before), before))
        return millionths((reached - had) / 1_000.0 * self.price)
