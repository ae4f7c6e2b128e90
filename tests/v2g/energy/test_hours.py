"""Default hours and random delays: whose edges move, by how much, and that nothing else does."""

from datetime import UTC, datetime
from os import urandom

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2g.energy.market.hours import Hours, OffPeak, Peak
from v2g.energy.market.off_peak import LONGEST_DELAY, is_peak
from v2g.energy.series import Series

NOON = datetime(2026, 9, 21, 12, tzinfo=UTC).timestamp()  # a Monday
HOUR = 3_600.0
UK = OffPeak(profile="uk-scp-2021")


def drawn(*seconds: int) -> Hours:
    """Hours of Great Britain, by the clocks of UTC, whose delays are these, again and again."""
    order = [*seconds]
    return Hours(UK, UTC, lambda count: order.append(order.pop(0)) or order[-1].to_bytes(count, "big"))  # type: ignore[func-returns-value]


def cap(hours: Hours, at: float, wall: float = NOON) -> float | None:
    return hours.signals(wall)[0].power.at(at)


def test_peak_hours_begin_and_end_as_much_later_as_was_drawn() -> None:
    hours = drawn(100, 500)
    assert cap(hours, NOON + 4 * HOUR + 99) != 0.0  # 16:00, and 100 s
    assert cap(hours, NOON + 4 * HOUR + 100) == 0.0
    assert cap(hours, NOON + 10 * HOUR + 499) == 0.0  # 22:00
    assert cap(hours, NOON + 10 * HOUR + 500) != 0.0
    again = cap(hours, NOON + 10 * HOUR + 499, NOON + 9 * HOUR)  # who asks again hears of the same draws
    assert again == 0.0
    assert cap(hours, NOON + 10 * HOUR + 500, NOON + 9 * HOUR) != 0.0


@given(st.integers(0, 5 * 24), st.integers(0, LONGEST_DELAY))
def test_at_no_time_is_a_peak_left_free_for_longer_than_a_delay(hour: int, most: int) -> None:
    hours = Hours(OffPeak(profile="uk-scp-2021", delay=most), UTC, urandom)
    at = NOON + hour * HOUR
    for minute in range(0, 60, 10):
        when = at + 60.0 * minute
        if is_peak(when, UTC) and is_peak(when - most, UTC):
            assert cap(hours, when, at) == 0.0
        if not is_peak(when, UTC) and not is_peak(when - most, UTC):
            assert cap(hours, when, at) != 0.0


def test_each_edge_of_a_price_has_a_draw_of_its_own_from_the_machines_randomness() -> None:
    prices = Series.from_pairs([(NOON + k * 900.0, 0.1 + 0.01 * (k % 7)) for k in range(192)], NOON + 192 * 900.0)
    hours = Hours(UK, UTC, urandom)
    moved = hours.prices(prices, 0, NOON)
    assert moved is not None
    assert hours.prices(prices, 0, NOON) is moved
    delays = [now - then for then, now in zip(prices.edges()[1:-1], moved.edges()[1:-1], strict=True)]
    assert all(0 <= each <= 600 and each == int(each) for each in delays)
    assert len(set(delays)) > 100  # of 191: the same again and again is no draw
    assert 200 < sum(delays) / len(delays) < 400
    assert moved.values == prices.values
    assert moved.edges()[0] == prices.edges()[0]  # what is so already is not put off
    assert Hours(OffPeak(peak=(Peak(8, 9),)), UTC, urandom).prices(prices, 0, NOON) is prices


def test_the_delays_behind_a_plan_are_those_at_which_its_power_changes() -> None:
    hours = drawn(100, 500)
    hours.signals(NOON)
    until, after = NOON + 4 * HOUR + 100, NOON + 10 * HOUR + 500
    power = Series.from_pairs([(NOON, 7e3), (until, 0.0), (after, 7e3), (after + HOUR, 11e3)], after + 2 * HOUR)
    found = hours.behind(power)
    assert [(one.at, one.seconds, one.why) for one in found] == [
        (NOON + 4 * HOUR, 100, "decrease"),
        (NOON + 10 * HOUR, 500, "start"),
    ]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "says nothing"),
        ({"delay": 0}, "says nothing"),
        ({"delay": 1_801}, "0 to 1800"),
        ({"profile": "uk-scp-2021", "delay": -1}, "0 to 1800"),
    ],
)
def test_hours_that_cannot_be_meant_are_refused(said: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        OffPeak(**said)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Monday"):
        Peak(8, 9, (7,))
    with pytest.raises(ValueError, match=r"\S"):
        Peak(8.1, 9)
