"""The shell of a station: one listener for each outlet, one discovery for each interface, hardware, and a clean end.

    async with Station([Place(evse, outlet, backend, "::1", 15118)], tls, clock=clock, verifier=verifier) as station:
        await station.once()

Whatever a car does costs its own session and nothing else. An outlet has one session at a time: a second car is refused when it introduces
itself, and a car that comes back after it fell silent takes over what it left behind.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secc.backend import Surroundings
from secc.bay import Bay, Place
from secc.claims import PriceSigner, Verifier
from secc.conduct import Conduct
from secc.front import Front
from secc.generations import CONDUCTS
from secc.lobby import Lobby
from secc.memory import Memory
from secc.pause import PausedSessions
from secc.readers import Readers
from secc.responder import Responder
from secc.watches import LIMITS_PERIOD
from v2g.legible import logger
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended
from v2g.session.link import Observe
from v2g.session.sdp import Security
from v2g.session.transport import ServerTls
from v2g.session.transport.discovery import DiscoveryServer
from v2g.session.transport.handshakes import Handshakes
from v2g.session.transport.listener import Listener
from v2g.session.transport.server import silent_room
from v2g.tasks import Fallen, Tasks
from v2g.workers import Workers

log = logger("v2g.secc")
ERRANDS = 4  # threads for what waits for others, a provisioning service among them


@dataclass(frozen=True, slots=True)
class Part:
    """What some outlets of a station have in common with those in other processes; discovery is answered elsewhere."""

    paused: PausedSessions
    numbers: Callable[[], int]  # counts connections


class Station:
    """The outlets of one process. `say` is called when a background task failed; `state` is a folder that keeps pauses over a restart.

    `part` is given where other processes have more outlets of the same station. `tls` None is for a bench: plain TCP, which ISO 15118-20
    forbids; its use is among the events. `conducts` are the generations that are spoken, the newest first.
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
        state: str | None = None,
        conducts: Sequence[Conduct] = CONDUCTS,
        part: Part | None = None,
    ):
        self._memory, self._tasks = Memory(Path(state)) if state else None, Tasks("v2g.secc", say)
        paused = PausedSessions() if self._memory is None else self._memory.paused()
        paused, self._alone = (paused, True) if part is None else (part.paused, False)
        self._waiting: list[asyncio.Future[Ended]] = []
        self._handshakes = Handshakes()  # one for all outlets: what strangers may cost is bounded for the process
        self._readers = Readers()
        silent = silent_room(len(places) or 1)
        # one count for all: a trace of several outlets tells their connections apart
        numbers = itertools.count(1).__next__ if part is None else part.numbers
        common = (tls, clock, paused, verifier, prices, observe, self._over, self._handshakes, self._readers, silent, numbers, say)
        self._fronts = _fronts(places)
        self.bays = [Bay(place, *common, conducts=conducts, listener=_listener(self._fronts, place)) for place in places]
        for bay in self.bays:
            if bay.place.shared:
                self._fronts[_door(bay.place)].bays.append(bay)
        self._security = Security.TLS if tls is not None else Security.NONE
        self._conducts = conducts
        self._answers: list[Responder] = []
        self._responders: list[DiscoveryServer] = []

    async def __aenter__(self) -> "Station":
        started: list[Bay] = []
        try:
            for front in self._fronts.values():
                await front.listener.start()
            for bay in self.bays:
                await bay.start()
                started.append(bay)
            if self._memory is not None:
                self._tasks.keep("paused sessions", self._memory.follow)
            for iface in dict.fromkeys(bay.place.iface for bay in self.bays if bay.place.iface and self._alone):
                await self._answer(iface)
        except BaseException:
            self._answer_no_more()
            self._listen_no_more()
            for bay in started:
                await bay.close()
            await self._tasks.close()
            raise
        return self

    @property
    def occupied(self) -> bool:
        """Whether a session has any of the outlets."""
        return any(bay.occupied for bay in self.bays)

    async def leave(self, grace: float) -> bool:
        """Refuse new cars, ask every car to stop (EVSENotification), and wait at most `grace` s; True if all sessions ended well."""
        return all(await asyncio.gather(*(bay.leave(grace) for bay in self.bays)))

    def abort(self, why: str) -> None:
        """End every session at once, for this reason; the outlets are made safe as after any other."""
        for bay in self.bays:
            bay.abort(why)

    async def __aexit__(self, *_: object) -> None:
        self._answer_no_more()
        self._listen_no_more()
        await asyncio.gather(*(bay.close() for bay in self.bays))
        await self._tasks.close()
        if self._memory is not None:
            self._memory.write()
        self._handshakes.close()
        self._readers.close()

    async def _answer(self, iface: str) -> None:
        """Answer discovery on an interface from now on."""
        now = asyncio.get_running_loop().time
        answers = Responder(iface, [bay for bay in self.bays if bay.place.iface == iface], self._security, self._conducts, now)
        self._answers.append(answers)
        for front in self._fronts.values():
            if front.bays[0].place.iface == iface:
                front.sent_to = answers.sent_to
        self._responders.append(
            DiscoveryServer(iface, answers.wired, refused=answers.refused, wireless=answers.wireless, plain=answers.plain)
        )
        await self._responders[-1].start()
        self._tasks.keep(f"data links on {iface}", lambda: _watched(answers.lobby))

    def _answer_no_more(self) -> None:
        for responder in self._responders:
            responder.close()

    def _listen_no_more(self) -> None:
        for front in self._fronts.values():
            front.close()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The host and port at which each outlet listens."""
        return [bay.server.address for bay in self.bays]

    def reload(self, tls: ServerTls | None, verifier: Verifier | None, prices: PriceSigner | None = None) -> None:
        """Use other TLS credentials, verifier and price signer from the next session on; running sessions are not disturbed."""
        for bay in self.bays:
            bay.reload(tls, verifier, prices)

    def account(self) -> dict[str, dict[str, Any]]:
        """For each background task of all outlets: whether it runs, how often it failed, why. JSON-able."""
        return {name: said for tasks in (self._tasks, *(bay.tasks for bay in self.bays)) for name, said in tasks.account().items()}

    async def once(self) -> Ended:
        """Wait until the next session has ended, at whichever outlet, and return how it ended."""
        end: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._waiting.append(end)
        return await end

    def _over(self, ended: Ended) -> None:
        waiting, self._waiting = self._waiting, []
        for end in waiting:
            if not end.done():
                end.set_result(ended)


def _door(place: Place) -> tuple[str | None, str, int]:
    """What places have in common that share a listener."""
    return place.iface, "" if place.iface else place.host, place.port


def _fronts(places: Sequence[Place]) -> dict[tuple[str | None, str, int], Front]:
    """One front for the shared places of each door."""
    shared = {_door(place): place for place in places if place.shared}
    return {door: Front(*place.address, lambda: asyncio.get_running_loop().time()) for door, place in shared.items()}


def _listener(fronts: dict[tuple[str | None, str, int], Front], place: Place) -> Listener | None:
    return fronts[_door(place)].listener if place.shared else None


async def _watched(lobby: Lobby) -> None:
    """Watch the data links of the outlets for as long as the station stands."""
    while True:
        await asyncio.sleep(LIMITS_PERIOD)
        lobby.look()


def wall_clock(scale: float = 1.0, epoch: float | None = None) -> Clock:
    """A wall clock from this machine's, `scale` times as fast, and set to `epoch` (epoch s) where given."""
    return Clock(time.time() if epoch is None else epoch, asyncio.get_running_loop().time(), scale)


def surroundings(clock: Clock) -> Surroundings:
    """The `Surroundings` of the backends of a station, on the running event loop: plans on threads of their own, errands on others."""
    loop = asyncio.get_running_loop()
    plans, errands = Workers("plans"), Workers("errands", threads=ERRANDS)

    def later(delay: float, call: Callable[[], None]) -> Callable[[], None]:
        return loop.call_later(delay, call).cancel

    return Surroundings(lambda: clock.wall(loop.time()), later, errands.submit, plans.submit, lambda wall: clock.now(wall) - loop.time())
