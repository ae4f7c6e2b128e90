"""Room for those who are still to come: whoever comes, and asks for whatever an outlet gives, those who are here are full when they leave.

Cheap hours that are left for later may be full by then. So beside the plan there is a way back (`Guard`): a schedule for all who are here
within what those who may come leave of every cap, were they to come at once and draw all that they can. What a plan gives until the next
one is at least what the way back gives there, so that the next plan has a way back again, whoever has come. Where there is none any
more, everybody gets in the next quarter of an hour at least what it would in order of departure: then nobody misses energy who would not
miss it in that order.
"""

import math
from dataclasses import dataclass, field
from typing import Final

from v2g.energy.fleet.model import Model
from v2g.energy.fleet.queue import in_order
from v2g.energy.fleet.seats import Seat
from v2g.energy.program import Opened, Solution
from v2g.energy.scheduler import KILO, UNSERVED
from v2g.energy.stay import RESOLUTION, TOLERANCE

ASTRAY: Final = UNSERVED / 2  # times the dearest price, per kWh without a way back: more than an hour saves, less than what is missing
NEARLY: Final = 1.0  # Wh without a way back that are none: what the solver's tolerances come to


@dataclass(slots=True)
class Guard:
    """The way back of a program: variables beside those of its plan. Empty where nobody may come."""

    model: Model
    flows: dict[int, dict[int, int]] = field(default_factory=dict)  # kW of the way back, by seat and number of its interval
    lost: list[int] = field(default_factory=list)  # kWh that have no way back
    until: float = 0.0  # epoch s of the next plan

    def __post_init__(self) -> None:
        if not any(limit.left for limit in self.model.table.shared):
            return
        self.until = self.model.table.slots[0].start + RESOLUTION
        for number, seat in enumerate(self.model.table.seats):
            if seat.slots[0] == 0 and (seat.wanted > TOLERANCE or any(one is not None for one in self.model.parts[number].discharge)):
                self._way(number, seat)
        for limit in self.model.table.shared:
            for slot, left in enumerate(limit.left):
                self.model.program.label = (limit.name, self.model.table.slots[slot].end, "left")
                there = [(seat, place) for seat, place in self.model.here[slot] if seat in limit.shares and seat in self.flows]
                if sum(self.model.table.seats[s].stay.intervals[p].charge_cap * limit.shares[s] for s, p in there) > left:
                    self.model.program.row(-math.inf, left / KILO, *((self.flows[s][p], limit.shares[s]) for s, p in there))

    def _way(self, number: int, seat: Seat) -> None:
        """The way back of one guest: no more than its plan in the first slot, and all that it wants by its departure."""
        program, stay, part = self.model.program, seat.stay, self.model.parts[number]
        flows: dict[int, int] = {}
        terms: list[tuple[int, float]] = []
        for place, interval in enumerate(stay.intervals):
            program.label = (seat.guest.name, interval.start + interval.duration, "way back")
            soon = interval.start < self.until
            gives = part.discharge[place] if soon else None
            lower = -interval.discharge_cap / KILO if gives is not None else 0.0
            flows[place] = program.variable(0.0, lower, interval.charge_cap / KILO)
            if soon:
                flow = [(flows[place], 1.0), (part.charge[place], -1.0)] + ([(gives, 1.0)] if gives is not None else [])
                program.row(-math.inf, 0.0, *flow)
            gain = interval.hours * stay.efficiency_charge
            if gives is None:
                terms.append((flows[place], gain))
            else:
                stored = program.variable(lower=-math.inf)
                terms.append((stored, 1.0))
                program.row(-math.inf, 0.0, (stored, 1.0), (flows[place], -gain))
                program.row(-math.inf, 0.0, (stored, 1.0), (flows[place], -interval.hours / stay.efficiency_discharge))
        program.label = (seat.guest.name, "way back")
        self.lost.append(program.variable(ASTRAY * self.model.scale))
        wanted = min(stay.target, seat.wanted)  # below 0 for who holds more than it wants: that it may give
        program.row(wanted / KILO, math.inf, *terms, (self.lost[-1], 1.0), by=self.lost[-1] if wanted > 0 else None)
        self.flows[number] = flows

    def astray(self, solution: Solution) -> float:
        """kWh that have no way back in a solution."""
        return sum(solution.values[column] for column in self.lost)

    def keep(self, opened: Opened, solution: Solution) -> bool:
        """Where a solution has no way back: let everybody draw in the first slot at least what it would in order of departure.

        Whether that is so: then the program is to be solved again.
        """
        if self.astray(solution) * KILO <= NEARLY:
            return False
        plain = in_order(self.model.table)
        if plain.unmet:  # from here that order serves not even those who are known; the program loses no more than it must
            return False
        for seat, part in zip(self.model.table.seats, self.model.parts, strict=True):
            for interval, power, into, out in zip(
                seat.stay.intervals, plain.plans[seat.guest.name].power.values, part.charge, part.discharge, strict=True
            ):
                if interval.start < self.until:
                    self._bound(opened, into, power / KILO, max(power / KILO, self.model.program.uppers[into]))
                    if power > 0 and out is not None:
                        self._bound(opened, out, 0.0, 0.0)
        return True

    def _bound(self, opened: Opened, column: int, lower: float, upper: float) -> None:
        self.model.program.lowers[column], self.model.program.uppers[column] = lower, upper
        opened.bound(column, lower, upper)
