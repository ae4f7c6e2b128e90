"""Guests planned in groups: every limit holds, nobody misses energy, and the bound lies between no plan and the best."""

import random
from dataclasses import replace

import pytest

import v2g.energy.fleet.groups as groups
from tests.v2g.energy.fleet.test_joint import HOUR, NOON, car, hold, signal, site
from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.joint import joint
from v2g.energy.fleet.seats import table_of
from v2g.energy.patience import ENDLESS
from v2g.energy.series import Series
from v2g.energy.signal import Kind

FEEDER = Connection("F1", 30_000.0, phase_import_cap=14_000.0)
LOAD = Series.constant(NOON, 6 * HOUR, 5_000.0)


def fleet(count: int, seed: int, least: float = 0.0) -> list[Guest]:
    chance = random.Random(seed)
    return [
        Guest(
            f"car {k}",
            car(chance.uniform(2.5, 6.0), chance.uniform(1_000.0, 9_000.0), back=11_000.0 if k % 2 else 0.0, least=least),
            chance.choice(("grid", "F1")),
            chance.choice(((1,), (1, 2, 3))),
            arrival=NOON + chance.randrange(7_200),
        )
        for k in range(count)
    ]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of few, so that a test is cheap."""
    monkeypatch.setattr(groups, "SIZE", 6)
    monkeypatch.setattr(groups, "LARGE", 11)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("least", [0.0, 1_380.0])
def test_groups_keep_every_limit_and_cost_little_more_than_one_program(monkeypatch: pytest.MonkeyPatch, seed: int, least: float) -> None:
    guests = fleet(24, seed, least)
    ground = Ground(Connection("grid", 45_000.0, 30_000.0, load=LOAD, below=(FEEDER,)), site())
    whole = joint(ground, guests, NOON)
    monkeypatch.setattr(groups, "SIZE", 6)
    monkeypatch.setattr(groups, "LARGE", 11)
    made = joint(ground, guests, NOON)
    hold(ground, guests, made)
    assert not made.unmet
    assert made.cash <= whole.cash + 1e-3 * abs(whole.cash) or least  # where groups are further away all are one program
    table = table_of(ground, guests, NOON)
    dealt = groups.in_groups(table, ENDLESS)
    assert dealt.name == "joint, in groups"
    hold(ground, guests, dealt)
    assert whole.cash - 1e-6 <= dealt.cash * (1 + 1e-9)
    assert dealt.cash <= whole.cash + 0.1 * abs(whole.cash)  # four groups of six: the fewer, the less they give way
    bound = dealt.cash - dealt.gap * abs(dealt.cash)
    assert bound <= whole.cash + 1e-4


@pytest.mark.usefixtures("small")
def test_where_groups_miss_energy_all_are_planned_as_one() -> None:
    here = [replace(guest, at="grid") for guest in fleet(24, 3)]
    short = joint(Ground(Connection("grid", 24_000.0, load=LOAD), site()), here, NOON)
    assert short.unmet
    assert short.name.startswith("joint")
    assert short.name != "joint, in groups"


@pytest.mark.usefixtures("small")
def test_what_groups_cannot_share_is_planned_as_one() -> None:
    guests = [replace(guest, at="grid") for guest in fleet(13, 4)]
    plain = Ground(Connection("grid", 60_000.0), site())
    assert groups.divisible(table_of(plain, guests, NOON))
    for ground in (
        replace(plain, peak_price=1.0),
        replace(plain, signals=(signal(Kind.SETPOINT, 1_000.0),)),
        replace(plain, connection=Connection("grid", 4_000.0, load=LOAD)),
    ):
        assert not groups.divisible(table_of(ground, guests, NOON))


@pytest.mark.parametrize("seed", [1, 2])
def test_groups_go_one_way_at_the_meter_where_exports_earn_more(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    guests = fleet(24, seed)
    ground = Ground(Connection("grid", 45_000.0, 30_000.0, load=LOAD, below=(FEEDER,)), site(-0.05))
    whole = joint(ground, guests, NOON)
    monkeypatch.setattr(groups, "SIZE", 6)
    monkeypatch.setattr(groups, "LARGE", 11)
    made = joint(ground, guests, NOON)
    hold(ground, guests, made)
    assert not made.unmet
    assert made.cash <= whole.cash + 1e-3 * abs(whole.cash)  # where groups are further away all are one program
