"""Who is still to come costs nobody its energy: whatever comes, nobody misses any who would not in order of departure."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.v2g.energy.fleet.test_joint import HOUR, NOON, car, site
from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground, Outlet
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.joint import joint
from v2g.energy.fleet.plan import FleetPlan
from v2g.energy.fleet.queue import in_order
from v2g.energy.fleet.seats import table_of
from v2g.energy.series import Series

POWER = 11_000.0
Planner = Callable[[Ground, Sequence[Guest], float], FleetPlan]
Visits = Sequence[tuple[int, float, float, float, bool]]  # outlet, s after noon of coming and leaving, Wh, whether it gives back


@st.composite
def days(draw: st.DrawFn) -> tuple[int, float, Visits]:
    """Outlets, the cap (W) that they share, and who comes to them, one after the other at each."""
    outlets, found = draw(st.integers(2, 5)), []
    for outlet in range(outlets):
        clock = 0.0
        for _ in range(draw(st.integers(0, 3))):
            came = clock + 60.0 * draw(st.integers(0, 90))
            left = came + 60.0 * draw(st.integers(16, 150))
            if left > 4 * HOUR:
                break
            part = draw(st.sampled_from((0.2, 0.5, 0.9)))
            found.append((outlet, came, left, part * POWER * 0.95 * (left - came) / HOUR, draw(st.booleans())))
            clock = left + 60.0
    return outlets, draw(st.sampled_from((0.3, 0.5, 0.8))) * POWER * outlets, found


def lived(day: tuple[int, float, Visits], planner: Planner, known: bool) -> float:
    """Wh missing at all departures of a day that is lived with a new plan at each arrival and each quarter of an hour."""
    outlets, cap, visits = day
    places = tuple(Outlet(f"outlet {k}", "grid", POWER) for k in range(outlets)) if known else ()
    ground = Ground(Connection("grid", cap, cap), site(), outlets=places)
    stored = [0.0] * len(visits)
    for now, then in itertools.pairwise(sorted({*(came for _, came, _, _, _ in visits), *(900.0 * k for k in range(17))})):
        guests = [
            replace(
                Guest(f"car {k}", car(left / HOUR, energy, POWER, POWER if both else 0.0), "grid", outlet=f"outlet {outlet}"),
                needs=spent(car(left / HOUR, energy, POWER, POWER if both else 0.0), stored[k]),
            )
            for k, (outlet, came, left, energy, both) in enumerate(visits)
            if came <= now < left
        ]
        if guests:
            made = planner(ground, guests, NOON + now)
            for name, plan in made.plans.items():
                for start, end, power in plan.power.clip(NOON + now, NOON + then).spans():
                    stored[int(name.split()[1])] += power * (end - start) / HOUR * (0.95 if power > 0 else 1 / 0.95)
    return sum(max(energy - had, 0.0) for (_, _, _, energy, _), had in zip(visits, stored, strict=True))


def spent(needs, had):  # type: ignore[no-untyped-def]
    assert needs.energy_maximum is not None
    return replace(
        needs, energy_target=needs.energy_target - had, energy_maximum=needs.energy_maximum - had, energy_minimum=-10_000.0 - had
    )


def plain(ground: Ground, guests: Sequence[Guest], now: float) -> FleetPlan:
    return in_order(table_of(ground, guests, now))


@settings(max_examples=25)
@given(days())
def test_nobody_misses_energy_where_order_of_departure_leaves_nobody_without(day: tuple[int, float, Visits]) -> None:
    if lived(day, plain, known=False) <= 1.0:
        assert lived(day, joint, known=True) <= 5.0


def test_without_room_for_who_comes_somebody_would_miss_energy() -> None:
    """The day that the test above is for: a cheap hour is waited for, and then it is full."""
    early, late = (0, 0.0, 2 * HOUR, 10_000.0, False), (1, HOUR - 60.0, 2 * HOUR, 10_400.0, False)
    day = 2, POWER, (early, late)
    assert lived(day, plain, known=False) < 600.0
    assert lived(day, joint, known=False) > 5_000.0
    assert lived(day, joint, known=True) < 600.0


def test_cheap_hours_are_waited_for_where_history_leaves_them_free() -> None:
    guests = [Guest("car", car(4.0, 10_000.0), "grid", outlet="A")]
    ground = Ground(Connection("grid", POWER), site(), outlets=tuple(Outlet(name, "grid", POWER) for name in "ABCD"))
    now = joint(ground, guests, NOON).plans["car"].power
    assert now.at(NOON) == pytest.approx(POWER)
    nobody = joint(replace(ground, crowd=Series.constant(NOON, 48 * HOUR, 0.0)), guests, NOON).plans["car"].power
    assert nobody.at(NOON) == 0.0
    assert nobody.at(NOON + 3.5 * HOUR) == pytest.approx(10_000.0 / 0.95)


def test_an_outlet_that_is_taken_is_free_for_nobody() -> None:
    guests = [Guest("car", car(4.0, 10_000.0), "grid", outlet="A")]
    ground = Ground(Connection("grid", POWER), site(), outlets=(Outlet("A", "grid", POWER),))
    assert joint(ground, guests, NOON).plans["car"].power.at(NOON) == 0.0
    with pytest.raises(ValueError, match="power of outlet A is -1"):
        Outlet("A", "grid", -1.0)


def test_who_holds_more_than_it_wants_gives_it_back_in_its_last_minutes() -> None:
    """Nobody misses what it did not want: the way back of such a car is no reason to keep it."""
    ground = Ground(Connection("grid", POWER, POWER), site(), outlets=(Outlet("A", "grid", POWER), Outlet("B", "grid", POWER)))
    needs = replace(car(0.2, 0.0, POWER, POWER), energy_target=-2_000.0)
    for outlets in ((), ground.outlets):
        made = joint(replace(ground, outlets=outlets), [Guest("car", needs, "grid", outlet="A")], NOON)
        assert made.plans["car"].power.integral() == pytest.approx(-2_000.0 * 0.95, abs=1.0)
