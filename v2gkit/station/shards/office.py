"""A station whose outlets are shared out among workers: this process has discovery, the CSMS, what is planned for all, and the signals.

A worker that is no more takes the sessions of its outlets with it, and nothing else: the CSMS is told that these are faulted, and another
one is started, later and later where that does not help.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pki.errors import StoreError
from pki.store import Store
from secc.config import Config, OutletConfig
from secc.evse import EVSE
from secc.generations import CONDUCTS
from secc.lobby import Lobby
from secc.memory import Memory
from secc.pause import PausedSessions
from secc.responder import Responder
from secc.server import surroundings
from secc.station import Backend
from secc.watches import LIMITS_PERIOD
from v2g.legible import logger
from v2g.session.endpoint import Ended
from v2g.session.link import address_text
from v2g.session.sdp import Security
from v2g.session.transport.discovery import DiscoveryServer
from v2g.settings.strict import ConfigError
from v2g.tasks import Tasks
from v2gkit.station import service
from v2gkit.station.backends import backends_of
from v2gkit.station.hardware import distinct
from v2gkit.station.service import Manner
from v2gkit.station.shards import said
from v2gkit.station.shards.doors import Door, Lines, Watching
from v2gkit.station.shards.shard import Lost, Shard, places_of
from v2gkit.station.staples import kept_fresh
from v2gkit.station.supervisor import Supervisor
from v2gkit.station.thrift import Allocator, settled
from v2gkit.station.unlocking import unlocking
from v2gkit.wall import wall_of

log = logger("v2g.service")
FIRST, LONGEST = 0.5, 60.0  # s before a worker is started anew, at first and at last: its start takes a second of a core


def demand_workable(config: Config, once: bool) -> None:
    """Raise ConfigError for what outlets in several processes cannot do."""
    if os.name != "posix":
        raise ConfigError(f"workers is {config.workers}; on this system a station is one process: leave workers out")
    if once:
        raise ConfigError(f"workers is {config.workers} and --once serves one session: leave one of them out")
    for outlet in config.outlets():
        if (outlet.offer or config.offer).couplings:
            why = "is found over WLAN, where one process has to know who stands where: leave workers out"
            raise ConfigError(f"workers is {config.workers} and {outlet.evse_id} {why}")


class Remote(EVSE):
    """The hardware of an outlet in a worker, as far as the parent has to do with it."""

    def __init__(self, shard: Shard, place: int):
        super().__init__()
        self._shard, self._place = shard, place

    async def unlock_connector(self) -> bool:
        """Unlock the connector, in the worker."""
        return await self._shard.unlock(self._place)


class Office:
    """All workers of a station, and what they have in common."""

    def __init__(self, config: Config, manner: Manner, tasks: Tasks):
        self._config, self._manner, self._tasks = config, manner, tasks
        self._memory = Memory(Path(config.state)) if config.state else None
        self._paused = PausedSessions() if self._memory is None else self._memory.paused()
        self._responders: list[DiscoveryServer] = []
        self.outlets = list(config.outlets())
        watch = {place: manner.watch(evse=each.evse_id) for place, each in enumerate(self.outlets)}
        watching = Watching(watch) if any(watch.values()) else None
        level, shared = logging.getLogger().level, places_of(len(self.outlets), config.workers)
        self.shards = [
            Shard(
                f"worker {number}",
                said.Furnish(config, places, manner.clock, manner.folder, level, watching is not None, number, config.workers),
                Lines(manner.say),
                manner.complain,
                self._news,
            )
            for number, places in enumerate(shared, 1)
        ]
        for shard in self.shards:
            shard.watching = watching
        self.doors: list[Door] = []

    # --- Leaving ---

    @property
    def occupied(self) -> bool:
        """Whether a session has any of the outlets."""
        return any(shard.occupied for shard in self.shards)

    async def leave(self, grace: float) -> bool:
        """Refuse new cars, let every car leave, and wait at most `grace` s; whether all sessions ended well."""
        for shard in self.shards:
            shard.closing = True  # one that is lost now is not started anew
        return all(await asyncio.gather(*(shard.leave(grace) for shard in self.shards)))

    def abort(self, why: str) -> None:
        """End every session at once."""
        for shard in self.shards:
            shard.say(said.Abort(why))

    # --- life ---

    async def furnish(self) -> None:
        """Start all workers; the outlets have the EVSE ids of their hardware afterwards. Raises ConfigError."""
        try:
            await asyncio.gather(*(shard.furnish() for shard in self.shards))
        except Lost as error:
            raise ConfigError(f"{error}; what it said stands above") from None
        for shard in self.shards:
            for place, (evse_id, _) in zip(shard.places, shard.outlets, strict=True):
                self.outlets[place] = named(self.outlets[place], evse_id)
        distinct(self.outlets)

    def functions(self) -> Mapping[str, tuple[str, ...]]:
        """What the inverters of the hardware follow, by EVSE id."""
        return {evse_id: functions for shard in self.shards for evse_id, functions in shard.outlets}

    def hardware(self) -> Sequence[EVSE]:
        """The hardware of all outlets, as far as it is at hand here."""
        where = {place: shard for shard in self.shards for place in shard.places}
        return [Remote(where[place], place) for place in range(len(self.outlets))]

    async def open(self, backends: Sequence[Backend | None]) -> None:
        """Let all workers serve, with who decides for each outlet (None: it does), and answer discovery for them."""
        self.doors = [
            Door(each.offer or self._config.offer, each.iface, backend) for each, backend in zip(self.outlets, backends, strict=True)
        ]
        deciding = {place: backend for place, backend in enumerate(backends) if backend is not None}
        for shard in self.shards:
            shard.backends, shard.doors = deciding, dict(enumerate(self.doors))
        try:
            await asyncio.gather(*(shard.open(said.Open((), tuple(self._paused), False)) for shard in self.shards))
        except Lost as error:
            raise ConfigError(f"{error}; what it said stands above") from None
        for shard in self.shards:
            self._tasks.keep(shard.name, partial(self._kept, shard, [False]))
        if self._memory is not None:
            self._tasks.keep("paused sessions", self._memory.follow)
        for iface in dict.fromkeys(door.iface for door in self.doors if door.iface):
            await self._answer(iface)

    async def close(self) -> None:
        """Answer nobody any more, and end all workers, whose outlets are safe then."""
        for responder in self._responders:
            responder.close()
        await asyncio.gather(*(shard.close() for shard in self.shards))
        if self._memory is not None:
            self._memory.write()

    async def _kept(self, shard: Shard, begun: list[bool]) -> None:
        """Watch a worker to its end; where it was lost before, start it anew."""
        if begun[0] and not shard.closing:
            await shard.furnish()
            ports = tuple(port for _, port in shard.addresses)
            await shard.open(said.Open(ports, tuple(self._paused), True))
            shard.back()
            self.say_listening(shard)
        begun[0] = True
        await shard.watched()
        await asyncio.Event().wait()  # it is closed: until this task is, too

    def say_listening(self, shard: Shard) -> None:
        """Say where the outlets of a worker listen."""
        for place, address in zip(shard.places, shard.addresses, strict=True):
            self._say_place(place, address)

    def say_all_listening(self) -> None:
        """Say where all outlets listen, in the order of the file."""
        where = {place: address for shard in self.shards for place, address in zip(shard.places, shard.addresses, strict=True)}
        for place in sorted(where):
            self._say_place(place, where[place])

    def _say_place(self, place: int, address: tuple[str, int]) -> None:
        tls, judged_at = self._config.tls, self._manner.judged_at
        judged = {"judged_at": judged_at} if tls and judged_at is not None else {}
        self._manner.say("listening", address=address_text(address), evse=self.outlets[place].evse_id, tls=tls, **judged)

    async def _answer(self, iface: str) -> None:
        """Answer discovery on an interface from now on."""
        now = asyncio.get_running_loop().time
        security = Security.TLS if self._config.tls else Security.NONE
        answers = Responder(iface, [door for door in self.doors if door.iface == iface], security, CONDUCTS, now)
        self._responders.append(DiscoveryServer(iface, answers.wired, refused=answers.refused, plain=answers.plain))
        await self._responders[-1].start()
        self._tasks.keep(f"data links on {iface}", lambda: _watched(answers.lobby))

    def account(self) -> dict[str, dict[str, Any]]:
        """For each background task of all workers: whether it runs, how often it failed, why. JSON-able."""
        return {f"{shard.name}: {name}": facts for shard in self.shards for name, facts in shard.account.items()}

    def _news(self, news: said.Kept | said.Dropped) -> None:
        """Keep a session that has paused, or forget it: it goes on at its own outlet, whose worker knows it, but for one that begins."""
        if isinstance(news, said.Kept):
            self._paused.keep(news.session)
        else:
            self._paused.drop(news.session)


async def _watched(lobby: Lobby) -> None:
    while True:
        await asyncio.sleep(LIMITS_PERIOD)
        lobby.look()


def named(outlet: OutletConfig, evse_id: str) -> OutletConfig:
    """The outlet with the EVSE id that its hardware has."""
    return replace(outlet, evse_id=evse_id, offer=None if outlet.offer is None else replace(outlet.offer, evse_id=evse_id))


@contextlib.asynccontextmanager
async def _deciding(config: Config, office: Office, store: Store | None, manner: Manner) -> AsyncIterator[Sequence[Backend | None]]:
    """Within the block: who decides here for each outlet; None where its worker does by itself."""
    if config.ocpp is None and not config.shares:
        yield [None] * len(office.outlets)
        return
    around, unlock = surroundings(manner.clock), unlocking(office.hardware())
    async with backends_of(
        config, office.outlets, around, manner.clock, store, manner.fell, manner.accounts, manner.frames, unlock, office.functions()
    ) as backends:
        yield backends


async def serve(config: Config, manner: Manner) -> Ended | None:
    """Run the station until a signal, as `service.serve` does. Raises what that raises."""
    demand_workable(config, manner.once)
    stop, again = service.stopping()
    supervisor, allocator = Supervisor(), Allocator()
    allocator.save()
    store = Store(config.pki) if config.pki else None
    if store is not None and config.tls:
        service.tls_of(store, config, manner)  # what is wrong with it is said once, here
    async with Tasks("v2g.service", manner.fell) as tasks, Tasks("v2g.service", manner.fell, first=FIRST, longest=LONGEST) as kept:
        office = Office(config, manner, kept)
        try:
            await office.furnish()
            async with _deciding(config, office, store, manner) as backends:
                try:
                    await office.open(backends)
                    manner.accounts.extend((office.account, tasks.account, kept.account))
                    office.say_all_listening()
                    _follow(tasks, store, config, manner)
                    settled()
                    if allocator.there:
                        tasks.keep("free memory", allocator.thrifty)
                    supervisor.tell("READY=1")
                    if supervisor.pace is not None:
                        tasks.keep("sign of life", supervisor.alive)
                    await stop.wait()
                    supervisor.tell("STOPPING=1")
                    return await service.left(office, config.grace, again, manner)
                finally:
                    await office.close()
        finally:
            await office.close()


def _follow(tasks: Tasks, store: Store | None, config: Config, manner: Manner) -> None:
    """Keep the OCSP responses fresh for all workers, and look at certificates that are replaced."""
    if store is None:
        return

    def unstapled(wrong: dict[str, str]) -> None:
        for name, reason in wrong.items():
            manner.complain(f"no OCSP response for {name}: {reason}")

    tasks.keep("certificates on disk", partial(_reread, store, manner))
    if config.ocpp is None or config.responder is not None:  # else the CSMS is asked
        tasks.keep("OCSP responses", partial(kept_fresh, store, config.responder, unstapled, wall=wall_of(manner.clock)))


async def _reread(store: Store, manner: Manner) -> None:
    """Ask about those certificates that are there now. Never returns."""
    while True:
        await asyncio.sleep(service.RENEWAL_PERIOD)
        if store.changed():
            with contextlib.suppress(StoreError):  # workers say it
                store.reload()
