"""Stationary batteries at the connection that stations of a CSMS share: planned with the cars, and ordered in watts each second.

No car relies on a battery. Cars and loads keep the limits of the connection by themselves, as they would while it is silent or broken: a
battery takes what they leave, and gives what they draw, both by what is measured and what they were sent, whichever is worse. So there is
no room that it has to give back in time: a profile takes seconds to reach a car, or does not.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf, isfinite
from typing import Final

from v2g.energy.fleet.connection import PHASES, Connection, cap_over, load_over
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.pack import Pack
from v2g.energy.fleet.plan import FleetPlan
from v2g.energy.fleet.promises import Party
from v2g.energy.fleet.room import PATIENCE
from v2g.energy.plan import Plan
from v2g.energy.series import Series, total
from v2g.energy.setpoint import setpoint
from v2g.energy.signal import Kind
from v2g.energy.site import Site
from v2g.energy.stay import POWER_BOUND

LOOK: Final = 1.0  # s between two orders
LASTS: Final = 10.0  # s that an order counts: who hears no more of them stands still
METER: Final = "meter"  # the name of the connection that batteries are at, above that of the cars
Order = Callable[[float, float], None]
"""Takes the power (W, + is drawn) that a battery shall have, for so many s."""


@dataclass(slots=True)
class Battery:
    """One battery: what it said last, when (epoch s), and what plans want of it. `order` takes its orders."""

    pack: Pack
    order: Order | None = None
    soc: float = 0.0  # %
    at: float = -inf  # epoch s
    plans: tuple[Plan, ...] = ()  # the one that cars were told, and the one that they are being told
    heard: bool = False  # at the last look

    def there(self, wall: float) -> bool:
        """Whether what it said is young enough to go by."""
        return wall - self.at <= PATIENCE

    def wanted(self, wall: float) -> float:
        """W, signed: what all its plans allow at `wall`. Nothing without a plan, or where they want opposite things."""
        pack = self.pack
        needs = pack.guest(self.soc, wall).needs
        site = Site(export_limit=POWER_BOUND, efficiency_charge=pack.efficiency_charge, efficiency_discharge=pack.efficiency_discharge)
        powers = [setpoint(plan, needs, site, wall) for plan in self.plans]
        return max(min(powers, default=0.0), 0.0) + min(max(powers, default=0.0), 0.0)


class Batteries:
    """The batteries of a connection. `plan` asks for a plan; `drawn` gives the least and the most (W) that cars may draw now."""

    def __init__(
        self,
        packs: Sequence[Pack],
        wall: Callable[[], float],
        plan: Callable[[], None],
        ground: Callable[[float], Ground],
        drawn: Callable[[float], tuple[float, float]],
    ) -> None:
        self._all = {pack.name: Battery(pack) for pack in packs}
        self._wall, self._plan, self._ground, self._drawn = wall, plan, ground, drawn

    @property
    def names(self) -> tuple[str, ...]:
        """The batteries by their names."""
        return tuple(self._all)

    def lead(self, name: str, order: Order) -> None:
        """Give the orders of a battery to `order` from now on. KeyError for one that is not there."""
        self._all[name].order = order

    def heard(self, name: str, soc: float) -> None:
        """Take how full a battery is at this moment (%). KeyError for one that is not there, ValueError for what no battery says."""
        if not (isfinite(soc) and 0 <= soc <= 100):
            raise ValueError(f"the battery {name} says {soc} %; give 0 to 100")
        battery = self._all[name]
        battery.soc, battery.at = soc, self._wall()
        if not battery.heard:
            battery.heard = True
            self._plan()

    def parties(self, wall: float) -> list[Party]:
        """The batteries that speak, as a plan from `wall` (epoch s) on asks for them."""
        there = (battery for battery in self._all.values() if battery.there(wall))
        return [Party(replace(battery.pack.guest(battery.soc, wall), at=METER)) for battery in there]

    def above(self, ground: Ground) -> Ground:
        """The ground with the batteries at its meter: what holds at the meter holds for cars and loads alone as well.

        Generation that no cap lets out is left to the batteries, and to no car.
        """
        if not self._all:
            return ground
        top, told = ground.connection, [signal for signal in ground.signals if signal.kind is not Kind.SETPOINT]
        cars = replace(top, export_cap=None, phase_export_cap=None)
        for number, signal in enumerate(each for each in told if each.kind is Kind.IMPORT_CAP):
            cars = Connection(f"{METER} in {number}", import_cap=signal.power, below=(cars,))
        load, left = total([one.load for one in top.all()]), None
        outs = [(top.export_cap, top.phase_export_cap), *((each.power, None) for each in told if each.kind is Kind.EXPORT_CAP)]
        for number, (cap, phase) in enumerate(outs):
            kept = _surplus(load, cap, phase)
            cars = Connection(f"{METER} out {number}", None, cap, None, phase, total([kept, _less(left)]), below=(cars,))
            left = kept
        meter = Connection(METER, top.import_cap, top.export_cap, top.phase_import_cap, top.phase_export_cap, _less(left), below=(cars,))
        return replace(ground, connection=meter)

    def planned(self, made: FleetPlan) -> None:
        """Go by a new plan as well as by the one before, until cars were told it."""
        for name, battery in self._all.items():
            plan = made.plans.get(name)
            battery.plans = () if plan is None else (*battery.plans[:1], plan)

    def told(self) -> None:
        """Go by the last plan alone: the cars were told theirs."""
        for battery in self._all.values():
            battery.plans = battery.plans[-1:]

    async def run(self) -> None:
        """Give orders each second until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK)

    def look(self) -> None:
        """Give each battery its order of this moment; one that has fallen silent is planned for no more."""
        wall = self._wall()
        up, down = self._room(wall)
        for battery in self._all.values():
            before, battery.heard = battery.heard, battery.there(wall)
            if before and not battery.heard:
                battery.plans = ()
                self._plan()
            power = min(max(battery.wanted(wall), -down), up) if battery.heard else 0.0
            up, down = up - max(power, 0.0), down + min(power, 0.0)
            if battery.order is not None and battery.heard:
                battery.order(power, LASTS)

    def _room(self, wall: float) -> tuple[float, float]:
        """W that batteries may draw, and give, whatever cars do that keep to what they were sent, magnitudes."""
        ground = self._ground(wall)
        (least, most), top, end = self._drawn(wall), ground.connection, wall + LOOK
        load = sum(load_over(one.load, wall, end) for one in top.all())
        drawn, given = (list(_caps(ground, kind, wall, end)) for kind in (Kind.IMPORT_CAP, Kind.EXPORT_CAP))
        into = min(cap_over(top.import_cap, wall, end), PHASES * cap_over(top.phase_import_cap, wall, end), *drawn)
        out = min(cap_over(top.export_cap, wall, end), PHASES * cap_over(top.phase_export_cap, wall, end), *given)
        return max(into - load - most, 0.0), max(out + load + least, 0.0)


def _less(series: Series | None) -> Series | None:
    return None if series is None else series.map(lambda power: -power)


def _surplus(load: Series | None, cap: Series | float | None, phase: Series | float | None) -> Series | None:
    """W of generation that no cap lets out, by a load (W, signed): 0 where it lets all of it; None where there is none."""
    if load is None:
        return None
    edges = sorted({*load.edges(), *(edge for each in (cap, phase) if isinstance(each, Series) for edge in each.edges())})
    spans = list(pairwise(edges))
    out = [min(cap_over(cap, start, end), PHASES * cap_over(phase, start, end)) for start, end in spans]
    kept = [max(-load_over(load, *span) - most, 0.0) for span, most in zip(spans, out, strict=True)]
    return Series.from_pairs(zip(edges[:-1], kept, strict=True), edges[-1]) if any(kept) else None


def _caps(ground: Ground, kind: Kind, start: float, end: float) -> Iterator[float]:
    yield inf
    for signal in ground.signals:
        if signal.kind is kind:
            yield cap_over(signal.power, start, end)
