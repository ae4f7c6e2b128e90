"""Stations keep together to limits from outside: parts, the order in which they are told, and what becomes of a car's profile."""

import asyncio
import math
import struct
from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp_bridge.wire.link import CallFailed
from tests.free_ports import free_port
from tests.ocpp_bridge.ocpp_stand import NEEDS, Stand, stand
from v2g.energy.site import Site
from v2gkit.cli import csms as csms_command
from v2gkit.csms.bounds import CLOSED, FREE, Bounds, parts
from v2gkit.csms.heeding import Heeding
from v2gkit.csms.server import Csms
from v2gkit.csms.stations import Station
from v2gkit.csms.steering import Strategy

NAMES = ("a", "b", "c", "d")


@given(st.integers(0, 100_000), st.dictionaries(st.sampled_from(NAMES), st.integers(0, 50_000).map(float)), st.sets(st.sampled_from(NAMES)))
def test_parts_never_exceed_the_cap_by_more_than_what_those_out_of_reach_hold(cap: int, told: dict[str, float], reached: set[str]) -> None:
    part = parts(cap, told, reached)
    kept = sum(power for name, power in told.items() if name not in reached)
    assert part >= 0
    assert part * len(reached) + kept <= max(cap, kept) + 1e-6


def test_bounds_bind_a_strategy() -> None:
    priced = Strategy("prices", site=Site(import_limit=9_000.0, export_limit=5_000.0))
    assert FREE.bind(priced) is priced
    bound = Bounds(4_000.0, 8_000.0).bind(priced)
    assert (bound.kind, bound.site.import_limit, bound.site.export_limit) == ("prices", 4_000, 5_000)
    assert Bounds(4_000.0, 2_000.0).bind(priced).site.export_limit == 2_000
    led = Bounds(4_000.0, 3_000.0, -10_000.0).bind(priced)
    assert (led.kind, led.setpoint) == ("setpoint", -3_000)
    assert Bounds(4_000.0).bind(Strategy("setpoint", setpoint=7_000.0)).setpoint == 4_000
    assert Bounds(0.0).bind(Strategy("none")) == Strategy("none")
    assert CLOSED.bind(led).setpoint == 0
    assert Bounds(9_000.0, 6_000.0, -3_000.0).part(3) == Bounds(3_000.0, 2_000.0, -1_000.0)


class Played(Csms):
    """A CSMS whose stations are lists: it notes what they hold, and whether all together ever hold more than the cap."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(Strategy("none"), wall=lambda: 1_000_000.0)
        self.held = dict.fromkeys(names, math.inf)
        self.deaf: set[str] = set()
        self.sums: list[float] = []
        for name in names:
            self.stations[name] = Station(name, link=object(), status="Accepted")  # type: ignore[arg-type]

    async def call(self, station: str, action: str, payload: dict[str, Any], timeout: float = 30.0) -> dict[str, Any]:  # noqa: ASYNC109
        await asyncio.sleep(0)
        if station in self.deaf:
            raise CallFailed(action, "Timeout", "no answer")
        if action == "ClearChargingProfile":
            self.held[station] = math.inf
        else:
            self.held[station] = payload["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"]
        self.sums.append(sum(self.held.values()))
        return {"status": "Accepted"}


async def settled(heeding: Heeding) -> bool:
    return await heeding._apply()


def test_parts_that_fall_are_told_before_any_rises_and_who_is_deaf_costs_the_others() -> None:
    async def tried() -> None:
        csms = Played(("a", "b", "c"))
        heeding = Heeding(csms)
        heeding.heed(Bounds(30_000.0))
        assert await settled(heeding)
        assert csms.held == {"a": 10_000, "b": 10_000, "c": 10_000}
        csms.sums.clear()
        csms.stations["c"].link = None  # it has gone, with its 10 kW
        heeding.heed(Bounds(24_000.0))
        assert await settled(heeding)
        assert csms.held == {"a": 7_000, "b": 7_000, "c": 10_000}
        csms.deaf.add("b")
        heeding.heed(Bounds(20_000.0))
        assert not await settled(heeding)  # told 5 kW, and did not take it: it holds 7, so that 3 are left to the other
        assert csms.held == {"a": 3_000, "b": 7_000, "c": 10_000}
        assert not await settled(heeding)
        assert csms.held == {"a": 3_000, "b": 7_000, "c": 10_000}
        csms.deaf.clear()
        csms.stations["c"].link = object()  # type: ignore[assignment]
        csms.sums.clear()
        assert await settled(heeding)
        assert csms.held == dict.fromkeys("abc", 6_666)
        assert max(csms.sums) <= 20_000
        heeding.heed(FREE)
        assert await settled(heeding)
        assert set(csms.held.values()) == {math.inf}

    asyncio.run(tried())


@asynccontextmanager
async def heeded(strategy: Strategy) -> AsyncIterator[tuple[Stand, Heeding]]:
    csms = Csms(strategy)
    heeding = Heeding(csms)
    with csms.heard_by(heeding.hear):
        async with stand(csms) as s:
            task = asyncio.create_task(heeding.run())
            try:
                yield s, heeding
            finally:
                task.cancel()
                await asyncio.wait([task])


@pytest.mark.parametrize("strategy", [Strategy("prices"), Strategy("setpoint", setpoint=9_000.0)], ids=lambda each: each.kind)
def test_a_station_and_its_car_follow_limits_that_come_and_go(strategy: Strategy) -> None:
    """On a real link: the limit is a ChargingStationMaxProfile, a setpoint a dynamic TxProfile, and each is taken back."""

    async def tried() -> None:
        async with heeded(strategy) as (s, heeding):
            heeding.heed(Bounds(6_000.0, 2_000.0))
            profiles: Callable[[str], list[Any]] = lambda purpose: [  # noqa: E731
                call["chargingProfile"]
                for call in s.frames.calls("SetChargingProfile", "in")
                if call["chargingProfile"]["chargingProfilePurpose"] == purpose
            ]
            await s.until(lambda: profiles("ChargingStationMaxProfile"))
            assert profiles("ChargingStationMaxProfile")[-1]["chargingSchedule"][0]["chargingSchedulePeriod"] == [
                {"startPeriod": 0, "limit": 6_000.0}
            ]
            s.arrive(control="Dynamic")
            s.pnc()
            s.ask(NEEDS)

            def powers() -> list[float]:
                periods = [each for made in profiles("TxProfile")[-1:] for each in made["chargingSchedule"][0]["chargingSchedulePeriod"]]
                return [each["setpoint"] for each in periods if "setpoint" in each]

            await s.until(lambda: powers() and all(-2_000 <= power <= 6_000 for power in powers()))
            heeding.heed(Bounds(6_000.0, 2_000.0, -1_500.0))
            await s.until(lambda: powers() == [-1_500])
            heeding.heed(FREE)
            await s.until(lambda: s.frames.calls("ClearChargingProfile", "in"))
            await s.until(lambda: powers() and max(powers()) > 6_000)

    asyncio.run(tried())


def test_the_command_leads_its_stations_by_a_file_of_sources(tmp_path: Path) -> None:
    """While the box of the grid operator is away its fallback is the station's limit; once it is there, what it says."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while question := await reader.read(512):
            writer.write(question[:4] + struct.pack(">HBBBh", 5, question[6], 3, 2, 7_000))
        writer.close()

    async def tried() -> None:
        port = free_port()
        text = f'[[modbus]]\nname = "box"\nrole = "signal"\naddress = "127.0.0.1:{port}"\nfallback_import = 4200\nevery = 0.05\n'
        (tmp_path / "grid.toml").write_text(f'{text}[[modbus.register]]\nreads = "import_cap"\nat = 0\n')
        told: list[str] = []
        csms = Csms(Strategy("none"), say=lambda entry: told.append(entry.text))
        async with csms_command._heeding(Namespace(grid=tmp_path / "grid.toml", nats=None), csms), stand(csms) as s:

            def limits() -> list[float]:
                made = [call["chargingProfile"]["chargingSchedule"][0] for call in s.frames.calls("SetChargingProfile", "in")]
                return [each["chargingSchedulePeriod"][0]["limit"] for each in made]

            await s.until(lambda: limits() == [4_200])
            async with await asyncio.start_server(answer, "127.0.0.1", port):
                await s.until(lambda: limits()[-1] == 7_000)
        assert "holds: import at most 7.00 kW by box:import cap; export free" in told
        assert [text for text in told if text.startswith("unreachable: box: ")]

    asyncio.run(tried())
    with pytest.raises(ValueError, match="leave one of them"):
        asyncio.run(csms_command._heeding(Namespace(grid=tmp_path, nats="nats://x"), Csms()).__aenter__())
