"""One outlet of a station, with its listener and its sessions: which session has it, which may take it over, whether it is safe to serve.

An outlet has one session at a time: a second car is refused at SessionSetup, and a car that comes back after it fell silent takes over from
its former session.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from secc.claims import PriceSigner, Verifier
from secc.conduct import Conduct
from secc.doorkeeper import CLOSING, Doorkeeper
from secc.driver import Driver
from secc.engine import SeccSession
from secc.evse import EVSE, EVSE_ID, DataLink
from secc.foreseen import SIGNED, Foreseen
from secc.generations import CONDUCTS
from secc.lobby import Seen, Welcome
from secc.opening import open_outlet, send_home
from secc.outlet import Outlet
from secc.pause import PausedSessions
from secc.readers import Readers, ReadingDriver, aside
from secc.station import Backend, Limits, OutOfService, StopAsked, TurnedAway
from secc.watches import LIMITS_PERIOD
from v2g.legible import logger
from v2g.session.admission import Stage
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended, Endpoint
from v2g.session.link import Link, Observe
from v2g.session.sdp import WirelessRequest
from v2g.session.transport import Server, ServerTls
from v2g.session.transport.addresses import link_local, with_zone
from v2g.session.transport.handshakes import Handshakes
from v2g.session.transport.listener import Listener
from v2g.tasks import Fallen, Tasks

log = logger("v2g.secc")

REPAIR_PERIOD = 10.0  # s between two attempts to open a contactor that did not, or to send a device home
SILENCE = 2.0  # s without a request after which a car that connects anew has evidently lost its old session


@dataclass(frozen=True, slots=True)
class Place:
    """One outlet: its hardware, what it offers, who decides, and where cars reach it.

    With `iface` cars find it by SDP on that interface, and it listens on the link-local address there. Port 0 is any free one, or with
    `iface` a random one of those that SDP may announce. Places that are `shared` have one listener where interface, host and port are
    the same.
    """

    evse: EVSE
    outlet: Outlet
    backend: Backend
    host: str = "::1"
    port: int = 0
    iface: str | None = None
    observe: Sequence[Observe] = ()  # who watches the connections of this outlet, besides those who watch all
    link: DataLink | None = None  # who knows of the data link; None: the hardware
    shared: bool = False  # with other places, at one listener

    @property
    def address(self) -> tuple[str, int | None]:
        """Host and port to listen on; the port None is a random one, for there are cars that believe no announced port but a dynamic one.

        Raises Unreachable where the interface has no link-local address.
        """
        host = with_zone(link_local(self.iface), self.iface) if self.iface else self.host
        return host, self.port or (None if self.iface else 0)

    def __post_init__(self) -> None:
        if self.outlet.evse_id == EVSE_ID != self.evse.evse_id:  # the hardware has a name, the offer has not
            object.__setattr__(self, "outlet", replace(self.outlet, evse_id=self.evse.evse_id))


class Bay:
    """An outlet that is served: its listener and its sessions. To the drivers of these sessions it is their `Station`."""

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
        readers: Readers,
        silent: int,
        numbers: Callable[[], int],
        say: Callable[[Fallen], None] | None = None,
        conducts: Sequence[Conduct] = CONDUCTS,
        listener: Listener | None = None,
    ):
        self.place, self._conducts = place, conducts
        self._over, self._readers = over, readers
        self._tls, self._clock, self._paused, self._verifier, self._prices = tls, clock, paused, verifier, prices
        self._limits: Limits = place.outlet.limits
        self._drivers: dict[Driver, Link] = {}
        self._holder: Driver | None = None
        self._why = ""  # the outlet is out of service
        self._docked = False  # its device may be down, and must be home before it serves again
        self._said = ""  # what the backend was told of that
        self.leaving = False  # no more cars are taken
        self.came: Callable[[str], None] = lambda source: None  # called with the address of whoever connects
        self._left = asyncio.Event()  # set whenever a session has gone
        self.tasks = Tasks("v2g.secc", say)
        self.server = Server(
            self._attend,
            *place.address,
            tls,
            observe=(*observe, *place.observe, self._arrived),
            room={Stage.SILENT: silent},
            seated=self._seated,
            handshakes=handshakes,
            numbers=numbers,
            name=place.outlet.evse_id,
            listener=listener,
            plain=place.outlet.plain,
        )

    # --- life ---

    async def start(self) -> None:
        """Begin to listen for cars at the address of the outlet."""
        self._limits = await self.place.evse.limits()
        await self.server.start()
        self.tasks.keep(f"limits of {self.place.evse.evse_id}", self._look)
        self.tasks.keep(f"account of {self.place.evse.evse_id}", self._account)

    def reload(self, tls: ServerTls | None, verifier: Verifier | None, prices: PriceSigner | None = None) -> None:
        """Use other TLS credentials, verifier and price signer from the next session on."""
        self._verifier, self._prices = verifier, prices
        if tls is not None and self._tls is not None:
            self._tls = tls
            self.server.reload(tls)

    def abort(self, why: str) -> None:
        """End every session at once, for this reason; the outlet is made safe."""
        for driver in list(self._drivers):
            driver.abort(why)

    async def close(self) -> None:
        """Abort every session, wait until the outlet is safe, then stop to listen."""
        drivers = list(self._drivers)
        self.abort(CLOSING)
        await asyncio.gather(*(driver.safe() for driver in drivers))
        await self.server.close()
        await self.tasks.close()

    @property
    def offer(self) -> Outlet:
        """What the outlet offers."""
        return self.place.outlet

    @property
    def port(self) -> int:
        """The port at which cars reach it."""
        return self.server.port

    @property
    def occupied(self) -> bool:
        """Whether a session has the outlet."""
        return self._holder is not None

    async def leave(self, grace: float) -> bool:
        """Refuse new cars, ask the present one to stop, and wait at most `grace` s; True if its session ended well, or there was none."""
        self.leaving = True
        holder = self._holder
        for driver in list(self._drivers):
            if driver is not holder:
                driver.abort(CLOSING)  # it has not even introduced itself
        if holder is None:
            return True
        holder.decided(StopAsked(CLOSING))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while holder in self._drivers:
                    self._left.clear()
                    await self._left.wait()
        return holder.ended is not None and holder.ended.well

    async def _look(self) -> None:
        """What the outlet can do, while nobody charges, and whether it serves."""
        while True:
            await asyncio.sleep(LIMITS_PERIOD)
            if self._broken() != self._said:
                self._tell_service()
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
            verifier=None if self._verifier is None else Foreseen(self._verifier),
            prices=self._prices,
            paused=self._paused,
            insecure=self._tls is None,
            conducts=self._conducts,
            aside=aside(),
            signed_aside=SIGNED,
        )
        driver = ReadingDriver(
            self._readers, session, self.place.evse, self.place.backend, self, loop.time, lambda: _soon(loop, link.nudge)
        )
        self._drivers[driver] = link
        return driver

    def _seated(self, endpoint: Endpoint) -> bool:
        """Whether this is the session that holds the outlet: no newcomer costs it its connection."""
        return endpoint is self._holder

    def _arrived(self, local: tuple[str, int], peer: tuple[str, int], number: int) -> Doorkeeper:
        self.came(peer[0].partition("%")[0])
        return Doorkeeper(self.turned_away)

    # --- discovery ---

    def welcome(self, source: str) -> Welcome:
        """How welcome at this outlet a car is that asks by SDP from address `source`."""
        return self._seen(None).welcome(source)

    def seen(self) -> Seen:
        """What discovery has to know of this outlet now."""
        return self._seen(self.linked())

    def _seen(self, linked: bool | None) -> Seen:
        holder = self._holder
        if holder is None:
            return Seen(self.unserviceable(), linked=linked)
        source = self._drivers[holder].peer[0].partition("%")[0]
        return Seen(self.unserviceable(), source, holder.ended is None and self._silent(holder), linked)

    def turned_away(self, said: TurnedAway) -> None:
        """A car was refused before it had the outlet."""
        log.info("%s: a car was turned away: %s: %s", self.place.outlet.evse_id, said.how, said.reason)
        try:
            self.place.backend.heard(said)
        except Exception:
            log.exception("%s: the backend failed on TurnedAway", self.place.outlet.evse_id)

    def shut(self) -> str:
        """Why no car is sent to this outlet now, as far as that is not for want of a car at its cable; empty where one is."""
        return self.seen().shut()

    def linked(self) -> bool | None:
        """Whether the data link to a car stands at the outlet; None where that cannot be told."""
        try:
            return (self.place.link or self.place.evse).linked()
        except Exception:
            log.exception("%s: whether there is a data link cannot be told", self.place.outlet.evse_id)
            return None

    def stands(self, request: WirelessRequest) -> bool | None:
        """Whether the car that asks over WLAN stands at this outlet: by what pairs the two, else the data link, else the EVSE it names.

        None where that cannot be told.
        """
        if request.evse not in ("", self.place.outlet.evse_id):
            return False
        try:
            seen = self.place.evse.stands(request.car)
        except Exception:
            log.exception("%s: whether a car stands there cannot be told", self.place.outlet.evse_id)
            seen = None
        seen = self.linked() if seen is None else seen
        return True if seen is None and request.evse else seen

    # --- the station of a driver ---

    def taken(self, driver: Driver) -> bool:
        """Whether another session keeps the outlet from `driver`: it has not ended, and is not the silent former session of its car."""
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
        return self._broken() or (CLOSING if self.leaving else "")

    def _broken(self) -> str:
        """Why the outlet itself serves nobody; empty while it serves."""
        try:
            return self._why or self.place.evse.unserviceable()
        except Exception as error:
            log.exception("%s: whether it serves cannot be told", self.place.evse.evse_id)
            return f"unserviceable() failed: {error!r}"

    def broken(self, driver: Driver, why: str, docked: bool) -> None:
        """The outlet may be live, or its device down, without a session: it serves nobody until the one is open and the other home."""
        log.critical("%s is out of service: %s", self.place.evse.evse_id, why)
        repairing, self._why, self._docked = bool(self._why), why, self._docked or docked
        self._tell_service()
        if self._holder is not None and self._holder is not driver:
            self._holder.abort(f"the outlet is out of service: {why}")
        if not repairing:
            self.tasks.start(f"repair of {self.place.evse.evse_id}", self._repair())

    async def _repair(self) -> None:
        while self._why:
            await asyncio.sleep(REPAIR_PERIOD)
            self._why = await open_outlet(self.place.evse) or (await send_home(self.place.evse) if self._docked else "")
        log.warning("%s is in service again: it is safe", self.place.evse.evse_id)
        self._docked = False
        self._tell_service()

    def _tell_service(self) -> None:
        self._said = self._broken()
        try:
            self.place.backend.heard(OutOfService(self._said))
        except Exception:
            log.exception("%s: the backend failed on OutOfService", self.place.evse.evse_id)

    def release(self, driver: Driver) -> None:
        self._drivers.pop(driver, None)
        self._left.set()
        if self._holder is driver:
            self._holder = None
            if self.place.link is not None and driver.ended is not None:
                self.place.link.session_over(driver.ended)


def _soon(loop: asyncio.AbstractEventLoop, nudge: Callable[[], None]) -> None:
    loop.call_soon(nudge)


def _car(link: Link) -> object:
    """By what a car is known before it says anything: its certificate, or its address on a bench."""
    return link.tls.peer_chain[0] if link.tls is not None and link.tls.peer_chain else link.peer[0]
