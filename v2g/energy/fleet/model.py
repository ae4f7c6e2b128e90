"""The linear program of a table: what each guest draws and gives in each slot, within every limit, for the least cost.

What counts, in this order: limits and batteries (never broken), the reserves, a setpoint at the meter, what tenants are assured of, the
energy that guests want (of the first rank before the second; within a rank the least missing in all, then the smallest largest share
missing of anyone), money, and calm. All but the first are slack variables whose costs lie an order of magnitude apart, so there always is
a plan.
"""

import math
from dataclasses import dataclass, field
from typing import Final

from v2g.energy.fleet.queue import assured
from v2g.energy.fleet.seats import Seat, Shared, Table
from v2g.energy.program import Program
from v2g.energy.scheduler import CALM, DISOBEYED, KILO, UNRESERVED, UNSERVED
from v2g.energy.stay import TOLERANCE

STRICTER: Final = 2.0  # times the cost of energy that the next rank misses: more than the loss between two batteries can turn over
FAIR: Final = 1.0  # of the dearest price, per kWh that would be missing if everybody missed the largest share: money counts less


Terms = list[tuple[int, float]]


@dataclass(slots=True)
class Part:
    """Where the variables of a seat are, in kW and kWh; None where the guest cannot."""

    charge: list[int] = field(default_factory=list)
    discharge: list[int | None] = field(default_factory=list)
    energy: list[int] = field(default_factory=list)  # after each interval; empty for one that only charges
    lacking: int = 0


@dataclass(slots=True)
class Model:
    """The program of a table, and where its variables are."""

    table: Table
    curtails: bool = True  # generation that no cap lets through may be curtailed; False: what flows the other way is not generation
    program: Program = field(default_factory=Program)
    parts: list[Part] = field(default_factory=list)
    imports: list[int] = field(default_factory=list)  # kW at the meter, mean over the slot
    exports: list[int] = field(default_factory=list)
    spills: list[list[tuple[str, int]]] = field(
        default_factory=list
    )  # by slot: the connection, kW of its generation that no cap lets through
    scale: float = 1.0  # the dearest price, currency/kWh
    here: list[list[tuple[int, int]]] = field(default_factory=list)  # by slot: (seat, interval)
    meters: list[int] = field(default_factory=list)  # by slot: the row of the meter
    ways: dict[int, int] = field(default_factory=dict)  # by slot in which the meter must go one way: the variable that says which
    tops: dict[int, tuple[int | None, int | None]] = field(default_factory=dict)  # by slot: the rows of its import and its export cap

    def __post_init__(self) -> None:
        table = self.table
        self.here = table.here()
        prices = [abs(price) for slot in table.slots for price in (slot.import_price, slot.export_price)]
        self.scale = max(*prices, *(seat.stay.wear_cost for seat in table.seats), 0.0) or 1.0
        ranks = sorted({seat.guest.rank for seat in table.seats}, reverse=True)
        weights = {rank: UNSERVED * STRICTER**place for place, rank in enumerate(ranks)}
        for seat in table.seats:
            self.parts.append(self._part(seat, weights[seat.guest.rank]))
        for rank in ranks:
            self._fair(rank)
        self._assure(UNSERVED * STRICTER ** len(ranks))
        self._spill()
        self._meter()
        for limit in table.shared:
            self._limit(limit)

    # --- a guest ---

    def _part(self, seat: Seat, weight: float) -> Part:
        part, stay, program = Part(), seat.stay, self.program
        first = self.table.slots[0].start
        span = max(self.table.slots[-1].end - first, 1.0)
        for interval in stay.intervals:
            program.label = (seat.guest.name, interval.start + interval.duration)
            calm, hours = (interval.start - first) / span, interval.hours
            part.charge.append(program.variable(CALM * self.scale * (1.0 + calm) * hours, upper=interval.charge_cap / KILO))
            gives = interval.discharge_cap > 0
            cost = (stay.wear_cost + CALM * self.scale * (2.0 - calm)) * hours
            part.discharge.append(program.variable(cost, upper=interval.discharge_cap / KILO) if gives else None)
        program.label = seat.guest.name
        part.lacking = program.variable(weight * self.scale)
        if any(column is not None for column in part.discharge) or stay.floor > 0:
            self._battery(seat, part)
        else:
            gains = [(column, i.hours * stay.efficiency_charge) for column, i in zip(part.charge, stay.intervals, strict=True)]
            program.row(-math.inf, min(stay.ceiling, stay.fastest()[-1]) / KILO, *gains)
            program.row(seat.wanted / KILO, math.inf, *gains, (part.lacking, 1.0), by=part.lacking)
        self._setpoints(seat, part)
        return part

    def _battery(self, seat: Seat, part: Part) -> None:
        """The energy after each interval, between its least and its most, and what is missing at the end."""
        stay, program, before = seat.stay, self.program, None
        lows, fastest = stay.lowest(), stay.fastest()
        ceiling = min(stay.ceiling, fastest[-1]) / KILO
        for place, interval in enumerate(stay.intervals):
            low = lows[place + 1] / KILO
            program.label = (seat.guest.name, interval.start + interval.duration, "stored")
            last = place == len(stay.intervals) - 1
            after = program.variable(-seat.worth if last else 0.0, min(low, 0.0), ceiling)
            part.energy.append(after)
            terms = [(after, 1.0), (part.charge[place], -interval.hours * stay.efficiency_charge)]
            if before is not None:
                terms.append((before, -1.0))
            if (gives := part.discharge[place]) is not None:
                terms.append((gives, interval.hours / stay.efficiency_discharge))
            program.row(0.0, 0.0, *terms, by=after)
            if low > 0:
                short = program.variable(cost=UNRESERVED * self.scale)
                program.row(low, math.inf, (after, 1.0), (short, 1.0), by=short)
            before = after
        program.label = seat.guest.name
        target = min(stay.target, fastest[-1]) / KILO
        program.row(target, math.inf, (part.energy[-1], 1.0), (part.lacking, 1.0), by=part.lacking if target > 0 else None)

    def _setpoints(self, seat: Seat, part: Part) -> None:
        for interval, charge, discharge in zip(seat.stay.intervals, part.charge, part.discharge, strict=True):
            if interval.setpoint is not None:
                self.program.label = (seat.guest.name, interval.start + interval.duration, "setpoint")
                terms = [(charge, 1.0)] + ([(discharge, -1.0)] if discharge is not None else [])
                self._wish(interval.setpoint / KILO, interval.hours, terms)

    def _wish(self, wish: float, hours: float, terms: list[tuple[int, float]]) -> None:
        off = self.program.variable(cost=DISOBEYED * self.scale * hours)
        self.program.row(wish, math.inf, *terms, (off, 1.0), by=off if wish > 0 else None)
        self.program.row(-math.inf, wish, *terms, (off, -1.0), by=off if wish < 0 else None)

    def _fair(self, rank: int) -> None:
        """Nobody of a rank misses a larger share than `worst` of what it wants."""
        those = [(s, p) for s, p in zip(self.table.seats, self.parts, strict=True) if s.guest.rank == rank and s.wanted > TOLERANCE]
        if len(those) < 2:
            return
        self.program.label = ("rank", rank)
        worst = self.program.variable(FAIR * self.scale * sum(seat.wanted for seat, _ in those) / KILO)
        for seat, part in those:
            self.program.label = (seat.guest.name, "rank")
            self.program.row(0.0, math.inf, (worst, seat.wanted / KILO), (part.lacking, -1.0))

    def _assure(self, weight: float) -> None:
        """The guests of a tenant miss no more than they would with its share alone, whatever the ranks of the others."""
        for name, most in assured(self.table).items():
            those = [p.lacking for s, p in zip(self.table.seats, self.parts, strict=True) if s.guest.tenant == name]
            self.program.label = (name, "share")
            beyond = self.program.variable(weight * self.scale)
            self.program.row(-math.inf, most / KILO, *((column, 1.0) for column in those), (beyond, -1.0))

    # --- what they share ---

    def _spill(self) -> None:
        """What of the generation no cap lets through. It costs what its export would, where that costs: a cap curtails, money does not."""
        self.spills = [[] for _ in self.table.slots]
        for limit in self.table.shared:
            for number, (down, slot) in enumerate(zip(limit.down, self.table.slots, strict=True)):
                self.program.label = (limit.name, slot.end, "spilt")
                if down < 0 and not limit.phase and self.curtails:
                    cost = max(-slot.export_price, 0.0) * slot.hours
                    self.spills[number].append((limit.within[0], self.program.variable(cost, upper=-down / KILO)))

    def _meter(self) -> None:
        """The mean power through the meter in each slot, what it costs, the setpoint there, and the peak."""
        table, program = self.table, self.program
        for number, slot in enumerate(table.slots):
            hours = slot.hours
            program.label = ("meter", slot.end)
            bought = program.variable(slot.import_price * hours)
            sold = program.variable(-slot.export_price * hours)
            self.imports.append(bought)
            self.exports.append(sold)
            terms = [(bought, 1.0), (sold, -1.0)]
            terms += [(spill, -1.0) for _, spill in self.spills[number]]
            for seat, place in self.here[number]:
                share = table.seats[seat].stay.intervals[place].hours / hours
                terms.append((self.parts[seat].charge[place], -share))
                if (gives := self.parts[seat].discharge[place]) is not None:
                    terms.append((gives, share))
            self.meters.append(len(program.row_lowers))
            program.row(slot.load / KILO, slot.load / KILO, *terms, by=bought if slot.load > 0 else sold)
            if slot.export_price > slot.import_price:
                self._either(bought, sold, number)
            if slot.setpoint is not None:
                self._wish(slot.setpoint / KILO, hours, [(bought, 1.0), (sold, -1.0)])
        if table.ground.peak_price > 0:
            program.label = "peak"
            above = program.variable(table.ground.peak_price)
            for bought in self.imports:
                program.row(-math.inf, table.ground.peak_before / KILO, (bought, 1.0), (above, -1.0))

    def _either(self, bought: int, sold: int, number: int) -> None:
        """One direction at a time, where both would earn what no meter pays: 1 draws, 0 gives; `directions` sees to what lies between."""
        top, slot = self.table.shared[0], self.table.slots[number]
        spilt = sum(self.program.uppers[column] for _, column in self.spills[number])
        most_in = min((max(top.up[number], 0.0) + max(slot.load, 0.0)) / KILO, self._able(number, True)) + spilt
        most_out = min((max(top.down[number], 0.0) + max(-slot.load, 0.0)) / KILO, self._able(number, False))
        buys = self.program.variable(upper=1.0)
        self.ways[number] = buys
        self.program.row(-math.inf, 0.0, (bought, 1.0), (buys, -most_in))
        self.program.row(-math.inf, most_out, (sold, 1.0), (buys, most_out))

    def _able(self, number: int, into: bool) -> float:
        """kW that all who are there could draw, or give, with the load."""
        slot, total = self.table.slots[number], 0.0
        for seat, place in self.here[number]:
            interval = self.table.seats[seat].stay.intervals[place]
            total += interval.charge_cap if into else interval.discharge_cap
        return (total + abs(slot.load)) / KILO

    def _limit(self, limit: Shared) -> None:
        """The sum of what flows through a connection, in each slot in which it could be too much."""
        for number, (up, down) in enumerate(zip(limit.up, limit.down, strict=True)):
            into, out, most, least = self.flows(limit, number)
            self.program.label = (limit.name, self.table.slots[number].end)
            spilt = [column for name, column in self.spills[number] if name in limit.within and not limit.phase]
            below = [column for name, column in self.spills[number] if name in limit.within[1:] and not limit.phase]
            if into and most + sum(self.program.uppers[column] for column in below) * KILO > up:
                short = up / KILO < sum(self.program.uppers[column] for column in below)  # the load alone may be above the cap
                if limit is self.table.shared[0]:
                    self.tops[number] = (len(self.program.row_lowers), None)
                over = [(self.program.variable(UNRESERVED * STRICTER * self.scale), -1.0)] if short or up < 0 else []
                self.program.row(-math.inf, up / KILO, *into, *((column, 1.0) for column in below), *over)
            if (out or spilt) and least > down:
                if limit is self.table.shared[0]:
                    self.tops[number] = (self.tops.get(number, (None, None))[0], len(self.program.row_lowers))
                room = max(down, 0.0) if limit.phase else down
                self.program.row(-math.inf, room / KILO, *out, *((column, -1.0) for column in spilt))

    def flows(self, limit: Shared, number: int) -> tuple[Terms, Terms, float, float]:
        """The terms of what flows in, and out, through a limit in a slot, and the most that could, both ways.

        Who is there for a part of the slot counts in full where it adds, and not at all where it relieves: the others are there without it.
        """
        slot, into, out, most, least = self.table.slots[number], [], [], 0.0, 0.0
        for seat, place in self.here[number]:
            if (share := limit.shares.get(seat)) is None:
                continue
            interval = self.table.seats[seat].stay.intervals[place]
            whole = interval.duration >= slot.end - slot.start
            charge, discharge = self.parts[seat].charge[place], self.parts[seat].discharge[place]
            into.append((charge, share))
            most += share * interval.charge_cap
            if discharge is not None:
                out.append((discharge, share))
                least += share * interval.discharge_cap
            if whole:
                out.append((charge, -share))
                into += [(discharge, -share)] if discharge is not None else []
        return into, out, most, least
