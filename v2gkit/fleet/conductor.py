"""From signals and cars to orders that were taken: looks at every site whose facts changed, decides, keeps the decision, tells the assets.

A decision is in the store before anybody is told of it. While the store does not answer, orders that lower power go out all the same, and
what was decided is kept as soon as it can be; none that raises it does. What an asset did not take is told again.
"""

import asyncio
import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

import msgspec

from v2g.energy.fleet.room import SETTLE
from v2g.energy.signal import Signal
from v2g.legible import legible, logger
from v2g.tasks import Tasks
from v2gkit.fleet.arms.verbs import Arm, ArmFault, Order
from v2gkit.fleet.decision import Car, Decision, Held, Question
from v2gkit.fleet.declared import KEEPERS, Asset, Fleet
from v2gkit.fleet.estate import Estate, as_planned
from v2gkit.fleet.log.verbs import Log, LogFault, Said
from v2gkit.fleet.places import CHANGED, Place, Selling, differs, idle
from v2gkit.fleet.plans.task import Planned
from v2gkit.fleet.rows import answer_row, decision_rows, shed_rows, telemetry
from v2gkit.fleet.shed import decided
from v2gkit.fleet.store.reading import newest_orders
from v2gkit.fleet.store.verbs import Store
from v2gkit.grid.standing import Standing
from v2gkit.sql.words import Row, StoreFault

LOG = logger("v2g.fleet")
LOOK: Final = 1.0  # s between two looks at sites that have not come to rest
FRESH: Final = 150.0  # s for which a reading counts: two and a half minutes, where telemetry comes each minute
LEASE: Final = 900.0  # wall s after which an asset that hears nothing keeps to what is safe
AGAIN: Final = 5.0  # s until an order that was not taken is told again
BATCH: Final = 20  # sites that are decided, kept and told together; a thousand orders where fifty cars are at each
OWED: Final = 20_000  # rows that wait for a store that does not answer; the oldest go, said in the log
Tell = Callable[[str, str, dict[str, Any]], None]
"""Hears what happens: of which tenant, in words, and as facts."""


class Conductor:
    """Sites and assets of all tenants. `wall` gives epoch s, `tick` monotonic s. `lease` in wall s, see `LEASE`."""

    def __init__(
        self,
        fleet: Fleet,
        store: Store,
        log: Log,
        arms: Mapping[str, Arm],
        wall: Callable[[], float],
        tell: Tell = lambda tenant, text, facts: None,
        *,
        tick: Callable[[], float] = time.monotonic,
        lease: float = LEASE,
        fresh: float = FRESH,
    ) -> None:
        self.fleet, self.store, self.log, self._arms = fleet, store, log, arms
        self._wall, self._tick, self._tell = wall, tick, tell
        self._lease, self._fresh = lease, fresh
        self.cars: dict[str, Car] = {}
        self.places = {site.id: Place(site, list(fleet.at(site.id))) for site in fleet.site}
        self._selling = {program.id: Selling(program) for program in fleet.program}
        self.orders: dict[str, tuple[Order, str]] = {}  # asset -> what it was told last, and its state: open, done, refused
        self.holds: dict[str, float] = {}  # asset -> the most (W) that it may draw by what it was told, whether or not it has answered
        self.estate = Estate(self.places, self.cars, self.holds)
        self._renew: dict[str, float] = {}  # asset -> wall s at which its order is told again
        self._owed: deque[Row] = deque(maxlen=OWED)
        self._held_back: set[str] = set()  # sites of which orders were not told for want of the store
        self._woken, self._tasks, self._numbers = asyncio.Event(), Tasks("v2g.fleet"), itertools.count(1)
        self._run = f"{wall():.0f}"
        self.settled: Callable[[str, tuple[str, ...], float], None] = lambda tenant, by, at: None  # all orders of a decision were taken
        self.counts = dict.fromkeys(("decisions", "orders", "taken", "refused", "owed", "plans", "plan_faults"), 0)

    async def recall(self) -> int:
        """Take up what assets were told by a process before this one; how many of them. Raises StoreFault.

        What a station was told by OCPP longer ago than the lease is over: it keeps to what is safe. Other kinds keep to it for ever.
        """
        keepers = [asset.id for asset in self.fleet.asset if asset.kind in KEEPERS]
        told = await self.store.read(partial(newest_orders, since=self._wall() - self._lease, keepers=keepers))
        for tenant, asset_id, power, state, safe in told:
            asset = self.fleet.assets.get(asset_id)
            if asset is None or self.fleet.tenant_of(asset) != tenant:
                continue
            before = self.holds.get(asset_id, asset.safe)
            self.holds[asset_id] = max(power, 0.0) if state == "done" else max(before, power)
            self.orders[asset_id] = Order("", power, safe, self._lease), "done" if state == "done" else "refused"
            self._renew[asset_id] = -math.inf
        for place in self.places.values():
            held = {asset.id: self.orders[asset.id][0].power for asset in place.assets if asset.id in self.orders}
            place.before = msgspec.structs.replace(place.before, told=held)
        return len(self.orders)

    # --- what is told ---

    def heed(self, program: str, standing: Standing, signals: tuple[Signal, ...] = ()) -> None:
        """Let this hold of a program's signals from now on."""
        selling = self._selling[program]
        selling.standing, selling.signals = standing, signals
        self._soil(self._sites_of(selling), f"signals of {program}")

    def bound(self, site: str, power: float | None) -> None:
        """Let a site draw at most so much (W), base load with it, from now on; None: what connection and signals admit."""
        self.places[site].limit = power
        self._soil([site], "an operator's limit")

    def follow(self, plan: Planned) -> None:
        """Let the cars of a site want what is planned for them, from now on."""
        self.places[plan.site].plan = plan
        self._soil([plan.site], "a new plan")

    def ahead(self, place: Place) -> list[tuple[tuple[Signal, ...], float]]:
        """The signals of each program that are known at a place, with the part (0 to 1) of them that it is planned with."""
        found = ((selling.signals, self._sites_of(selling)) for selling in self._selling.values())
        return [(signals, self.estate.part(place.site.id, sites)) for signals, sites in found if signals and place.site.id in sites]

    def report(self, car: Car) -> None:
        """Take an asset as it is now."""
        asset = self.fleet.assets[car.asset]
        contract, tenant = self.fleet.contracts[asset.contract], self.fleet.tenants[self.fleet.tenant_of(asset)]
        car = msgspec.structs.replace(
            car,
            most=min(car.most, asset.power),
            give=min(car.give, asset.give) if contract.discharge else 0.0,
            tenant_rank=tenant.rank,
            contract_rank=contract.rank,
        )
        before = self.cars.get(car.asset)
        self.cars[car.asset] = car
        place = self.places[asset.site]
        if before is None or differs(before, car):
            place.dirty, place.cause = True, f"{asset.id} has changed"
            self._woken.set()

    def gone(self, asset: str) -> None:
        """Take it that nobody is at an asset any more."""
        if self.cars.pop(asset, None) is not None:
            self._soil([self.fleet.assets[asset].site], f"{asset} is free")

    def told_again(self, asset: str) -> None:
        """Tell an asset its order once more: it has come back, and may have forgotten it."""
        self._renew[asset] = -math.inf
        self._soil([self.fleet.assets[asset].site], f"{asset} has come back")

    def join(self, asset: Asset) -> None:
        """Reckon with one more asset from now on. Raises ValueError for one that does not fit into the fleet."""
        self.fleet = replace(self.fleet, asset=(*self.fleet.asset, asset))
        self.places[asset.site].assets.append(asset)
        self._soil([asset.site], f"{asset.id} is new")

    async def leave(self, asset: Asset, anyway: bool = False) -> None:
        """Reckon with an asset no more, once it has taken that it may draw nothing, or `anyway`. Raises ArmFault where it has not."""
        order = Order(f"{self._run}-{next(self._numbers)}", 0.0, 0.0, self._lease)
        self.orders[asset.id] = order, "refused"  # until it has answered it is a load, and told nothing else
        state, said = await self._carry(asset, order)
        if state != "done" and not anyway:
            raise ArmFault(said)
        self.fleet = replace(self.fleet, asset=tuple(each for each in self.fleet.asset if each.id != asset.id))
        place = self.places[asset.site]
        place.assets[:] = [each for each in place.assets if each.id != asset.id]
        for known in (self.cars, self.orders, self.holds, self._renew):
            known.pop(asset.id, None)
        place.before = msgspec.structs.replace(place.before, told=self._told(place))
        self._soil([asset.site], f"{asset.id} is gone for good")

    def _soil(self, sites: Iterable[str], cause: str) -> None:
        for site in sites:
            self.places[site].dirty, self.places[site].cause = True, cause
        self._woken.set()

    def _sites_of(self, selling: Selling) -> list[str]:
        program = selling.program
        return list(program.sites) or [site.id for site in self.fleet.site if site.tenant == program.tenant]

    # --- rounds ---

    async def run(self) -> None:
        """Decide and tell until cancelled."""
        try:
            while True:
                self._woken.clear()
                await self.round()
                try:
                    async with asyncio.timeout(LOOK):
                        await self._woken.wait()
                except TimeoutError:
                    pass
        finally:
            await self._tasks.close()

    async def round(self) -> int:
        """Look once at what is new; how many orders went out."""
        tick, wall, made = self._tick(), self._wall(), list[tuple[Decision, list[tuple[Asset, Order]]]]()
        self.estate.hold(((selling, self._sites_of(selling)) for selling in self._selling.values()), wall)
        due = [place for place in self.places.values() if self._due(place, tick, wall)]
        async with asyncio.TaskGroup() as group:
            for first in range(0, max(len(due), 1), BATCH):
                sent = [each for each in (self._decide(place, tick, wall) for place in due[first : first + BATCH]) if each[1]]
                if sent or self._owed:
                    group.create_task(self._sent(sent))
                    await asyncio.sleep(0)  # the first are told while the next are decided
                made += sent
        return sum(len(orders) for _, orders in made)

    async def _sent(self, made: list[tuple[Decision, list[tuple[Asset, Order]]]]) -> None:
        await self._keep(made)
        for decision, orders in made:
            self._tasks.start(f"orders of {decision.question.site.id}", self._carried(decision, orders))
        if not self._owed:
            self.store.note([row for decision, _ in made for row in shed_rows(decision)])

    def _due(self, place: Place, tick: float, wall: float) -> bool:
        return (
            place.dirty
            or place.again <= tick
            or place.edge <= wall
            or any(self._renew.get(asset.id, math.inf) <= wall for asset in place.assets)
        )

    def _decide(self, place: Place, tick: float, wall: float) -> tuple[Decision, list[tuple[Asset, Order]]]:
        deaf = {asset.id for asset in place.assets if self.orders.get(asset.id, (None, ""))[1] == "refused"}
        hearing = [asset for asset in place.assets if asset.id not in deaf]
        seen = (as_planned(self.cars.get(asset.id) or idle(asset), place, wall) for asset in hearing)
        cars = tuple(self._seen(car, tick) for car in seen)
        place.edge = math.inf if place.plan is None else place.plan.edge(wall)
        loads: dict[str, float] = {}
        for asset in place.assets:
            if asset.id in deaf:
                loads[asset.feeder] = loads.get(asset.feeder, 0.0) + self.holds[asset.id]
        question = Question(place.site.tenant, place.site, wall, tick, place.held, cars, place.before, loads)
        decision = decided(question, place.cause)
        place.before, place.dirty = decision.answer.after, False
        resting = all(abs((car.drawn or 0.0) - decision.answer.orders[car.asset]) <= 2 * CHANGED for car in cars if car.drawn is not None)
        place.again = math.inf if resting and not decision.answer.shed and place.held == Held() else tick + SETTLE
        orders = []
        for asset in place.assets:
            before = self.orders.get(asset.id)
            power = decision.answer.orders.get(
                asset.id, before[0].power if before is not None else 0.0
            )  # deaf: once more what it did not take
            due = self._renew.get(asset.id, -math.inf) <= wall
            if before is None or due or abs(power - before[0].power) > CHANGED:
                safe = min(max(power, 0.0), asset.safe) if place.held.import_cap is not None else asset.safe
                orders.append((asset, Order(f"{self._run}-{next(self._numbers)}", power, safe, self._lease)))
        return decision, orders

    def _seen(self, car: Car, tick: float) -> Car:
        """A car whose reading is as old as the dispatcher shall take it for: what comes each minute is no silence."""
        return msgspec.structs.replace(car, drawn_at=tick) if car.drawn is not None and tick - car.drawn_at <= self._fresh else car

    # --- keeping and telling ---

    async def _keep(self, made: list[tuple[Decision, list[tuple[Asset, Order]]]]) -> None:
        """Have decisions and orders in the store; where it does not answer, hold back what would raise power."""
        rows = [*self._owed, *(row for decision, orders in made for row in decision_rows(decision, orders, self._wall()))]
        self._owed.clear()
        try:
            await self.store.keep(rows)
        except StoreFault as fault:
            self._owed.extend(rows)
            self.counts["owed"] = len(self._owed)
            LOG.error("%d rows wait for the store: %s", len(rows), legible(str(fault)))
            for decision, orders in made:
                place = self.places[decision.question.site.id]
                orders[:] = [(asset, order) for asset, order in orders if self._falls(asset, order)]
                self._held_back.add(place.site.id)
                place.before = msgspec.structs.replace(place.before, told=self._told(place))
        else:
            self.counts["owed"] = 0
            if self._held_back:  # the store is back
                self._soil(self._held_back, "the store is back")
                self._held_back = set()
        self.counts["decisions"] += len(made)

    def _falls(self, asset: Asset, order: Order) -> bool:
        before = self.orders.get(asset.id)
        return order.power <= (asset.safe if before is None else max(before[0].power, 0.0))

    def _told(self, place: Place) -> dict[str, float]:
        return {asset.id: self.orders[asset.id][0].power for asset in place.assets if asset.id in self.orders}

    async def _carried(self, decision: Decision, orders: list[tuple[Asset, Order]]) -> None:
        """Tell assets their orders at once, and keep what they answered."""
        question = decision.question
        subject = f"{question.tenant}.{question.site.id}"
        octets = msgspec.json.encode({asset.id: order.power for asset, order in orders})
        self._tasks.start(
            f"log of {question.site.id}", self._logged(Said(f"dispatch.{subject}", octets, decision.id))
        )  # no order waits for it
        states = await asyncio.gather(*(self._carry(asset, order) for asset, order in orders))
        told = zip(orders, states, strict=True)
        rows = [answer_row(question.tenant, asset, order, state, said, self._wall()) for (asset, order), (state, said) in told]
        refused = [said for state, said in states if state != "done"]
        text = f"{question.site.id}: {len(orders) - len(refused)} of {len(orders)} orders taken, for {decision.cause}"
        self._tell(question.tenant, text + (f"; {refused[0]}" if refused else ""), {"decision": decision.id, "refused": refused})
        try:
            await self.store.keep(rows)
        except StoreFault:
            self._owed.extend(rows)
        if not refused:
            by = (*question.held.import_by, *((question.held.setpoint_by,) if question.held.setpoint_by else ()))
            self.settled(question.tenant, by, self._wall())
        await self._logged(Said(f"ack.{subject}", octets, f"{decision.id}-ack"))

    async def _carry(self, asset: Asset, order: Order) -> tuple[str, str]:
        self.counts["orders"] += 1
        before = self.orders.get(asset.id, (None, ""))[1]
        self.orders[asset.id] = order, "refused" if before == "refused" else "open"  # who is deaf is so until it has answered
        self.holds[asset.id] = max(self.holds.get(asset.id, 0.0), order.power)
        self._renew[asset.id] = self._wall() + self._lease / 2
        try:
            await self._arms[asset.kind].carry(asset, order)
        except ArmFault as fault:
            if self.orders.get(asset.id, (None, ""))[0] is order:
                self.orders[asset.id] = order, "refused"
                self._renew[asset.id] = min(self._renew[asset.id], self._wall() + AGAIN)
                self.places[asset.site].dirty = True
            self.counts["refused"] += 1
            return "refused", str(fault)
        if self.orders.get(asset.id, (None, ""))[0] is order:
            if before == "refused":
                self._hears(asset, order.power)
            self.orders[asset.id] = order, "done"
            self.holds[asset.id] = max(order.power, 0.0)
        self.counts["taken"] += 1
        return "done", ""

    def _hears(self, asset: Asset, power: float) -> None:
        """Let the next decision reckon again with an asset that was deaf."""
        place = self.places[asset.site]
        place.before = msgspec.structs.replace(place.before, told={**place.before.told, asset.id: power})
        place.dirty = True

    async def telemetry(self) -> None:
        """Put what every site draws into the log, a record for each, and into the store for the page."""
        wall = self._wall()
        said, rows = [], []
        for place in self.places.values():
            here = [self.cars[asset.id] for asset in place.assets if asset.id in self.cars]
            told = self._told(place)
            said.append(Said(f"telemetry.{place.site.tenant}.{place.site.id}", telemetry(wall, here)))
            power = self.estate.flow(place.site.id, lambda car: car.drawn or 0.0)
            cap = min(place.site.import_limit or math.inf, math.inf if place.held.import_cap is None else place.held.import_cap)
            load = self.estate.flow(place.site.id, lambda car: 0.0)
            values = {"at": wall, "power": power, "planned": load + sum(told.values()), "cap": cap}
            rows.append(Row("power", {"tenant": place.site.tenant, "site": place.site.id} | values))
        await self._logged(*said)
        try:
            await self.store.keep(rows)
        except StoreFault as fault:
            LOG.warning("no history of power: %s", legible(str(fault)))

    async def _logged(self, *many: Said) -> None:
        try:
            await self.log.append(many)
        except LogFault as fault:  # nothing rests on it
            LOG.warning("not in the log: %s", legible(str(fault)))
