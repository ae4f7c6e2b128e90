"""The other way round: our car against a scripted station, over TLS on a real socket, in real time or in time that jumps."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from evcc.car import Wish
from evcc.client import Visit, wall_clock
from evcc.config import Config
from evcc.result import Result
from evcc.trust import equip, vehicle_tls
from pki.store import Store
from secc.trust import station_tls
from tests.conformance.harness import Notes, Pki
from tests.evcc.scripted_station import Answer, Station
from v2g.session.endpoint import Ended, Event
from v2g.session.errors import SessionError
from v2g.session.link import Link
from v2g.session.transport import Server


class Scripted:
    """A scripted station as the endpoint of a connection."""

    def __init__(self, station: Station):
        self.station, self.ended, self._out = station, None, b""

    ended: Ended | None

    def receive(self, octets: bytes, now: float) -> None:
        if octets:
            self._out += self.station.hear(octets)
        else:
            self.ended = Ended("Terminate")

    def lost(self, error: SessionError, now: float) -> None:
        self.ended = Ended("Terminate")

    def tick(self, now: float) -> None:
        """It has no timers."""

    def deadline(self) -> None:
        """It has no timers."""

    def octets_to_send(self) -> bytes:
        octets, self._out = self._out, b""
        return octets

    def events(self) -> list[Event]:
        return []


@dataclass
class Met:
    """What came of a visit: the car's account, what the station was asked, what the car noted."""

    car: Result
    station: Station
    notes: Notes

    @property
    def said(self) -> dict[str, Any]:
        return self.car.as_dict()


async def visit(own: Pki, station: Station, store: Store | None = None, *, equipped: bool = True, **wish: Any) -> Met:
    """Our car at a scripted station. `store` is the car's own, with its contracts unless it is not `equipped`."""
    mine, notes = store or own.store, Notes()
    wished = Wish(**{"evccid": mine.vehicle.common_name, "services": ("DC",), "loops": 2, "pace": 0.02, **wish})
    clock, loop = wall_clock(), asyncio.get_running_loop()
    car = Config(soc=30.0, wish=wished).car(replace(clock, started=loop.time()), loop.time())
    if equipped:
        equip(car, mine)

    def attend(link: Link) -> Any:
        return Scripted(station)

    async with Server(attend, "::1", 0, station_tls(own.store)) as server:
        came = await Visit(car, tls=vehicle_tls(mine), observe=[lambda *_: notes]).at("::1", server.port)
    return Met(came, station, notes)


def answers(**given: Answer) -> dict[str, Answer]:
    """Answers by the name of their request, without the `Req`."""
    return {f"{name}Req": answer for name, answer in given.items()}


# --- time that jumps ---


class _Jumping(selectors.DefaultSelector):
    """Where nothing is there to be read or written, the time until the next timer has gone by already."""

    jumped = 0.0  # s
    working = 0  # threads that work for the loop: their time is real

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or not timeout:
            return ready if timeout is not None else super().select(None)
        if self.working:
            return super().select(min(timeout, 0.1))
        ready = super().select(0.001)  # what the kernel still carries from one end of the loopback to the other
        if not ready:
            self.jumped += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return super().time() + self._jumping.jumped

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        self._jumping.working += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(lambda _: setattr(self._jumping, "working", self._jumping.working - 1))
        return future


def run_jumping(work: Callable[[], Awaitable[Any]]) -> Any:
    """A test's coroutine on sockets that are real, in time that is not: an hour of waiting takes as long as its messages."""
    with asyncio.Runner(loop_factory=_Loop) as runner:

        async def bounded() -> Any:
            return await work()

        return runner.run(bounded())
