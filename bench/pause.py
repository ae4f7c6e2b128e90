"""How long a neighbour waits while the largest frame of a session is read: in place, and on a thread beside the loop."""

import asyncio
import socket
import statistics
import time
from collections.abc import Awaitable, Callable

from fuzz.siege.states import payloads
from secc.pending import Unread
from secc.readers import Readers
from v2g.exi import engine
from v2g.iso20 import frames
from v2g.iso20.generation import ISO20
from v2g.messages.common_messages import PowerDeliveryReq, ScheduleExchangeReq
from v2g.session.v2gtp import Frame

ROUNDS = 15
PERIOD = 0.002  # s between two messages of the neighbour


async def _neighbour(until: asyncio.Event) -> float:
    """The longest time (s) from a message's due time to its answer: two calls of the system each, as a session has them."""
    loop, worst = asyncio.get_running_loop(), 0.0
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        there.setblocking(False)
        while not until.is_set():
            due = time.perf_counter() + PERIOD
            await asyncio.sleep(PERIOD)
            await loop.sock_sendall(here, b"request")
            await loop.sock_recv(there, 64)
            await loop.sock_sendall(there, b"response")
            await loop.sock_recv(here, 64)
            worst = max(worst, time.perf_counter() - due)
    return worst


async def _beside(unread: Unread, readers: Readers) -> None:
    done = asyncio.get_running_loop().create_future()
    readers.read(unread, done.set_result)
    await done


async def _in_place(unread: Unread, _: Readers) -> None:
    unread.read()


async def _nothing(_: Unread, __: Readers) -> None:
    await asyncio.sleep(0.05)


async def _worst(unread: Unread, way: Callable[[Unread, Readers], Awaitable[None]]) -> float:
    readers, found = Readers(), []
    for _ in range(ROUNDS):
        over = asyncio.Event()
        neighbour = asyncio.create_task(_neighbour(over))
        await asyncio.sleep(3 * PERIOD)
        await way(unread, readers)
        over.set()
        found.append(await neighbour)
    readers.close()
    return statistics.median(found)


def run() -> None:
    """Print the table: the median of the longest waits."""
    usual = engine.used()
    print(f"{'ms':34} {'nothing is read':>16} {'in place':>10} {'beside':>10}")
    for name in (each for each in engine.names() if each != "patient"):
        engine.use(name)
        for kind in (ScheduleExchangeReq, PowerDeliveryReq):
            for what, octets in zip(("valid", "broken at the end"), payloads(kind), strict=False):
                payload_type = frames.payload_type_of(kind)

                unread = Unread(Frame(payload_type, octets), None, lambda kind, exi, *_: ISO20.read(kind, exi))  # type: ignore[arg-type]
                times = [1e3 * asyncio.run(_worst(unread, way)) for way in (_nothing, _in_place, _beside)]
                print(f"{name + ', ' + kind.__name__ + ', ' + what:50.50} {times[0]:6.1f} {times[1]:10.1f} {times[2]:10.1f}")
    engine.use(usual)
