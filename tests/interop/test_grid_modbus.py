"""Modbus and SunSpec against counterparts that we did not write: `pymodbus` serves maps of `pysunspec2`."""

import asyncio
import json
import subprocess
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.starved import HANG, again
from tests.v2gkit.station.test_orders import running
from v2g.energy.fleet.pack import Pack
from v2g.energy.prices import parse_prices
from v2gkit.cli import csms as csms_command
from v2gkit.csms.grounds import GroundsConfig
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy
from v2gkit.grid.declared import Grid, Modbus, Register, Site
from v2gkit.grid.modbus.frames import HOLDING, Declined, Line, Question, Read, Write
from v2gkit.grid.modbus.models import MODELS
from v2gkit.grid.modbus.registers import registers_of, width
from v2gkit.grid.modbus.sunspec import Script, models_of, points_of
from v2gkit.grid.shell.running import Listening
from v2gkit.grid.shell.station import Feeding
from v2gkit.peers import grid_setup
from v2gkit.peers.process import Process

ROOT = Path(__file__).parents[2]
PYTHON = grid_setup.python_of(ROOT / ".interop")
TIME = 120.0  # s, generous
pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="pymodbus and pysunspec2 are not in .interop: make interop")
PV = {"unit": 2, "base": 0, "models": [[1, {"Mn": "lab"}], [701, {"W": 300, "W_SF": 1, "TotWhInj": 1 << 40, "TotWh_SF": 0}]]}
METER = {"unit": 1, "base": 40_000, "models": [[1, {"Mn": "lab"}], [203, {"W": 5_000, "W_SF": 0}]]}
BATTERY = {"unit": 3, "base": 50_000, "models": [[713, {"SoC": 425, "Pct_SF": -1, "WHRtg": 100, "WH_SF": 3}], [213, {"W": 1234.5}]]}
LED = {
    "unit": 5,
    "base": 40_000,
    "models": [
        [1, {"Mn": "lab"}],
        [701, {"W": 0, "W_SF": 1}],
        [704, {"WSetEna": 0, "WSetMod": 0, "WSet": 0, "WSet_SF": 1, "WSetRvrt": -7, "WSetEnaRvrt": 0, "WSetRvrtTms": 0}],
        [713, {"SoC": 400, "Pct_SF": -1}],
    ],
}
BOX = {"unit": 4, "registers": {"10": [0, 11_000], "20": [65_535], "30": list(registers_of(-2_500, "int32", "little"))}}


def test_every_point_stands_where_the_models_of_sunspec_have_it() -> None:
    asked = json.dumps({"offsets": list(MODELS)})
    done = subprocess.run([PYTHON, grid_setup.MODBUS, asked], capture_output=True, text=True, timeout=TIME, check=True)
    tables = json.loads(done.stdout)
    kinds = {"enum16": "uint16", "acc32": "uint32"}
    for model, points in MODELS.items():
        table = tables[str(model)]
        for name, point in points.items():
            offset, kind, scale = table[name]
            assert (point.offset, point.kind) == (offset, kinds.get(kind, kind)), (model, name)
            assert point.scale == (None if scale is None else table[scale][0]), (model, name)
            assert width(point.kind) >= 1


@asynccontextmanager
async def devices(folder: Path, *units: dict[str, Any]) -> AsyncIterator[str]:
    command = [str(PYTHON), str(grid_setup.MODBUS), json.dumps({"units": units})]
    async with Process("modbus", command, folder=ROOT, log=folder / "modbus.log") as server:
        yield f"127.0.0.1:{(await server.expect('port', TIME))['port']}"


def as_read(address: str, unit: int, model: int) -> dict[str, Any]:
    """The points of a model as the client of `pysunspec2` reads them, in SI."""
    asked = json.dumps({"read": {"port": int(address.rpartition(":")[2]), "unit": unit, "model": model}})
    done = subprocess.run([PYTHON, grid_setup.MODBUS, asked], capture_output=True, text=True, timeout=TIME, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class Wire:
    """Our line on a socket."""

    def __init__(self, unit: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._line, self._reader, self._writer = Line(unit), reader, writer

    async def ask(self, question: Question) -> Any:
        self._writer.write(self._line.ask(question))
        while (answer := self._line.receive(await self._reader.read(512))) is None:
            pass
        return answer

    async def carry(self, script: Script[Any]) -> Any:
        try:
            question = next(script)
            while True:
                question = script.send(await self.ask(question))
        except StopIteration as end:
            return end.value


async def wire(address: str, unit: int) -> Wire:
    host, port = address.split(":")
    return Wire(unit, *await asyncio.open_connection(host, int(port)))


@again
def test_models_are_found_and_read_at_every_base(tmp_path: Path) -> None:
    async def tried() -> None:
        async with asyncio.timeout(TIME), devices(tmp_path, METER, PV, BATTERY) as address:
            meter, pv, battery = [await wire(address, unit) for unit in (1, 2, 3)]
            found = await meter.carry(models_of())
            assert list(found) == [1, 203]
            assert await meter.carry(points_of(203, found[203], ("W", "TotWhImp"))) == {"W": 5_000}  # no scale factor: no energy
            found = await pv.carry(models_of())
            assert await pv.carry(points_of(701, found[701], ("W", "TotWhInj"))) == {"W": 3_000, "TotWhInj": 1 << 40}
            found = await battery.carry(models_of())
            said = await battery.carry(points_of(713, found[713], ("SoC", "WHRtg", "WHAvail")))
            assert said == {"SoC": pytest.approx(42.5), "WHRtg": 100_000}  # a point that is not implemented is left out
            assert await battery.carry(points_of(213, found[213], ("W",))) == {"W": 1234.5}
            assert isinstance(await meter.ask(Read(HOLDING, 3, 1)), Declined)
            assert await meter.ask(Write(40_004, (1, 2, 3))) == ()
            assert await meter.ask(Read(HOLDING, 40_004, 3)) == (1, 2, 3)

    asyncio.run(tried())


@again
def test_what_a_site_leaves_follows_its_meters_and_falls_when_they_are_gone(tmp_path: Path) -> None:
    """A load of 5 kW and 3 kW of sun at a connection of 10 kW leave 8; a load of 9 kW leaves 4; then the meters are gone."""

    async def tried() -> None:
        said: list[dict[str, Any]] = []
        more = asyncio.Event()

        def say(line: dict[str, Any]) -> None:
            said.append(line)
            more.set()

        async def until(true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
            while not (found := [line for line in said if true(line)]):
                more.clear()
                await more.wait()
            return found[0]

        async with asyncio.timeout(TIME), asyncio.TaskGroup() as group:
            async with devices(tmp_path, METER, PV, BOX) as address:
                grid = Grid(
                    "depot",
                    Site(import_limit=10_000.0, export_limit=1_000.0, patience=4.0, fallback_import=1_400.0),
                    (
                        Modbus("load", address, "load", sunspec=True, every=0.1, timeout=20.0),
                        Modbus("roof", address, "source", unit=2, sunspec=True, every=0.1, timeout=20.0),
                        Modbus("box", address, "signal", unit=4, patience=4.0, fallback_import=3_000.0, register=(
                            Register("import_cap", 10, "uint32"), Register("export_cap", 20, "uint16", absent=65_535.0),
                            Register("setpoint", 30, "int32", "little"),
                        ), every=0.1, timeout=20.0),
                    ),
                )  # fmt: skip
                listening = Listening(grid, time.monotonic, say)
                task = group.create_task(listening.run())
                held = await until(lambda line: line["what"] == "holds" and line["import_cap"] == 8_000 and line["setpoint"] is not None)
                assert (held["import_by"], held["export_cap"], held["setpoint"]) == (["site:import cap"], 3_000, -2_500)
                meter = await wire(address, 1)
                found = await meter.carry(models_of())
                await meter.ask(Write(found[203] + MODELS[203]["W"].offset, registers_of(9_040, "int16")))
                held = await until(lambda line: line["what"] == "holds" and line["import_cap"] == 3_900)
                box = await wire(address, 4)
                await box.ask(Write(10, registers_of(2_000, "uint32")))
                held = await until(lambda line: line["what"] == "holds" and line["import_cap"] == 2_000)
                assert held["import_by"] == ["box:import cap"]
                said.clear()
            held = await until(lambda line: line["what"] == "holds" and line["import_cap"] == 1_400)
            assert held["export_cap"] == 0
            await until(lambda line: line["what"] == "holds" and line["setpoint"] is None)
            faults = [(line["source"], line["trouble"]) for line in said if line["what"] == "fault"]
            assert {source for source, _ in faults} == {"load", "roof", "box"}
            assert len(faults) == len(set(faults))
            caps = [line["import_cap"] for line in said if line["what"] == "holds"]
            assert caps == sorted(caps, reverse=True), "the loss raised a limit"
            task.cancel()

    asyncio.run(tried())


@again
def test_a_battery_of_a_station_is_led_through_its_inverter(tmp_path: Path) -> None:
    """With 2 kW left by the load of a station's site, the inverter is set to draw them, for 10 s at most; it is read by `pysunspec2`."""

    async def tried() -> None:
        async with asyncio.timeout(HANG), devices(tmp_path, LED) as address, running(f'socket = "{tmp_path / "site.sock"}"') as yard:
            led = Modbus("inverter", address, "battery", unit=5, sunspec=True, pack="pack", every=0.2, timeout=20.0)
            listening = Listening(Grid(modbus=(led,)), time.monotonic, lambda line: None)
            feeding = Feeding(tmp_path / "site.sock", 1, storages=listening.storages.values())
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(listening.run()), group.create_task(feeding.run())]
                found = await asyncio.to_thread(as_read, address, 5, 704)
                while found["WSet"] != -2_000:  # it takes as long as the station needs for a plan
                    found = await asyncio.to_thread(as_read, address, 5, 704)
                assert yard.storages["pack"].soc == 40.0
                assert {name: found[name] for name in ("WSetEna", "WSetMod", "WSetRvrt", "WSetEnaRvrt")} == {
                    "WSetEna": 1, "WSetMod": 1, "WSetRvrt": 0, "WSetEnaRvrt": 1,
                }  # fmt: skip
                assert 1 <= found["WSetRvrtTms"] <= 10
                for task in tasks:
                    task.cancel()

    asyncio.run(tried())


@again
def test_a_battery_of_stations_of_a_csms_is_led_through_its_inverter(tmp_path: Path) -> None:
    """The sun gives 2 kW that may not go out, and `v2g csms --site` and `--grid` have the inverter draw them."""

    async def tried() -> None:
        pack = Pack("pack", capacity=40e3, charge_power=2e3, discharge_power=2e3)
        csms = Csms(Strategy("prices", parse_prices("start,import_price,export_price\n00:00,0.2,0.2\n")))
        csms.share(GroundsConfig(import_limit=2_000.0, export_limit=0.0, base_load=-2_000.0, battery=(pack,)))
        async with asyncio.timeout(HANG), devices(tmp_path, LED) as address:
            text = f'name = "inverter"\nrole = "battery"\naddress = "{address}"\nunit = 5\nsunspec = true\npack = "pack"\nevery = 0.2\n'
            (tmp_path / "grid.toml").write_text(f"[[modbus]]\n{text}timeout = 20\n")
            server = await csms.serve()
            async with csms_command._heeding(Namespace(grid=tmp_path / "grid.toml", nats=None), csms):
                found = await asyncio.to_thread(as_read, address, 5, 704)
                while found["WSet"] != -2_000:
                    found = await asyncio.to_thread(as_read, address, 5, 704)
                assert 1 <= found["WSetRvrtTms"] <= 10
            await csms.tasks.close()
            server.close()
            await server.wait_closed()

    asyncio.run(tried())


@again
def test_an_inverter_that_would_go_on_by_itself_gets_no_orders(tmp_path: Path) -> None:
    """Without a time of reversion, without 704, without a state of charge: one clear error each, and nothing is written."""

    def without(*models: int, **points: int) -> dict[str, Any]:
        kept = [[number, values] for number, values in LED["models"] if number not in models]  # type: ignore[attr-defined]
        return LED | {"models": [[number, values | points if number == 704 else values] for number, values in kept]}

    async def faults_of(unit: dict[str, Any]) -> list[str]:
        said: list[str] = []
        heard = asyncio.Event()

        def say(line: dict[str, Any]) -> None:
            if line["what"] == "fault":
                said.append(line["text"])
                heard.set()

        async with asyncio.timeout(TIME), devices(tmp_path, unit) as address:
            led = Modbus("inverter", address, "battery", unit=5, sunspec=True, pack="pack", every=0.2, timeout=20.0)
            listening = Listening(Grid(modbus=(led,)), time.monotonic, say)
            listening.storages["inverter"].ordered(2_000.0, 10.0)
            task = asyncio.ensure_future(listening.run())
            await heard.wait()
            task.cancel()
            if 704 in [number for number, _ in unit["models"]]:
                assert (await asyncio.to_thread(as_read, address, 5, 704))["WSet"] == 0
        return said

    none = 0xFFFF_FFFF
    for unit, reason in (
        (without(WSetRvrtTms=none), "model 704 has no WSetRvrtTms"),
        (without(704), "no model 704"),
        (without(713), "no model 713"),
        (without(WSet_SF=12), "a scale factor of 12"),
    ):
        (fault,) = asyncio.run(faults_of(unit))
        assert reason in fault
