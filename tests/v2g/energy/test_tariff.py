"""Bills against numbers worked out by hand, and the running account against the ledger."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2g.energy.ledger import MICRO, Ledger, Reading, entries_between
from v2g.energy.needs import Needs
from v2g.energy.scheduler import immediate
from v2g.energy.series import Series
from v2g.energy.site import Site
from v2g.energy.stay import stay_of
from v2g.energy.tab import Tab, in_force
from v2g.energy.tariff import Extra, Overstay, Tariff, Tax, Use, bill

T0 = 1_790_000_000.0
EUR = MICRO


def test_a_bill_worked_out_by_hand() -> None:
    """10 EUR of energy, 3 h begun at 0.50, wash 2.50; VAT 19 % on energy and parking, a levy of 5 % included in the energy."""
    tariff = Tariff(
        taxes=(Tax("VAT", 19), Tax("levy", 5, included=True, parking=False)),
        parking_fee=0.5,
        parking_period=3600,
        services=(Extra("wash", 2.5),),
    )
    owed = bill(tariff, Use(T0, T0 + 2 * 3600 + 1, cost=10 * EUR))
    assert (owed.energy, owed.parking, owed.services, owed.overstay) == (10_000_000, 1_500_000, 2_500_000, 0)
    assert owed.taxes == (2_185_000, 476_190)  # 19 % of 11.50; 10 x 5 / 105
    assert owed.total == 14_000_000 + 2_185_000  # what is included is not added


def test_what_the_car_earns_is_not_taxed_and_negative_prices_are() -> None:
    tariff = Tariff(taxes=(Tax("VAT", 20),))
    assert bill(tariff, Use(T0, T0 + 60, cost=EUR, revenue=3 * EUR)).total == -2_000_000 + 200_000
    assert bill(tariff, Use(T0, T0 + 60, cost=-EUR)).total == -1_200_000


@pytest.mark.parametrize(("net", "owed", "taxed"), [(1, 2, 2.2), (5, 5, 5.5), (9, 8, 8.8)])
def test_a_minimum_and_a_maximum_bound_the_sum_before_taxes(net: float, owed: float, taxed: float) -> None:
    free = Tariff(minimum=2, maximum=8)
    use = Use(T0, T0 + 60, cost=round(net * EUR))
    assert bill(free, use).total == owed * EUR
    assert bill(replace(free, taxes=(Tax("VAT", 10, bounds=True),)), use).total == round(taxed * EUR)
    assert bill(replace(free, taxes=(Tax("VAT", 10),)), use).total == round(owed * EUR + net * EUR / 10)


@pytest.mark.parametrize(
    ("minutes", "fee"),
    [(29, 0), (30, 0), (30.5, 1), (40, 1), (40.5, 2), (50, 2), (50.5, 2 + 5), (110, 2 + 5), (110.5, 2 + 10)],
)
def test_overstaying_costs_for_begun_periods_of_the_rule_that_holds(minutes: float, fee: float) -> None:
    """From half an hour without power on: 1 EUR for ten minutes, after twenty of them 5 EUR an hour."""
    tariff = Tariff(overstay=(Overstay(1.0, 600), Overstay(5.0, 3600, start=1200)), overstay_after=1800, overstay_below=100)
    assert bill(tariff, Use(T0, T0 + 9000 + minutes * 60, idle=T0 + 9000)).overstay == fee * EUR
    assert bill(tariff, Use(T0, T0 + 9000 + minutes * 60, idle=None)).overstay == 0


def test_power_ends_an_overstay_and_its_absence_begins_another() -> None:
    tab = Tab(T0, tariff=Tariff(overstay=(Overstay(1.0, 600),), overstay_below=100))
    for minute, power in ((0, 5000.0), (10, 99.0), (20, 50.0)):
        tab = tab.read(Reading(T0 + minute * 60, minute, 0), power)
    assert tab.idle == T0 + 600
    assert tab.bill(T0 + 1201).overstay == 2 * EUR
    assert tab.read(Reading(T0 + 1260, 30, 0), -100.0).bill(T0 + 1300).overstay == 0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Tariff(taxes=(Tax("a", 1),) * 11),
        lambda: Tariff(services=(Extra("a", 1),) * 6),
        lambda: Tariff(overstay=(Overstay(1, start=5), Overstay(2, start=5))),
        lambda: Tariff(minimum=2, maximum=1),
        lambda: Tariff(parking_period=0),
        lambda: Tariff(parking_fee=math.nan),
        lambda: Tax("VAT", -1),
        lambda: Overstay(math.inf),
        lambda: Overstay(1, period=0),
        lambda: Extra("", 1),
    ],
)
def test_what_no_price_schedule_can_say_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"give|carries|start later|above the maximum"):
        wrong()  # type: ignore[operator]


# --- the running account ---


def test_prices_that_change_within_a_schedule_are_cut_where_they_change() -> None:
    """6 kWh an hour, evenly: 20 minutes at 0.30, 40 at 0.12; the price of the end holds on."""
    prices = Series.from_pairs([(T0, 0.30), (T0 + 1200, 0.12)], T0 + 1800)
    tab = Tab(T0).priced(prices, None, T0).read(Reading(T0, 100, 0), 0).read(Reading(T0 + 3600, 6100, 0), 6000)
    assert tab.bill(T0 + 3600).total == round((2 * 0.30 + 4 * 0.12) * EUR)


def test_a_new_schedule_changes_the_price_of_what_follows_only() -> None:
    tab = Tab(T0).priced(Series.constant(T0, 3600, 0.50), None, T0).read(Reading(T0, 0, 0), 0)
    tab = tab.read(Reading(T0 + 600, 1000, 0), 6000).priced(Series.constant(T0 + 900, 3600, 0.10), None, T0 + 600)
    assert tab.read(Reading(T0 + 1200, 3000, 0), 6000).bill(T0 + 1200).total == round(0.5 * EUR + 2 * 0.10 * EUR)


def test_prices_that_change_between_two_readings_divide_what_flowed() -> None:
    tab = Tab(T0).priced(Series.constant(T0, 3600, 0.50), None, T0).read(Reading(T0 + 600, 0, 0), 0)
    tab = tab.priced(Series.constant(T0 + 900, 3600, 0.10), None, T0 + 900).read(Reading(T0 + 1200, 2000, 0), 12_000)
    assert tab.bill(T0 + 1200).total == round(0.50 * EUR + 0.10 * EUR)


def test_readings_that_cannot_be_are_billed_to_nobody() -> None:
    tab = Tab(T0).priced(Series.constant(T0, 3600, 1.0), None, T0).read(Reading(T0, 5000, 0), 0)
    for reading in (Reading(T0 + 10, math.nan, 0), Reading(math.inf, 6000, 0), Reading(T0 + 10, 4000, 0), Reading(T0 - 5, 9000, 0)):
        after = tab.read(reading, 0)
        assert after.bill(T0 + 60).total == 0
    assert tab.read(Reading(T0 + 10, 4000, 0), 0).read(Reading(T0 + 20, 4500, 0), 0).bill(T0 + 20).total == round(0.5 * EUR)


def test_prices_hold_on_at_both_ends() -> None:
    prices = Series.from_pairs([(T0, 1.0), (T0 + 60, 2.0)], T0 + 120)
    assert in_force(prices, T0 - 30).sample([T0 - 30, T0 + 59, T0 + 60, T0 + 1e6]) == [1.0, 1.0, 2.0, 2.0]
    assert in_force(prices, T0 + 500).sample([T0 + 500, T0 + 1e6]) == [2.0, 2.0]


PRICE = st.integers(-32_000, 32_000).map(lambda n: n / 10_000)
PARTS = st.lists(st.tuples(st.integers(1, 5000), PRICE, PRICE), min_size=1, max_size=12)
FLOWS = st.lists(st.tuples(st.integers(1, 4000), st.integers(0, 20_000), st.integers(0, 20_000)), min_size=1, max_size=30)


@given(PARTS, FLOWS)
def test_the_running_account_is_the_ledger_of_the_same_readings(
    parts: list[tuple[int, float, float]], flows: list[tuple[int, int, int]]
) -> None:
    starts = [T0 + sum(length for length, _, _ in parts[:place]) for place in range(len(parts))]
    until = starts[-1] + parts[-1][0]
    buy, sell = (Series.from_pairs([(s, part[way]) for s, part in zip(starts, parts, strict=True)], until) for way in (1, 2))
    readings = [Reading(T0, 1000, 50)]
    for seconds, came, went in flows:
        last = readings[-1]
        readings.append(Reading(last.at + seconds, last.imported + came, last.exported + went))
    tab, ledger = Tab(T0).priced(buy, sell, T0), Ledger("EUR")
    for reading in readings:
        tab = tab.read(reading, 0.0)
    for entry in entries_between("s", readings, in_force(buy, T0), in_force(sell, T0)):
        ledger.append(entry)
    account = ledger.account()
    assert tab.bill(readings[-1].at).total == pytest.approx(account.net * EUR, abs=2 * len(ledger.entries))
    assert (tab.imported, tab.exported) == (pytest.approx(account.imported), pytest.approx(account.exported))


@given(PARTS, st.integers(1, 50))
def test_a_plan_that_is_followed_is_billed_what_it_said(parts: list[tuple[int, float, float]], kilowatts: int) -> None:
    """Taxes that are added count in the plan: what it says is what is owed."""
    starts = [T0 + sum(length for length, _, _ in parts[:place]) for place in range(len(parts))]
    prices = Series.from_pairs([(s, part[1]) for s, part in zip(starts, parts, strict=True)], starts[-1] + parts[-1][0])
    tariff = Tariff(taxes=(Tax("VAT", 19), Tax("levy", 3, included=True)))
    site = Site(import_prices=prices, export_prices=prices, tariff=tariff)
    needs = Needs(departure=prices.until, energy_maximum=1e6, charge_maximum=kilowatts * 1000.0)
    made = immediate(stay_of(needs, site, T0))
    tab, register = Tab(T0, tariff=tariff).priced(prices, None, T0).read(Reading(T0, 0, 0), 0), 0.0
    for start, end, power in made.power.spans():
        register += power * (end - start) / 3600
        tab = tab.read(Reading(end, register, 0), power)
    assert tab.bill(made.power.until).total == pytest.approx(made.cash * EUR, abs=3 * len(made.power.steps))
