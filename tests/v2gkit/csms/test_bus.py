"""The contract of a bus, which the one in memory and the one over a real NATS server both keep."""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.free_ports import free_port
from tests.starved import HANG
from tests.v2gkit.csms.stores import nats
from v2gkit.csms.bus import over_nats
from v2gkit.csms.bus.memory import MemoryBus
from v2gkit.csms.bus.over_nats import NatsBus
from v2gkit.csms.bus.verbs import LEASE, Bus, BusFault, Nobody


@contextlib.contextmanager
def served(folder: Path, *more: str) -> Iterator[str]:
    """A NATS server on loopback with its files in a folder."""
    port = free_port()
    command = [nats(), "-a", "127.0.0.1", "-p", str(port), *more]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder)
    try:
        assert server.stderr is not None
        assert any("Server is ready" in line for line in server.stderr)
        yield f"nats://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.communicate(timeout=HANG)


@contextlib.asynccontextmanager
async def buses(kind: str, folder: Path) -> AsyncIterator[tuple[Bus, Bus]]:
    """Two parties of one bus."""
    if kind == "memory":
        bus = MemoryBus()
        yield bus, bus
        return
    with served(folder, "-js", "-sd", str(folder)) as url:
        one, other = await NatsBus.at(url), await NatsBus.at(url)
        yield one, other
        await one.close()
        await other.close()


async def _contract(one: Bus, other: Bus) -> None:
    with pytest.raises(Nobody):
        await one.request("nobody.there", {}, HANG)

    async def doubled(said: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(said.get("wait", 0.0))
        return {"twice": said["number"] * 2}

    await one.serve("double", doubled)
    answers = await asyncio.gather(*(other.request("double", {"number": n}, HANG) for n in range(20)))
    assert [answer["twice"] for answer in answers] == [2 * n for n in range(20)]
    for n in range(100):  # whoever serves can be asked at once
        await one.serve(f"double.{n}", doubled)
        assert await other.request(f"double.{n}", {"number": n}, HANG) == {"twice": 2 * n}
    with pytest.raises(BusFault, match="did not answer within"):
        await other.request("double", {"number": 1, "wait": HANG}, 0.2)
    heard: list[dict[str, Any]] = []
    await one.listen("news", heard.append)
    await other.publish("news", {"text": "ü"})
    await other.publish("other news", {}) if isinstance(other, MemoryBus) else None
    while not heard:  # noqa: ASYNC110 - a list tells nobody
        await asyncio.sleep(0.01)
    assert heard == [{"text": "ü"}]
    await _ownership(one, other)


async def _ownership(one: Bus, other: Bus) -> None:
    await one.renew("A")
    await other.renew("B")
    assert await one.owner("CS 1*ü") is None
    claims = await asyncio.gather(*((one, other)[n % 2].claim("CS 1*ü", "AB"[n % 2]) for n in range(10)))
    assert len(set(claims)) == 1  # who came first is one, for all
    first, second = (("A", one), ("B", other)) if claims[0] == "A" else (("B", other), ("A", one))
    assert await second[1].owner("CS 1*ü") == first[0]
    await second[1].release("CS 1*ü", second[0])  # what is another's stays
    assert await first[1].owner("CS 1*ü") == first[0]
    await first[1].release("CS 1*ü", first[0])
    assert await second[1].owner("CS 1*ü") is None
    assert await second[1].claim("CS 1*ü", second[0]) == second[0]
    assert await one.claim("dead", "nobody that lives") == "nobody that lives"
    assert await other.claim("dead", "B") == "B"  # whose owner does not live is nobody's


@pytest.mark.parametrize("kind", ["memory", "nats"])
def test_a_bus_keeps_the_contract(kind: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with buses(kind, tmp_path) as (one, other):
            await _contract(one, other)

    asyncio.run(asyncio.wait_for(scene(), 300))


def test_a_lease_in_memory_ends() -> None:
    async def scene() -> None:
        now = [0.0]
        bus = MemoryBus(lambda: now[0])
        await bus.renew("A")
        assert await bus.claim("x", "A") == "A"
        now[0] = LEASE - 0.1
        assert await bus.claim("x", "B") == "A"
        now[0] = LEASE + 0.1
        assert await bus.claim("x", "B") == "B"

    asyncio.run(scene())


def test_a_server_that_cannot_be_had_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_nats, "PATIENCE", 0.5)
    with pytest.raises(BusFault, match=r"NATS at 127\.0\.0\.1:1"):
        asyncio.run(NatsBus.at("nats://user:secret@127.0.0.1:1"))
    monkeypatch.undo()
    with served(tmp_path) as url, pytest.raises(BusFault, match="-js"):
        asyncio.run(NatsBus.at(url))
