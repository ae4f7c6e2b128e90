"""Who came before tells how many may come: of the worst day of a kind, later than now, and for nobody where few days are known."""

from datetime import UTC, datetime, timedelta

from v2g.energy.forecast import Visit
from v2g.energy.past import ENOUGH, MORE, Past

MONDAY = datetime(2026, 11, 30, tzinfo=UTC)
HOUR = 3600.0


def visits(days: int) -> list[Visit]:
    """Every day one car at 08:00, on working days two more at 12:00, on one of them four."""
    found = []
    for back in range(days, 0, -1):
        day = MONDAY - timedelta(days=back)
        start = day.timestamp()
        at = [8.0] + [12.0] * (0 if day.weekday() >= 5 else 4 if back == 7 else 2)
        found += [Visit(start + hour * HOUR, start + (hour + 3) * HOUR, 11_000.0) for hour in at]
    return found


def test_of_each_time_the_worst_day_counts() -> None:
    past = Past(UTC, visits(90))
    start = MONDAY.timestamp()
    crowd = past.crowd(start, 11_000.0)
    assert crowd is not None
    assert crowd.at(start + 8.5 * HOUR) == MORE * 11_000.0
    assert crowd.at(start + 12.5 * HOUR) == MORE * 44_000.0
    assert crowd.at(start + 11.2 * HOUR) == MORE * 44_000.0  # they may come earlier
    assert crowd.at(start + 18 * HOUR) == 0.0
    later = past.crowd(start + 9 * HOUR, 11_000.0)
    assert later is not None
    assert later.at(start + 9.1 * HOUR) == 0.0  # who comes at eight has come
    assert later.at(start + 32.5 * HOUR) == MORE * 11_000.0  # tomorrow's has not


def test_few_days_foresee_nobody() -> None:
    assert Past(UTC, visits(20)).crowd(MONDAY.timestamp(), 11_000.0) is None
    assert Past(UTC).crowd(MONDAY.timestamp(), 11_000.0) is None


def test_what_is_added_counts_and_is_told() -> None:
    heard: list[Visit] = []
    past = Past(UTC, told=heard.append)
    for visit in visits(90):
        past.add(visit)
    assert len(heard) == len(visits(90))
    assert past.crowd(MONDAY.timestamp(), 11_000.0) == Past(UTC, visits(90)).crowd(MONDAY.timestamp(), 11_000.0)
    assert ENOUGH <= 90 * 2 / 7  # weekends too


def test_what_is_kept_between_two_looks_is_forgotten_with_the_next_visit_and_another_power() -> None:
    start = MONDAY.timestamp()
    past = Past(UTC, visits(90))
    later = Visit(start + 8 * HOUR, start + 9 * HOUR, 50_000.0)
    for power in (11_000.0, 7_000.0):
        for now in (start, start + 9 * HOUR, start + 20 * HOUR, start + 24 * HOUR, start + 33 * HOUR):
            assert past.crowd(now, power) == Past(UTC, visits(90)).crowd(now, power)
    past.add(later)
    assert past.crowd(start + 24 * HOUR, 7_000.0) == Past(UTC, [*visits(90), later]).crowd(start + 24 * HOUR, 7_000.0)
    assert past.crowd(start + 24 * HOUR, 7_000.0) != Past(UTC, visits(90)).crowd(start + 24 * HOUR, 7_000.0)
