"""Discovery over WLAN by a whole station on the loopback interface: who is answered, with which place, and who hears nothing."""

import asyncio
import contextlib
import functools
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from evcc.car import Wish
from evcc.client import Visit
from evcc.config import Config
from secc import server
from secc.backend import LocalBackend
from secc.bay import Place
from secc.outlet import Outlet
from secc.server import Station, surroundings, wall_clock
from secc.simulated import LIMITS, SimulatedEVSE
from tests.secc.test_server import QUICK, run
from tests.starved import again, heed
from v2g.iso20.services import SERVICES
from v2g.session.link import Unreachable
from v2g.session.sdp import Coupling, Diagnosis, Request, Security, Transport, WirelessRequest, WirelessResponse, decode, encode
from v2g.session.transport.discovery import DiscoveryServer, discover

ROOT = Path(__file__).parents[2]
DOME = WirelessRequest(coupling=Coupling.DOME)
ID = "DE*V2G*E{}"


class Depot:
    """A station whose outlets share the loopback interface; `told` is the cars they turned away."""

    def __init__(self, station: Station, posts: list[SimulatedEVSE]):
        self.station, self.posts, self.told = station, posts, list[Any]()
        self.responder = station._responders[0]
        for bay in station.bays:
            bay.turned_away = self.told.append  # type: ignore[method-assign]

    def answer(self, asked: WirelessRequest, source: str = "fe80::1") -> WirelessResponse | None:
        assert self.responder._wireless is not None
        return self.responder._wireless(source, asked)

    def port(self, number: int) -> int:
        return self.station.bays[number].server.port

    async def find(self, asked: WirelessRequest | None) -> Any:
        return await discover("lo", port=self.responder.port, attempts=2, retry=0.3, wireless=asked, security=Security.NONE)


@contextlib.asynccontextmanager
async def depot(*services: tuple[str, ...]) -> AsyncIterator[Depot]:
    clock, now = wall_clock(), asyncio.get_running_loop().time
    posts, places = [], []
    for number, offered in enumerate(services, 1):
        limits = LIMITS[SERVICES[offered[0]].plug]
        posts.append(SimulatedEVSE(now, lambda: clock.wall(now()), asyncio.sleep, limits=limits, physics=QUICK))
        outlet = Outlet(evse_id=ID.format(number), services=offered, limits=limits)
        places.append(Place(posts[-1], outlet, LocalBackend(surroundings(clock)), iface="lo"))
    async with Station(places, None, clock=clock) as station:
        yield Depot(station, posts)


@pytest.fixture(autouse=True)
def own_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "DiscoveryServer", functools.partial(DiscoveryServer, port=0))


def at(scene: Callable[[Depot], Awaitable[None]], *services: tuple[str, ...]) -> None:
    async def story() -> None:
        async with depot(*services) as it:
            await scene(it)

    run(story)


ACDP, DC = ("DC_ACDP", "DC_ACDP_BPT"), ("DC",)


@pytest.mark.parametrize(("service", "coupling"), [("DC_ACDP", Coupling.DOME), ("WPT", Coupling.WPT)])
def test_a_vehicle_finds_its_place_over_wlan_and_charges_there(monkeypatch: pytest.MonkeyPatch, service: str, coupling: Coupling) -> None:
    async def scene(it: Depot) -> None:
        monkeypatch.setattr("evcc.client.discover", functools.partial(discover, port=it.responder.port, retry=300.0))
        wish = Wish(services=(service,), authorizations=("EIM",), loops=3, bench_plain=True)
        clock, now = it.station.bays[1]._clock, asyncio.get_running_loop().time()
        car = Config(soc=20.0, wish=wish).car(clock, now)
        result = await Visit(car).on("lo", WirelessRequest(coupling=coupling))
        assert result.ended.well, result.ended
        assert result.car.evse_id == ID.format(2)  # the outlet with a cable is no place for it
        assert it.responder.answered == 1

    at(scene, DC, (service,))


def test_every_service_whose_plug_is_no_cable_is_found_over_wlan_and_no_other() -> None:
    found = {row.plug for row in SERVICES.values() if row.couplings}
    assert found == {"acdp", "wpt"}
    assert all(bool(row.couplings) == (row.plug in found) for row in SERVICES.values())


@pytest.mark.parametrize(
    ("services", "asked"),
    [
        (DC, DOME),
        (ACDP, WirelessRequest(coupling=Coupling.WPT)),
        (ACDP, WirelessRequest(coupling=Coupling.MANUAL)),
        (ACDP, WirelessRequest()),
        (ACDP, WirelessRequest(coupling=0x77)),
        (ACDP, WirelessRequest(coupling=Coupling.DOME, evse_id="DE*ABC*E9")),
    ],
)
def test_a_station_is_silent_to_a_car_that_is_none_of_its_own(services: tuple[str, ...], asked: WirelessRequest) -> None:
    async def scene(it: Depot) -> None:
        with pytest.raises(Unreachable, match="nothing was heard at all"):
            await it.find(asked)
        assert it.responder.answered == 0
        assert it.told == []  # a neighbour's car is no refusal

    at(scene, services)


def test_an_answer_says_the_evse_and_repeats_the_coupling() -> None:
    async def scene(it: Depot) -> None:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as car:
            car.setblocking(False)
            car.connect(("::1", it.responder.port))
            car.send(encode(DOME))
            octets = await asyncio.get_running_loop().sock_recv(car, 200)
        said = decode(WirelessResponse, octets)
        assert (len(octets), said.port, said.diagnosis) == (67, it.port(0), Diagnosis.FINISHED)
        assert (said.coupling, said.evse_id) == (Coupling.DOME, ID.format(1))

    at(scene, ACDP)


def test_no_device_comes_down_while_two_come_into_question() -> None:
    async def scene(it: Depot) -> None:
        first, second = it.posts
        said = it.answer(DOME)
        assert said is not None
        assert (said.diagnosis, said.port, said.evse_id) == (Diagnosis.ONGOING, 0, "")
        with pytest.raises(Unreachable, match=r"\d x an answer with word that the station has not found out yet"):
            await discover("lo", security=Security.NONE, port=it.responder.port, attempts=6, retry=0.1, wireless=DOME)
        first.linked = lambda: True  # type: ignore[method-assign]
        assert (said := it.answer(DOME)) is not None
        assert (said.port, said.evse_id) == (it.port(0), ID.format(1))
        second.linked = lambda: True  # type: ignore[method-assign]
        assert (said := it.answer(DOME)) is not None
        assert said.diagnosis is Diagnosis.ONGOING
        named = WirelessRequest(coupling=Coupling.DOME, evse_id=ID.format(2))
        assert (said := it.answer(named)) is not None
        assert said.evse_id == ID.format(2)
        first.linked = second.linked = lambda: False  # type: ignore[method-assign]
        assert it.answer(DOME) is None
        assert it.answer(named) is None  # it says so, and nobody stands there

    at(scene, ACDP, ACDP)


def test_what_pairs_car_and_place_decides_by_the_id_of_the_car() -> None:
    async def scene(it: Depot) -> None:
        for number, post in enumerate(it.posts):
            post.linked = lambda: True  # type: ignore[method-assign]
            post.stands = lambda ev_id, mine=f"BUS{number}": ev_id == mine if ev_id else None  # type: ignore[method-assign, misc]
        for number in range(2):
            said = it.answer(WirelessRequest(coupling=Coupling.DOME, ev_id=f"BUS{number}"), f"fe80::{number}")
            assert said is not None
            assert (said.port, said.evse_id) == (it.port(number), ID.format(number + 1))
        assert it.answer(WirelessRequest(coupling=Coupling.DOME, ev_id="BUS7")) is None
        assert (said := it.answer(DOME)) is not None
        assert said.diagnosis is Diagnosis.ONGOING

        def fails(ev_id: str) -> bool:
            raise OSError("the reader is gone")

        it.posts[0].stands = fails  # type: ignore[method-assign]
        assert (said := it.answer(WirelessRequest(coupling=Coupling.DOME, ev_id="BUS1"))) is not None
        assert said.diagnosis is Diagnosis.ONGOING  # what cannot be told leaves its data link to speak

    at(scene, ACDP, ACDP)


def test_a_place_that_serves_nobody_is_not_answered_for_and_the_backend_hears_of_it() -> None:
    async def scene(it: Depot) -> None:
        it.posts[0].unserviceable = lambda: "its mast is bent"  # type: ignore[method-assign]
        assert it.answer(DOME) is None
        assert it.told[-1].reason == f"no outlet on lo takes a car: {ID.format(1)}: its mast is bent"

    at(scene, ACDP)


def test_requests_over_wlan_count_among_those_of_their_source() -> None:
    async def scene(it: Depot) -> None:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as car:
            for number in range(60):
                car.sendto(encode(DOME if number % 2 else Request()), ("::1", it.responder.port))
            car.sendto(encode(WirelessRequest(transport=Transport.UDP, coupling=Coupling.DOME)), ("::1", it.responder.port))
            while it.responder.answered + sum(it.responder.ignored.values()) < 61:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert it.responder.ignored["more requests than a car makes"] >= 30
        assert 16 <= it.responder.answered < 31

    at(scene, ACDP)


STATION_AND_CAR = """
import json, subprocess, sys
v2g = [sys.executable, "-m", "v2g"]
secc = [*v2g, "secc", "--iface", "lo", "--no-tls", "--services", "DC_ACDP", "--once", "--json"]
station = subprocess.Popen(secc, stdout=subprocess.PIPE, text=True)
station.stdout.readline()
ev = [*v2g, "ev", "--iface", "lo", "--no-tls", "--auth", "eim", "--service", "DC_ACDP", "--loops", "3", "--json"]
said = [json.loads(subprocess.run([*ev, "--wireless", coupling], stdout=subprocess.PIPE, timeout=300).stdout) for coupling in sys.argv[1:]]
station.communicate(timeout=300)
print(json.dumps(said))
"""


@again
def test_the_commands_find_each_other_over_wlan_by_the_coupling() -> None:
    prefix = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    try:
        able = subprocess.run([*prefix, "true"], capture_output=True, timeout=300, check=False).returncode == 0
    except OSError:
        able = False
    if not able:
        pytest.skip("a network of its own takes the right to make one")
    command = [*prefix, sys.executable, "-c", STATION_AND_CAR, "WPT", "SIDE"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    heed(done.stdout, done.stderr)
    assert done.returncode == 0, done.stderr
    stranger, served = json.loads(done.stdout)
    assert "no station answered 50 requests" in stranger["reason"]
    assert served["ok"], served
    assert served["service"] == "DC_ACDP"
