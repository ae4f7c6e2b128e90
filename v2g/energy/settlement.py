"""What metered intervals come to for each party: energy at the driver's and the site's price, flexibility against a baseline, shares.

    for each in settled(entries, terms, calls):      Settled: an interval, its flows in millionths
        books.settle(Interval(tenant, contract, each.start, each.end), amounts(each.flows, currency), bases, run="SF")

Delivered on call is the baseline less the meter; what is drawn later beyond the baseline is rebound, and is booked whether or not anybody
pays for it.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from v2g.energy.ledger.chart import Flow
from v2g.energy.ledger.rows import Entry
from v2g.energy.ledger.transaction import millionths
from v2g.energy.prices import Prices, expected_prices
from v2g.energy.series import Series

PERIOD: Final = 900  # s: an imbalance settlement period of the EU


@dataclass(frozen=True, slots=True)
class Shares:
    """Which part of what flexibility earned each party gets; the rest stays with the aggregator. ValueError for parts beyond a whole."""

    driver: float = 0.0
    site: float = 0.0
    operator: float = 0.0

    def __post_init__(self) -> None:
        parts = (self.driver, self.site, self.operator)
        if not (all(0 <= part <= 1 for part in parts) and sum(parts) <= 1 + 1e-9):
            raise ValueError(f"the shares are {', '.join(f'{part:g}' for part in parts)}; give parts of 1 that add up to 1 at most")


@dataclass(frozen=True, slots=True)
class Flexibility:
    """What a contract pays for flexibility, in the currency. ValueError for a price that is not finite, or a fee below 0."""

    utilisation: float = 0.0  # per kWh delivered on call
    availability: float = 0.0  # per kW held ready and hour
    ready: float = 0.0  # W held ready while the car is connected
    penalty: float = 0.0  # per kWh called and not delivered
    compensation: float = 0.0  # per kWh delivered, to the supplier of the site
    rebound: float = 0.0  # per kWh drawn later, to that supplier
    rebound_for: float = 7_200.0  # s after a call in which energy beyond the baseline is rebound
    shares: Shares = field(default_factory=Shares)

    def __post_init__(self) -> None:
        for name in ("utilisation", "availability", "ready", "penalty", "compensation", "rebound", "rebound_for"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}; give a finite number, 0 or above")


@dataclass(frozen=True, slots=True)
class Terms:
    """Who pays whom for energy, besides the driver's own prices, which the entries carry."""

    supply: Prices | None = None  # what the site pays for import and gets for export, currency/kWh; None: nothing is known
    hosting: float = 0.0  # currency/kWh imported, from the operator to the site
    grid_fee: float = 0.0  # currency/kWh imported, from the site to the network
    flexibility: Flexibility | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call to draw less: how much less than the baseline, and what the baseline is. Both cover [start, until)."""

    id: str
    start: float  # epoch s
    until: float  # epoch s
    reduction: float  # W less than the baseline
    baseline: Series  # W, of the session; also over the time in which rebound is looked for

    def __post_init__(self) -> None:
        if not (self.until > self.start and math.isfinite(self.until - self.start) and self.reduction >= 0):
            raise ValueError(
                f"the call {self.id!r} lasts from {self.start} to {self.until} with {self.reduction} W; give a span and W >= 0"
            )


@dataclass(frozen=True, slots=True)
class Settled:
    """A settlement period with what it comes to."""

    start: int  # epoch s
    end: int  # epoch s
    flows: tuple[tuple[Flow, int], ...]  # millionths of the currency, or of a kWh
    calls: tuple[str, ...] = ()  # that it rests on


@dataclass(slots=True)
class _Period:
    cost: int = 0
    revenue: int = 0
    imported: float = 0.0  # Wh
    exported: float = 0.0
    spans: list[Entry] = field(default_factory=list)


def settled(entries: Iterable[Entry], terms: Terms, calls: Sequence[Call] = ()) -> tuple[Settled, ...]:
    """What each period of a session's entries comes to, in the order of time."""
    periods: dict[int, _Period] = defaultdict(_Period)
    for entry in entries:
        for part in _cut(entry):
            period = periods[int(part.start // PERIOD) * PERIOD]
            period.cost += part.cost
            period.revenue += part.revenue
            period.imported += part.imported
            period.exported += part.exported
            period.spans.append(part)
    owed: dict[str, float] = {call.id: 0.0 for call in calls}  # Wh shifted and not yet drawn again
    return tuple(_settled(start, periods[start], terms, calls, owed) for start in sorted(periods))


def _cut(entry: Entry) -> Iterable[Entry]:
    """An entry at the borders of periods; energy in proportion to time."""
    first, last = int(entry.start // PERIOD), int(-(-entry.end // PERIOD))
    if last - first <= 1:
        return (entry,)
    edges = [entry.start, *(PERIOD * place for place in range(first + 1, last)), entry.end]
    whole = entry.end - entry.start
    return [_part(entry, start, end, (end - start) / whole) for start, end in pairwise(edges) if end > start]


def _part(entry: Entry, start: float, end: float, share: float) -> Entry:
    return Entry(
        entry.session,
        start,
        end,
        entry.imported * share,
        entry.exported * share,
        entry.import_price,
        entry.export_price,
        entry.quality,
        entry.bound,
    )


def _settled(start: int, period: _Period, terms: Terms, calls: Sequence[Call], owed: dict[str, float]) -> Settled:
    imported, exported = period.imported / 1000.0, period.exported / 1000.0  # kWh
    flows = [
        (Flow.CHARGING, period.cost),
        (Flow.FEED_IN, period.revenue),
        (Flow.IMPORTED, millionths(imported)),
        (Flow.EXPORTED, millionths(exported)),
        (Flow.HOSTING, millionths(imported * terms.hosting)),
        (Flow.GRID_FEE, millionths(imported * terms.grid_fee)),
    ]
    if terms.supply is not None:
        (buy,) = expected_prices(terms.supply.imports, (float(start),))
        (sell,) = expected_prices(terms.supply.exports, (float(start),))
        flows += [(Flow.SUPPLY, millionths(imported * buy)), (Flow.SURPLUS, millionths(exported * sell))]
    named: tuple[str, ...] = ()
    if terms.flexibility is not None:
        more, named = _flexibility(period, terms.flexibility, calls, owed)
        flows += more
    return Settled(start, start + PERIOD, tuple((flow, amount) for flow, amount in flows if amount), named)


def _flexibility(
    period: _Period, terms: Flexibility, calls: Sequence[Call], owed: dict[str, float]
) -> tuple[list[tuple[Flow, int]], tuple[str, ...]]:
    """What is owed for calls and readiness, and to whom it goes on."""
    hours = sum(part.end - part.start for part in period.spans) / 3600.0
    delivered = short = again = 0.0  # Wh
    named = []
    for call in calls:
        given, missing, rebound = _of_call(period, terms, call, owed)
        delivered, short, again = delivered + given, short + missing, again + rebound
        if given or missing or rebound:
            named.append(call.id)
    earned = {
        Flow.AVAILABILITY: millionths(terms.ready / 1000.0 * hours * terms.availability),
        Flow.UTILISATION: millionths(delivered / 1000.0 * terms.utilisation),
        Flow.PENALTY: millionths(short / 1000.0 * terms.penalty),
        Flow.COMPENSATION: millionths(delivered / 1000.0 * terms.compensation),
        Flow.REBOUND: millionths(again / 1000.0 * terms.rebound),
    }
    paid = earned[Flow.PENALTY] + earned[Flow.COMPENSATION] + earned[Flow.REBOUND]
    left = earned[Flow.AVAILABILITY] + earned[Flow.UTILISATION] - paid
    parts = ((Flow.SHARE_DRIVER, terms.shares.driver), (Flow.SHARE_SITE, terms.shares.site), (Flow.SHARE_OPERATOR, terms.shares.operator))
    shares = [(flow, math.floor(max(left, 0) * part)) for flow, part in parts]  # who shares gains bears no loss
    energy = [(Flow.SHIFTED, millionths(delivered / 1000.0)), (Flow.REBOUNDED, millionths(again / 1000.0))]
    return [*earned.items(), *shares, *energy], tuple(named)


def _of_call(period: _Period, terms: Flexibility, call: Call, owed: dict[str, float]) -> tuple[float, float, float]:
    """Wh delivered, Wh not delivered of what was called, Wh drawn again."""
    given = missing = again = 0.0
    for part in period.spans:
        rate = (part.imported - part.exported) / (part.end - part.start) if part.end > part.start else 0.0  # Wh/s
        start, end = max(part.start, call.start), min(part.end, call.until)
        if end > start:
            less = call.baseline.integral(start, end) - rate * (end - start)
            called = call.reduction * (end - start) / 3600.0
            given += min(max(less, 0.0), called)
            missing += max(called - max(less, 0.0), 0.0)
        start, end = max(part.start, call.until), min(part.end, call.until + terms.rebound_for)
        if end > start:
            again += max(rate * (end - start) - call.baseline.integral(start, end), 0.0)
    owed[call.id] += given
    again = min(again, owed[call.id])
    owed[call.id] -= again
    return given, missing, again
