"""Which way the meter goes where an export earns more than an import costs: a linear program goes both, and counts what no meter pays.

The program leaves that open (`Model.ways`, between 0 and 1). Its solution mostly goes one way in nearly all slots anyway; what is left is
tried one way and the other, each time from the solution before, so a try costs little. What has been found, and what none of the tries that
are left could beat, lie as far apart as the gap that is told.
"""

import heapq
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from v2g.energy.fleet.model import Model
from v2g.energy.patience import OutOfTime
from v2g.energy.program import Opened, Solution

NEAR: Final = 5e-4  # of what is paid, or currency: nearer than this nobody looks for better
TRIES: Final = 60  # of one way and the other, at most; each takes a tenth of a plan
BOTH: Final = 1e-6  # kW; both ways at once where it is more


@dataclass(slots=True)
class _Search:
    """Slots are decided one by one (0 gives, 1 draws), the dearest undecided program last."""

    model: Model
    opened: Opened
    best: Solution | None = None
    decided: Mapping[int, float] = field(default_factory=dict)  # by slot, in the best

    def look(self, decided: Mapping[int, float]) -> Solution | None:
        """The solution with those slots decided and the others open, None where there is none."""
        for slot, column in self.model.ways.items():
            way = decided.get(slot)
            self.opened.bound(column, *((0.0, 1.0) if way is None else (way, way)))
        try:
            return self.opened.solved()
        except ArithmeticError:
            return None

    def undecided(self, solution: Solution) -> list[int]:
        """The slots in which a solution goes both ways, those first in which it does so most."""
        values = solution.values
        both = {k: min(values[self.model.imports[k]], values[self.model.exports[k]]) for k in self.model.ways}
        return sorted((k for k, power in both.items() if power > BOTH), key=lambda k: -both[k])

    def rounded(self, solution: Solution) -> dict[int, float]:
        """Every slot decided as the solution leans."""
        values = solution.values
        return {k: float(values[self.model.imports[k]] >= values[self.model.exports[k]]) for k in self.model.ways}

    def found(self, solution: Solution, decided: Mapping[int, float]) -> None:
        """Keep a solution that goes one way everywhere, where it is the best."""
        if self.best is None or solution.objective < self.best.objective:
            self.best, self.decided = solution, decided


def one_way(model: Model, opened: Opened, relaxed: Solution) -> tuple[Solution, float]:
    """The best solution in which the meter goes one way in each slot, and the objective that none is below.

    The ways of that solution stay bound in the program. OutOfTime where none was found in time.
    """
    if not model.ways:
        return relaxed, relaxed.objective
    search, order = _Search(model, opened), count()
    open_: list[tuple[float, int, dict[int, float], list[int]]] = []
    if undecided := search.undecided(relaxed):
        open_.append((relaxed.objective, next(order), {}, undecided))
    else:
        search.found(relaxed, search.rounded(relaxed))
    bound = relaxed.objective
    try:
        if open_ and (whole := search.look(guess := search.rounded(relaxed))) is not None:
            search.found(whole, guess)
        for _ in range(TRIES):
            if not open_ or (search.best is not None and _near(search.best.objective, bound := open_[0][0])):
                break
            _, _, decided, undecided = heapq.heappop(open_)
            for way in (0.0, 1.0):
                tried = {**decided, undecided[0]: way}
                if (solution := search.look(tried)) is None:
                    continue
                if left := search.undecided(solution):
                    heapq.heappush(open_, (solution.objective, next(order), tried, left))
                else:
                    search.found(solution, search.rounded(solution))
            bound = min((each[0] for each in open_), default=search.best.objective if search.best else bound)
    except OutOfTime:
        if search.best is None:
            raise
    best = search.best
    if best is None:
        raise OutOfTime("no plan that goes one way at the meter was found in so many tries")
    with suppress(OutOfTime):
        best = search.look(search.decided) or best  # the solver stands where whoever goes on from here begins
    return best, min(bound, best.objective)


def _near(best: float, bound: float) -> bool:
    return best - bound <= NEAR * max(abs(best), 1.0)
