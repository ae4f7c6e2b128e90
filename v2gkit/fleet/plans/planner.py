"""Plans for every site each quarter of an hour, and for a car that came soon after: from what a conductor knows to solvers and back.

Nothing waits for a plan. A site whose plan does not come keeps to the one that it has, by what is measured and within every cap, and a car
that has none draws what it can.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import msgspec

from v2g.legible import legible, logger
from v2gkit.fleet.conductor import Conductor
from v2gkit.fleet.places import Place
from v2gkit.fleet.plans.task import Planned, Task, digest, limits_of
from v2gkit.fleet.plans.verbs import SolverFault, Solvers
from v2gkit.fleet.rates import Rate
from v2gkit.fleet.store.reading import newest_plans
from v2gkit.sql.words import Row, StoreFault

LOG = logger("v2g.fleet")
QUARTER: Final = 900.0  # wall s that a plan is the newest
LOOK: Final = 60.0  # wall s after which a car that came has its plan begun
ABREAST: Final = 64  # tasks that are away at once: the quarter's others wait here, where what they rest on stays fresh
LONGEST: Final = 5.0  # s that a solver may look for a plan
Rates = Callable[[str, float], tuple[Rate, ...]]


class Planner:
    """Has the sites of a conductor planned. `rates` tell what energy costs at a site, seen from an instant (epoch s)."""

    def __init__(self, conductor: Conductor, solvers: Solvers, wall: Callable[[], float], rates: Rates = lambda site, at: ()) -> None:
        self._conductor, self._solvers, self._wall, self._rates = conductor, solvers, wall, rates
        self._turns = asyncio.Semaphore(ABREAST)
        self._renewed: set[str] = set()  # sites whose prices are others than those that they were planned by

    async def recall(self) -> int:
        """Take up the plans of a process before this one; how many. Raises StoreFault."""
        kept = await self._conductor.store.read(newest_plans)
        found = [msgspec.json.decode(row["doc"], type=Planned) for row in kept if row["site"] in self._conductor.places]
        for plan in found:
            self._conductor.follow(plan)
        return len(found)

    async def run(self, pause: Callable[[float], Awaitable[Any]]) -> None:
        """Plan until cancelled; `pause` waits for so many wall s."""
        whole = -1.0
        while True:
            now = self._wall()
            sites = None if now // QUARTER != whole else self.unplanned()
            whole = now // QUARTER
            await self.round(sites)
            await pause(LOOK)

    def unplanned(self) -> list[str]:
        """The sites with a car that has a goal and no plan, and those with other prices."""
        at, places = self._wall(), self._conductor.places
        return [site for site, place in places.items() if site in self._renewed or any(_lacks(place, car, at) for car in self._cars(place))]

    def renew(self, sites: Iterable[str]) -> None:
        """Have sites planned with the next look: their prices have changed."""
        self._renewed |= set(sites)

    async def round(self, sites: list[str] | None = None) -> int:
        """Have sites planned, all or these; how many were."""
        wanted = self._conductor.places if sites is None else sites
        return sum(await asyncio.gather(*(self._site(self._conductor.places[site]) for site in wanted)))

    def _cars(self, place: Place) -> list[Any]:
        known = self._conductor.cars
        return [known[asset.id] for asset in place.assets if asset.id in known]

    def task(self, place: Place) -> Task | None:
        """What a plan of a site rests on now; None where no car has a goal."""
        at, here = self._wall(), self._cars(place)
        cars = tuple(car for car in here if car.departure is not None and car.departure > at)
        if not cars:
            return None
        loads: dict[str, float] = {}
        for car in here:
            if car.departure is None:
                loads[car.at] = loads.get(car.at, 0.0) + max(car.wanted, car.drawn or 0.0, 0.0)
        limits = tuple(limit for signals, share in self._conductor.ahead(place) for limit in limits_of(signals, share, at))
        return Task(place.site.tenant, place.site, at, cars, limits, loads, LONGEST, self._rates(place.site.id, at))

    async def _site(self, place: Place) -> bool:
        async with self._turns:
            self._renewed.discard(place.site.id)
            task = self.task(place)
            if task is None:
                return False
            octets = msgspec.json.encode(task)
            try:
                plan = msgspec.json.decode(await self._solvers.solve(place.site.id, octets), type=Planned)
                if plan.fault or plan.task != digest(octets):
                    raise SolverFault(f"{place.site.id}: {plan.fault or 'the plan is one of another task'}")
            except (SolverFault, msgspec.MsgspecError) as fault:
                self._conductor.counts["plan_faults"] += 1
                LOG.warning("no new plan, the last one stands: %s", legible(str(fault)))
                return False
        self._conductor.counts["plans"] += 1
        self._conductor.follow(plan)
        doc = msgspec.json.encode(plan).decode()
        try:
            await self._conductor.store.keep([Row("plans", {"tenant": task.tenant, "site": plan.site, "at": plan.at, "doc": doc})])
        except StoreFault as fault:
            LOG.warning("a plan is not kept: %s", legible(str(fault)))
        return True


def _lacks(place: Place, car: Any, at: float) -> bool:
    return car.departure is not None and car.departure > at and (place.plan is None or place.plan.power(car, at) is None)
