"""Plans: feasible always, cheapest where it can be proved, and as the tuple allows."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcc.choice import Choice, condensed
from evcc.ev import Battery, Ev, Inlet
from evcc.goal import Goal
from evcc.iso20.offered import offered
from evcc.iso20.profile import dynamic_choice, power_profile
from evcc.iso20.profile import scheduled_choice as choose
from evcc.plan import Bounds, Slot, plan
from tests.evcc.scripted_station import power_schedule, prices, schedule_tuple
from v2g.energy.series import Series, Step
from v2g.iso20.rational import number
from v2g.session.errors import PeerIncompatible

PURE = Battery(capacity=60_000, charge_power=1e6, charge_efficiency=1.0, discharge_efficiency=1.0, taper_from=1.0, taper_to=1.0)
slots = st.lists(
    st.tuples(st.integers(0, 20_000), st.integers(0, 20_000), st.floats(-0.1, 0.9), st.floats(-0.1, 0.9)), min_size=1, max_size=24
).map(lambda rows: [Slot(900.0 * i, 900.0 * (i + 1), c, d, b, s) for i, (c, d, b, s) in enumerate(rows)])


def follow(made: list[Slot], powers: tuple[float, ...], battery: Battery, energy: float) -> list[float]:
    """The energies after each slot."""
    held = []
    for slot, power in zip(made, powers, strict=True):
        for _ in range(30):
            energy = battery.after(energy, min(power, battery.ceiling(energy)), slot.seconds / 30)
        held.append(energy)
    return held


@given(slots, st.floats(0.05, 0.95), st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)))
def test_a_plan_keeps_limits_and_bounds(made: list[Slot], share: float, levels: tuple[float, float, float]) -> None:
    battery = Battery(capacity=60_000)
    bottom, target, top = (level * battery.capacity for level in sorted(levels))
    energy = share * battery.capacity
    best = plan(made, battery, energy, Bounds(bottom, top, target))
    assert all(-slot.discharge - 1e-3 <= power <= slot.charge + 1e-3 for slot, power in zip(made, best.powers, strict=True))
    slack = 0.02 * battery.capacity  # the taper is integrated in steps
    for held in follow(made, best.powers, battery, energy):
        assert held <= max(top, energy) + slack
        assert held >= min(bottom, energy) - slack


def brute(made: list[Slot], energy: float, bounds: Bounds, grid: float) -> float:
    """The least cost over all plans on a grid of energies; infinite if none reaches the target."""
    best = {energy: 0.0}
    for slot in made:
        fresh: dict[float, float] = {}
        for held, cost in best.items():
            for step in range(-8, 9):
                moved = step * grid
                if not (-slot.discharge * slot.seconds / 3600 <= moved <= slot.charge * slot.seconds / 3600):
                    continue
                then = held + moved
                if bounds.bottom <= then <= bounds.top:
                    price = moved / 1000 * (slot.buy if moved > 0 else slot.sell)
                    fresh[then] = min(fresh.get(then, float("inf")), cost + price)
        best = fresh
    return min((cost for held, cost in best.items() if held >= bounds.target), default=float("inf"))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from((0, 4_000, 8_000)), st.sampled_from((0, 4_000)), st.integers(1, 9)), min_size=2, max_size=7),
    st.sampled_from((10_000.0, 14_000.0)),
    st.sampled_from((8_000.0, 12_000.0, 16_000.0)),
)
def test_no_plan_on_a_grid_is_cheaper(rows: list[tuple[int, int, int]], energy: float, target: float) -> None:
    made = [Slot(900.0 * i, 900.0 * (i + 1), c, d, p / 10, p / 10) for i, (c, d, p) in enumerate(rows)]
    bounds = Bounds(6_000.0, 20_000.0, target)
    best = plan(made, PURE, energy, bounds)
    cheapest = brute(made, energy, bounds, 1_000.0)
    if cheapest == float("inf"):
        assert best.energy < target
    else:
        assert best.energy >= target - 1e-6
        assert best.cost == pytest.approx(cheapest, abs=1e-9)


def test_the_reserve_is_charged_at_once() -> None:
    made = [Slot(900.0 * i, 900.0 * (i + 1), 8_000.0, 8_000.0, 0.9 - 0.1 * i, 0.05) for i in range(6)]
    best = plan(made, PURE, 1_000.0, Bounds(5_000.0, 40_000.0, 5_000.0))
    assert best.powers[:2] == (8_000.0, 8_000.0)  # dear, and still first
    assert sum(best.powers[2:]) == pytest.approx(0.0, abs=1e-6)


def test_what_cannot_be_reached_is_approached() -> None:
    best = plan([Slot(0, 3600, 4_000.0, 9_000.0, 0.1, 0.9)], PURE, 10_000.0, Bounds(5_000.0, 50_000.0, 40_000.0))
    assert best.powers == (4_000.0,)
    assert best.energy == pytest.approx(14_000.0)


def test_wear_stops_a_trade_that_does_not_pay() -> None:
    made = [Slot(0, 3600, 5_000.0, 0.0, 0.10, 0.0), Slot(3600, 7200, 0.0, 5_000.0, 0.0, 0.15)]
    bounds = Bounds(0.0, 50_000.0, 10_000.0)
    assert plan(made, PURE, 10_000.0, bounds).powers == (5_000.0, -5_000.0)
    assert plan(made, PURE, 10_000.0, bounds, wear=0.06).powers == (0.0, 0.0)


def test_a_taper_moves_energy_to_earlier_slots() -> None:
    battery = Battery(capacity=50_000, charge_power=50_000, charge_efficiency=1.0, taper_from=0.8, taper_to=0.05)
    made = [Slot(3600.0 * i, 3600.0 * (i + 1), 20_000.0, 0.0, 0.3 - 0.1 * i, 0.0) for i in range(3)]
    best = plan(made, battery, 30_000.0, Bounds(0.0, 50_000.0, 48_000.0))
    assert best.energy == pytest.approx(48_000.0, rel=0.01)
    assert best.powers[2] > best.powers[0] >= 0  # cheap and late as far as the battery takes it


# --- choosing ---


def ev(energy: float = 20_000.0) -> Ev:
    return Ev(Battery(capacity=60_000), energy=energy)


HOUR = 3600
CHEAP_LATER = prices(0, (HOUR, 0.4), (HOUR, 0.1), (HOUR, 0.6))


def test_the_cheapest_tuple_that_reaches_the_target_wins() -> None:
    soon = schedule_tuple(1, power_schedule(0, (HOUR, 11e3), (2 * HOUR, 0)), CHEAP_LATER)
    later = schedule_tuple(2, power_schedule(0, (HOUR, 0), (HOUR, 11e3), (HOUR, 0)), CHEAP_LATER)
    never = schedule_tuple(3, power_schedule(0, (3 * HOUR, 100)), prices(0, (3 * HOUR, 0.001)))
    goal = Goal(target_soc=45, minimum_soc=10)
    chosen = choose([offered(t) for t in (soon, later, never)], ev(), goal, Inlet(), 0.0, 1024)
    assert chosen.tuple_id == 2
    assert chosen.shortfall == pytest.approx(0.0, abs=1.0)
    assert choose([offered(never)], ev(), goal, Inlet(), 0.0, 1024).shortfall > 5_000  # better than nothing


def test_a_few_watt_hours_are_not_worth_a_dear_tuple_where_none_reaches_the_target() -> None:
    soon = schedule_tuple(1, power_schedule(0, (HOUR, 11_020), (2 * HOUR, 0)), CHEAP_LATER)
    later = schedule_tuple(2, power_schedule(0, (HOUR, 0), (HOUR, 11e3), (HOUR, 0)), CHEAP_LATER)
    goal = Goal(target_soc=90, minimum_soc=10)
    chosen = choose([offered(t) for t in (soon, later)], ev(), goal, Inlet(), 0.0, 1024)
    assert chosen.shortfall > 5_000
    assert chosen.tuple_id == 2
    more = schedule_tuple(1, power_schedule(0, (HOUR, 11_100), (2 * HOUR, 0)), CHEAP_LATER)
    assert choose([offered(t) for t in (more, later)], ev(), goal, Inlet(), 0.0, 1024).tuple_id == 1


def test_a_bidirectional_tuple_is_used_both_ways() -> None:
    both = schedule_tuple(
        4, power_schedule(0, (3 * HOUR, 11e3)), CHEAP_LATER, power_schedule(0, (3 * HOUR, -11e3)), prices(0, (2 * HOUR, 0.05), (HOUR, 0.6))
    )
    chosen = choose([offered(both)], ev(), Goal(target_soc=30, minimum_soc=10), Inlet(), 0.0, 1024)
    assert [round(chosen.at(t), -3) for t in (HOUR * 1.5, HOUR * 2.5)] == [11e3, -11e3]
    assert chosen.energy >= 18_000 - 1


def test_prices_are_read_and_the_last_holds_on() -> None:
    one = schedule_tuple(1, power_schedule(0, (HOUR, 11e3)), CHEAP_LATER)
    buy = offered(one).buy
    assert buy is not None
    assert [buy.at(t) for t in (0, 3600, 7200, 1e8)] == pytest.approx([0.4, 0.1, 0.6, 0.6])  # the last holds on
    assert offered(schedule_tuple(1, power_schedule(0, (HOUR, 11e3)))).buy is None  # a station need not tell a price


def test_what_is_offered_without_a_price_is_followed() -> None:
    asked = schedule_tuple(5, power_schedule(0, (HOUR, 11e3), (HOUR, 0)), None, power_schedule(0, (HOUR, 0), (HOUR, 5e3)))
    chosen = choose([offered(asked)], ev(), Goal(target_soc=30, minimum_soc=10), Inlet(), 0.0, 1024)
    assert chosen.at(1.5 * HOUR) == pytest.approx(-5e3)


def test_departure_ends_the_plan() -> None:
    chosen = choose([offered(schedule_tuple(1, power_schedule(0, (4 * HOUR, 11e3))))], ev(), Goal(departure=1800.5), Inlet(), 0.0, 1024)
    assert chosen.powers.until == 1800.0


def test_a_plan_ends_where_no_car_stays() -> None:
    endless = schedule_tuple(1, power_schedule(0, *((2**32 - 1, 11e3) for _ in range(5))))
    assert choose([offered(endless)], ev(), Goal(), Inlet(), 0.0, 1024).powers.until <= 31 * 86_400


def test_a_schedule_of_the_past_is_no_offer() -> None:
    with pytest.raises(PeerIncompatible, match="beyond the present"):
        choose([offered(schedule_tuple(1, power_schedule(0, (HOUR, 11e3))))], ev(), Goal(), Inlet(), 2 * HOUR, 1024)


@given(st.lists(st.tuples(st.integers(1, 900), st.integers(-9, 9)), min_size=1, max_size=60), st.integers(1, 20))
def test_a_condensed_profile_promises_no_more(rows: list[tuple[int, int]], points: int) -> None:
    full = Series(0.0, tuple(Step(float(d), p * 1000.0) for d, p in rows))
    short = condensed(full, points)
    assert len(short.steps) <= points
    assert short.duration == pytest.approx(full.duration)
    for t in itertools.accumulate(step.duration for step in full.steps[:-1]):
        promised, was = short.at(t), full.at(t)
        assert promised is not None
        assert was is not None
        assert abs(promised) <= abs(was)
        assert promised * was >= 0


def test_the_profile_on_the_wire_rounds_towards_zero_and_holds_the_points() -> None:
    offer = schedule_tuple(7, power_schedule(100, *((60, 10_001.234 + 7 * i) for i in range(300))))
    chosen = choose([offered(offer)], ev(1_000.0), Goal(target_soc=90, minimum_soc=0), Inlet(), 103.7, 12)
    stated = power_profile(chosen)
    entries = stated.EVPowerProfileEntries.EVPowerProfileEntry
    assert stated.TimeAnchor == 103
    assert stated.Scheduled_EVPPTControlMode is not None
    assert stated.Scheduled_EVPPTControlMode.SelectedScheduleTupleID == 7
    assert 1 < len(entries) <= 12
    limit, at = offered(offer).charge, 103.0
    for entry in entries:
        assert all((limit.at(at + s) or 0.0) >= number(entry.Power) for s in (0, entry.Duration - 1))
        at += entry.Duration


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_profile_promises_no_more_than_inlet_and_offer_where_the_wire_rounds(bidirectional: bool) -> None:
    """43 211.7 W is no number of the wire: what is stated, and what the car then follows, is the 43 210 W below it."""
    most = {"charge_power": 43_211.7, "discharge_power": 12_345.67}
    back = power_schedule(0, (HOUR, 0), (HOUR, 30e3)) if bidirectional else None
    offer = schedule_tuple(7, power_schedule(0, (HOUR, 60e3), (HOUR, 0)), None, back)
    chosen = choose([offered(offer)], ev(10_000.0), Goal(target_soc=70, minimum_soc=10), Inlet(**most), 0.0, 1024)
    entries = power_profile(chosen).EVPowerProfileEntries.EVPowerProfileEntry
    stated = [number(entry.Power) for entry in entries]
    assert max(stated) == 43_210.0  # four digits beyond 32 767
    assert max(stated) <= most["charge_power"]
    assert min(stated) >= -most["discharge_power"]
    assert (min(stated) == pytest.approx(-12_345, abs=1)) == bidirectional
    at = 0.0
    for entry, watts in zip(entries, stated, strict=True):
        assert chosen.at(at) == chosen.at(at + entry.Duration - 1) == watts  # to the last digit
        at += entry.Duration


def test_a_profile_is_stated_towards_zero_whoever_made_it() -> None:
    powers = Series(0.0, (Step(60.0, 43_211.7), Step(60.0, -12_345.67)))
    entries = power_profile(Choice(powers)).EVPowerProfileEntries.EVPowerProfileEntry
    assert [number(entry.Power) for entry in entries] == [43_210.0, -12_345.0]


@pytest.mark.parametrize("bidirectional", [False, True])
def test_in_dynamic_control_the_profile_is_the_most_that_will_be_asked_for(bidirectional: bool) -> None:
    """A battery that is emptied on the way takes more than it did on arrival."""
    full = Ev(Battery(), energy=0.9 * Battery().capacity)
    goal = Goal(target_soc=95, minimum_soc=20, maximum_soc=95)
    stated = max(dynamic_choice(full, goal, Inlet(), 0.0, bidirectional).powers.values)
    reached = full.battery.ceiling(0.2 * full.battery.capacity) if bidirectional else full.battery.ceiling(full.energy)
    assert stated == pytest.approx(reached, rel=1e-3)
    assert stated <= reached


def test_the_largest_offer_is_planned_in_good_time() -> None:
    import time

    steps = [(60, 7_000.0 + i % 13) for i in range(1024)]
    buy = prices(0, *((60, 0.1 + (i * 37 % 101) / 300) for i in range(1024)))
    sell = prices(0, *((60, (i * 53 % 101) / 300) for i in range(1024)))
    big = schedule_tuple(1, power_schedule(0, *steps), buy, power_schedule(0, *steps), sell)
    began = time.process_time()
    chosen = choose([offered(big)] * 3, ev(), Goal(minimum_soc=10), Inlet(), 0.0, 1024)
    assert time.process_time() - began < 5.0  # the station waits 60 s
    assert chosen.shortfall < 50
