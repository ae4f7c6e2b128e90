"""From DER controls to signals: primacy, supersession, random starts, and the default where no event is. Pure.

Of two events that overlap and have a mode in common, that of the lower primacy holds; of one primacy the later created. The other one
ends where it begins, and does not go on behind it. Where no event has a mode, the default control of the program of lowest
primacy that has it holds.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from v2g.energy.series import Series
from v2g.energy.signal import Kind, Rank, Signal
from v2gkit.grid.faults import GridFault, Trouble, quoted
from v2gkit.grid.received import YEAR, Told
from v2gkit.grid.sep2 import words
from v2gkit.grid.spans import Span, series_of

LIMITS: Final = {
    "csipaus:opModImpLimW": Kind.IMPORT_CAP,
    "csipaus:opModLoadLimW": Kind.IMPORT_CAP,
    "csipaus:opModExpLimW": Kind.EXPORT_CAP,
    "csipaus:opModGenLimW": Kind.EXPORT_CAP,
}
SWITCHES: Final = ("opModConnect", "opModEnergize")  # false: nothing either way
PERCENT: Final = 10_000  # hundredths of a per cent
CANCELLED, RANDOMLY_CANCELLED, SUPERSEDED = 2, 3, 4  # EventStatus.currentStatus
LONGEST_RANDOM: Final = 3_600  # s
REMEMBERED: Final = 4_096  # signals whose version is known, so that one that comes back has a later one


@dataclass(frozen=True, slots=True)
class Rating:
    """What the site can: W that 100 % stand for, taken and given; and who it is."""

    taken: float
    given: float
    lfdi: str


@dataclass(frozen=True, slots=True)
class Program:
    """A DERProgram: of two the lower primacy goes first."""

    mrid: str
    primacy: int


@dataclass(frozen=True, slots=True)
class Control:
    """A DERControl, or a default one (`start` None): its values by mode, times in epoch s of our clock, and where it is answered."""

    mrid: str
    program: Program
    modes: dict[str, tuple[Kind, float]]
    start: float | None = None
    end: float = 0.0
    created: float = 0.0
    status: int = 0
    reply_to: str | None = None
    required: int = 0  # bits: 1 that it was received, 2 what becomes of it


def control_of(element: Element, program: Program, rating: Rating, offset: float) -> tuple[Control, frozenset[str]]:
    """A control, and the modes that nothing is made of. `offset` is by how many s the server's clock is ahead. GridFault."""
    mrid = words.text(element, "mRID") or ""
    if not 1 <= len(mrid) <= 32:
        raise GridFault(Trouble.MALFORMED, f"a control of the mRID {quoted(mrid)}")
    base = words.child(element, "DERControlBase")
    try:
        modes, passed = _modes(base, rating) if base is not None else ({}, frozenset())
        if element.tag == words.full("DefaultDERControl"):
            return Control(mrid, program, modes), passed
        start = words.number(element, "interval", "start") - offset + _drawn(element, "randomizeStart", mrid, rating)
        length = words.number(element, "interval", "duration") + _drawn(element, "randomizeDuration", mrid, rating)
        if not 0 <= length <= YEAR:
            raise GridFault(Trouble.MALFORMED, f"it lasts {length:g} s; a year is the longest")
        created = words.number(element, "creationTime") - offset
        status = words.number(element, "EventStatus", "currentStatus")
    except GridFault as fault:
        raise GridFault(fault.trouble, f"control {quoted(mrid)}: {fault}") from None
    required = element.get("responseRequired", "00")
    bits = int(required, 16) if len(required) <= 2 and not set(required.lower()) - set("0123456789abcdef") else 0
    return Control(mrid, program, modes, start, start + length, created, status, element.get("replyTo"), bits), passed


def spans_of(control: Control, mode: str, events: Iterable[Control]) -> Span | None:
    """When an event holds in a mode, and its power (W); None: another one goes before it from its beginning on."""
    assert control.start is not None
    end = control.end
    for other in events:
        if other is control or mode not in other.modes or other.start is None or not goes_before(other, control):
            continue
        if other.start < end and other.end > control.start:
            end = other.start
    return (control.start, end, control.modes[mode][1]) if end > control.start else None


def live(controls: Iterable[Control]) -> list[Control]:
    """The events that were not taken back."""
    gone = (CANCELLED, RANDOMLY_CANCELLED, SUPERSEDED)
    return [each for each in controls if each.start is not None and each.status not in gone and each.end > each.start]


class Following:
    """What one server says, as signals; a signal that changes has the next version."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._last: dict[str, Told] = {}
        self._since: dict[str, float] = {}  # default -> when it was heard first (epoch s)

    def told(self, controls: Iterable[Control], now: float) -> tuple[Told, ...]:
        """The signals of all events and defaults at `now`."""
        given = list(controls)
        events = live(given)
        found: list[Told] = []
        for event in events:
            for mode, (kind, _) in event.modes.items():
                span = spans_of(event, mode, events)
                if span is not None and span[1] > now:
                    found.append(self._versioned(event, mode, kind, series_of([span], kind)[0]))
        defaults = sorted((each for each in given if each.start is None), key=lambda each: each.program.primacy)
        for mode in dict.fromkeys(mode for each in defaults for mode in each.modes):
            first = next(each for each in defaults if mode in each.modes)
            kind, power = first.modes[mode]
            covered = [span for event in events if mode in event.modes and (span := spans_of(event, mode, events)) is not None]
            found += self._default(first, mode, kind, power, covered, now)
        self._last |= {each.signal.id: each for each in found}
        while len(self._last) > REMEMBERED:
            self._last.pop(next(iter(self._last)))
        return tuple(found)

    def _default(self, control: Control, mode: str, kind: Kind, power: float, covered: list[Span], now: float) -> list[Told]:
        id_ = self._id(control, mode)
        begins = self._since.get(id_, now)
        if now > begins + YEAR / 2:
            begins = now
        self._since[id_] = begins  # that time passes is no news
        until = begins + YEAR
        spans: list[Span] = []
        at = begins
        for start, end, _ in sorted(covered):
            if start > at:
                spans.append((at, min(start, until), power))
            at = max(at, end)
        if until > at:
            spans.append((at, until, power))
        runs = [run for run in series_of([span for span in spans if span[1] > now], kind) if run.until > now]
        return [self._versioned(control, mode, kind, run, f":{number}" if number else "") for number, run in enumerate(runs)]

    def _id(self, control: Control, mode: str) -> str:
        return f"{self._source}:{control.mrid}:{mode.removeprefix('csipaus:')}"

    def _versioned(self, control: Control, mode: str, kind: Kind, power: Series, suffix: str = "") -> Told:
        id_ = self._id(control, mode) + suffix
        rank = Rank.COMMITMENT if kind is Kind.SETPOINT else Rank.GRID
        signal = Signal(id_, kind, power, rank)
        last = self._last.get(id_)
        if last is not None and last.signal == signal:
            return last
        return Told(signal, 1.0 + (last.version if last else control.created), reference=control.mrid, priority=control.program.primacy)


def goes_before(one: Control, other: Control) -> bool:
    """Whether one event holds where both do: the lower primacy, then the later created."""
    if one.program.primacy != other.program.primacy:
        return one.program.primacy < other.program.primacy
    return (one.created, one.mrid) > (other.created, other.mrid)


def _modes(base: Element, rating: Rating) -> tuple[dict[str, tuple[Kind, float]], frozenset[str]]:
    modes: dict[str, tuple[Kind, float]] = {}
    passed = set()
    for element in base:
        name = element.tag.rpartition("}")[2]
        mode = f"csipaus:{name}" if element.tag.startswith(f"{{{words.AUS}}}") else name
        if mode in LIMITS:
            modes[mode] = LIMITS[mode], _watts(element, mode)
        elif mode == "opModMaxLimW":
            modes[mode] = Kind.EXPORT_CAP, _share(element, mode, 0) * rating.given
        elif mode == "opModFixedW":  # + is a discharge there
            share = _share(element, mode, -PERCENT)
            modes[mode] = Kind.SETPOINT, -share * (rating.given if share > 0 else rating.taken)
        elif mode == "opModTargetW":
            modes[mode] = Kind.SETPOINT, -_watts(element, mode, least=-1e9)
        elif mode in SWITCHES:
            if (element.text or "").strip() in ("false", "0"):
                modes |= {f"{mode} import": (Kind.IMPORT_CAP, 0.0), f"{mode} export": (Kind.EXPORT_CAP, 0.0)}
            elif (element.text or "").strip() in ("true", "1"):  # nothing is cut off, and lesser ones' cuts end here
                modes |= {f"{mode} import": (Kind.IMPORT_CAP, float("inf")), f"{mode} export": (Kind.EXPORT_CAP, float("inf"))}
            else:
                raise GridFault(Trouble.MALFORMED, f"{mode} is {quoted(element.text)}; true or false is wanted")
        else:
            passed.add(name)
    return modes, frozenset(passed)


def _watts(element: Element, mode: str, least: float = 0.0) -> float:
    multiplier = words.number(element, "multiplier")
    value = words.number(element, "value")
    power = value * 10.0**multiplier if -20 <= multiplier <= 20 else float("nan")
    if not least <= power <= 1e9:
        raise GridFault(
            Trouble.MALFORMED, f"{mode} is {value} x 10^{multiplier} W; beyond a gigawatt, or below {least:g}, it is a wrong multiplier"
        )
    return power


def _share(element: Element, mode: str, least: int) -> float:
    try:
        value = int((element.text or "").strip())
    except ValueError:
        value = PERCENT + 1
    if not least <= value <= PERCENT:
        raise GridFault(Trouble.MALFORMED, f"{mode} is {quoted(element.text)}; hundredths of a per cent are wanted, up to {PERCENT}")
    return value / PERCENT


def _drawn(element: Element, name: str, mrid: str, rating: Rating) -> float:
    """The random part of a time (s): between 0 and what the server says, of either sign; one draw for each event and device."""
    most = words.number(element, name, otherwise=0)
    if abs(most) > LONGEST_RANDOM:
        raise GridFault(Trouble.MALFORMED, f"{name} is {most} s; an hour is the most")
    drawn = int.from_bytes(hashlib.sha256(f"{rating.lfdi}\n{mrid}\n{name}".encode()).digest()[:8], "big") / 2**64
    return most * drawn
