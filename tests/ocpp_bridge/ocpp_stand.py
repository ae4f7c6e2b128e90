"""A station with its CSMS on loopback: what the tests of the bridge stand on. The sessions are played, everything else is real."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ocpp_bridge.bridge import Bridge
from ocpp_bridge.charge_point import ChargePoint, Endpoint
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.wire.rpc import FrameFault, read
from ocpp_bridge.wire.schemas import PayloadFault, check
from secc.station import (
    AuthorizationWanted,
    EVReported,
    Fact,
    Limits,
    MeterRead,
    MeterReading,
    NeedsChanged,
    OutputMeasured,
    PowerStarted,
    PowerStopped,
    ScheduleChosen,
    ServiceSelected,
    SessionStarted,
)
from v2g.energy.needs import Needs
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended
from v2gkit.authorities.passwords import Door, Secret
from v2gkit.csms.server import Csms

WALL = 1_795_370_400.0  # 2026-11-22 18:00 UTC
LIMITS = Limits(charge_power=50_000, discharge_power=50_000, charge_current=125, discharge_current=125, voltage=920)
NEEDS = Needs(
    departure=WALL + 12 * 3600,
    energy_target=30_000.0,
    energy_maximum=50_000.0,
    energy_minimum=-5_000.0,
    v2x_maximum=40_000.0,
    v2x_minimum=-5_000.0,
    charge_maximum=11_000.0,
    discharge_maximum=11_000.0,
    max_points=96,
    bidirectional=True,
    soc=40.0,
)


def entropy() -> Callable[[int], bytes]:
    numbers = iter(range(1, 1_000_000))
    return lambda n: next(numbers).to_bytes(n, "big")


def charger(services: tuple = ("DC", "DC_BPT"), evses: int = 1, started: float = 0.0, **more: Any) -> Charger:
    places = {n: Evse(n, services, LIMITS, f"DE*V2G*E{n}") for n in range(1, evses + 1)}
    return Charger(Clock(WALL, started), entropy(), places, **more)


def door(password: str, name: str = "CS-1") -> Door:
    """The door of a CSMS that knows one station."""
    return Door({name: Secret.of(password)})


class Frames:
    """A trace that holds every frame we send against its schema, once more and from outside, and keeps them all."""

    def __init__(self) -> None:
        self.log: list[tuple[str, list]] = []
        self.faults: list[str] = []
        self._asked: dict[str, str] = {}  # id -> action of the CSMS's calls

    def __call__(self, direction: str, text: str) -> None:
        try:
            frame = read(text, "ocpp2.1")
            if direction == "in" and frame.type == 2:
                self._asked[frame.id] = frame.fields[0]
            elif direction == "out" and frame.type == 2:
                check("ocpp2.1", frame.fields[0], "Request", frame.fields[1])
            elif direction == "out" and frame.type == 3:
                check("ocpp2.1", self._asked[frame.id], "Response", frame.fields[0])
            self.log.append((direction, json.loads(text)))
        except (FrameFault, PayloadFault) as fault:
            if direction == "out":
                self.faults.append(f"{text}: {fault}")

    def calls(self, action: str, direction: str = "out") -> list[dict]:
        return [frame[3] for way, frame in self.log if way == direction and frame[0] == 2 and frame[2] == action]

    @property
    def order(self) -> list[str]:
        return [frame[2] for way, frame in self.log if way == "out" and frame[0] == 2]


@dataclass
class Stand:
    """A charge point, its CSMS, and the facts that the session was told."""

    point: ChargePoint
    csms: Csms | None
    frames: Frames
    facts: list[Fact] = field(default_factory=list)

    @property
    def backend(self):
        return self.point.outlet(1)

    @property
    def station(self):
        return self.csms.stations["CS-1"]

    @property
    def transaction(self):
        return next(reversed(self.station.transactions.values()))

    async def until(self, true: Callable[[], Any], limit: float = 300.0) -> Any:
        """Wait until something is true; the event loop is let run, no time is slept away."""
        end = time.monotonic() + limit
        while not (found := true()):
            assert time.monotonic() < end, f"waited {limit} s; facts {self.facts}, frames {[f[1][:3] for f in self.frames.log][-6:]}"
            await asyncio.sleep(0.002)
        return found

    async def fact(self, kind: type[Fact]) -> Any:
        """Wait for the next fact of a kind, and forget those before it."""
        await self.until(lambda: any(isinstance(f, kind) for f in self.facts))
        place = next(n for n, f in enumerate(self.facts) if isinstance(f, kind))
        found = self.facts[place]
        del self.facts[: place + 1]
        return found

    def hear(self, *wants: Any) -> None:
        for want in wants:
            self.backend.heard(want)

    def arrive(self, *, control: str = "Scheduled", service: str = "DC_BPT") -> None:
        self.backend.began(self.facts.append)
        self.hear(SessionStarted(0.0, bytes(8), "DEABCC1A2B3C4D"))
        self.selected = ServiceSelected(0.0, service, control)

    def pnc(self, chain: tuple[bytes, ...] = (), emaid: str = "DE8AA1A2B3C4D5") -> None:
        self.hear(AuthorizationWanted(0.0, "PnC", "DEABCC1A2B3C4D", emaid, chain))

    def ask(self, needs: Needs = NEEDS) -> None:
        self.hear(self.selected, NeedsChanged(0.0, needs, True))

    def choose(self, offer: Any, tuple_id: int | None) -> None:
        chosen = offer.chosen(tuple_id or 1)
        self.hear(ScheduleChosen(0.0, chosen.power, tuple_id, True), PowerStarted(0.0))

    def meter(self, imported: float, exported: float, power: float) -> None:
        self.hear(
            OutputMeasured(400.0, power / 400.0),
            MeterRead(MeterReading("M1", imported, exported, WALL)),
            EVReported(0.0, power=power, soc=55.0),
        )

    def leave(self, how: str = "Terminate") -> None:
        self.hear(PowerStopped(0.0))
        self.backend.ended(Ended(how))


@asynccontextmanager
async def stand(
    csms: Csms | None = None,
    *,
    port: int | None = None,
    endpoint: dict | None = None,
    store: Path | None = None,
    passwords: Path | None = None,
    **more: Any,
) -> AsyncIterator[Stand]:
    """A station that is connected, or tries to. Without `csms` it talks to whoever listens on `port`."""
    server = await csms.serve() if csms is not None else None
    where = port if port is not None else next(iter(server.sockets)).getsockname()[1]
    bridge = Bridge(charger(started=time.monotonic(), **more))
    bridge.charger.variables["OCPPCommCtrlr.RetryBackOffWaitMinimum"] = "0"
    bridge.charger.variables["OCPPCommCtrlr.RetryBackOffRandomRange"] = "0"
    frames = Frames()
    where_to = {"url": f"ws://127.0.0.1:{where}/ocpp", "station_id": "CS-1"} | (endpoint or {})
    point = ChargePoint(Endpoint(**where_to), bridge, trace=frames, store=store, passwords=passwords)
    runs = asyncio.create_task(point.run())
    try:
        yield Stand(point, csms, frames)
    finally:
        runs.cancel()
        await asyncio.gather(runs, return_exceptions=True)
        assert not frames.faults
        if server is not None:
            server.close()
            await server.wait_closed()
