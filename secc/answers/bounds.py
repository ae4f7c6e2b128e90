"""What may flow now: the outlet, the schedule that was chosen or the setpoint, and the reserve that a car keeps for itself."""

from dataclasses import dataclass

from secc.context import Context
from secc.station import Limits


@dataclass(frozen=True, slots=True)
class Bounds:
    """Power that may flow now: W, magnitudes; the minima are what is offered at least."""

    charge: float
    discharge: float
    charge_minimum: float = 0.0
    discharge_minimum: float = 0.0

    def clamp(self, power: float) -> float:
        """A power (W, signed) within the maxima."""
        return min(max(power, -self.discharge), self.charge)


def bounds(known: Context) -> Bounds:
    """The outlet's limits; in Scheduled control within the schedule that was chosen, in Dynamic control squeezed to the setpoint.

    Nothing is discharged below the reserve that the car states.
    """
    ours, selection = known.present_limits, known.agreement.selected
    discharge = ours.discharge_power if selection.bidirectional and not known.reserve.bars(known.net) else 0.0
    if selection.control == "Scheduled":
        high, low = scheduled(known)
        return Bounds(min(ours.charge_power, high), min(discharge, low), *_least(known, 0.0))
    if known.setpoint is None:
        return Bounds(ours.charge_power, discharge, *_least(known, 0.0))
    power = Bounds(ours.charge_power, discharge).clamp(known.setpoint)
    return Bounds(max(power, 0.0), max(-power, 0.0), *_least(known, power))


def _least(known: Context, power: float) -> tuple[float, float]:
    """The minima: never below what was announced [V2G20-2655]; those of a setpoint too, as far as the car can go along."""
    ours, car = known.present_limits, known.car or Limits()
    charge = max(ours.charge_power_minimum, power)
    discharge = max(ours.discharge_power_minimum, -power) if known.agreement.selected.bidirectional else 0.0
    return min(charge, car.charge_power), min(discharge, car.discharge_power)


def scheduled(known: Context) -> tuple[float, float]:
    """What the chosen schedule allows now: (into the car, out of it) in W, magnitudes. Nothing beyond its end."""
    chosen = known.offer.chosen(known.agreement.tuple_id) if known.offer is not None and known.agreement.tuple_id is not None else None
    if chosen is None:
        return 0.0, 0.0
    charge = chosen.charging.at(known.wall) if chosen.charging is not None else None
    discharge = chosen.discharging.at(known.wall) if chosen.discharging is not None else None
    return max(charge or 0.0, 0.0), max(-(discharge or 0.0), 0.0)
