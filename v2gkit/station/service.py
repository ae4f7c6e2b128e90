"""A station as a service: it uses renewed certificates, lets its cars leave when it is stopped, and reports events."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pki.errors import StoreError
from pki.store import Store
from secc.bay import Place
from secc.config import Config, OutletConfig, limits_of
from secc.doorkeeper import CLOSING
from secc.evse import EVSE
from secc.server import Station, surroundings
from secc.station import Backend
from secc.trust import price_signing, station_tls, station_verifier
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended
from v2g.session.errors import StationFailed
from v2g.session.link import Observe, address_text
from v2g.session.transport import ServerTls
from v2g.tasks import Account, Fallen, Tasks
from v2gkit.station.backends import backends_of
from v2gkit.station.hardware import distinct, hardware_of
from v2gkit.station.staples import kept_fresh
from v2gkit.station.supervisor import Supervisor
from v2gkit.station.teller import teller
from v2gkit.station.thrift import Allocator, settled
from v2gkit.station.unlocking import unlocking
from v2gkit.wall import wall_of

if TYPE_CHECKING:  # stations without a modem do without it
    from v2gkit.station.matching import Matching

RENEWAL_PERIOD = 5.0  # s between two looks at the certificates


@dataclass(frozen=True, slots=True)
class Manner:
    """How a station is run. `say` takes the name of an event and its facts, `complain` one line for the user."""

    clock: Clock
    watch: Callable[..., list[Observe]]  # for one outlet, called with evse=its id
    say: Callable[..., None]
    complain: Callable[[str], None]
    once: bool = False  # one session only
    folder: Path | None = None  # of the configuration: what it names is found from there
    judged_at: str | None = None  # the time at which certificates are judged, where it is not the machine's
    accounts: list[Account] = field(default_factory=list)  # of background tasks; filled while it runs
    frames: Callable[[Mapping[int, str]], Callable[[str, str], None]] | None = None  # makes who hears OCPP, from the EVSE ids by number

    def fell(self, fallen: Fallen) -> None:
        """Report that a background task failed."""
        self.say("task-fell", name=fallen.name, reason=fallen.reason, restarts=fallen.restarts, again_in=fallen.again)


async def serve(config: Config, manner: Manner) -> Ended | None:
    """Run the station until a signal or, with `once`, until one session has ended.

    Returns how that session ended; None after a signal, where all cars left in order. Raises ConfigError, StoreError, CertificateError,
    Unreachable and OSError for whatever keeps it from starting.
    """
    stop, again = stopping()
    supervisor, allocator = Supervisor(), Allocator()
    allocator.save()
    store = Store(config.pki) if config.pki else None
    tls = tls_of(store, config, manner) if store is not None and config.tls else None
    verifier = station_verifier(store, config.profile, central=config.ocpp is not None) if store is not None else None
    prices = price_signing(store, config.profile) if store is not None else None
    furniture = [hardware_of(each, manner.clock, manner.folder) for each in config.outlets()]
    outlets, follows = distinct([each for _, each in furniture]), {evse.evse_id: evse.grid_functions for evse, _ in furniture}
    lines = {each.evse_id: matching_of(each.slac, each.evse_id, manner) for each in outlets if each.slac}
    async with (
        reached([evse for evse, _ in furniture], manner) as unlock,
        backends_of(
            config, outlets, surroundings(manner.clock), manner.clock, store, manner.fell, manner.accounts, manner.frames, unlock, follows
        ) as backends,
    ):
        places = [
            place_of(config, evse, each, backend, manner, lines.get(each.evse_id))
            for (evse, each), backend in zip(furniture, backends, strict=True)
        ]
        async with (
            Station(places, tls, clock=manner.clock, verifier=verifier, prices=prices, say=manner.fell, state=config.state) as station,
            Tasks("v2g.secc", manner.fell) as tasks,
        ):
            manner.accounts.extend((station.account, tasks.account))
            judged = {"judged_at": manner.judged_at} if tls is not None and manner.judged_at is not None else {}
            for place, address in zip(places, station.addresses, strict=True):
                manner.say("listening", address=address_text(address), evse=place.outlet.evse_id, tls=tls is not None, **judged)
            for evse_id, line in lines.items():
                tasks.keep(f"matching of {evse_id}", line.run)
            if store is not None:
                _follow(tasks, store, station, config, manner)
            settled()
            if allocator.there:
                tasks.keep("free memory", allocator.thrifty)
            supervisor.tell("READY=1")
            if supervisor.pace is not None:
                tasks.keep("sign of life", supervisor.alive)
            ended = await until_stopped(station.once() if manner.once else stop.wait(), stop)
            supervisor.tell("STOPPING=1")
            return await left(station, config.grace, again, manner) if stop.is_set() else ended


@contextlib.asynccontextmanager
async def reached(hardware: list[EVSE], manner: Manner) -> AsyncIterator[Callable[[int], None]]:
    """Within the block: what keeps the ways to firmware open is told of as all background work is; it ends after everything else.

    The block gets what unlocks the connector of an outlet by its number (`unlocking`).
    """
    ways = [tasks for evse in hardware if isinstance(tasks := getattr(evse, "tasks", None), Tasks)]
    for tasks in ways:
        tasks.say = manner.fell
        manner.accounts.append(tasks.account)
    try:
        yield unlocking(hardware)
    finally:
        await asyncio.gather(*(tasks.close() for tasks in ways))


def matching_of(interface: str, evse_id: str, manner: Manner) -> "Matching":
    """What matches cars with an outlet on the interface of its power line modem."""
    from v2gkit.station.matching import Matching

    return Matching(interface, evse_id, manner.say)


def place_of(config: Config, evse: EVSE, outlet: OutletConfig, backend: Backend, manner: Manner, link: "Matching | None") -> Place:
    """An outlet with what it offers, who decides, who watches, and who knows of its data link."""
    offer = replace(outlet.offer, limits=limits_of(outlet)) if outlet.offer else config.offer
    observe = [teller(manner.say, outlet.evse_id), *manner.watch(evse=outlet.evse_id)]
    host, port, shared = outlet.host or config.host, outlet.port or 0, config.listener == "shared"
    return Place(evse, offer, backend, host, port, outlet.iface, observe, link, shared)


def _follow(tasks: Tasks, store: Store, station: Station, config: Config, manner: Manner) -> None:
    """Follow the certificates: those that are replaced on disk, and what their responders say of them."""

    def unstapled(wrong: dict[str, str]) -> None:
        """Say which certificates have no fresh OCSP response; cars may refuse a station without."""
        for name, reason in wrong.items():
            manner.complain(f"no OCSP response for {name}: {reason}")

    tasks.keep("certificates on disk", partial(renewed, store, station, config, manner))
    if config.ocpp is None or config.responder is not None:  # else the CSMS is asked
        tasks.keep("OCSP responses", partial(kept_fresh, store, config.responder, unstapled, wall=wall_of(manner.clock)))


class Leaving(Protocol):
    """What leaves in order: a station, in one process or several."""

    @property
    def occupied(self) -> bool:
        """Whether a session has any of the outlets."""

    async def leave(self, grace: float) -> bool:
        """Ask every car to stop, and wait at most `grace` s; True if all sessions ended well."""

    def abort(self, why: str) -> None:
        """End every session at once."""


def stopping() -> tuple[asyncio.Event, asyncio.Event]:
    """Two events: set by the first SIGINT or SIGTERM, and by the second."""
    stop, again, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # a platform without signals in its loop
            loop.add_signal_handler(one, lambda: (again if stop.is_set() else stop).set())
    return stop, again


async def left(station: Leaving, grace: float, again: asyncio.Event, manner: Manner) -> Ended | None:
    """Ask the cars to stop and wait `grace` s, or until a second signal; None if all left in order, else an `Ended` that says why not."""
    if station.occupied:
        manner.say("stopping", grace=grace)
    leaving, hurry = asyncio.ensure_future(station.leave(grace)), asyncio.ensure_future(again.wait())
    await asyncio.wait((leaving, hurry), return_when=asyncio.FIRST_COMPLETED)
    if leaving.done() and leaving.result():
        hurry.cancel()
        return None
    leaving.cancel()
    why = "a second signal came" if again.is_set() else f"a car did not leave in order within {grace:g} s"
    station.abort(f"{CLOSING}: {why}")
    return Ended("aborted", StationFailed(why, None))


def tls_of(store: Store, config: Config, manner: Manner) -> ServerTls | None:
    """The TLS of a station by its store; None where no outlet speaks a generation that has TLS. StoreError without a credential."""
    spoken = {name for each in config.outlets() for name in (each.offer or config.offer).generations}
    return station_tls(store, config.profile, wall_of(manner.clock), spoken) if spoken != {"DIN"} else None


async def renewed(store: Store, station: Station, config: Config, manner: Manner) -> None:
    """Watch the certificates on disk, and use replaced ones from the next session on. Never returns."""
    while True:
        await asyncio.sleep(RENEWAL_PERIOD)
        if not store.changed():
            continue
        store.reload()
        try:
            tls = tls_of(store, config, manner) if config.tls else None
            verifier = station_verifier(store, config.profile, central=config.ocpp is not None)
            station.reload(tls, verifier, price_signing(store, config.profile))
        except StoreError as error:
            manner.complain(f"{error}; the certificates of before stay in use")


async def until_stopped(work: Any, stop: asyncio.Event) -> Ended | None:
    """The result of `work`; None where `stop` is set first."""
    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    result = tasks[0].result() if tasks[0] in done else None
    return result if isinstance(result, Ended) else None
