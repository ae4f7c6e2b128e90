"""The time in which many are planned: slots in which nothing changes for any of them, but that one may come or leave within a slot."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from v2g.energy.fleet.connection import cap_over, load_over
from v2g.energy.fleet.ground import Ground
from v2g.energy.prices import expected_prices
from v2g.energy.series import SECONDS_PER_HOUR, Series
from v2g.energy.signal import Kind
from v2g.energy.stay import HORIZON_MAXIMUM, POWER_BOUND, RESOLUTION, Interval, Stay, setpoints

LONGEST: Final = 3_600.0  # s of a slot in which nothing changes: an hour, for which most prices hold


@dataclass(frozen=True, slots=True)
class Slot:
    """A span of time at the meter. Caps are magnitudes with base load included; prices are what a kWh counts, with tax and carbon."""

    start: float  # epoch s
    end: float  # epoch s
    load: float  # W, signed
    import_cap: float  # W
    export_cap: float  # W
    import_price: float  # currency/kWh
    export_price: float  # currency/kWh
    carbon: float = 0.0  # currency/kWh, part of what an import counts and of no bill
    setpoint: float | None = None  # W, signed, at the meter

    @property
    def hours(self) -> float:
        """Length of the slot in h."""
        return (self.end - self.start) / SECONDS_PER_HOUR


def axis_of(ground: Ground, stays: Sequence[Stay]) -> tuple[Slot, ...]:
    """The slots from the first start of a stay to the last end, at most `HORIZON_MAXIMUM` of it. None for no stays."""
    present = [stay for stay in stays if stay.intervals]
    if not present:
        return ()
    start = min(stay.start for stay in present)
    until = min(max(stay.until for stay in present), start + HORIZON_MAXIMUM)
    inner = {interval.start for stay in present for interval in stay.intervals[1:]}
    inner |= {float(side(edge)) for edge in _changes(ground) for side in (math.floor, math.ceil)}
    inner |= {step * RESOLUTION for step in range(math.floor(start / RESOLUTION) + 1, math.ceil(until / RESOLUTION))}
    edges = sorted({start, until} | {edge for edge in inner if start < edge < until})
    return tuple(_slots(ground, _joined(ground, present, edges)))


def _joined(ground: Ground, stays: Sequence[Stay], edges: Sequence[float]) -> list[float]:
    """The edges without those at which nothing changes for anybody, up to `LONGEST`: who may draw any power draws the mean as well.

    A minimum power may be had in a quarter of an hour and not in the mean, so all edges stay where somebody has one.
    """
    if any(stay.charge_minimum > 0 or stay.discharge_minimum > 0 for stay in stays):
        return list(edges)
    hard = {float(side(edge)) for edge in _changes(ground) for side in (math.floor, math.ceil)}
    hard |= {after.start for stay in stays for before, after in pairwise(stay.intervals) if not _alike(before, after)}
    bounds = sorted({instant for stay in stays for instant in (stay.start, stay.until)})
    if ground.outlets:  # what is given until the next plan is looked at by itself
        hard |= {edge for edge, before in zip(edges[1:], edges, strict=False) if before < edges[0] + RESOLUTION}
    kept = [edges[0]]
    for edge, following in pairwise(edges[1:]):
        inside = bisect_left(bounds, following) - bisect_right(bounds, kept[-1])  # who comes or leaves between, in part of a slot
        if edge in hard or inside or following - kept[-1] > LONGEST:
            kept.append(edge)
    return [*kept, edges[-1]]


def _alike(before: Interval, after: Interval) -> bool:
    same = before.charge_cap == after.charge_cap and before.discharge_cap == after.discharge_cap
    return same and before.setpoint == after.setpoint


def _changes(ground: Ground) -> set[float]:
    series = [ground.site.import_prices, ground.site.export_prices, ground.carbon, *(signal.power for signal in ground.signals)]
    return ground.connection.edges() | {edge for one in series if one is not None for edge in one.edges()}


def _slots(ground: Ground, edges: Sequence[float]) -> Iterable[Slot]:
    starts, site, top = edges[:-1], ground.site, ground.connection
    imports = site.import_prices or Series(edges[0])
    exports = site.export_prices if site.import_prices and site.export_prices else Series(edges[0])
    prices = zip(
        expected_prices(imports.map(lambda price: price * site.tariff.energy_tax), starts), expected_prices(exports, starts), strict=True
    )
    carbon = expected_prices(ground.carbon or Series(edges[0]), starts)
    wishes = setpoints(ground.signals, starts)
    for (start, end), (bought, sold), grams, (wish, _) in zip(pairwise(edges), prices, carbon, wishes, strict=True):
        burden = grams * ground.carbon_price / 1000.0
        yield Slot(
            start=start,
            end=end,
            load=load_over(top.load, start, end) + sum(load_over(one.load, start, end) for one in list(top.all())[1:]),
            import_cap=_lowest(ground, Kind.IMPORT_CAP, top.import_cap, start, end),
            export_cap=_lowest(ground, Kind.EXPORT_CAP, 0.0 if top.export_cap is None else top.export_cap, start, end),
            import_price=bought + burden,
            export_price=sold,
            carbon=burden,
            setpoint=wish,
        )


def _lowest(ground: Ground, kind: Kind, cap: Series | float | None, start: float, end: float) -> float:
    told = (cap_over(signal.power, start, end) for signal in ground.signals if signal.kind is kind)
    return min(POWER_BOUND, cap_over(cap, start, end), *told)


def _in_slots(stay: Stay, edges: Sequence[float]) -> Stay:
    """The stay with those of its intervals joined that begin in one slot."""
    cuts = _cuts([bisect_right(edges, interval.start) for interval in stay.intervals])
    return stay.coarsened(cuts) if len(cuts) <= len(stay.intervals) else stay


def _cuts(places: Sequence[int]) -> list[int]:
    """Where another slot begins among intervals that lie in these, with both ends."""
    return [0, *(number for number in range(1, len(places)) if places[number] != places[number - 1]), len(places)]


def on_axis(stay: Stay, slots: Sequence[Slot]) -> tuple[Stay, tuple[int, ...]]:
    """The stay cut at the edges of the slots, and the slot of each of its intervals, one in each. Beyond the last slot nothing is left."""
    edges = [slot.start for slot in slots] + [slots[-1].end]
    stay = _in_slots(stay, edges)
    intervals: list[Interval] = []
    places: list[int] = []
    for interval in stay.intervals:
        first, end = interval.start, interval.start + interval.duration
        place = bisect_right(edges, first) - 1
        while first < end and place < len(slots):
            slot, until = slots[place], min(edges[place + 1], end)
            caps = interval.charge_cap, interval.charge_by, interval.discharge_cap, interval.discharge_by
            bought, sold = slot.import_price - slot.carbon, slot.export_price
            intervals.append(Interval(first, until - first, *caps, bought, sold, interval.setpoint, interval.setpoint_by))
            places.append(place)
            first, place = until, place + 1
    stay, cuts = replace(stay, intervals=tuple(intervals)), _cuts(places)
    if len(cuts) > len(places):
        return stay, tuple(places)
    return stay.coarsened(cuts), tuple(places[cut] for cut in cuts[:-1])  # an interval began in the slot before, and ended in this one
