"""Day-ahead prices: reading them as text, setting them on a day, and reaching beyond their end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from v2g.energy.price_file import table
from v2g.energy.series import Series

DAY = 86_400.0  # s
HOUR = 3_600.0  # s


@dataclass(frozen=True, slots=True)
class Prices:
    """Import and export prices (currency/kWh). `relative` when the starts are seconds after a local midnight and no day is set yet."""

    imports: Series
    exports: Series
    currency: str | None = None
    relative: bool = False

    def on(self, day: date, zone: tzinfo) -> "Prices":
        """Relative prices set on that day of that time zone, by its clocks. ValueError if they are absolute already.

        18:00 stays 18:00: the hour that a day of 23 hours lacks is left out, the hour that a day of 25 hours has twice is repeated.
        """
        if not self.relative:
            raise ValueError("these prices have their dates already; only prices by time of day can be set on a day")
        return replace(self, imports=_placed(self.imports, day, zone), exports=_placed(self.exports, day, zone), relative=False)

    def upcoming(self, now: float, zone: tzinfo, days: int = 2) -> "Prices":
        """Relative prices of one whole day, repeated over `days` days from the local day of `now` (epoch s) on."""
        today = datetime.fromtimestamp(now, zone).date()
        each = [self.on(today + timedelta(days=i), zone) for i in range(days)]
        end = midnight(today + timedelta(days=days), zone)
        imports, exports = (_joined([getattr(one, way) for one in each], end) for way in ("imports", "exports"))
        return replace(self, imports=imports, exports=exports, relative=False)


def midnight(day: date, zone: tzinfo) -> float:
    """The instant (epoch s) at which a day begins in a time zone."""
    return datetime.combine(day, time(), tzinfo=zone).timestamp()


def _placed(series: Series, day: date, zone: tzinfo) -> Series:
    """A series of seconds after midnight as the clocks of a day show them."""
    end = midnight(day + timedelta(days=1), zone)
    pairs, last = [], end
    for start, until, offset in _shifts(midnight(day, zone), end, zone):  # within each, clocks run as time does
        ahead = offset - datetime.combine(day, time(), tzinfo=UTC).timestamp()  # s, of what they show
        for at, to, value in series.clip(start + ahead, until + ahead).spans():
            pairs.append((at - ahead, value))
            last = to - ahead
    return Series.from_pairs(pairs, last) if pairs else Series(end)


def _shifts(begin: float, end: float, zone: tzinfo) -> list[tuple[float, float, float]]:
    """Spans of a day (epoch s) in which the zone keeps one offset from UTC (s), with that offset."""
    found = []
    while begin < end:
        offset = _offset(begin, zone)
        until = end
        if _offset(end - 1, zone) != offset:  # clocks change once on a day: halve until the second is known
            low, high = begin, end - 1
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(middle, zone) == offset else (low, middle)
            until = high
        found.append((begin, until, offset))
        begin = until
    return found


def _offset(at: float, zone: tzinfo) -> float:
    shift = datetime.fromtimestamp(at, zone).utcoffset()
    return shift.total_seconds() if shift is not None else 0.0


def _joined(parts: Sequence[Series], until: float) -> Series:
    """Series one after another, each up to the start of the next."""
    ends = [part.start for part in parts[1:]] + [until]
    pairs = [(start, value) for part, end in zip(parts, ends, strict=True) for start, _, value in part.clip(part.start, end).spans()]
    return Series.from_pairs(pairs, until)


def parse_prices(given: str | bytes) -> Prices:
    """Prices from the text, or the octets, of a CSV or JSON file.

    CSV: a header with the columns `start,import_price,export_price`, lines that begin with # are comments, `# currency: EUR` names the
    currency; columns may be separated by semicolons, decimals by commas. JSON: `{"currency": ..., "prices": [{"start": ...,
    "import_price": ..., "export_price": ...}, ...]}` or that list alone. A start is epoch seconds or milliseconds, ISO 8601 with offset, or
    HH:MM after local midnight, all of one kind and ascending; prices are currency/kWh. The last step lasts as long as the one before (an
    hour if it is the only one). A price document of a market (`v2g.energy.market.document`) is read as well: its price counts for both ways
    unless it has one for each. ValueError names the row, what is wrong and the cure.
    """
    from v2g.energy.market import document  # who has no prices reads none

    told = document.prices(given.encode() if isinstance(given, str) else given)
    if told is not None:
        return Prices(told.imports, told.imports if told.exports is None else told.exports, told.currency or None)
    rows, currency = table(given)
    starts = [row.start for row in rows]
    until = starts[-1] + (starts[-1] - starts[-2] if len(starts) > 1 else HOUR)
    imports = Series.from_pairs([(row.start, row.import_price) for row in rows], until)
    exports = Series.from_pairs([(row.start, row.export_price) for row in rows], until)
    return Prices(imports, exports, currency, relative=rows[0].relative)


def expected_prices(prices: Series, times: Iterable[float]) -> list[float]:
    """The price at each instant (epoch s): the known one, else that of the nearest known day at the same time, else the mean of all.

    That days are alike is an assumption; `Plan.priced_until` tells where the known prices end.
    """
    instants = list(times)
    if not prices.steps:
        return [0.0] * len(instants)
    mean = prices.mean(prices.start, prices.until)
    start, until = prices.start, prices.until
    known = prices.sample([_nearest(t, start, until) for t in instants])
    return [mean if price is None else price for price in known]


def _nearest(t: float, start: float, until: float) -> float:
    """`t` moved by whole days into [start, until), as little as possible; where that is less than a day it may stay outside."""
    if t < start:
        return t + DAY * -((t - start) // DAY)
    if t >= until:
        return t - DAY * ((t - until) // DAY + 1)
    return t
