"""The power that may flow now: the outlet's limits, within the chosen schedule or the setpoint, less the reserve that the car keeps."""

import math
from dataclasses import dataclass

from secc.neutral.context import Context
from secc.station import Limits
from v2g.energy.der import GridControl
from v2g.energy.offer import Tuple

SHARE, POWER = 0.05, 500.0  # of a bound, and W: below this it is metering and control error


@dataclass(frozen=True, slots=True)
class Bounds:
    """The power that may flow now, in W, as magnitudes; the minima are the least that is offered."""

    charge: float
    discharge: float
    charge_minimum: float = 0.0
    discharge_minimum: float = 0.0

    def clamp(self, power: float) -> float:
        """A power (W, signed), cut to the maxima."""
        return min(max(power, -self.discharge), self.charge)


def bounds(known: Context) -> Bounds:
    """The bounds of this moment: the outlet's limits, in Scheduled control within the chosen schedule, in Dynamic control at the setpoint.

    Nothing is discharged below the reserve that the car states.
    """
    free = free_bounds(known)
    if known.agreement.selected.control == "Scheduled" or known.station.setpoint is None:
        return free
    power = free.clamp(known.station.setpoint)
    return Bounds(max(power, 0.0), max(-power, 0.0), *_least(known, power))


def free_bounds(known: Context) -> Bounds:
    """What may flow whatever the setpoint of Dynamic control is: the limits that a car hears which answers its grid by itself."""
    ours, selection = known.present_limits, known.agreement.selected
    discharge = ours.discharge_power if selection.bidirectional and not known.service.reserve.bars(known.net) else 0.0
    discharge = min(discharge, feed_limit(known))
    if selection.control == "Scheduled":
        high, low = schedule_limits(known)
        return Bounds(min(ours.charge_power, high), min(discharge, low), *_least(known, 0.0))
    return Bounds(ours.charge_power, discharge, *_least(known, 0.0))


def control_of(known: Context) -> GridControl:
    """What the grid asks now of a car that feeds it; nothing where nobody has said."""
    return known.station.grid_shares.of(known.station.grid or GridControl(), known.service.feeding.rated)


def feed_limit(known: Context) -> float:
    """W that the grid lets a car feed into it; infinite where it says nothing of it."""
    if not known.agreement.selected.row.der:
        return math.inf
    control = control_of(known)
    if control.enter_service is not None and not control.enter_service.permit:
        return 0.0
    return math.inf if control.discharge_maximum is None else control.discharge_maximum


def _least(known: Context, power: float) -> tuple[float, float]:
    """The minima: never below what was announced [V2G20-2655]; those of a setpoint too, as far as the car can go along."""
    ours, car = known.present_limits, known.service.car or Limits()
    charge = max(ours.charge_power_minimum, power)
    discharge = max(ours.discharge_power_minimum, -power) if known.agreement.selected.bidirectional else 0.0
    return min(charge, car.charge_power), min(discharge, car.discharge_power)


def overtaken(known: Context) -> bool:
    """Whether the chosen schedule is none for the present limits: its rest holds more than they allow, or they cut it no longer."""
    chosen, before, now = _chosen(known), known.service.exchange.limits, known.present_limits
    if chosen is None:
        return False
    for name, series in (("charge_power", chosen.charging), ("discharge_power", chosen.discharging)):
        most, had, can = (math.inf if each is None else getattr(each, name) for each in (now, before, known.outlet.limits))
        promised = max((abs(power) for _, until, power in series.spans() if until > known.wall), default=0.0) if series is not None else 0.0
        if promised > _noticeable(most) or (had < can and most > _noticeable(had)):
            return True
    return False


def _noticeable(power: float) -> float:
    """A power (W) with what is taken for an error of metering and control."""
    return power * (1 + SHARE) + POWER


def schedule_limits(known: Context) -> tuple[float, float]:
    """The powers that the chosen schedule allows now: (into the car, out of it) in W, magnitudes; 0 beyond its end."""
    chosen = _chosen(known)
    if chosen is None:
        return 0.0, 0.0
    charge = chosen.charging.at(known.wall) if chosen.charging is not None else None
    discharge = chosen.discharging.at(known.wall) if chosen.discharging is not None else None
    return max(charge or 0.0, 0.0), max(-(discharge or 0.0), 0.0)


def _chosen(known: Context) -> Tuple | None:
    """The tuple of the offer that the car has chosen."""
    offer, tuple_id = known.service.exchange.offer, known.agreement.tuple_id
    return offer.chosen(tuple_id) if offer is not None and tuple_id is not None else None
