"""One plan for all who are here: the cheapest that serves everybody as far as the connection allows.

    joint(ground, guests, now=1_790_000_000.0)

The program is linear but for one binary where an export earns more than an import costs. What it may break (minimum powers, both directions
at once, the range in which a car lets itself be discharged) is looked for in each solution; where it is broken, the guest draws its
minimum or nothing, in turns, and the program is solved again from there. The first solution bounds what any plan could reach: the gap to
it is told.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final

from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.model import Model
from v2g.energy.fleet.plan import FleetPlan, fleet_plan
from v2g.energy.fleet.queue import in_order
from v2g.energy.fleet.seats import Seat, table_of
from v2g.energy.fleet.turns import Fix, fixes
from v2g.energy.patience import ENDLESS, OutOfTime, Patience
from v2g.energy.program import Opened, Solution
from v2g.energy.scheduler import KILO
from v2g.energy.stay import TOLERANCE

REPAIRS: Final = 4  # times that those who miss energy are let free
ROUNDS: Final = 40  # of solving again in turns; whoever is short after that gets nothing


def joint(ground: Ground, guests: Sequence[Guest], now: float, patience: Patience = ENDLESS) -> FleetPlan:
    """The plan for all guests from `now` (epoch s) on. There always is one; what it cannot deliver is `FleetPlan.unmet`.

    When `patience` is over the best found counts, or the plan in order of departure where nothing was. SolverMissing without HiGHS;
    ValueError for a guest at no connection.
    """
    table = table_of(ground, guests, now)
    if not table.seats:
        return fleet_plan(table, {}, "joint", 0.0)
    model = Model(table)
    opened = model.program.opened(patience)
    try:
        first = opened.solved()
        solution = _unbroken(model, opened, first)
    except OutOfTime:
        return in_order(table)
    found = fleet_plan(table, _powers(model, solution), "joint", _gap(solution, first), _spilt(model, solution))
    if not found.unmet or sum(found.unmet.values()) <= sum((plain := in_order(table)).unmet.values()) + TOLERANCE:
        return found
    return _as(plain, model, first, patience)


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
        model.table, _powers(model, solution), "joint, drawn in order of departure", _gap(solution, first), _spilt(model, solution)
    )


def _unbroken(model: Model, opened: Opened, solution: Solution) -> Solution:
    """A solution that breaks nothing, from one that may. Where somebody misses energy for it, those are let free and served first."""
    told: dict[int, Fix] = {}
    solution = _settled(model, opened, solution, told, generous=False)
    for _ in range(REPAIRS):
        if not told or not (free := set(_missing(model, solution)) & told.keys()):
            break
        for column in free:
            opened.bound(column, 0.0, model.program.uppers[column])
            del told[column]
        solution = _settled(model, opened, opened.solved(), told, generous=True)
    return solution


def _missing(model: Model, solution: Solution) -> Iterator[int]:
    """The variables of charging of those who miss energy at departure."""
    for part in model.parts:
        if solution.values[part.lacking] * KILO > TOLERANCE:
            yield from part.charge


def _settled(model: Model, opened: Opened, solution: Solution, told: dict[int, Fix], generous: bool) -> Solution:
    """A solution that breaks nothing; `told` grows by what was fixed for it."""
    for turn in count():
        new = [fix for fix in fixes(model, solution, told, turn >= ROUNDS, generous) if fix.column not in told]
        if not new:
            break
        try:
            solution = _fixed(opened, new)
        except ArithmeticError:  # some were told to draw what they cannot: they get nothing
            new = [Fix(fix.column, 0.0, 0.0) for fix in new]
            solution = _fixed(opened, new)
        told |= {fix.column: fix for fix in new}
    return solution


def _fixed(opened: Opened, new: Sequence[Fix]) -> Solution:
    for fix in new:
        opened.bound(fix.column, fix.lower, fix.upper)
    return opened.solved()


def _powers(model: Model, solution: Solution) -> dict[str, list[float]]:
    """W, signed, by the name of the guest."""
    return {seat.guest.name: _power(model, number, seat, solution) for number, seat in enumerate(model.table.seats)}


def _spilt(model: Model, solution: Solution) -> list[float]:
    """W of generation that is curtailed, by slot."""
    return [sum(solution.values[column] for _, column in spills) * KILO for spills in model.spills]


def _power(model: Model, number: int, seat: Seat, solution: Solution) -> list[float]:
    part = model.parts[number]
    gives = [0.0 if column is None else solution.values[column] for column in part.discharge]
    return [(solution.values[into] - out) * KILO for into, out in zip(part.charge, gives, strict=True)]
