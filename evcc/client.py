"""The car's shell: finds a station, connects, and drives a session to its end, and another after each pause."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from evcc.car import Car
from evcc.result import Result, Start
from evcc.script import Script
from evcc.scripts.charge import charge
from evcc.session import EvccSession
from evcc.trust import stapled
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended, Endpoint, Event, Relaxed
from v2g.session.errors import SessionError
from v2g.session.link import Link, Observe, Observer
from v2g.session.sdp import Security
from v2g.session.transport import ClientTls, run
from v2g.session.transport.discovery import discover


def wall_clock(scale: float = 1.0, epoch: float | None = None) -> Clock:
    """The clock of this machine, `scale` times as fast, and set to `epoch` where given."""
    return Clock(time.time() if epoch is None else epoch, time.monotonic(), scale)


@dataclass
class Visit:
    """One stay of a car at a station: one session, and one more for every pause, `rest` real seconds later."""

    car: Car
    script: Script = charge
    tls: ClientTls | None = None
    observe: Sequence[Observe] = ()
    rest: float = 1.0
    session: EvccSession | None = None
    link: Link | None = None
    sessions: int = 0
    relaxed: list[str] = field(default_factory=list)

    async def at(self, host: str, port: int) -> Result:
        """Drive to the end at a known address. Nothing is raised for what a station or a network does."""

        async def known() -> tuple[str, int]:
            return host, port

        return await self._drive(known)

    async def on(self, interface: str) -> Result:
        """Find the station by SDP on an interface, every time anew, and drive to the end. What is found without TLS is not believed."""
        security = Security.NONE if self.tls is None else Security.TLS

        async def found() -> tuple[str, int]:
            station = await discover(interface, security=security)
            return station.host, station.port

        return await self._drive(found)

    async def _drive(self, find: Callable[[], Awaitable[tuple[str, int]]]) -> Result:
        loop = asyncio.get_running_loop()
        start = Start.of(self.car, loop.time())
        while True:
            try:
                ended = await run(self._attend, *await find(), self.tls, observe=[*self.observe, self._witness])
            except SessionError as error:  # nobody answered
                ended = Ended("no connection", error)
            self.sessions += 1
            if not (ended.well and ended.how == "Pause"):
                break
            await asyncio.sleep(self.rest)
            self.car = self.car.anew()
        return Result(self.car, start, ended, loop.time(), self.sessions, tuple(self.relaxed))

    def stop(self, reason: str) -> None:
        """Leave in order: the loop that is under way is the last."""
        self.car.stop_asked = reason
        if self.session is not None:
            self.session.stop(reason)
        if self.link is not None:
            self.link.nudge()

    def _attend(self, link: Link) -> Endpoint:
        self.link = self.car.link = link
        self.session = EvccSession(self.script, self.car, link.opened)
        if link.tls is not None:
            self.car.note("revocation", **stapled(link.tls))
        return self.session

    def _witness(self, local: tuple[str, int], peer: tuple[str, int], number: int) -> Observer:
        return _Relaxations(self.relaxed)


class _Relaxations(Observer):
    """Gathers what a profile let pass."""

    def __init__(self, found: list[str]):
        self._found = found

    def event(self, event: Event) -> None:
        if isinstance(event, Relaxed) and (said := f"{event.relaxation} [{event.requirement}]") not in self._found:
            self._found.append(said)
