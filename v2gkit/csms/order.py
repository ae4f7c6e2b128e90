"""In which order the profiles of a shared connection are told, so that what is drawn keeps its limit whoever is not told the rest (pure).

A limit is for a sum. Between two messages some cars have their former profile and others the new one, and the next message may never come.
So first every car loses what it is to lose, then each gains what it is to gain. A profile that does both, at different times, is told in
two steps: the first has the lesser of both at every moment.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil, floor, inf
from typing import TypeVar

from v2g.energy.fleet.promises import OFF
from v2g.energy.offer import Offer
from v2g.energy.series import Series

T = TypeVar("T")


def in_order(changes: Sequence[tuple[T, Series | None, Offer]], wall: float) -> list[tuple[T, Offer]]:
    """Whom to tell what, one after the other, from `wall` (epoch s) on. A change has what was told last (W, signed), None: nothing."""
    first: list[tuple[T, Offer]] = []
    then: list[tuple[float, T, Offer]] = []
    for who, before, offer in changes:
        moves = [new - old for _, old, new in _both(before, offer.tuples[0].power, wall)]
        falls, rises = min(moves, default=0.0) < -OFF, max(moves, default=0.0)
        if rises <= OFF:
            first.append((who, offer))
            continue
        if falls and len(changes) > 1:
            first.append((who, _least(before, offer, wall)))
        then.append((rises, who, offer))
    return first + [(who, offer) for _, who, offer in sorted(then, key=lambda each: each[0])]


def differs(before: Series, after: Series, wall: float) -> bool:
    """Whether a profile (W, signed) is another one from `wall` (epoch s) on."""
    return any(abs(new - old) > OFF for _, old, new in _both(before, after, wall))


def _both(before: Series | None, after: Series, wall: float) -> list[tuple[float, float, float]]:
    """Start, W before and W after of each span that is still to come, wherever either changes."""
    rest = after.clip(wall, inf)
    known = () if before is None else before.edges()
    starts = sorted({*rest.edges()[:-1], *(edge for edge in known if rest.start < edge < rest.until)})
    had = [0.0] * len(starts) if before is None else [value or 0.0 for value in before.sample(starts)]
    return [(start, old, new or 0.0) for start, old, new in zip(starts, had, rest.sample(starts), strict=True)]


def _least(before: Series | None, offer: Offer, wall: float) -> Offer:
    """The offer with the lesser power of what was told and what it has, at every moment; in whole seconds of its own, as a profile has."""
    shown = offer.tuples[0]
    start, until = shown.power.start, shown.power.until
    spans = _both(before, shown.power, min(wall, start))
    starts = [at for at, _, _ in spans]
    grid = sorted({whole(at - start) for at in (*starts, until) for whole in (floor, ceil)})
    pairs = []
    for second, end in pairwise(grid):
        first, last = bisect_right(starts, start + second) - 1, bisect_left(starts, start + end)
        pairs.append((start + second, min(min(old, new) for _, old, new in spans[max(first, 0) : last])))
    least = Series.from_pairs(pairs, until).merged()
    draws = least.map(lambda value: max(value, 0.0))
    gives = None if shown.discharging is None else least.map(lambda value: min(value, 0.0))
    return replace(offer, tuples=(replace(shown, charging=draws, discharging=gives, plan=None), *offer.tuples[1:]))
