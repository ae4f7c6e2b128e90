"""Price documents of others, by what they are: ENTSO-E (XML), OpenADR 3 events, aWATTar and Energy-Charts (JSON). OCPP: see `ocpp_tariff`.

What a market tells is one price for both ways, without fees and taxes; `tariff` makes of it what a kWh costs.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final, NamedTuple

from v2g.energy.market.entsoe import day_ahead
from v2g.energy.series import Series

MOST_OCTETS: Final = 8_388_608
MOST_PRICES: Final = 200_000
PER_KWH: Final = {"KWH": 1.0, "MWH": 1_000.0}
_PER: Final = re.compile(r"\s*([A-Za-z€]{1,3})\s*/\s*([kKmM][wW][hH])\s*")
_DURATION: Final = re.compile(r"P(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?")
FOREVER: Final = "P9999Y"  # of OpenADR: without end


class Told(NamedTuple):
    """The prices of a document, currency/kWh, and their currency, empty where it names none. `exports` is None where it has none."""

    imports: Series
    exports: Series | None
    currency: str


def prices(octets: bytes) -> Told | None:
    """The prices of a document; None where it is none that is known here. ValueError for one that is known and wrong."""
    if octets.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        series, currency = day_ahead(octets)
        return Told(series, None, currency)
    if len(octets) > MOST_OCTETS or octets.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
        return None
    try:
        said = json.loads(octets)
    except (ValueError, RecursionError):
        return None
    match said:
        case {"unix_seconds": list() as starts, "price": list() as values}:
            return _energy_charts(starts, values, str(said.get("unit", "")))
        case {"data": [{"start_timestamp": _, "marketprice": _}, *_] as rows}:
            return _awattar(rows)
        case {"objectType": "EVENT"} | {"programID": _, "intervals": list()}:
            return open_adr([said])
        case [{"objectType": "EVENT"}, *_] | [{"programID": _, "intervals": list()}, *_]:
            return open_adr(said)
    return None


def _energy_charts(starts: Sequence[Any], values: Sequence[Any], unit: str) -> Told:
    if len(starts) != len(values) or not 2 <= len(starts) <= MOST_PRICES:
        raise ValueError(f"the document has {len(starts)} times and {len(values)} prices; give as many of both, two at least")
    factor, currency = _unit(unit)
    pairs = [(_finite(at, "time"), _finite(value, "price") / factor) for at, value in zip(starts, values, strict=True) if value is not None]
    return Told(_stepped(pairs), None, currency)


def _awattar(rows: Sequence[Mapping[str, Any]]) -> Told:
    if len(rows) > MOST_PRICES:
        raise ValueError(f"the document has {len(rows)} prices; at most {MOST_PRICES} are read")
    try:
        factor, currency = _unit(str(rows[0].get("unit", "")))
        spans = [(_finite(row["start_timestamp"], "time") / 1e3, _finite(row["end_timestamp"], "time") / 1e3, row) for row in rows]
        pairs = [(start, _finite(row["marketprice"], "price") / factor) for start, _, row in spans]
    except (KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"a row of the document has no {error}") from None
    for (_, end, _), (start, _, _) in pairwise(spans):
        if end != start:
            raise ValueError(f"the document has no price from {_shown(end)} on")
    return Told(Series.from_pairs(pairs, spans[-1][1]), None, currency)


# --- OpenADR 3 ---


def open_adr(events: Iterable[Mapping[str, Any]]) -> Told:
    """PRICE and EXPORT_PRICE of OpenADR 3 events. Of two events that cover one instant, that of the lower `priority` number holds.

    An event's `intervalPeriod` holds for intervals without one, which follow each other; several values of a payload split its interval
    evenly. ValueError for events without prices, without a start, or in two currencies.
    """
    found: dict[str, list[tuple[float, float, float, float]]] = {"PRICE": [], "EXPORT_PRICE": []}  # priority, start, end, price
    units: set[tuple[float, str]] = set()
    try:
        for event in events:
            priority = event.get("priority")
            rank = math.inf if priority is None else _finite(priority, "priority")
            described = {str(one.get("payloadType")): one for one in event.get("payloadDescriptors") or ()}
            for start, end, payload in _intervals(event):
                kind = str(payload.get("type"))
                if kind not in found or end <= start:
                    continue  # of something else, or cancelled: an interval without duration
                about = described.get(kind, {})
                units.add((_per(str(about.get("units") or "KWH")), str(about.get("currency") or "")))
                values = [_finite(value, "price") for value in payload.get("values", ())]
                width = (end - start) / max(len(values), 1)
                found[kind] += [(rank, start + width * n, start + width * (n + 1), value) for n, value in enumerate(values)]
                if sum(map(len, found.values())) > MOST_PRICES:
                    raise ValueError(f"the events have more than {MOST_PRICES} prices")
    except (AttributeError, TypeError, KeyError) as error:
        raise ValueError(f"an event is none of OpenADR 3: {error}") from None
    if not found["PRICE"]:
        raise ValueError("the events have no PRICE; give events of a price program")
    if len(units) > 1:
        raise ValueError("the events have prices in several currencies or units; give those of one program")
    (factor, currency) = next(iter(units))
    imports, exports = (_ranked(found[kind], factor) for kind in ("PRICE", "EXPORT_PRICE"))
    assert imports is not None
    return Told(imports, exports, currency)


def _intervals(event: Mapping[str, Any]) -> Iterable[tuple[float, float, Mapping[str, Any]]]:
    whole = event.get("intervalPeriod") or {}
    at = _instant(whole.get("start"))
    for one in event.get("intervals") or ():
        period = one.get("intervalPeriod") or whole
        own = one.get("intervalPeriod") or {}
        start = _instant(own.get("start")) if own.get("start") else at
        if start is None:
            raise ValueError("an event has no start; give intervalPeriod.start")
        seconds = _seconds(str(period.get("duration") or ""))
        at = start + seconds
        for payload in one.get("payloads") or ():
            yield start, at, payload


def _ranked(rows: Sequence[tuple[float, float, float, float]], factor: float) -> Series | None:
    """The price of the first rank at every instant. ValueError where there is a gap."""
    if not rows:
        return None
    edges = sorted({edge for _, start, end, _ in rows for edge in (start, end)})
    best: dict[float, tuple[float, float]] = {}
    places = {edge: place for place, edge in enumerate(edges)}
    for rank, start, end, value in rows:
        for edge in edges[places[start] : places[end]]:
            if edge not in best or rank < best[edge][0]:
                best[edge] = (rank, value)
    for edge in edges[:-1]:
        if edge not in best:
            raise ValueError(f"the events have no price from {_shown(edge)} on")
    return Series.from_pairs([(edge, best[edge][1] / factor) for edge in edges[:-1]], edges[-1]).merged()


def _instant(text: object) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise ValueError(f"an event starts at {str(text)[:40]!r}; give ISO 8601 with offset") from None
    if moment.tzinfo is None or moment.year < 1970:
        raise ValueError(f"an event starts at {str(text)[:40]!r}; a time with offset is read, not one that means now")
    return moment.timestamp()


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        cure = "; prices without end cannot be planned with" if text == FOREVER else ""
        raise ValueError(f"an event has the duration {text[:20]!r}; give days, hours, minutes and seconds, as PT1H{cure}")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return days * 86_400.0 + hours * 3_600.0 + minutes * 60.0 + seconds


# --- what all have ---


def _per(unit: str) -> float:
    factor = PER_KWH.get(unit.upper())
    if factor is None:
        raise ValueError(f"the document has prices per {unit[:20]}; {' and '.join(PER_KWH)} are read")
    return factor


def _unit(text: str) -> tuple[float, str]:
    found = _PER.fullmatch(text)
    if found is None:
        raise ValueError(f"the document has prices in {text[:20]!r}; give a currency per MWh or kWh, as EUR/MWh")
    return _per(found[2]), "EUR" if found[1] == "€" else found[1].upper()


def _stepped(pairs: Sequence[tuple[float, float]]) -> Series:
    """A series from starts; the last step is as long as the one before."""
    if len(pairs) < 2:
        raise ValueError("the document has fewer than two prices")
    return Series.from_pairs(pairs, pairs[-1][0] + (pairs[-1][0] - pairs[-2][0]))


def _finite(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e14:
        raise ValueError(f"the document has the {what} {str(value)[:20]!r}; give a finite number")
    return float(value)


def _shown(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%MZ}"
