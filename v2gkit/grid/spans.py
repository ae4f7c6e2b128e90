"""Spans of time with a power each, as protocols tell intervals, made into series. Pure."""

import math
from itertools import pairwise
from typing import Final

from v2g.energy.series import SAME_INSTANT, Series, Step
from v2g.energy.signal import Kind
from v2gkit.grid.faults import GridFault, Trouble

Span = tuple[float, float, float]
"""From, until (epoch s), W."""
OVERLAPPING: Final = 256  # spans of one event that may overlap: more cost time, and are no schedule


def series_of(spans: list[Span], kind: Kind) -> list[Series]:
    """The spans as series without gaps. A cap is the lowest where spans overlap, and none in a gap; of setpoints the first holds."""
    spans = sorted(spans, key=lambda span: span[0])
    if any(later[0] < span[1] - SAME_INSTANT for span, later in pairwise(spans)):
        spans = _apart(spans, kind)
    runs: list[list[Span]] = []
    for span in spans:
        if runs and abs(span[0] - runs[-1][-1][1]) <= SAME_INSTANT:
            runs[-1].append(span)
        elif runs and kind is not Kind.SETPOINT:
            runs[-1] += [(runs[-1][-1][1], span[0], math.inf), span]
        else:
            runs.append([span])
    return [Series(run[0][0], tuple(Step(end - start, power) for start, end, power in run)).merged() for run in runs]


def _apart(spans: list[Span], kind: Kind) -> list[Span]:
    """Spans that do not overlap any more."""
    if len(spans) > OVERLAPPING:
        raise GridFault(Trouble.HUGE, f"{len(spans)} intervals that overlap; at most {OVERLAPPING} are told apart")
    edges = sorted({edge for start, end, _ in spans for edge in (start, end)})
    made = []
    for start, end in pairwise(edges):
        there = [power for begin, until, power in spans if begin <= start + SAME_INSTANT and until >= end - SAME_INSTANT]
        if there and end - start > SAME_INSTANT:
            made.append((start, end, there[0] if kind is Kind.SETPOINT else min(there)))
    return made
