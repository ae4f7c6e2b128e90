"""Solutions in which nothing is broken: whoever would get less than its minimum draws that or nothing, in turns."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final

from v2g.energy.fleet.model import Model
from v2g.energy.fleet.plan import FleetPlan
from v2g.energy.fleet.seats import Seat, Table
from v2g.energy.fleet.turns import Fix, fixes
from v2g.energy.program import Opened, Solution
from v2g.energy.scheduler import KILO
from v2g.energy.stay import TOLERANCE

REPAIRS: Final = 4  # times that those who miss energy are let free
SLACK: Final = 1.0  # W that rounding may be off a limit
ROUNDS: Final = 40  # of solving again in turns; whoever is short after that gets nothing


def unbroken(model: Model, opened: Opened, solution: Solution) -> Solution:
    """A solution that breaks nothing, from one that may. Where somebody misses energy for it, those are let free and served first."""
    told: dict[int, Fix] = {}
    solution = _settled(model, opened, solution, told, generous=False)
    for _ in range(REPAIRS):
        if not told or not (free := set(_missing(model, solution)) & told.keys()):
            break
        for column in free:
            opened.bound(column, model.program.lowers[column], model.program.uppers[column])
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


def powers_of(model: Model, solution: Solution) -> dict[str, list[float]]:
    """W, signed, by the name of the guest."""
    return {seat.guest.name: _power(model, number, seat, solution) for number, seat in enumerate(model.table.seats)}


def spilt_of(model: Model, solution: Solution) -> list[float]:
    """W of generation that is curtailed, by slot."""
    return [sum(solution.values[column] for _, column in spills) * KILO for spills in model.spills]


def _power(model: Model, number: int, seat: Seat, solution: Solution) -> list[float]:
    part = model.parts[number]
    gives = [0.0 if column is None else solution.values[column] for column in part.discharge]
    return [(solution.values[into] - out) * KILO for into, out in zip(part.charge, gives, strict=True)]


def kept(table: Table, made: FleetPlan) -> bool:
    """Whether every limit that guests share holds in a plan, as far as it can at all."""
    for slot, there in enumerate(table.here()):
        powers = {n: (made.plans[table.seats[n].guest.name].power.values[p], table.seats[n].stay.intervals[p]) for n, p in there}
        whole = {n: i.duration >= table.slots[slot].end - table.slots[slot].start for n, (_, i) in powers.items()}
        for limit in table.shared:
            high = sum(limit.shares.get(n, 0.0) * (power if whole[n] else max(power, 0.0)) for n, (power, _) in powers.items())
            low = sum(limit.shares.get(n, 0.0) * (power if whole[n] else min(power, 0.0)) for n, (power, _) in powers.items())
            if high > max(limit.up[slot], 0.0) + SLACK or low < -max(limit.down[slot], 0.0) - SLACK:
                return False
    return True
