"""Several outlets behind one port: whose a connection is, who is turned away and hears of it, and that none costs another its session."""

import asyncio
import contextlib
import functools
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from evcc.car import Car, Wish
from evcc.client import Visit
from evcc.ev import AC_INLET, Battery, Ev, Inlet
from evcc.result import Result
from evcc.trust import vehicle_tls
from pki.store import Store
from secc import server
from secc import station as words
from secc.backend import LocalBackend
from secc.bay import Bay, Place
from secc.front import Front
from secc.lobby import Welcome
from secc.outlet import Outlet
from secc.server import Station, surroundings, wall_clock
from secc.simulated import DC_LIMITS, SimulatedEVSE
from secc.trust import station_tls, station_verifier
from tests.secc.test_lobby import until
from tests.secc.test_server import QUICK, Witness, run, store
from v2g.session.transport.discovery import DiscoveryServer, discover

__all__ = ["store"]
FREE, NOT, BACK, SILENT = Welcome.FREE, Welcome.NOT, Welcome.BACK, Welcome.SILENT
ID = "DE*LAB*E{}"
CAR = "fe80::1"


@dataclass
class Post:
    """What a front asks of an outlet."""

    number: int
    is_: Welcome = FREE
    link: bool | None = None
    place: Any = None

    def __post_init__(self) -> None:
        self.place = Place(None, Outlet(evse_id=ID.format(self.number)), None)  # type: ignore[arg-type]

    def welcome(self, source: str) -> Welcome:
        return self.is_

    def linked(self) -> bool | None:
        return self.link


@pytest.mark.parametrize(
    ("posts", "sent", "chosen"),
    [
        ([(FREE, None), (FREE, None)], 1, 1),
        ([(FREE, None), (NOT, None)], 1, 1),  # it was sent there: there it hears why not
        ([(BACK, None), (FREE, None)], 1, 0),  # its own session is not left behind
        ([(FREE, None), (FREE, None)], None, "may be at any of DE*LAB*E0, DE*LAB*E1"),
        ([(FREE, None), (NOT, None)], None, 0),
        ([(FREE, False), (FREE, True)], None, 1),
        ([(FREE, None), (FREE, True)], None, 1),
        ([(FREE, True), (FREE, True)], None, "may be at any of"),
        ([(NOT, True), (FREE, False)], None, "no outlet is free"),
        ([(NOT, None), (SILENT, None)], None, 1),
        ([(FREE, None)], None, 0),
    ],
)
def test_whose_a_connection_is(posts: list[tuple[Welcome, bool | None]], sent: int | None, chosen: int | str) -> None:
    front = Front("::1", 0, lambda: 0.0)
    front.bays = [Post(number, *each) for number, each in enumerate(posts)]  # type: ignore[misc]
    front.sent_to = lambda source: None if sent is None or source != CAR else front.bays[sent]
    found = front.chosen(CAR)
    if isinstance(chosen, int):
        assert found is front.bays[chosen]
    else:
        assert isinstance(found, str)
        assert chosen in found


def test_what_discovery_told_one_car_is_nothing_to_another() -> None:
    front = Front("::1", 0, lambda: 0.0)
    front.bays = [Post(0), Post(1)]  # type: ignore[list-item]
    front.sent_to = lambda source: front.bays[0] if source == CAR else None
    assert front.chosen(CAR) is front.bays[0]
    assert "sent nobody from fe80::2" in str(front.chosen("fe80::2"))


class Posts:
    """A station of three outlets behind one port of the loopback interface."""

    def __init__(self, station: Station, clock: Any, hardware: list[SimulatedEVSE], witnesses: list[Witness]):
        self.station, self.clock, self.hardware, self.witnesses = station, clock, hardware, witnesses
        self.told: list[words.TurnedAway] = []
        for bay in station.bays:
            bay.turned_away = self.told.append  # type: ignore[method-assign]
        (self.front,) = station._fronts.values()

    async def visit(self, loops: int = 3, store: Store | None = None) -> Result:
        """One car, found by discovery where there is one, else by the address."""
        wish = Wish(services=("DC",), authorizations=("EIM",), loops=loops, bench_plain=store is None)
        if store is not None:
            wish = Wish(services=("DC",), authorizations=("EIM",), loops=loops, evccid=store.vehicle.common_name)
        ev = Ev(Battery(), Inlet(), AC_INLET, energy=0.2 * Battery().capacity)
        car = Car(ev, wish=wish, clock=self.clock, now=asyncio.get_running_loop().time())
        visit = Visit(car, tls=vehicle_tls(store) if store else None)
        return await (visit.on("lo") if self.station._responders else visit.at(*self.station.addresses[0]))

    async def charging(self, number: int, loops: int = 400) -> "asyncio.Task[Result]":
        """A car that has power at the outlet of that number."""
        visit, power = asyncio.create_task(self.visit(loops)), asyncio.create_task(self.witnesses[number].seen(words.PowerStarted))
        await asyncio.wait((visit, power), return_when=asyncio.FIRST_COMPLETED)
        assert power.done(), visit.result().ended
        return visit


@contextlib.asynccontextmanager
async def posts(
    monkeypatch: pytest.MonkeyPatch, store: Store | None = None, iface: str | None = "lo", count: int = 3
) -> AsyncIterator[Posts]:
    monkeypatch.setattr(server, "DiscoveryServer", functools.partial(DiscoveryServer, port=0))
    clock, now = wall_clock(), asyncio.get_running_loop().time
    hardware, places, witnesses = [], [], [Witness() for _ in range(count)]
    for number in range(count):
        hardware.append(SimulatedEVSE(now, lambda: clock.wall(now()), asyncio.sleep, limits=DC_LIMITS, physics=QUICK))
        outlet = Outlet(evse_id=ID.format(number), services=("DC",), limits=DC_LIMITS)
        watch: list[Callable[..., Witness]] = [lambda *_, mine=witnesses[number]: mine]
        places.append(Place(hardware[-1], outlet, LocalBackend(surroundings(clock)), iface=iface, observe=watch, shared=True))
    tls, verifier = (station_tls(store), station_verifier(store)) if store else (None, None)
    async with Station(places, tls, clock=clock, verifier=verifier) as station:
        if station._responders:
            monkeypatch.setattr("evcc.client.discover", functools.partial(discover, port=station._responders[0].port))
        yield Posts(station, clock, hardware, witnesses)


def test_cars_charge_at_outlets_of_one_port_and_each_is_told_of_its_own(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with posts(monkeypatch) as it:
            assert len(set(it.station.addresses)) == 1
            visits = [await it.charging(number) for number in range(3)]  # on a loopback all have one address: one after the other
            for number, bay in enumerate(it.station.bays):
                assert len(bay.server._pumps) == 1  # each in its own crowd
                assert bay.occupied, number
            for bay in it.station.bays:
                bay._holder.decided(words.StopAsked("enough"))  # type: ignore[union-attr]
            results = await asyncio.gather(*visits)
            assert [result.ended.well for result in results] == [True] * 3, [result.ended for result in results]
            assert [result.car.evse_id for result in results] == [ID.format(number) for number in range(3)]
            assert it.told == []
        assert not any(post.closed for post in it.hardware)

    caplog.set_level("INFO")
    run(story)
    for number in range(3):  # one name in every line about a connection
        assert any(record.getMessage().startswith("plain TCP with " + ID.format(number)) for record in caplog.records)


def test_who_comes_unsent_to_a_full_station_is_told_of_in_measure_and_nobody_else_notices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        async with posts(monkeypatch, iface=None, count=2) as it:
            it.hardware[1].unserviceable = lambda: "its door is open"  # type: ignore[method-assign]
            charging = await it.charging(0)
            (pump,) = it.station.bays[0].server._pumps
            host, port = it.station.addresses[0]
            for _ in range(100):
                with socket.socket(socket.AF_INET6) as peer:
                    peer.connect((host, port))
                    await asyncio.sleep(0)
            await until(lambda: it.front.refused >= 90)  # some are gone before they are looked at
            assert 1 <= len(it.told) < 40
            assert (it.told[0].how, it.told[0].reason) == (
                "no outlet", "the connection was closed: no outlet is free and in service, with a car at its cable",
            )  # fmt: skip
            assert list(it.station.bays[0].server._pumps) == [pump]
            it.station.bays[0]._holder.decided(words.StopAsked("enough"))  # type: ignore[union-attr]
            result = await charging
            assert result.ended.well, result.ended

    run(story)


def test_a_flood_of_one_outlet_takes_no_room_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with posts(monkeypatch, iface=None, count=2) as it:
            ours, other = it.station.bays
            it.hardware[1].unserviceable = lambda: "its door is open"  # type: ignore[method-assign]
            charging = await it.charging(0)
            it.hardware[1].unserviceable = lambda: ""  # type: ignore[method-assign]
            flood = [await asyncio.open_connection(*it.station.addresses[0]) for _ in range(40)]  # it alone is free
            await until(lambda: len(other.server._pumps) >= 4)
            for _, writer in flood:
                writer.write(b"nonsense")
            await until(lambda: len(other.server._pumps) <= 8)  # its own room for them, and no more
            assert len(ours.server._pumps) == 1
            for _, writer in flood:
                writer.close()
            await until(lambda: not other.server._pumps)
            assert (await it.visit()).car.evse_id == ID.format(1)
            ours._holder.decided(words.StopAsked("enough"))  # type: ignore[union-attr]
            result = await charging
            assert result.ended.well, result.ended

    run(story)


def test_renewed_certificates_are_used_at_a_shared_port(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    async def story() -> None:
        async with posts(monkeypatch, store, count=2) as it:
            first = await it.visit(store=store)
            assert first.ended.well, first.ended
            renewed = station_tls(store)
            used: list[Any] = []
            channel = renewed.channel
            renewed.channel = lambda hello: used.append(hello) or channel(hello)  # type: ignore[method-assign, func-returns-value]
            it.station.reload(renewed, station_verifier(store))
            second = await it.visit(store=store)
            assert second.ended.well, second.ended
            assert len(used) == 1

    run(story)


def test_places_share_where_they_say_so_and_have_a_door_in_common() -> None:
    def place(number: int, port: int, shared: bool) -> Place:
        return Place(
            SimulatedEVSE(lambda: 0.0, lambda: 0.0, asyncio.sleep), Outlet(evse_id=ID.format(number)), None, "::1", port, shared=shared
        )  # type: ignore[arg-type]

    async def story() -> None:
        doors = [(0, True), (0, True), (0, False), (0, False)]
        async with Station([place(number, *each) for number, each in enumerate(doors)], None, clock=wall_clock()) as station:
            ports = [port for _, port in station.addresses]
            assert ports[0] == ports[1]
            assert len(set(ports)) == 3
            assert all(isinstance(bay, Bay) for bay in station.bays)

    run(story)
