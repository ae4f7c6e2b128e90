"""Many guests behind one connection, planned in groups: each beside what the others draw, and how far that may be from the best.

A program's time grows with nearly the square of its guests; that of a thousand takes some tens of seconds, that of fifty a tenth of one. So
the guests are dealt into groups, by turns, so that all are alike. The first group plans within its part of what they share, each next one
within its part and what those before have left. The prices at which the groups would give way to each other make a bound that no plan
beats (what all guests would pay who had to buy at them): the gap to it is told. Where it is wide, or energy is missing, all are planned as
one program (`joint`), which begins where the groups ended and so takes a third of its time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from v2g.energy.fleet.guard import Guard
from v2g.energy.fleet.model import Model
from v2g.energy.fleet.plan import FleetPlan, fleet_plan
from v2g.energy.fleet.queue import assured, missed
from v2g.energy.fleet.sample import Sampled, sampled
from v2g.energy.fleet.seats import Shared, Table
from v2g.energy.fleet.settling import powers_of, unbroken
from v2g.energy.fleet.shares import deprived
from v2g.energy.patience import Patience
from v2g.energy.program import Basis
from v2g.energy.scheduler import KILO
from v2g.energy.stay import TOLERANCE

LARGE: Final = 150  # guests from which on groups are worth it: as one program these take half a second
SIZE: Final = 50  # guests of a group: half of it gives way to others less well, twice of it takes longer
WIDE: Final = 0.001  # of what a plan costs: where the bound is further away all are planned as one program, from what the groups found


def divisible(table: Table) -> bool:
    """Whether groups may plan for themselves: what they share is a limit that leaves something, and nothing else."""
    free = all(room >= 0 for limit in table.shared for room in (*limit.up, *limit.down))
    plain = all(slot.setpoint is None for slot in table.slots)
    return len(table.seats) > LARGE and table.ground.peak_price == 0 and free and plain


@dataclass(slots=True)
class _Flows:
    """What flows in each slot (W): in the mean, and the most and the least at any moment of it."""

    mean: list[float]
    high: list[float]
    low: list[float]

    def add(self, table: Table, number: int, powers: Sequence[float], share: float = 1.0) -> None:
        """Add what a seat draws."""
        seat = table.seats[number]
        for interval, place, power in zip(seat.stay.intervals, seat.slots, powers, strict=True):
            slot = table.slots[place]
            whole = interval.duration >= slot.end - slot.start
            self.mean[place] += share * power * interval.hours / slot.hours
            self.high[place] += share * (power if whole else max(power, 0.0))
            self.low[place] += share * (power if whole else min(power, 0.0))


@dataclass(slots=True)
class _Groups:
    """The groups of a table, what everybody draws, and what flows through the meter and each limit."""

    whole: Table
    sampled: Sampled
    patience: Patience
    groups: list[list[int]]
    begin: Basis | None
    bases: list[Basis] = field(default_factory=list)  # of the last round
    powers: dict[int, list[float]] = field(default_factory=dict)  # W, by the number of the seat
    flows: list[_Flows] = field(default_factory=list)  # at the meter, then through each limit
    prices: list[list[float]] = field(default_factory=list)  # currency/kWh in each slot, of each group: what more would cost it

    @property
    def table(self) -> Table:
        """The table in which the meter goes one way wherever it must."""
        return self.sampled.table

    def __post_init__(self) -> None:
        slots = len(self.table.slots)
        self.flows = [_Flows([0.0] * slots, [0.0] * slots, [0.0] * slots) for _ in range(len(self.table.shared) + 1)]

    def plan_all(self) -> None:
        """Plan for each group beside those before it, within the part of the limits that is their turn."""
        for turn, group in enumerate(self.groups):
            part = (turn + 1) / len(self.groups)
            small = self._beside(group, part)
            model = Model(small, curtails=False)
            guard = Guard(model)
            opened = model.program.opened(self.patience, self.begin)
            solution = opened.solved()
            self.bases.append(opened.basis(model.program))
            self.prices.append(_prices(model, opened.duals()))
            if guard.keep(opened, solution):
                solution = opened.solved()
            made = powers_of(model, unbroken(model, opened, solution))
            for number in group:
                self.powers[number] = made[self.table.seats[number].guest.name]
                self._count(number)

    def _count(self, number: int) -> None:
        self.flows[0].add(self.table, number, self.powers[number])
        for limit, flows in zip(self.table.shared, self.flows[1:], strict=True):
            if (share := limit.shares.get(number)) is not None:
                flows.add(self.table, number, self.powers[number], share)

    def _beside(self, group: Sequence[int], part: float) -> Table:
        """The table of a group: the others are a load, and what they leave of their part of each limit is all there is."""
        places = {number: place for place, number in enumerate(group)}
        slots = tuple(replace(slot, load=slot.load + mean) for slot, mean in zip(self.table.slots, self.flows[0].mean, strict=True))
        shared = []
        for limit, flows in zip(self.table.shared, self.flows[1:], strict=True):
            # below 0 where the others rest on what this group gives, or draws: it does so now, so it can
            ups = tuple(part * up - high + TOLERANCE for up, high in zip(limit.up, flows.high, strict=True))
            downs = tuple(part * down + low + TOLERANCE for down, low in zip(limit.down, flows.low, strict=True))
            shares = {places[number]: share for number, share in limit.shares.items() if number in places}
            left = tuple(room * len(group) / len(self.table.seats) for room in limit.left)
            shared.append(Shared(limit.name, limit.within, limit.phase, shares, ups, downs, left))
        return Table(replace(self.table.ground, tenants=()), slots, tuple(self.table.seats[number] for number in group), tuple(shared))

    def plan(self, gap: float) -> FleetPlan:
        """The plan that the powers make."""
        named = {seat.guest.name: self.powers[number] for number, seat in enumerate(self.table.seats)}
        return replace(fleet_plan(self.whole, named, "joint, in groups", gap), basis=Basis.joined(self.bases))

    def gap_of(self, cost: float) -> float:
        """How far a cost is (relative) from what no plan beats: guests who buy and sell at the mean of the groups' prices, and a meter that
        trades at them. Where that leaves the gap wide, those of the sample are tried as well.
        """
        means = [math.fsum(each) / len(each) for each in zip(*self.prices, strict=True)]
        gap = _gap(cost, self._bound(means))
        if gap <= WIDE or not self.sampled.worth:
            return gap
        return min(gap, _gap(cost, self._bound([self.sampled.worth.get(number, mean) for number, mean in enumerate(means)])))

    def _bound(self, means: Sequence[float]) -> float:
        found = math.fsum(
            _traded(mean, slot.import_price, slot.export_price, (slot.load + up, down - slot.load), slot.load) * slot.hours
            for mean, slot, up, down in zip(means, self.whole.slots, self.whole.shared[0].up, self.whole.shared[0].down, strict=True)
        )
        priced = [
            replace(s, load=0.0, import_price=mean, export_price=mean, carbon=0.0) for s, mean in zip(self.table.slots, means, strict=True)
        ]
        for group in self.groups:
            alone = Table(replace(self.table.ground, tenants=()), tuple(priced), tuple(self.table.seats[number] for number in group), ())
            found += Model(alone).program.opened(self.patience).solved().objective
        return found


def _traded(price: float, bought: float, sold: float, most: tuple[float, float], load: float) -> float:
    """The least that a meter pays (currency/h) which draws for `bought`, gives for `sold` and trades what flows at `price`; powers in W."""
    into, out = most
    return min(0.0, (bought - price) * into, (price - sold) * out) / KILO + price * load / KILO


def _prices(model: Model, duals: Sequence[float]) -> list[float]:
    """What a kWh more would cost a group in each slot: at the meter, and because of the limit there."""
    found = []
    for number, slot in enumerate(model.table.slots):
        up, down = model.tops.get(number, (None, None))
        cost = duals[model.meters[number]] - (duals[up] if up is not None else 0.0) + (duals[down] if down is not None else 0.0)
        found.append(cost / slot.hours)
    return found


def in_groups(table: Table, patience: Patience, begin: Basis | None = None) -> FleetPlan:
    """The plan of a table that is `divisible`, with the gap to what no plan beats, found from a basis of before.

    OutOfTime where patience ends before any is found.
    """
    whole, count = table, -(-len(table.seats) // SIZE)
    order = sorted(range(len(table.seats)), key=lambda number: (table.seats[number].stay.start, table.seats[number].stay.until))
    dealt = [order[turn::count] for turn in range(count)]
    groups = _Groups(whole, sampled(whole, dealt[0], patience), patience, dealt, begin)
    groups.plan_all()
    made = groups.plan(math.inf)
    return made if made.unmet else replace(made, gap=groups.gap_of(_cost(made, whole)))


def worth_of(made: FleetPlan, table: Table) -> tuple[float, float, float]:
    """What tenants miss of what they are assured of (Wh), what is missing in all (Wh), what it costs (currency): the less the better."""
    beyond = deprived(missed(table, made), assured(table))
    return (round(beyond), round(sum(made.unmet.values()), 1), _cost(made, table))


def _cost(made: FleetPlan, table: Table) -> float:
    """Money and carbon (currency) of a plan, less what batteries hold more at its end."""
    burden = math.fsum(max(net, 0.0) / KILO * slot.hours * slot.carbon for net, slot in zip(made.net.values, table.slots, strict=True))
    return made.cash + made.wear + burden - made.held


def _gap(cost: float, bound: float) -> float:
    return max(cost - bound, 0.0) / max(abs(cost), 1e-9)
