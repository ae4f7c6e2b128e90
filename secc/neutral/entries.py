"""Series made fit for messages: whole seconds, and no more entries than the car can hold."""

import math

from v2g.energy.series import Series, Step


def whole(series: Series) -> Series:
    """The series with every edge on a whole second. Edges are rounded, not durations: no error adds up to another end."""
    edges = [float(int(series.start)), *(float(round(edge)) for edge in series.edges()[1:])]
    steps = [Step(later - edge, step.value) for edge, later, step in zip(edges, edges[1:], series.steps, strict=False) if later > edge]
    return Series(edges[0], tuple(steps) or (Step(1.0, series.steps[0].value if series.steps else 0.0),))


def fitted_steps(power: Series, points: int) -> Series:
    """A schedule (W) on whole seconds in at most `points` steps. Steps that are joined offer the smallest of their powers."""
    exact = whole(power).merged()
    if len(exact.steps) <= points:
        return exact
    each = -(-len(exact.steps) // points)
    blocks = [exact.steps[first : first + each] for first in range(0, len(exact.steps), each)]
    joined = (Step(sum(step.duration for step in block), min((step.value for step in block), key=abs)) for block in blocks)
    return Series(exact.start, tuple(joined)).merged()


def priced_steps(prices: Series | None, power: Series | None, points: int) -> Series | None:
    """Prices over the span of a schedule, on whole seconds in at most `points` steps (joined: their mean); None where there are none."""
    if prices is None or not prices.steps or power is None:
        return None
    covered = prices.clip(power.start, power.until)
    covered = covered if covered.steps else Series.constant(power.start, power.duration, prices.steps[-1].value)
    most = max(1, points)
    if len(covered.steps) > most:
        covered = covered.resample(math.ceil(covered.duration / most))
    return whole(_until(covered, power.until))


def _until(prices: Series, until: float) -> Series:
    """The last known price holds on to the end of the schedule."""
    missing = until - prices.until
    if missing < 1.0:
        return prices
    last = prices.steps[-1]
    return Series(prices.start, (*prices.steps[:-1], Step(last.duration + missing, last.value)))
