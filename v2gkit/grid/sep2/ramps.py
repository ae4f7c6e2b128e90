"""How limits rise: a limit that ends, or is followed by a higher one, lets go little by little, where its server says how fast. Pure.

A limit that falls holds at once: that is never more than is allowed. A rise is a limit of its own beside the others, from what held
before up to the rating, step by step and never above the slope; whatever is lower meanwhile holds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Final

from v2g.energy.series import Series, Step
from v2g.energy.signal import Kind
from v2gkit.grid.sep2.rating import PERCENT, Rating

STEPS: Final = 16  # of one rise
RISES: Final = 32  # at once: the soonest
AHEAD: Final = 86_400.0  # s: edges later than that are looked at when they are near


@dataclass(frozen=True, slots=True)
class Held:
    """A limit of one mode over time (epoch s), W; `ramp` is in how many s it is reached from a lower one, None: by the gradient."""

    start: float
    end: float
    power: float
    ramp: float | None = None


@dataclass(frozen=True, slots=True)
class Rise:
    """From a power (W) at an instant (epoch s) up to the rating in so many s."""

    kind: Kind
    start: float
    power: float
    most: float
    seconds: float

    @property
    def series(self) -> Series:
        """The limit while it rises."""
        share = (self.most - self.power) / STEPS
        return Series(self.start, tuple(Step(self.seconds / STEPS, self.power + share * number) for number in range(STEPS)))


class Ramps:
    """The rises of one device, round after round."""

    def __init__(self, rating: Rating) -> None:
        self._most = {Kind.IMPORT_CAP: rating.taken, Kind.EXPORT_CAP: rating.given}
        self._before: dict[str, tuple[Kind, list[Held]]] = {}
        self._rises: dict[tuple[str, float], Rise] = {}

    def rising(self, modes: Mapping[str, tuple[Kind, Iterable[Held]]], gradient: int, now: float) -> dict[str, Rise]:
        """The rises that begin or go on, by a name, for limits that do not overlap within a mode.

        `gradient` is in hundredths of a per cent of the rating in a second; 0: only those whose control has a ramp.
        """
        kept = {key: rise for key, rise in self._rises.items() if key[1] <= now < rise.start + rise.seconds}
        gone = {mode: (kind, ()) for mode, (kind, _) in self._before.items() if mode not in modes}
        lines = {mode: (kind, _whole(held, self._most[kind])) for mode, (kind, held) in {**modes, **gone}.items() if kind in self._most}
        for mode, (kind, line) in lines.items():
            most = self._most[kind]
            edges = [(later.start, held.power, later) for held, later in pairwise(line) if later.start < now + AHEAD]
            before = _at(self._before[mode][1], now) if mode in self._before else None
            if before is not None:
                edges.append((now, before.power, _at(line, now) or Held(now, inf, most)))  # by what was taken back, or changed
            for start, power, later in edges:
                rate = (later.power - power) / later.ramp if later.ramp else 0.0 if later.ramp == 0 else gradient / PERCENT * most
                if later.power > power and rate > 0 and start + (most - power) / rate > now:
                    kept.setdefault((mode, start), Rise(kind, start, power, most, (most - power) / rate))
        self._before = {mode: (kind, line) for mode, (kind, line) in lines.items() if line}
        self._rises = dict(sorted(kept.items(), key=lambda each: each[0][1])[:RISES])
        return {f"{mode}:{start:.0f}": rise for (mode, start), rise in self._rises.items()}


def _whole(held: Iterable[Held], most: float) -> list[Held]:
    """The limits in their order, with the rating where there is none between and behind them."""
    line: list[Held] = []
    for each in sorted(held, key=lambda one: one.start):
        if line and each.start > line[-1].end:
            line.append(Held(line[-1].end, each.start, most))
        line.append(Held(each.start, each.end, min(each.power, most), each.ramp))
    if line:
        line.append(Held(line[-1].end, inf, most))
    return line


def _at(line: Iterable[Held], at: float) -> Held | None:
    return next((held for held in line if held.start <= at < held.end), None)
