"""Many cars behind one connection: every limit holds, nobody misses energy that could be had, and no cheaper plan exists."""

import contextlib
import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import replace

import highspy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2g.energy.fleet.connection import Connection, cap_over, load_over
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.guest import Guest, battery
from v2g.energy.fleet.joint import joint
from v2g.energy.fleet.model import Model
from v2g.energy.fleet.plan import FleetPlan
from v2g.energy.fleet.queue import in_order
from v2g.energy.fleet.seats import table_of
from v2g.energy.needs import Needs
from v2g.energy.patience import Patience
from v2g.energy.series import Series
from v2g.energy.signal import Kind, Signal
from v2g.energy.site import Site

NOON = 1_795_345_200.0
HOUR = 3600.0
SLACK = 0.01  # W or Wh: rounding of a solver that reckons in kW
PRICES = (0.30, 0.10, 0.25, 0.05, 0.40, 0.20)


def site(spread: float = 0.08, **more: float) -> Site:
    """Prices that change every hour; an export earns `spread` less than an import costs."""
    imports = Series.from_pairs([(NOON + k * HOUR, price) for k, price in enumerate(PRICES)], NOON + len(PRICES) * HOUR)
    return Site(import_prices=imports, export_prices=imports.map(lambda price: price - spread), **more)


def car(hours: float, wanted: float, power: float = 11_000.0, back: float = 0.0, least: float = 0.0) -> Needs:
    return Needs(
        departure=NOON + hours * HOUR,
        energy_target=wanted,
        energy_maximum=wanted + 10_000.0,
        energy_minimum=-10_000.0,
        charge_maximum=power,
        charge_minimum=least,
        discharge_maximum=back,
        discharge_minimum=least if back else 0.0,
        bidirectional=back > 0,
    )


def flows(plan: FleetPlan, name: str, at: float) -> float:
    """W of a guest at an instant."""
    return plan.plans[name].power.at(at) or 0.0


def instants(plan: FleetPlan) -> list[float]:
    """An instant in every span in which no guest's power changes."""
    edges = sorted({edge for one in plan.plans.values() for edge in one.power.edges()} | set(plan.net.edges()))
    return [(a + b) / 2 for a, b in itertools.pairwise(edges) if b > a]


def hold(ground: Ground, guests: Sequence[Guest], plan: FleetPlan) -> None:
    """Every cap of every connection and phase holds at every instant, as far as the load alone allows; so do those of each guest."""
    here = [guest for guest in guests if guest.name in plan.plans]
    for at in instants(plan):
        drawn = {guest.name: flows(plan, guest.name, at) for guest in here}
        flow(ground.connection, here, drawn, at, 0.0 if ground.connection.export_cap is None else None)
    for guest in here:
        own(guest, plan)


def flow(
    one: Connection, guests: Sequence[Guest], drawn: dict[str, float], at: float, export: float | None
) -> tuple[float, float, list[float]]:
    """W that flow into a connection, that the load alone would draw, and that flow on each phase, as a meter and clamps would find them.

    Generation that the cap does not let through is curtailed there, on all phases alike.
    """
    total = alone = load_over(one.load, at, at + 1e-3)
    phases = [total / 3] * 3
    for below in one.below:
        net, base, each = flow(below, guests, drawn, at, None)
        total, alone, phases = total + net, alone + base, [a + b for a, b in zip(phases, each, strict=True)]
    for guest in guests:
        if guest.at == one.name:
            total += drawn[guest.name]
            phases = [p + (drawn[guest.name] / len(guest.phases) if k in guest.phases else 0.0) for k, p in enumerate(phases, 1)]
    down = cap_over(one.export_cap, at, at + 1e-3) if export is None else export
    spilt = min(max(-total - down, 0.0), max(-alone, 0.0))
    total, alone, phases = total + spilt, max(alone, -down), [p + spilt / 3 for p in phases]
    assert total >= -down - SLACK, f"{one.name} gives {-total} W of {down} W"
    assert total <= max(cap_over(one.import_cap, at, at + 1e-3), alone) + SLACK, f"{one.name} draws {total} W"
    for phase in phases:
        assert phase <= max(cap_over(one.phase_import_cap, at, at + 1e-3), alone / 3) + SLACK, f"a phase of {one.name} draws {phase} W"
    return total, alone, phases


def own(guest: Guest, plan: FleetPlan) -> None:
    made, needs = plan.plans[guest.name], guest.needs
    assert made.stay.start >= guest.arrival
    for power in made.power.values:
        assert -needs.discharge_maximum - SLACK <= power <= needs.charge_maximum + SLACK
        assert power == 0 or abs(power) >= (needs.charge_minimum if power > 0 else needs.discharge_minimum) - SLACK
    assert all(needs.lower - SLACK <= energy <= needs.ceiling + SLACK for energy in made.energies)


@st.composite
def fleets(draw: st.DrawFn) -> tuple[Ground, list[Guest]]:
    """A tree of connections with loads and caps, and guests of every kind in it."""
    cap = st.none() | st.sampled_from((0.0, 7_000.0, 16_000.0, 40_000.0))
    loads = st.none() | st.sampled_from((-12_000.0, 3_000.0, 20_000.0)).map(lambda load: Series.constant(NOON, 6 * HOUR, load))
    feeders = tuple(
        Connection(name, draw(cap), draw(cap), phase_import_cap=draw(st.none() | st.just(4_000.0)), load=draw(loads))
        for name in ("F1", "F2")
    )
    top = Connection("grid", draw(cap), draw(cap), load=draw(loads), below=feeders)
    guests = [
        Guest(
            f"car {k}",
            car(
                draw(st.sampled_from((0.4, 1.7, 3.0, 5.9))),
                draw(st.sampled_from((0.0, 2_000.0, 15_000.0))),
                draw(st.sampled_from((3_700.0, 11_000.0))),
                draw(st.sampled_from((0.0, 11_000.0))),
                draw(st.sampled_from((0.0, 1_380.0))),
            ),
            draw(st.sampled_from(("grid", "F1", "F2"))),
            draw(st.sampled_from(((1,), (2,), (1, 2, 3)))),
            rank=draw(st.integers(0, 1)),
            arrival=NOON + draw(st.sampled_from((0.0, 1_000.0, 4_000.0))),
        )
        for k in range(draw(st.integers(1, 4)))
    ]
    signals = draw(st.lists(st.sampled_from((signal(Kind.IMPORT_CAP, 5_000.0), signal(Kind.SETPOINT, -4_000.0))), max_size=1))
    return Ground(top, site(draw(st.sampled_from((0.08, -0.05)))), tuple(signals), peak_price=draw(st.sampled_from((0.0, 0.2)))), guests


def signal(kind: Kind, power: float) -> Signal:
    return Signal(f"dso:{kind.value}", kind, Series.constant(NOON + HOUR, HOUR, power))


@given(fleets())
def test_every_limit_holds_and_less_is_missing_than_in_order_of_departure(fleet: tuple[Ground, list[Guest]]) -> None:
    ground, guests = fleet
    plan = joint(ground, guests, NOON)
    hold(ground, guests, plan)
    plain = in_order(table_of(ground, guests, NOON))
    hold(ground, guests, plain)
    if not ground.signals:  # a setpoint comes before a target
        assert sum(plan.unmet.values()) <= sum(plain.unmet.values()) + SLACK
    energy = math.fsum(one.power.integral() for one in plan.plans.values())
    load = sum(load_over(each.load, s, e) * (e - s) / HOUR for each in ground.connection.all() for s, e, _ in plan.net.spans())
    assert plan.net.integral() == pytest.approx(energy + load + plan.curtailed, abs=1.0)


@given(fleets())
def test_the_cash_is_what_a_meter_would_bill(fleet: tuple[Ground, list[Guest]]) -> None:
    ground, guests = fleet
    plan = joint(ground, guests, NOON)
    prices = ground.site
    assert prices.import_prices is not None
    assert prices.export_prices is not None
    billed = 0.0
    for start, end, net in plan.net.spans():
        price = (prices.import_prices if net > 0 else prices.export_prices).at(start)
        assert price is not None
        billed += net * (end - start) / HOUR / 1000.0 * price
    peak = ground.peak_price * max(max(plan.net.values, default=0.0), 0.0) / 1000.0
    assert plan.cash == pytest.approx(billed + peak, abs=1e-6)


@settings(max_examples=25)
@given(fleets())
def test_a_meter_that_is_replayed_second_by_second_agrees_with_the_plan(fleet: tuple[Ground, list[Guest]]) -> None:
    """The powers of all guests, second by second, and the load: what a meter counts in each slot, both ways by the sign of the slot."""
    ground, guests = fleet
    plan = joint(ground, guests, NOON)
    flows = [one.power for one in plan.plans.values()] + [each.load for each in ground.connection.all() if each.load is not None]
    first, last = int(plan.net.start), int(plan.net.until)
    seconds = [0.0] * (last - first)  # W
    for flow_ in flows:
        for start, end, power in flow_.spans():
            for second in range(max(int(start), first), min(int(end), last)):
                seconds[second - first] += power
    counted, billed = 0.0, 0.0
    assert ground.site.import_prices is not None
    assert ground.site.export_prices is not None
    for start, end, net in plan.net.spans():
        joules = math.fsum(seconds[int(start) - first : int(end) - first])
        counted += joules / HOUR
        billed += joules / HOUR / 1000.0 * ((ground.site.import_prices if joules > 0 else ground.site.export_prices).at(start) or 0.0)
        spilt = net * (end - start) / HOUR - joules / HOUR
        assert spilt >= -0.5  # nothing but generation that no cap lets through makes the meter's another sum
    assert plan.net.integral() == pytest.approx(counted + plan.curtailed, abs=1.0)
    if not plan.curtailed:
        assert plan.cash - plan.peak_cost == pytest.approx(billed, abs=1e-3)


# --- beside a program that was written by itself, and has all that is to be known in it ---


def clairvoyant(cars: Sequence[tuple[int, int, float, bool]], cap: float) -> float:
    """The least cost (currency) of cars (first quarter hour, end, Wh wanted, gives back) under a cap (W) both ways; perfect efficiency."""
    solver, prices = highspy.Highs(), [PRICES[quarter // 4] for quarter in range(24)]
    solver.setOptionValue("output_flag", False)
    infinite = highspy.kHighsInf
    rows: list[dict[int, float]] = [{} for _ in prices]
    count = 0

    def column(cost: float, lower: float, upper: float) -> int:
        nonlocal count
        solver.addCol(cost, lower, upper, 0, [], [])
        count += 1
        return count - 1

    for first, end, wanted, both in cars:
        stored: list[int] = []
        for quarter in range(first, end):
            flow = column(0.0, -11_000.0 if both else 0.0, 11_000.0)
            rows[quarter][flow] = 1.0
            stored.append(flow)
            solver.addRow(-10_000.0, wanted + 10_000.0, len(stored), stored, [0.25] * len(stored))
        solver.addRow(wanted, infinite, len(stored), stored, [0.25] * len(stored))
    for quarter, row in enumerate(rows):
        bought, sold = column(prices[quarter] * 0.25 / 1000.0, 0.0, cap), column(-(prices[quarter] - 0.08) * 0.25 / 1000.0, 0.0, cap)
        terms = {**row, bought: -1.0, sold: 1.0}
        solver.addRow(0.0, 0.0, len(terms), list(terms), list(terms.values()))
    solver.run()
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return float(solver.getInfo().objective_function_value)


@pytest.mark.parametrize("cap", [12_000.0, 20_000.0, 60_000.0])
@pytest.mark.parametrize("both", [False, True])
def test_no_cheaper_plan_exists(cap: float, both: bool) -> None:
    cars = [(0, 24, 15_000.0, both), (2, 20, 9_000.0, False), (4, 23, 12_000.0, both), (1, 16, 6_000.0, both)]
    guests = [
        Guest(f"car {k}", car(end / 4, wanted, back=11_000.0 if gives else 0.0), "grid", arrival=NOON + first * 900.0)
        for k, (first, end, wanted, gives) in enumerate(cars)
    ]
    lossless = site(efficiency_charge=1.0, efficiency_discharge=1.0)
    plan = joint(Ground(Connection("grid", cap, cap), lossless), guests, NOON)
    assert not plan.unmet
    assert plan.gap == 0.0
    assert plan.cash == pytest.approx(clairvoyant(cars, cap), abs=1e-3)


# --- one thing each ---


def test_energy_that_is_short_is_missed_by_all_alike_and_first_by_the_last_rank() -> None:
    guests = [Guest(f"car {k}", car(1.0, 8_000.0), "grid") for k in range(4)]
    ground = Ground(Connection("grid", 18_000.0), site())
    missed = list(joint(ground, guests, NOON).unmet.values())
    assert len(missed) == 4
    assert max(missed) == pytest.approx(min(missed), rel=1e-3)
    ranked = [replace(guest, rank=k // 2) for k, guest in enumerate(guests)]
    assert set(joint(ground, ranked, NOON).unmet) == {"car 2", "car 3"}


def test_minimum_powers_take_turns_and_nobody_misses_energy() -> None:
    guests = [Guest(f"car {k}", car(5.0, 9_000.0, least=4_140.0), "grid") for k in range(8)]
    ground = Ground(Connection("grid", 17_000.0), site())
    plan = joint(ground, guests, NOON)
    hold(ground, guests, plan)
    assert not plan.unmet


def test_a_battery_that_stays_is_a_guest_and_ends_as_full_as_it_began() -> None:
    guests = [battery("pack", "grid", 10_000.0, 10_000.0, 20_000.0, 2_000.0, until=NOON + 6 * HOUR)]
    plan = joint(Ground(Connection("grid", 50_000.0, 50_000.0), site()), guests, NOON)
    assert plan.cash < 0
    assert plan.plans["pack"].energies[-1] >= -SLACK
    assert min(plan.plans["pack"].energies) >= -8_000.0 - SLACK


def test_a_peak_that_costs_more_than_prices_save_is_shaved() -> None:
    guests = [Guest(f"car {k}", car(6.0, 10_000.0), "grid") for k in range(3)]
    dear = joint(Ground(Connection("grid"), site(), peak_price=10.0), guests, NOON)
    cheap = joint(Ground(Connection("grid"), site()), guests, NOON)
    assert max(dear.net.values) < 6_000.0 < max(cheap.net.values)


def test_generation_that_no_cap_lets_through_is_stored_before_it_is_lost() -> None:
    sun = Series.constant(NOON, 2 * HOUR, -9_000.0)
    ground = Ground(Connection("grid", 20_000.0, 2_000.0, load=sun), site())
    alone = joint(ground, [Guest("car", car(6.0, 0.0), "grid")], NOON)
    with_need = joint(ground, [Guest("car", car(6.0, 14_000.0), "grid")], NOON)
    assert with_need.curtailed < alone.curtailed
    hold(ground, [Guest("car", car(6.0, 14_000.0), "grid")], with_need)


@pytest.mark.parametrize("spread", [0.08, -0.05])
def test_a_load_above_the_cap_whose_generation_is_curtailed_is_planned_around(spread: float) -> None:
    sun, works = Series.constant(NOON, 6 * HOUR, -12_000.0), Series.constant(NOON, 6 * HOUR, 20_000.0)
    feeder = Connection("F2", export_cap=0.0, load=sun)
    ground = Ground(Connection("grid", 16_000.0, load=works, below=(feeder,)), site(spread))
    plan = joint(ground, [Guest("car", car(3.0, 15_000.0), "grid")], NOON)
    assert plan.unmet == {"car": pytest.approx(15_000.0)}
    assert plan.over == pytest.approx(3 * 4_000.0)


def test_without_time_the_plan_is_in_order_of_departure() -> None:
    guests = [Guest(f"car {k}", car(5.0, 9_000.0, back=11_000.0), "grid") for k in range(3)]
    plan = joint(Ground(Connection("grid", 17_000.0), site()), guests, NOON, Patience(0.0))
    assert plan.name == "in order of departure"
    assert math.isinf(plan.gap)
    assert not plan.unmet


def test_slots_in_which_nothing_changes_are_one() -> None:
    ground = Ground(Connection("grid", 20_000.0), site())
    late = Guest("late", car(6.0, 9_000.0), "grid", arrival=NOON + HOUR + 60)
    whole = table_of(ground, [Guest("car", car(6.0, 9_000.0), "grid")], NOON)
    assert [slot.hours for slot in whole.slots] == [1.0] * 6
    both = table_of(ground, [Guest("car", car(6.0, 9_000.0), "grid"), late], NOON)
    assert [slot.hours for slot in both.slots][:3] == [1.0, 0.25, 0.75]
    least = table_of(ground, [Guest("car", car(6.0, 9_000.0, least=1_380.0), "grid")], NOON)
    assert [slot.hours for slot in least.slots] == [0.25] * 24


@pytest.mark.parametrize(
    ("guests", "what"),
    [
        ([Guest("a", car(1, 1), "nowhere")], "the connections are grid"),
        ([Guest("a", car(1, 1), "grid"), Guest("a", car(1, 1), "grid")], "two guests are named 'a'"),
    ],
)
def test_a_guest_that_cannot_be_placed_is_named(guests: list[Guest], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        joint(Ground(Connection("grid")), guests, NOON)


def test_a_negative_cap_and_a_phase_that_is_not_are_named() -> None:
    with pytest.raises(ValueError, match="import_cap of grid is -1"):
        Connection("grid", -1.0)
    with pytest.raises(ValueError, match=r"on the phases \(4,\)"):
        Guest("a", car(1, 1), "grid", (4,))
    with pytest.raises(ValueError, match="named 'x'"):
        list(Connection("x", below=(Connection("x"),)).all())


# --- where an export earns more than an import costs ---


@pytest.mark.parametrize("seed", range(6))
def test_the_meter_goes_the_best_of_all_ways(seed: int) -> None:
    """Every pattern of ways is tried by itself: none is cheaper."""
    chance = random.Random(seed)
    guests = [Guest(f"car {k}", car(3.0, chance.uniform(2_000.0, 20_000.0), back=11_000.0), "grid") for k in range(4)]
    load = Series.constant(NOON, 3 * HOUR, chance.choice((-6_000.0, 0.0, 9_000.0)))
    ground = Ground(Connection("grid", 30_000.0, 30_000.0, load=load), site(-0.08 * chance.random() - 0.02))
    made = joint(ground, guests, NOON)
    costs = []
    model = Model(table_of(ground, guests, NOON))
    for pattern in itertools.product((0.0, 1.0), repeat=len(model.ways)):
        opened = model.program.opened()
        for column, way in zip(model.ways.values(), pattern, strict=True):
            opened.bound(column, way, way)
        with contextlib.suppress(ArithmeticError):
            costs.append(opened.solved().objective)
    assert made.cash <= min(costs) + 6e-4 * max(abs(min(costs)), 1.0)
    assert made.gap <= 6e-4 * max(1.0 / abs(made.cash), 1.0)


# --- again and again, and in time ---


@settings(max_examples=30)
@given(fleets())
def test_a_plan_that_begins_where_another_ended_is_as_good(fleet: tuple[Ground, list[Guest]]) -> None:
    ground, guests = fleet
    before = joint(ground, guests[1:], NOON)
    warm, cold = joint(ground, guests, NOON + 60.0, before=before), joint(ground, guests, NOON + 60.0)
    hold(ground, guests, warm)
    if not any(guest.needs.charge_minimum for guest in guests):  # turns may fall to others, and cost what they cost
        assert sum(warm.unmet.values()) == pytest.approx(sum(cold.unmet.values()), abs=1.0)
        if not cold.unmet:
            assert warm.cash + warm.wear == pytest.approx(cold.cash + cold.wear, abs=1e-3)


def test_a_search_that_begins_where_another_ended_takes_fewer_steps() -> None:
    guests = [Guest(f"car {k}", car(3.0 + k % 3, 4_000.0 + 700.0 * k, back=11_000.0), "grid") for k in range(12)]
    ground = Ground(Connection("grid", 40_000.0, 40_000.0), site())
    before = joint(ground, guests, NOON)
    steps = []
    for begin in (None, before.basis):
        opened = Model(table_of(ground, guests, NOON + 900.0)).program.opened(begin=begin)
        opened.solved()
        steps.append(opened.solver.getInfo().simplex_iteration_count)
    assert steps[1] < steps[0] / 2


@pytest.mark.parametrize("spread", [0.08, -0.05])
def test_a_search_from_nothing_begins_with_what_makes_the_rows_true(spread: float) -> None:
    guests = [Guest(f"car {k}", car(3.0 + k % 3, 4_000.0 + 700.0 * k, back=11_000.0), "grid") for k in range(12)]
    program = Model(table_of(Ground(Connection("grid", 40_000.0, 40_000.0), site(spread)), guests, NOON)).program
    steps, costs = [], []
    for begins in (program.begins, []):
        program.begins = begins
        opened = program.opened()
        costs.append(opened.solved().objective)
        steps.append(opened.solver.getInfo().simplex_iteration_count)
    assert costs[0] == pytest.approx(costs[1])
    assert steps[0] < steps[1] / 2


@pytest.mark.parametrize("looks", range(1, 12))
def test_whenever_time_is_up_the_best_so_far_is_a_plan_that_keeps_all_limits(looks: int) -> None:
    guests = [Guest(f"car {k}", car(5.0, 9_000.0, back=11_000.0, least=4_140.0), "grid") for k in range(8)]
    ground = Ground(Connection("grid", 17_000.0, 17_000.0), site(-0.05))
    clock = itertools.count()
    made = joint(ground, guests, NOON, Patience(float(looks), lambda: float(next(clock))))
    hold(ground, guests, made)
    best = joint(ground, guests, NOON)
    if math.isfinite(made.gap) and not made.unmet:
        cost, bound = made.cash + made.wear, (best.cash + best.wear) / (1.0 + best.gap)
        assert bound - 1e-6 <= cost <= bound + (made.gap + 1e-3) * max(abs(bound), abs(cost))
