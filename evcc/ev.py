"""The physics of a car: a battery behind a DC inlet and an AC charger. Pure; power is positive into the car, negative out of it.

Energy is counted in the battery, power at the plug: what flows in loses `1 - charge_efficiency` on its way, what flows out
`1 - discharge_efficiency`.
"""

import math
from dataclasses import dataclass, field

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Battery:
    """What a battery is, seen from its terminals.

    Above `taper_from` the power it takes falls in a straight line to `taper_to` of its maximum when full, as cells at their voltage limit
    ask. The open-circuit voltage rises in a straight line with the state of charge.
    """

    capacity: float = 77_000.0  # Wh between empty and full
    charge_power: float = 150_000.0  # W
    discharge_power: float = 60_000.0  # W
    charge_efficiency: float = 0.95
    discharge_efficiency: float = 0.95
    taper_from: float = 0.8  # share of capacity
    taper_to: float = 0.05  # share of charge_power
    voltage_empty: float = 330.0  # V
    voltage_full: float = 420.0  # V
    resistance: float = 0.05  # Ohm

    def __post_init__(self) -> None:
        for name in ("capacity", "charge_efficiency", "discharge_efficiency", "taper_from", "voltage_empty"):
            if not getattr(self, name) > 0:
                raise ValueError(f"battery.{name} is {getattr(self, name)}; give a number above 0")
        for name in ("charge_efficiency", "discharge_efficiency", "taper_from", "taper_to"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"battery.{name} is {getattr(self, name)}; give a share from 0 to 1")
        if self.voltage_full < self.voltage_empty:
            raise ValueError(f"battery.voltage_full is {self.voltage_full} V, below voltage_empty of {self.voltage_empty} V")

    def ceiling(self, energy: float) -> float:
        """The greatest power (W, >= 0) that the battery takes when it holds `energy` (Wh)."""
        share = energy / self.capacity
        if share >= 1.0:
            return 0.0
        if share <= self.taper_from:
            return self.charge_power
        along = (share - self.taper_from) / (1.0 - self.taper_from)
        return self.charge_power * (1.0 - along * (1.0 - self.taper_to))

    def floor(self, energy: float) -> float:
        """The greatest power (W, as a negative number) that the battery gives when it holds `energy` (Wh)."""
        return -self.discharge_power if energy > 0 else 0.0

    def after(self, energy: float, power: float, seconds: float) -> float:
        """The energy (Wh) after `power` (W at the plug) has flowed for `seconds`, within empty and full."""
        return min(max(energy + self.moved(power, seconds), 0.0), self.capacity)

    def moved(self, power: float, seconds: float) -> float:
        """Wh that arrive in the battery (or leave it, negative) when `power` (W at the plug) flows for `seconds`."""
        metered = power * seconds / SECONDS_PER_HOUR
        return metered * self.charge_efficiency if power > 0 else metered / self.discharge_efficiency

    def power_to(self, energy: float, target: float, seconds: float) -> float:
        """The constant power (W at the plug) that takes the battery from `energy` to `target` (Wh) in `seconds`; inverse of `after`."""
        needed = (target - energy) * SECONDS_PER_HOUR / seconds
        return needed / self.charge_efficiency if needed > 0 else needed * self.discharge_efficiency

    def voltage(self, energy: float, current: float = 0.0) -> float:
        """Terminal voltage (V) at a current (A, positive charges)."""
        share = energy / self.capacity
        return self.voltage_empty + share * (self.voltage_full - self.voltage_empty) + current * self.resistance


@dataclass(frozen=True, slots=True)
class Inlet:
    """What one way into the car can carry. Magnitudes; currents and voltages matter for DC, phases for AC."""

    charge_power: float = 150_000.0  # W
    charge_power_minimum: float = 0.0
    discharge_power: float = 60_000.0
    discharge_power_minimum: float = 0.0
    charge_current: float = 400.0  # A
    charge_current_minimum: float = 0.0
    discharge_current: float = 160.0
    discharge_current_minimum: float = 0.0
    voltage: float = 500.0  # V
    voltage_minimum: float = 200.0
    phases: int = 3

    def __post_init__(self) -> None:
        for most in ("charge_power", "discharge_power", "charge_current", "discharge_current", "voltage"):
            least = f"{most}_minimum"
            if not 0 <= getattr(self, least) <= getattr(self, most):
                raise ValueError(f"{least} is {getattr(self, least)}; give 0 to {getattr(self, most)}, which is {most}")


AC_INLET = Inlet(
    charge_power=11_000.0,
    charge_power_minimum=1_380.0,
    discharge_power=11_000.0,
    charge_current=16.0,
    discharge_current=16.0,
    voltage=230.0,
)


@dataclass(slots=True)
class Ev:
    """A car with its present state. `take` is the only thing that changes it."""

    battery: Battery = field(default_factory=Battery)
    dc: Inlet = field(default_factory=Inlet)
    ac: Inlet = AC_INLET
    energy: float = math.nan  # Wh; 20 % unless given
    charged: float = 0.0  # Wh metered at the plug
    discharged: float = 0.0  # Wh metered at the plug

    def __post_init__(self) -> None:
        if math.isnan(self.energy):
            self.energy = 0.2 * self.battery.capacity
        if not 0 <= self.energy <= self.battery.capacity:
            raise ValueError(f"the battery holds {self.energy} Wh; give 0 to its capacity of {self.battery.capacity} Wh")

    @property
    def soc(self) -> float:
        """State of charge in %."""
        return 100.0 * self.energy / self.battery.capacity

    def at_soc(self, soc: float) -> float:
        """The energy (Wh) at a state of charge (%)."""
        return soc / 100.0 * self.battery.capacity

    def voltage(self, current: float = 0.0) -> float:
        """Present voltage of the battery (V) at a current (A)."""
        return self.battery.voltage(self.energy, current)

    def current(self, power: float) -> float:
        """The current (A) at which the battery takes a power (W), or gives it: the root of `power = current * voltage(current)`."""
        open_voltage = self.voltage()
        root = open_voltage**2 + 4 * self.battery.resistance * power  # below 0 no current gives so much; the one that gives most
        return 2 * power / (open_voltage + math.sqrt(max(root, 0.0)))

    def take(self, power: float, seconds: float) -> None:
        """Let `power` (W) flow for `seconds`. The meter at the plug counts it all; the battery stops at empty and at full."""
        metered = abs(power) * seconds / SECONDS_PER_HOUR
        if power > 0:
            self.charged += metered
        else:
            self.discharged += metered
        self.energy = self.battery.after(self.energy, power, seconds)
