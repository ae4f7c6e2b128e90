"""Who comes, for how long and with what: on histories whose answer is known, and what no forecast may do."""

import random
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2g.energy.forecast import FEWEST, Visit, at_quantile, fit, pinball

ZONE = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 3, 2, tzinfo=ZONE)  # the clocks change on the 29th
HOUR = 3_600.0


def at(day: int, hour: float) -> float:
    """Epoch s of a time of day, so many days after the first Monday."""
    return (MONDAY + timedelta(days=day)).timestamp() + hour * HOUR


def workplace(weeks: int = 8, seed: int = 1) -> list[Visit]:
    """Two cars at 8 for 9 hours and one at 14 for 2, on working days, some minutes off; one at noon on Saturdays."""
    chance = random.Random(seed)
    found = []
    for day in range(7 * weeks):
        for hour, stay, energy in (
            ((8, 9, 20_000), (8, 9, 20_000), (14, 2, 8_000)) if day % 7 < 5 else ((12, 1, 5_000),) if day % 7 == 5 else ()
        ):
            arrival = at(day, hour) + chance.uniform(-600, 600)
            found.append(Visit(arrival, arrival + stay * HOUR + chance.uniform(-1_800, 1_800), energy + chance.uniform(-500, 500)))
    return found


MODEL = fit(workplace(), ZONE)


def test_cars_are_expected_when_they_came_and_stay_as_they_stayed() -> None:
    day = 7 * 8 + 1  # a Tuesday, of summer time
    coming = MODEL.coming(at(day, 0), at(day, 23))
    assert [round((one.arrival - at(day, 0)) / HOUR, 0) for one in coming] == [8, 8, 14]
    assert [round((one.departure - one.arrival) / HOUR) for one in coming] == [9, 9, 2]
    assert [round(one.energy / 1_000) for one in coming] == [20, 20, 8]
    assert MODEL.coming(at(day, 10), at(day, 23)) == coming[2:]
    assert len(MODEL.coming(at(day, 0), at(day + 1, 23))) == 6


def test_weekends_are_another_kind_of_day() -> None:
    saturday, monday = at(7 * 8 + 5, 0), at(7 * 8, 0)
    assert len(MODEL.coming(saturday, saturday + 23 * HOUR)) <= 1  # one on every other day of a weekend
    assert MODEL.departure(saturday + 12 * HOUR, 0.5) == pytest.approx(saturday + 13 * HOUR, abs=900)
    assert len(MODEL.coming(monday, monday + 23 * HOUR)) == 3


def test_a_car_that_is_still_there_is_expected_to_stay_longer() -> None:
    eight = at(7 * 8, 8)
    assert MODEL.departure(eight, 0.1) == pytest.approx(at(7 * 8, 16.6), abs=1_500)
    late = MODEL.departure(eight, 0.1, now=at(7 * 8, 17.3))
    assert late is not None
    assert late > at(7 * 8, 17.3)
    assert MODEL.departure(eight, 0.5, now=at(7 * 8, 22)) == at(7 * 8, 22)  # it has outstayed all: any time
    assert MODEL.stays(eight, at(7 * 8, 16), at(7 * 8, 9)) == 1.0
    assert MODEL.stays(eight, at(7 * 8, 18), at(7 * 8, 9)) == 0.0
    assert 0.2 < MODEL.stays(eight, at(7 * 8, 17), at(7 * 8, 9)) < 0.8


def test_quantiles_are_passed_as_often_as_they_say() -> None:
    """On days that the model has not seen."""
    unseen = [one for one in workplace(seed=2) if datetime.fromtimestamp(one.arrival, ZONE).weekday() < 5]
    for quantile in (0.1, 0.5, 0.9):
        below = [one.departure <= (MODEL.departure(one.arrival, quantile) or 0.0) for one in unseen]
        assert sum(below) / len(below) == pytest.approx(quantile, abs=0.15)


def test_a_quantile_has_less_loss_than_a_guess() -> None:
    unseen = workplace(seed=3)
    ours = sum(pinball(MODEL.energy(one.arrival, 0.8) or 0.0, one.energy, 0.8) for one in unseen)
    mean = sum(one.energy for one in workplace()) / len(workplace())
    assert ours < 0.3 * sum(pinball(mean, one.energy, 0.8) for one in unseen)


def test_too_little_history_foresees_nothing() -> None:
    few = fit(workplace(weeks=1)[: FEWEST - 2], ZONE)
    assert not few.known(at(0, 8))
    assert few.coming(at(7, 0), at(8, 0)) == ()
    assert few.departure(at(7, 8), 0.5) is few.energy(at(7, 8), 0.5) is None
    assert few.stays(at(7, 8), at(7, 9), at(7, 8)) == 0.0
    assert fit([], ZONE).coming(at(0, 0), at(1, 0)) == ()


def test_what_had_not_ended_was_not_known() -> None:
    past = workplace()
    assert fit(past, ZONE, before=at(21, 0)) == fit([one for one in past if one.departure <= at(21, 0)], ZONE)


STAYS = st.lists(st.tuples(st.integers(0, 40), st.floats(0, 23.9), st.floats(0.1, 40), st.floats(0, 90_000)), max_size=60)


@settings(max_examples=40, deadline=None)
@given(STAYS, st.floats(0, 1), st.integers(0, 60), st.floats(0, 23))
def test_any_history_gives_stays_that_are_some(rows: list[tuple[int, float, float, float]], quantile: float, day: int, hour: float) -> None:
    past = [Visit(at(d, h), at(d, h) + stay * HOUR, energy) for d, h, stay, energy in rows]
    model, now = fit(past, ZONE), at(day, hour)
    coming = model.coming(now, now + 86_400, quantile, quantile)
    assert [one.arrival for one in coming] == sorted(one.arrival for one in coming)
    assert all(now < one.arrival < now + 86_400 and one.departure > one.arrival for one in coming)
    departure = model.departure(now - HOUR, quantile, now)
    assert departure is None or departure >= now
    assert model == fit(list(reversed(past)), ZONE) or len({one.arrival for one in past}) < len(past)


def test_what_is_no_stay_is_refused() -> None:
    for wrong in (
        lambda: Visit(1.0, 1.0, 0.0),
        lambda: Visit(1.0, 2.0, -1.0),
        lambda: at_quantile([], 0.5),
        lambda: at_quantile([1.0], 2.0),
    ):
        with pytest.raises(ValueError):
            wrong()
    assert at_quantile([1.0, 2.0, 4.0], 0.75) == 3.0
