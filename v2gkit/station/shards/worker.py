"""A worker: some outlets of a station in a process of their own. `python -m v2gkit.station.shards.worker FD` is started by the parent.

It takes orders from the parent alone, over the socket FD. Once the parent is no more, however it went, every session is ended at once and
every contactor opens; signals that reach all processes of a station are the parent's to act on.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any, Final

from pki.errors import CertificateError, StoreError
from pki.store import Store
from secc.bay import Bay, Place
from secc.config import OutletConfig
from secc.doorkeeper import CLOSING
from secc.evse import EVSE
from secc.lobby import Seen
from secc.opening import open_outlet
from secc.server import Part, Station, surroundings
from secc.station import Backend
from secc.trust import price_signing, station_verifier
from v2g.legible import logger
from v2g.session.link import Unreachable
from v2g.settings.strict import ConfigError
from v2g.tasks import Tasks
from v2gkit.station import service
from v2gkit.station.backends import backends_of
from v2gkit.station.hardware import hardware_of
from v2gkit.station.shards import said
from v2gkit.station.shards.channel import Channel
from v2gkit.station.shards.deciding import Away, Deputy, Logging, witness
from v2gkit.station.thrift import Allocator, settled

log = logger("v2g.service")
LOOK: Final = 0.25  # s between two looks at what discovery has to know: a car asks as often
LIFE: Final = 1.0  # s between two signs of life
LAST: Final = "the process that this outlet belongs to is no more"
CURED: Final = (ConfigError, StoreError, CertificateError, Unreachable, OSError)  # by the user, who is told the reason and no traceback


class Worker:
    """The outlets of one worker, from its first order to its end."""

    def __init__(self) -> None:
        self.orders: asyncio.Queue[Any] = asyncio.Queue()  # of its life; what is for a session goes there at once
        self.channel: Channel
        self.deputies: dict[int, Deputy] = {}
        self.hardware: dict[int, EVSE] = {}
        self.tasks = Tasks("v2g.service")

    def hear(self, order: Any) -> None:
        """Take an order of the parent."""
        match order:
            case said.Tell(place=place):
                self.deputies[place].decided(order)
            case said.Unlock(place=place, ticket=ticket):
                self.tasks.start(f"unlock {place}", self._unlock(place, ticket))
            case _:
                self.orders.put_nowait(order)

    async def run(self, connected: socket.socket) -> None:
        """Serve until the parent says so, or is gone."""
        self.channel = await Channel.over(connected, self.hear)
        first = await self._order()
        if not isinstance(first, said.Furnish):
            return
        root, handler = logging.getLogger(), Logging(self.channel, asyncio.get_running_loop())
        root.addHandler(handler)
        root.setLevel(first.level)
        try:
            await self._serve(first)
        except CURED as error:
            self.channel.say(said.Failed(str(error)))
        except Exception as error:
            log.exception("a worker of this station failed")
            self.channel.say(said.Failed(repr(error)))
        finally:
            await self.tasks.close()
            await self.channel.close()
            root.removeHandler(handler)

    async def _order(self) -> Any:
        """The next order; None: the parent is gone."""
        order, gone = asyncio.ensure_future(self.orders.get()), asyncio.ensure_future(self.channel.gone.wait())
        await asyncio.wait((order, gone), return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if order.done():
            return order.result()
        order.cancel()
        return None

    async def _serve(self, given: said.Furnish) -> None:
        allocator = Allocator()
        allocator.save()
        every, manner = given.config.outlets(), self._manner(given)
        furniture = [hardware_of(every[place], given.clock, given.folder) for place in given.places]
        self.hardware = {place: evse for place, (evse, _) in zip(given.places, furniture, strict=True)}
        # what keeps the ways to firmware open ends after everything else
        async with service.reached([evse for evse, _ in furniture], manner):
            self.channel.say(said.Furnished(tuple((evse.evse_id, evse.grid_functions) for evse, _ in furniture)))
            opened = await self._order()
            if not isinstance(opened, said.Open):
                return
            if opened.again:  # nobody knows how the one before left them
                await asyncio.gather(*(self._safe(evse) for evse, _ in furniture))
            store = Store(given.config.pki) if given.config.pki else None
            async with self._backends(given, [outlet for _, outlet in furniture], store, manner) as backends:
                lines = {one.evse_id: service.matching_of(one.slac, one.evse_id, manner) for _, one in furniture if one.slac}
                places = [
                    self._place(given, place, evse, outlet, backend, manner, lines.get(outlet.evse_id))
                    for place, (evse, outlet), backend in zip(given.places, furniture, backends, strict=True)
                ]
                ports = opened.ports or (None,) * len(places)
                places = [place if port is None else replace(place, port=port) for place, port in zip(places, ports, strict=True)]
                async with self._station(given, opened, places, store, manner) as station:
                    for evse_id, line in lines.items():
                        self.tasks.keep(f"matching of {evse_id}", line.run)
                    settled()
                    if allocator.there:
                        self.tasks.keep("free memory", allocator.thrifty)
                    await self._until_closed(station)

    def _manner(self, given: said.Furnish) -> service.Manner:
        say = self.channel.say

        def tell(event: str, **facts: Any) -> None:
            say(said.Line(event, facts))

        def complain(text: str) -> None:
            if given.places[0] == 0:  # of what all workers find out one is enough
                say(said.Complaint(text))

        manner = service.Manner(given.clock, lambda *, evse: [], tell, complain, folder=given.folder)
        self.tasks.say = manner.fell
        return manner

    @contextlib.asynccontextmanager
    async def _backends(
        self, given: said.Furnish, outlets: list[OutletConfig], store: Store | None, manner: service.Manner
    ) -> AsyncIterator[list[Backend]]:
        """Who decides for these outlets: the parent, where it is for all together, else each for itself."""
        if given.config.ocpp is not None or given.config.shares:
            self.deputies = {place: Deputy(place, self.channel.say) for place in given.places}
            yield list(self.deputies.values())
            return
        around = surroundings(given.clock)
        async with backends_of(given.config, outlets, around, given.clock, store, manner.fell, manner.accounts) as backends:
            yield backends

    def _place(
        self, given: said.Furnish, place: int, evse: EVSE, outlet: OutletConfig, backend: Backend, manner: service.Manner, link: Any
    ) -> Place:
        made = service.place_of(given.config, evse, outlet, backend, manner, link)
        return replace(made, observe=[*made.observe, witness(self.channel, place)]) if given.watched else made

    async def _safe(self, evse: EVSE) -> None:
        if why := await open_outlet(evse):
            log.critical("%s: %s", evse.evse_id, why)

    @contextlib.asynccontextmanager
    async def _station(
        self, given: said.Furnish, opened: said.Open, places: list[Place], store: Store | None, manner: service.Manner
    ) -> AsyncIterator[Station]:
        """The station of these places, within the block; what watches it besides its sessions runs with it."""
        config, away = given.config, Away(opened.paused, self.channel.say)
        tls = service.tls_of(store, config, manner) if store is not None and config.tls else None
        verifier = station_verifier(store, config.profile, central=config.ocpp is not None) if store is not None else None
        prices = price_signing(store, config.profile) if store is not None else None
        part = Part(away, itertools.count(given.first, given.step).__next__)
        station = Station(places, tls, clock=given.clock, verifier=verifier, prices=prices, say=manner.fell, part=part)
        async with station, Tasks("v2g.service", manner.fell) as tasks:
            manner.accounts.extend((station.account, tasks.account, self.tasks.account))
            for place, bay in zip(given.places, station.bays, strict=True):
                bay.came = partial(self._came, place)
            if store is not None:
                tasks.keep("certificates on disk", partial(service.renewed, store, station, config, manner))
            self.channel.say(said.Listening(tuple(station.addresses)))
            tasks.keep("doors", partial(self._doors, dict(zip(given.places, station.bays, strict=True))))
            tasks.keep("sign of life", partial(self._alive, manner))
            yield station

    async def _until_closed(self, station: Station) -> None:
        """Carry out orders until the last."""
        while True:
            match await self._order():
                case said.Leave(grace=grace):
                    self.tasks.start("leave", self._leave(station, grace))
                case said.Abort(why=why):
                    station.abort(why)
                case None:
                    log.critical("%s%s; every session ends, every contactor opens", LAST, f" ({why})" if (why := self.channel.why) else "")
                    station.abort(f"{CLOSING}: {LAST}")
                    return
                case said.Close():
                    return

    async def _leave(self, station: Station, grace: float) -> None:
        self.channel.say(said.Left(await station.leave(grace)))

    async def _unlock(self, place: int, ticket: int) -> None:
        try:
            why = "" if await self.hardware[place].unlock_connector() else "the hardware says that the connector is still locked"
        except Exception as error:  # whatever a driver of hardware raises
            why = f"unlock_connector() failed: {error!r}"
        self.channel.say(said.Unlocked(ticket, why))

    # --- what the parent has to know ---

    def _came(self, place: int, source: str) -> None:
        self.channel.say(said.Came(place, source))

    async def _doors(self, bays: dict[int, Bay]) -> None:
        """Tell what discovery has to know, whenever it has changed. Never returns."""
        before: dict[int, Seen] = {}
        while True:
            now = {place: bay.seen() for place, bay in bays.items()}
            if changed := tuple((place, seen) for place, seen in now.items() if before.get(place) != seen):
                self.channel.say(said.Doors(changed, any(bay.occupied for bay in bays.values())))
            before = now
            await asyncio.sleep(LOOK)

    async def _alive(self, manner: service.Manner) -> None:
        """Tell that the loop turns, and how its background tasks do. Never returns."""
        before: dict[str, dict[str, Any]] = {}
        while True:
            account = {name: facts for each in manner.accounts for name, facts in each().items()}
            self.channel.say(said.Alive(None if account == before else account))
            before = account
            await asyncio.sleep(LIFE)


def main(arguments: list[str]) -> int:
    """Serve over the socket whose descriptor is the first argument."""
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)
    descriptor = int(arguments[0])
    os.set_inheritable(descriptor, False)
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(Worker().run(socket.socket(fileno=descriptor)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
