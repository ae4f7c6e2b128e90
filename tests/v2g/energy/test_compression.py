import itertools
import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2g.energy.compression import compressed, floor_to_digits, floor_to_short
from v2g.energy.needs import Needs
from v2g.energy.scheduler import cheapest, plan
from v2g.energy.series import Series, Step
from v2g.energy.site import Site

pytest.importorskip("highspy")

T = 1_790_000_100.0
NUMBERS = st.one_of(st.floats(-1e7, 1e7).filter(lambda x: x == 0 or abs(x) > 1e-9), st.integers(-300_000, 300_000).map(lambda n: n / 10))


@pytest.mark.parametrize(
    ("value", "digits", "short"),
    [(11_043.7, 11_040.0, 11_043.0), (32_767.9, 32_760.0, 32_767.0), (32_768.2, 32_760.0, 32_760.0), (-45_678.0, -45_670.0, -45_670.0),
     (0.3, 0.3, 0.3), (1 / 3, 0.3333, 0.3333), (0.0, 0.0, 0.0), (math.inf, math.inf, math.inf), (22_000.0, 22_000.0, 22_000.0)],
)  # fmt: skip
def test_numbers_are_cut_towards_zero(value: float, digits: float, short: float) -> None:
    assert floor_to_digits(value) == digits
    assert floor_to_short(value) == short


@given(NUMBERS)
def test_what_is_cut_is_never_more_and_little_less_and_fits_the_wire(value: float) -> None:
    for cut, share in ((floor_to_digits(value), 1e-3), (floor_to_short(value), 1e-3)):
        assert abs(cut) <= abs(value)
        assert abs(value) - abs(cut) <= share * abs(value)
        assert cut * value >= 0
    mantissa, _, exponent = f"{abs(floor_to_short(value)):.6e}".partition("e")
    digits = mantissa.replace(".", "").rstrip("0") or "0"
    assert int(digits) <= 32_767, f"int16 times 10 to the {exponent}"
    assert floor_to_short(floor_to_short(value)) == floor_to_short(value)


def market(prices: list[tuple[int, int]]) -> Site:
    imports, exports = (Series(T, tuple(Step(900.0, price[way] / 100) for price in prices)) for way in (0, 1))
    return Site(8000.0, 8000.0, imports, exports, wear_cost=0.01)


NEEDS = Needs(energy_target=5000.0, energy_maximum=15_000.0, energy_minimum=-9000.0, charge_maximum=8000.0, discharge_maximum=8000.0,
              bidirectional=True)  # fmt: skip


def test_the_joints_are_nearly_the_best_there_are() -> None:
    """Every way to cut eight intervals into so many is planned; on average ours costs little more than the best of them."""
    chance = random.Random(15118)
    regrets, losses = [], []
    for points in [2, 3, 4] * 8:
        full = plan(NEEDS, market([(chance.randint(5, 50), chance.randint(0, 45)) for _ in range(8)]), T)
        ways = itertools.combinations(range(1, 8), points - 1)
        best = min(_served(cheapest(full.stay.coarsened([0, *way, 8]))) for way in ways)
        ours = _served(compressed(full, points, cheapest))
        assert ours >= full.cost - 0.01
        regrets.append(ours - best)
        losses.append(best - full.cost)
    assert statistics.mean(regrets) < 0.03 * statistics.mean(losses)
    assert max(regrets) < max(losses)


def _served(made: object) -> float:
    return made.cost + 0.5 * made.unmet / 1000.0  # type: ignore[attr-defined]


def test_what_fits_loses_nothing() -> None:
    full = plan(NEEDS, market([(10, 5)] * 8 + [(40, 35)] * 8), T)
    fitted = compressed(full, 12, cheapest)
    assert fitted.cost == pytest.approx(full.cost, abs=0.001)
    assert len(fitted.power.steps) <= 5


def test_one_point_is_a_constant_power() -> None:
    fitted = compressed(plan(NEEDS, market([(10, 5), (40, 35), (10, 5), (40, 35)]), T), 1, cheapest)
    assert len(fitted.power.steps) == 1
    assert fitted.delivered == pytest.approx(5000.0, abs=1.0)
