"""The web server of the live viewer in this process: whoever does not read, and whoever comes when it is full."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.starved import HANG
from v2gkit.insight.live import __main__ as process
from v2gkit.insight.live import site
from v2gkit.insight.live.door import LOCAL, Door
from v2gkit.insight.live.history import History
from v2gkit.insight.live.site import Live, Room, application, serve

HEAD = {"t": "head", "v": 1, "title": "test"}
GET = b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[tuple[Live, Room, tuple[str, int]]]:
    live, room = Live(History(0, HEAD)), Room()
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    server = await serve(listener, application(live, room, Door("", LOCAL, address[1]), {"/": ("text/html", "")}), room)
    try:
        yield live, room, address
    finally:
        server.close()
        room.close()


def frames(count: int, size: int) -> list[dict[str, Any]]:
    return [{"t": "frame", "c": 0, "n": n, "exi": "x" * size} for n in range(count)]


def test_a_viewer_that_does_not_read_is_cut_off_and_the_others_see_all(monkeypatch: pytest.MonkeyPatch) -> None:
    lazy, give = socket.socket(), site.Viewer.give

    async def given(self: site.Viewer, octets: bytes, more: bool = True) -> bool:
        """Short for the lazy one alone: who reads may get no processor for as long."""
        monkeypatch.setattr(site, "STALLED", 0.3 if self._connection.client == lazy.getsockname() else HANG)
        return await give(self, octets, more)

    monkeypatch.setattr(site.Viewer, "give", given)

    async def looked() -> None:
        async with serving() as (live, room, address):
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.connect(address)
            lazy.sendall(GET)
            reader, writer = await asyncio.open_connection(*address, limit=1 << 24)
            writer.write(GET)
            await reader.readuntil(b"retry: 1000\n\n")
            assert room.viewers == 2
            live.add(frames(200, 100_000))
            for n in range(200):
                while b'"n":%d,' % n not in await reader.readuntil(b"\n"):
                    pass
            while room.viewers == 2:  # noqa: ASYNC110 - the room has no such event
                await asyncio.sleep(0.02)
            assert room.viewers == 1
            live.add(frames(1, 10))
            await reader.readuntil(b'"exi":"xxxxxxxxxx"')
            lazy.close()
            writer.close()

    asyncio.run(asyncio.wait_for(looked(), HANG))


def test_the_process_stays_until_every_viewer_has_taken_all_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The feeder has gone while a viewer still lacks most of the lines: it gets them, and the word that nothing more will come."""
    read, write = os.pipe()
    monkeypatch.setattr(process, "LAST", HANG)
    monkeypatch.setattr(site, "STALLED", HANG)
    monkeypatch.setattr("sys.stdin", os.fdopen(read))
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    said = {"token": "", "names": sorted(LOCAL), "port": address[1], "socket": listener.detach(), "title": "test", "source": "test"}

    def feed() -> None:
        about = {"type": "trace", "connection": 1, "at": 0, "epoch": 0, "version": 1, "side": "secc", "about": {}}
        notes = (
            {"type": "note", "connection": 1, "at": n, "epoch": n, "topic": f"note {n}", "facts": {"x": "y" * 100_000}} for n in range(100)
        )
        with os.fdopen(write, "w") as pipe:
            for each in (about, *notes, {"type": "over"}):
                pipe.write(json.dumps(each) + "\n")

    async def looked() -> None:
        running = asyncio.ensure_future(process.run(said, b""))
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(address)
        reader, writer = await asyncio.open_connection(sock=slow, limit=1 << 17)
        writer.write(GET)
        await reader.readuntil(b"retry: 1000\n\n")
        await asyncio.to_thread(feed)
        assert not running.done()  # most of it is neither here nor on its way
        for n in range(100):
            while b'"note %d"' % n not in await reader.readuntil(b"\n"):
                pass
        await reader.readuntil(b"event: over\n")
        await running  # and no longer
        writer.close()

    asyncio.run(asyncio.wait_for(looked(), HANG))


def test_one_viewer_too_many_is_told_to_come_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "VIEWERS", 2)

    async def looked() -> None:
        async with serving() as (_, room, address):
            ways = [await asyncio.open_connection(*address) for _ in range(3)]
            answers = []
            for reader, writer in ways:
                writer.write(GET)
                answers.append((await reader.readuntil(b"\r\n"))[9:12])
            assert answers == [b"200", b"200", b"503"]
            ways[0][1].close()
            while room.viewers == 2:  # noqa: ASYNC110 - the room has no such event
                await asyncio.sleep(0.02)
            reader, writer = await asyncio.open_connection(*address)
            writer.write(GET)
            assert (await reader.readuntil(b"\r\n"))[9:12] == b"200"
            for _, each in [*ways, (reader, writer)]:
                each.close()

    asyncio.run(asyncio.wait_for(looked(), HANG))


def test_whoever_is_silent_or_slow_before_admission_is_shown_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def looked() -> None:
        async with serving() as (_, room, address):
            viewer = await asyncio.open_connection(*address)
            viewer[1].write(GET)
            await viewer[0].readuntil(b"retry")
            monkeypatch.setattr(site, "STRANGER", 0.3)
            silent = await asyncio.open_connection(*address)
            slow = await asyncio.open_connection(*address)
            slow[1].write(b"GET /stream HTTP/1.1\r\nHost: local")
            for reader, _ in (silent, slow):
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
            assert room.viewers == 1
            for _, each in (silent, slow, viewer):
                each.close()

    asyncio.run(asyncio.wait_for(looked(), HANG))


def test_a_stream_that_is_quiet_says_that_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "QUIET", 0.05)

    async def looked() -> None:
        async with serving() as (_, _, address):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(GET)
            await reader.readuntil(b": still here\n\n")
            await reader.readuntil(b": still here\n\n")
            writer.close()

    asyncio.run(asyncio.wait_for(looked(), HANG))


def test_when_nothing_can_go_everybody_begins_anew() -> None:
    async def looked() -> None:
        async with serving() as (live, _, address):
            live.history = History(0, HEAD, room=5000)
            reader, writer = await asyncio.open_connection(*address)
            writer.write(GET)
            await reader.readuntil(b'"head"')
            assert not live.add([{"t": "shape", "s": s, "name": "x" * 1000} for s in range(20)])
            await reader.readuntil(b"event: reset\n")
            told = await reader.readuntil(b'"head"')
            assert b"shape" not in told
            writer.close()

    asyncio.run(asyncio.wait_for(looked(), HANG))
