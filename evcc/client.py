"""The car's shell: finds a station, connects, and drives one session to its end, and another one after each pause."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from evcc.car import Car
from evcc.conduct import Conduct
from evcc.engine import EvccSession
from evcc.generations import USUAL
from evcc.opening import usual
from evcc.result import Result, Start
from evcc.script import Script
from evcc.trust import staple_facts
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended, Endpoint, Event, Relaxed
from v2g.session.errors import ConnectionLost, SessionError, Stopped
from v2g.session.link import Link, Observe, Observer, Unreachable
from v2g.session.sdp import Security, WirelessRequest
from v2g.session.tls import TlsError
from v2g.session.transport import ClientTls, run
from v2g.session.transport.discovery import discover

Find = Callable[[], Awaitable[tuple[str, int]]]
CUT: Final = object()  # instead of an outcome: the wait was cut short


def wall_clock(scale: float = 1.0, epoch: float | None = None) -> Clock:
    """A wall clock from this machine's, `scale` times as fast, and set to `epoch` (epoch s) where given."""
    return Clock(time.time() if epoch is None else epoch, time.monotonic(), scale)


AGAIN = 1.0  # s between two attempts to come back to a station that paused


@dataclass
class Visit:
    """One stay of a car at a station: one session, and one more for every pause, `rest` real seconds later.

    A station that is not there when the car comes back is tried again for `resume_within` s. A car that is told to leave does so in order
    within `grace` s, else the connection is cut. `script` is what it does in each session, in the first of `conducts`; None: what is
    usual in the one of them that the station selects.
    """

    car: Car[Any]
    script: Script | None = None
    tls: ClientTls | None = None
    observe: Sequence[Observe] = ()
    rest: float = 1.0
    resume_within: float = 60.0
    grace: float = 10.0
    returning: Callable[[Ended], float | None] | None = None  # s until the car comes back after a session, None: it does not
    join: Callable[[], Coroutine[Any, Any, object]] | None = None  # makes the data link, before a station is looked for; raises Unreachable
    conducts: Sequence[Conduct] = USUAL
    session: EvccSession | None = None
    link: Link | None = None
    sessions: int = 0
    relaxed: list[str] = field(default_factory=list)
    _asked: str | None = None  # why the car shall leave
    _waiting: asyncio.Future[Any] | None = None
    _resting: bool = False  # between two sessions

    async def at(self, host: str, port: int) -> Result:
        """Visit the station at a known address, and return what came of it. Nothing is raised for what a station or a network does."""

        async def known() -> tuple[str, int]:
            return host, port

        return await self._drive(known)

    async def on(self, interface: str, wireless: WirelessRequest | None = None) -> Result:
        """Find the station by SDP on an interface, anew for each session, visit it, and return what came of it.

        A station that answers without TLS is not used, unless the car itself asks without. `wireless` is what it asks over WLAN, where a
        device or a coil serves it; None: it comes by cable.
        """
        security = Security.NONE if self.tls is None else Security.TLS

        async def found() -> tuple[str, int]:
            station = await discover(interface, security=security, wireless=wireless)
            return station.host, station.port

        return await self._drive(found)

    async def _drive(self, find: Find) -> Result:
        loop = asyncio.get_running_loop()
        start = Start.of(self.car, loop.time())
        ended = await self._connection(find)
        while self._asked is None and (rest := self._rests(ended)) is not None:
            back = await self._back(find, rest)
            if back is None:
                break  # the driver left while the session was paused: that is how it ended
            ended = back
        return Result(self.car, start, ended, loop.time(), self.sessions, tuple(self.relaxed))

    def _rests(self, ended: Ended) -> float | None:
        """Seconds until the car comes back after a session; None when it does not."""
        if self.returning is not None:
            return self.returning(ended)
        return self.rest if ended.well and ended.how == "Pause" else None

    async def _back(self, find: Find, rest: float) -> Ended | None:
        """Come back after a pause: again and again while the station is not there. None when the driver leaves before it is."""
        loop = asyncio.get_running_loop()
        until = loop.time() + rest + self.resume_within
        while True:
            self._resting = True
            cut = await self._wait(asyncio.sleep(rest)) is CUT
            self._resting = False
            if cut:
                return None
            self.car, rest = self.car.anew(), AGAIN
            ended = await self._connection(find)
            if not self._absent(ended):
                return None if self._asked is not None and self.session is None else ended
            if loop.time() + AGAIN > until:
                gone = f"the station that paused the session was not back within {self.resume_within:g} s: {ended.error}"
                return Ended(ended.how, Unreachable(gone))

    def _absent(self, ended: Ended) -> bool:
        """Whether nobody was there who could have answered; a verdict of either side is one, and is not asked for again."""
        error = ended.error
        cut = isinstance(error, TlsError) and error.by == "peer" and error.alert is None
        return isinstance(error, Unreachable) or cut or (isinstance(error, ConnectionLost) and not self.car.evse_id)

    async def _connection(self, find: Find) -> Ended:
        """One session, if there is a station."""
        self.session = self.link = None

        async def session() -> Ended:
            try:
                await self._join()
                return await run(self._attend, *await find(), self.tls, observe=[*self.observe, self._witness])
            except SessionError as error:  # nobody answered
                return Ended("no connection", error)

        ended = await self._wait(session())
        self.sessions += 1
        return Ended("no session", Stopped(f"{self._asked}, before there was a session")) if ended is CUT else ended

    async def _join(self) -> None:
        """Make the data link, once: it outlasts a pause."""
        if self.join is not None:
            await self.join()
            self.join = None

    async def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What the work brings; CUT where the car is told to leave before there is a session."""
        if self._asked is not None:
            work.close()
            return CUT
        self._waiting = asyncio.ensure_future(work)
        try:
            return await self._waiting
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # it is the caller who wants to end
            return CUT
        finally:
            self._waiting = None

    def stop(self, reason: str) -> None:
        """Leave in order: PowerDelivery(Stop) where power flows, then SessionStop, within `grace` s. At once where there is no session."""
        if self._asked is None:
            asyncio.get_running_loop().call_later(self.grace, self.abort, f"the car did not get away within {self.grace:g} s: {reason}")
        self._asked = self.car.stop_asked = reason
        if self.session is None or self.session.ended is not None:
            self._cut()
            return
        self.session.stop(reason)
        if self.link is not None:
            self.link.nudge()

    def abort(self, reason: str) -> None:
        """Leave now: contactors open, and the connection is cut."""
        self._asked = self._asked or reason
        if self.session is None or self.session.ended is not None:
            self._cut()
            return
        self.session.abort(reason, asyncio.get_running_loop().time())
        if self.link is not None:
            self.link.nudge()

    def _cut(self) -> None:
        if self._waiting is not None and (self.session is None or self._resting):  # else it ends by itself
            self._waiting.cancel()

    def _attend(self, link: Link) -> Endpoint:
        self.link = self.car.link = link
        self.session = EvccSession(self.script or usual(self.conducts), self.car, link.opened, self.conducts[0])
        if link.tls is not None:
            self.car.note("revocation", **staple_facts(link.tls))
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
