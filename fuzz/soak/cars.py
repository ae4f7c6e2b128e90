"""The cars of a soak: what each does follows from the seed and its number alone; when its octets arrive is the machine's."""

import asyncio
import contextlib
import random
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from evcc.car import Control, Wish
from evcc.client import Visit
from evcc.ev import AC_INLET, Battery, Ev, Inlet
from evcc.iso20.charge import charge
from evcc.iso20.known import Car
from evcc.script import Script
from evcc.trust import equip, vehicle_tls
from fuzz.listener import turning
from pki.store import Store
from v2g.iso20.services import DC, DC_BPT
from v2g.session.clock import Clock
from v2g.session.endpoint import Event
from v2g.session.link import Observer

Fault = Literal["none", "pause", "idle", "reset", "cut", "garbage", "hostile", "silence", "slow", "stranger", "kill -9", "SIGSTOP"]
SHARES: Final[dict[Fault, int]] = {
    "none": 30, "pause": 4, "idle": 5, "reset": 12, "cut": 5, "garbage": 8, "hostile": 12, "silence": 5, "slow": 4, "stranger": 3,
    "kill -9": 8, "SIGSTOP": 4,
}  # fmt: skip
GOOD: Final = frozenset({"none", "pause", "idle"})  # whose car must charge and leave in order
SIGNALLED: Final = frozenset({"kill -9", "SIGSTOP"})  # which the parent does to the car's process
PATIENCE: Final = 100.0  # s for one car in all: beyond every timer of its session
ABORT: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one car does. `step` counts the car's writes before its fault, `after` and `hold` are in seconds."""

    number: int
    fault: Fault
    service: str
    control: Control
    contract: bool
    loops: int
    step: int
    after: float  # s after which the parent acts
    hold: float  # s of silence, or stopped
    wakes: bool  # a stopped process is woken, else killed

    @classmethod
    def of(cls, seed: int, number: int, fault: Fault | None = None) -> "Plan":
        """The plan of a car; a `fault` that is given overrides the one that was drawn."""
        chance = random.Random(f"{seed} {number}")
        drawn = chance.choices(list(SHARES), list(SHARES.values()))[0]
        return cls(
            number,
            fault or drawn,
            chance.choice((DC.name, DC_BPT.name)),
            chance.choice(("Scheduled", "Dynamic")),
            chance.random() < 0.3,
            chance.randint(1, 6),
            chance.choice((0, 1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)),
            chance.uniform(0.02, 1.2),
            chance.choice((0.1, 0.5, 1.0, 2.5, 4.0)),
            chance.random() < 0.5,
        )


def drive(plan: Plan, seed: int, port: int, store: Store) -> dict[str, Any]:
    """Be that car, in a process of its own; how it ended. Whoever is to be killed is killed by the parent meanwhile."""

    async def bounded() -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return await _drive(plan, random.Random(f"{seed} {plan.number} car"), port, store)

    return asyncio.run(bounded())


async def _drive(plan: Plan, chance: random.Random, port: int, store: Store) -> dict[str, Any]:
    if plan.fault == "stranger":
        await _stranger(chance, port)
        return {"well": False, "reason": "no car", "power": False}
    script = turning(chance) if plan.fault == "hostile" else charge
    seen = _Power()
    visit = _visit(plan, store, script, seen)
    if plan.fault in ("reset", "cut", "garbage", "silence", "slow"):
        async with _Wire(plan, chance, port) as wire:
            result = await visit.at("::1", wire.port)
            await wire.acted()
    else:
        with contextlib.ExitStack() as idle:
            if plan.fault == "idle":
                for _ in range(chance.randint(1, 20)):
                    idle.enter_context(socket.create_connection(("::1", port), 10.0))
            result = await visit.at("::1", port)
    how = {"sessions": result.sessions, "power": seen.on, "ended": result.ended.how}
    return {"well": result.ended.well, "reason": str(result.ended.error or ""), **how}


class _Power(Observer):
    """Whether power ever flowed, as the car saw it."""

    on = False

    def event(self, event: Event) -> None:
        name = type(getattr(event, "message", None)).__name__
        self.on = self.on or name == "DC_ChargeLoopRes"


def _visit(plan: Plan, store: Store, script: Script, seen: Observer) -> Visit:
    """A car with the certificates of the store."""
    now = asyncio.get_running_loop().time()
    pauses = plan.loops if plan.fault == "pause" else None
    wish = Wish(
        evccid=store.vehicle.common_name,
        services=(plan.service,),
        control=plan.control,
        authorizations=("PnC",) if plan.contract else ("EIM",),
        loops=plan.loops + (2 if pauses else 0),
        pause_after=pauses,
        pace=0.02,
    )
    battery = Battery()
    car = Car(Ev(battery, Inlet(), AC_INLET, energy=0.2 * battery.capacity), wish=wish, clock=Clock(time.time(), now), now=now)
    equip(car, store)
    return Visit(car, script, vehicle_tls(store), rest=0.3, observe=[lambda *_: seen])


async def _stranger(chance: random.Random, port: int) -> None:
    """Octets that are no TLS."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(5.0):
            reader, writer = await asyncio.open_connection("::1", port)
            writer.write(
                chance.choice((b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + bytes(300), chance.randbytes(chance.randint(1, 2000))))
            )
            with contextlib.suppress(OSError):
                await reader.read(4096)
            writer.close()


class _Wire:
    """The wire between a car and the outlet, on which something happens once the car has written `step` times."""

    def __init__(self, plan: Plan, chance: random.Random, port: int):
        self._plan, self._chance, self._outlet = plan, chance, port
        self._steps, self._silent = 0, False
        self._late: asyncio.Task[None] | None = None
        self._open: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> "_Wire":
        self._server = await asyncio.start_server(self._joined, "::1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._open:
            writer.close()

    async def acted(self) -> None:
        """Wait until what follows a silence has followed."""
        if self._late is not None:
            await self._late

    async def _joined(self, from_car: asyncio.StreamReader, to_car: asyncio.StreamWriter) -> None:
        slow = self._plan.fault == "slow"
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        if slow:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.connect(("::1", self._outlet))
        sock.setblocking(False)
        from_outlet, to_outlet = await asyncio.open_connection(sock=sock, limit=2048 if slow else 65536)
        self._open += [to_car, to_outlet]
        with contextlib.suppress(OSError):
            await asyncio.gather(
                self._carry(from_car, to_outlet, lambda: self._fault(to_outlet, sock)), self._carry(from_outlet, to_car, lambda: False)
            )

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, fault: Callable[[], bool]) -> None:
        slow = self._plan.fault == "slow"
        while octets := await source.read(300 if slow else 65536):
            if self._silent or fault():
                continue  # nobody hears it any more
            if slow:
                await asyncio.sleep(self._chance.uniform(0.0, 0.03))
            sink.write(octets)
            await sink.drain()
        with contextlib.suppress(OSError):
            if sink.can_write_eof() and not self._silent:
                sink.write_eof()

    def _fault(self, to_outlet: asyncio.StreamWriter, sock: socket.socket) -> bool:
        """Whether it happens now; then nothing is carried any more, but for garbage, behind which the car goes on."""
        self._steps += 1
        if self._steps - 1 != self._plan.step or self._plan.fault == "slow":
            return False
        match self._plan.fault:
            case "garbage":
                to_outlet.write(self._chance.randbytes(self._chance.randint(1, 600)))
                return False
            case "cut":
                to_outlet.close()
            case "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
                to_outlet.transport.abort()
            case "silence":
                self._late = asyncio.create_task(self._end(to_outlet))
        self._silent = True
        for writer in self._open[:1] if self._plan.fault != "silence" else ():
            writer.close()
        return True

    async def _end(self, to_outlet: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self._plan.hold)
        for writer in self._open:
            writer.transport.abort()
