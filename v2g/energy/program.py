"""A linear program, some of whose variables may be binary, solved exactly by HiGHS."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from v2g.energy.patience import ENDLESS, OutOfTime, Patience

GAP = 1e-6  # relative gap at which a mixed-integer solution counts as optimal: a millionth of the night's money
MONEY = 1e-4  # currency; or nearer than this, since what a night costs may be 0
NODES = 20_000  # of branch and bound; then the best found counts, and `Solution.gap` tells. Minutes: who cannot wait gives a `Patience`
FINE = 1e-9  # the solver's dual tolerance: costs that differ by less are equal to it
OPTIONS = {
    "output_flag": False,
    "parallel": "off",
    "dual_feasibility_tolerance": FINE,
    "mip_rel_gap": GAP,
    "mip_abs_gap": MONEY,
    "mip_max_nodes": NODES,
}


class SolverMissing(ImportError):
    """The solver HiGHS is not installed; the message says how to install it."""


@dataclass(frozen=True, slots=True)
class Solution:
    """A value for every variable, how far (relative) the objective may be from the optimum (0 without binaries), and what it is."""

    values: Sequence[float]
    gap: float
    objective: float = 0.0


Labels = tuple[list[Hashable], list[Hashable]]  # of variables, of rows


@dataclass(slots=True)
class Basis:
    """Where a solution lay, by the labels of variables and rows: where a program that is much the same begins."""

    labels: Labels | None = None
    found: Any = None
    parts: tuple["Basis", ...] = ()
    _known: Mapping[Hashable, Any] | None = None

    @property
    def known(self) -> Mapping[Hashable, Any]:
        """The state of each variable and row, by its key; worked out when it is first asked for, since most plans are replaced by none."""
        if self._known is None:
            known = {key: state for part in self.parts for key, state in part.known.items()}
            if self.labels is not None:
                for keys, states in zip(keys_of(self.labels), (self.found.col_status, self.found.row_status), strict=True):
                    known |= {key: state for key, state in zip(keys, states, strict=True)}  # noqa: C416  (no call of C for all of them: others want their turn)
            self._known, self.labels, self.found, self.parts = known, None, None, ()
        return self._known

    @classmethod
    def joined(cls, parts: Iterable["Basis"]) -> "Basis":
        """The basis for a program that is made of several."""
        return cls(parts=tuple(parts))


def keys_of(labels: Labels) -> tuple[list[Hashable], list[Hashable]]:
    """A key for every variable and every row: its label, and how many have had that before."""
    found: list[list[Hashable]] = []
    for kind, each in enumerate(labels):
        seen: dict[Hashable, int] = {}
        keys: list[Hashable] = []
        for label in each:
            seen[label] = number = seen.get(label, -1) + 1
            keys.append((kind, label, number))
        found.append(keys)
    return found[0], found[1]


@dataclass(slots=True)
class Program:
    """Minimise the cost of the variables within the rows. Variables and rows are known by the order in which they were added.

    What is added has the `label` of that time: by labels, and the order within each, a later program finds what is the same in it.
    """

    costs: list[float] = field(default_factory=list)
    lowers: list[float] = field(default_factory=list)
    uppers: list[float] = field(default_factory=list)
    binaries: list[int] = field(default_factory=list)
    row_lowers: list[float] = field(default_factory=list)
    row_uppers: list[float] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])
    columns: list[int] = field(default_factory=list)
    coefficients: list[float] = field(default_factory=list)
    begins: list[tuple[int, int]] = field(default_factory=list)  # (variable, row): what a search from nothing begins with
    label: Hashable = None
    labels: Labels = field(default_factory=lambda: ([], []))

    def variable(self, cost: float = 0.0, lower: float = 0.0, upper: float = math.inf) -> int:
        """Add a variable with bounds and its cost per unit, and return its number."""
        self.costs.append(cost)
        self.lowers.append(lower)
        self.uppers.append(upper)
        self.labels[0].append(self.label)
        return len(self.costs) - 1

    def binary(self) -> int:
        """Add a variable that is 0 or 1, and return its number."""
        self.binaries.append(self.variable(upper=1.0))
        return self.binaries[-1]

    def row(self, lower: float, upper: float, *terms: tuple[int, float], by: int | None = None) -> None:
        """Require lower <= the sum of coefficient times variable, over terms (variable, coefficient), <= upper.

        `by` is the variable that may make the row true while all else is 0: a search that begins there has a third of the way to go.
        """
        if by is not None:
            self.begins.append((by, len(self.row_lowers)))
        self.row_lowers.append(lower)
        self.row_uppers.append(upper)
        for column, coefficient in terms:
            self.columns.append(column)
            self.coefficients.append(coefficient)
        self.starts.append(len(self.columns))
        self.labels[1].append(self.label)

    def solved(self, patience: Patience = ENDLESS) -> Solution:
        """The cheapest solution, or the best found in time. SolverMissing without HiGHS; ArithmeticError for a program that has none;
        OutOfTime where none was found in time.
        """
        return self.opened(patience).solved()

    def opened(self, patience: Patience = ENDLESS, begin: Basis | None = None) -> "Opened":
        """The program in a solver, which may be solved again with other bounds, for as long as `patience` lasts, from the basis of
        another one. SolverMissing without HiGHS.
        """
        highs = load_solver()
        solver = highs.Highs()
        for option, value in OPTIONS.items():
            solver.setOptionValue(option, value)
        solver.passModel(self._model(highs))
        if not self.binaries:
            solver.setOptionValue("presolve", "off")  # it would take longer than it saves where a program is solved again and again
            if self.begins or (begin is not None and begin.known):
                solver.setBasis(self._basis(highs, begin.known if begin is not None else {}))
        return Opened(solver, highs, bool(self.binaries), patience)

    def _basis(self, highs: Any, known: Mapping[Hashable, Any]) -> Any:
        """Where the search begins: as a program ended that was much the same, and what is new in this one as its rows say (`by`)."""
        basis, status = highs.HighsBasis(), highs.HighsBasisStatus
        columns, rows = [status.kLower] * len(self.costs), [status.kBasic] * len(self.row_lowers)
        for column, row in self.begins:
            columns[column] = status.kBasic
            rows[row] = status.kLower if self.row_lowers[row] > -math.inf else status.kUpper
        if known:
            keys = keys_of(self.labels)
            columns = [known.get(key, state) for key, state in zip(keys[0], columns, strict=True)]
            rows = [known.get(key, state) for key, state in zip(keys[1], rows, strict=True)]
        basis.col_status, basis.row_status = columns, rows
        basis.valid, basis.alien = True, bool(known)  # alien: it need not be a basis here; the solver mends it, which takes long
        return basis

    def _model(self, highs: Any) -> Any:
        model = highs.HighsLp()
        model.num_col_, model.num_row_ = len(self.costs), len(self.row_lowers)
        model.col_cost_, model.col_lower_, model.col_upper_ = self.costs, self.lowers, self.uppers
        model.row_lower_, model.row_upper_ = self.row_lowers, self.row_uppers
        matrix = model.a_matrix_
        matrix.format_ = highs.MatrixFormat.kRowwise
        matrix.start_, matrix.index_, matrix.value_ = self.starts, self.columns, self.coefficients
        if self.binaries:
            whole = set(self.binaries)
            kinds = (highs.HighsVarType.kContinuous, highs.HighsVarType.kInteger)
            model.integrality_ = [kinds[place in whole] for place in range(len(self.costs))]
        return model


@dataclass(slots=True)
class Opened:
    """A program in a solver: solved from where the last solution lay, so that a change costs little."""

    solver: Any
    highs: Any
    whole: bool  # has binaries
    patience: Patience

    def bound(self, column: int, lower: float, upper: float) -> None:
        """Other bounds for a variable."""
        self.solver.changeColBounds(column, lower, upper)

    def solved(self) -> Solution:
        """The cheapest solution, or the best found when time is up. ArithmeticError where there is none, OutOfTime where none was found.

        A search that begins where another ended may lose its way in what rounding left there: then it begins anew, with nothing.
        """
        timed = self._run()
        if not self._feasible and not timed and self.solver.getModelStatus() != self.highs.HighsModelStatus.kInfeasible:
            self.solver.clearSolver()
            self.solver.resetOptions()
            for option, value in OPTIONS.items():
                self.solver.setOptionValue(option, value)
            timed = self._run()
        if not self._feasible:
            if timed:
                raise OutOfTime("no plan was found in the time that was given")
            status = self.solver.modelStatusToString(self.solver.getModelStatus())
            raise ArithmeticError(f"HiGHS ended with {status}; a plan has slack everywhere, please report this")
        info = self.solver.getInfo()
        gap = max(info.mip_gap, 0.0) if self.whole else 0.0
        return Solution(self.solver.getSolution().col_value, math.inf if timed and not self.whole else gap, info.objective_function_value)

    def _run(self) -> bool:
        """Let the solver search; whether its time was over before it was done. OutOfTime where there is none left."""
        if not math.isinf(left := self.patience.left):
            if left <= 0:
                raise OutOfTime("no time is left to look for a plan")
            self.solver.setOptionValue("time_limit", self.solver.getRunTime() + left)  # the solver counts all its runs
        self.solver.run()
        return bool(self.solver.getModelStatus() == self.highs.HighsModelStatus.kTimeLimit)

    @property
    def _feasible(self) -> bool:
        return bool(self.solver.getInfo().primal_solution_status == self.highs.kSolutionStatusFeasible)

    def basis(self, program: Program) -> Basis:
        """Where a program that is much like this one should begin."""
        found = self.solver.getBasis()
        return Basis(program.labels, found) if found.valid else Basis()

    def duals(self) -> Sequence[float]:
        """What one unit more of each row would cost, by the solution that was found last; there are none with binaries."""
        found: Sequence[float] = self.solver.getSolution().row_dual
        return found


def load_solver() -> Any:
    """The solver, imported on first use: series, ledger and setpoints work without it. SolverMissing where it is not installed."""
    try:
        import highspy
    except ImportError as error:
        raise SolverMissing("planning needs the solver HiGHS; install it with: pip install 'v2gkit[energy]'") from error
    return highspy
