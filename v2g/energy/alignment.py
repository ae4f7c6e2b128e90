"""How far a car's power profile leaves the schedule it follows, where car and station disagree about the time."""

from bisect import bisect_left, bisect_right
from math import inf

from v2g.energy.offer import Tuple
from v2g.energy.series import Series
from v2g.energy.stay import TOLERANCE

Span = tuple[float, float, float]  # from, until (epoch s), W as a magnitude


def alignment(profile: Series, offered: Tuple, tolerance: float, slack: float) -> tuple[float, float]:
    """The one shift of the whole profile (s, at most `slack` either way) with which it leaves its schedule for the shortest time in all,
    and that time (s).

    A profile leaves its schedule where its power is beyond it by more than `tolerance` (W). Before and after a schedule, and in a direction
    that has none, nothing was offered. A clock that is off shifts every edge alike: that is one shift, and no slack for each edge.
    """
    changes: list[tuple[float, float]] = []  # (shift, change of slope): the time outside is a sum of trapezoids over the shift
    outside = slope = 0.0
    for sign, schedule in ((1.0, offered.charging), (-1.0, offered.discharging)):
        limits = _limits(schedule, sign)
        begins, ends = [limit[0] for limit in limits], [limit[1] for limit in limits]
        for start, until, value in profile.merged().spans():
            power = sign * value - tolerance - TOLERANCE
            near = range(bisect_right(ends, start - slack), bisect_left(begins, until + slack)) if power > 0 else ()
            for begin, end, limit in (limits[place] for place in near):
                if power > limit:
                    overlap = max(min(until - slack, end) - max(start - slack, begin), 0.0)
                    outside += overlap
                    changes += _changes(start, until, begin, end)
    slope = sum(change for shift, change in changes if shift <= -slack)
    best, found, at = -slack, outside, -slack
    for shift, change in [*sorted(each for each in changes if -slack < each[0] < slack), (slack, 0.0)]:
        for stop in sorted({0.0, shift}) if at < 0.0 < shift else [shift]:
            outside += slope * (stop - at)
            at = stop
            if outside < found - TOLERANCE or (outside <= found + TOLERANCE and abs(at) < abs(best)):
                best, found = at, outside
        slope += change
    return best, max(found, 0.0)


def _limits(schedule: Series | None, sign: float) -> list[Span]:
    """The schedule as magnitudes, with nothing before and after it."""
    if schedule is None or not schedule.steps:
        return [(-inf, inf, 0.0)]
    spans = [(start, until, max(sign * value, 0.0)) for start, until, value in schedule.merged().spans()]
    return [(-inf, schedule.start, 0.0), *spans, (schedule.until, inf, 0.0)]


def _changes(start: float, until: float, begin: float, end: float) -> list[tuple[float, float]]:
    """Where, as a step (start, until) is shifted over a limit (begin, end), the slope of the time that they share changes."""
    shared = min(until - start, end - begin)
    corners = ((begin - until, 1.0), (begin - until + shared, -1.0), (end - start - shared, -1.0), (end - start, 1.0))
    return [corner for corner in corners if abs(corner[0]) != inf]
