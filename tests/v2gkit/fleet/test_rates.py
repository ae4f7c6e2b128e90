"""Price files of tariffs: plans move into the cheap hours, books know what energy cost, and a later process as much as the one before."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tests.starved import HANG
from tests.v2gkit.fleet.depot import written
from tests.v2gkit.fleet.played import Stage
from tests.v2gkit.fleet.test_plans import NOW, Here, energy, planned, task
from tests.v2gkit.fleet.test_settlement import readings
from v2g.energy.ledger.books import balances, verify
from v2gkit.fleet import declared, settlement
from v2gkit.fleet.declared import Fee, Fleet, Tariff
from v2gkit.fleet.plans.planner import Planner
from v2gkit.fleet.plans.task import Task, solved
from v2gkit.fleet.pricing import Pricing
from v2gkit.fleet.rates import Rate, rates_of, within
from v2gkit.fleet.store import books
from v2gkit.fleet.store.sql import SqlStore, file_url
from v2gkit.sql.words import Row

HOUR = 3_600.0
SPOT = Tariff("spot", "metro", "spot.csv")
CHEAP = NOW + 2 * HOUR, NOW + 4 * HOUR


def with_rates(octets: bytes, *rates: Rate, give: float = 0.0) -> bytes:
    known = msgspec.json.decode(octets, type=Task)
    return msgspec.json.encode(msgspec.structs.replace(known, rates=rates, site=replace(known.site, export_limit=give)))


def hourly(cheap: tuple[float, float] = CHEAP, low: float = 0.05, high: float = 0.40, hours: int = 24) -> str:
    """A CSV of dated hours from `NOW` on: what is drawn costs less in some, what is given earns 0.02 less than that."""
    lines = ["# currency: EUR", "start,import_price,export_price"]
    for number in range(hours):
        price = low if cheap[0] <= NOW + number * HOUR < cheap[1] else high
        lines.append(f"{NOW + number * HOUR:.0f},{price},{price - 0.02:.2f}")
    return "\n".join(lines) + "\n"


# --- files ---


def test_times_of_day_are_set_by_the_clocks_of_the_zone_and_fees_come_on_top() -> None:
    tariff = replace(SPOT, zone="Europe/Berlin", fee=0.1, tax=20.0, export_fee=0.03)
    rates = rates_of(tariff, b"start,import_price,export_price\n00:00,0.3,0.2\n18:00,0.5,0.4\n", "EUR", NOW, ZoneInfo("Europe/Berlin"))
    evening = datetime(2027, 1, 15, 17, tzinfo=UTC).timestamp()  # 18:00 there
    (one,) = [each for each in rates if each[0] == evening]
    assert one[2:] == pytest.approx((0.72, 0.37))


def test_a_network_takes_what_its_bands_say_on_the_days_that_they_name() -> None:
    """By the clocks of the zone, before tax, on what is drawn; the first band that fits holds."""
    bands = Fee(0.2, 17.0, 20.0, (0, 1, 2, 3, 4)), Fee(0.05, 16.0, 22.0)
    tariff = replace(SPOT, fee=0.1, tax=10.0, export_fee=0.03, band=bands)
    rates = rates_of(tariff, b"start,import_price,export_price\n00:00,0.3,0.2\n", "EUR", NOW, ZoneInfo("Europe/Berlin"))

    def at(*hour: int) -> tuple[float, float]:
        local = datetime(*hour, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
        ((_, _, buys, sells),) = within(rates, local, local + 1.0)
        return buys, sells

    friday = (2027, 1, 15)
    assert at(*friday, 17) == pytest.approx((1.1 * 0.6, 0.17))
    assert at(*friday, 20) == pytest.approx((1.1 * 0.45, 0.17))
    assert at(*friday, 22) == pytest.approx((1.1 * 0.4, 0.17))
    assert at(2027, 1, 16, 17) == pytest.approx((1.1 * 0.45, 0.17))  # a Saturday
    with pytest.raises(ValueError, match="quarter hours"):
        Fee(0.1, 17.1)
    assert rates[-1][1] - rates[0][0] == 3 * 86_400


def test_documents_of_markets_are_read_as_elsewhere() -> None:
    rows = [{"start_timestamp": (NOW + n * HOUR) * 1e3, "end_timestamp": (NOW + n * HOUR + HOUR) * 1e3} for n in range(3)]
    said = {"object": "list", "data": [row | {"marketprice": 80.0 + n, "unit": "Eur/MWh"} for n, row in enumerate(rows)]}
    rates = rates_of(SPOT, json.dumps(said).encode(), "EUR", NOW, UTC)
    assert [each[2] for each in rates] == pytest.approx([0.080, 0.081, 0.082])


@pytest.mark.parametrize(
    ("octets", "currency", "said"),
    [(b"start,import_price\n", "EUR", "export_price"), (hourly().encode(), "GBP", "GBP"), (b"", "EUR", "no rows")],
)
def test_a_file_that_is_none_is_refused_with_its_cure(octets: bytes, currency: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rates_of(SPOT, octets, currency, NOW, UTC)


@pytest.mark.parametrize(
    ("tariffs", "said"),
    [
        ((SPOT, replace(SPOT, id="other")), "both for all sites of 'metro'"),
        ((replace(SPOT, sites=("depot",)), replace(SPOT, id="other", sites=("depot",))), "both for the site 'depot'"),
        ((replace(SPOT, sites=("lot",)),), "has no site 'lot'"),
        ((replace(SPOT, tenant="nobody"),), "tenant 'nobody'"),
    ],
)
def test_a_site_has_one_tariff_and_its_own_tenants(tariffs: tuple[Tariff, ...], said: str, tmp_path: Path) -> None:
    fleet = declared.read(written(tmp_path))
    with pytest.raises(ValueError, match=said):
        replace(fleet, tariff=tariffs)
    both = replace(fleet, tariff=(SPOT, replace(SPOT, id="own", sites=("depot",)), Tariff("s", "shop", "s.csv")))
    assert {site: each.id for site, each in both.tariffs.items()} == {"depot": "own", "lot": "s"}
    assert [each.id for each in both.only("metro").tariff] == ["spot", "own"]


def test_the_command_checks_the_file(tmp_path: Path) -> None:
    file = written(tmp_path)
    file.write_text(file.read_text() + '[[tariff]]\nid = "spot"\ntenant = "metro"\nprices = "spot.csv"\nzone = "Europe/Berlin"\n')
    (tmp_path / "spot.csv").write_text(hourly())
    command = [sys.executable, "-m", "v2gkit", "fleet", str(file), "--check"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=HANG)
    assert said.returncode == 0
    assert "spot: 0.05 to 0.4 EUR/kWh, known until 2027-01-16" in said.stdout
    (tmp_path / "spot.csv").write_text("nothing")
    said = subprocess.run(command, capture_output=True, text=True, timeout=HANG)
    assert said.returncode == 2
    assert "spot.csv" in said.stderr


# --- plans ---


def test_a_plan_moves_into_the_cheap_hours() -> None:
    rates = rates_of(SPOT, hourly().encode(), "EUR", NOW, UTC)
    plan = planned(solved(with_rates(task(cars=2), *rates)))
    assert not plan.missing
    before = sum(energy(plan, asset, CHEAP[0]) for asset in plan.powers)
    whole = sum(energy(plan, asset) for asset in plan.powers)
    assert before == pytest.approx(0.0, abs=1.0)
    assert plan.cost == pytest.approx(whole / 1000.0 * 0.05)
    assert [each[2] for each in plan.rates] == [0.40, 0.40, 0.05, 0.05]


def test_hours_that_nobody_knows_yet_are_those_of_the_day_before() -> None:
    yesterday = tuple(
        (start - 86_400.0, end - 86_400.0, buy, sell) for start, end, buy, sell in rates_of(SPOT, hourly().encode(), "EUR", NOW, UTC)
    )
    plan = planned(solved(with_rates(task(cars=2), *yesterday)))
    assert sum(energy(plan, asset, CHEAP[0]) for asset in plan.powers) == pytest.approx(0.0, abs=1.0)
    assert plan.rates == ()  # none of them is known


def test_who_may_give_earns_where_prices_are_apart() -> None:
    rates = rates_of(SPOT, hourly(low=0.02, high=0.60).encode(), "EUR", NOW, UTC)
    able = task(cars=1, missing=1_000.0, give=11_000.0, spare=10_000.0)
    plan = planned(solved(with_rates(able, *rates, give=11_000.0)))
    assert sum(energy(plan, asset, CHEAP[0]) for asset in plan.powers) < -5_000.0
    assert plan.cost < 0
    flat = planned(solved(with_rates(able, give=11_000.0)))
    assert min(power for _, _, power in flat.powers["c0"]) >= 0.0


def priced(folder: Path, **more: Any) -> tuple[Stage, Planner, Pricing, Fleet]:
    """A stage whose depot is priced by a file."""
    stage = Stage(folder, **more)
    fleet = replace(stage.conductor.fleet, tariff=(SPOT,))
    planners: list[Planner] = []
    pricing = Pricing(fleet, folder, stage.store, lambda: stage.now, lambda sites: [each.renew(sites) for each in planners] and None)
    planners.append(Planner(stage.conductor, Here(), lambda: stage.now, pricing.ahead))
    return stage, planners[0], pricing, fleet


def test_a_site_charges_when_its_file_says_cheap_and_anew_when_that_changes(tmp_path: Path) -> None:
    async def scene() -> None:
        file = tmp_path / "spot.csv"
        file.write_text(hourly())
        stage, planner, pricing, _ = priced(tmp_path)
        await pricing.begin()
        stage.cars("bus2", missing=11_000.0, departure=NOW + 8 * HOUR)
        await planner.round(planner.unplanned())
        await stage.settle()
        assert stage.yard.holds["bus2"] == 0
        assert planner.unplanned() == []
        file.write_text(hourly((NOW, NOW + 2 * HOUR), low=0.01))  # now is cheap
        os.utime(file, ns=(1, 1))
        await pricing.look()
        assert planner.unplanned() == ["depot"]
        await planner.round(planner.unplanned())
        await stage.settle()
        assert stage.yard.holds["bus2"] > 0
        assert planner.unplanned() == []
        file.write_text("start,import_price\n")
        await pricing.look()
        assert planner.unplanned() == []  # what it said before stands
        assert pricing.ahead("depot", stage.now)[0][2] == 0.01
        assert pricing.ahead("lot", stage.now) == ()
        stage.store.close()

    asyncio.run(scene())


def test_a_later_process_knows_prices_whose_file_is_gone(tmp_path: Path) -> None:
    async def scene() -> None:
        (tmp_path / "spot.csv").write_text(hourly())
        stage, _, pricing, _ = priced(tmp_path)
        await pricing.begin()
        before = pricing.ahead("depot", NOW)
        stage.store.close()
        (tmp_path / "spot.csv").unlink()
        later, planner, other, _ = priced(tmp_path)
        await other.begin()
        assert other.ahead("depot", NOW) == before
        later.cars("bus2", missing=11_000.0, departure=NOW + 8 * HOUR)
        await planner.round()
        await later.settle()
        assert later.yard.holds["bus2"] == 0
        later.store.close()
        empty, _, third, _ = priced(tmp_path / "new")
        with pytest.raises(ValueError, match="spot"):
            await third.begin()
        empty.store.close()

    asyncio.run(scene())


# --- books ---


def test_books_have_what_energy_cost_when_it_flowed_whatever_the_file_says_later(tmp_path: Path) -> None:
    async def scene() -> None:
        (tmp_path / "spot.csv").write_text(hourly())
        stage, _, pricing, fleet = priced(tmp_path)
        await pricing.begin()
        mine = {"tenant": "metro", "asset": "bus0"}
        found = [each for each in readings(NOW + 3 * HOUR) if each.at % 60 == 0]
        rows = [Row("registers", mine | {"session": "s", "at": each.at, "imported": each.imported, "exported": 0.0}) for each in found]
        rows.append(Row("sessions", mine | {"id": "s", "contract": "buses", "began": NOW, "ended": NOW + 3 * HOUR}))
        await stage.store.keep(rows)
        assert await settlement.run(stage.store, fleet, "metro", NOW + 4 * HOUR)
        made = await stage.store.read(lambda connection: list(books.transactions(connection, "metro")))
        assert verify(made) == len(made)
        metered = {at: each.imported for at, each in ((each.at, each) for each in found)}
        hours = [(metered[NOW + (n + 1) * HOUR] - metered[NOW + n * HOUR]) / 1_000.0 for n in range(3)]
        cost = 0.40 * (hours[0] + hours[1]) + 0.05 * hours[2]
        assert abs(balances(made)["site:supply", "EUR"]) == pytest.approx(cost * 1e6, abs=50)
        assert {rest.about for each in made for rest in each.bases if rest.kind == "price"} == {"spot"}
        stage.now = NOW + 5 * HOUR
        later = "\n".join(hourly(high=9.0).splitlines()[:2] + hourly(high=9.0).splitlines()[7:])  # hours to come alone
        (tmp_path / "spot.csv").write_text(later)
        await pricing.look()
        assert await settlement.run(stage.store, fleet, "metro", NOW + 5 * HOUR, again=True) == 0
        stage.store.close()

    asyncio.run(scene())


def test_a_store_cuts_what_is_told_in_other_steps(tmp_path: Path) -> None:
    from v2gkit.fleet.store import rates as kept

    async def scene() -> None:
        store = SqlStore(file_url(tmp_path))
        hour, quarters = (
            [(0.0, HOUR, 1.0, 1.0), (HOUR, 2 * HOUR, 2.0, 2.0)],
            [(1_800.0 + 900.0 * n, 2_700.0 + 900.0 * n, 3.0, 3.0) for n in range(2)],
        )
        for rates in (hour, quarters):
            await store.work(lambda connection, rates=rates: kept.keep(connection, "t", "x", rates))  # type: ignore[misc]
        found = await store.read(lambda connection: kept.known(connection, "t", "x", 0.0, 1e9))
        assert found == ((0.0, 1_800.0, 1.0, 1.0), *quarters, (HOUR, 2 * HOUR, 2.0, 2.0))
        await store.work(lambda connection: kept.keep(connection, "t", "x", hour))
        assert await store.read(lambda connection: kept.known(connection, "t", "x", 0.0, 1e9)) == tuple(hour)
        store.close()

    asyncio.run(scene())
