"""Every kind of asset by one suite: an order is taken and measured, what is silent counts at what it holds, and keeps it when we are gone.

OCPP: our bridge over a real WebSocket. Modbus: registers on TCP. Vendor: the documentation's example at a stand-in of that API.
iso15118: the real listeners of a station's [feed] with its yard, over a Unix socket and over mosquitto.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from secc.backend import Surroundings
from secc.config import parse
from secc.feed import Feed
from secc.station import Authorized
from tests.free_ports import free_port
from tests.ocpp_bridge.ocpp_stand import WALL, Stand, stand
from tests.ocpp_bridge.test_live import Process
from tests.starved import again, heed
from tests.v2gkit.grid.test_vendor import EXAMPLE, Charger, served
from tests.v2gkit.station.test_mqtt import serving
from v2g.energy.needs import Needs
from v2g.tasks import Tasks
from v2gkit.fleet import declared
from v2gkit.fleet.service import Asked, Service
from v2gkit.fleet.service import served as at_work
from v2gkit.fleet.store.sql import file_url
from v2gkit.fleet.store.tables import REGISTERS, SESSIONS
from v2gkit.lab.market.device import Device
from v2gkit.station.backends import site_of
from v2gkit.station.feed.hearing import Hearing
from v2gkit.station.feed.listening import listen
from v2gkit.station.site import yard_of
from v2gkit.station.told import Told

TIME = 240.0  # s, generous
NEEDS = Needs(departure=WALL + 40_000.0, energy_target=30_000.0, energy_maximum=40_000.0, charge_maximum=11_000.0, soc=40.0)
FLEET = """
[[tenant]]
id = "t"
[[site]]
id = "s"
tenant = "t"
import_limit = 22000
[[contract]]
id = "c"
tenant = "t"
[[asset]]
id = "a"
site = "s"
contract = "c"
power = 11000
safe = 3000
"""


@dataclass
class Played:
    """What an asset's counterpart holds, draws, and how it is reached: lines of the fleet's file."""

    folder: Path
    lines: str = ""
    stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    port: int = 0  # of the fleet's CSMS

    async def up(self) -> None:
        """Begin, as after a failure of power."""

    async def down(self) -> None:
        """Be gone."""
        await self.stack.aclose()

    def limit(self) -> float:
        """W that it may draw; inf where it was told nothing."""
        raise NotImplementedError

    def draw(self, power: float) -> None:
        """Draw so much."""


class ByOcpp(Played):
    station: Stand | None = None

    async def up(self) -> None:
        self.lines = 'kind = "ocpp"\nstation = "CS-1"'
        self.stack = contextlib.AsyncExitStack()
        self.station = await self.stack.enter_async_context(stand(port=self.port))
        self.station.arrive(control="Dynamic")
        self.station.pnc()
        await self.station.fact(Authorized)
        self.station.ask()
        self.station.hear(self.station.selected)

    def limit(self) -> float:
        assert self.station is not None
        held = self.station.point.bridge.charger.profiles.select(purpose="ChargingStationMaxProfile")
        return min((one.profile["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] for one in held), default=float("inf"))

    def draw(self, power: float) -> None:
        assert self.station is not None
        self.station.meter(0.0, 0.0, power)


class ByModbus(Played):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.device, self.at = Device(), free_port()
        self.lines = f'kind = "modbus"\naddress = "127.0.0.1:{self.at}"'
        self.device.put(1, 0, 0x7FFF_FFFF)
        self.device.put(1, 2, 0)

    async def up(self) -> None:
        self.stack = contextlib.AsyncExitStack()
        await self.stack.enter_async_context(self.device.served(self.at))

    def limit(self) -> float:
        told = self.device.number(1, 0)
        return float("inf") if told == 0x7FFF_FFFF else float(told)

    def draw(self, power: float) -> None:
        self.device.put(1, 2, round(power))


class ByVendor(Played):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.charger, self.there = Charger(), True
        self.lines = 'kind = "vendor"\napi = "goe.toml"'

    def answer(self, target: str, headers: dict[str, str]) -> tuple[int, Any]:
        return self.charger.answer(target, headers) if self.there else (503, {})

    async def up(self) -> None:
        self.there = True
        if not (self.folder / "goe.toml").exists():
            url = await self.stack.enter_async_context(served(self.answer))
            assert EXAMPLE is not None
            _, wallbox = re.sub(r"https://\d{6}\.api\.v3\.go-e\.io", url, EXAMPLE[1]).split("[[vendor]]", 1)[1].split("[[vendor]]")
            text = re.sub(r"(?m)^every = \S+", "every = 0.05", re.sub(r"(?m)^requests = \S+", "requests = 6000", wallbox))
            (self.folder / "goe.toml").write_text(f'tenant = "t"\n[[vendor]]{text}')
            (self.folder / "goe.txt").write_text("the api key\n")

    async def down(self) -> None:
        self.there = False

    def limit(self) -> float:
        return 0.0 if self.charger.frc == 1 else 690.0 * self.charger.amp

    def draw(self, power: float) -> None:
        """It draws what it may, at its voltage."""


class ByFeed(Played):
    table, config = "", ""

    async def up(self) -> None:
        config = parse(f"tls = false\n[site]\nimport_limit = 22000\n[feed]\n{self.config}")
        clock = lambda: WALL + time.monotonic()  # noqa: E731
        nothing: Callable[..., Any] = lambda *given: lambda: None  # noqa: E731
        around = Surroundings(clock, nothing, nothing, nothing)
        self.yard = yard_of(config, around, site_of(config, clock()))
        self.yard.spot("DE*V2G*E1")
        self.spot = self.yard.spots["DE*V2G*E1"]
        self.spot.needs, self.spot.powered = NEEDS, True
        self.told = Told(self.yard, ["DE*V2G*E1"], clock)
        self.stack = contextlib.AsyncExitStack()
        tasks = await self.stack.enter_async_context(Tasks("v2g.test"))
        assert isinstance(config.feed, Feed)
        listen(tasks, config.feed, Hearing(self.told, {"DE*V2G*E1": 1}))
        self.lines = f'kind = "iso15118"\n[asset.feed]\n{self.table}'

    def limit(self) -> float:
        return float(self.told.standing(1).get("charge", float("inf")))

    def draw(self, power: float) -> None:
        self.spot.drew(power)


class BySocket(ByFeed):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.table, self.config = 'socket = "site.sock"', f'socket = "{folder}/site.sock"'


class ByBroker(ByFeed):
    async def up(self) -> None:
        if not self.table:
            port = free_port()
            self.serving = serving(port, self.folder)
            self.serving.__enter__()
            self.table = self.config = f'host = "127.0.0.1"\nport = {port}'
        await super().up()


KINDS = {"ocpp": ByOcpp, "modbus": ByModbus, "vendor": ByVendor, "iso15118 by socket": BySocket, "iso15118 by MQTT": ByBroker}


@contextlib.asynccontextmanager
async def fleet(played: Played, later: float = 0.0, ahead: Callable[[], float] = lambda: 0.0) -> AsyncIterator[Service]:
    """A fleet with one asset, at work, so many s after now, and as many more as `ahead` says at each moment."""
    file = played.folder / "fleet.toml"
    file.write_text(FLEET + played.lines)
    asked = Asked(file, file_url(played.folder / "state"), port=played.port, sample_interval=1)
    async with at_work(asked, declared.read(file), lambda: time.time() + later + ahead(), lambda line: None) as running:
        yield running.service


async def until(true: Callable[[], Any]) -> None:
    while not true():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0.02)


def state(service: Service) -> str:
    return service.conductor.orders.get("a", (None, ""))[1]


@pytest.mark.parametrize("kind", KINDS)
@again
def test_a_kind_keeps_the_contract_of_an_asset(kind: str, tmp_path: Path) -> None:
    async def scene() -> None:
        (tmp_path / "state").mkdir(exist_ok=True)
        played = KINDS[kind](tmp_path)
        played.port = free_port()
        if isinstance(played, ByOcpp):
            played.lines = 'kind = "ocpp"\nstation = "CS-1"'
        else:
            await played.up()
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(played.stack.aclose)
            async with fleet(played) as service:
                await beside(played, service)
            low = played.limit()
            await asyncio.sleep(0.3)
            assert played.limit() == low <= 5_000  # nobody speaks to it any more
            await played.down()
            async with fleet(played, later=10_000.0) as service:  # another process begins, long after the lease, and hears nothing of it
                kept = service.conductor.holds.get("a", 0.0)
                assert kept >= low if service.fleet.assets["a"].kind in declared.KEEPERS else kept == 0.0
            if (serving_ := getattr(played, "serving", None)) is not None:
                serving_.__exit__(None, None, None)

    asyncio.run(asyncio.wait_for(scene(), TIME))


async def beside(played: Played, service: Service) -> None:
    """A fleet and an asset together: orders, readings, silence."""
    if isinstance(played, ByOcpp):
        await played.up()
    conductor = service.conductor
    conductor.bound("s", 8_000.0)
    await until(lambda: state(service) == "done" and played.limit() <= 8_000)
    # of two orders the later one holds
    conductor.bound("s", 6_000.0)
    conductor.bound("s", 5_000.0)
    await until(lambda: state(service) == "done" and played.limit() <= 5_000)
    # what it draws is measured
    drawn = played.limit() if not isinstance(played, ByVendor) else 690.0 * 7
    played.draw(drawn)
    await until(lambda: "a" in conductor.cars and conductor.cars["a"].drawn == pytest.approx(drawn, abs=200))
    # who is silent did not take its order, counts at what it holds, and is told again when it is back
    held = played.limit()
    await played.down()
    conductor.bound("s", 4_500.0)
    await until(lambda: state(service) == "refused")
    assert conductor.holds["a"] >= held - 1
    conductor.bound("s", 11_000.0)
    await asyncio.sleep(0.2)
    assert state(service) == "refused"
    conductor.bound("s", 4_200.0)
    await played.up()
    await until(lambda: state(service) == "done" and played.limit() <= 4_200 and conductor.holds["a"] <= 4_200)


@again
def test_a_car_at_a_station_without_a_csms_follows_the_fleet(tmp_path: Path) -> None:
    """Everything real: `v2g secc` with a [feed] and no CSMS, `v2g ev` over ISO 15118-20, and the fleet's orders."""

    def ended(connection: Any) -> list[Any]:
        """The readings of the session that is over, in their order."""
        of = REGISTERS.join(SESSIONS, (REGISTERS.c.session == SESSIONS.c.id) & SESSIONS.c.ended.is_not(None))
        return list(connection.execute(select(REGISTERS).select_from(of).order_by(REGISTERS.c.at)))

    async def scene() -> None:
        (tmp_path / "state").mkdir()
        config = tmp_path / "station.toml"
        config.write_text(f'tls = false\n[site]\nimport_limit = 22000\n[feed]\nsocket = "{tmp_path}/site.sock"\n')
        station = await Process.start(
            *("secc", "--json", "--no-tls", "--host", "127.0.0.1", "--port", "0", "--services", "AC_BPT"),
            *("--config", str(config)),
        )
        address = (await station.says(lambda line: line["event"] == "listening"))["address"]
        car = await Process.start(
            "ev", "--json", "--no-tls", "--connect", address, "--service", "AC_BPT", "--control", "dynamic", "--soc", "30"
        )
        played = Played(tmp_path, f'give = 5000\nkind = "iso15118"\n[asset.feed]\nsocket = "{tmp_path}/site.sock"')
        try:
            async with fleet(played) as service:
                conductor = service.conductor

                def drawn() -> float:
                    there = conductor.cars.get("a")
                    return 0.0 if there is None or there.drawn is None else there.drawn

                over = lambda: station.over or car.over  # noqa: E731
                await until(lambda: drawn() > 7_000 or over())
                conductor.bound("s", 3_000.0)
                await until(lambda: 0 < drawn() < 3_100 or over())
                assert state(service) == "done"
                assert conductor.cars["a"].missing > 0  # what the car told its station
                assert conductor.cars["a"].departure is not None
                first = service.metering._open["a"].imported
                await until(lambda: service.metering._open["a"].imported > first + 8 or over())  # Wh: a car is shown whole ones
                car.leave()
                heed(result := (await car.rest())[-1])
                while not (rows := await service.store.read(ended)):  # noqa: ASYNC110 - what is waited for tells nobody
                    await asyncio.sleep(0.05)
                assert rows[-1].imported - rows[0].imported == pytest.approx(result["energy_charged"], abs=3.0)
        finally:
            car.kill()
            station.kill()
            await station.rest()

    asyncio.run(asyncio.wait_for(scene(), TIME))
