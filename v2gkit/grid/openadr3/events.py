"""From the events of a VTN to signals. Pure: a random start follows from the names of event and VEN, and is the same at every look."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from v2g.energy.series import SAME_INSTANT
from v2g.energy.signal import Kind, Rank, Signal
from v2gkit.grid.faults import GridFault, Trouble, quoted
from v2gkit.grid.openadr3.words import Event, Interval, IntervalPeriod
from v2gkit.grid.received import STEPS, YEAR, Told
from v2gkit.grid.spans import Span, series_of
from v2gkit.grid.times import instant, seconds

PAYLOADS: Final = {
    "IMPORT_CAPACITY_LIMIT": (Kind.IMPORT_CAP, Rank.GRID),
    "EXPORT_CAPACITY_LIMIT": (Kind.EXPORT_CAP, Rank.GRID),
    "DISPATCH_SETPOINT": (Kind.SETPOINT, Rank.COMMITMENT),  # never negative: OpenADR has no word for a dispatched discharge
    "SIMPLE": (Kind.IMPORT_CAP, Rank.GRID),
    "ALERT_GRID_EMERGENCY": (Kind.IMPORT_CAP, Rank.SAFETY),
    "ALERT_BLACK_START": (Kind.IMPORT_CAP, Rank.SAFETY),
}
UNITS: Final = {"KW": 1_000.0, "W": 1.0, None: 1_000.0}  # W; kW where nobody says
LAST: Final = 1 << 31  # priority of an event without one


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom events are read: the source's name, that of the VEN, its targets (empty: not looked at), W of each level of SIMPLE."""

    source: str
    ven: str
    targets: frozenset[str] = frozenset()
    levels: tuple[float, ...] = ()


def signals_of(event: Event, reader: Reader, units: Mapping[str, str | None], now: float) -> tuple[Told, ...]:
    """The signals of an event; none for a cancelled one, and for what is no limit. `units` are those of its program's payloads.

    Raises GridFault for an event that cannot be meant, in words that name it.
    """
    named = f"{reader.source}: event {quoted(event.id)}"
    if event.targets and reader.targets and not reader.targets & frozenset(event.targets):
        raise GridFault(
            Trouble.FOREIGN, f"{named} is for {quoted(', '.join(event.targets))}, and this is {', '.join(sorted(reader.targets))}"
        )
    try:
        if event.duration is not None and seconds(event.duration) == 0:
            return ()
        anchor = _said(event.created_date_time) or now
        version = _said(event.modification_date_time) or _said(event.created_date_time) or 0.0
        placed = list(_placed(event, anchor, _shift(event, reader)))
        known = dict(units) | {each.payload_type: each.units for each in event.payload_descriptors or ()}
        return tuple(_told(event, reader, placed, known, version))
    except GridFault as fault:
        raise GridFault(fault.trouble, f"{named}: {fault}") from None
    except (ValueError, OverflowError) as error:
        raise GridFault(Trouble.MALFORMED, f"{named}: {quoted(error)}") from None


def intervals_of(event: Event, reader: Reader, now: float) -> list[tuple[float, float, int]]:
    """From, to (epoch s) and id of each interval of an event; none of one that cannot be meant."""
    try:
        placed = list(_placed(event, _said(event.created_date_time) or now, _shift(event, reader)))
    except (GridFault, ValueError, OverflowError):
        return []
    return [(start, end, interval.id) for start, end, interval in placed]


def ignored(events: Iterable[Event]) -> frozenset[str]:
    """The types of payload that no signal is made of."""
    types = {payload.type for event in events for interval in event.intervals or () for payload in interval.payloads}
    return frozenset(types - PAYLOADS.keys())


def _told(
    event: Event, reader: Reader, placed: Sequence[tuple[float, float, Interval]], units: Mapping[str, str | None], version: float
) -> Iterator[Told]:
    for what, (kind, rank) in PAYLOADS.items():
        if what == "SIMPLE" and not reader.levels:
            continue
        spans: list[Span] = []
        for start, end, interval in placed:
            for payload in interval.payloads:
                if payload.type == what:
                    spans += _valued(start, end, [_power(what, value, units.get(what), reader.levels) for value in payload.values])
        for number, power in enumerate(series_of(_looped(spans, event), kind)):
            id_ = f"{reader.source}:{event.id}:{what}" + (f":{number}" if number else "")
            yield Told(Signal(id_, kind, power, rank), version, "", event.id, LAST if event.priority is None else event.priority)


def _placed(event: Event, anchor: float, shift: float) -> Iterator[tuple[float, float, Interval]]:
    """Each interval with its start and end (epoch s): its own, else after the one before; without an end the year that follows."""
    whole = event.interval_period or IntervalPeriod()
    after = _start(whole, anchor)
    for interval in event.intervals or ():
        own = interval.interval_period or IntervalPeriod()
        start = _start(own, after) if own.start is not None else after
        length = seconds(own.duration or whole.duration or "P9999Y") or math.inf  # PT0S of a limit is one without end
        if length < 0:
            raise ValueError(f"interval {interval.id} lasts {length:g} s")
        after = start + min(length, YEAR)
        yield start + shift, after + shift, interval


def _start(period: IntervalPeriod, otherwise: float) -> float:
    at = instant(period.start) if period.start is not None else None
    return otherwise if at is None else at


def _said(text: str | None) -> float | None:
    return None if text is None else instant(text)


def _shift(event: Event, reader: Reader) -> float:
    """The random part of the start (s), either way: one draw for each event and VEN, uniform, and the same whenever it is asked."""
    period = event.interval_period
    if period is None or period.randomize_start is None:
        return 0.0
    most = abs(seconds(period.randomize_start))
    if not math.isfinite(most):
        raise ValueError(f"randomizeStart is {period.randomize_start}")
    drawn = int.from_bytes(hashlib.sha256(f"{reader.ven}\n{event.id}".encode()).digest()[:8], "big") / 2**64
    return most * (2.0 * drawn - 1.0)


def _valued(start: float, end: float, values: Sequence[float]) -> list[Span]:
    """The spans of one interval: several values share it evenly."""
    if not values:
        raise ValueError("a payload without a value")
    each = (end - start) / len(values)
    return [(start + number * each, start + (number + 1) * each, value) for number, value in enumerate(values)]


def _looped(spans: list[Span], event: Event) -> list[Span]:
    """The spans as far as the event's own duration says: cut, or again and again."""
    if event.duration is None or not spans:
        return spans
    begin, until = min(start for start, _, _ in spans), max(end for _, end, _ in spans)
    stop = begin + min(seconds(event.duration), YEAR)
    if stop <= begin:
        raise ValueError(f"the event lasts {event.duration}")
    rounds = math.ceil((stop - begin - SAME_INSTANT) / (until - begin))
    if rounds * len(spans) > STEPS:
        raise GridFault(Trouble.HUGE, f"{rounds} rounds of {len(spans)} intervals; at most {STEPS} steps are taken")
    again = ((start + n * (until - begin), end + n * (until - begin), power) for n in range(rounds) for start, end, power in spans)
    return [(start, min(end, stop), power) for start, end, power in again if start < stop - SAME_INSTANT]


def _power(what: str, value: object, units: str | None, levels: tuple[float, ...]) -> float:
    """W of one value of a payload."""
    if what.startswith("ALERT_"):
        return 0.0  # its value is a text for people
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e9:
        raise ValueError(f"{what} is {value!r:.40}; a number of 0 or more is wanted")
    if what == "SIMPLE":
        level = int(value)
        if level != value or level >= len(levels):
            raise ValueError(f"SIMPLE is {value!r:.40}; there are levels 0 to {len(levels) - 1}")
        return levels[level]
    if units not in UNITS:
        raise ValueError(f"{what} is in {units!r:.40}; KW is understood")
    return float(value) * UNITS[units]
