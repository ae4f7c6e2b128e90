"""A running session as a block of lines, as one line, or many of them as a summary: pieces of text with their styles. Pure.

Every bar is readable without colour: what fills it is `=`, power into the car is `>` right of the middle, power out of it `<` left of it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from v2g.legible import legible
from v2gkit.insight.progress import SMALL, Progress

WIDE: Final = 72  # columns from which on two bars stand in one line
ROOMY: Final = 60  # columns from which on a session that has one line has a bar in it
LONGEST: Final = 40  # characters of a name that a peer chose, of which the rest is cut: what is said after it is to be seen, too
CHARGE, DISCHARGE, REST, DIM, WELL, BAD = "green", "bright_magenta", "", "dim", "green", "bold red"
Piece = tuple[str, str]  # text and style
Line = list[Piece]


def block(one: Progress, room: int) -> list[Line]:
    """A session in three or four lines for a terminal of `room` columns: who and what, the stay, the battery, power or else the verdict."""
    bar = 12 if room >= WIDE else max(4, min(12, (room - 26) // 2))
    stay, power = _stay(one, bar), [] if one.over else _power(one, bar)
    if room >= WIDE:
        lines = [_joined([stay, _energy(one)]), _joined([_soc(one, bar), power])]
    else:
        lines = [stay, _joined([_soc(one, bar, short=True), _energy(one, short=True)]), power]
    return [line for line in (_head(one), *lines) if line]


def folded(one: Progress, room: int) -> Line:
    """A session in one line, the most important first; there is a bar in it where `room` (columns) is enough."""
    parts = [[(named(one), "bold")], [(_doing(one), _style(one))]]
    if one.over:
        return _joined([[(named(one), "bold")], verdict(one)])
    if one.looped:
        parts.append(_power(one, 5) if room >= ROOMY else [(_kilowatts(one.power), _way(one.power))])
    if one.soc is not None:
        parts.append([(_percent(one), "")])
    if one.looped:
        parts.append(_energy(one))
    if one.left is not None:
        parts.append([(f"{duration(one.left)} left", "")])
    return _joined(parts)


def summary(sessions: Sequence[Progress], more: Iterable[str], room: int) -> list[Line]:
    """Many sessions in two lines, and a third where there is `more` to be told."""
    counts = Counter(one.phase or "begins" for one in sessions)
    told = [f"{count} {phase}" for phase, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    power = sum(one.power for one in sessions)
    most = max(sum(one.most for one in sessions if one.looped), SMALL)
    charged, discharged = sum(one.charged for one in sessions), sum(one.discharged for one in sessions)
    lines = [
        _joined([[(f"{len(sessions)} sessions", "bold")], [(", ".join(map(legible, told)), "")]]),
        _joined(
            [
                [("power ", DIM), *_both(power, most, 12 if room >= WIDE else 5), (f" {_kilowatts(power)}", _way(power))],
                _kilowatt_hours(charged, discharged, short=room < WIDE),
            ]
        ),
    ]
    if rest := [legible(part) for part in more]:
        lines.append([("  ".join(rest), "")])
    return lines


def verdict(one: Progress) -> Line:
    """How a session ended, with the requirement and the reason in words; it is not cut."""
    if one.well:
        return [(f"ended well: {legible(one.how)}" + (f", asked for: {legible(one.asked)}" if one.asked else ""), WELL)]
    broken = f" [{legible(one.requirement)}]" if one.requirement else ""
    return [(f"failed{broken}: {legible(one.reason)}", BAD)]


def named(one: Progress) -> str:
    """The name of a session, and of its peer once that has introduced itself."""
    peer = legible(one.peer)
    peer = peer if len(peer) <= LONGEST else peer[: LONGEST - 1] + "…"
    return " - ".join(part for part in (legible(one.name), peer) if part) or "session"


def duration(seconds: float) -> str:
    """A time in the unit that is read best: 34 s, 12 min, 17:40 h."""
    whole = int(max(seconds, 0.0))
    return f"{whole} s" if whole < 60 else f"{whole // 60} min" if whole < 3600 else f"{whole // 3600}:{whole % 3600 // 60:02} h"


# --- parts ---


def _head(one: Progress) -> Line:
    agreed = " ".join(part for part in (one.service, one.control, one.authorization) if part)
    return _joined([[(named(one), "bold")], [(agreed, "")] if agreed else [], [] if one.over else [(_doing(one), _style(one))]])


def _doing(one: Progress) -> str:
    return legible(one.phase) or "begins"


def _style(one: Progress) -> str:
    return _way(one.power) if one.looped else DIM


def _stay(one: Progress, bar: int) -> Line:
    if one.stay is None:
        return [("stay  ", DIM), (duration(one.stayed), "")]
    left = max(one.stay - one.stayed, 0.0)
    said = duration(one.stayed) if one.over else f"{duration(left)} left"
    return [("stay  ", DIM), *_filled(one.stayed / one.stay if one.stay else 1.0, bar, ""), (f" {said} of {duration(one.stay)}", "")]


def _soc(one: Progress, bar: int, *, short: bool = False) -> Line:
    if one.soc is None:
        return []
    said = f" {one.soc} %" if short else f" {_percent(one)}"  # the mark in the bar says the rest
    return [("SOC   ", DIM), *_filled(one.soc / 100, bar, "cyan", None if one.target is None else one.target / 100), (said, "")]


def _percent(one: Progress) -> str:
    return f"{one.soc} %" + (f" of {one.target} %" if one.target is not None else "")


def _power(one: Progress, bar: int) -> Line:
    if not one.looped:
        return []
    return [("power ", DIM), *_both(one.power, one.most, bar), (f" {_kilowatts(one.power)}", _way(one.power))]


def _energy(one: Progress, *, short: bool = False) -> Line:
    return _kilowatt_hours(one.charged, one.discharged, short=short) if one.looped else []


def _kilowatt_hours(charged: float, discharged: float, *, short: bool = False) -> Line:
    if short:
        return [(f"+{charged / 1000:.1f} -{discharged / 1000:.1f} kWh", "")]
    return [(f"{charged / 1000:.2f} kWh in, {discharged / 1000:.2f} out", "")]


def _kilowatts(power: float) -> str:
    return f"{power / 1000:+.1f} kW" if abs(power) < 1e9 else f"{power / 1000:+.1e} kW"  # what a peer says may be silly


def _way(power: float) -> str:
    return REST if abs(power) < SMALL else CHARGE if power > 0 else DISCHARGE


def _filled(share: float, columns: int, style: str, mark: float | None = None) -> Line:
    """A bar that is full to a share (0 to 1), with a `|` where a mark is that it has not reached."""
    full = round(min(max(share, 0.0), 1.0) * columns)
    empty = list(" " * (columns - full))
    if mark is not None and full <= (place := min(round(min(max(mark, 0.0), 1.0) * columns), columns - 1)) and empty:
        empty[place - full] = "|"
    return [("[", DIM), ("=" * full, style), ("".join(empty), DIM), ("]", DIM)]


def _both(power: float, most: float, columns: int) -> Line:
    """A bar with zero in its middle: out of the car to the left, into it to the right."""
    half = max(columns // 2, 2)
    full = min(half, max(round(abs(power) / most * half), 1)) if abs(power) >= SMALL else 0
    out, into = (full, 0) if power < 0 else (0, full)
    left, right = " " * (half - out), " " * (half - into)
    return [("[", DIM), (left, ""), ("<" * out, DISCHARGE), ("|", DIM), (">" * into, CHARGE), (right, ""), ("]", DIM)]


def _joined(parts: Iterable[Line]) -> Line:
    """Parts side by side, two columns apart."""
    line = Line()
    for part in parts:
        if part:
            line += [("  ", ""), *part] if line else part
    return line
