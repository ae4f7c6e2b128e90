"""A fleet at work: a CSMS for its stations, the sources of its programs, the conductor, devices on Modbus, settlement. A shell."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from v2g.legible import legible, logger
from v2g.tasks import Tasks
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy
from v2gkit.extras import missing
from v2gkit.fleet import settlement
from v2gkit.fleet.arms.feed import FeedArm
from v2gkit.fleet.arms.metering import Metering
from v2gkit.fleet.arms.modbus import ModbusArm
from v2gkit.fleet.arms.ocpp import OcppArm
from v2gkit.fleet.arms.vendor import VendorArm
from v2gkit.fleet.arms.verbs import Arm, Seen, Watched, car_of
from v2gkit.fleet.arms.watching import Watching
from v2gkit.fleet.conductor import FRESH, LEASE, Conductor
from v2gkit.fleet.declared import Asset, Fleet, Program
from v2gkit.fleet.log.memory import MemoryLog
from v2gkit.fleet.log.over_nats import NatsLog
from v2gkit.fleet.log.verbs import Log
from v2gkit.fleet.plans.over_nats import NatsSolvers
from v2gkit.fleet.plans.planner import Planner
from v2gkit.fleet.plans.pool import PoolSolvers
from v2gkit.fleet.plans.verbs import SolverFault, Solvers
from v2gkit.fleet.pricing import Pricing
from v2gkit.fleet.rest.keys import Bearer
from v2gkit.fleet.rows import declared_rows, signal_row, with_added
from v2gkit.fleet.store.reading import added_rows, open_sessions
from v2gkit.fleet.store.sql import SqlStore
from v2gkit.grid import declared as grid_declared
from v2gkit.grid.declared import Grid
from v2gkit.grid.files import grid_beside
from v2gkit.grid.lines import Line, sentence
from v2gkit.grid.shell.running import Listening
from v2gkit.sql.words import StoreFault

LOG = logger("v2g.fleet")
MINUTE: Final = 60.0  # wall s between two records of telemetry
QUARTER: Final = 900.0  # wall s between two settlements
Say = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted of a fleet. `lease` in wall s; `sample_interval` in s of the stations' clocks."""

    file: Path
    store: str  # URL
    nats: str | None = None
    host: str = "127.0.0.1"
    port: int = 0
    lease: float = LEASE
    fresh: float = FRESH
    sample_interval: int | None = 60
    scale: float = 1.0  # wall s per s, of a simulation
    solvers: int | None = 0  # processes of this machine that make plans; None: whoever works at `nats`; 0: there are no plans
    api: tuple[str, int] | None = None  # address and port of REST and page; None: none
    tls: ssl.SSLContext | None = None  # of the REST
    oidc: Path | None = None  # file of an issuer of tokens, beside keys


class Service:
    """All parts of a fleet in one process. `say` hears every line of what happens, as a JSON-able object."""

    def __init__(
        self,
        asked: Asked,
        fleet: Fleet,
        store: SqlStore,
        log: Log,
        wall: Callable[[], float],
        say: Say,
        solvers: Solvers | None = None,
    ) -> None:
        self.asked, self.store, self.log, self._wall, self._say = asked, store, log, wall, say
        self.csms = Csms(Strategy("setpoint", setpoint=0.0), wall=wall, sample_interval=asked.sample_interval, process="fleet")
        self.watched: dict[str, Watched] = {
            "modbus": ModbusArm(),
            "vendor": VendorArm(asked.file.parent, wall),
            "iso15118": FeedArm(asked.file.parent),
        }
        arms: dict[str, Arm] = {"ocpp": OcppArm(self.csms), **self.watched}
        self.conductor = Conductor(fleet, store, log, arms, wall, self._told, lease=asked.lease, fresh=asked.fresh)
        self.watching = Watching(self.csms, self.conductor, time.monotonic, self.store.note)
        self.metering = Metering(store.note)
        self.listening: dict[str, Listening] = {}
        for program in fleet.program:
            grid = self._grid(program)
            heed = partial(self._heed, program)
            self.listening[program.id] = Listening(grid, wall, partial(self._heard, program), heed)
        self.conductor.settled = self._acknowledged
        self.pricing = Pricing(fleet, asked.file.parent, store, wall, self._priced)
        self.planner = None if solvers is None else Planner(self.conductor, solvers, wall, self.pricing.ahead)

    @property
    def fleet(self) -> Fleet:
        """All that is declared, by the file and by the REST."""
        return self.conductor.fleet

    def _grid(self, program: Program) -> Grid:
        file = self.asked.file.parent / program.grid
        grid = grid_declared.read(file)
        grid.demand_stations(0)
        if grid.tenant != program.tenant:
            raise ValueError(f"{file} is of the tenant {grid.tenant!r}, and the program {program.id!r} of {program.tenant!r}")
        return grid_beside(grid, file.parent)

    # --- what is heard ---

    def _heed(self, program: Program, held: Any, signals: Any) -> None:
        self.conductor.heed(program.id, held, signals)

    def _heard(self, program: Program, line: Line) -> None:
        if (row := signal_row(line)) is not None:
            self.store.note([row])
        self._say({"at": line["at"], "tenant": program.tenant, "topic": "signal", "text": sentence(line), "facts": line})

    def _told(self, tenant: str, text: str, facts: dict[str, Any]) -> None:
        self._say({"at": self._wall(), "tenant": tenant, "topic": "orders", "text": legible(text), "facts": facts})

    def _priced(self, sites: list[str]) -> None:
        if self.planner is not None:
            self.planner.renew(sites)

    def _acknowledged(self, tenant: str, by: tuple[str, ...], at: float) -> None:
        """Tell the book that what a signal wants was taken by all; a book tells its origin."""
        for listening in self.listening.values():
            if listening.book.tenant == tenant:
                for id_ in by:
                    listening.book.acknowledge(id_, at)

    # --- work ---

    async def run(self, tasks: Tasks) -> None:
        """Begin everything; it ends with `tasks`."""
        await self.store.keep(declared_rows(self.fleet, self._wall()))
        await self.conductor.recall()
        await self.pricing.begin()
        tasks.keep("conductor", self.conductor.run)
        for name, listening in self.listening.items():
            tasks.keep(f"signals of {name}", listening.run)
        metered = [asset.id for asset in self.fleet.asset if asset.kind in self.watched]
        self.metering.recall(await self.store.read(open_sessions), metered)
        for asset in self.fleet.asset:
            self.watch(asset, tasks)
        if self.planner is not None:
            await self.planner.recall()
            tasks.keep("plans", partial(self.planner.run, self._pause))
        tasks.keep("prices", partial(self._each, MINUTE, self.pricing.look))
        tasks.keep("telemetry", partial(self._each, MINUTE, self._telemetry))
        tasks.keep("settlement", partial(self._each, QUARTER, self.settle))

    async def _each(self, seconds: float, work: Callable[[], Any]) -> None:
        """Do work every so many wall seconds, at most once a second of the machine."""
        while True:
            await self._pause(seconds)
            await work()

    async def _pause(self, seconds: float) -> None:
        """Wait for so many wall seconds, at least one of the machine."""
        await asyncio.sleep(max(seconds / self.asked.scale, 1.0))

    async def _telemetry(self) -> None:
        """Record what every site draws, and let grid operators know who ask for it."""
        for program in self.fleet.program:
            for site in program.sites or [site.id for site in self.fleet.site if site.tenant == program.tenant]:
                self.listening[program.id].measured(site, self.conductor.estate.flow(site, lambda car: car.drawn or 0.0))
        await self.conductor.telemetry()

    async def settle(self) -> int:
        """Settle all tenants up to now; how many transactions were new. What fails is tried the next time."""
        made = 0
        for tenant in self.fleet.tenants:
            try:
                made += await settlement.run(self.store, self.fleet, tenant, self._wall())
            except (StoreFault, ValueError) as error:
                LOG.error("%s is not settled: %s", tenant, legible(str(error)))
        return made

    def watch(self, asset: Asset, tasks: Tasks) -> None:
        """Hear from now on how an asset is, where that is not told by a CSMS. Raises ConfigError, ValueError, OSError."""
        arm = self.watched.get(asset.kind)
        if arm is None:
            return
        if isinstance(arm, VendorArm):
            arm.know(asset, self.fleet.tenant_of(asset))
        tasks.keep(f"readings of {asset.id}", partial(arm.follow, asset, partial(self._see, asset)))

    def _see(self, asset: Asset, seen: Seen) -> None:
        """Tell the conductor how an asset is."""
        self.metering.hear(asset, self.fleet.tenant_of(asset), seen, self._wall())
        if seen.back:
            self.conductor.told_again(asset.id)
        if seen.here:
            self.conductor.report(car_of(asset, seen, time.monotonic()))
        else:
            self.conductor.gone(asset.id)


@dataclass(frozen=True, slots=True)
class Running:
    """A fleet at work: the port of its stations, the URL of its REST, and keys that are new, by tenant and role: they are nowhere else."""

    service: Service
    port: int
    url: str | None
    fresh: Mapping[str, Mapping[str, str]]


@contextlib.asynccontextmanager
async def served(asked: Asked, fleet: Fleet, wall: Callable[[], float], say: Say) -> AsyncIterator[Running]:
    """A fleet at work within the block. Raises StoreFault, LogFault, ValueError, OSError."""
    store = await asyncio.to_thread(SqlStore, asked.store)
    log: Log = MemoryLog() if asked.nats is None else await NatsLog.at(asked.nats)
    solvers: Solvers | None = None
    try:
        fleet, faults = with_added(fleet, await store.read(added_rows))
        for fault in faults:
            LOG.error("%s; it is left out", legible(fault))
        solvers = await solvers_of(asked)
        service = Service(asked, fleet, store, log, wall, say, solvers)
        with service.csms.heard_by(service.watching.hear):
            async with Tasks("v2g.fleet") as tasks, contextlib.AsyncExitStack() as stack:
                await service.run(tasks)
                server = await service.csms.serve(asked.host, asked.port)
                stack.callback(server.close)
                for arm in service.watched.values():
                    stack.callback(arm.close)
                url, fresh = None, {}
                if asked.api is not None:
                    from v2gkit.fleet.rest import keys, site
                    from v2gkit.fleet.rest.answers import Answers

                    fresh = await keys.first(store, fleet, wall())
                    judge = None if asked.oidc is None else await judge_of(asked.oidc, fleet)
                    answers = Answers(service.conductor, store, wall)
                    url = await stack.enter_async_context(site.opened(answers, *asked.api, asked.tls, judge))
                yield Running(service, next(iter(server.sockets)).getsockname()[1], url, fresh)
    finally:
        if solvers is not None:
            await solvers.close()
        await log.close()
        store.close()


async def solvers_of(asked: Asked) -> Solvers | None:
    """Who makes plans. Raises ValueError where nobody can be asked."""
    if asked.solvers is None:
        if asked.nats is None:
            raise ValueError("solvers at NATS want a server; give --nats URL, or --solvers N for processes of this machine")
        try:
            return await NatsSolvers.at(asked.nats)
        except SolverFault as fault:
            raise ValueError(str(fault)) from None
    return PoolSolvers(asked.solvers) if asked.solvers else None


async def judge_of(file: Path, fleet: Fleet) -> Callable[[str], Awaitable[Bearer | None]]:
    """Who knows the tokens of the issuer that a file names. Raises ConfigError, ValueError, OSError."""
    if lacking := missing(["fleet"]):
        raise ValueError(f"tokens of an issuer: {lacking}")
    from v2gkit.fleet.rest import oidc
    from v2gkit.fleet.rest.asked import Refused

    issuer = oidc.Issuer(await asyncio.to_thread(oidc.declared, file, fleet), lambda: fleet.tenants)

    async def judge(token: str) -> Bearer | None:
        try:
            return await issuer.bearer(token)
        except oidc.Unreachable as error:
            raise Refused(503, str(error)) from None

    return judge
