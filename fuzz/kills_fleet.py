"""A fleet, its NATS and its PostgreSQL, killed in turn while it dispatches and settles: no cap broken, no booking lost or doubled.

    python -m fuzz.kills_fleet --kills 200      # a line for each kill, then its counts; exit code 1 for a fault

Ctrl-C (or SIGTERM) ends it after the kill at hand: what was done until then is judged, books and all.

The fleet is a process with the real conductor, log and store. Its assets are here, in the process that judges: each holds what it was told
last, and its car draws that. The cap changes all the time. An order that raises what a site may draw beyond its cap is a fault; so is a
site that does not come to its cap once all parts are there again. Every step books a quarter of an hour from registers; at the end each
is there once, with the energy that the registers say.
"""

import argparse
import asyncio
import contextlib
import json
import os
import pwd
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, func, select

from fuzz.parts import Part, free_port
from v2g.energy.ledger.books import balances, verify
from v2gkit.fleet import settlement
from v2gkit.fleet.arms.verbs import ArmFault, Order
from v2gkit.fleet.conductor import Conductor
from v2gkit.fleet.decision import Car
from v2gkit.fleet.declared import Asset, Contract, Fleet, Program, Site, Tenant
from v2gkit.fleet.log.over_nats import NatsLog
from v2gkit.fleet.log.verbs import LogFault
from v2gkit.fleet.store import books
from v2gkit.fleet.store.sql import SqlStore
from v2gkit.fleet.store.tables import BOOKS
from v2gkit.grid.standing import Standing
from v2gkit.sql.words import Row, StoreFault

CARS: Final = 8
POWER, LIMIT = 11_000.0, 60_000.0  # W
START: Final = 1_800_000_000.0
STEADY, LONGEST = 90.0, 0.5  # s for everything to be there again, and the cap kept; until the next kill
POSTGRES: Final = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
PARTS: Final = ("fleet", "NATS", "PostgreSQL")
FLEET: Final = Fleet(
    (Tenant("t"),),
    (Site("s", "t", import_limit=LIMIT),),
    (Contract("c", "t", import_price=0.3),),
    tuple(Asset(f"a{n}", "s", "ocpp", "c", POWER, safe=2_000.0, station=f"a{n}") for n in range(CARS)),
    (Program("p", "t", "none", rebound=0.0),),
)


@dataclass(slots=True)
class Count:
    """What came of it."""

    kills: Counter[str] = field(default_factory=Counter)
    orders: int = 0
    booked: int = 0
    broken: list[str] = field(default_factory=list)
    catching: list[float] = field(default_factory=list)  # s


# --- the process that is killed ---


class Wire:
    """Orders to the assets in the judging process, over a connection: each has its number, and its answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._number = 0

    async def carry(self, asset: Asset, order: Order) -> None:
        """Have an asset take an order."""
        self._number += 1
        done = self._waiting[self._number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps({"asset": asset.id, "power": order.power, "number": self._number}).encode() + b"\n")
        try:
            async with asyncio.timeout(10.0):
                await done
        except TimeoutError:
            raise ArmFault("no answer") from None

    async def hear(self) -> dict[str, Any]:
        """The next that the assets say of themselves; answers go to whoever waits for them."""
        while True:
            line = await self._reader.readline()
            if not line:
                raise ConnectionResetError("the assets have gone")
            said: dict[str, Any] = json.loads(line)
            if "number" not in said:
                return said
            if (waiting := self._waiting.pop(said["number"], None)) is not None and not waiting.done():
                waiting.set_result(None)

    def tell(self, said: dict[str, Any]) -> None:
        """Say something to the judge."""
        self._writer.write(json.dumps(said).encode() + b"\n")


async def work(port: int, url: str, nats: str) -> None:
    """Be the fleet until killed."""
    wire = Wire(*await asyncio.open_connection("127.0.0.1", port))
    while True:
        try:
            store, log = SqlStore(url), await NatsLog.at(nats, 64 << 20)
            break
        except (StoreFault, LogFault):
            await asyncio.sleep(0.1)
    conductor = Conductor(FLEET, store, log, {"ocpp": wire}, time.time, lease=3_600.0)
    while True:
        with contextlib.suppress(StoreFault):
            await conductor.recall()
            break
        await asyncio.sleep(0.1)
    running = asyncio.create_task(conductor.run())
    booking = asyncio.create_task(book(store, wire))
    while not running.done() and not booking.done():
        said = await wire.hear()
        for asset, drawn in said["drawn"].items():
            conductor.report(Car(asset, "grid", POWER, POWER, drawn=drawn, drawn_at=time.monotonic(), missing=30_000.0))
        conductor.heed("p", Standing(import_cap=said["cap"], import_by=(f"dso:{said['cap']}",)))
    raise SystemExit(1)


async def book(store: SqlStore, wire: Wire) -> None:
    """Register and settle one quarter of an hour after the other; tell each that is booked. The last two that are there come once more."""
    place: int | None = None
    while True:
        try:
            if place is None:
                place = max(await store.read(booked) - 2, 0)
            await store.keep([row for asset in FLEET.asset for row in registered(asset, place)])
            await settlement.run(store, FLEET, "t", START + 900.0 * (place + 1))
        except StoreFault:
            await asyncio.sleep(0.1)
            continue
        place += 1
        wire.tell({"booked": place})
        await asyncio.sleep(0.05)


def booked(connection: Connection) -> int:
    """How many quarters of an hour are in the books."""
    last = connection.execute(select(func.max(BOOKS.c.end)).where(BOOKS.c.tenant == "t")).scalar_one()
    return 0 if last is None else (last - int(START)) // 900


def registered(asset: Asset, place: int) -> list[Row]:
    """A session's registers at both ends of a quarter of an hour: 2,750 Wh are drawn in each."""
    mine = {"tenant": "t", "asset": asset.id}
    ends = ({"session": "s", "at": START + 900.0 * at, "imported": 2_750.0 * at, "exported": 0.0} for at in (place, place + 1))
    return [Row("sessions", mine | {"id": "s", "contract": "c", "began": START}), *(Row("registers", mine | each) for each in ends)]


# --- who judges ---


class Yard:
    """The assets. It judges each order by the cap that holds."""

    def __init__(self, count: Count) -> None:
        self.holds = dict.fromkeys((asset.id for asset in FLEET.asset), 0.0)
        self.cap, self._count, self.booked = LIMIT, count, 0
        self._caps = [LIMIT]  # those of the last moments: an order may have been decided by any that was told

    def lower(self, cap: float) -> None:
        """Let another cap hold."""
        self.cap = cap
        self._caps = [*self._caps[-20:], cap]

    @property
    def sum(self) -> float:
        """W that all may draw."""
        return sum(self.holds.values())

    def take(self, asset: str, power: float) -> None:
        """Take an order."""
        before = self.sum
        self.holds[asset] = power
        self._count.orders += 1
        if self.sum > before and self.sum > max(self._caps) + 1.0:
            self._count.broken.append(f"{asset} was raised to {power:.0f} W: {self.sum:.0f} W are allowed to be drawn of {self.cap:.0f} W")

    async def attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Tell a fleet what is, every 50 ms, and answer its orders."""

        async def telling() -> None:
            while True:
                writer.write(json.dumps({"cap": self.cap, "drawn": self.holds}).encode() + b"\n")
                await writer.drain()
                await asyncio.sleep(0.05)

        task = asyncio.create_task(telling())
        with contextlib.suppress(ConnectionError, ValueError):
            while line := await reader.readline():
                said = json.loads(line)
                if "booked" in said:
                    self.booked = max(self.booked, said["booked"])
                    continue
                self.take(said["asset"], said["power"])
                writer.write(json.dumps({"number": said["number"]}).encode() + b"\n")
        task.cancel()
        writer.transport.abort()


@contextlib.contextmanager
def parts(folder: Path, port: int) -> Iterator[dict[str, Part]]:
    """Fleet, NATS and PostgreSQL with their files in a folder."""
    nats = shutil.which("nats-server", path=f"{os.environ['PATH']}:/usr/sbin")
    if nats is None or not POSTGRES:
        raise SystemExit("nats-server and PostgreSQL are wanted: apt-get install nats-server postgresql")
    user = None
    data = folder / "postgres"
    data.mkdir()
    folder.chmod(0o755)
    if os.geteuid() == 0:
        user = "postgres"
        os.chown(data, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    who: dict[str, Any] = {"user": user} if user else {}
    made = [str(POSTGRES[-1] / "initdb"), "-D", str(data / "data"), "-A", "trust", "-U", "fleet", "-E", "UTF8"]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL, cwd="/", **who)
    at, stream = free_port(), free_port()
    server = [str(POSTGRES[-1] / "postgres"), "-D", str(data / "data"), "-p", str(at), "-c", "listen_addresses=127.0.0.1"]
    server += ["-c", f"unix_socket_directories={data}"]
    url, bus = f"postgresql://fleet@127.0.0.1:{at}/postgres", f"nats://127.0.0.1:{stream}"
    worker = [sys.executable, "-m", "fuzz.kills_fleet", "--work", str(port), url, bus]
    found = {
        "PostgreSQL": Part(server, "ready to accept connections", user),
        "NATS": Part([nats, "-a", "127.0.0.1", "-p", str(stream), "-js", "-sd", str(folder / "nats")], "Server is ready"),
        "fleet": Part(worker, "", cwd=str(Path(__file__).parents[1])),
    }
    try:
        for each in found.values():
            each.begin()
        yield found
    finally:
        for each in reversed(found.values()):
            each.kill()


def stopped() -> asyncio.Event:
    """What SIGINT or SIGTERM sets, each once: a second one ends the process as it always does."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def heard(number: int) -> None:
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, heard, number)
    return stop


async def judged(kills: int, seed: int, folder: Path, tell: Callable[[str], None]) -> Count:
    """Kill so often, in turn, or until somebody stops it; what came of it. `tell` gets a line for each kill."""
    count, dice, stop = Count(), random.Random(seed), stopped()
    yard = Yard(count)
    server = await asyncio.start_server(yard.attend, "127.0.0.1", 0)
    with parts(folder, server.sockets[0].getsockname()[1]) as found:
        await caught_up(yard, count)
        for number in range(kills):
            if stop.is_set():
                break
            name = PARTS[number % len(PARTS)]
            yard.lower(dice.choice((15_000.0, 25_000.0, 40_000.0, 55_000.0)))
            await asyncio.sleep(dice.uniform(0.0, LONGEST))
            found[name].kill()
            count.kills[name] += 1
            await asyncio.sleep(dice.uniform(0.0, LONGEST))
            began = time.monotonic()
            await asyncio.to_thread(found[name].begin)
            await caught_up(yard, count)
            count.catching.append(time.monotonic() - began)
            took = f"{number + 1} of {kills}, {name}: {count.catching[-1]:.1f} s"
            tell(f"{took}; {count.orders} orders, {yard.booked} quarters, {found_out(count)}")
        found["fleet"].kill()
        await finished(yard, found["PostgreSQL"], count)
    server.close()
    return count


def found_out(count: Count) -> str:
    """The verdict so far."""
    return f"{len(count.broken)} faults" + (f", the last: {count.broken[-1]}" if count.broken else "")


async def caught_up(yard: Yard, count: Count) -> None:
    """Wait until what may be drawn is within the cap, and a quarter more was booked."""
    booked = yard.booked
    try:
        async with asyncio.timeout(STEADY):
            while yard.sum > yard.cap + 1.0 or yard.booked <= booked or not any(yard.holds.values()):
                await asyncio.sleep(0.02)
                if yard.booked < booked:
                    booked = yard.booked
    except TimeoutError:
        count.broken.append(f"{yard.sum:.0f} W of {yard.cap:.0f} W, {yard.booked} booked of {booked}: nothing moves within {STEADY:g} s")


async def finished(yard: Yard, database: Part, count: Count) -> None:
    """The books, once nobody is killed any more."""
    command = database._command
    store = SqlStore(f"postgresql://fleet@127.0.0.1:{command[command.index('-p') + 1]}/postgres")
    try:
        await settlement.run(store, FLEET, "t", START + 900.0 * (yard.booked + 1))
        made = await store.read(lambda connection: list(books.transactions(connection, "t")))
    finally:
        store.close()
    count.booked = verify(made)
    intervals = Counter(one.interval for one in made if one.postings)
    doubled = [interval for interval, times in intervals.items() if times > 1]
    places = {(int(one.interval.start) - int(START)) // 900 for one in made}
    lost = set(range(yard.booked)) - places
    energy = balances(made).get(("driver:import", "kWh"), 0)
    if doubled or lost or energy != len(intervals) * 2_750_000 or len(intervals) % CARS:
        count.broken.append(f"{len(doubled)} doubled, {len(lost)} lost, {energy / 1e6} kWh of {len(intervals)} intervals")


def run(kills: int, seed: int, folder: Path, tell: Callable[[str], None] = lambda line: None) -> Count:
    """Kill so often in a folder."""
    return asyncio.run(judged(kills, seed, folder, tell))


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m fuzz.kills_fleet", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--work", nargs=3, metavar=("PORT", "STORE", "NATS"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.work:
        asyncio.run(work(int(given.work[0]), given.work[1], given.work[2]))
        return 1
    with tempfile.TemporaryDirectory(prefix="kills-fleet") as place:
        count = run(given.kills, given.seed, Path(place), lambda line: print(line, flush=True))
    print(f"seed {given.seed}: killed {', '.join(f'{times} x {name}' for name, times in count.kills.items())}")
    print(f"{count.orders} orders taken, {count.booked} transactions; {len(count.broken)} faults")
    if count.catching:
        print(f"caught up in {statistics.median(count.catching):.1f} s (median), {max(count.catching):.1f} s at the most")
    for fault in count.broken[:5]:
        print(fault, file=sys.stderr)
    return int(bool(count.broken))


if __name__ == "__main__":
    sys.exit(main())
