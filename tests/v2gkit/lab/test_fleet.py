"""Many cars at once: batteries by their seed, addresses and ranges, percentiles, and a fleet at real stations."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from evcc.car import Wish
from evcc.config import Config
from evcc.scenario import Scenario, Step
from secc.backend import LocalBackend
from secc.bay import Place
from secc.outlet import Outlet
from secc.server import Station, surroundings
from secc.simulated import DC_LIMITS, SimulatedEVSE
from tests.integration.conftest import BRISK, go
from tests.starved import again
from v2g.energy.site import Site
from v2g.session.clock import Clock
from v2g.settings.strict import ConfigError
from v2gkit.lab.fleet import Answers, Fleet, addresses, members_of

CARS = Config(tls=False, wish=Wish(services=("DC",), authorizations=("EIM",), loops=5, bench_plain=True))


@contextlib.asynccontextmanager
async def stations(count: int) -> AsyncIterator[tuple[list[tuple[str, int]], Clock, list[SimulatedEVSE]]]:
    """Addresses of so many outlets in this process."""
    loop = asyncio.get_running_loop()
    clock = Clock(1_790_000_000.0, loop.time())
    outlet = Outlet(services=("DC",), limits=DC_LIMITS, authorizations=("EIM",))
    evses = [
        SimulatedEVSE(loop.time, lambda: clock.wall(loop.time()), asyncio.sleep, evse_id=f"DE*V2G*E{n}", limits=DC_LIMITS, physics=BRISK)
        for n in range(count)
    ]
    places = [Place(evse, outlet, LocalBackend(surroundings(clock), Site())) for evse in evses]
    async with Station(places, None, clock=clock) as station:
        yield list(station.addresses), clock, evses


async def driven(
    count: int, outlets: int, visit: str | Scenario = "charge", stop: bool = False, **given: Any
) -> tuple[dict[str, Any], Any]:
    async with stations(outlets) as (places, clock, evses):
        fleet = Fleet(members_of([CARS], count, places, clock, 7, visit), clock, **given)
        if stop:
            asyncio.get_running_loop().call_later(1.0, fleet.stop, "the test asked")
        return await fleet.drive(), evses


@again
def test_a_fleet_charges_and_is_counted() -> None:
    said, evses = go(driven(6, 6, spread=0.5))
    assert said["ok"], said["reasons"]
    assert (said["fleet"], said["well"], said["failed"], said["loops"]) == (6, 6, 0, 30)
    assert said["loops"] == sum(car["loops"] for car in said["cars"])
    assert said["energy_charged"] == pytest.approx(sum(car["energy_charged"] for car in said["cars"]), abs=0.5)
    assert said["answers"] > 6 * 15
    assert 0 < said["p50_ms"] <= said["p99_ms"] <= said["longest_ms"]
    assert len({car["soc_start"] for car in said["cars"]}) == 6  # each has a battery of its own
    assert not any(evse.closed for evse in evses)


@again
def test_two_cars_at_one_outlet_are_a_failure_that_is_told() -> None:
    said, _ = go(driven(2, 1))
    assert not said["ok"]
    assert said["well"] + said["failed"] == 2
    assert sum(said["reasons"].values()) == said["failed"] >= 1


@again
def test_a_fleet_that_is_told_to_leave_does_and_those_to_come_stay_away() -> None:
    said, evses = go(driven(4, 4, spread=2_000.0, stop=True))
    assert said["seconds"] < 200
    assert sum(car["sessions"] > 0 and car["evse_id"] is not None for car in said["cars"]) == 1
    assert not any(evse.closed for evse in evses)


@again
def test_every_car_plays_the_scenario_and_is_judged() -> None:
    well = Scenario((Step("wrong-session", "after 2 loops", expect="refused", expect_code="FAILED_UnknownSession"),))
    ill = Scenario((Step("wrong-session", "after 2 loops", expect="silent"),))
    assert go(driven(3, 3, well))[0]["ok"]
    said, _ = go(driven(3, 3, ill))
    assert (said["ok"], said["failed"]) == (False, 3)


def test_a_seed_makes_the_same_batteries_again() -> None:
    def batteries(seed: int) -> list[tuple[float, float]]:
        members = members_of([CARS], 5, [("::1", 1)], Clock(0.0), seed, "charge")
        return [(member.visit.car.ev.battery.capacity, member.visit.car.ev.soc) for member in members]

    assert batteries(3) == batteries(3) != batteries(4)
    assert len(set(batteries(3))) == 5


def test_addresses_and_ranges_of_them() -> None:
    assert addresses(["[::1]:20000-20002", "station:5"]) == [("::1", 20_000), ("::1", 20_001), ("::1", 20_002), ("station", 5)]
    for wrong in ("station", "station:9-3", "station:1-x", ":5"):
        with pytest.raises(ConfigError):
            addresses([wrong])


@pytest.mark.parametrize("count", [0, 5_001])
def test_a_fleet_has_its_limit(count: int) -> None:
    with pytest.raises(ConfigError, match="5000"):
        members_of([CARS], count, [("::1", 1)], Clock(0.0), 0, "charge")


def test_a_percentile_is_right_to_two_percent() -> None:
    answers, dice = Answers(), random.Random(1)
    times = sorted(dice.lognormvariate(-5, 1) for _ in range(5_000))
    for time in times:
        answers.add(time)
    for share in (0.5, 0.99):
        assert answers.within(share) == pytest.approx(times[int(share * 5_000) - 1], rel=0.021)
    assert answers.within(1.0) == times[-1]
    assert Answers().within(0.5) is None


def test_cars_of_one_configuration_stay_apart() -> None:
    members = members_of([replace(CARS, soc=50.0)], 2, [("::1", 1)], Clock(0.0), 1, "charge")
    assert members[0].visit.car is not members[1].visit.car
    assert all(40.0 <= member.visit.car.ev.soc <= 50.0 for member in members)
