"""Cars at outlets that share a connection, over sockets: what flows at all of them together keeps the cap, whatever their control."""

import asyncio

from evcc.car import Car, Wish
from evcc.client import Visit
from evcc.ev import AC_INLET, Battery, Ev, Inlet
from evcc.result import Result
from secc.bay import Place
from secc.evse import EVSE
from secc.neighbour import Neighbour
from secc.outlet import Outlet
from secc.server import Station, surroundings, wall_clock
from secc.simulated import DC_LIMITS
from secc.station import Limits
from secc.yard import Yard
from tests.secc.test_many_outlets import slowly
from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground
from v2g.energy.site import Site
from v2g.session.clock import Clock

CAP = 20_000.0  # W, for three cars of which each would draw more
RIPPLE = 1.01  # a car whose voltage rises draws more by its current than it was told, until its next loop


class Post(EVSE):
    """An outlet that tells what flows."""

    def __init__(self, number: int, flows: dict[int, float], peaks: list[float]):
        super().__init__()
        self.evse_id, self._number, self._flows, self._peaks = f"DE*V2G*E{number}", number, flows, peaks
        self.closed = False

    async def limits(self) -> Limits:
        return DC_LIMITS

    async def close_contactor(self) -> bool:
        self.closed = await super().close_contactor()
        return self.closed

    async def open_contactor(self) -> bool:
        self.closed = False
        return await super().open_contactor()

    async def set_output(self, voltage: float, current: float, power: float) -> None:
        await super().set_output(voltage, current, power)
        self._flows[self._number] = min(voltage * current, power) if self.closed else 0.0  # a pre-charge of 2 A fills a capacitor
        self._peaks.append(sum(self._flows.values()))


async def visit(clock: Clock, address: tuple[str, int], control: str) -> Result:
    wish = Wish(services=("DC",), control=control, authorizations=("EIM",), loops=30, bench_plain=True)  # type: ignore[arg-type]
    ev = Ev(Battery(), Inlet(), AC_INLET, energy=0.2 * Battery().capacity)
    return await Visit(Car(ev, wish=wish, clock=clock, now=asyncio.get_running_loop().time())).at(*address)


def test_three_cars_keep_the_cap_of_the_connection_they_share() -> None:
    async def story() -> None:
        clock = wall_clock()
        flows, peaks = {}, []  # type: ignore[var-annotated]
        around = surroundings(clock)
        yard = Yard(around, lambda wall: Ground(Connection("grid", CAP, CAP), Site()))
        posts = [Post(number, flows, peaks) for number in range(3)]
        outlet = Outlet(services=("DC",), limits=DC_LIMITS, authorizations=("EIM",))
        places = [Place(post, outlet, Neighbour(around, spot=yard.spot(post.evse_id))) for post in posts]
        async with Station(places, None, clock=clock) as station:
            controls = ("Dynamic", "Scheduled", "Dynamic")
            results = await asyncio.gather(*(visit(clock, *pair) for pair in zip(station.addresses, controls, strict=True)))
            assert [result.ended.well for result in results] == [True] * 3, [result.ended for result in results]
        assert CAP / 2 < max(peaks) <= CAP * RIPPLE
        assert len([result for result in results if result.car.ev.energy > 0.2 * Battery().capacity]) == 3

    slowly(story)
