"""A quantity over time that changes in steps: power, a limit, a price."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

SECONDS_PER_HOUR = 3600.0
SAME_INSTANT = 1e-6  # s; instants closer than this are one: an epoch second as a float resolves 2.4e-7 s


@dataclass(frozen=True, slots=True)
class Step:
    """A value that holds for `duration` seconds (> 0). The value may be infinite (no limit), never NaN."""

    duration: float  # s
    value: float

    def __post_init__(self) -> None:
        if not (self.duration > 0 and math.isfinite(self.duration)):
            raise ValueError(f"a step lasts {self.duration} s; give a finite duration above 0")
        if math.isnan(self.value):
            raise ValueError("a step has the value NaN; give a number")


@dataclass(frozen=True)  # no slots: the edges are kept
class Series:
    """Steps one after the other from `start` (epoch s). Half-open: a step holds at its first instant, not at its last. It may be empty."""

    start: float  # epoch s
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        if not math.isfinite(self.start):
            raise ValueError(f"a series starts at {self.start}; give finite epoch seconds")

    # --- making ---

    @classmethod
    def constant(cls, start: float, duration: float, value: float) -> "Series":
        """A series of one value for `duration` seconds; empty when the duration is not above 0."""
        return cls(start, (Step(duration, value),) if duration > 0 else ())

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[float, float]], until: float) -> "Series":
        """A series from pairs (start of the step in epoch s, value), the last ending at `until`. ValueError if not ascending or empty."""
        given = list(pairs)
        if not given:
            raise ValueError("a series of no pairs has no start; give at least one (start, value)")
        ends = [start for start, _ in given[1:]] + [until]
        for (start, _), end in zip(given, ends, strict=True):
            if end <= start:
                raise ValueError(f"the step at {start} would end at {end}; starts ascend and the last lies before `until`")
        return cls(given[0][0], tuple(Step(end - start, value) for (start, value), end in zip(given, ends, strict=True)))

    # --- asking ---

    @property
    def duration(self) -> float:
        """Length of the series in s."""
        return self._duration

    @cached_property
    def _duration(self) -> float:
        return math.fsum(step.duration for step in self.steps)

    @property
    def until(self) -> float:
        """The first instant after the series (epoch s)."""
        return self.start + self.duration

    @property
    def values(self) -> tuple[float, ...]:
        """The value of each step."""
        return tuple(step.value for step in self.steps)

    def edges(self) -> tuple[float, ...]:
        """The starts of the steps and, last, the end of the series (epoch s): one more than there are steps."""
        return self._edges

    @cached_property
    def _edges(self) -> tuple[float, ...]:
        return tuple(accumulate((step.duration for step in self.steps), initial=self.start))

    def spans(self) -> Iterator[tuple[float, float, float]]:
        """Start (epoch s), end (epoch s) and value of each step."""
        for (start, end), step in zip(pairwise(self.edges()), self.steps, strict=True):
            yield start, end, step.value

    def during(self, start: float, until: float) -> Iterator[tuple[float, float, float]]:
        """The spans that meet [start, until) (epoch s), whole. Of a long series only these are looked at."""
        edges = self.edges()
        for place in range(max(bisect_right(edges, start) - 1, 0), min(bisect_left(edges, until), len(self.steps))):
            if edges[place + 1] > start:
                yield edges[place], edges[place + 1], self.steps[place].value

    def at(self, t: float) -> float | None:
        """The value at `t` (epoch s), None outside of the series."""
        return self.sample((t,))[0]

    def sample(self, times: Sequence[float]) -> list[float | None]:
        """The value at each of the instants (epoch s), None outside of the series; one pass over the edges and a bisection for each."""
        edges = self.edges()
        places = (bisect_right(edges, t + SAME_INSTANT) - 1 for t in times)
        return [self.steps[place].value if 0 <= place < len(self.steps) else None for place in places]

    def integral(self, start: float = -math.inf, until: float = math.inf) -> float:
        """The integral between two instants (epoch s), as value times hours: Wh when the values are W."""
        return math.fsum((min(e, until) - max(s, start)) * v for s, e, v in self.during(start, until)) / SECONDS_PER_HOUR

    def mean(self, start: float, until: float) -> float:
        """The mean value over the part of [start, until) (epoch s) that the series covers. ValueError if it covers none."""
        covered = min(until, self.until) - max(start, self.start)
        if covered <= 0:
            raise ValueError(f"the series [{self.start}, {self.until}) covers nothing of [{start}, {until})")
        return self.integral(start, until) * SECONDS_PER_HOUR / covered

    # --- changing: every one gives a new series ---

    def shift(self, seconds: float) -> "Series":
        """The series moved to later by `seconds`, to earlier where that is negative."""
        return Series(self.start + seconds, self.steps)

    def map(self, function: Callable[[float], float]) -> "Series":
        """The series with each value replaced by `function` of it."""
        return Series(self.start, tuple(Step(step.duration, function(step.value)) for step in self.steps))

    def clip(self, start: float, until: float) -> "Series":
        """The part of the series within [start, until) (epoch s). Empty, and starting at `start`, if there is none."""
        parts = [(max(s, start), min(e, until), v) for s, e, v in self.during(start, until)]
        parts = [(s, e, v) for s, e, v in parts if e - s > SAME_INSTANT]
        return Series(parts[0][0] if parts else start, tuple(Step(e - s, v) for s, e, v in parts))

    def resample(self, step: float) -> "Series":
        """The series as means over steps of `step` seconds; the last may be shorter. The integral stays. ValueError unless step > 0."""
        if not step > 0:
            raise ValueError(f"cannot resample to steps of {step} s; give a step above 0")
        starts = [self.start + i * step for i in range(math.ceil((self.duration - SAME_INSTANT) / step))]
        until, spans, first, steps = self.until, tuple(self.spans()), 0, []
        for start in starts:  # both run forward, so that a thousand steps cost no million
            end = min(start + step, until)
            while first < len(spans) - 1 and spans[first][1] <= start:
                first += 1
            last = first
            while last < len(spans) - 1 and spans[last][1] < end:
                last += 1
            parts = ((min(e, end) - max(s, start)) * v for s, e, v in spans[first : last + 1] if min(e, end) > max(s, start))
            steps.append(Step(end - start, math.fsum(parts) / (end - start)))
        return Series(self.start, tuple(steps))

    def merged(self) -> "Series":
        """The series with neighbours of equal value made one step."""
        steps: list[Step] = []
        for step in self.steps:
            if steps and steps[-1].value == step.value:
                step = Step(steps.pop().duration + step.duration, step.value)
            steps.append(step)
        return Series(self.start, tuple(steps))

    def then(self, other: "Series") -> "Series":
        """This series followed by another that starts where this one ends. ValueError if it does not."""
        if abs(self.until - other.start) > SAME_INSTANT:
            raise ValueError(f"a series that starts at {other.start} cannot follow one that ends at {self.until}; shift it")
        return Series(self.start, self.steps + other.steps)


def minimum(a: Series, b: Series) -> Series:
    """The lower of two limits at every instant of either. Where only one is defined that one holds; between two that do not touch, no
    limit.
    """
    instants = sorted({*a.edges(), *b.edges()})
    starts = [t for t, later in pairwise(instants) if later - t > SAME_INSTANT]
    if not starts:
        return a
    values = [min((v for v in pair if v is not None), default=math.inf) for pair in zip(a.sample(starts), b.sample(starts), strict=True)]
    return Series.from_pairs(zip(starts, values, strict=True), instants[-1]).merged()


def total(parts: Iterable[Series | None]) -> Series | None:
    """The sum at every instant of any; one that is not defined there, or None, counts 0. None where there is nothing to add."""
    there = [part for part in parts if part is not None and part.steps]
    if not there:
        return None
    instants = sorted({edge for part in there for edge in part.edges()})
    starts = [t for t, later in pairwise(instants) if later - t > SAME_INSTANT]
    values = [math.fsum(value or 0.0 for value in at) for at in zip(*(part.sample(starts) for part in there), strict=True)]
    return Series.from_pairs(zip(starts, values, strict=True), instants[-1])
