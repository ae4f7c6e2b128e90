"""What is over is gone: a connection and its session are given back by themselves, at once, and do not wait for the garbage collector.

With their TLS they take some 60 KB that the collector does not see, and it comes only after so many objects.
"""

import asyncio
import contextlib
import gc
import time
import weakref
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from OpenSSL import SSL

from evcc.trust import vehicle_tls
from fuzz.siege.attacks import HELLO, Target, secured, speak
from pki.issue import build
from pki.plan import Plan
from pki.store import Store, create
from secc import station as words
from secc.driver import Driver
from secc.engine import SeccSession
from secc.pending import Unread
from tests.secc.test_server import Bench, bench, run
from v2g.session.errors import SessionError
from v2g.session.transport import ClientTls
from v2g.session.transport.channel import Channel
from v2g.session.transport.pump import Pump
from v2g.session.v2gtp import Frame, PayloadType, frame

HANG = 60.0  # s
ROUNDS = 3
KINDS = (Pump, Channel, SSL.Connection, SeccSession, Driver)

Way = Callable[[Bench, Target], Awaitable[None]]


@dataclass
class Stranger(Target):
    """A car with a certificate that nobody here has issued."""

    vehicle: Any = None

    @property
    def tls(self) -> ClientTls:
        return vehicle_tls(self.store, vehicle=self.vehicle)


def saying(*frames: bytes) -> Way:
    """A car that says this after its handshake, listens, and resets the connection."""

    async def way(it: Bench, target: Target) -> None:
        async with secured(target) as (channel, sock):
            for octets in frames:
                await speak(channel, sock, octets)

    return way


async def charging(it: Bench, target: Target) -> None:
    """A whole session."""
    assert (await it.visit("DC_BPT", "Dynamic", "PnC")).ended.well


async def vanishing(it: Bench, target: Target) -> None:
    """A car that goes away under power."""
    before = len(it.witness.of(words.PowerStarted))
    visiting = asyncio.create_task(it.visit("DC_BPT", "Dynamic", "PnC", loops=1000))
    await it.witness.seen(words.PowerStarted, before + 1)
    visiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await visiting


async def unknown(it: Bench, target: Target) -> None:
    """The station's word comes after the car believes that it is in."""
    with contextlib.suppress(SessionError, OSError):
        await saying(HELLO)(it, target)


WAYS: dict[str, Way] = {
    "charges": charging,
    "vanishes under power": vanishing,
    "is reset after its handshake": saying(),
    "is reset after its first message": saying(HELLO),
    "is no V2GTP": saying(HELLO, bytes(64)),
    "announces 4 GiB": saying(HELLO, bytes.fromhex("01fe8002ffffffff")),
    "is no EXI": saying(HELLO, frame(PayloadType.COMMON, bytes(40))),
    "is out of turn": saying(HELLO, HELLO),
    "is nobody's": unknown,
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Store]:
    """That of a station and its cars, and that of strangers."""
    ours, theirs = (create(tmp_path_factory.mktemp(name), [build(Plan(), "secp521r1", datetime.now(UTC))]) for name in ("ours", "theirs"))
    return ours, theirs


def alive() -> Counter[str]:
    """How many there are of what a station's connection is made of."""
    found = (each for each in gc.get_objects() if isinstance(each, KINDS) and not (isinstance(each, Pump) and not each._server))
    return Counter(type(each).__name__ for each in found)


@pytest.mark.parametrize("aside", [None, 0], ids=["read in place", "read beside"])
@pytest.mark.parametrize("name", WAYS)
def test_a_car_leaves_nothing_for_the_collector(
    name: str, aside: int | None, stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secc.bay.aside", lambda: aside)
    ours, theirs = stores

    async def story() -> None:
        async with bench(ours) as it:
            host, port = it.station.addresses[0]
            until = asyncio.get_running_loop().time() + HANG
            target = Stranger(host, port, ours, until, {}, (theirs if name == "is nobody's" else ours).vehicle)
            await WAYS[name](it, target)  # what is made once is made
            await it.free()
            gc.collect()
            gc.disable()
            try:
                before = alive()
                for _ in range(ROUNDS):
                    await WAYS[name](it, target)
                    await it.free()
                await gone(before)
            finally:
                gc.enable()

    run(story)


async def gone(before: Counter[str]) -> None:
    """Wait until there are no more of them than before; the last may still be in the hands of the hardware or of a task."""
    until = time.monotonic() + HANG
    while any(count > before[kind] + 1 for kind, count in alive().items()):
        assert time.monotonic() < until, f"what is over stays: {dict(alive() - before)} more than before, after {ROUNDS} cars"
        await asyncio.sleep(0.05)


def test_an_error_that_waits_to_be_told_keeps_nothing_else() -> None:
    """A frame that was read in vain, whose session ends before it asks for the message: the frames of the reading are not kept by it."""

    class Work:
        """What was at work when the reading failed."""

    seen: list[weakref.ref[Work]] = []

    def decode(payload_type: int, octets: bytes, known: Any, now: float) -> Any:
        work = Work()
        seen.append(weakref.ref(work))
        try:
            raise KeyError(payload_type)
        except KeyError:
            raise SessionError("no such message") from None

    unread = Unread(Frame(1, b""), None, decode)
    gc.disable()
    try:
        unread.read()
        assert [kept() for kept in seen] == [None]
    finally:
        gc.enable()
    with pytest.raises(SessionError, match="no such message"):
        unread.message()
