from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from energy.prices import DAY, HOUR, expected, parsed
from energy.series import Series, Step

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "lab" / "data" / "day_ahead.csv").read_text()
BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


def test_the_example_is_one_day_of_quarter_hours_with_a_night_trough_and_an_evening_peak() -> None:
    prices = parsed(EXAMPLE)
    assert prices.relative
    assert prices.currency == "EUR"
    assert "invented" in EXAMPLE
    assert (prices.imports.start, prices.imports.until) == (0.0, DAY)
    assert {step.duration for step in prices.imports.steps} == {900.0}
    night, day, evening = (prices.imports.mean(a * HOUR, b * HOUR) for a, b in ((1, 5), (0, 24), (18, 21)))
    assert night < 0.8 * day
    assert evening > 1.4 * day
    assert prices.exports.mean(18 * HOUR, 21 * HOUR) > prices.imports.mean(1 * HOUR, 5 * HOUR)  # there is something to earn


@pytest.mark.parametrize(
    ("text", "relative", "start", "until"),
    [
        ("start,import_price,export_price\n00:00,0.3,0.1\n06:30,0.4,0.2\n", True, 0.0, 13 * HOUR),
        ("# a comment\nstart, import_price ,export_price\n".replace(" ", "") + "1790000000,0.3,0.1\n", False, 1.79e9, 1.79e9 + HOUR),
        ('[{"start": "2026-11-22T12:00:00Z", "import_price": 0.3, "export_price": -0.1}]', False, NOON, NOON + HOUR),
        ('{"currency": "GBP", "prices": [{"start": 0, "import_price": 1, "export_price": 2}]}', False, 0.0, HOUR),
    ],
)
def test_a_price_file_is_csv_or_json(text: str, relative: bool, start: float, until: float) -> None:
    prices = parsed(text)
    assert (prices.relative, prices.imports.start, prices.imports.until) == (relative, start, until)
    assert prices.exports.edges() == prices.imports.edges()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no rows"),
        ("start,import_price,export_price\n", "no rows"),
        ("start,import_price\n00:00,1\n", "row 1 of the price file has no export_price"),
        ("start,import_price,export_price\n00:00,1,2\n00:15,1,\n", "row 2 of the price file has no export_price"),
        ("start,import_price,export_price\nnoon,1,2\n", "row 1"),
        ("start,import_price,export_price\n00:00,cheap,2\n", "row 1"),
        ("start,import_price,export_price\n00:00,nan,2\n", "no price per kWh"),
        ("start,import_price,export_price\n2026-11-22T12:00,1,2\n", "no offset"),
        ("start,import_price,export_price\n00:00,1,2\n0,1,2\n", "one kind"),
        ("start,import_price,export_price\n01:00,1,2\n00:00,1,2\n", "ascend"),
        ("[1, 2]", "list of objects"),
        ("{", "not JSON"),
    ],
)
def test_a_bad_price_file_is_an_error_that_says_where_and_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parsed(text)


def test_prices_by_time_of_day_are_set_on_a_day() -> None:
    prices = parsed(EXAMPLE).on(date(2026, 11, 23), BERLIN)
    assert prices.imports.start == datetime(2026, 11, 22, 23, tzinfo=UTC).timestamp()
    with pytest.raises(ValueError, match="dates already"):
        prices.on(date(2026, 11, 23), BERLIN)


@pytest.mark.parametrize(
    "now", [NOON, datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp(), datetime(2027, 3, 28, 5, tzinfo=UTC).timestamp()]
)
def test_there_is_always_a_future_also_when_clocks_change(now: float) -> None:
    example = parsed(EXAMPLE)
    prices = example.upcoming(now, BERLIN)
    assert prices.imports.start <= now
    assert prices.imports.until >= now + 23 * HOUR
    for hours in range(23):
        local = datetime.fromtimestamp(now + hours * HOUR, BERLIN)
        seconds = now + hours * HOUR - datetime(local.year, local.month, local.day, tzinfo=BERLIN).timestamp()
        assert prices.imports.at(now + hours * HOUR) == example.imports.at(min(seconds, DAY - 1))


def test_unknown_prices_are_those_of_the_nearest_day() -> None:
    known = Series(10 * DAY, tuple(Step(HOUR, float(hour)) for hour in range(24)))
    hours = [10 * DAY + hour * HOUR for hour in (-1, 0, 5, 23, 24, 29, 53)]
    assert expected(known, hours) == [23.0, 0.0, 5.0, 23.0, 0.0, 5.0, 5.0]


def test_where_no_day_tells_the_mean_is_expected() -> None:
    evening = Series(20 * HOUR, (Step(HOUR, 1.0), Step(HOUR, 2.0)))
    assert expected(evening, [20.5 * HOUR, 44.5 * HOUR, 30 * HOUR]) == [1.0, 1.0, 1.5]
    assert expected(Series(0.0), [5.0]) == [0.0]
