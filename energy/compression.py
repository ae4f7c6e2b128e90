"""Fewer steps for cars that hold few: a plan in at most so many intervals that still exceeds nothing."""

import math
from collections.abc import Callable, Sequence
from decimal import ROUND_DOWN, Decimal
from itertools import accumulate, pairwise

from energy.plan import Plan, plan_of
from energy.scheduler import UNSERVED
from energy.stay import TOLERANCE, Stay

NUDGE = 1.0 + 1e-9  # floats that should be 11000 may be 10999.999999
DIGITS = 4  # significant digits that a 16-bit mantissa always holds
MANTISSA = 32_767  # and the largest of five digits that it holds


def floor_to_digits(value: float, digits: int = DIGITS) -> float:
    """The value cut towards 0 to that many significant decimal digits: a limit so rounded is never exceeded. Infinities and 0 stay."""
    if value == 0 or not math.isfinite(value):
        return value
    exact = Decimal(repr(value))
    return float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - digits + 1), rounding=ROUND_DOWN))


def floor_to_short(value: float) -> float:
    """The value cut towards 0 to what a 16-bit mantissa times a power of ten holds, as numbers on the wire are: 11 kW to the W, 50 kW to 10 W."""
    finest = floor_to_digits(value, DIGITS + 1)
    if not math.isfinite(finest) or abs(int("".join(map(str, Decimal(repr(finest)).normalize().as_tuple().digits)))) <= MANTISSA:
        return finest
    return floor_to_digits(value, DIGITS)


def compressed(plan: Plan, points: int, remade: Callable[[Stay], Plan]) -> Plan:
    """The plan in at most `points` (>= 1) intervals, powers cut by `floor_to_short`.

    First neighbours of equal power are joined, which loses nothing. If that is not enough, dynamic programming chooses the joints that lose
    the least money when every joined interval moves the same energy at constant power, and `remade` plans anew over the coarser stay, whose
    caps are the lowest of what was joined: the result is again the best plan, now among those with that many steps at those places.
    """
    cuts = _runs(plan)
    if len(cuts) - 1 > points:
        plan = remade(plan.stay.coarsened(_cheapest_cuts(plan, cuts, points)))
        cuts = _runs(plan)
    powers = [plan.power.steps[cut].value for cut in cuts[:-1]]
    return _rounded(plan_of(plan.stay.coarsened(cuts), powers, plan.gap))


def _runs(plan: Plan) -> list[int]:
    """The places where the power changes, with both ends."""
    changes = [place for place, (a, b) in enumerate(pairwise(plan.power.values), 1) if abs(a - b) > TOLERANCE]
    return [0, *changes, len(plan.power.steps)]


def _rounded(plan: Plan) -> Plan:
    """The plan with powers of few digits. Each step makes up for what rounding lost before it, so nothing accumulates."""
    stay, energy, powers = plan.stay, 0.0, []
    for interval, power, goal in zip(stay.intervals, plan.power.values, plan.energies[1:], strict=True):
        wanted = stay.metered(goal - energy, interval.hours)
        lowest, highest = (0.0, interval.charge_cap) if power > 0 else (-interval.discharge_cap if power < 0 else 0.0, 0.0)
        power = floor_to_short(min(max(wanted * NUDGE, lowest), highest))
        powers.append(stay.feasible(power, lowest, highest))
        energy += stay.stored(powers[-1], interval.hours)
    return plan_of(stay, powers, plan.gap)


def _cheapest_cuts(plan: Plan, cuts: Sequence[int], points: int) -> list[int]:
    """At most `points` blocks of the runs between `cuts`: those whose losses add up to the least."""
    losses = _losses(plan, cuts)
    runs = len(cuts) - 1
    best: list[list[tuple[float, int]]] = [
        [(0.0, 0)] + [(math.inf, 0)] * runs
    ]  # per number of blocks and end: loss, start of the last block
    for _ in range(points):
        before = best[-1]
        best.append([(0.0, 0), *(min((before[a][0] + losses[a][b], a) for a in range(b)) for b in range(1, runs + 1))])
    chosen, end = [runs], runs
    for layer in reversed(best[1:]):
        end = layer[end][1]
        chosen.append(end)
        if end == 0:
            break
    return [cuts[place] for place in reversed(chosen)]


def _losses(plan: Plan, cuts: Sequence[int]) -> list[list[float]]:
    """What it costs to move the energy of the runs a to b at constant power, against moving it as planned: [a][b], currency."""
    stay = plan.stay
    hours = list(accumulate((i.hours for i in stay.intervals), initial=0.0))
    imports = list(accumulate((i.import_price * i.hours for i in stay.intervals), initial=0.0))
    exports = list(accumulate(((i.export_price - stay.wear_cost) * i.hours for i in stay.intervals), initial=0.0))
    spent = list(accumulate((_money(plan, place) for place in range(len(stay.intervals))), initial=0.0))
    dear = UNSERVED * max(abs(p) for i in stay.intervals for p in (i.import_price, i.export_price, 1e-6)) / 1000.0  # per Wh
    rows = []
    for a, start in enumerate(cuts[:-1]):
        row, charge, discharge = [math.inf] * (a + 1), math.inf, math.inf
        for before, end in pairwise(cuts[a:]):
            charge = min(charge, *(i.charge_cap for i in stay.intervals[before:end]))
            discharge = min(discharge, *(i.discharge_cap for i in stay.intervals[before:end]))
            gain, time = plan.energies[end] - plan.energies[start], hours[end] - hours[start]
            power = stay.feasible(min(max(stay.metered(gain, time), -discharge), charge), -discharge, charge)
            paid = power / 1000.0 * ((imports if power > 0 else exports)[end] - (imports if power > 0 else exports)[start])
            lost = abs(gain - stay.stored(power, time)) * dear
            row.append(max(paid - (spent[end] - spent[start]), 0.0) + lost)
        rows.append(row)
    return rows


def _money(plan: Plan, place: int) -> float:
    """Cash and wear of an interval of the plan, in the currency."""
    interval, power = plan.stay.intervals[place], plan.power.steps[place].value
    return power / 1000.0 * interval.hours * (interval.import_price if power > 0 else interval.export_price - plan.stay.wear_cost)
