"""One plan for all who are here: the cheapest that serves everybody as far as the connection allows.

    joint(ground, guests, now=1_790_000_000.0)

The program is linear but for one binary where an export earns more than an import costs. What it may break (minimum powers, both directions
at once, the range in which a car lets itself be discharged) is looked for in each solution; where it is broken, the guest draws its
minimum or nothing, in turns, and the program is solved again from there. The first solution bounds what any plan could reach: the gap to
it is told.
"""

from collections.abc import Sequence

from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.groups import divisible, in_groups
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.model import Model
from v2g.energy.fleet.plan import FleetPlan, fleet_plan
from v2g.energy.fleet.queue import in_order
from v2g.energy.fleet.seats import Table, table_of
from v2g.energy.fleet.settling import powers_of, spilt_of, unbroken
from v2g.energy.patience import ENDLESS, OutOfTime, Patience
from v2g.energy.program import Solution
from v2g.energy.scheduler import KILO
from v2g.energy.stay import TOLERANCE


def joint(ground: Ground, guests: Sequence[Guest], now: float, patience: Patience = ENDLESS) -> FleetPlan:
    """The plan for all guests from `now` (epoch s) on. There always is one; what it cannot deliver is `FleetPlan.unmet`.

    When `patience` is over the best found counts, or the plan in order of departure where nothing was. SolverMissing without HiGHS;
    ValueError for a guest at no connection.
    """
    table = table_of(ground, guests, now)
    if not table.seats:
        return fleet_plan(table, {}, "joint", 0.0)
    divided = _divided(table, patience) if divisible(table) else None
    if divided is not None and not divided.unmet:
        return divided
    model = Model(table)
    opened = model.program.opened(patience)
    try:
        first = opened.solved()
        solution = unbroken(model, opened, first)
    except OutOfTime:
        return divided or in_order(table)
    found = fleet_plan(table, powers_of(model, solution), "joint", _gap(solution, first), spilt_of(model, solution))
    if not found.unmet or sum(found.unmet.values()) <= sum((plain := in_order(table)).unmet.values()) + TOLERANCE:
        return found
    return _as(plain, model, first, patience)


def _divided(table: Table, patience: Patience) -> FleetPlan | None:
    """The plan of groups, None where time was up before there was one. Where energy is missing in it, one program may miss less."""
    try:
        return in_groups(table, patience)
    except OutOfTime:
        return None


def _gap(solution: Solution, first: Solution) -> float:
    return max(solution.gap, abs(solution.objective - first.objective) / max(abs(first.objective), 1e-9))


def _as(plain: FleetPlan, model: Model, first: Solution, patience: Patience) -> FleetPlan:
    """The cheapest plan in which everybody draws when it draws in a plain one: no energy is missing that is not missing there."""
    opened = model.program.opened(patience)
    for seat, part in zip(model.table.seats, model.parts, strict=True):
        powers = plain.plans[seat.guest.name].power.values
        for interval, column, other, power in zip(seat.stay.intervals, part.charge, part.discharge, powers, strict=True):
            draws = power > TOLERANCE
            opened.bound(column, seat.stay.charge_minimum / KILO if draws else 0.0, interval.charge_cap / KILO if draws else 0.0)
            if other is not None:
                opened.bound(other, 0.0, 0.0)
    try:
        solution = opened.solved()
    except ArithmeticError:
        return plain
    return fleet_plan(
        model.table, powers_of(model, solution), "joint, drawn in order of departure", _gap(solution, first), spilt_of(model, solution)
    )
