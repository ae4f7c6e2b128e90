"""Prices as somebody else states them, to be passed on to a car whole: a price schedule with its rules and conditions, or price levels.

A power range is counted like power: it begins at its `power_from` and reaches up to the next one; below 0 W lies what the car gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from v2g.energy.series import Series
from v2g.energy.tariff import HOUR, Extra, Overstay, Tariff, Tax

Way = Literal["in", "out", "both"]  # of the energy: into the car, out of it


@dataclass(frozen=True, slots=True)
class PriceRule:
    """What holds for a power range: the price of a kWh, the fee for parking, and where the energy comes from."""

    energy: float  # currency/kWh
    power_from: float = 0.0  # W
    parking: float | None = None  # currency per period
    parking_period: int | None = None  # s
    carbon: int | None = None  # g/kWh
    renewable: int | None = None  # %


@dataclass(frozen=True, slots=True)
class PriceStep:
    """The rules that hold for a time, ascending by power."""

    duration: int  # s
    rules: tuple[PriceRule, ...]

    def way(self, way: Way) -> tuple[PriceRule, ...]:
        """The rules for one direction. Energy into the car below the first range from 0 W up is of the range before, told from 0 W."""
        if way == "both":
            return self.rules
        out = tuple(rule for rule in self.rules if rule.power_from < 0)
        into = self.rules[len(out) :]
        if way == "in" and out and not any(rule.power_from == 0 for rule in into):
            into = (replace(out[-1], power_from=0.0), *into)
        return out if way == "out" else into


@dataclass(frozen=True, slots=True)
class TaxRule:
    """A tax under the number by which bills refer to it; `name` may be empty, `included` unsaid."""

    id: int
    rate: float  # %
    name: str = ""
    included: bool | None = None
    energy: bool = True
    parking: bool = True
    overstay: bool = True
    bounds: bool = False


@dataclass(frozen=True, slots=True)
class PriceSchedule:
    """Prices over time with all their conditions."""

    id: int
    anchor: float  # epoch s
    steps: tuple[PriceStep, ...]
    currency: str = "EUR"  # ISO 4217
    language: str = "en"
    algorithm: str = ""
    description: str = ""
    minimum: float | None = None  # currency
    maximum: float | None = None  # currency
    taxes: tuple[TaxRule, ...] = ()
    overstay: tuple[Overstay, ...] = ()
    overstay_after: int | None = None  # s
    overstay_below: float | None = None  # W
    services: tuple[Extra, ...] = ()

    def shift(self, seconds: float) -> "PriceSchedule":
        """The schedule by another clock."""
        return replace(self, anchor=self.anchor + seconds)

    def way(self, way: Way) -> "PriceSchedule | None":
        """The schedule for one direction; None where a step has no price for it."""
        steps = tuple(replace(step, rules=step.way(way)) for step in self.steps)
        return replace(self, steps=steps) if all(step.rules for step in steps) else None

    def series(self, way: Way, start: float, until: float) -> Series | None:
        """The price next to 0 W (currency/kWh, taxes as stated) within [start, until); a price that ends before holds on. None: none."""
        one = self.way(way)
        begin, pairs = self.anchor, list[tuple[float, float]]()
        for step in one.steps if one is not None else ():
            pairs.append((begin, step.rules[-1 if way == "out" else 0].energy))
            begin += step.duration
        ahead = [pair for pair in pairs if pair[0] < until]
        if not ahead:
            return None
        return Series.from_pairs([(min(ahead[0][0], start), ahead[0][1]), *ahead[1:]], until).clip(start, until)

    @property
    def billable(self) -> bool:
        """Whether a station can bill by it: one range in each direction, and one fee for parking all the time."""
        single = all(len(step.way(way)) <= 1 for step in self.steps for way in ("in", "out"))
        return single and len({(rule.parking, rule.parking_period) for step in self.steps for rule in step.way("in")}) <= 1

    @property
    def tariff(self) -> Tariff:
        """The conditions besides the price of energy. ValueError for conditions that contradict each other."""
        first = self.steps[0].rules[-1]
        return Tariff(
            taxes=tuple(
                Tax(
                    each.name or f"tax {each.id}",
                    each.rate,
                    included=bool(each.included),
                    energy=each.energy,
                    parking=each.parking,
                    overstay=each.overstay,
                    bounds=each.bounds,
                    id=each.id,
                )
                for each in self.taxes
            ),
            parking_fee=first.parking or 0.0,
            parking_period=float(first.parking_period or HOUR),
            overstay=self.overstay,
            overstay_after=float(self.overstay_after or 0),
            overstay_below=self.overstay_below,
            services=self.services,
            minimum=self.minimum,
            maximum=self.maximum,
        )


@dataclass(frozen=True, slots=True)
class PriceLevels:
    """Prices without money: a level for each time, 1 to `count` or 0 for none."""

    id: int
    anchor: float  # epoch s
    count: int
    steps: tuple[tuple[int, int], ...]  # (s, level)
    description: str = ""

    def shift(self, seconds: float) -> "PriceLevels":
        """The levels by another clock."""
        return replace(self, anchor=self.anchor + seconds)


def ranked(price: float, scale: Sequence[float], count: int) -> int:
    """The level of a price among `count` of equal width between the lowest and the highest of a scale: 1 the cheapest, and all below it."""
    low, high = min(scale, default=0.0), max(scale, default=0.0)
    if high <= low:
        return 1
    return max(1, min(count, 1 + int((price - low) / (high - low) * count)))
