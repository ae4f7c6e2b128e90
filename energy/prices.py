"""Day-ahead prices: reading them as text, setting them on a day, and reaching beyond their end."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, tzinfo

from energy.series import Series

DAY = 86_400.0  # s
HOUR = 3_600.0  # s
COLUMNS = ("start", "import_price", "export_price")


@dataclass(frozen=True, slots=True)
class Prices:
    """Import and export prices (currency/kWh). `relative` when the starts are seconds after a local midnight and no day is set yet."""

    imports: Series
    exports: Series
    currency: str | None = None
    relative: bool = False

    def on(self, day: date, zone: tzinfo) -> "Prices":
        """Relative prices set on that day of that time zone. ValueError if they are absolute already."""
        if not self.relative:
            raise ValueError("these prices have their dates already; only prices by time of day can be set on a day")
        midnight = datetime.combine(day, time(), tzinfo=zone).timestamp()
        return replace(self, imports=self.imports.shift(midnight), exports=self.exports.shift(midnight), relative=False)

    def upcoming(self, now: float, zone: tzinfo, days: int = 2) -> "Prices":
        """Relative prices of one whole day, repeated over `days` days from the local day of `now` (epoch s): there is always a future.

        A day of 23 or 25 hours is the day cut short, or its last price held on.
        """
        today = datetime.fromtimestamp(now, zone).date()
        each = [self.on(today + timedelta(days=i), zone) for i in range(days)]
        end = self.on(today + timedelta(days=days), zone).imports.start
        imports, exports = (_joined([getattr(one, way) for one in each], end) for way in ("imports", "exports"))
        return replace(self, imports=imports, exports=exports, relative=False)


def _joined(parts: Sequence[Series], until: float) -> Series:
    """Series one after another, each up to the start of the next."""
    ends = [part.start for part in parts[1:]] + [until]
    pairs = [(start, value) for part, end in zip(parts, ends, strict=True) for start, _, value in part.clip(part.start, end).spans()]
    return Series.from_pairs(pairs, until)


def parsed(text: str) -> Prices:
    """Prices from the text of a CSV or JSON file.

    CSV: a header with the columns `start,import_price,export_price`, lines that begin with # are comments, `# currency: EUR` names the
    currency. JSON: `{"currency": ..., "prices": [{"start": ..., "import_price": ..., "export_price": ...}, ...]}` or that list alone. A
    start is epoch seconds, ISO 8601 with offset, or HH:MM after local midnight, all of one kind and ascending; prices are currency/kWh. The
    last step lasts as long as the one before (an hour if it is the only one). ValueError names the row, what is wrong and the cure.
    """
    rows, currency = _json(text) if text.lstrip()[:1] in {"{", "["} else _csv(text)
    if not rows:
        raise ValueError("the price file has no rows; give at least one start, import_price, export_price")
    read = [_row(number, row) for number, row in enumerate(rows, 1)]
    kinds = {relative for _, relative, _, _ in read}
    if len(kinds) > 1:
        raise ValueError("the price file mixes times of day and dated times; use one kind")
    starts = [start for start, _, _, _ in read]
    until = starts[-1] + (starts[-1] - starts[-2] if len(starts) > 1 else HOUR)
    imports = Series.from_pairs([(start, price) for start, _, price, _ in read], until)
    exports = Series.from_pairs([(start, price) for start, _, _, price in read], until)
    return Prices(imports, exports, currency, relative=kinds.pop())


def _csv(text: str) -> tuple[list[Mapping[str, object]], str | None]:
    lines = text.splitlines()
    notes = [line.lstrip("# ").partition(":") for line in lines if line.startswith("#")]
    currency = next((value.strip() for key, _, value in notes if key.strip().lower() == "currency"), None)
    return list(csv.DictReader(line for line in lines if line.strip() and not line.startswith("#"))), currency


def _json(text: str) -> tuple[list[Mapping[str, object]], str | None]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"the price file is not JSON: {error}") from error
    rows = content.get("prices") if isinstance(content, dict) else content
    if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
        raise ValueError('the price file has no list of objects; give [{"start": ...}, ...] or {"prices": [...]}')
    return rows, str(content["currency"]) if isinstance(content, dict) and "currency" in content else None


def _row(number: int, row: Mapping[str, object]) -> tuple[float, bool, float, float]:
    """(start, relative, import price, export price) of a row."""
    missing = [column for column in COLUMNS if row.get(column) in (None, "")]
    if missing:
        raise ValueError(f"row {number} of the price file has no {missing[0]}; the columns are {', '.join(COLUMNS)}")
    try:
        start, relative = _start(str(row["start"]).strip())
        return start, relative, _number(row["import_price"]), _number(row["export_price"])
    except ValueError as error:
        raise ValueError(f"row {number} of the price file: {error}") from None


def _number(value: object) -> float:
    number = float(str(value))
    if not -1e6 < number < 1e6:  # also NaN: no tariff is there, but a price per MWh in the wrong column may be
        raise ValueError(f"{value} is no price per kWh")
    return number


def _start(text: str) -> tuple[float, bool]:
    """Seconds and whether they count from midnight."""
    if text.replace(".", "", 1).isdigit():
        return float(text), False
    if "T" not in text and "-" not in text:
        clock = time.fromisoformat(text)
        return clock.hour * HOUR + clock.minute * 60.0 + clock.second, True
    dated = datetime.fromisoformat(text)
    if dated.tzinfo is None:
        raise ValueError(f"the start {text} has no offset; write it as {text}+00:00 or with the local one")
    return dated.timestamp(), False


def expected(prices: Series, times: Iterable[float]) -> list[float]:
    """The price at each instant: the known one, beyond what is known that of the nearest known day at the same time, else the mean of all.

    Tomorrow like today is an assumption, and whoever uses it says so: `Plan.priced_until` is where the known prices end.
    """
    instants = list(times)
    if not prices.steps:
        return [0.0] * len(instants)
    mean = prices.mean(prices.start, prices.until)
    known = prices.sample([_nearest(t, prices) for t in instants])
    return [mean if price is None else price for price in known]


def _nearest(t: float, prices: Series) -> float:
    """`t` moved by whole days into the span of the prices, as little as possible; where they span less than a day it may stay outside."""
    if t < prices.start:
        return t + DAY * -((t - prices.start) // DAY)
    if t >= prices.until:
        return t - DAY * ((t - prices.until) // DAY + 1)
    return t
