"""From the intervals of tariffs to prices: what a kWh costs each way at which time, and what a day costs. Pure.

Of two intervals of one component that overlap the later created holds; the components of one profile add up; of two profiles that have a
price for one way at one time that of the lower primacy holds. A price that is taken back is none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from v2g.energy.prices import Prices
from v2g.energy.series import Series
from v2g.energy.signal import Kind
from v2gkit.grid.sep2.events import Control, live
from v2gkit.grid.spans import series_of

Way = Literal["import", "export", "day"]
Block = tuple[float, float]
"""From how many kWh of a billing period on (of days: from which on), and the price of each, in the currency."""
PARTS: Final = 4_096  # of one way: a quarter hour each for six weeks


@dataclass(frozen=True, slots=True)
class Charge:
    """What one interval of one component of a tariff costs: + is to be paid by us, also for what is given."""

    event: Control
    component: str
    way: Way
    blocks: tuple[Block, ...]
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A span of time (epoch s) with one price, block after block."""

    start: float
    end: float
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Tariff:
    """What the tariffs of one server come to, way by way, without what is over."""

    ways: Mapping[Way, tuple[Part, ...]]
    currency: str | None = None

    def prices(self) -> Prices | None:
        """Prices of the first block, as planners have them: what is given earns its price. None where nothing has a price for import.

        Of several runs with gaps between them it is the first; an export without a price earns nothing.
        """
        imports = _first(self.ways.get("import", ()), 1.0)
        if imports is None:
            return None
        exports = _first(self.ways.get("export", ()), -1.0) or Series.from_pairs([(imports.start, 0.0)], imports.until)
        return Prices(imports, exports, self.currency)


def tariff_of(charges: Iterable[Charge], now: float) -> Tariff:
    """What charges come to from `now` on."""
    given = list(charges)
    alive = {id(event) for event in live(each.event for each in given)}
    there = [each for each in given if id(each.event) in alive and each.event.end > now]
    ways: dict[Way, tuple[Part, ...]] = {}
    for way in ("import", "export", "day"):
        found = _parts([each for each in there if each.way == way])
        if found:
            ways[way] = found
    return Tariff(ways, next((each.currency for each in there if each.currency), None))


def _parts(charges: list[Charge]) -> tuple[Part, ...]:
    edges = sorted({edge for each in charges for edge in (each.event.start or 0.0, each.event.end)})[:PARTS]
    parts: list[Part] = []
    for start, end in pairwise(edges):
        blocks = _sum([each for each in charges if (each.event.start or 0.0) <= start and each.event.end >= end])
        if blocks and parts and parts[-1].end == start and parts[-1].blocks == blocks:
            parts[-1] = Part(parts[-1].start, end, blocks)
        elif blocks:
            parts.append(Part(start, end, blocks))
    return tuple(parts)


def _sum(charges: list[Charge]) -> tuple[Block, ...]:
    """The blocks of what holds at one time."""
    if not charges:
        return ()
    first = min((each.event.program for each in charges), key=lambda program: (program.primacy, program.mrid))
    latest: dict[str, Charge] = {}
    for each in sorted((each for each in charges if each.event.program == first), key=lambda each: (each.event.created, each.event.mrid)):
        latest[each.component] = each
    begins = sorted({begin for each in latest.values() for begin, _ in each.blocks})
    return tuple((begin, round(sum(_at(each.blocks, begin) for each in latest.values()), 9)) for begin in begins)


def _at(blocks: tuple[Block, ...], amount: float) -> float:
    return next((price for begin, price in reversed(blocks) if begin <= amount), 0.0)


def _first(parts: tuple[Part, ...], sign: float) -> Series | None:
    """The price of the first block over the first parts that follow one another."""
    spans = [(each.start, each.end, sign * each.blocks[0][1]) for each in parts]
    return series_of(spans, Kind.SETPOINT)[0] if spans else None
