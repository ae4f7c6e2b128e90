"""A plan: the power of a car over its stay, and what follows from it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from v2g.energy.series import Series, Step
from v2g.energy.stay import TOLERANCE, Interval, Stay


@dataclass(frozen=True, slots=True)
class Plan:
    """A power for every interval of a stay. Everything else is computed from those powers, so it is what a meter would find."""

    stay: Stay
    power: Series  # W, signed, at the meter
    energies: tuple[float, ...]  # Wh in the battery, from the state at the start: there, and after each interval
    bound: tuple[tuple[str, ...], ...]  # per interval, the ids of what limits its power
    import_cost: float  # currency
    export_revenue: float  # currency
    wear: float  # currency
    unmet: float  # Wh missing at departure
    name: str  # how it was made, for people: "cheapest", "at once"
    gap: float  # how far (relative) the objective may be from the best: 0, or little unless the search was cut short

    @property
    def cash(self) -> float:
        """Import cost less export revenue, in the currency; negative where the car earns money."""
        return self.import_cost - self.export_revenue

    @property
    def cost(self) -> float:
        """Cash and battery wear, in the currency: what the plan minimises once the car is served."""
        return self.cash + self.wear

    @property
    def delivered(self) -> float:
        """Wh in the battery at departure on top of the state at the start; negative when more was given than taken."""
        return self.energies[-1]

    @property
    def priced_until(self) -> float:
        """Where known prices end (epoch s); what lies beyond is planned on the assumption that days are alike."""
        return self.stay.priced_until


def plan_of(stay: Stay, powers: Sequence[float], name: str, gap: float = 0.0) -> Plan:
    """The plan that follows those powers (W, signed, one per interval) as far as caps, minimum powers and battery allow."""
    kept, energies = stay.followed(powers)
    charged, given = [0.0] * len(kept), [0.0] * len(kept)  # kWh
    for place, (power, interval) in enumerate(zip(kept, stay.intervals, strict=True)):
        if power > 0:
            charged[place] = power * interval.hours / 1000.0
        elif power < 0:
            given[place] = -power * interval.hours / 1000.0
    lows = stay.lowest()[1:]
    return Plan(
        stay=stay,
        power=Series(stay.start, tuple(Step(i.duration, power) for i, power in zip(stay.intervals, kept, strict=True))),
        energies=tuple(energies),
        bound=tuple(_bound(stay, *each) for each in zip(stay.intervals, kept, energies[1:], lows, strict=True)),
        import_cost=math.fsum(energy * i.import_price for energy, i in zip(charged, stay.intervals, strict=True)),
        export_revenue=math.fsum(energy * i.export_price for energy, i in zip(given, stay.intervals, strict=True)),
        wear=math.fsum(given) * stay.wear_cost,
        unmet=lacking if TOLERANCE < (lacking := stay.target - energies[-1]) < math.inf else 0.0,
        name=name,
        gap=gap,
    )


def _bound(stay: Stay, interval: Interval, power: float, energy: float, low: float) -> tuple[str, ...]:
    """What holds this power: a setpoint, caps that are reached, the battery. An idle interval names whoever outside the car forbids to
    flow.
    """
    names = [interval.setpoint_by] if interval.setpoint is not None and abs(power - interval.setpoint) <= TOLERANCE else []
    if power >= interval.charge_cap - TOLERANCE and (power > TOLERANCE or power == 0):
        names += _named(interval.charge_by, power)
    if -power >= interval.discharge_cap - TOLERANCE and (-power > TOLERANCE or power == 0):
        names += _named(interval.discharge_by, power)
    if power > 0 and energy >= stay.ceiling - TOLERANCE:
        names.append("ev.energy_maximum")
    if energy <= low + TOLERANCE and (power < 0 or low > 0):
        names.append("ev.energy_minimum")
    return tuple(names)


def _named(those: tuple[str, ...], power: float) -> Iterable[str]:
    return those if power != 0 else (name for name in those if not name.startswith("ev."))
