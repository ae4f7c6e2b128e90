"""From the events of an oadrDistributeEvent to signals. Pure: a random start follows from the names of event and VEN."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from v2g.energy.signal import Kind, Rank, Signal
from v2gkit.grid.faults import GridFault, Trouble, quoted
from v2gkit.grid.openadr2.messages import all_of, text_of
from v2gkit.grid.received import STEPS, YEAR, Told
from v2gkit.grid.spans import Span, series_of
from v2gkit.grid.times import instant, seconds

SCALES: Final = {
    "p": 1e-12,
    "n": 1e-9,
    "micro": 1e-6,
    "m": 1e-3,
    "c": 1e-2,
    "d": 1e-1,
    "none": 1.0,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
}
OVER: Final = ("cancelled", "completed")


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom events are read: the source's name, the VEN's name and id, W of import for each level of SIMPLE."""

    source: str
    ven: str
    ven_id: str
    levels: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it came: what an answer needs of it, and its XML."""

    id: str
    number: str  # modificationNumber
    wants_answer: bool
    xml: Element


def events_of(message: Element) -> tuple[str, tuple[Event, ...]]:
    """The requestID and the events of an oadrDistributeEvent; none of an oadrResponse. Raises GridFault."""
    if message.tag.endswith("}oadrResponse"):
        return "", ()
    found = []
    for each in all_of(message, "oadr:oadrEvent"):
        descriptor = "ei:eiEvent/ei:eventDescriptor/"
        id_, number = text_of(each, descriptor + "ei:eventID"), text_of(each, descriptor + "ei:modificationNumber")
        if not (number.isascii() and number.isdecimal() and len(number) < 10) or len(id_) > 128:
            raise GridFault(Trouble.MALFORMED, f"event {quoted(id_)} has the modificationNumber {quoted(number)}")
        found.append(Event(id_, number, text_of(each, "oadr:oadrResponseRequired", "always") == "always", each))
    return text_of(message, "pyld:requestID", ""), tuple(found)


def signals_of(event: Event, reader: Reader, now: float) -> tuple[Told, ...]:
    """The signals of an event; none for one that is over, and for a test. Raises GridFault for one that cannot be meant."""
    named = f"{reader.source}: event {quoted(event.id)}"
    try:
        return tuple(_told(event, reader, now))
    except GridFault as fault:
        raise GridFault(fault.trouble, f"{named}: {fault}") from None
    except (ValueError, OverflowError) as error:
        raise GridFault(Trouble.MALFORMED, f"{named}: {quoted(error)}") from None


def _told(event: Event, reader: Reader, now: float) -> Iterator[Told]:
    xml = event.xml
    targets = {(each.text or "").strip() for each in all_of(xml, "ei:eiEvent/ei:eiTarget/ei:venID")}
    if targets and not targets & {reader.ven_id, reader.ven}:
        raise GridFault(Trouble.FOREIGN, f"it is for {quoted(', '.join(sorted(targets)))}, and this is {reader.ven_id!r}")
    descriptor = "ei:eiEvent/ei:eventDescriptor/"
    test = text_of(xml, descriptor + "ei:testEvent", "false").lower() not in ("false", "0")
    if text_of(xml, descriptor + "ei:eventStatus") in OVER or test:
        return
    start, end = _active(event, reader, now)
    priority = int(text_of(xml, descriptor + "ei:priority", "0")) or 1 << 31  # 0 is none, and comes last
    for number, signal in enumerate(all_of(xml, "ei:eiEvent/ei:eiEventSignals/ei:eiEventSignal")):
        meant = _meant(signal, reader)
        if meant is None:
            continue
        kind, rank, factor = meant
        spans = list(_spans(signal, start, end, factor, reader))
        for part, power in enumerate(series_of(spans, kind)):
            id_ = f"{reader.source}:{event.id}:{number}" + (f":{part}" if part else "")
            yield Told(Signal(id_, kind, power, rank), float(event.number), "", event.id, priority)


def _active(event: Event, reader: Reader, now: float) -> tuple[float, float]:
    """Start and end (epoch s) of an event: its start is shifted to later by a part of `startafter`, drawn once for each event and VEN."""
    period = "ei:eiEvent/ei:eiActivePeriod/xcal:properties/"
    at = instant(text_of(event.xml, period + "xcal:dtstart/xcal:date-time"))
    length = seconds(text_of(event.xml, period + "xcal:duration/xcal:duration")) or math.inf  # PT0S is without end
    after = seconds(text_of(event.xml, period + "xcal:tolerance/xcal:tolerate/xcal:startafter", "PT0S"))
    if length < 0 or not 0 <= after <= YEAR:
        raise ValueError(f"an active period of {length:g} s, startafter {after:g} s")
    drawn = int.from_bytes(hashlib.sha256(f"{reader.ven}\n{event.id}".encode()).digest()[:8], "big") / 2**64
    start = (now if at is None else at) + drawn * after
    return start, start + min(length, YEAR)


def _meant(signal: Element, reader: Reader) -> tuple[Kind, Rank, float] | None:
    """What a signal means: its kind and rank, and W of one unit, 0 for levels; None for one that is no limit and no setpoint of power."""
    what = text_of(signal, "ei:signalName").upper(), text_of(signal, "ei:signalType").lower()
    if what == ("SIMPLE", "level"):
        return (Kind.IMPORT_CAP, Rank.GRID, 0.0) if reader.levels else None
    if what == ("LOAD_DISPATCH", "setpoint"):
        item = next((each for each in signal if each.tag.rpartition("}")[2] == "powerReal"), None)
        if item is None:
            raise ValueError("a setpoint of LOAD_DISPATCH without powerReal: nobody knows its unit")
        scale = text_of(item, "scale:siScaleCode", "none")
        if scale not in SCALES:
            raise ValueError(f"siScaleCode is {scale:.20}; there are {', '.join(SCALES)}")
        return Kind.SETPOINT, Rank.COMMITMENT, SCALES[scale]
    return None


def _spans(signal: Element, start: float, end: float, factor: float, reader: Reader) -> Iterator[Span]:
    intervals = all_of(signal, "strm:intervals/ei:interval")
    if not 1 <= len(intervals) <= STEPS:
        raise GridFault(Trouble.HUGE if intervals else Trouble.MALFORMED, f"{len(intervals)} intervals; 1 to {STEPS} are taken")
    at = start
    for interval in intervals:
        own = instant(text_of(interval, "xcal:dtstart/xcal:date-time", "0001-01-01"))
        at = at if own is None else own
        length = seconds(text_of(interval, "xcal:duration/xcal:duration", "PT0S")) or math.inf
        if length < 0:
            raise ValueError(f"an interval of {length:g} s")
        until = min(at + length, end)
        if until > at:
            yield at, until, _power(float(text_of(interval, "ei:signalPayload/ei:payloadFloat/ei:value")), factor, reader.levels)
        at += min(length, YEAR)


def _power(value: float, factor: float, levels: tuple[float, ...]) -> float:
    """W of a value: by its unit, or of a level."""
    if factor:
        if not abs(value * factor) <= 1e9:
            raise ValueError(f"{value:g} of {factor:g} W is no power")
        return value * factor
    if value not in range(len(levels)):
        raise ValueError(f"SIMPLE is {value:g}; there are levels 0 to {len(levels) - 1}")
    return levels[int(value)]
