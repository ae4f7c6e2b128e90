"""From DER controls to signals: primacy, supersession, random starts, and the default where no event is. Pure.

Of two events that overlap and have a mode in common, that of the lower primacy holds; of one primacy the later created. The other one
ends where it begins, and does not go on behind it. Where no event has a mode, the default control of the program of lowest
primacy that has it holds.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final
from xml.etree.ElementTree import Element

from v2g.energy.signal import Kind
from v2gkit.grid.faults import GridFault, Trouble, quoted
from v2gkit.grid.received import YEAR
from v2gkit.grid.sep2 import words
from v2gkit.grid.sep2.rating import PERCENT, Rating
from v2gkit.grid.spans import Span

LIMITS: Final = {
    "csipaus:opModImpLimW": Kind.IMPORT_CAP,
    "csipaus:opModLoadLimW": Kind.IMPORT_CAP,
    "csipaus:opModExpLimW": Kind.EXPORT_CAP,
    "csipaus:opModGenLimW": Kind.EXPORT_CAP,
}
SWITCHES: Final = ("opModConnect", "opModEnergize")  # false: nothing either way
CANCELLED, RANDOMLY_CANCELLED, SUPERSEDED = 2, 3, 4  # EventStatus.currentStatus
LONGEST_RANDOM: Final = 3_600  # s
LONGEST_GRADIENT: Final = 65_535  # hundredths of a per cent in a second, as the schema has it
RAMP: Final = "rampTms"  # of a control, in hundredths of a s


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
    gradient: int | None = None  # of a default: how fast limits rise, hundredths of a per cent of the rating in a second
    ramp: float | None = None  # s in which its limits are reached, where they are above what held before


def control_of(element: Element, program: Program, rating: Rating, offset: float) -> tuple[Control, frozenset[str]]:
    """A control, and the modes that nothing is made of. `offset` is by how many s the server's clock is ahead. GridFault."""
    base = words.child(element, "DERControlBase")
    try:
        modes, passed = _modes(base, rating) if base is not None else ({}, frozenset())
        if element.tag == words.full("DefaultDERControl"):
            said = words.number(element, "setGradW", otherwise=-1)
            if said > LONGEST_GRADIENT:
                raise GridFault(Trouble.MALFORMED, f"setGradW is {said} hundredths of a per cent in a second; at most {LONGEST_GRADIENT}")
            return Control(_mrid_of(element), program, modes, gradient=said if said >= 0 else None), passed
        ramp = words.number(base, RAMP, otherwise=-1) if base is not None else -1
        if ramp > 100 * LONGEST_RANDOM:
            raise GridFault(Trouble.MALFORMED, f"{RAMP} is {ramp / 100:g} s; an hour is the longest")
    except GridFault as fault:
        raise GridFault(fault.trouble, f"control {quoted(words.text(element, 'mRID'))}: {fault}") from None
    return replace(event_of(element, program, rating.lfdi, offset), modes=modes, ramp=ramp / 100 if ramp >= 0 else None), passed


def event_of(element: Element, program: Program, lfdi: str, offset: float) -> Control:
    """An event without its values: when it holds for a device, and where it is answered. GridFault."""
    mrid = _mrid_of(element)
    try:
        start = words.number(element, "interval", "start") - offset + _drawn(element, "randomizeStart", mrid, lfdi)
        length = words.number(element, "interval", "duration") + _drawn(element, "randomizeDuration", mrid, lfdi)
        if not 0 <= length <= YEAR:
            raise GridFault(Trouble.MALFORMED, f"it lasts {length:g} s; a year is the longest")
        created = words.number(element, "creationTime") - offset
        status = words.number(element, "EventStatus", "currentStatus")
    except GridFault as fault:
        raise GridFault(fault.trouble, f"control {quoted(mrid)}: {fault}") from None
    required = element.get("responseRequired", "00")
    bits = int(required, 16) if len(required) <= 2 and not set(required.lower()) - set("0123456789abcdef") else 0
    return Control(mrid, program, {}, start, start + length, created, status, element.get("replyTo"), bits)


def _mrid_of(element: Element) -> str:
    mrid = words.text(element, "mRID") or ""
    if not 1 <= len(mrid) <= 32:
        raise GridFault(Trouble.MALFORMED, f"a control of the mRID {quoted(mrid)}")
    return mrid


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
        elif mode != RAMP:
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


def _drawn(element: Element, name: str, mrid: str, lfdi: str) -> float:
    """The random part of a time (s): between 0 and what the server says, of either sign; one draw for each event and device."""
    most = words.number(element, name, otherwise=0)
    if abs(most) > LONGEST_RANDOM:
        raise GridFault(Trouble.MALFORMED, f"{name} is {most} s; an hour is the most")
    drawn = int.from_bytes(hashlib.sha256(f"{lfdi}\n{mrid}\n{name}".encode()).digest()[:8], "big") / 2**64
    return most * drawn
