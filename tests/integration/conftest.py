"""What sessions over real sockets share: certificates made once, a station and a car in one event loop."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evcc.car import Car, Wish
from evcc.client import Visit
from evcc.ev import Ev
from evcc.goal import Goal
from evcc.iso20.charge import charge
from evcc.result import Result
from evcc.script import Script
from evcc.trust import equip, vehicle_tls
from pki.issue import build
from pki.plan import Plan
from pki.store import Store, create
from secc.backend import LocalBackend
from secc.bay import Place
from secc.outlet import Outlet
from secc.server import Station, surroundings
from secc.simulated import LIMITS, Physics, SimulatedEVSE
from secc.station import Limits
from secc.trust import station_tls, station_verifier
from tests.starved import ATTEMPTS, missed
from v2g.energy.prices import parse_prices
from v2g.energy.site import Site
from v2g.iso20.services import SERVICES
from v2g.messages.iso2.msg_body import ChargingStatusRes, CurrentDemandRes
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended, FrameReceived, FrameSent
from v2g.session.link import Disconnected, Observer

PRICES = Path(__file__).parents[2] / "v2gkit" / "lab" / "data" / "day_ahead.csv"
LOOPED = (CurrentDemandRes, ChargingStatusRes)
BRISK = Physics(contactor=0.01, isolation=0.02, volts_per_second=50_000)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Certificates for both ends on the curve of -20."""
    plan = Plan(responders=False)
    return create(tmp_path_factory.mktemp("certs"), [build(plan, "secp521r1", datetime.now(UTC))])


@dataclass(frozen=True)
class Met:
    """What both ends say of a visit."""

    car: Result
    station: Ended
    evse: SimulatedEVSE
    frames: tuple[Any, ...] = ()  # what came and went at the station, message by message

    @property
    def said(self) -> dict[str, Any]:
        """The car's account."""
        return self.car.as_dict()


class Ends(Observer):
    """Remembers how the station's sessions ended."""

    def __init__(self) -> None:
        self.ended: list[Ended] = []

    def event(self, event: Any) -> None:
        if isinstance(event, Disconnected) and event.ended is not None:
            self.ended.append(event.ended)


Scene = Callable[[SimulatedEVSE, LocalBackend], None]


class Ears(Ends):
    """Remembers the messages of the station's sessions too, and lets a scene happen once it has answered that many charge loops."""

    def __init__(self, scene: Callable[[], None], at: int) -> None:
        super().__init__()
        self.frames: list[Any] = []
        self._scene, self._left = scene, at

    def event(self, event: Any) -> None:
        super().event(event)
        if isinstance(event, FrameReceived | FrameSent):
            self.frames.append(event.message)
        if isinstance(event, FrameSent) and isinstance(event.message, LOOPED):
            self._left -= 1
            if self._left == 0:
                asyncio.get_running_loop().call_soon(self._scene)


async def meet(*given: Any, **rest: Any) -> Met:
    """One car visits one station; without a store over plain TCP. Again, when this machine was too slow for a timer of the loop."""
    for _ in range(ATTEMPTS):
        met = await _meet(*given, **rest)
        if not missed(met.said, met.station):
            break
    return met


async def _meet(
    store: Store | None,
    wish: Wish,
    script: Script = charge,
    *,
    scale: float = 1.0,
    goal: Goal | None = None,
    soc: float = 30.0,
    stay: float | None = None,
    offer: dict[str, Any] | None = None,
    limits: Limits | None = None,
    priced: bool = True,
    scene: Scene = lambda *_: None,
    at: int = 4,  # the loop in which the scene happens
) -> Met:
    loop = asyncio.get_running_loop()
    noon = (datetime.now(UTC) + timedelta(days=1)).replace(hour=11, minute=30)  # prices depend on the time of day, tests do not
    clock = Clock(noon.timestamp(), loop.time(), scale)
    around = surroundings(clock)
    plug = SERVICES[wish.services[0]].plug
    services, limits = tuple(row.name for row in SERVICES.values() if row.plug == plug), limits or LIMITS[plug]
    outlet = Outlet(**{"services": services, "limits": limits, "authorizations": ("EIM", "PnC") if store else ("EIM",), **(offer or {})})
    evse = SimulatedEVSE(loop.time, lambda: clock.wall(loop.time()), asyncio.sleep, limits=limits, physics=BRISK, scale=scale)
    prices = parse_prices(PRICES.read_text()).upcoming(clock.epoch, UTC)
    site = Site(import_prices=prices.imports, export_prices=prices.exports, export_limit=11_000.0) if priced else Site()
    tls, verifier = (station_tls(store), station_verifier(store)) if store else (None, None)
    backend = LocalBackend(around, site)
    ears, place = Ears(lambda: scene(evse, backend), at), Place(evse, outlet, backend)
    async with Station([place], tls, clock=clock, verifier=verifier, observe=[lambda *_: ears]) as station:
        host, port = station.addresses[0]
        wish = replace(wish, evccid=store.vehicle.common_name) if store else replace(wish, bench_plain=True)
        ev = Ev(energy=0.01 * soc * Ev().battery.capacity)
        aim = replace(goal or Goal(target_soc=80, minimum_soc=20), departure=clock.wall(loop.time()) + stay if stay else None)
        car = Car(ev, aim, wish, clock, now=loop.time())
        if store:
            equip(car, store)
        visit = Visit(car, script, vehicle_tls(store) if store else None, rest=0.05)
        result = await visit.at(host, port)
    return Met(result, ears.ended[-1], evse, tuple(ears.frames))


def go(work: Any, limit: float = 300.0) -> Any:
    """Run a test's coroutine, never longer than `limit` seconds."""

    async def bounded() -> Any:
        async with asyncio.timeout(limit):
            return await work

    return asyncio.run(bounded())
