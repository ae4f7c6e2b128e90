"""When to charge and when to discharge: the cheapest plan that serves the car and exceeds nothing.

    plan(needs, site, now=1_790_000_000.0)

What counts, in this order: caps and battery (never broken), the reserve (`Needs.floor`, charged at once), a setpoint that was sold, the
energy at departure, money, and last calm: where money says nothing, charge no more than asked and early, discharge late. All but the first
are slack variables with costs an order of magnitude apart, so there always is a plan.

**The trap.** Where exported energy earns more than imported energy costs, a plain linear program charges and discharges in the same
interval and counts money that no meter would pay. One binary variable in exactly those intervals forbids it. In every other interval both
at once costs money, so the optimum does not contain it. Minimum powers and the V2X range need binaries too, but seldom bind: they are added
where a solution breaks them, and the program is solved again until none is broken. A solution of a relaxed problem that is feasible in the
whole problem is its optimum.

**Least energy missing.** A minimum power makes a Wh that is missing save a whole interval's energy, so no price of a Wh is high enough.
Where a plan with minimum powers misses energy, the least that can be missing is found first, then the cheapest way to that.

**Out of time.** A car can state needs for which the search takes minutes. Who serves cars gives a `Patience`: when it is over the best
found counts, with what would break a limit left out of it, or charging at once where that serves the car better.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from v2g.energy.needs import Needs
from v2g.energy.patience import ENDLESS, OutOfTime, Patience
from v2g.energy.plan import Plan, plan_of
from v2g.energy.program import Program, Solution, SolverMissing
from v2g.energy.signal import Signal
from v2g.energy.site import Site
from v2g.energy.stay import TOLERANCE, Interval, Stay, stay_of

__all__ = ["Plan", "SolverMissing", "cheapest", "immediate", "plan"]

KILO = 1000.0  # the program reckons in kW, kWh and currency: numbers near 1 keep the solver's tolerances harmless
CALM = 1e-5  # of the dearest price, per kWh moved: decides between plans of equal money, and costs next to none
UNSERVED = 10.0  # times the dearest price, per kWh missing at departure
DISOBEYED = 100.0  # likewise, per kWh off a setpoint
UNRESERVED = 1000.0  # likewise, per kWh below the reserve at the end of an interval
AT_ONCE = "at once"  # name of a plan that was made without a solver
ROUNDS = 8  # of adding binaries where they are missing; needs at odds with each other break one interval at a time, so then all have them


def plan(needs: Needs, site: Site, now: float, signals: Sequence[Signal] = (), patience: Patience = ENDLESS) -> Plan:
    """The cheapest plan that serves the car from `now` (epoch s) to its departure, or over the known prices where it states none.

    There is always a plan: energy that cannot be delivered is `Plan.unmet`. SolverMissing if HiGHS is not installed.
    """
    return cheapest(stay_of(needs, site, now, signals), patience)


def cheapest(stay: Stay, patience: Patience = ENDLESS) -> Plan:
    """The cheapest plan over a stay that exceeds none of its limits, or the best found in time. SolverMissing if HiGHS is not installed."""
    if not stay.intervals:
        return plan_of(stay, (), "cheapest")
    exclusive = {place for place, interval in enumerate(stay.intervals) if _tempting(stay, interval)}
    try:
        found = _found(stay, exclusive, patience)
        if found.unmet <= TOLERANCE or max(stay.charge_minimum, stay.discharge_minimum) <= 0:
            return found
    except OutOfTime:
        return immediate(stay)
    try:
        model, solution, _ = _unbroken(stay, exclusive, patience, money=False)
        least = solution.values[model.lacking]
        better = _found(stay, exclusive, patience, missing=least + TOLERANCE / KILO)
    except OutOfTime:
        return found
    return min(found, better, key=_missed) if patience.over else better


def _found(stay: Stay, exclusive: set[int], patience: Patience, **how: Any) -> Plan:
    model, solution, whole = _unbroken(stay, exclusive, patience, **how)
    powers = model.powers(solution)
    made = plan_of(stay, powers if whole else _mended(stay, powers), "cheapest", solution.gap if whole else math.inf)
    return made if whole and not patience.over else min(made, immediate(stay), key=_missed)


def _unbroken(stay: Stay, exclusive: set[int], patience: Patience, **how: Any) -> tuple["_Model", Solution, bool]:
    """The program of a stay, a solution, and whether that breaks nothing; it may only where time was up. `exclusive` grows by the
    intervals that need binaries. OutOfTime where there is no solution.
    """
    last: tuple[_Model, Solution] | None = None
    for turn in count():
        model = _Model(stay, set(exclusive), **how)
        try:
            solution = model.program.solved(patience)
        except OutOfTime:
            if last is None:
                raise
            return *last, False
        broken = set(model.broken(solution)) - exclusive
        if not broken:
            return model, solution, True
        last = model, solution
        exclusive |= broken if turn < ROUNDS else set(range(len(stay.intervals)))
    raise AssertionError("the loop ends by its returns")


def _mended(stay: Stay, powers: Sequence[float]) -> list[float]:
    """The powers (W, signed) of a solution that breaks something, without those that do."""
    energy, kept = 0.0, []
    for interval, power in zip(stay.intervals, powers, strict=True):
        power = stay.feasible(power, -interval.discharge_cap, interval.charge_cap)
        after = energy + stay.stored(power, interval.hours)
        if power < 0 and (energy > stay.v2x_upper or after < max(stay.v2x_lower, stay.lower)):
            power, after = 0.0, energy
        energy = min(after, stay.ceiling)
        kept.append(power)
    return kept


def _missed(plan: Plan) -> tuple[float, ...]:
    """What a plan misses, in the order in which it counts: Wh of the reserve, off the setpoint and at departure, money."""
    stay = plan.stay
    short = math.fsum(max(low - energy, 0.0) for low, energy in zip(stay.lowest(), plan.energies, strict=True))
    steered = [(power, i) for power, i in zip(plan.power.values, stay.intervals, strict=True) if i.setpoint is not None]
    off = math.fsum(abs(power - (i.setpoint or 0.0)) * i.hours for power, i in steered)
    return round(short), round(off), round(plan.unmet), plan.cost


def immediate(stay: Stay) -> Plan:
    """The plan that charges to the target as fast as the caps allow, whatever it costs. It needs no solver."""
    goal = min(stay.target, stay.fastest()[-1])
    powers, energy = [], 0.0
    for interval in stay.intervals:
        most = min(interval.charge_cap, stay.metered(max(stay.ceiling - energy, 0.0), interval.hours))
        power = min(most, stay.metered(max(goal - energy, 0.0), interval.hours))
        if TOLERANCE < power < stay.charge_minimum <= most:
            power = stay.charge_minimum  # a little more than asked rather than less
        powers.append(stay.feasible(power, 0.0, most))
        energy += stay.stored(powers[-1], interval.hours)
    return plan_of(stay, powers, AT_ONCE)


def _tempting(stay: Stay, interval: Interval) -> bool:
    """Would both at once, through the battery and out again, pay or mimic a setpoint?"""
    kept = stay.efficiency_charge * stay.efficiency_discharge
    return interval.setpoint is not None or kept * (interval.export_price - stay.wear_cost) > interval.import_price


@dataclass(slots=True)
class _Model:
    """The program of a stay with binaries in the intervals `exclusive`, and where its variables are."""

    stay: Stay
    exclusive: set[int]
    money: bool = True  # False: energy counts, and money does not
    missing: float = math.inf  # kWh that may be missing at departure
    program: Program = field(default_factory=Program)
    charge: list[int] = field(default_factory=list)  # kW metered in
    discharge: list[int] = field(default_factory=list)  # kW metered out
    energy: list[int] = field(default_factory=list)  # kWh stored at the start and after each interval
    scale: float = 1.0  # the dearest price, currency/kWh
    lacking: int = 0  # kWh that are missing at departure

    def __post_init__(self) -> None:
        stay, program = self.stay, self.program
        prices = [abs(price) for interval in stay.intervals for price in (interval.import_price, interval.export_price)]
        self.scale = max(*prices, stay.wear_cost) or 1.0
        self.energy = [program.variable(lower=0.0, upper=0.0)]
        lows, fastest = stay.lowest(), stay.fastest()
        ceiling = min(stay.ceiling, fastest[-1]) / KILO  # what cannot be reached need not be represented
        for place, interval in enumerate(stay.intervals):
            self._interval(interval, calm=place / len(stay.intervals), low=lows[place + 1] / KILO, ceiling=ceiling)
            if place in self.exclusive:
                self._either_or(place, interval)
        self.lacking = program.variable(cost=UNSERVED * self.scale, upper=self.missing)
        program.row(min(stay.target, fastest[-1]) / KILO, float("inf"), (self.energy[-1], 1.0), (self.lacking, 1.0))

    def _interval(self, interval: Interval, calm: float, low: float, ceiling: float) -> None:
        """Power, energy, their balance, reserve and setpoint; `calm` runs from 0 to 1 over the stay."""
        stay, program, hours = self.stay, self.program, interval.hours
        charging = (interval.import_price + CALM * self.scale * (1.0 + calm)) * hours
        giving = (stay.wear_cost - interval.export_price + CALM * self.scale * (2.0 - calm)) * hours
        if not self.money:
            charging = giving = 0.0
        self.charge.append(program.variable(charging, upper=interval.charge_cap / KILO))
        self.discharge.append(program.variable(giving, upper=interval.discharge_cap / KILO))
        self.energy.append(program.variable(lower=min(low, 0.0), upper=ceiling))
        before, after = self.energy[-2:]
        kept, drawn = hours * stay.efficiency_charge, hours / stay.efficiency_discharge
        program.row(0.0, 0.0, (after, 1.0), (before, -1.0), (self.charge[-1], -kept), (self.discharge[-1], drawn))
        if low > 0:
            lacking = program.variable(cost=UNRESERVED * self.scale)
            program.row(low, float("inf"), (after, 1.0), (lacking, 1.0))
        if interval.setpoint is not None:
            off = program.variable(cost=DISOBEYED * self.scale * hours)
            wish = interval.setpoint / KILO
            program.row(wish, float("inf"), (self.charge[-1], 1.0), (self.discharge[-1], -1.0), (off, 1.0))
            program.row(-float("inf"), wish, (self.charge[-1], 1.0), (self.discharge[-1], -1.0), (off, -1.0))

    def _either_or(self, place: int, interval: Interval) -> None:
        """Charge, with the minimum power at least, or discharge, likewise and within the V2X range, or neither."""
        stay, program = self.stay, self.program
        charges, gives = program.binary(), program.binary()
        program.row(0.0, 1.0, (charges, 1.0), (gives, 1.0))
        for power, on, least, cap in (
            (self.charge[place], charges, stay.charge_minimum, interval.charge_cap),
            (self.discharge[place], gives, stay.discharge_minimum, interval.discharge_cap),
        ):
            program.row(-float("inf"), 0.0, (power, 1.0), (on, -cap / KILO))
            if least > 0:
                program.row(0.0, float("inf"), (power, 1.0), (on, -min(least, cap) / KILO))
        before, after = self.energy[place], self.energy[place + 1]
        if stay.v2x_lower > stay.lower:
            slack = program.lowers[after]
            program.row(slack, float("inf"), (after, 1.0), (gives, slack - stay.v2x_lower / KILO))
        if stay.v2x_upper < stay.ceiling:
            slack = program.uppers[before]
            program.row(-float("inf"), slack, (before, 1.0), (gives, slack - stay.v2x_upper / KILO))

    def broken(self, solution: Solution) -> Iterator[int]:
        """The intervals of a solution in which a minimum power or the V2X range is not kept."""
        stay, values = self.stay, solution.values
        for place, power in enumerate(self.powers(solution)):
            least = stay.charge_minimum if power > 0 else stay.discharge_minimum
            short = TOLERANCE < abs(power) < least - TOLERANCE
            before, after = values[self.energy[place]] * KILO, values[self.energy[place + 1]] * KILO
            outside = after < stay.v2x_lower - TOLERANCE or before > stay.v2x_upper + TOLERANCE
            if short or (power < -TOLERANCE and outside):
                yield place

    def powers(self, solution: Solution) -> list[float]:
        """W, signed. Where both directions are left (they were of no use, so it costs nothing) what passes through the battery is taken
        out.
        """
        kept = self.stay.efficiency_charge * self.stay.efficiency_discharge
        powers = []
        for charge, discharge in zip(self.charge, self.discharge, strict=True):
            c, d = solution.values[charge] * KILO, solution.values[discharge] * KILO
            through = min(c, d / kept)
            powers.append((c - through) - (d - through * kept))
        return powers
