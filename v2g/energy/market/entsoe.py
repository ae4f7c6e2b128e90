"""Day-ahead prices as ENTSO-E's transparency platform gives them: Publication_MarketDocument, type A44.

A price that repeats the one before it is left out (curve type A03), also at the end of a period: positions that are not there have the
price before them, up to the period's declared end.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from v2g.energy.market.xml_events import elements
from v2g.energy.series import Series

DAY_AHEAD: Final = "A44"
MOST_POINTS: Final = 200_000
UNITS: Final = {"MWH": 1_000.0, "KWH": 1.0}
_RESOLUTION: Final = re.compile(r"PT(\d{1,4})(M|H)")
SEQUENCE: Final = "classificationSequence_AttributeInstanceComponent.position"


@dataclass(slots=True)
class _Period:
    start: float = 0.0
    end: float = 0.0
    step: float = 0.0
    points: dict[int, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Series:
    currency: str = ""
    unit: str = "MWH"
    sequence: int = 1
    periods: list[_Period] = field(default_factory=list)


def day_ahead(octets: bytes, sequence: int = 1) -> tuple[Series, str]:
    """The prices (currency/kWh) and their currency. Of several resolutions the finest holds, of several auctions that of `sequence`.

    ValueError for another document, for two series that contradict each other, and for a gap between periods.
    """
    read = list(_read(octets, sequence))
    if not read:
        raise ValueError(f"the document has no prices of auction {sequence}; give `sequence` as its series have it")
    if len(currencies := {one.currency for one in read}) > 1:
        raise ValueError(f"the document has prices in {', '.join(sorted(currencies))}; give one of them")
    spans: dict[float, tuple[float, float]] = {}  # start -> end, price; the finest resolution comes last and holds
    periods = sorted(((period, one) for one in read for period in one.periods), key=lambda each: -each[0].step)
    finest = periods[-1][0].step if periods else 0.0
    for period, one in periods:
        if period.step == finest:
            for start, end, price in _filled(period, UNITS[one.unit]):
                if spans.get(start, (end, price)) != (end, price):
                    raise ValueError(f"the document has two prices for {datetime.fromtimestamp(start, UTC):%Y-%m-%dT%H:%MZ}")
                spans[start] = (end, price)
    starts = sorted(spans)
    for before, after in pairwise(starts):
        if spans[before][0] != after:
            raise ValueError(f"the document has no price from {datetime.fromtimestamp(spans[before][0], UTC):%Y-%m-%dT%H:%MZ} on")
    if not starts:
        raise ValueError("the document has no price in it")
    return Series.from_pairs([(start, spans[start][1]) for start in starts], spans[starts[-1]][0]), read[0].currency


def _filled(period: _Period, per_kwh: float) -> Iterable[tuple[float, float, float]]:
    """Start, end and price per kWh of every position of a period."""
    count = round((period.end - period.start) / period.step) if period.step else 0
    if not (1 <= count <= MOST_POINTS and abs(count * period.step - (period.end - period.start)) < 1 and 1 in period.points):
        raise ValueError("a period of the document has no resolution, no first price, or does not end where its steps do")
    if max(period.points) > count or min(period.points) < 1:
        raise ValueError(f"a period of the document has position {max(period.points)}; it has {count}")
    price = 0.0
    for position in range(1, count + 1):
        price = period.points.get(position, price)
        start = period.start + (position - 1) * period.step
        yield start, start + period.step, price / per_kwh


def _read(octets: bytes, sequence: int) -> Iterable[_Series]:
    one, period, total = _Series(), _Period(), 0
    values: dict[str, str] = defaultdict(str)
    for path, text in elements(octets):
        parts = path.split("/")[1:]
        name = parts[-1]
        if parts[0] != "Publication_MarketDocument":
            raise ValueError(f"the document is a {parts[0][:60]}; give a Publication_MarketDocument")
        if name == "type" and len(parts) == 2 and text != DAY_AHEAD:
            raise ValueError(f"the document is of type {text[:20]}; give {DAY_AHEAD}, day-ahead prices")
        if name == "Point":
            total += 1
            if total > MOST_POINTS:
                raise ValueError(f"the document has more than {MOST_POINTS} prices")
            period.points[_whole(values["position"], "position")] = _number(values["price.amount"])
            values.clear()
        elif name == "Period":
            one.periods.append(period)
            period = _Period()
        elif name == "TimeSeries":
            if one.sequence == sequence:
                yield one
            one = _Series()
        else:
            values[name] = text
            _learn(one, period, parts, text)


def _learn(one: _Series, period: _Period, parts: list[str], text: str) -> None:
    match parts[-2:]:
        case [_, "currency_Unit.name"]:
            one.currency = text
        case [_, "price_Measure_Unit.name"]:
            if text not in UNITS:
                raise ValueError(f"the document has prices per {text[:20]}; {' and '.join(UNITS)} are read")
            one.unit = text
        case [_, name] if name == SEQUENCE:
            one.sequence = _whole(text, SEQUENCE)
        case ["timeInterval", "start"]:
            period.start = _instant(text)
        case ["timeInterval", "end"]:
            period.end = _instant(text)
        case ["Period", "resolution"]:
            found = _RESOLUTION.fullmatch(text)
            if found is None or not int(found[1]):
                raise ValueError(f"the document has the resolution {text[:20]!r}; give minutes or hours, as PT15M")
            period.step = int(found[1]) * (60.0 if found[2] == "M" else 3_600.0)


def _instant(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"the document has the time {text[:40]!r}; give ISO 8601 with Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"the document has the time {text[:40]!r} without offset")
    return moment.timestamp()


def _number(text: str) -> float:
    if not re.fullmatch(r"[+-]?\d{1,9}(\.\d{1,9})?", text):
        raise ValueError(f"the document has the price {text[:20]!r}; give a decimal number")
    return float(text)


def _whole(text: str, what: str) -> int:
    if not re.fullmatch(r"\d{1,7}", text):
        raise ValueError(f"the document has the {what} {text[:20]!r}; give a whole number")
    return int(text)
