"""The running account of one session: the energy that the meter counted, at the prices that were offered at that time."""

import math
from dataclasses import dataclass, field, replace

from v2g.energy.ledger import Entry, Reading, entries_between
from v2g.energy.series import SAME_INSTANT, Series, Step
from v2g.energy.tariff import Bill, Tariff, Use, bill

ALWAYS = 10 * 365 * 86_400.0  # s; the last price that was offered holds on


def in_force(prices: Series, since: float) -> Series:
    """Prices from an instant (epoch s) on: the first reaches back to it, the last holds for ever. ValueError for a series without steps."""
    if not prices.steps:
        raise ValueError("there are no prices to hold on; give at least one")
    left = prices.clip(since, math.inf)
    steps = left.steps or (Step(1.0, prices.steps[-1].value),)
    ahead = max(left.start - since, 0.0) if left.steps else 0.0
    first = Step(steps[0].duration + ahead, steps[0].value)
    return Series(since, (first, *steps[1:], Step(ALWAYS, steps[-1].value))).merged()


@dataclass(frozen=True, slots=True)
class Tab:
    """The account so far, as an immutable value: every reading and every new schedule gives the next one.

    Money is rounded once for each price, not for each reading.
    """

    since: float  # epoch s
    currency: str = "EUR"
    tariff: Tariff = field(default_factory=Tariff)
    imports: Series | None = None  # currency/kWh, from `since` on
    exports: Series | None = None
    last: Reading | None = None
    imported: float = 0.0  # Wh that were billed
    exported: float = 0.0
    cost: int = 0  # millionths, of prices that are over
    revenue: int = 0
    open: Entry | None = None  # at the prices that hold
    idle: float | None = None  # epoch s since when less flows than the tariff calls charging

    def priced(self, imports: Series | None, exports: Series | None, at: float) -> "Tab":
        """The account with other prices from `at` (epoch s) on; the energy counted before stays at the former prices."""
        return replace(self, imports=_followed(self.imports, imports, at), exports=_followed(self.exports, exports, at))

    def read(self, reading: Reading, power: float) -> "Tab":
        """The account after a reading of the registers, while `power` (W) flows. One that goes back or is not finite bills nothing."""
        if not all(map(math.isfinite, (reading.at, reading.imported, reading.exported))):
            return self
        below, idle = self.tariff.overstay_below, self.idle
        if below is not None:
            idle = None if abs(power) >= below else reading.at if idle is None else idle
        tab, before = replace(self, last=reading, idle=idle), self.last
        if before is None or reading.at <= before.at or reading.imported < before.imported or reading.exported < before.exported:
            return tab
        for entry in entries_between("", (before, reading), self.imports, self.exports):
            tab = tab._added(entry)
        return tab

    def _added(self, entry: Entry) -> "Tab":
        counted = replace(self, imported=self.imported + entry.imported, exported=self.exported + entry.exported)
        former = self.open
        if former is None:
            return replace(counted, open=entry)
        if (former.import_price, former.export_price) == (entry.import_price, entry.export_price):
            more = former.imported + entry.imported, former.exported + entry.exported
            return replace(counted, open=replace(former, end=entry.end, imported=more[0], exported=more[1]))
        return replace(counted, cost=self.cost + former.cost, revenue=self.revenue + former.revenue, open=entry)

    def use(self, at: float) -> Use:
        """The energy costs and times that a bill at an instant (epoch s) is made from."""
        cost, revenue = (self.open.cost, self.open.revenue) if self.open is not None else (0, 0)
        return Use(self.since, max(at, self.since), self.cost + cost, self.revenue + revenue, self.idle)

    def bill(self, at: float) -> Bill:
        """The bill if the car left at an instant (epoch s)."""
        return bill(self.tariff, self.use(at))


def _followed(before: Series | None, then: Series | None, at: float) -> Series | None:
    """One price list until an instant, another one from it on."""
    if then is None or not then.steps:
        return before
    after = in_force(then, at)
    former = before.clip(before.start, at) if before is not None else Series(at)
    return former.then(after) if former.steps and abs(former.until - at) <= SAME_INSTANT else after
