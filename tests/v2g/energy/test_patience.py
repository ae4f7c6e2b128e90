"""Whatever a car states, there is a plan in the time that is given, and it keeps every limit."""

import itertools
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.joint import joint
from v2g.energy.needs import EnergyOffer, Needs
from v2g.energy.offer import offered
from v2g.energy.patience import ENDLESS, OutOfTime, Patience
from v2g.energy.plan import Plan
from v2g.energy.program import Program
from v2g.energy.scheduler import cheapest, immediate, plan
from v2g.energy.series import Series, Step
from v2g.energy.signal import Kind, Signal
from v2g.energy.site import Site
from v2g.energy.stay import TOLERANCE, stay_of

START = 1_790_000_000.0
DAY = 86_400.0
PRICES = Series(START, tuple(Step(900.0, 0.1 + 0.4 * (number * 7 % 11) / 11) for number in range(96)))
PRICED = Site(import_limit=22e3, export_limit=22e3, import_prices=PRICES, export_prices=PRICES)
# with all the time in the world HiGHS searches this for minutes: a minimum as large as the maximum, a range for V2X, a battery nearly empty
HARD = Needs(
    energy_target=59e3, energy_maximum=59.1e3, energy_minimum=-10e3, v2x_maximum=20e3, v2x_minimum=5e3,
    charge_maximum=11e3, charge_minimum=10.9e3, discharge_maximum=11e3, discharge_minimum=10.9e3, bidirectional=True,
)  # fmt: skip


def looks(number: int) -> Patience:
    """Patience that is over after its clock was looked at so often: the same on every machine."""
    clock: Iterator[float] = itertools.count(0.02, 0.02)
    return Patience(0.02 * number + 0.01, lambda: next(clock))


def test_patience_is_over_when_the_clock_says_so_and_a_part_of_it_sooner() -> None:
    now = [10.0]
    patience = Patience(14.0, lambda: now[0])
    assert patience.left == 4.0
    assert patience.part(0.25).until == 11.0
    now[0] = 20.0
    assert patience.over
    assert patience.left == 0.0
    assert ENDLESS.part(0.5) is ENDLESS
    assert not ENDLESS.over


def kept(made: Plan) -> None:
    """Every limit of a stay is kept: caps, minimum powers, battery, the V2X range."""
    stay = made.stay
    for interval, power, before, after in zip(stay.intervals, made.power.values, made.energies, made.energies[1:], strict=False):
        assert -interval.discharge_cap - TOLERANCE <= power <= interval.charge_cap + TOLERANCE
        least = stay.charge_minimum if power > 0 else stay.discharge_minimum
        assert power == 0 or abs(power) >= least - TOLERANCE
        assert min(stay.lower, 0.0) - 0.1 <= after <= stay.ceiling + 0.1
        if power < -TOLERANCE:
            assert after >= stay.v2x_lower - 0.1
            assert before <= stay.v2x_upper + 0.1


def test_needs_that_are_hard_to_serve_have_an_offer_in_time() -> None:
    """Without a limit each search here takes minutes."""
    real = Program.opened
    opened: list[float] = []

    def spy(program: Program, patience: Patience = ENDLESS) -> object:
        opened.append(patience.left)
        return real(program, patience)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Program, "opened", spy)
        best, shown = offered(HARD, Site(), START, patience=looks(40))
    assert all(left < math.inf for left in opened), "a program was solved without a limit"
    kept(best)
    assert best.unmet <= immediate(best.stay).unmet + TOLERANCE
    assert shown.tuples


@pytest.mark.parametrize("number", [0, 1, 2, 3, 5, 8])
def test_whenever_time_is_up_the_plan_keeps_every_limit_and_serves_no_worse_than_charging_at_once(number: int) -> None:
    for needs in (HARD, replace(HARD, energy_minimum=30e3), replace(HARD, charge_minimum=7.3e3, discharge_minimum=6.1e3, max_points=12)):
        best, shown = offered(needs, PRICED, START, patience=looks(number))
        assert 1 <= len(shown.tuples) <= 3
        for made in (best, *(each.plan for each in shown.tuples)):
            assert made is not None
            kept(made)
        assert round(best.unmet) <= round(immediate(best.stay).unmet)


def test_no_time_is_charging_at_once_and_enough_of_it_changes_nothing() -> None:
    simple = replace(HARD, charge_minimum=0.0, discharge_minimum=0.0, v2x_maximum=None, v2x_minimum=None)
    stay = stay_of(simple, PRICED, START)
    assert cheapest(stay, Patience(0.0, lambda: 1.0)) == immediate(stay)
    assert plan(simple, PRICED, START, patience=Patience(1e9)) == plan(simple, PRICED, START)


@pytest.mark.parametrize("planner", [offered, joint])
def test_the_time_that_the_solver_takes_to_load_is_not_the_first_plans(planner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def loads() -> None:
        now[0] += 100.0

    monkeypatch.setattr(sys.modules[planner.__module__], "load_solver", loads)
    patience = Patience(5.0, lambda: now[0])
    if planner is offered:
        best, _ = offered(replace(HARD, charge_minimum=0.0, discharge_minimum=0.0), PRICED, START, patience=patience)
    else:
        ground = Ground(Connection("grid", import_cap=22e3), PRICED)
        best = joint(ground, [Guest("car", replace(HARD, charge_minimum=0.0, discharge_minimum=0.0), "grid")], START, patience)
    assert now == [100.0]
    assert best.name in {"cheapest", "joint"}


def test_a_program_without_time_says_so() -> None:
    program = Program()
    program.row(0.0, 10.5, *((program.variable(-1.0, upper=1.0), 1.0) for _ in range(40)))
    with pytest.raises(OutOfTime):
        program.solved(Patience(0.0, lambda: 1.0))
    assert program.solved().objective == pytest.approx(-10.5)


def test_a_plan_that_had_no_time_follows_what_was_sold_as_far_as_it_can() -> None:
    sold = Signal("sold", Kind.SETPOINT, Series.constant(START, DAY, 4_000.0))
    needs = replace(HARD, charge_minimum=0.0, departure=START + 6 * 3600)
    best, _ = offered(needs, PRICED, START, (sold,), looks(1))
    assert max(best.power.values) <= 4_000.0 + TOLERANCE


POWERS = st.sampled_from([0.0, 1.4e3, 6.1e3, 7.3e3, 10.9e3, 11e3, 22e3])
ENERGIES = st.none() | st.sampled_from([0.0, 1e3, 5e3, 20e3, 59e3, -10e3, 1e6])
OFFER = EnergyOffer(
    Series(START, tuple(Step(420.0, 1e3 * (number % 12)) for number in range(96))),
    Series(START, tuple(Step(421.0, 0.02 * (number % 17)) for number in range(96))),
    "EUR",
)
ODD = st.builds(
    Needs,
    departure=st.none() | st.sampled_from([START - 1.0, START + 1.0, START + 3600.0, START + DAY, START + 9 * DAY]),
    energy_target=ENERGIES, energy_maximum=ENERGIES, energy_minimum=ENERGIES, v2x_maximum=ENERGIES, v2x_minimum=ENERGIES,
    charge_maximum=POWERS, charge_minimum=POWERS, discharge_maximum=POWERS, discharge_minimum=POWERS,
    max_points=st.sampled_from([12, 33, 1024]), bidirectional=st.booleans(), energy_offer=st.none() | st.just(OFFER),
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(needs=ODD, site=st.sampled_from([Site(), PRICED]), number=st.integers(0, 12))
def test_any_needs_have_an_offer_whenever_time_is_up(needs: Needs, site: Site, number: int) -> None:
    best, shown = offered(needs, site, START, patience=looks(number))
    kept(best)
    assert 1 <= len(shown.tuples) <= 3
    assert all(len(each.charging.steps) <= max(needs.max_points, 1) for each in shown.tuples if each.charging)


def test_a_search_that_loses_its_way_begins_anew_with_nothing() -> None:
    """A solver that ends without a solution, as one does that rounding led astray, is asked once more from the start."""
    program = Program()
    columns = [program.variable(1.0 + k % 3, upper=2.0) for k in range(20)]
    for k in range(10):
        program.row(3.0, 5.0, *((column, 1.0 + (column * k) % 4) for column in columns))
    opened = program.opened()
    best = opened.solved().objective
    opened.solver.clearSolver()
    opened.solver.setOptionValue("simplex_iteration_limit", 0)
    opened.solver.run()
    assert not opened._feasible
    assert opened.solved().objective == pytest.approx(best)
    opened.bound(columns[0], 3.0, 2.0)
    with pytest.raises(ArithmeticError, match="HiGHS ended with Infeasible"):
        opened.solved()
