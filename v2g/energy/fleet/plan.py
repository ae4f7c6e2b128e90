"""A plan for many: a plan for each, and what follows at the meter that they share."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from v2g.energy.fleet.axis import Slot
from v2g.energy.fleet.seats import Table
from v2g.energy.plan import Plan, plan_of
from v2g.energy.program import Basis
from v2g.energy.series import Series, Step


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """A power for every guest in every slot. All else is computed from those powers, so it is what the meter would find."""

    plans: Mapping[str, Plan]  # by the name of the guest
    net: Series  # W at the meter, mean over each slot, signed, load included
    import_cost: float  # currency
    export_revenue: float  # currency
    peak_cost: float  # currency, for what the peak exceeds that which is paid already
    wear: float  # currency
    over: float  # Wh drawn above a cap of the connection because the load alone exceeds it
    curtailed: float  # Wh of generation that no cap lets through
    name: str  # how it was made: "joint", "in order of departure"
    gap: float  # how far (relative) the objective may be from the best; infinite where nobody knows
    held: float = 0.0  # currency that batteries hold more at its end than now, by what buying it anew costs in the mean
    basis: Basis = field(default_factory=Basis, repr=False, compare=False)  # where the plan that replaces this one begins

    @property
    def cash(self) -> float:
        """Imports and peak less exports, in the currency."""
        return self.import_cost + self.peak_cost - self.export_revenue

    @property
    def unmet(self) -> dict[str, float]:
        """Wh missing at departure, by the guests who miss any."""
        return {name: plan.unmet for name, plan in self.plans.items() if plan.unmet > 0}


def fleet_plan(table: Table, powers: Mapping[str, list[float]], name: str, gap: float, spilt: Sequence[float] = ()) -> FleetPlan:
    """The plan in which each guest follows its powers (W, one for each interval of its seat) as far as it can.

    `spilt` is the generation (W by slot) that is curtailed below the meter; what the meter's own cap curtails beyond it is found here.
    """
    plans = {seat.guest.name: plan_of(seat.stay, powers[seat.guest.name], name) for seat in table.seats}
    lost = list(spilt) or [0.0] * len(table.slots)  # W
    energies = [(slot.load + spill) * slot.hours for slot, spill in zip(table.slots, lost, strict=True)]  # Wh
    for seat in table.seats:
        for place, interval, step in zip(seat.slots, seat.stay.intervals, plans[seat.guest.name].power.steps, strict=True):
            energies[place] += step.value * interval.hours
    over, curtailed = 0.0, math.fsum(spill * slot.hours for spill, slot in zip(lost, table.slots, strict=True))
    for number, slot in enumerate(table.slots):
        most = slot.export_cap * slot.hours
        if slot.load < 0 and energies[number] < -most:
            curtailed += -most - energies[number]
            energies[number] = -most
        over += max(energies[number] - slot.import_cap * slot.hours, 0.0)
    nets = [energy / slot.hours for energy, slot in zip(energies, table.slots, strict=True)]
    start = table.slots[0].start if table.slots else 0.0
    highest = max(nets, default=0.0)
    return FleetPlan(
        plans=plans,
        net=Series(start, tuple(Step(slot.end - slot.start, net) for slot, net in zip(table.slots, nets, strict=True))),
        import_cost=math.fsum(
            max(net, 0.0) * _kilo_hours(slot) * (slot.import_price - slot.carbon) for net, slot in zip(nets, table.slots, strict=True)
        ),
        export_revenue=math.fsum(
            max(-net, 0.0) * _kilo_hours(slot) * slot.export_price for net, slot in zip(nets, table.slots, strict=True)
        ),
        peak_cost=table.ground.peak_price * max(highest - table.ground.peak_before, 0.0) / 1000.0,
        wear=math.fsum(plan.wear for plan in plans.values()),
        over=over if over > 1e-3 else 0.0,
        curtailed=curtailed,
        name=name,
        gap=gap,
        held=math.fsum(seat.worth * plans[seat.guest.name].energies[-1] / 1000.0 for seat in table.seats if seat.worth),
    )


def _kilo_hours(slot: Slot) -> float:
    return slot.hours / 1000.0
