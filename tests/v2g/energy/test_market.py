"""Price documents of others, tariffs by the clocks, the demand charge, off-peak hours, and what a site could sell."""

import dataclasses
import itertools
import json
import math
from collections import Counter
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground
from v2g.energy.forecast import Visit
from v2g.energy.market.document import prices
from v2g.energy.market.entsoe import day_ahead
from v2g.energy.market.ocpp_tariff import bands
from v2g.energy.market.off_peak import DEFAULT_DELAY, default_hours, delay, is_peak
from v2g.energy.market.outlook import Outlook, Wish, bids, outlook
from v2g.energy.market.products import (
    BINS,
    FCR,
    FLEXIBILITY,
    MEGA,
    Asset,
    Contribution,
    Direction,
    Product,
    capability,
    distribution,
    offered,
    together,
)
from v2g.energy.market.tariff import DAY, MONDAY_TO_FRIDAY, Band, DemandCharge, Retail, banded
from v2g.energy.market.xml_events import DEEPEST, MOST_OCTETS, elements
from v2g.energy.needs import Needs
from v2g.energy.prices import parse_prices
from v2g.energy.scheduler import plan
from v2g.energy.series import Series
from v2g.energy.site import Site

BERLIN, LONDON = ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/London")
T = datetime(2026, 3, 2, tzinfo=UTC).timestamp()  # a Monday
HOUR = 3_600.0

# --- ENTSO-E: made up, in the form of the platform's documents (schema 7:3), with repeated prices left out as curve type A03 does ---

POINT = "<Point><position>{}</position><price.amount>{}</price.amount></Point>"


def series(
    points: dict[int, float], resolution: str = "PT60M", hours: int = 4, *, sequence: int = 1, start: str = "2026-03-02T00:00Z"
) -> str:
    end = datetime.fromtimestamp(datetime.fromisoformat(start).timestamp() + hours * HOUR, UTC)
    told = "".join(POINT.format(place, price) for place, price in points.items())
    return (
        f"<TimeSeries><mRID>1</mRID><currency_Unit.name>EUR</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>"
        f"<classificationSequence_AttributeInstanceComponent.position>{sequence}</classificationSequence_AttributeInstanceComponent.position>"
        f"<curveType>A03</curveType><Period><timeInterval><start>{start}</start><end>{end:%Y-%m-%dT%H:%MZ}</end></timeInterval>"
        f"<resolution>{resolution}</resolution>{told}</Period></TimeSeries>"
    )


def document(*parts: str, kind: str = "A44") -> bytes:
    head = (
        '<?xml version="1.0" encoding="utf-8"?><Publication_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3">'
    )
    return f"{head}<type>{kind}</type>{''.join(parts)}</Publication_MarketDocument>".encode()


def test_prices_that_repeat_are_held_to_the_end_of_their_period() -> None:
    found, currency = day_ahead(document(series({1: 100.0, 3: -20.5})))
    assert currency == "EUR"
    assert [(start - T, price) for start, _, price in found.spans()] == [(0, 0.1), (HOUR, 0.1), (2 * HOUR, -0.0205), (3 * HOUR, -0.0205)]
    assert found.until == T + 4 * HOUR


def test_the_finest_resolution_and_the_wanted_auction_hold() -> None:
    both = document(series({1: 50.0}), series({1: 40.0, 2: 60.0}, "PT15M"), series({1: 999.0}, "PT15M", sequence=2))
    found, _ = day_ahead(both)
    assert found.values[:3] == (0.04, 0.06, 0.06)
    assert day_ahead(both, sequence=2)[0].values[0] == 0.999
    days = document(series({1: 50.0}, hours=24), series({1: 70.0}, hours=24, start="2026-03-03T00:00Z"), series({1: 50.0}, hours=24))
    assert day_ahead(days)[0].duration == 2 * DAY


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (document(kind="A65"), "of type A65"),
        (document(), "no prices of auction 1"),
        (document(series({2: 5.0})), "no first price"),
        (document(series({1: 5.0, 9: 1.0})), "position 9; it has 4"),
        (document(series({1: 5.0}, "P1Y")), "resolution"),
        (document(series({1: 5.0}, "PT7M")), "does not end where its steps do"),
        (document(series({1: 5.0}), series({1: 6.0})), "two prices"),
        (document(series({1: 5.0}), series({1: 6.0}, start="2026-03-05T00:00Z")), "no price from 2026-03-02T04:00Z on"),
        (document(series({1: float("nan")})), "decimal number"),
        (document(series({1: 5.0})).replace(b"MWH", b"BTU"), "prices per BTU"),
        (document(series({1: 5.0})).replace(b"2026-03-02T00:00Z", b"yesterday"), "the time"),
        (b"<Other/>", "is a Other"),
        (b"<a><b></a>", "no XML"),
        (document(series({1: 5.0}))[:-40], "no XML"),
    ],
)
def test_a_market_document_that_is_wrong_is_refused_in_words(wrong: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        day_ahead(wrong)


LAUGHS = b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'


@pytest.mark.parametrize(
    "hostile",
    [
        LAUGHS,
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1/">%x;]><a/>',
        b"<a>" * (DEEPEST + 1),
        b"<a>" + b"x" * 500 + b"</a>",
        b" " * (MOST_OCTETS + 1),
        b"<a>&undefined;</a>",
        b"\xff\xfe<",
    ],
)
def test_hostile_xml_is_refused_before_it_grows(hostile: bytes) -> None:
    with pytest.raises(ValueError):
        list(elements(hostile))


# --- JSON ---


def test_what_others_serve_as_json_is_read() -> None:
    charts = {"license_info": "CC BY 4.0", "unix_seconds": [T, T + 900, T + 1_800], "price": [10.0, 20.0, -5.0], "unit": "EUR / MWh"}
    found = prices(json.dumps(charts).encode())
    assert found is not None
    assert (found.imports.values, found.imports.until, found.currency) == ((0.01, 0.02, -0.005), T + 2_700, "EUR")
    rows = [
        {"start_timestamp": (T + h * HOUR) * 1e3, "end_timestamp": (T + h * HOUR + HOUR) * 1e3, "marketprice": 42.0 + h, "unit": "Eur/MWh"}
        for h in (0, 1)
    ]
    found = prices(json.dumps({"object": "list", "data": rows}).encode())
    assert found is not None
    assert (found.imports.values, found.currency) == ((0.042, 0.043), "EUR")
    with pytest.raises(ValueError, match="no price from"):
        prices(json.dumps({"data": [rows[0], {**rows[1], "start_timestamp": (T + 2 * HOUR) * 1e3}]}).encode())
    assert prices(b'{"prices": []}') is prices(b"start,import_price") is prices(b"[[[") is None


def event(values: list[float], *, kind: str = "PRICE", priority: int | None = None, start: float = T, **more: object) -> dict[str, object]:
    period = {"start": datetime.fromtimestamp(start, UTC).isoformat(), "duration": "PT1H"}
    payloads = [{"id": n, "payloads": [{"type": kind, "values": [value]}]} for n, value in enumerate(values)]
    described = [{"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": kind, "units": "KWH", "currency": "EUR"}]
    return {
        "objectType": "EVENT",
        "programID": "p",
        "priority": priority,
        "intervalPeriod": period,
        "payloadDescriptors": described,
        "intervals": payloads,
    } | more


def test_openadr_events_give_both_prices_and_the_first_priority_holds() -> None:
    found = prices(json.dumps([event([0.3, 0.2]), event([0.1, 0.05], kind="EXPORT_PRICE")]).encode())
    assert found is not None
    assert found.exports is not None
    assert (found.imports.values, found.exports.values, found.imports.until) == ((0.3, 0.2), (0.1, 0.05), T + 2 * HOUR)
    over = prices(json.dumps([event([0.3, 0.2, 0.4]), event([0.9], priority=0, start=T + HOUR)]).encode())
    assert over is not None
    assert over.imports.values == (0.3, 0.9, 0.4)
    split = event([0.0])
    split["intervals"] = [{"id": 0, "payloads": [{"type": "PRICE", "values": [0.1, 0.2, 0.3, 0.4]}]}]
    quarters = prices(json.dumps(split).encode())
    assert quarters is not None
    assert [step.duration for step in quarters.imports.steps] == [900.0] * 4


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (event([0.1], kind="SIMPLE"), "no PRICE"),
        (event([0.1], intervalPeriod=None), "no start"),
        (event([0.1], intervalPeriod={"start": "0001-01-01T00:00:00Z", "duration": "PT1H"}), "means now"),
        (event([0.1], intervalPeriod={"start": "2026-03-02T00:00:00Z", "duration": "P9999Y"}), "without end"),
        (event([0.1], intervalPeriod={"start": "2026-03-02T00:00:00Z", "duration": "PT0S"}), "no PRICE"),
        (event([float("inf")]), "finite"),
        (event([0.1], intervals=[{"payloads": [None]}]), "none of OpenADR"),
        (event([0.1], payloadDescriptors=[{"payloadType": "PRICE", "units": "THERM"}]), "per THERM"),
    ],
)
def test_an_event_that_is_wrong_is_refused_in_words(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        prices(json.dumps([wrong]).encode())


def paths(said: object, here: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """The path of every value in a JSON document."""
    within = said.items() if isinstance(said, dict) else enumerate(said) if isinstance(said, list) else ()
    return [here, *(path for key, value in within for path in paths(value, (*here, key)))]


def test_any_value_in_place_of_any_other_is_prices_nothing_or_one_value_error() -> None:
    rows = [{"start_timestamp": T * 1e3, "end_timestamp": (T + HOUR) * 1e3, "marketprice": 42.0, "unit": "EUR/MWh"}]
    charts = {"unix_seconds": [T, T + 900], "price": [10.0, 20.0], "unit": "EUR/MWh"}
    for whole in ([event([0.3, 0.2], priority=3)], {"data": rows}, charts):
        for path, value in itertools.product(paths(whole)[1:], (None, True, -1, 1e300, "", "x", [], {}, [None], {"start": 5})):
            changed = json.loads(json.dumps(whole))
            inner = changed
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
            try:
                prices(json.dumps(changed).encode())
            except ValueError as error:
                if not str(error):
                    raise


def test_a_station_reads_them_as_price_files() -> None:
    found = parse_prices(document(series({1: 100.0, 3: -20.5})))
    assert (found.imports, found.currency, found.relative) == (found.exports, "EUR", False)
    both = parse_prices(json.dumps([event([0.3, 0.2]), event([0.1, 0.05], kind="EXPORT_PRICE")]))
    assert (both.imports.values, both.exports.values) == ((0.3, 0.2), (0.1, 0.05))


# --- OCPP ---


def tariff(*rows: dict[str, object], taxes: list[dict[str, object]] | None = None) -> dict[str, object]:
    return {"tariffId": "t", "currency": "EUR", "energy": {"prices": list(rows), "taxRates": taxes or []}}


def test_the_bands_of_an_ocpp_tariff_are_those_of_the_clocks() -> None:
    night = {"priceKwh": 0.2, "conditions": {"startTimeOfDay": "22:00", "endTimeOfDay": "06:00", "dayOfWeek": ["Friday"]}}
    told = bands(
        tariff(
            night, {"priceKwh": 0.4, "conditions": {"validToDate": "2026-03-08"}}, {"priceKwh": 0.5}, taxes=[{"type": "vat", "tax": 10.0}]
        )
    )
    found = banded(told.bands, T, T + 7 * DAY, UTC)
    assert found.at(T + 4 * DAY + 23 * HOUR) == pytest.approx(0.22)  # Friday night
    assert found.at(T + 5 * DAY + 5 * HOUR) == pytest.approx(0.22)  # which ends on Saturday morning
    assert found.at(T + 5 * DAY + 23 * HOUR) == pytest.approx(0.44)
    assert found.at(T + 6 * DAY) == pytest.approx(0.55)  # the 8th is the first day on which it is not valid


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "energy"),
        (tariff(), "no energy price"),
        (tariff({"priceKwh": 0.2, "conditions": {"minEnergy": 5}}), "depends on minEnergy"),
        (tariff({"priceKwh": 0.2, "conditions": {"startTimeOfDay": "25:00"}}), "HH:MM"),
        (tariff({"priceKwh": 0.2, "conditions": {"dayOfWeek": ["Funday"]}}), "Funday"),
        (tariff({"priceKwh": math.inf}), "finite"),
        (tariff(*[{"priceKwh": 0.2}] * 500), "500 energy prices"),
    ],
)
def test_a_tariff_that_no_plan_can_know_is_refused_by_name(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        bands(wrong)


# --- tariffs ---

PEAK = (Band(0.5, 18 * 3_600, 20 * 3_600), Band(0.1))


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
def test_a_peak_at_18_is_at_18_on_days_of_23_and_25_hours(day: date, hours: int) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=BERLIN).timestamp()
    found = banded(PEAK, start, start + hours * HOUR, BERLIN)
    peak = [(a, b) for a, b, price in found.spans() if price == 0.5]
    assert [(datetime.fromtimestamp(a, BERLIN).hour, datetime.fromtimestamp(b, BERLIN).hour) for a, b in peak] == [(18, 20)]
    assert found.duration == hours * HOUR


def test_a_kwh_costs_spot_fees_levies_and_tax_and_earns_its_share() -> None:
    spot = Series.from_pairs([(T, 0.10), (T + HOUR, -0.05)], T + 2 * HOUR)
    made = Retail(
        fee=0.02, grid=(Band(0.05, 0, 1_800), Band(0.01)), levies=0.03, tax=20.0, export_share=0.9, export_fee=0.01, floor=0.0
    ).prices(spot, UTC)
    assert [round(value, 6) for value in made.imports.values] == [0.24, 0.192, 0.012]
    assert [round(value, 6) for value in made.exports.values] == [0.08, 0.0]
    assert made.imports.duration == made.exports.duration == 2 * HOUR


def test_the_demand_charge_is_of_the_highest_quarter_hour() -> None:
    charge = DemandCharge(10.0, free=5_000)
    power = Series.from_pairs([(T + 600, 40_000), (T + 900, 10_000), (T + 1_000, 30_000), (T + 1_500, -50_000)], T + 2_000)
    assert charge.peak(power) == pytest.approx((10_000 * 100 + 30_000 * 500) / 900)  # and 40 kW for 300 s are 13.3 kW of a quarter hour
    assert charge.due(power) == pytest.approx((charge.peak(power) - 5_000) / 1_000 * 10 * 1e6, abs=1)
    assert charge.due(power, before=20_000) == 0
    assert charge.peak(Series(T)) == 0


def test_bands_that_leave_a_gap_are_refused() -> None:
    with pytest.raises(ValueError, match="no band has a price for Monday 2026-03-02 08:00"):
        banded((Band(0.1, 0, 8 * 3_600),), T, T + DAY, UTC)
    for made in (
        lambda: Band(0.1, 5, 900),
        lambda: Band(math.nan),
        lambda: DemandCharge(-1.0),
        lambda: Retail(tax=-1),
        lambda: banded(PEAK, 0, 1e9, UTC),
    ):
        with pytest.raises(ValueError):
            made()


# --- off-peak ---


def test_default_hours_lie_outside_8_to_11_and_16_to_22_on_weekdays_by_the_clocks_of_the_place() -> None:
    start = datetime(2026, 3, 27, tzinfo=LONDON).timestamp()  # a Friday; the clocks change on Sunday
    cap = default_hours(start, start + 4 * DAY, LONDON, 7_400.0)
    for quarter in range(4 * 96 - 4):
        at = start + 900 * quarter
        local = datetime.fromtimestamp(at, LONDON)
        peak = local.weekday() < 5 and (8 <= local.hour < 11 or 16 <= local.hour < 22)
        assert cap.power.at(at) == (0.0 if peak else 7_400.0)
        assert is_peak(at, LONDON) is peak


def test_the_delay_is_any_second_up_to_ten_minutes_alike() -> None:
    draws = Counter(delay((n * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8, "big")) for n in range(10_000))
    expected = 10_000 / (DEFAULT_DELAY + 1)
    assert set(draws) <= set(range(DEFAULT_DELAY + 1))
    assert sum((draws[second] - expected) ** 2 / expected for second in range(DEFAULT_DELAY + 1)) < 690  # chi-square, 600 degrees, 0.6 %
    assert delay(bytes(8)) == 0
    for wrong in (lambda: delay(b"1234567"), lambda: delay(bytes(8), 1_801)):
        with pytest.raises(ValueError):
            wrong()


# --- products ---

SITE = Site(
    import_limit=11_000,
    export_limit=11_000,
    import_prices=Series.from_pairs([(T, 0.10), (T + 2 * HOUR, 0.30)], T + 8 * HOUR),
    export_prices=Series.constant(T, 8 * HOUR, 0.05),
)


def asset(id: str = "a", energy: float = 20_000, stays: float = 1.0, hours: float = 8, both: bool = False) -> Asset:
    car = Needs(
        departure=T + hours * HOUR,
        energy_target=energy,
        energy_maximum=energy,
        energy_minimum=-10_000 if both else None,
        charge_maximum=11_000,
        discharge_maximum=11_000 if both else 0.0,
        bidirectional=both,
    )
    return Asset(id, car, plan(car, SITE, T), stays)


def test_a_car_gives_what_it_can_make_up_for_and_says_what_that_costs() -> None:
    """It charges with 11 kW in the two cheap hours; of 21.05 kWh an hour's call leaves 11 there."""
    (one,) = capability([asset()], SITE, FLEXIBILITY, T)
    assert one.power == pytest.approx(11_000, rel=0.01)
    assert one.cost == pytest.approx((20.0 / 0.95 - 11.0) * 0.20, rel=0.02)  # what moves to dear hours costs 20 ct a kWh more
    (both,) = capability([asset(both=True)], SITE, FLEXIBILITY, T)
    assert both.power > 11_000 * 1.5  # it stops and feeds back


def test_a_car_that_must_charge_all_the_time_or_leaves_gives_nothing() -> None:
    busy, short = asset("busy", energy=20_900, hours=2), asset("short", energy=4_000, hours=0.5)
    assert [one.power for one in capability([busy, short], SITE, FLEXIBILITY, T)] == [0.0, 0.0]
    down = Product("down", Direction.DOWN, 3_600, 1_000, 1_000)
    (more,) = capability([asset(energy=8_000)], SITE, down, T + 4 * HOUR)
    assert more.power == 0.0 or more.power <= 11_000


def test_the_bid_is_what_is_there_with_the_certainty_asked() -> None:
    could = [Contribution(str(n), 5_000, 1.0, 0.9) for n in range(10)]
    product = Product("x", Direction.UP, 3_600, 10_000, 5_000, 0.95, availability=0.01, utilisation=0.2, penalty=1.0, called=0.5)
    bid = offered(could, product, T)
    chance = {k: sum(math.comb(10, n) * 0.9**n * 0.1 ** (10 - n) for n in range(k, 11)) for k in range(11)}
    most = max(k for k in chance if chance[k] >= 0.95)
    assert bid.power == 5_000 * most
    assert bid.certainty == pytest.approx(chance[most])
    short = sum((most - n) * 5_000 * math.comb(10, n) * 0.9**n * 0.1 ** (10 - n) for n in range(most))
    assert bid.expected_short == pytest.approx(short)
    energy, missing = 5.0 * most, short / 1_000
    assert bid.value == pytest.approx(0.01 * energy + 0.5 * (0.2 * (energy - missing) - most - missing))


def test_a_site_below_the_least_bid_says_what_it_lacks() -> None:
    from v2g.energy.market.products import AFRR_UP

    bid = offered([Contribution("a", 11_000, 0.5, 1.0)], AFRR_UP, T)
    assert (bid.power, bid.there, bid.lacking) == (0.0, 11_000, MEGA - 11_000)
    assert offered([], AFRR_UP, T).power == 0


def test_nobody_charges_for_a_call_before_it_comes() -> None:
    """A car lends 5 kWh: whatever it would have charged had it known, for an hour it gives 5 kW less its losses, and no more."""
    needs = dataclasses.replace(asset(energy=0.0, both=True).needs, energy_maximum=20_000.0, energy_minimum=-5_000.0)
    flat = dataclasses.replace(SITE, import_prices=Series.constant(T, 8 * HOUR, 0.2))
    waiting = Asset("a", needs, plan(needs, flat, T))
    assert max(map(abs, waiting.plan.power.values)) == 0.0
    (one,) = capability([waiting], flat, FLEXIBILITY, T + 3 * HOUR)
    assert 4_750.0 - 22_000.0 / 2**7 <= one.power <= 4_751.0  # as near as halving comes


def test_a_symmetric_product_takes_what_can_be_done_either_way_and_the_dearer() -> None:
    both = dataclasses.replace(FCR, lasts=3_600)
    up, down = (dataclasses.replace(both, symmetric=False, direction=way) for way in Direction)
    car = asset(energy=8_000, both=True)
    (one,), (more,), (less,) = (capability([car], SITE, product, T + 3 * HOUR) for product in (both, up, down))
    assert one.power == min(more.power, less.power)
    assert one.cost == max(more.cost, less.cost)


def test_who_is_less_probable_is_there_only_with_those_who_are_more_so() -> None:
    assert together([]) == [(0.0, 1.0)]
    assert together([(5_000, 0.5), (4_000, 0.9)]) == [(0.0, pytest.approx(0.1)), (4_000, pytest.approx(0.4)), (9_000, 0.5)]
    could = [Contribution("a", 4_000, 0.0, 0.9), Contribution("b", 5_000, 0.0, 0.5)]
    product = Product("x", Direction.UP, 3_600, 1_000, 1_000, 0.9)
    assert offered(could, product, T, together).power == 4_000
    assert offered(could, product, T, together, room=2_500.0).power == 2_000


# --- what a site could sell on a day to come ---


def history(days: int, second: bool = True) -> list[Visit]:
    """Working days before the Monday of these tests: a car from 7 to 16, and on most of them another from 8 to 17."""
    found, back = [], 0
    while len({datetime.fromtimestamp(v.arrival, UTC).date() for v in found}) < days:
        back += 1
        start = T - back * DAY
        if datetime.fromtimestamp(start, UTC).weekday() < 5:
            found.append(Visit(start + 7 * HOUR, start + 16 * HOUR, 14_000.0))
            if second and back % 7 != 5:
                found.append(Visit(start + 8 * HOUR, start + 17 * HOUR, 11_000.0))
    return found


def ahead(cap: float = 40_000.0, lends: float = 5_000.0, days: int = 20) -> Outlook:
    spot = Series.from_pairs([(T + k * HOUR, 0.1 + 0.02 * (k % 5)) for k in range(48)], T + 48 * HOUR)
    ground = Ground(Connection("grid", cap, cap), Site(import_prices=spot, export_prices=spot.map(lambda price: price - 0.05)))
    return outlook(ground, history(days), UTC, date(2026, 3, 2), Wish(11_000.0, lends))


def test_what_a_site_could_sell_is_as_certain_as_history() -> None:
    day = ahead()
    assert len(day.guests) == 2
    assert day.share(9 * HOUR, 10 * HOUR, 1) == 1.0
    assert day.share(9 * HOUR, 10 * HOUR, 2) == pytest.approx(16 / 20)
    assert day.share(6 * HOUR, 10 * HOUR, 1) == 0.0
    relief = Product("relief", Direction.UP, 3_600, 1_000, 1_000, certainty=0.9)
    sure, likely = ({bid.start: bid for bid in bids(day, dataclasses.replace(relief, certainty=c), 3_600.0)} for c in (0.9, 0.7))
    assert {(start - T) / HOUR for start in sure} <= set(range(7, 17))
    assert all(bid.certainty >= bid.product.certainty for bid in [*sure.values(), *likely.values()])
    assert sum(bid.power for bid in likely.values()) > sum(bid.power for bid in sure.values()) > 0
    assert all(bid.power <= 2 * 22_000.0 for bid in likely.values())


def test_the_connection_bounds_a_bid() -> None:
    relief = Product("relief", Direction.UP, 3_600, 100, 100, certainty=0.9)
    for bid in bids(ahead(cap=4_000.0), relief, 3_600.0):
        assert bid.power <= 8_000.0
    assert all(bid.power == 0 and bid.lacking for bid in bids(ahead(), FCR, 4 * HOUR))  # 1 MW is no car park


def test_a_history_that_is_too_short_foresees_no_day() -> None:
    with pytest.raises(ValueError, match="the history has 3 days like 2026-03-02"):
        ahead(days=3)
    with pytest.raises(ValueError, match="give a power above 0"):
        Wish(0.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40).map(lambda n: n * 500.0), st.floats(0, 1)), min_size=1, max_size=7))
def test_the_distribution_is_that_of_all_cases(parts: list[tuple[float, float]]) -> None:
    cases: dict[float, float] = {}
    for there in itertools.product((0, 1), repeat=len(parts)):
        total = sum(power for (power, _), one in zip(parts, there, strict=True) if one)
        cases[total] = cases.get(total, 0.0) + math.prod(p if one else 1 - p for (_, p), one in zip(parts, there, strict=True))
    found = distribution(parts)
    assert sum(chance for _, chance in found) == pytest.approx(1)
    mean, exact = sum(power * chance for power, chance in found), sum(p * c for p, c in cases.items())
    down = len(parts) * sum(power for power, _ in parts) / BINS  # each part is rounded down to a bin
    assert exact - down - 1e-6 <= mean <= exact + 1e-6
    assert max(power for power, _ in found) <= sum(power for power, _ in parts) + 1e-6


def test_weekdays_are_what_they_are() -> None:
    assert {date(2026, 3, 2 + n).weekday() for n in range(5)} == MONDAY_TO_FRIDAY
