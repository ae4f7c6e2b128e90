"""One plan for all who are here: the cheapest that serves everybody as far as the connection allows.

    joint(ground, guests, now=1_790_000_000.0)

The program is linear. What it may break (both ways at the meter where an export earns more than an import costs, minimum powers, both
directions at once in a car, the range in which a car lets itself be discharged) is looked for in each solution; where it is broken, the
program is solved again from there. The first solution bounds what any plan could reach: the gap to it is told. A plan that is made anew
begins where the one before ended (`before`), and one whose time is over is the best that was found.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from v2g.energy.fleet.directions import one_way
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.groups import WIDE, divisible, in_groups, worth_of
from v2g.energy.fleet.guard import Guard
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.model import Model
from v2g.energy.fleet.plan import FleetPlan, fleet_plan
from v2g.energy.fleet.queue import in_order
from v2g.energy.fleet.seats import Table, table_of
from v2g.energy.fleet.settling import kept, powers_of, spilt_of, unbroken
from v2g.energy.patience import ENDLESS, OutOfTime, Patience
from v2g.energy.program import Basis, Opened, Solution, load_solver
from v2g.energy.scheduler import KILO
from v2g.energy.stay import TOLERANCE


def joint(ground: Ground, guests: Sequence[Guest], now: float, patience: Patience = ENDLESS, before: FleetPlan | None = None) -> FleetPlan:
    """The plan for all guests from `now` (epoch s) on. There always is one; what it cannot deliver is `FleetPlan.unmet`.

    When `patience` is over the best found counts, or the plan in order of departure where nothing was. `before` is the plan that this one
    replaces: it saves time and changes nothing else. SolverMissing without HiGHS; ValueError for a guest at no connection.
    """
    table = table_of(ground, guests, now)
    if not table.seats:
        return fleet_plan(table, {}, "joint", 0.0)
    patience = patience.after(load_solver)
    begin = before.basis if before is not None else None
    divided = _divided(table, patience, begin) if divisible(table) else None
    if divided is not None and not divided.unmet and (divided.gap <= WIDE or patience.over):
        return divided
    search = _Search(table, patience, divided.basis if divided is not None else begin)
    found = search.plan()
    if found is not None and divided is not None:
        found = min(found, divided, key=lambda made: worth_of(made, table))
    if found is not None and not found.unmet:
        return found
    plain = in_order(table)
    if found is None or _worse(found, plain, table):
        kept = divided if divided is not None and not _worse(divided, plain, table) else None
        found = kept or (search.drawn_as(plain) if found is not None else plain)
    return found


def _worse(made: FleetPlan, plain: FleetPlan, table: Table) -> bool:
    """Whether a plan takes more from tenants than a plain one, or as much and misses more energy."""
    ours, theirs = worth_of(made, table), worth_of(plain, table)
    return ours[0] > theirs[0] or (ours[0] == theirs[0] and sum(made.unmet.values()) > sum(plain.unmet.values()) + TOLERANCE)


def _divided(table: Table, patience: Patience, begin: Basis | None) -> FleetPlan | None:
    """The plan of groups, None where time was up before there was one. Where energy is missing in it, one program may miss less."""
    try:
        return in_groups(table, patience, begin)
    except OutOfTime:
        return None


@dataclass(slots=True)
class _Search:
    """One program for all of a table, and what was found in it."""

    table: Table
    patience: Patience
    begin: Basis | None
    model: Model = field(init=False)
    bound: float = 0.0  # the objective that no plan is below

    def __post_init__(self) -> None:
        self.model = Model(self.table)

    def plan(self) -> FleetPlan | None:
        """The best plan that is found in time, None where there is none."""
        guard = Guard(self.model)
        opened = self.model.program.opened(self.patience, self.begin)
        found: Solution | None = None
        try:
            first = opened.solved()
            basis = opened.basis(self.model.program)
            if guard.keep(opened, first):
                first = opened.solved()
            found, self.bound = one_way(self.model, opened, first)
            solution = unbroken(self.model, opened, found)
        except OutOfTime:
            return None if found is None else self._mended(found)
        return replace(self._made(solution, "joint"), basis=basis)

    def _made(self, solution: Solution, name: str) -> FleetPlan:
        gap = max(solution.objective - self.bound, 0.0) / max(abs(self.bound), 1e-9)
        return fleet_plan(self.table, powers_of(self.model, solution), name, max(solution.gap, gap), spilt_of(self.model, solution))

    def _mended(self, solution: Solution) -> FleetPlan | None:
        """The plan of a solution that may break something, without what breaks it; None where that breaks a limit."""
        made = self._made(solution, "joint, as far as time allowed")
        cost, was = made.cash + made.wear - made.held, solution.objective
        return replace(made, gap=max(cost - self.bound, 0.0) / max(abs(was), 1e-9)) if kept(self.table, made) else None

    def drawn_as(self, plain: FleetPlan) -> FleetPlan:
        """The cheapest plan in which everybody draws when it draws in a plain one: no energy is missing that is not missing there."""
        opened: Opened = self.model.program.opened(self.patience)
        for seat, part in zip(self.table.seats, self.model.parts, strict=True):
            powers = plain.plans[seat.guest.name].power.values
            for interval, column, other, power in zip(seat.stay.intervals, part.charge, part.discharge, powers, strict=True):
                draws = power > TOLERANCE
                opened.bound(column, seat.stay.charge_minimum / KILO if draws else 0.0, interval.charge_cap / KILO if draws else 0.0)
                if other is not None:
                    opened.bound(other, 0.0, 0.0)
        try:
            solution, _ = one_way(self.model, opened, opened.solved())
        except (ArithmeticError, OutOfTime):
            return plain
        return self._made(solution, "joint, drawn in order of departure")
