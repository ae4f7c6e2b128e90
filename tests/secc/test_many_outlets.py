"""A depot: many outlets in one process, one discovery before them, a car at each at once, and a fault that stays where it is."""

import asyncio
import functools
from collections.abc import Awaitable, Callable

import pytest

from evcc.car import Car, Wish
from evcc.client import Visit
from evcc.ev import AC_INLET, Battery, Ev, Inlet
from evcc.result import Result
from secc import server
from secc.backend import LocalBackend
from secc.bay import Place
from secc.evse import EVSE
from secc.outlet import Outlet
from secc.server import Station, surroundings, wall_clock
from secc.simulated import DC_LIMITS
from secc.station import EVReported, Limits
from v2g.session.clock import Clock
from v2g.session.transport.discovery import DiscoveryServer

MANY = 20
SLOWER = 10  # times that all timers of the process run slower than the clock: what a loaded machine is late by is no fault of an outlet


class Slow(asyncio.SelectorEventLoop):
    """A loop whose seconds are long ones."""

    def time(self) -> float:
        return super().time() / SLOWER


class Post(EVSE):
    """An outlet of a depot: linked to a car or not, serving or not, and one whose hardware fails in its third charge loop."""

    def __init__(self, number: int, link: bool = True, why: str = "", fails: bool = False):
        super().__init__()
        self.evse_id = f"DE*V2G*E{number}"
        self.link, self.why, self.fails = link, why, fails
        self.loops = self.opened = 0
        self.closed = False

    async def limits(self) -> Limits:
        return DC_LIMITS

    def linked(self) -> bool | None:
        return self.link

    def unserviceable(self) -> str:
        return self.why

    async def close_contactor(self) -> bool:
        self.closed = True
        return True

    async def open_contactor(self) -> bool:
        self.closed = False
        self.opened += 1
        return await super().open_contactor()

    async def car_reported(self, report: EVReported) -> None:
        self.loops += 1
        if self.fails and self.loops == 3:
            raise OSError("the converter does not answer")


def slowly(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(500 / SLOWER):
            await work()

    with asyncio.Runner(loop_factory=Slow) as runner:
        runner.run(bounded())


async def visit(clock: Clock, address: tuple[str, int]) -> Result:
    wish = Wish(services=("DC",), control="Dynamic", authorizations=("EIM",), loops=6, bench_plain=True)
    ev = Ev(Battery(), Inlet(), AC_INLET, energy=0.2 * Battery().capacity)
    return await Visit(Car(ev, wish=wish, clock=clock, now=asyncio.get_running_loop().time())).at(*address)


def test_every_car_of_a_depot_has_an_outlet_and_one_that_fails_costs_the_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two posts are no choice: no car is at the cable of one, the door of the other is open. One of twenty fails under power."""
    monkeypatch.setattr(server, "DiscoveryServer", functools.partial(DiscoveryServer, port=0))

    async def story() -> None:
        clock = wall_clock()
        posts = [Post(number, fails=number == 7) for number in range(MANY)]
        posts += [Post(MANY, link=False), Post(MANY + 1, why="its door is open")]
        around = surroundings(clock)
        outlet = Outlet(services=("DC",), limits=DC_LIMITS, authorizations=("EIM",))
        places = [Place(post, outlet, LocalBackend(around), iface="lo") for post in posts]
        async with Station(places, None, clock=clock) as station:
            (responder,) = station._responders
            answers = [responder._station(f"fe80::{number + 1:x}") for number in range(MANY)]
            ports = [answer.port for answer in answers if answer is not None]
            good = {bay.server.port for bay in station.bays[:MANY]}
            assert len(ports) == MANY
            assert set(ports) == good  # each its own, and none of the two
            hosts = {port: host for host, port in station.addresses}
            results = await asyncio.gather(*(visit(clock, (hosts[port], port)) for port in ports))
            by_id = {result.car.evse_id: result for result in results}
            assert set(by_id) == {post.evse_id for post in posts[:MANY]}
            failed = [name for name, result in by_id.items() if not result.ended.well]
            assert failed == [posts[7].evse_id], {name: by_id[name].ended for name in failed}
            for bay in station.bays:
                for driver in list(bay._drivers):
                    await driver.safe()
            assert not any(post.closed for post in posts)
            assert [post.opened > 0 for post in posts] == [True] * MANY + [False] * 2
            assert not station.occupied
            posts[7].fails = False
            again = await visit(clock, station.addresses[7])
            assert again.ended.well, again.ended

    slowly(story)


def test_a_depot_without_a_free_outlet_answers_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "DiscoveryServer", functools.partial(DiscoveryServer, port=0))

    async def story() -> None:
        clock = wall_clock()
        posts = [Post(number, why="its door is open") for number in range(MANY)]
        outlet = Outlet(services=("DC",), limits=DC_LIMITS, authorizations=("EIM",))
        places = [Place(post, outlet, LocalBackend(surroundings(clock)), iface="lo") for post in posts]
        async with Station(places, None, clock=clock) as station:
            (responder,) = station._responders
            assert responder._station("fe80::1") is None
            posts[13].why = ""
            answer = responder._station("fe80::1")
            assert answer is not None
            assert answer.port == station.bays[13].server.port

    slowly(story)
