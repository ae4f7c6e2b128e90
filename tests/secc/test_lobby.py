"""Which outlet a car is sent to: free, healthy and linked ones only, and no two cars to the same one while there is a choice."""

import asyncio
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from secc import server
from secc.bay import Place
from secc.config import parse
from secc.evse import EVSE
from secc.lobby import AWAITED, PROMISE, SENT, Lobby, Welcome
from secc.outlet import Outlet
from secc.server import Station, wall_clock
from tests.secc.test_server import bench, run
from tests.starved import again, heed
from v2g.session.link import Unreachable
from v2g.session.sdp import Security
from v2g.session.transport.discovery import DiscoveryServer, discover
from v2g.settings.strict import ConfigError

ROOT = Path(__file__).parents[2]
SETUP = 18.0  # s
FREE, NOT, BACK, SILENT = Welcome.FREE, Welcome.NOT, Welcome.BACK, Welcome.SILENT


@dataclass
class Door:
    """An outlet as a test wants it."""

    is_: Welcome = FREE
    link: bool | None = None
    home: str = ""  # the address whose own session is here

    def welcome(self, source: str) -> Welcome:
        return BACK if self.home and source == self.home else self.is_

    def linked(self) -> bool | None:
        return self.link


@pytest.mark.parametrize(
    ("doors", "chosen"),
    [
        ([Door()], 0),
        ([Door(NOT)], None),
        ([Door(NOT), Door()], 1),
        ([Door(NOT), Door(NOT)], None),
        ([Door(SILENT), Door()], 1),
        ([Door(SILENT), Door(NOT)], 0),
        ([Door(link=False)], None),
        ([Door(link=False), Door()], 1),
        ([Door(), Door(link=True)], 1),
        ([Door(NOT, link=True), Door()], 1),
        ([Door(link=False), Door(link=False)], None),
        ([Door(), Door(NOT, home="fe80::1")], 1),
        ([], None),
    ],
)
def test_a_car_is_sent_where_it_can_be_served(doors: list[Door], chosen: int | None) -> None:
    assert Lobby(doors, SETUP).chosen("fe80::1", 0.0) == chosen


def test_two_cars_at_once_are_sent_to_two_outlets_and_each_hears_the_same_again() -> None:
    lobby = Lobby([Door(), Door()], SETUP)
    first, second = lobby.chosen("fe80::1", 0.0), lobby.chosen("fe80::2", 0.1)
    assert {first, second} == {0, 1}
    for number in range(1, 8):
        assert lobby.chosen("fe80::1", 0.25 * number) == first
        assert lobby.chosen("fe80::2", 0.25 * number) == second


def test_who_asks_and_never_comes_shuts_nobody_out() -> None:
    lobby = Lobby([Door(), Door()], SETUP)
    for number in range(1000):
        assert lobby.chosen(f"fe80::{number:x}", number / 1000) is not None
    assert len(lobby._promised) <= 2
    assert lobby.chosen("fe80::ffff", 1.0 + 2 * PROMISE) == 0


def test_a_car_that_was_sent_and_never_came_is_answered_again_after_a_new_data_link_alone() -> None:
    door = Door(link=True)
    lobby = Lobby([door], SETUP)
    for number in range(50):  # it hears the answer, and asks on
        assert lobby.chosen("fe80::1", number * 0.25) == 0
    assert lobby.chosen("fe80::1", SETUP - 0.1) == 0
    assert lobby.chosen("fe80::1", SETUP) is None
    assert lobby.chosen("fe80::2", SETUP) == 0  # another is not made to pay for it
    lobby.look()
    assert lobby.chosen("fe80::1", 1000.0) is None
    door.link = False
    lobby.look()
    door.link = True
    assert lobby.chosen("fe80::1", 1001.0) == 0
    lobby.came("fe80::1")
    assert lobby.chosen("fe80::1", 1001.0 + SETUP) == 0


def test_where_a_car_was_sent_is_known_while_it_may_come_whoever_else_asks() -> None:
    lobby = Lobby([Door(), Door()], SETUP)
    place = lobby.chosen("fe80::1", 0.0)
    for number in range(int(80 * SETUP)):  # as fast as discovery answers
        lobby.chosen(f"fe80::{number + 16:x}", number / 80)
    assert lobby.sent("fe80::1", SETUP - 0.1) == place
    assert lobby.sent("fe80::1", SETUP) is None
    assert lobby.sent("fe80::2", 1.0) is None
    for number in range(3 * SENT):
        lobby.chosen(f"fe80::1:{number:x}", 100.0)
    assert len(lobby._sent) == SENT


def test_where_no_link_can_be_told_a_car_may_ask_for_ever_and_a_flood_needs_no_memory() -> None:
    unknown, linked = Lobby([Door()], SETUP), Lobby([Door(link=True)], SETUP)
    assert [unknown.chosen("fe80::1", at) for at in (0.0, SETUP, 1000.0)] == [0, 0, 0]
    for number in range(2000):
        assert linked.chosen(f"fe80::{number:x}", number / 1000) == 0
    assert len(linked._awaited) == AWAITED


async def until(true: Callable[[], bool]) -> None:
    """Wait until it is so, for half a minute at the most."""
    for _ in range(3000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came about")


def test_over_sockets_a_late_car_is_not_answered_and_the_backend_hears_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "DiscoveryServer", functools.partial(DiscoveryServer, port=0))

    async def scenario() -> None:
        async with bench(iface="lo") as at:
            told: list[Any] = []
            at.station.bays[0].turned_away = told.append  # type: ignore[method-assign]
            at.evse.linked = lambda: True  # type: ignore[method-assign]
            port, lobby = at.station._responders[0].port, at.station._answers[0].lobby
            ask = functools.partial(discover, "lo", security=Security.NONE, port=port, attempts=1, retry=300.0)
            found = await ask()
            lobby._setup = 0.0
            with pytest.raises(Unreachable):
                await ask(retry=0.2)
            assert "no new data link since" in told[-1].reason
            _, writer = await asyncio.open_connection(found.host, found.port)
            await until(lambda: not lobby._awaited)
            assert (await ask()).attempts == 1  # it came: it may ask again
            at.evse.linked = lambda: False  # type: ignore[method-assign]
            await until(lambda: not lobby._awaited)
            at.evse.linked = lambda: True  # type: ignore[method-assign]
            assert (await ask()).attempts == 1
            writer.close()

    run(scenario)


def test_an_evse_says_whether_there_is_a_link_and_one_that_fails_costs_no_answer() -> None:
    class Broken(EVSE):
        def linked(self) -> bool | None:
            raise RuntimeError("the modem is gone")

    async def scenario() -> None:
        async with bench(evse=Broken()) as at:
            assert at.station.bays[0].linked() is None
        async with bench() as at:
            assert at.station.bays[0].linked() is None

    run(scenario)


def test_an_outlet_is_free_until_a_car_introduces_itself_and_again_when_it_is_safe() -> None:
    async def scenario() -> None:
        async with bench() as at:
            bay, seen = at.station.bays[0], set()
            assert bay.welcome("fe80::1") is FREE
            visit = asyncio.create_task(at.visit(loops=20))
            while not visit.done():
                if bay._holder is not None and bay._holder in bay._drivers:
                    bay._drivers[bay._holder] = replace(bay._drivers[bay._holder], peer=("fe80::2%lo", 50000))
                seen.add((bay.welcome("fe80::1"), bay.welcome("fe80::2")))
                await asyncio.sleep(0.01)
            assert (await visit).ended.well
            await at.free()
            assert bay.welcome("fe80::1") is FREE
            assert (NOT, BACK) in seen  # a stranger is not sent there; the car that has it may come back

    run(scenario)


def test_connections_of_several_outlets_have_numbers_of_their_own() -> None:
    async def scenario() -> None:
        numbers: list[int] = []

        def watch(local: tuple[str, int], peer: tuple[str, int], number: int) -> Any:
            from v2g.session.link import Observer

            numbers.append(number)
            return Observer()

        places = [Place(EVSE(), Outlet(evse_id=f"DE*V2G*E{n}"), None, "127.0.0.1") for n in (1, 2)]  # type: ignore[arg-type]
        async with Station(places, None, clock=wall_clock(), observe=[watch]) as station:
            for address in station.addresses * 2:
                _, writer = await asyncio.open_connection(*address)
                writer.close()
            while len(numbers) < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert sorted(numbers) == [1, 2, 3, 4]

    run(scenario)


def test_two_outlets_under_one_id_are_refused_with_the_cure() -> None:
    with pytest.raises(ConfigError, match=r"2 outlets have evse_id 'DE\*V2G\*E1'; give each its own"):
        parse("tls = false\n[[outlet]]\nport = 1\n[[outlet]]\nport = 2\n")


TWO = """
tls = false
iface = "lo"
[offer]
services = ["DC"]
[[outlet]]
evse_id = "DE*V2G*E1"
[[outlet]]
evse_id = "DE*V2G*E2"
"""
CARS = """
import json, subprocess, sys, time
v2g = [sys.executable, "-m", "v2g"]
station = subprocess.Popen([*v2g, "secc", "--config", sys.argv[1], "--json"], stdout=subprocess.PIPE, text=True)
lines = [json.loads(station.stdout.readline()) for _ in range(2)]
car = [*v2g, "ev", "--iface", "lo", "--no-tls", "--auth", "eim", "--service", "DC", "--json"]
cars = []
for _ in range(2):
    cars.append(subprocess.Popen(car, stdout=subprocess.PIPE, text=True))
    while True:  # the next comes while the one before charges
        lines.append(json.loads(station.stdout.readline()))
        if lines[-1]["event"] == "power":
            break
        if lines[-1]["event"] == "ended":
            sys.exit(f"a car was not served: {lines}")
for car in cars:  # each charges until the other does
    car.terminate()
said = [json.loads(car.communicate(timeout=300)[0]) for car in cars]
station.terminate()
lines += [json.loads(line) for line in station.stdout]
print(json.dumps({"cars": said, "station": lines}))
"""


@pytest.mark.parametrize(("listener", "workers"), [("own", 1), ("shared", 1), ("own", 2)])
@again
def test_two_cars_on_one_interface_charge_at_two_outlets_and_every_line_says_at_which(tmp_path: Path, listener: str, workers: int) -> None:
    prefix = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    try:
        able = subprocess.run([*prefix, "true"], capture_output=True, timeout=300, check=False).returncode == 0
    except OSError:
        able = False
    if not able:
        pytest.skip("a network of its own takes the right to make one")
    (tmp_path / "station.toml").write_text(f'listener = "{listener}"\nworkers = {workers}\n{TWO}')
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [*prefix, sys.executable, "-c", CARS, str(tmp_path / "station.toml")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    heed(done.stdout, done.stderr)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [car["ok"] for car in said["cars"]] == [True, True], said["cars"]
    assert {car["evse_id"] for car in said["cars"]} == {"DE*V2G*E1", "DE*V2G*E2"}
    nowhere = [line for line in said["station"] if "evse" not in line and line["event"] != "stopping"]  # all outlets stop at once
    assert nowhere == []
    ports = {line["address"] for line in said["station"] if line["event"] == "listening"}
    assert len(ports) == (1 if listener == "shared" else 2)
    for car in said["cars"]:
        mine = [line for line in said["station"] if line.get("evse") == car["evse_id"]]
        assert {"listening", "session", "power", "ended"} <= {line["event"] for line in mine}
    assert "DE*V2G*E1 [::1]" in done.stderr.replace("%lo", "")  # and every line of the log
