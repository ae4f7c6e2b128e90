"""The shell of a station: one listener for each outlet, one discovery for each interface, hardware, and a clean end.

    async with Station([Place(evse, outlet, backend, "::1", 15118)], tls, clock=clock, verifier=verifier) as station:
        await station.once()

Whatever a car does costs its own session and nothing else. An outlet has one session at a time: a second car is refused when it introduces
itself, and a car that comes back after it fell silent takes over what it left behind.
"""

import asyncio
import contextlib
import itertools
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from secc.backend import Surroundings
from secc.context import PriceSigner, Verifier
from secc.driver import LIMITS_PERIOD, Driver, opened
from secc.evse import EVSE
from secc.lobby import Lobby, Welcome
from secc.outlet import EVSE_ID, Outlet
from secc.pause import PausedSessions
from secc.session import SeccSession
from secc.station import Backend, Limits, OutOfService, StopAsked
from v2g.legible import logger
from v2g.session.admission import Stage
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended, Endpoint
from v2g.session.link import Link, Observe
from v2g.session.sdp import Response, Security
from v2g.session.transport import Server, ServerTls
from v2g.session.transport.addresses import link_local, zoned
from v2g.session.transport.discovery import DiscoveryServer
from v2g.session.transport.handshakes import Handshakes
from v2g.session.transport.server import silent_room
from v2g.tasks import Fallen, Tasks

log = logger("v2g.secc")

DYNAMIC_PORTS = range(49152, 65536)
REPAIR_PERIOD = 10.0  # s between two attempts to open a contactor that did not
CLOSING = "the station shuts down"
SILENCE = 2.0  # s without a request after which a car that connects anew has evidently lost its old session


@dataclass(frozen=True, slots=True)
class Place:
    """One outlet: its hardware, what it offers, who decides, and where cars reach it.

    With `iface` cars find it by SDP on that interface, and it listens on the link-local address there. Port 0 is any free one, or with
    `iface` a random one of those that SDP may announce.
    """

    evse: EVSE
    outlet: Outlet
    backend: Backend
    host: str = "::1"
    port: int = 0
    iface: str | None = None
    observe: Sequence[Observe] = ()  # who watches the connections of this outlet, besides those who watch all

    def __post_init__(self) -> None:
        if self.outlet.evse_id == EVSE_ID != self.evse.evse_id:  # the hardware has a name, the offer has not
            object.__setattr__(self, "outlet", replace(self.outlet, evse_id=self.evse.evse_id))


class Bay:
    """A place with its sessions; the station of its drivers."""

    def __init__(
        self,
        place: Place,
        tls: ServerTls | None,
        clock: Clock,
        paused: PausedSessions,
        verifier: Verifier | None,
        prices: PriceSigner | None,
        observe: Sequence[Observe],
        over: Callable[[Ended], None],
        handshakes: Handshakes,
        silent: int,
        numbers: Callable[[], int],
        say: Callable[[Fallen], None] | None = None,
    ):
        self.place = place
        self._over = over
        self._tls, self._clock, self._paused, self._verifier, self._prices = tls, clock, paused, verifier, prices
        self._limits: Limits = place.outlet.limits
        self._drivers: dict[Driver, Link] = {}
        self._holder: Driver | None = None
        self._why = ""  # the outlet is out of service
        self._leaving = False  # no more cars are taken
        self._left = asyncio.Event()  # set whenever a session has gone
        self.tasks = Tasks("v2g.secc", say)
        host = zoned(link_local(place.iface), place.iface) if place.iface else place.host
        port = place.port or (_announced() if place.iface else 0)
        self.server = Server(
            self._attend,
            host,
            port,
            tls,
            observe=(*observe, *place.observe),
            room={Stage.SILENT: silent},
            seated=self._seated,
            handshakes=handshakes,
            numbers=numbers,
            name=place.outlet.evse_id,
        )

    # --- life ---

    async def start(self) -> None:
        """Begin to listen."""
        self._limits = await self.place.evse.limits()
        await self.server.start()
        self.tasks.keep(f"limits of {self.place.evse.evse_id}", self._look)
        self.tasks.keep(f"account of {self.place.evse.evse_id}", self._account)

    def reload(self, tls: ServerTls | None, verifier: Verifier | None, prices: PriceSigner | None = None) -> None:
        """Take other certificates and anchors from the next session on."""
        self._verifier, self._prices = verifier, prices
        if tls is not None and self._tls is not None:
            self._tls = tls
            self.server.reload(tls)

    async def close(self) -> None:
        """End every session with its outlet safe, then close."""
        drivers = list(self._drivers)
        for driver in drivers:
            driver.abort(CLOSING)
        await asyncio.gather(*(driver.safe() for driver in drivers))
        await self.server.close()
        await self.tasks.close()

    @property
    def occupied(self) -> bool:
        """Whether a car has the outlet."""
        return self._holder is not None

    async def leave(self, grace: float) -> bool:
        """Take no more cars, ask the one that is here to stop, and wait so many seconds. Whether it has left in order."""
        self._leaving = True
        holder = self._holder
        for driver in list(self._drivers):
            if driver is not holder:
                driver.abort(CLOSING)  # it has not even introduced itself
        if holder is None:
            return True
        holder.tell(StopAsked(CLOSING))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while holder in self._drivers:
                    self._left.clear()
                    await self._left.wait()
        return holder.ended is not None and holder.ended.well

    async def _look(self) -> None:
        """What the outlet can do, while nobody charges."""
        while True:
            await asyncio.sleep(LIMITS_PERIOD)
            if self._holder is None:
                with contextlib.suppress(Exception):  # a broken reading shows in the next session
                    self._limits = await self.place.evse.limits()

    async def _account(self) -> None:
        """Every session's end, when nothing of its connection is left; what never spoke is no session."""
        while True:
            served = await self.server.served.get()
            if served.ended is not None:
                self._over(served.ended)

    def _attend(self, link: Link) -> Driver:
        loop = asyncio.get_running_loop()
        session = SeccSession(
            replace(self.place.outlet, limits=self._limits),
            self._clock,
            loop.time(),
            entropy=secrets.token_bytes,
            tls=link.tls,
            verifier=self._verifier,
            prices=self._prices,
            paused=self._paused,
            insecure=self._tls is None,
        )
        driver = Driver(session, self.place.evse, self.place.backend, self, loop.time, lambda: _soon(loop, link.nudge))
        self._drivers[driver] = link
        return driver

    def _seated(self, endpoint: Endpoint) -> bool:
        """Whether this is the session that holds the outlet: no newcomer costs it its connection."""
        return endpoint is self._holder

    # --- discovery ---

    def welcome(self, source: str) -> Welcome:
        """How welcome a car is that asks from this address."""
        holder = self._holder
        if self.unserviceable():
            return Welcome.NOT
        if holder is None:
            return Welcome.FREE
        if source.startswith("fe80:") and self._drivers[holder].peer[0].partition("%")[0] == source:  # on a loopback all cars have one
            return Welcome.BACK
        return Welcome.SILENT if holder.ended is None and self._silent(holder) else Welcome.NOT

    def linked(self) -> bool | None:
        """Whether the data link to a car stands at the outlet."""
        try:
            return self.place.evse.linked()
        except Exception:
            log.exception("%s: whether there is a data link cannot be told", self.place.outlet.evse_id)
            return None

    # --- the station of a driver ---

    def taken(self, driver: Driver) -> bool:
        """Whether another session keeps the outlet: one that is alive, or that belongs to another car."""
        holder = self._holder
        if holder is None or holder is driver or holder.ended is not None:
            return False
        return not (self._silent(holder) and _car(self._drivers[holder]) == _car(self._drivers[driver]))

    def _silent(self, holder: Driver) -> bool:
        heard = holder.session.heard
        return heard is None or asyncio.get_running_loop().time() - heard >= SILENCE

    def claim(self, driver: Driver) -> Driver | None:
        before, self._holder = self._holder, driver
        if before is not None:
            before.abort("its car came back on another connection")
        return before

    def unserviceable(self) -> str:
        return self._why or (CLOSING if self._leaving else "")

    def broken(self, driver: Driver, why: str) -> None:
        """The outlet may be live without a session: it serves nobody until its contactor has opened."""
        log.critical("%s is out of service: %s", self.place.evse.evse_id, why)
        repairing, self._why = bool(self._why), why
        self._tell_service()
        if self._holder is not None and self._holder is not driver:
            self._holder.abort(f"the outlet is out of service: {why}")
        if not repairing:
            self.tasks.start(f"repair of {self.place.evse.evse_id}", self._repair())

    async def _repair(self) -> None:
        while self._why:
            await asyncio.sleep(REPAIR_PERIOD)
            self._why = await opened(self.place.evse)
        log.warning("%s is in service again: its contactor has opened", self.place.evse.evse_id)
        self._tell_service()

    def _tell_service(self) -> None:
        try:
            self.place.backend.heard(OutOfService(self._why))
        except Exception:
            log.exception("%s: the backend failed on OutOfService", self.place.evse.evse_id)

    def release(self, driver: Driver) -> None:
        self._drivers.pop(driver, None)
        self._left.set()
        if self._holder is driver:
            self._holder = None


def _announced() -> int:
    """A port that discovery may announce: there are cars that believe no other than a dynamic one."""
    return DYNAMIC_PORTS.start + secrets.randbelow(len(DYNAMIC_PORTS))


def _soon(loop: asyncio.AbstractEventLoop, nudge: Callable[[], None]) -> None:
    loop.call_soon(nudge)


def _car(link: Link) -> object:
    """By what a car is known before it says anything: its certificate, or its address on a bench."""
    return link.tls.peer_chain[0] if link.tls is not None and link.tls.peer_chain else link.peer[0]


class Station:
    """N outlets in one process. `say` hears of a background task that fell.

    `tls` None is the bench override: plain TCP, which -20 forbids and the events say aloud.
    """

    def __init__(
        self,
        places: Sequence[Place],
        tls: ServerTls | None,
        *,
        clock: Clock,
        verifier: Verifier | None = None,
        prices: PriceSigner | None = None,
        observe: Sequence[Observe] = (),
        say: Callable[[Fallen], None] | None = None,
    ):
        paused = PausedSessions()
        self._waiting: list[asyncio.Future[Ended]] = []
        self._handshakes = Handshakes()  # one for all outlets: what strangers may cost is bounded for the process
        silent = silent_room(len(places) or 1)
        numbers = itertools.count(1).__next__  # one for all: a trace of several outlets tells their connections apart
        common = (tls, clock, paused, verifier, prices, observe, self._over, self._handshakes, silent, numbers, say)
        self.bays = [Bay(place, *common) for place in places]
        self._security = Security.TLS if tls is not None else Security.NONE
        self._responders: list[DiscoveryServer] = []

    async def __aenter__(self) -> "Station":
        started: list[Bay] = []
        try:
            for bay in self.bays:
                await bay.start()
                started.append(bay)
            for iface in dict.fromkeys(bay.place.iface for bay in self.bays if bay.place.iface):
                self._responders.append(self._responder(iface))
                await self._responders[-1].start()
        except BaseException:
            self._answer_no_more()
            for bay in started:
                await bay.close()
            raise
        return self

    @property
    def occupied(self) -> bool:
        """Whether there is a car at any outlet."""
        return any(bay.occupied for bay in self.bays)

    async def leave(self, grace: float) -> bool:
        """Ask every car to stop by EVSENotification, take no more, and wait `grace` seconds; whether all have left in order."""
        return all(await asyncio.gather(*(bay.leave(grace) for bay in self.bays)))

    async def __aexit__(self, *_: object) -> None:
        self._answer_no_more()
        await asyncio.gather(*(bay.close() for bay in self.bays))
        self._handshakes.close()

    def _responder(self, iface: str) -> DiscoveryServer:
        """Who answers on an interface, for all its outlets: two that answer send every car to whichever is faster."""
        bays = [bay for bay in self.bays if bay.place.iface == iface]
        lobby, loop = Lobby(bays), asyncio.get_running_loop()

        def answer(source: str) -> Response | None:
            chosen = lobby.chosen(source, loop.time())
            return None if chosen is None else Response(link_local(iface), bays[chosen].server.port, self._security)

        return DiscoveryServer(iface, answer)

    def _answer_no_more(self) -> None:
        for responder in self._responders:
            responder.close()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where each outlet listens."""
        return [bay.server.address for bay in self.bays]

    def reload(self, tls: ServerTls | None, verifier: Verifier | None, prices: PriceSigner | None = None) -> None:
        """Take other certificates and anchors from the next session on; those that run are not disturbed."""
        for bay in self.bays:
            bay.reload(tls, verifier, prices)

    def account(self) -> dict[str, dict[str, Any]]:
        """The background tasks of all outlets: what runs, what fell, how often, why (JSON)."""
        return {name: said for bay in self.bays for name, said in bay.tasks.account().items()}

    async def once(self) -> Ended:
        """Wait until the next session has ended, at whichever outlet; its end."""
        end: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._waiting.append(end)
        return await end

    def _over(self, ended: Ended) -> None:
        waiting, self._waiting = self._waiting, []
        for end in waiting:
            if not end.done():
                end.set_result(ended)


def wall_clock(scale: float = 1.0, epoch: float | None = None) -> Clock:
    """The clock of this machine, `scale` times as fast, and set to `epoch` where given."""
    return Clock(time.time() if epoch is None else epoch, asyncio.get_running_loop().time(), scale)


def surroundings(clock: Clock) -> Surroundings:
    """What a backend needs, from the running event loop: jobs go to a thread."""
    loop = asyncio.get_running_loop()

    def later(delay: float, call: Callable[[], None]) -> Callable[[], None]:
        return loop.call_later(delay, call).cancel

    def work(job: Callable[[], object], done: Callable[[object], None]) -> None:
        task = loop.create_task(asyncio.to_thread(job))
        task.add_done_callback(lambda finished: _delivered(finished, done))

    return Surroundings(lambda: clock.wall(loop.time()), later, work)


def _delivered(finished: "asyncio.Task[object]", done: Callable[[object], None]) -> None:
    if finished.cancelled():
        return
    if (error := finished.exception()) is not None:
        log.error("a job of the backend failed", exc_info=error)
        return
    done(finished.result())
