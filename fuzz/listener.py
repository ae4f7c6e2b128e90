"""Fuzz a whole listener, from TCP to the sequence: `python -m fuzz.listener --seconds 600 [--seed N]`.

Strangers and cars that turn come to three outlets of one station, a few at a time: octets that are no TLS, ClientHellos and second flights
after accidents, frames whose header lies, messages after accidents, valid messages out of their order, on the wrong stream, twice, never,
and connections that are reset anywhere. What follows from `--seed` is what each does; when the octets arrive is the machine's.

Held to, after every forty of them: no exception reached the event loop or a log, every outlet that nobody holds has its contactor open,
a good car charges at each outlet, descriptors and tasks have come back to what they were.

Exit codes: 0 nothing was found, 1 something was (the seed and the number of the peer are printed).
"""

import argparse
import asyncio
import contextlib
import logging
import os
import random
import secrets
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evcc.car import Wish
from evcc.client import Visit
from evcc.ev import AC_INLET, Battery, Ev, Inlet
from evcc.iso20.charge import charge
from evcc.iso20.known import Car
from evcc.script import Part, Raw, Script, Wait
from evcc.trust import equip, vehicle_tls
from fuzz.accidents import accident
from fuzz.seeds import Seed, seeds
from pki.issue import build
from pki.plan import Plan
from pki.store import Store, create
from secc.backend import LocalBackend
from secc.bay import Place
from secc.outlet import Outlet
from secc.server import Station, surroundings, wall_clock
from secc.simulated import DC_LIMITS, Physics, SimulatedEVSE
from secc.trust import station_tls, station_verifier
from v2g.exi.schema import Type
from v2g.iso20 import frames
from v2g.iso20.services import DC, DC_BPT
from v2g.session.errors import SessionError
from v2g.session.v2gtp import PayloadType, frame

OUTLETS, AT_ONCE, ROUND = 3, 8, 40
QUICK = Physics(contactor=0.005, isolation=0.01, volts_per_second=80_000, amperes_per_second=40_000)
PATIENCE = 2.0  # s for an answer, and for a peer in all ten times that


@dataclass
class Findings(logging.Handler):
    """Everything that must not happen, with the peer that was there."""

    found: list[str] = field(default_factory=list)
    number: int = 0

    def __post_init__(self) -> None:
        super().__init__(logging.ERROR)

    def __hash__(self) -> int:
        return id(self)

    def emit(self, record: logging.LogRecord) -> None:
        """A line of the log that tells of an error of ours."""
        if record.exc_info or record.levelno >= logging.CRITICAL:
            self.say(logging.Formatter().format(record))

    def say(self, what: str) -> None:
        """One more."""
        self.found.append(f"peer {self.number}: {what}")


# --- what a peer does ---


def _mangled(message: Type, chance: random.Random) -> bytes:
    """A valid message after an accident, or under a header that lies."""
    exi = frames.exi(message)
    kind = frames.payload_type_of(type(message))
    match chance.randrange(6):
        case 0:
            return frame(chance.choice(list(PayloadType)), exi)
        case 1:
            whole = bytearray(frame(kind, exi))
            whole[chance.randrange(8)] ^= 1 << chance.randrange(8)
            return bytes(whole)
        case 2:
            return frame(kind, exi + chance.randbytes(chance.randint(1, 40)))
        case 3:
            return frame(kind, exi)[: chance.randrange(8 + len(exi))]
        case _:
            marks = tuple(range(0, 8 * len(exi), 3))
            return frame(kind, accident(Seed(type(message).__name__, exi, False, marks), chance))


def turning(chance: random.Random) -> Script:
    """A car that behaves until it turns, and then sends what chance says, answered or not."""
    stock = [s for name in ("common", "dc", "ac", "app") for s in seeds(name) if s.is_message]

    def script(car: Car) -> Part[str]:
        well: Any = charge(car)
        step, good = next(well), chance.choice((0, 1, 2, 3, 5, 8, 12, 20, 30))
        for _ in range(good):
            try:
                step = well.send((yield step))
            except StopIteration:
                return "Terminate"
        for _ in range(chance.randint(1, 6)):
            own = car.stamped(step) if isinstance(step, Type) and hasattr(step, "Header") else step
            match chance.randrange(5):
                case 0 if isinstance(own, Type):
                    what: Type | bytes = own  # twice, or in its turn
                case 1:
                    seed = chance.choice(stock)
                    kind = PayloadType.EXI if seed.name.startswith("supported") else chance.choice((PayloadType.COMMON, PayloadType.DC))
                    what = frame(kind, seed.octets)
                case 2:
                    what = chance.randbytes(chance.randint(1, 200))
                case _:
                    what = _mangled(own, chance) if isinstance(own, Type) else chance.randbytes(20)
            yield Raw(what, answered=chance.random() < 0.7, within=PATIENCE)
            if chance.random() < 0.1:
                yield Wait(chance.random())
        return "turned"

    return script


async def _stranger(address: tuple[str, int], store: Store, chance: random.Random) -> str:
    """A peer that never gets through TLS."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
        channel = vehicle_tls(store).channel()
        channel.start()
        hello = channel.octets_to_send()
        match chance.randrange(4):
            case 0:
                await loop.sock_sendall(sock, chance.randbytes(chance.randint(1, 2000)))
            case 1:
                await loop.sock_sendall(sock, accident(Seed("hello", hello, False, tuple(range(8 * len(hello)))), chance))
            case 2:
                await loop.sock_sendall(sock, hello[: chance.randrange(len(hello))])
            case _:
                await loop.sock_sendall(sock, hello)
                channel.receive(await loop.sock_recv(sock, 65536))
                flight = channel.octets_to_send()
                await loop.sock_sendall(sock, accident(Seed("flight", flight, False, tuple(range(8 * len(flight)))), chance))
        if chance.random() < 0.5:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(chance.random()):
                    await loop.sock_recv(sock, 65536)
        if chance.random() < 0.5:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return "stranger"


def _visit(store: Store, script: Script, loops: int) -> Visit:
    now = asyncio.get_running_loop().time()
    wish = Wish(evccid=store.vehicle.common_name, services=(DC_BPT.name,), loops=loops, pace=0.0)
    car = Car(Ev(Battery(), Inlet(), AC_INLET, energy=0.3 * Battery().capacity), wish=wish, clock=wall_clock(), now=now)
    equip(car, store)
    return Visit(car, script, vehicle_tls(store))


async def peer(address: tuple[str, int], store: Store, chance: random.Random) -> str:
    """One of them; how it went."""
    try:
        async with asyncio.timeout(10 * PATIENCE):
            if chance.random() < 0.3:
                return await _stranger(address, store, chance)
            result = await _visit(store, turning(chance), chance.randint(1, 20)).at(*address)
            return "answered" if result.ended.well else type(result.ended.error).__name__
    except (OSError, SessionError, TimeoutError) as error:
        return type(error).__name__


# --- the station, and what it is held to ---


class Siege:
    """A station of this process, and the account of who came."""

    def __init__(self, station: Station, hardware: Sequence[SimulatedEVSE], store: Store, findings: Findings):
        self.station, self.hardware, self.store, self.findings = station, hardware, store, findings
        self.came: Counter[str] = Counter()

    async def round(self, chance: random.Random) -> None:
        """Forty peers, then the check."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with gate:
                self.findings.number = number
                self.came[await peer(chance.choice(self.station.addresses), self.store, random.Random(f"{chance.random()}"))] += 1

        first = self.came.total()
        await asyncio.gather(*(one(first + k) for k in range(ROUND)))
        for bay, evse, address in zip(self.station.bays, self.hardware, self.station.addresses, strict=True):
            for driver in list(bay._drivers):
                await driver.safe()
            if evse.closed:
                self.findings.say(f"the contactor of {evse.evse_id} is closed and nobody charges")
            result = await _visit(self.store, charge, 2).at(*address)
            if not result.ended.well:
                self.findings.say(f"a good car at {evse.evse_id}: {result.ended}")


async def fuzz(store: Store, seconds: float, seed: str, findings: Findings) -> Counter[str]:
    """Rounds until the time is over, or something was found."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, said: findings.say(f"{said.get('message')}: {said.get('exception')!r}"))
    clock = wall_clock()

    def wall() -> float:
        return clock.wall(loop.time())

    hardware = [
        SimulatedEVSE(loop.time, wall, asyncio.sleep, evse_id=f"DE*V2G*E{k + 1}", limits=DC_LIMITS, physics=QUICK) for k in range(OUTLETS)
    ]
    outlets = [
        Outlet(evse_id=evse.evse_id, services=(DC.name, DC_BPT.name), limits=DC_LIMITS, authorizations=("EIM", "PnC")) for evse in hardware
    ]
    places = [Place(evse, outlet, LocalBackend(surroundings(clock))) for evse, outlet in zip(hardware, outlets, strict=True)]
    async with Station(places, station_tls(store), clock=clock, verifier=station_verifier(store)) as station:
        siege, chance, until = Siege(station, hardware, store, findings), random.Random(seed), loop.time() + seconds
        await siege.round(chance)
        await asyncio.sleep(1.5)
        before = _held()
        while loop.time() < until and not findings.found:
            await siege.round(chance)
        await asyncio.sleep(1.5)
        for what, count in _held().items():
            if count > before[what] + 8:
                findings.say(f"{what} grew from {before[what]} to {count}")
    return siege.came


def _held() -> dict[str, int]:
    return {"descriptors": len(os.listdir("/proc/self/fd")), "tasks": len(asyncio.all_tasks())}


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz, and say what came of it."""
    parser = argparse.ArgumentParser("python -m fuzz.listener", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long (default 600)")
    parser.add_argument("--seed", default=None, help="of all chance (default: from the system)")
    options = parser.parse_args(argv)
    seed, began = options.seed or secrets.token_hex(8), time.monotonic()
    findings = Findings()
    logging.getLogger().addHandler(findings)
    with tempfile.TemporaryDirectory() as folder:
        store = create(Path(folder) / "pki", [build(Plan(), "secp521r1", datetime.now(UTC))])
        came = asyncio.run(fuzz(store, options.seconds, seed, findings))
    told = ", ".join(f"{count} {how}" for how, count in came.most_common())
    print(f"seed {seed}: {came.total()} peers in {time.monotonic() - began:.0f} s ({told}); {len(findings.found)} findings")
    for line in findings.found[:10]:
        print(f"FOUND {line}", file=sys.stderr)
    return int(bool(findings.found))


if __name__ == "__main__":
    sys.exit(main())
