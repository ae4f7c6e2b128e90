"""The contract of a log, which the one in this process and the one on a real NATS JetStream both keep."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.v2gkit.csms.test_bus import served
from v2gkit.fleet.log import memory, over_nats, verbs
from v2gkit.fleet.log.memory import MemoryLog
from v2gkit.fleet.log.over_nats import NatsLog
from v2gkit.fleet.log.verbs import OCTETS, Log, LogFault, Record, Said

SOON = 0.3  # s in which a log that has nothing says so
TIME = 120.0  # s, generous


async def everything(log: Log, reader: str, subject: str, count: int) -> list[Record]:
    """So many records, however many reads that takes; each is acknowledged."""
    found: list[Record] = []
    while len(found) < count:
        part = await log.read(reader, subject, 500, TIME)
        await log.ack(reader, [each.position for each in part])
        found += part
    return found


def texts(records: Sequence[Record]) -> list[str]:
    return [each.octets.decode() for each in records]


async def _contract(one: Log, other: Log) -> None:
    assert await one.read("early", "telemetry.>", within=SOON) == ()
    last = await one.append([Said("telemetry.a.depot", f"{n}".encode()) for n in range(1_000)])
    assert await one.append([Said("dispatch.a.depot", b"order", "d1")]) == last + 1
    assert await other.append([Said("dispatch.a.depot", b"order", "d1")]) == last + 1  # of one key there is one
    await other.append([Said("dispatch.ab.depot", b"for another", "d2")])
    # every reader sees all of its subject, in order, whenever it comes
    for reader in ("early", "late"):
        found = await everything(other if reader == "late" else one, reader, "telemetry.>", 1_000)
        assert texts(found) == [f"{n}" for n in range(1_000)]
        assert [each.position for each in found] == sorted({each.position for each in found})
        assert {each.subject for each in found} == {"telemetry.a.depot"}
        assert await one.read(reader, "telemetry.>", within=SOON) == ()
    assert texts(await everything(one, "whole", "dispatch.a.>", 1)) == ["order"]  # and no tenant whose name begins alike
    assert await one.read("whole", "dispatch.a.>", within=SOON) == ()
    # who waits is woken
    waiting = asyncio.create_task(other.read("woken", "news.>", within=TIME))
    await asyncio.sleep(0.05)
    await one.append([Said("news.x", b"now")])
    assert texts(await waiting) == ["now"]
    with pytest.raises(LogFault, match="in parts"):
        await one.append([Said("news.x", bytes(OCTETS + 1))])
    for subject in ("", "a b", "a..b", "a.*", "a.>", "ä"):
        with pytest.raises(LogFault, match="subject"):
            await one.append([Said(subject, b"")])


async def _again(log: Log) -> None:
    """What is not acknowledged comes again; what is, does not."""
    await log.append([Said("jobs.1", b"first"), Said("jobs.1", b"second")])
    found = list(await log.read("worker", "jobs.>", 2, TIME))
    while len(found) < 2:
        found += await log.read("worker", "jobs.>", 2, TIME)
    await log.ack("worker", [found[1].position])
    again = await log.read("worker", "jobs.>", 2, TIME)
    assert texts(again) == ["first"]
    await log.ack("worker", [again[0].position])
    assert await log.read("worker", "jobs.>", within=1.5) == ()


@contextlib.asynccontextmanager
async def logs(kind: str, folder: Path) -> AsyncIterator[tuple[Log, Log]]:
    """Two parties of one log."""
    if kind == "memory":
        log = MemoryLog()
        yield log, log
        return
    with served(folder, "-js", "-sd", str(folder)) as url:
        one, other = await NatsLog.at(url, 64 << 20), await NatsLog.at(url, 64 << 20)
        yield one, other
        await one.close()
        await other.close()


@pytest.mark.parametrize("kind", ["memory", "nats"])
def test_a_log_keeps_the_contract(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with logs(kind, tmp_path) as (one, other):
            await _contract(one, other)
            for module in (verbs, memory, over_nats):
                monkeypatch.setattr(module, "AGAIN", 1.0)
            await _again(one)

    asyncio.run(asyncio.wait_for(scene(), 300))


def test_a_ring_that_is_full_forgets_the_oldest_and_no_key_for_ever() -> None:
    async def scene() -> None:
        now = [0.0]
        log = MemoryLog(lambda: now[0], most=3)
        for n in range(5):
            await log.append([Said("a", f"{n}".encode(), f"k{n}")])
        assert texts(await log.read("r", "a")) == ["2", "3", "4"]
        now[0] = verbs.WINDOW + 1
        assert await log.append([Said("a", b"again", "k4")]) == 6
        assert len(log._keys) == 1

    asyncio.run(scene())


def test_records_are_there_after_the_server_was_killed(tmp_path: Path) -> None:
    async def scene() -> None:
        with served(tmp_path, "-js", "-sd", str(tmp_path)) as url:
            log = await NatsLog.at(url, 64 << 20)
            await log.append([Said("telemetry.a", b"kept", "k")])
            await log.close()
        with served(tmp_path, "-js", "-sd", str(tmp_path)) as url:
            log = await NatsLog.at(url, 64 << 20)
            assert texts(await log.read("r", "telemetry.>", within=TIME)) == ["kept"]
            await log.close()

    asyncio.run(asyncio.wait_for(scene(), 300))


def test_a_server_that_cannot_be_had_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_nats, "PATIENCE", 0.5)
    with pytest.raises(LogFault, match=r"NATS at 127\.0\.0\.1:1"):
        asyncio.run(NatsLog.at("nats://user:secret@127.0.0.1:1"))
    monkeypatch.undo()
    with served(tmp_path) as url, pytest.raises(LogFault, match="-js"):
        asyncio.run(NatsLog.at(url))
