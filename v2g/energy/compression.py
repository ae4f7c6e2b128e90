"""A plan with fewer steps, for a car that can hold few: at most so many intervals, and still within every limit."""

import math
from collections.abc import Callable, Sequence
from decimal import ROUND_DOWN, Decimal
from itertools import accumulate, cycle, pairwise

from v2g.energy.patience import ENDLESS, Patience
from v2g.energy.plan import Plan, plan_of
from v2g.energy.scheduler import UNSERVED
from v2g.energy.stay import TOLERANCE, Interval, Stay

NUDGE = 1.0 + 1e-9  # floats that should be 11000 may be 10999.999999
DIGITS = 4  # significant digits that a 16-bit mantissa always holds
FEW = 32  # steps; where there are more, moving a cut changes little and plans take longer
TRIALS = 200  # moves of a cut: some tenths of a second
MANTISSA = 32_767  # and the largest of five digits that it holds


def floor_to_digits(value: float, digits: int = DIGITS) -> float:
    """A value cut towards 0 to so many significant decimal digits, so that a limit is never exceeded. Infinities and 0 stay."""
    if value == 0 or not math.isfinite(value):
        return value
    exact = Decimal(repr(value))
    return float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - digits + 1), rounding=ROUND_DOWN))


def floor_to_short(value: float) -> float:
    """A value cut towards 0 to a 16-bit mantissa times a power of ten, as messages carry it: 11 kW to 1 W, 50 kW to 10 W."""
    finest = floor_to_digits(value, DIGITS + 1)
    if not math.isfinite(finest) or abs(int("".join(map(str, Decimal(repr(finest)).normalize().as_tuple().digits)))) <= MANTISSA:
        return finest
    return floor_to_digits(value, DIGITS)


def compressed(plan: Plan, points: int, remade: Callable[[Stay], Plan], patience: Patience = ENDLESS) -> Plan:
    """The plan in at most `points` (>= 1) intervals, powers cut by `floor_to_short`.

    First neighbours of equal power are joined, which loses nothing. If that is not enough, dynamic programming chooses the joints that lose
    the least money when every joined interval moves the same energy at constant power, and `remade` plans anew over the coarser stay, whose
    caps are the lowest of what was joined: no limit is exceeded, and the result is the best plan with steps at those places. Then single
    joints are moved for as long as that saves something and `patience` lasts.
    """
    cuts = _runs(plan)
    if len(cuts) - 1 > points:
        plan = _refined(plan, _cheapest_cuts(plan, cuts, points), remade, patience)
        cuts = _runs(plan)
    powers = [plan.power.steps[cut].value for cut in cuts[:-1]]
    return _rounded(plan_of(plan.stay.coarsened(cuts), powers, plan.name, plan.gap))


def _refined(full: Plan, cuts: list[int], remade: Callable[[Stay], Plan], patience: Patience) -> Plan:
    """The best plan found from those cuts by moving one at a time for as long as that helps, within `TRIALS`."""
    stay, best, fruitless = full.stay, remade(full.stay.coarsened(cuts)), 0
    moves = [(place, by) for by in (1, -1, 2, -2, 4, -4) for place in range(1, len(cuts) - 1)]
    for (place, by), _ in zip(cycle(moves), range(TRIALS if len(cuts) <= FEW else 0), strict=False):
        if fruitless == len(moves) or patience.over or _worth(stay, best) <= _worth(stay, full) + _dear(stay):
            break
        moved = [*cuts[:place], cuts[place] + by, *cuts[place + 1 :]]
        fruitless += 1
        if cuts[place - 1] < moved[place] < cuts[place + 1]:
            made = remade(stay.coarsened(moved))
            if _worth(stay, made) < _worth(stay, best) - TOLERANCE * _dear(stay):
                best, cuts, fruitless = made, moved, 0
    return best


def _dear(stay: Stay) -> float:
    """The cost of a Wh not served, in the currency: as the scheduler counts it."""
    return UNSERVED * max(abs(price) for i in stay.intervals for price in (i.import_price, i.export_price, stay.wear_cost, 1e-6)) / 1000.0


def _worth(stay: Stay, made: Plan) -> float:
    """What a plan over a coarser stay costs in all: money, energy not served and, ten times as dear, energy off a setpoint."""
    powers = made.power.sample([interval.start for interval in stay.intervals])
    return made.cost + _dear(stay) * (made.unmet + 10.0 * _off(stay.intervals, [power or 0.0 for power in powers]))


def _off(intervals: Sequence[Interval], powers: Sequence[float]) -> float:
    """Wh by which those powers (W) leave the setpoints."""
    pairs = zip(intervals, powers, strict=True)
    return math.fsum(abs(power - i.setpoint) * i.hours for i, power in pairs if i.setpoint is not None)


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
    return plan_of(stay, powers, plan.name, plan.gap)


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
    dear, steered = _dear(stay), any(i.setpoint is not None for i in stay.intervals)
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
            lost += 10.0 * dear * _off(stay.intervals[start:end], [power] * (end - start)) if steered else 0.0
            row.append(max(paid - (spent[end] - spent[start]), 0.0) + lost)
        rows.append(row)
    return rows


def _money(plan: Plan, place: int) -> float:
    """Cash and wear of an interval of the plan, in the currency."""
    interval, power = plan.stay.intervals[place], plan.power.steps[place].value
    return power / 1000.0 * interval.hours * (interval.import_price if power > 0 else interval.export_price - plan.stay.wear_cost)
