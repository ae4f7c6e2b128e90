"""What was really metered, and what it is worth at its price: rows that are only ever added."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

from v2g.energy.prices import expected_prices
from v2g.energy.series import Series

MICRO = 1_000_000  # money is kept in millionths of the currency, as integers: sums do not depend on their order


class Quality(Enum):
    """How the energy of a row is known: read from a meter, interpolated, or a correction."""

    METERED = "metered"  # both ends are readings of the register
    ESTIMATED = "estimated"  # an end was interpolated between two readings
    CORRECTED = "corrected"  # a row that sets right earlier ones; its energies may be negative


@dataclass(frozen=True, slots=True)
class Reading:
    """The registers of a meter at one instant, Wh."""

    at: float  # epoch s
    imported: float  # Wh into the EV
    exported: float  # Wh out of the EV


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: the energy of a session in an interval of constant price."""

    session: str
    start: float  # epoch s
    end: float  # epoch s
    imported: float  # Wh
    exported: float  # Wh
    import_price: float  # currency/kWh
    export_price: float  # currency/kWh
    quality: Quality = Quality.METERED
    bound: tuple[str, ...] = ()  # the ids of the signals that limited the power

    @property
    def cost(self) -> int:
        """What the import costs, in millionths of the currency."""
        return round(self.imported * self.import_price * (MICRO / 1000))

    @property
    def revenue(self) -> int:
        """What the export earns, in millionths of the currency."""
        return round(self.exported * self.export_price * (MICRO / 1000))


@dataclass(frozen=True, slots=True)
class Account:
    """The sums of many rows: energy each way, cost and revenue."""

    imported: float  # Wh
    exported: float  # Wh
    cost: float  # currency
    revenue: float  # currency

    @property
    def net(self) -> float:
        """Cost less revenue, in the currency; negative where the car earned money."""
        return self.cost - self.revenue


@dataclass(slots=True)
class Ledger:
    """Rows in the order of their arrival. No row is ever changed: a mistake is set right by a further row of quality CORRECTED."""

    currency: str
    _entries: list[Entry] = field(default_factory=list)
    _until: dict[str, float] = field(default_factory=dict)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All rows, in the order in which they came."""
        return tuple(self._entries)

    def append(self, entry: Entry) -> None:
        """Add a row. ValueError if it ends before it starts, or, unless it is CORRECTED, overlaps a row of its session or is negative."""
        if entry.end < entry.start:
            raise ValueError(f"session {entry.session}: a row ends at {entry.end}, before its start {entry.start}")
        if entry.quality is not Quality.CORRECTED:
            if min(entry.imported, entry.exported) < 0:
                raise ValueError(
                    f"session {entry.session}: {entry.imported} Wh in, {entry.exported} Wh out; a meter counts up, set right with CORRECTED"
                )
            if entry.start < self._until.get(entry.session, entry.start):
                raise ValueError(
                    f"session {entry.session}: a row starts at {entry.start}, but {self._until[entry.session]} is booked already"
                )
            self._until[entry.session] = entry.end
        self._entries.append(entry)

    def account(self, session: str | None = None) -> Account:
        """The sums over the rows of a session, or over all rows where `session` is None."""
        rows = [entry for entry in self._entries if session is None or entry.session == session]
        imported, exported = sum(row.imported for row in rows), sum(row.exported for row in rows)
        return Account(imported, exported, sum(row.cost for row in rows) / MICRO, sum(row.revenue for row in rows) / MICRO)


def entries_between(session: str, readings: Sequence[Reading], imports: Series | None, exports: Series | None) -> tuple[Entry, ...]:
    """The rows between successive readings of a meter, cut where a price changes.

    At such a cut the registers are interpolated and both rows are ESTIMATED. Beyond known prices those of the nearest day count, as in
    planning; without a price series the price is 0. ValueError for readings out of order or registers that count backwards.
    """
    entries: list[Entry] = []
    for before, after in pairwise(readings):
        if after.at < before.at or after.imported < before.imported or after.exported < before.exported:
            raise ValueError(
                f"session {session}: the reading at {after.at} does not follow that at {before.at}; readings and registers ascend"
            )
        if after.at > before.at:
            entries += _between(session, before, after, imports, exports)
    return tuple(entries)


def _between(session: str, before: Reading, after: Reading, imports: Series | None, exports: Series | None) -> Iterable[Entry]:
    changes = {edge for series in (imports, exports) if series for edge in series.edges() if before.at < edge < after.at}
    cuts = [before.at, *sorted(changes), after.at]
    quality = Quality.ESTIMATED if changes else Quality.METERED
    costs, gains = (expected_prices(series or Series(before.at), cuts[:-1]) for series in (imports, exports))
    for (start, end), cost, gain in zip(pairwise(cuts), costs, gains, strict=True):
        share = (end - start) / (after.at - before.at)
        yield Entry(
            session=session,
            start=start,
            end=end,
            imported=(after.imported - before.imported) * share,
            exported=(after.exported - before.exported) * share,
            import_price=cost,
            export_price=gain,
            quality=quality,
        )
