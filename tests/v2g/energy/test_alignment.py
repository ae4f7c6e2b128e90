"""One shift for a whole profile, held against every shift there is."""

import random

import pytest

from v2g.energy.alignment import alignment
from v2g.energy.offer import Tuple
from v2g.energy.series import Series, Step
from v2g.energy.setpoint import violations

POWERS = (0.0, 4_000.0, 7_000.0, 11_000.0)


def series(draw: random.Random, steps: int, sign: float = 1.0) -> Series:
    return Series(1_000.0 + draw.randint(-40, 40), tuple(Step(draw.randint(1, 60), sign * draw.choice(POWERS)) for _ in range(steps)))


@pytest.mark.parametrize("seed", range(60))
def test_the_best_shift_is_the_best_of_all(seed: int) -> None:
    draw = random.Random(seed)
    offered = Tuple(1, series(draw, 6), draw.choice([None, series(draw, 5, -1.0)]))
    profile = series(draw, 6).map(lambda value: value if draw.random() < 0.8 else -value)
    tried = {
        shift: sum(v.duration for v in violations(profile.shift(shift), offered, 1.0)) for shift in range(-30, 31)
    }  # every edge is whole
    shift, outside = alignment(profile, offered, 1.0, 30.0)
    assert outside == pytest.approx(min(tried.values()))
    assert tried[round(shift)] == pytest.approx(outside)
    assert abs(shift) == min(abs(each) for each, time in tried.items() if time == pytest.approx(outside))


def test_a_profile_that_keeps_to_its_schedule_is_not_shifted() -> None:
    power = Series(0.0, (Step(3_600.0, 11_000.0), Step(3_600.0, 0.0)))
    assert alignment(power, Tuple(1, power), 0.0, 30.0) == (0.0, 0.0)


def test_the_time_outside_counts_in_both_directions_and_beyond_the_schedule() -> None:
    offered = Tuple(1, Series(0.0, (Step(100.0, 5_000.0),)), Series(0.0, (Step(100.0, -1_000.0),)))
    profile = Series(0.0, (Step(50.0, 6_000.0), Step(50.0, -2_000.0), Step(100.0, 1.5)))
    assert alignment(profile, offered, 1.0, 0.0) == (0.0, 200.0)
