"""The yard: all outlets of a process behind one connection. One plan for the cars at them, and watts that keep every cap between two plans.

    yard = Yard(around, ground)
    spot = yard.spot("DE*ABC*E1", at="F1")          # for the backend of that outlet

Plans are made off the event loop, one at a time: when a car comes, asks or leaves, when a signal or the load at the meter changes, and
every quarter of an hour. Once a second what flows is looked at, and every outlet is told what it may draw. A plan that fails, or takes too
long, costs nobody anything but money: who waits for an offer gets a share of the connection, and the others what each look leaves them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Final

from secc.spot import USUAL, Around, Spot
from secc.storage import Storage
from v2g.energy.fleet.connection import ALL_PHASES, cap_over
from v2g.energy.fleet.dispatch import Dispatch, dispatch
from v2g.energy.fleet.feeders import corrected
from v2g.energy.fleet.ground import Ground, Outlet
from v2g.energy.fleet.pack import Pack
from v2g.energy.fleet.plan import FleetPlan
from v2g.energy.fleet.promises import Settled, settled
from v2g.energy.fleet.room import PATIENCE, Memory, Reading
from v2g.energy.fleet.shares import Contract
from v2g.energy.forecast import Visit
from v2g.energy.market.hours import Hours
from v2g.energy.offer import Offer, offer
from v2g.energy.past import Past
from v2g.energy.plan import Plan
from v2g.energy.scheduler import immediate
from v2g.energy.signal import Kind, Signal
from v2g.energy.stay import POWER_BOUND, stay_of
from v2g.legible import logger

log = logger("v2g.secc")
LOOK: Final = 1.0  # s between two looks at what flows: the period of the fastest meters, and of charge loops
ROLL: Final = 900.0  # s after which a plan is made anew though nothing happened: the market's quarter of an hour
DRIFT: Final = 0.05  # of the cap, that the load may differ from what was foreseen before a plan is made anew
DRIFTED: Final = 60.0  # s for which it must have, and for which no other plan is made for it
HELD: Final = 200.0  # W, below which no schedule is changed: metering and control


class Yard:
    """All outlets behind one connection. `ground` gives, at a time (epoch s), the connection with prices and the load that is foreseen.

    `past` knows who came before: without it a plan leaves room for cars at all outlets that are free. `contracts` rank cars.
    """

    def __init__(
        self,
        around: Around,
        ground: Callable[[float], Ground],
        past: Past | None = None,
        contracts: Sequence[Contract] = (),
        hours: Hours | None = None,
    ):
        self.contracts, self.hours = tuple(contracts), hours
        self.around, self._ground, self._past = around, ground, past
        self._made: FleetPlan | None = None  # the last, from which the next one begins
        self.spots: dict[str, Spot] = {}
        self.storages: dict[str, Storage] = {}
        self.told = Dispatch({}, {}, (), {})
        self._signals: tuple[Signal, ...] = ()
        self._meters: dict[str, Reading] = {}
        self._memory = Memory()
        self._planning = self._again = self._looking = False
        self._lost = False  # what outlets may draw could not be worked out at the last look
        self._planned, self._drifted = -inf, inf  # epoch s of the last plan, and since which the load is another than that knew
        self._known: dict[str, float] = {}  # W by which loads differed from what was foreseen, when the last plan was made

    def spot(
        self, name: str, at: str = "", phases: tuple[int, ...] = ALL_PHASES, rank: int = 0, tenant: str = "", most: float = USUAL
    ) -> Spot:
        """The place of an outlet at a connection, the top where none is named. ValueError for a connection that is not there.

        `most`: W that a car draws there at most.
        """
        top = self._ground(self.around.wall()).connection
        if (at or top.name) not in top.ways():
            raise ValueError(f"the outlet {name} is at {at!r}; the connections are {', '.join(top.ways())}")
        self.spots[name] = Spot(self, name, at or top.name, phases, rank, tenant, most=most)
        return self.spots[name]

    def storage(self, pack: Pack) -> Storage:
        """A battery that stays, from now on: it is planned for once it has said how full it is. ValueError for a connection not there."""
        ways = self._ground(self.around.wall()).connection.ways()
        if pack.feeder not in ways or pack.name in self.spots:
            raise ValueError(f"the battery {pack.name} is at {pack.feeder!r}; there are {', '.join(ways)}, and no outlet has its name")
        self.storages[pack.name] = Storage(self, pack)
        return self.storages[pack.name]

    def wall(self) -> float:
        """The present time (epoch s)."""
        return self.around.wall()

    # --- what is told ---

    def meter(self, power: float, at: str = "") -> None:
        """W, + is drawn, flow at a connection now, cars included; the top where none is named. ValueError for one without a meter."""
        wall = self.around.wall()
        metered = [one.name for one in self._ground(wall).connection.all() if one.metered]
        name = at or self._ground(wall).connection.name
        if name not in metered:
            raise ValueError(f"no meter is foreseen at {name!r}; there are {', '.join(metered) or 'none'}: say metered = true")
        self._meters[name] = Reading(power, wall)
        self.look()

    def follow(self, signals: Sequence[Signal]) -> None:
        """Plan and steer by these signals at the meter from now on, in place of those before."""
        self._signals = tuple(signals)
        self.look()
        self.plan()

    # --- plans ---

    def ground(self, wall: float) -> Ground:
        """The connection with signals, and with its load as far as meters know better than what was foreseen."""
        ground = self._ground(wall)
        top = corrected(ground.connection, dict(self._off(ground, wall)), wall)
        outlets = tuple(Outlet(spot.name, spot.at, spot.most, spot.phases) for spot in self.spots.values())
        crowd = self._past.crowd(wall, max((spot.most for spot in self.spots.values()), default=0.0)) if self._past is not None else None
        if self.hours is not None and not any(spot.free for spot in self.spots.values()):
            site, hours = ground.site, self.hours
            imports, exports = hours.prices(site.import_prices, 0, wall), hours.prices(site.export_prices, 1, wall)
            ground = replace(ground, site=replace(site, import_prices=imports, export_prices=exports))
        return replace(ground, connection=top, signals=(*ground.signals, *self._signals), outlets=outlets, crowd=crowd)

    def came(self, visit: Visit) -> None:
        """A car has come and is gone."""
        if self._past is not None:
            self._past.add(visit)

    def plan(self) -> None:
        """Make a plan for all who are here. One is made at a time; what happens meanwhile is planned for after it."""
        self._read()
        if self._planning:
            self._again = True
            return
        wall = self.around.wall()
        here = {spot.name: spot.visit for spot in self.spots.values() if spot.needs is not None}
        stores = [store for store in self.storages.values() if store.there(wall)]
        if not here and not stores:
            return
        self._planning, self._planned = True, wall
        self._known = dict(self._off(self._ground(wall), wall))
        ground, parties, before = self.ground(wall), [self.spots[name].party(wall) for name in here], self._made
        parties += [store.party(wall) for store in stores]
        self.around.plan(self, lambda patience: settled(ground, parties, wall, patience, before), lambda found: self._done(found, here))
        if not self._looking:
            self._looking = True
            self.around.later(LOOK, self._turn)

    def _done(self, found: object, here: Mapping[str, int]) -> None:
        self._planning = False
        if isinstance(found, Settled):
            self._made = found.plan
            for name, visit in here.items():
                if self.spots[name].visit == visit and name in found.plan.plans:
                    self._settle(self.spots[name], found.plan.plans[name], found.offers.get(name))
            for store in self.storages.values():
                store.plan = found.plan.plans.get(store.pack.name)
        elif isinstance(found, Exception):
            log.error(
                "no plan for the outlets of this connection: %s; they charge at once within what it leaves them", found, exc_info=found
            )
            for store in self.storages.values():
                store.plan = None
            for name, visit in here.items():
                if self.spots[name].visit == visit:
                    self.give_up(self.spots[name], visit)
        if self._again:
            self._again = False
            self.plan()
        self.look()

    def _settle(self, spot: Spot, plan: Plan | None, shown: Offer | None) -> None:
        spot.plan = plan
        if shown is not None:
            if not spot.asks and spot.offered is None:
                shown = None
            else:
                spot.offered = shown.tuples[0].power if spot.scheduled else None
                spot.asks = False
        if spot.occupant is not None:
            spot.occupant.settle(plan, shown)
            for change in self.hours.behind(plan.power) if self.hours is not None and plan is not None and not spot.free else ():
                if change.at not in spot.noted:
                    spot.noted.add(change.at)
                    spot.occupant.delayed(change)

    def give_up(self, spot: Spot, visit: int) -> None:
        """Whoever waits still is offered its share of the connection, without any plan: what all outlets together may draw, divided."""
        if spot.visit != visit or not spot.asks or spot.needs is None:
            return
        wall = self.around.wall()
        ground = self.ground(wall)
        share = min(self._shares(spot, ground, wall), default=0.0)
        site = replace(ground.site, import_limit=share, export_limit=0.0)
        plan = immediate(stay_of(spot.needs, site, wall, spot.led(wall)))
        self._settle(spot, plan, offer(plan, spot.needs, site))

    def _shares(self, spot: Spot, ground: Ground, wall: float) -> Iterator[float]:
        """W of each connection above an outlet, divided by the outlets there; what loads and signals leave, for as long as is known."""
        ways = ground.connection.ways()
        for one in ground.connection.all():
            if one.name in ways[spot.at]:
                below = [other for other in self.spots.values() if one.name in ways[other.at]]
                loads = [max(value, 0.0) for each in one.all() if each.load is not None for value in each.load.values]
                caps = [cap_over(one.import_cap, wall, inf)]
                caps += [cap_over(one.phase_import_cap, wall, inf) * len(spot.phases)]
                if one is ground.connection:
                    caps += [min(s.power.values, default=inf) for s in ground.signals if s.kind is Kind.IMPORT_CAP]
                yield max(min(caps) - max(loads, default=0.0), 0.0) / len(below)

    # --- what flows ---

    def _turn(self) -> None:
        if not self.storages and not any(spot.needs is not None for spot in self.spots.values()):
            self._looking = False
            return
        self.around.later(LOOK, self._turn)  # first: whatever fails below, caps are looked after again
        wall = self.around.wall()
        self.look()
        silent = [store for store in self.storages.values() if store.turned(wall)]
        if silent or wall - self._planned >= ROLL or self._has_drifted(wall):
            self._drifted = inf
            self.plan()

    def look(self) -> None:
        """Tell every outlet under power what it may draw until the next look; nothing where that cannot be worked out: a cap is a cap."""
        there = [spot for spot in self.spots.values() if spot.powered and spot.needs is not None]
        self._read()
        try:
            wall = self.around.wall()
            demands = [*(spot.demand(wall) for spot in there), *(store.demand(wall) for store in self.storages.values())]
            self.told, self._memory = dispatch(self.ground(wall), demands, self._meters, self._memory, wall)
            commands, self._lost = self.told.commands, False
        except Exception:
            if not self._lost:  # once, not every second
                log.exception("what the outlets of this connection may draw cannot be worked out; they draw nothing until it can")
            self._lost = True
            commands = dict.fromkeys((*(spot.name for spot in there), *self.storages), 0.0)
        for spot in there:
            if spot.occupant is not None:
                spot.occupant.hold(commands[spot.name])
        for store in self.storages.values():
            store.tell(commands[store.pack.name])

    def _read(self) -> None:
        for store in self.storages.values():
            store.look()

    def _off(self, ground: Ground, wall: float) -> Iterator[tuple[str, float]]:
        """W by which the load at each connection with a meter that speaks differs from what is foreseen there and below."""
        for one in ground.connection.all():
            reading = self._meters.get(one.name)
            if one.metered and reading is not None and wall - reading.at <= PATIENCE:
                ways = ground.connection.ways()
                cars = sum(s.measured.power for s in self.spots.values() if s.measured is not None and one.name in ways[s.at])
                cars += sum(s.measured.power for s in self.storages.values() if s.measured is not None and one.name in ways[s.pack.feeder])
                loads = sum(each.load.at(wall) or 0.0 for each in one.all() if each.load is not None)
                yield one.name, reading.power - cars - loads

    def _has_drifted(self, wall: float) -> bool:
        """Whether the load has been another than the last plan knew for a while."""
        ground = self._ground(wall)
        most = {one.name: max(DRIFT * cap_over(one.import_cap, wall, wall + 1.0), HELD) for one in ground.connection.all()}
        off = any(abs(watts - self._known.get(name, 0.0)) > min(most[name], POWER_BOUND) for name, watts in self._off(ground, wall))
        self._drifted = min(self._drifted, wall) if off else inf
        return wall - self._drifted >= DRIFTED and wall - self._planned >= DRIFTED
