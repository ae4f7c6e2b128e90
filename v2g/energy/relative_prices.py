"""Prices without money: what a kWh costs beside others, in per cent of the dearest, as a price level, and where its energy comes from.

A car that hears of no currency (ISO 15118-2, DIN SPEC 70121) compares schedules by them.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from v2g.energy.price_schedule import PriceLevels, ranked

CostKind = Literal["price", "renewable", "carbon"]  # %, %, g/kWh
DAY: Final = 86_400  # s; for which a last step holds that says no duration
LEVELS: Final = 3  # of prices that state none


@dataclass(frozen=True, slots=True)
class Cost:
    """One property of a kWh: `amount` times ten to the power of `exponent`, never negative."""

    kind: CostKind
    amount: int
    exponent: int = 0  # -3 to 3

    @property
    def value(self) -> float:
        """The property as a number: per cent, or g/kWh."""
        return self.amount * 10.0**self.exponent


@dataclass(frozen=True, slots=True)
class Block:
    """What a kWh costs from a power (W) on, up to the next block."""

    power_from: float
    costs: tuple[Cost, ...]

    @property
    def price(self) -> float | None:
        """The relative price (%); None where the block says none."""
        return next((cost.value for cost in self.costs if cost.kind == "price"), None)


@dataclass(frozen=True, slots=True)
class RelativeStep:
    """The prices from `start` (s after the anchor) on, until the next step begins."""

    start: int
    level: int | None = None  # 1 the cheapest
    blocks: tuple[Block, ...] = ()

    @property
    def price(self) -> float:
        """What a kWh costs beside others: the dearest relative price, else the level, else nothing."""
        said = [block.price for block in self.blocks if block.price is not None]
        return max(said, default=float(self.level or 0))


@dataclass(frozen=True, slots=True)
class RelativePrices:
    """Relative prices over time, as somebody else states them or as they are made of prices in money."""

    id: int
    anchor: float  # epoch s
    steps: tuple[RelativeStep, ...]
    count: int | None = None  # of levels
    duration: int | None = None  # s for which the last step holds; None: as long as the schedule that it belongs to
    description: str = ""

    def shift(self, seconds: float) -> "RelativePrices":
        """The prices by another clock."""
        return replace(self, anchor=self.anchor + seconds)

    def levelled(self) -> PriceLevels:
        """The prices as levels alone: those that are stated, else ranked by relative price; 0 before the first step begins."""
        count = self.count or LEVELS
        scale = [step.price for step in self.steps]
        own = all(step.level is not None for step in self.steps)
        levels = [(step.level or 0) if own else ranked(step.price, scale, count) for step in self.steps]
        starts = [step.start for step in self.steps]
        ends = [*starts[1:], starts[-1] + (self.duration or DAY)]
        timed = [(end - start, level) for start, end, level in zip(starts, ends, levels, strict=True)]
        waiting = [(starts[0], 0)] if starts[0] else []
        return PriceLevels(self.id, self.anchor, max(count, *levels), (*waiting, *timed), self.description)
