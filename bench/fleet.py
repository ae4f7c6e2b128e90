"""What a fleet costs as it grows; `python -m bench.fleet EVS ... [--servers] [--quick]` measures other sizes, `--quick` without settling.

Sites of fifty cars that are simulated: every figure is of the product's own parts (log, decisions, store, books); cars are numbers that
draw what they are told. A row for each size:

    shed    wall s from a signal's record in the log until every dispatch is acknowledged, in store and log
    minute  CPU s for a minute's telemetry of all cars: reports, a record for each site, rows for the page
    decide  CPU s to decide once for every site, with what it rests on in the store
    plan    CPU s to plan every site for its quarter of an hour, solved here, kept and followed; cars of every other site may give
    settle  CPU s to settle a quarter of an hour of every session, books verified

With `--servers` the log is on NATS JetStream and the store in PostgreSQL, both started here.
"""

import asyncio
import contextlib
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from tests.v2gkit.csms.stores import postgres
from tests.v2gkit.csms.test_bus import served
from v2g.energy.ledger.books import balances, verify
from v2gkit.fleet import settlement
from v2gkit.fleet.arms.verbs import Order
from v2gkit.fleet.conductor import Conductor
from v2gkit.fleet.decision import Car
from v2gkit.fleet.declared import Asset, Contract, Fleet, Program, Site, Tenant
from v2gkit.fleet.log.memory import MemoryLog
from v2gkit.fleet.log.over_nats import NatsLog
from v2gkit.fleet.log.verbs import Log, Said
from v2gkit.fleet.plans.planner import Planner
from v2gkit.fleet.plans.task import solved
from v2gkit.fleet.store import books
from v2gkit.fleet.store.sql import SqlStore, file_url
from v2gkit.grid.standing import Standing
from v2gkit.sql.words import Row

SIZES = (1_000, 2_000, 5_000, 10_000)
CARS = 50  # of a site
POWER, LIMIT = 11_000.0, 400_000.0  # W
START = 1_800_000_000.0


def fleet_of(evs: int) -> Fleet:
    """So many cars at sites of fifty, of two tenants."""
    tenants = ("one", "two")
    sites = [Site(f"s{n}", tenants[n % 2], import_limit=LIMIT) for n in range(evs // CARS)]
    assets = tuple(
        Asset(f"{site.id}-{k}", site.id, "ocpp", f"c-{site.tenant}", POWER, safe=4_000.0, station=f"{site.id}-{k}")
        for site in sites
        for k in range(CARS)
    )
    contracts = tuple(Contract(f"c-{name}", name, import_price=0.3) for name in tenants)
    programs = tuple(Program(f"p-{name}", name, "none", rebound=0.0) for name in tenants)
    return Fleet(tuple(Tenant(name, rank=n) for n, name in enumerate(tenants)), tuple(sites), contracts, assets, programs)


class Cars:
    """Cars that draw what they are told."""

    def __init__(self) -> None:
        self.draws: dict[str, float] = {}

    async def carry(self, asset: Asset, order: Order) -> None:
        """Take an order at once."""
        self.draws[asset.id] = order.power


@contextlib.asynccontextmanager
async def grounds(folder: Path, servers: bool) -> AsyncIterator[tuple[Log, SqlStore]]:
    """Log and store, embedded or on servers."""
    with contextlib.ExitStack() as stack:
        log: Log
        if servers:
            log = await NatsLog.at(stack.enter_context(served(folder, "-js", "-sd", str(folder))))
            store = SqlStore(stack.enter_context(postgres()))
        else:
            log, store = MemoryLog(), SqlStore(file_url(folder))
        try:
            yield log, store
        finally:
            await log.close()
            store.close()


async def taken(conductor: Conductor) -> None:
    """Wait until every order that went out is answered, in log and store."""
    while conductor._tasks._once:
        await asyncio.wait(list(conductor._tasks._once))
        await asyncio.sleep(0)


def report(conductor: Conductor, cars: Cars, tick: float) -> None:
    """What every car draws."""
    for asset in conductor.fleet.asset:
        conductor.report(Car(asset.id, "grid", POWER, POWER, drawn=cars.draws.get(asset.id, 0.0), drawn_at=tick, missing=30_000.0))


async def shed(conductor: Conductor, log: Log, evs: int) -> tuple[float, float, int]:
    """Wall s and CPU s from the record of a signal until all dispatches are acknowledged, and how many they were."""
    before = conductor.counts["taken"]
    began, spent = time.monotonic(), time.process_time()
    await log.append([Said("signal.one", b"{}"), Said("signal.two", b"{}")])
    read: list[int] = []
    while len(read) < 2:
        found = await log.read("conductor", "signal.>", within=10.0)
        read += [each.position for each in found]
        for record in found:
            name = record.subject.rpartition(".")[2]
            cap = 0.4 * LIMIT * evs / CARS / 2
            conductor.heed(f"p-{name}", Standing(import_cap=cap, import_by=(f"dso:{name}:{began}",)))
    await log.ack("conductor", read)
    await conductor.round()
    await taken(conductor)
    return time.monotonic() - began, time.process_time() - spent, conductor.counts["taken"] - before


class Here:
    """Solves where it is asked, so that its CPU counts."""

    async def solve(self, site: str, task: bytes) -> bytes:
        """The plan of a task."""
        return solved(task, time.monotonic)

    async def close(self) -> None:
        """Nothing is left behind."""


async def planned(conductor: Conductor, cars: Cars, tick: float) -> tuple[float, int]:
    """CPU s to plan every site, whose cars leave in two to nine hours, and for how many sites there is a plan."""
    for number, asset in enumerate(conductor.fleet.asset):
        gives = number // CARS % 2 * POWER
        leaves = START + tick + 3_600.0 * (2 + 7 * (number % CARS) / CARS)
        wants = {"missing": 6_000.0 + 400.0 * (number % CARS), "departure": leaves, "give": gives, "spare": gives}
        conductor.report(Car(asset.id, "grid", POWER, POWER, drawn=cars.draws.get(asset.id, 0.0), drawn_at=tick, **wants))
    rates = tuple((START + 900.0 * k, START + 900.0 * (k + 1), 0.2 + 0.1 * (k % 12) / 12, 0.1) for k in range(48))
    planner = Planner(conductor, Here(), lambda: START + tick, lambda site, at: rates)
    began = time.process_time()
    count = await planner.round()
    spent = time.process_time() - began
    await conductor.round()
    await taken(conductor)
    return spent, count


async def settled(store: SqlStore, fleet: Fleet) -> tuple[float, int]:
    """CPU s to settle a quarter of an hour of every session, and how many transactions."""
    rows = []
    for asset in fleet.asset:
        mine = {"tenant": fleet.tenant_of(asset), "asset": asset.id}
        rows.append(Row("sessions", mine | {"id": "s", "contract": asset.contract, "began": START}))
        rows += [Row("registers", mine | {"session": "s", "at": START + at, "imported": 3.0 * at, "exported": 0.0}) for at in (0, 450, 900)]
    for first in range(0, len(rows), 5_000):
        await store.keep(rows[first : first + 5_000])
    began, count = time.process_time(), 0
    for tenant in fleet.tenants:
        count += await settlement.run(store, fleet, tenant, START + 900.0)
    spent = time.process_time() - began
    for tenant in fleet.tenants:
        made = await store.read(lambda connection, who=tenant: list(books.transactions(connection, who)))  # type: ignore[misc]
        assert verify(made) == len(made) == len(fleet.asset) // 2
        assert sum(balances(made).values()) == 0
        assert await settlement.run(store, fleet, tenant, START + 900.0, again=True) == 0
    return spent, count


async def measured(evs: int, servers: bool, quick: bool = False) -> dict[str, float]:
    """The figures of one size; `quick`: nothing is settled."""
    fleet, cars, tick = fleet_of(evs), Cars(), [0.0]
    with tempfile.TemporaryDirectory(prefix="bench-fleet") as folder:
        async with grounds(Path(folder), servers) as (log, store):
            conductor = Conductor(fleet, store, log, {"ocpp": cars}, lambda: START + tick[0], tick=lambda: tick[0])
            for _ in range(3):  # all come, and come to rest
                report(conductor, cars, tick[0])
                await conductor.round()
                await taken(conductor)
                tick[0] += 60.0
            began = time.process_time()
            report(conductor, cars, tick[0])
            await conductor.telemetry()
            minute = time.process_time() - began
            for place in conductor.places.values():
                place.dirty = True
            began = time.process_time()
            await conductor.round()
            decide = time.process_time() - began
            await taken(conductor)
            tick[0] += 10.0
            seconds, cpu, count = await shed(conductor, log, evs)
            solving, sites = await planned(conductor, cars, tick[0])
            assert sites == evs // CARS
            spent, made = (0.0, 0) if quick else await settled(store, fleet)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "shed": seconds,
        "cpu": cpu,
        "told": count,
        "minute": minute,
        "decide": decide,
        "plan": solving,
        "settle": spent,
        "booked": made,
        "MB": peak,
    }


def table(sizes: tuple[int, ...], servers: bool, quick: bool = False) -> None:
    """Print a row for each size."""
    print(f"log and store: {'NATS JetStream, PostgreSQL' if servers else 'in process, SQLite'}")
    print("| EVs | shed s | shed CPU s | told | minute CPU s | decide CPU s | plan CPU s | settle CPU s | booked | peak MB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for evs in sizes:
        said = asyncio.run(measured(evs, servers, quick))
        times = " | ".join(f"{said[name]:.2f}" for name in ("minute", "decide", "plan", "settle"))
        first = f"{said['shed']:.2f} | {said['cpu']:.2f} | {said['told']:.0f}"
        print(f"| {evs} | {first} | {times} | {said['booked']:.0f} | {said['MB']:.0f} |", flush=True)


def run() -> None:
    """Embedded in all sizes; then the largest on servers."""
    table(SIZES, False)
    table(SIZES[-1:], True)


if __name__ == "__main__":
    table(tuple(int(each) for each in sys.argv[1:] if each.isdecimal()) or SIZES, "--servers" in sys.argv, "--quick" in sys.argv)
