from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from v2g.energy.prices import DAY, HOUR, expected_prices, midnight, parse_prices
from v2g.energy.series import Series, Step
from v2g.energy.site import Site

ROOT = Path(__file__).parents[3]
EXAMPLE = (ROOT / "v2gkit" / "lab" / "data" / "day_ahead.csv").read_text()
BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


def test_the_example_is_one_day_of_quarter_hours_with_a_night_trough_and_an_evening_peak() -> None:
    prices = parse_prices(EXAMPLE)
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
    prices = parse_prices(text)
    assert (prices.relative, prices.imports.start, prices.imports.until) == (relative, start, until)
    assert prices.exports.edges() == prices.imports.edges()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no rows"),
        ("start,import_price,export_price\n", "no rows"),
        ("start,import_price\n00:00,1\n", "has no column export_price, only start, import_price"),
        ("start,import_price,export_price\n00:00,1,2\n00:15,1,\n", "row 2 of the price file has no export_price"),
        ("start,import_price,export_price\nnoon,1,2\n", "row 1"),
        ("start,import_price,export_price\n00:00,cheap,2\n", "row 1"),
        ("start,import_price,export_price\n00:00,nan,2\n", "no price per kWh"),
        ("start,import_price,export_price\n2026-11-22T12:00,1,2\n", "no offset"),
        ("start,import_price,export_price\n00:00,1,2\n0,1,2\n", "one kind"),
        ("start,import_price,export_price\n01:00,1,2\n00:00,1,2\n", "ascend"),
        ("[1, 2]", "list of objects"),
        ("{", "not JSON"),
        ("00:00,1,2\n01:00,1,2\n", "begins with '00:00, 1, 2', which is no header"),
        ("start,import_price,start,export_price\n00:00,1,00:00,2\n", "the column start 2 times"),
        (
            "start,import_price,export_price\n00:00,0,25,0,05\n",
            "row 1 .* has 5 cells, the header has 3; with decimal commas, .* semicolons",
        ),
        ("start;import_price;export_price\n00:00;0,25;0,05;7\n", "row 1 .* has 4 cells, the header has 3$"),
        ("start;import_price;export_price\n00:00;1.234,56;0,05\n", "'1.234,56' is no price per kWh; write a number with one decimal"),
        ("start;import_price;export_price\n00:00;0,25 EUR;0,05\n", "'0,25 EUR' is no price per kWh; .* without unit"),
        ("start,import_price,export_price\n25:00,1,2\n", "25:00 is no time of day"),
        ("start,import_price,export_price\n06:30+01:00,1,2\n", "'06:30\\+01:00' cannot be read"),
        ("start,import_price,export_price\n25.10.2026 00:00,1,2\n", "'25.10.2026 00:00' cannot be read; give epoch seconds or"),
        ("start,import_price,export_price\n2026-13-01T00:00Z,1,2\n", "'2026-13-01T00:00Z' is no such time"),
        ("start,import_price,export_price\n-5,1,2\n", "'-5' cannot be read"),
        ("start,import_price,export_price\n1761429600000000,1,2\n", "neither epoch seconds nor milliseconds"),
        ("start,import_price,export_price\n1761429600000,1,2\n1761429600,1,2\n", "row 2 of the price file does not start after row 1"),
        (b"start,import_price,export_price\n00:00,1,2 \x80\n", "no text in UTF-8: octet 42"),
        ("start,import_price,export_price\n" + "1" * 200_000 + ",1,2\n", "no CSV: field larger"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_bad_price_file_is_an_error_that_says_where_and_why(text: str | bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_prices(text)


SAID = "start,import_price,export_price\n2026-10-25T00:00+02:00,0.10,0.05\n2026-10-25T01:00+02:00,-0.25,0.05\n"


@pytest.mark.parametrize(
    "given",
    [
        SAID,
        "\ufeff" + SAID,
        SAID.encode("utf-8-sig"),
        SAID.encode("utf-16"),
        SAID.replace("\n", "\r\n"),
        SAID.replace(",", ";"),
        SAID.replace(",", "\t"),
        SAID.replace(",", ";").replace(".", ","),
        "sep=;\n" + SAID.replace(",", ";").replace(".", ","),
        SAID.replace(",", ", ").replace("start", " Start ").replace("import_price", "IMPORT Price"),
        SAID.replace("0.10", '"0,10"').replace("-0.25", "\u22120.25"),
        SAID.replace("\n", ",,\n") + ",,,,\n\n",
        SAID.replace("2026-10-25T00:00+02:00", "1792879200").replace("2026-10-25T01:00+02:00", "1792882800"),
        SAID.replace("2026-10-25T00:00+02:00", "1792879200000").replace("2026-10-25T01:00+02:00", "1792882800000"),
        SAID.replace("2026-10-25T", "2026-10-25 ").replace("+02:00", ":00+0200"),
        '\ufeff[{"Start": 1792879200000, "import_price": "0,10", "export_price": 0.05},'
        ' {"Start": 1792882800000, "import_price": -0.25, "export_price": 0.05}]',
    ],
)
def test_what_spreadsheets_and_interfaces_make_of_a_price_file_is_read(given: str | bytes) -> None:
    prices = parse_prices(given)
    begin = datetime(2026, 10, 24, 22, tzinfo=UTC).timestamp()
    assert prices.imports == Series(begin, (Step(HOUR, 0.10), Step(HOUR, -0.25)))
    assert prices.exports == Series(begin, (Step(HOUR, 0.05), Step(HOUR, 0.05)))


def test_the_currency_is_read_from_a_file_with_a_byte_order_mark() -> None:
    assert parse_prices("\ufeff# Currency: GBP;;\nstart;import_price;export_price\n00:00;1;2\n").currency == "GBP"


PEAK = "start,import_price,export_price\n" + "".join(f"{hour:02}:00,{0.6 if hour == 18 else 0.1},0.05\n" for hour in range(24))
SHORT, LONG = datetime(2027, 3, 28, tzinfo=BERLIN), datetime(2026, 10, 25, tzinfo=BERLIN)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC"])
def test_a_peak_at_18_is_at_18_on_every_day_of_two_years(zone: str) -> None:
    """Lord Howe changes by half an hour, Cairo at midnight."""
    here, daily = ZoneInfo(zone), parse_prices(PEAK)
    for day in range(730):
        now = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp() + day * DAY
        prices = daily.upcoming(now, here, days=1)
        peak = [(at, until) for at, until, value in prices.imports.spans() if value == 0.6]
        today = datetime.fromtimestamp(now, here).date()
        assert [datetime.fromtimestamp(at, here) for at in peak[0]] == [datetime.combine(today, time(hour), here) for hour in (18, 19)]
        assert len(peak) == 1
        assert (prices.imports.start, prices.imports.until) == (midnight(today, here), midnight(today + timedelta(days=1), here))


@pytest.mark.parametrize(("day", "hours"), [(SHORT, 23), (LONG, 25)])
def test_each_instant_of_a_day_on_which_clocks_change_has_the_price_of_its_clock(day: datetime, hours: int) -> None:
    rows = "".join(f"{minute // 60:02}:{minute % 60:02},{minute},{-minute}\n" for minute in range(0, 24 * 60, 15))
    prices = parse_prices("start,import_price,export_price\n" + rows).on(day.date(), BERLIN)
    assert prices.imports.duration == hours * HOUR
    for quarter in range(hours * 4):
        at = day.timestamp() + quarter * 900 + 1
        local = datetime.fromtimestamp(at, BERLIN)
        assert prices.imports.at(at) == local.hour * 60 + local.minute
        assert prices.exports.at(at) == -(local.hour * 60 + local.minute)


def test_a_price_that_no_clock_shows_on_a_day_is_left_out() -> None:
    night = parse_prices("start,import_price,export_price\n02:00,1,2\n02:30,1,2\n")
    assert night.on(SHORT.date(), BERLIN).imports.steps == ()
    assert night.on(LONG.date(), BERLIN).imports.duration == 2 * HOUR
    assert night.upcoming(SHORT.timestamp(), BERLIN).imports.at(SHORT.timestamp() + DAY + 2.5 * HOUR) == 1


def test_a_site_goes_by_the_clocks_of_the_day_however_long_it_has_been_running() -> None:
    site = Site(daily=parse_prices(PEAK), zone=BERLIN)
    for day in (SHORT, LONG, datetime(2027, 7, 1, tzinfo=BERLIN)):
        for hour in (0, 17, 18):
            wall = day.replace(hour=hour).timestamp()
            prices = site.at(wall).import_prices
            assert prices is not None
            assert prices.until >= wall + 48 * HOUR - 2 * HOUR
            assert prices.at(wall) == (0.6 if hour == 18 else 0.1)
            assert prices.at((day + timedelta(days=1)).replace(hour=18).timestamp()) == 0.6


def test_prices_by_time_of_day_are_set_on_a_day() -> None:
    prices = parse_prices(EXAMPLE).on(date(2026, 11, 23), BERLIN)
    assert prices.imports.start == datetime(2026, 11, 22, 23, tzinfo=UTC).timestamp()
    with pytest.raises(ValueError, match="dates already"):
        prices.on(date(2026, 11, 23), BERLIN)


@pytest.mark.parametrize(
    "now", [NOON, datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp(), datetime(2027, 3, 28, 5, tzinfo=UTC).timestamp()]
)
def test_there_is_always_a_future_also_when_clocks_change(now: float) -> None:
    example = parse_prices(EXAMPLE)
    prices = example.upcoming(now, BERLIN)
    assert prices.imports.start <= now
    assert prices.imports.until >= now + 23 * HOUR
    for hours in range(23):
        local = datetime.fromtimestamp(now + hours * HOUR, BERLIN)
        assert prices.imports.at(now + hours * HOUR) == example.imports.at(local.hour * HOUR + local.minute * 60)


def test_unknown_prices_are_those_of_the_nearest_day() -> None:
    known = Series(10 * DAY, tuple(Step(HOUR, float(hour)) for hour in range(24)))
    hours = [10 * DAY + hour * HOUR for hour in (-1, 0, 5, 23, 24, 29, 53)]
    assert expected_prices(known, hours) == [23.0, 0.0, 5.0, 23.0, 0.0, 5.0, 5.0]


def test_where_no_day_tells_the_mean_is_expected() -> None:
    evening = Series(20 * HOUR, (Step(HOUR, 1.0), Step(HOUR, 2.0)))
    assert expected_prices(evening, [20.5 * HOUR, 44.5 * HOUR, 30 * HOUR]) == [1.0, 1.0, 1.5]
    assert expected_prices(Series(0.0), [5.0]) == [0.0]
