"""Several processes of a CSMS with one bus and one store: a station has one of them, and is reached from each."""

import asyncio
import contextlib
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.ocpp_bridge.ocpp_stand import stand
from tests.ocpp_bridge.test_live import Process
from tests.starved import again
from tests.v2gkit.csms.houses import Lodge, asked, lodge
from tests.v2gkit.csms.test_bus import buses, served
from v2gkit.csms.bus.verbs import LEASE
from v2gkit.csms.rest.declared import BASE


@contextlib.asynccontextmanager
async def pair(kind: str, folder: Path) -> Any:
    """Two processes, in one loop."""
    folder.joinpath("nats").mkdir()
    async with (
        buses(kind, folder / "nats") as (one, other),
        lodge(folder, one, "P1") as first,
        lodge(folder, other, "P2") as second,
    ):
        yield first, second


async def both_hear(at: Lodge, other: Lodge) -> None:
    """Until each process has heard of the other one's stations."""
    for each in (at, other):
        each.fleet._take(each.fleet._stations(), each.fleet.sum_up())
        await each.party.publish("alive", {"stations": each.party._held()})
        await each.fleet._share(each.fleet._stations(), each.fleet.sum_up())


@pytest.mark.parametrize("kind", ["memory", "nats"])
def test_a_station_at_one_process_is_operated_from_the_other(kind, tmp_path, monkeypatch):
    for module in ("party", "bus.memory", "bus.over_nats"):  # a test that gets no processor renews nothing
        monkeypatch.setattr(f"v2gkit.csms.{module}.LEASE", 3600.0)

    async def scene() -> None:
        async with pair(kind, tmp_path) as (first, second), stand(first.csms) as s:
            await s.until(lambda: first.csms.stations.get("CS-1") and first.csms.stations["CS-1"].status)
            status, said = await second.ask(f"{BASE}/stations/CS-1/calls/ClearCache", {})
            assert (status, said) == (200, {"answer": {"status": "Accepted"}})
            assert len(s.frames.calls("ClearCache", "in")) == 1
            status, said = await second.ask(f"{BASE}/stations/CS-1/variables/read", {"getVariableData": []})
            assert (status, said["code"]) == (422, "Schema")
            assert (await second.ask(f"{BASE}/stations/NOBODY/start", {}))[0] == 404
            await both_hear(first, second)
            while [(row["id"], row["connected"]) for row in (await second.ask(f"{BASE}/stations"))[1]["rows"]] != [("CS-1", True)]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            assert [(one["id"], one["process"]) for one in second.fleet.now()["stations"]] == [("CS-1", "P1")]
            await _one_owner(first, second, s)

    asyncio.run(asyncio.wait_for(scene(), 300))


async def _one_owner(first: Lodge, second: Lodge, s: Any) -> None:
    """The same station knocks at the other process: the link that lives stays; once it has gone, the other process lets it in."""
    server = await second.csms.serve()
    port = next(iter(server.sockets)).getsockname()[1]
    async with stand(port=port) as rival:
        await s.until(lambda: second.csms.stations.get("CS-1") is not None)
        for _ in range(20):
            await asyncio.sleep(0.01)
            links = [at.csms.stations["CS-1"].link for at in (first, second)]
            assert links[0] is not None
            assert links[1] is None
        first.csms.drop(first.csms.stations["CS-1"])
        await s.until(lambda: any(at.csms.stations["CS-1"].link is not None for at in (first, second)))
        assert rival.point is not s.point
        for _ in range(50):  # both stations want to be CS-1, and knock again and again
            await asyncio.sleep(0.01)
            assert sum(at.csms.stations["CS-1"].link is not None for at in (first, second)) <= 1
    server.close()


def test_who_slept_longer_than_its_lease_lets_go_what_others_took(tmp_path):
    async def scene() -> None:
        async with pair("memory", tmp_path) as (first, _second), stand(first.csms) as s:
            await s.until(lambda: first.csms.stations.get("CS-1") and first.csms.stations["CS-1"].status)
            bus: Any = first.party._bus
            bus._alive["P1"] = 0.0  # as after a lease without a sign of life
            assert await bus.claim("CS-1", "P2") == "P2"
            link = first.csms.stations["CS-1"].link
            first.party._clock = lambda: first.party._renewed + LEASE + 1
            living = asyncio.create_task(first.party._live())
            await s.until(lambda: first.csms.stations["CS-1"].link is not link)
            living.cancel()

    asyncio.run(asyncio.wait_for(scene(), 300))


def test_without_a_bus_nobody_new_is_let_in(tmp_path):
    from v2gkit.csms.bus.verbs import BusFault

    async def scene() -> None:
        async with lodge(tmp_path) as at:

            async def lost(thing: str, owner: str) -> str:
                raise BusFault("the bus is lost")

            at.party._bus.claim = lost  # type: ignore[method-assign]
            assert not await at.party.claim("CS-1")

    asyncio.run(asyncio.wait_for(scene(), 300))


@again
def test_two_processes_of_the_command_share_a_station_over_nats(tmp_path):
    """`v2g csms` twice beside a nats-server: a station at the first is seen and operated by the REST of the second, and let in once."""

    async def scene(url: str) -> None:
        shared = ("--strategy", "none", "--store", f"sqlite:///{tmp_path / 'csms.sqlite'}", "--nats", url)
        first = await Process.start("csms", "--port", "0", "--json", *shared)
        port = (await first.says(lambda line: line.get("topic") == "listening"))["port"]
        second = await Process.start("csms", "--port", "0", "--json", "--api", *shared)
        other = (await second.says(lambda line: line.get("topic") == "listening"))["port"]
        token = (await second.says(lambda line: line.get("role") == "operate"))["token"]
        rest = (await second.says(lambda line: line.get("topic") == "fleet"))["url"]
        where = ("secc", "--json", "--no-tls", "--services", "DC", "--host", "127.0.0.1", "--port", "0", "--ocpp")
        station = await Process.start(*where, f"ws://127.0.0.1:{port}/ocpp")
        processes = [first, second, station]

        async def rows(path: str, body: bytes | None = None) -> tuple[int, Any]:
            request = urllib.request.Request(f"{rest}{BASE}{path}", body, {"Authorization": f"Bearer {token}"})
            status, octets, _ = await asyncio.to_thread(asked, request)
            return status, json.loads(octets)

        try:
            await first.says(lambda line: line.get("topic") == "status")
            while not [row for row in (await rows("/stations"))[1]["rows"] if row["connected"]]:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            called = await rows("/stations/DE*V2G*E1/calls/ClearCache", b"{}")
            assert called == (200, {"answer": {"status": "Accepted"}})
            processes.append(await Process.start(*where, f"ws://127.0.0.1:{other}/ocpp"))
            refused = await second.says(lambda line: line.get("topic") == "refused")
            assert refused["station"] == "DE*V2G*E1"
        finally:
            for each in processes:
                each.kill()
                await each.process.wait()

    with served(tmp_path, "-js", "-sd", str(tmp_path / "nats")) as url:
        asyncio.run(asyncio.wait_for(scene(url), 300))
