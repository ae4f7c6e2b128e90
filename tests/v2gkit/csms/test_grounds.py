"""Stations of a CSMS that share a connection, over sockets: their cars' profiles keep its limits together, and nobody is forgotten."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from secc.station import Authorized, ScheduleReady
from tests.ocpp_bridge.ocpp_stand import NEEDS, WALL, Stand, stand
from v2g.energy.fleet.shares import Contract, Tenant
from v2g.energy.market.hours import OffPeak, Peak
from v2g.energy.needs import Needs
from v2g.energy.prices import parse_prices
from v2g.energy.series import Series
from v2g.settings.strict import ConfigError
from v2gkit.csms.console import answer
from v2gkit.csms.grounds import Grounds, GroundsConfig, OutletPlace, read_grounds
from v2gkit.csms.planned import points_of
from v2gkit.csms.server import Csms
from v2gkit.csms.setup import shared
from v2gkit.csms.stations import Station, Transaction
from v2gkit.csms.steering import Strategy
from v2gkit.wall import LOCAL

HOUR = 3600.0
PRICES = parse_prices("start,import_price,export_price\n00:00,0.1,0.08\n06:00,0.3,0.25\n20:00,0.2,0.15\n")


@asynccontextmanager
async def stations(count: int, config: GroundsConfig) -> AsyncIterator[tuple[Csms, list[Stand]]]:
    """A CSMS whose stations share a connection, each with one outlet."""
    started = time.monotonic()
    csms = Csms(Strategy("prices", PRICES), wall=lambda: WALL + time.monotonic() - started)
    csms.share(config)
    server = await csms.serve()
    port = next(iter(server.sockets)).getsockname()[1]
    async with AsyncExitStack() as stack:
        stands = [
            await stack.enter_async_context(stand(None, port=port, endpoint={"station_id": f"CS-{number}"}))
            for number in range(1, count + 1)
        ]
        yield csms, stands
    await csms.tasks.close()
    server.close()
    await server.wait_closed()


async def arrives(s: Stand, needs: Needs, control: str = "Scheduled", emaid: str = "DE8AA1A2B3C4D5") -> Series:
    """A car comes and gets its schedule: W, signed."""
    s.arrive(control=control)
    s.pnc(emaid=emaid)
    await s.fact(Authorized)
    s.ask(needs)
    offer = (await s.fact(ScheduleReady)).offer
    s.choose(offer, 1 if control == "Scheduled" else None)
    return offer.tuples[0].power


def sent(csms: Csms) -> list[Series]:
    """What the running transactions were sent last."""
    found = []
    for station in csms.stations.values():
        tx = station.running()
        if tx is not None and tx.profile is not None:
            points = points_of(tx.profile["chargingSchedule"][0], WALL)
            found.append(Series.from_pairs(points[:-1], points[-1][0]))
    return found


def peak(flows: Sequence[Series]) -> tuple[float, float]:
    """The most and the least (W) of a sum, from a minute on."""
    edges = sorted({edge for flow in flows for edge in flow.edges()} | {WALL + 60})
    sums = [sum(flow.at((a + b) / 2) or 0.0 for flow in flows) for a, b in itertools.pairwise(edges) if a >= WALL + 60]
    return max(sums), min(sums)


def test_profiles_of_three_stations_keep_the_limits_of_their_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """At no moment do the profiles that were told ask for more than there is, whoever is told next."""
    told, peaks = Grounds._told, list[float]()

    async def watched(self: Grounds, member: Any, offer: Any, site: Any) -> bool:
        taken = await told(self, member, offer, site)
        flows = [each.sent for each in self.members.values() if each.sent is not None]
        peaks.append(peak(flows)[0])
        return taken

    monkeypatch.setattr(Grounds, "_told", watched)

    async def scene() -> None:
        config = GroundsConfig(import_limit=15_000.0, export_limit=9_000.0, base_load=1_000.0)
        async with stations(3, config) as (csms, stands):
            for number, s in enumerate(stands):
                control = "Dynamic" if number == 1 else "Scheduled"
                await arrives(s, replace(NEEDS, departure=WALL + (8 + number) * HOUR, max_points=24), control)
            assert csms.grounds is not None
            await stands[0].until(lambda: len(sent(csms)) == 3 and not any(m.asks for m in csms.grounds.members.values()))  # type: ignore[union-attr]
            await stands[0].until(lambda: peak(sent(csms))[1] >= -10_000.0 - 1.0)  # what is given serves the load first
            assert 10_000.0 < peak(sent(csms))[0] <= 14_000.0 + 1.0
            assert len(peaks) >= 3
            assert max(peaks) <= 14_000.0 + 1.0
            # a limit is told: every car gets less
            csms.grounds.limit(6_000.0)
            await stands[0].until(lambda: peak(sent(csms))[0] <= 5_000.0 + 1.0)
            csms.grounds.limit(None)
            # one leaves: its power is the others'
            stands[0].leave()
            await stands[0].until(lambda: len(csms.grounds.members) == 2)  # type: ignore[union-attr]
            await stands[1].until(lambda: sum(flow.integral() for flow in sent(csms)) > 50_000.0)

    asyncio.run(asyncio.wait_for(scene(), 300))


def test_a_car_that_tells_no_needs_is_bounded_by_a_default_profile() -> None:
    async def scene() -> None:
        async with stations(1, GroundsConfig(import_limit=11_000.0, unplanned=3_700.0)) as (_, (s,)):
            await s.until(lambda: s.frames.calls("SetChargingProfile", "in"))
            (profile,) = [call["chargingProfile"] for call in s.frames.calls("SetChargingProfile", "in")]
            assert profile["chargingProfilePurpose"] == "TxDefaultProfile"
            assert profile["chargingSchedule"][0]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 3_700.0}]
            await s.until(lambda: [f for way, f in s.frames.log if way == "out" and f[0] == 3 and f[2] == {"status": "Accepted"}])

    asyncio.run(asyncio.wait_for(scene(), 300))


def test_a_station_that_does_not_take_less_is_planned_around() -> None:
    async def scene() -> None:
        async with stations(2, GroundsConfig(import_limit=11_000.0)) as (csms, stands):
            wants = replace(NEEDS, departure=WALL + 4 * HOUR, bidirectional=False, discharge_maximum=0.0, energy_target=36_000.0)
            first = await arrives(stands[0], wants)
            assert csms.grounds is not None
            takes = csms.grounds._send

            async def send(station: Station, tx: Transaction, profile: dict[str, Any]) -> bool:
                return station.id != "CS-1" and await takes(station, tx, profile)

            csms.grounds._send = send
            second = await arrives(stands[1], wants)
            assert peak([first, second])[0] <= 11_000.0 + 1.0
            assert csms.grounds.members[f"CS-1 {csms.stations['CS-1'].running().id}"].stuck  # type: ignore[union-attr]

    asyncio.run(asyncio.wait_for(scene(), 300))


def test_tenants_and_contracts_of_a_csms_decide_who_draws() -> None:
    """The first car has all of what there is; the second, whose contract has a share, gets that of it, and the first another profile."""

    async def scene() -> None:
        shares = (Tenant("acme", share=0.5),), (Contract("DE8AA", rank=3, tenant="acme"),)
        config = GroundsConfig(import_limit=11_000.0, tenant=shares[0], contract=shares[1])
        async with stations(2, config) as (csms, stands):
            wants = replace(NEEDS, departure=WALL + 4 * HOUR, bidirectional=False, discharge_maximum=0.0, energy_target=60_000.0)
            assert csms.grounds is not None
            await arrives(stands[0], wants, emaid="GB7XYZ12345678")
            whole = sum(flow.integral() for flow in sent(csms))
            second = await arrives(stands[1], wants)
            assert second.integral() > 0.45 * whole
            assert peak(sent(csms))[0] <= 11_000.0 + 1.0
            parties = [csms.grounds._party(member, WALL).guest for member in csms.grounds.members.values()]
            assert [(guest.rank, guest.tenant) for guest in parties] == [(0, ""), (3, "acme")]

    asyncio.run(asyncio.wait_for(scene(), 300))


def test_default_hours_of_a_csms_keep_the_peak_free_until_they_are_overridden() -> None:
    async def scene() -> None:
        begin = datetime.fromtimestamp(WALL, LOCAL)
        peak_ends = (WALL // 900 + 4) * 900.0
        end = begin + timedelta(seconds=peak_ends - WALL)
        hours = Peak(0.0, end.hour + end.minute / 60, tuple(range(7)))
        config = GroundsConfig(import_limit=11_000.0, off_peak=OffPeak(peak=(hours,), delay=600))
        async with stations(1, config) as (csms, stands):
            wants = replace(NEEDS, departure=WALL + 2 * HOUR, bidirectional=False, discharge_maximum=0.0, energy_target=18_000.0)
            power = await arrives(stands[0], wants)
            starts = next(start for start, _, value in power.spans() if value > 0)
            assert peak_ends <= starts <= peak_ends + 600.0 + 900.0
            assert csms.grounds is not None
            assert await answer(csms, ["override", "CS-1"]) == {"overridden": 1}
            (member,) = csms.grounds.members.values()
            await stands[0].until(lambda: any(v > 0 and start < peak_ends for start, _, v in (member.sent or Series(0.0)).spans()))

    asyncio.run(asyncio.wait_for(scene(), 300))


def test_outlets_are_where_the_file_says_and_others_are_none_of_it(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(
        'import_limit = 40000\n[[feeder]]\nname = "F1"\n[[outlet]]\nstation = "CS-1"\nevse = 2\nfeeder = "F1"\nphases = [1]\n'
        '[[outlet]]\nstation = "CS-1"\nrank = 1\n'
    )
    csms = Csms(Strategy("prices", PRICES))
    grounds = csms.share(shared(file, "prices"))
    assert grounds.place("CS-1", 2) == OutletPlace("CS-1", 2, "F1", (1,))
    assert grounds.place("CS-1", 1) == OutletPlace("CS-1", rank=1)
    assert grounds.place("CS-2", 1) is None
    assert Csms(Strategy("prices", PRICES)).share(GroundsConfig()).place("CS-9", 1) == OutletPlace("CS-9")
    with pytest.raises(ValueError, match="not by the strategy none"):
        shared(file, "none")
    with pytest.raises(ValueError, match="No such file"):
        shared(tmp_path / "none.toml", "prices")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[outlet]]\nstation = "A"\nfeeder = "F7"', "at the feeder 'F7'; there are grid"),
        ('[[feeder]]\nname = "F1"\nmetered = true', "'F1' is metered"),
        ("import_limit = -1", "import_cap of grid is -1"),
        ("metered = true", "metered"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "site.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_grounds(file)


def test_what_a_car_draws_that_nobody_plans_for_is_a_load() -> None:
    csms = Csms(Strategy("prices", PRICES), wall=lambda: WALL)
    grounds = csms.share(GroundsConfig(import_limit=20_000.0, unplanned=3_000.0))
    station = csms.stations["CS-1"] = Station("CS-1")
    station.transaction("t1").power = 7_400.0
    station.transaction("t2")
    load = grounds.ground(WALL).connection.load
    assert load is not None
    assert load.at(WALL) == 10_400.0
