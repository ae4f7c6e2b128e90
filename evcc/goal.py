"""The goal of a car's stay: how full, how full at least, until when; and whether it is reached."""

from dataclasses import dataclass

from evcc.ev import EV, Inlet

CLOSE_ENOUGH = 0.001  # of the capacity; a tenth of the last digit that a car shows, and more than what rounding on the wire costs
LOOK_AHEAD = 2.0  # steps; the next loop may take longer than the last, and what was asked before still flows at its beginning
CARRIED_OUT = 0.02  # of the capacity; a plan that is followed in steps, with ramps and a taper, ends about there and not exactly


@dataclass(frozen=True, slots=True)
class Goal:
    """The states of charge (%) that a car wants, and its departure (epoch s).

    Below `minimum_soc` the car charges at once and never discharges; from there to `maximum_soc` it may do both. Without `departure` it
    leaves when it has reached its target; with one, and in a bidirectional service, it stays until then.
    """

    target_soc: float = 80.0
    minimum_soc: float = 20.0
    maximum_soc: float = 90.0
    departure: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.minimum_soc <= self.target_soc <= self.maximum_soc <= 100:
            given = f"minimum_soc {self.minimum_soc}, target_soc {self.target_soc}, maximum_soc {self.maximum_soc}"
            raise ValueError(f"goal: {given} must ascend from 0 to 100")

    def still(self, ev: EV, soc: float) -> float:
        """The energy (Wh in the battery) from the present state to `soc` (%); negative when the car is above it."""
        return ev.at_soc(soc) - ev.energy

    def reached(self, ev: EV) -> bool:
        """Whether the car has reached its target."""
        return self.still(ev, self.target_soc) <= CLOSE_ENOUGH * ev.battery.capacity

    def nearly(self, ev: EV) -> bool:
        """Whether the car is so close to its target that nothing is left to plan for."""
        return self.still(ev, self.target_soc) <= CARRIED_OUT * ev.battery.capacity

    def remaining(self, wall: float) -> int:
        """Whole seconds from `wall` (epoch s) to the departure; a day where the goal has none."""
        return 86_400 if self.departure is None else max(0, round(self.departure - wall))


def span(ev: EV, goal: Goal, inlet: Inlet, bidirectional: bool, step: float) -> tuple[float, float]:
    """The powers (W) that the car accepts now, as (lowest, highest); lowest is 0 or negative.

    `step` is how long (s of wall time) the next power will hold: near full or empty the car asks for no more than takes it there.
    """
    battery = ev.battery
    highest = min(inlet.charge_power, battery.ceiling(ev.energy))
    lowest = max(-inlet.discharge_power, battery.floor(ev.energy)) if bidirectional else 0.0
    # one way, the target is the end; both ways, what is above it may be charged to be given back
    top = ev.at_soc(goal.maximum_soc if bidirectional else goal.target_soc)
    bottom = ev.at_soc(goal.minimum_soc)
    if step > 0:
        highest = min(highest, battery.power_to(ev.energy, max(top, ev.energy), LOOK_AHEAD * step))
        lowest = max(lowest, battery.power_to(ev.energy, min(bottom, ev.energy), LOOK_AHEAD * step))
    return (lowest if ev.energy > bottom else 0.0), (highest if ev.energy < top else 0.0)
