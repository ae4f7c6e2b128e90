"""The physics of a car: a battery behind a DC inlet and an AC charger. Pure; power is positive into the car, negative out of it.

Energy is counted in the battery, power at the plug: what flows in loses `1 - charge_efficiency` on its way, what flows out
`1 - discharge_efficiency`.
"""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from evcc.inverter import Rating
from v2g.energy.der import Grid
from v2g.session.service import Plug
from v2g.session.wireless import VehicleDevice

STRIDE = 100  # that a simulated car comes nearer to its place between two messages
SECONDS_PER_HOUR = 3600.0
MOST_POINTS = 64  # of a curve: finer than any that a maker publishes; it is walked in every step of a plan
Point = tuple[float, float]


def between(points: tuple[Point, ...], at: float) -> float:
    """The value at place `at` of the line through `points` (place, value) with ascending places; the line goes on beyond its ends."""
    last = len(points) - 1
    right = next((number for number in range(1, last) if at <= points[number][0]), last)
    (x0, y0), (x1, y1) = points[right - 1], points[right]
    return y0 + (at - x0) / (x1 - x0) * (y1 - y0)


def demand_points(name: str, points: tuple[Point, ...]) -> None:
    """Raise ValueError unless both places and values of the points ascend; `name` is the setting that the message names."""
    if len(points) > MOST_POINTS:
        raise ValueError(f"battery.{name} has {len(points) - 2} points; give at most {MOST_POINTS - 2}")
    for (x0, y0), (x1, y1) in pairwise(points):
        if not (x0 < x1 and y0 <= y1):
            here = f"[{x0:g}, {abs(y0):g}] and [{x1:g}, {abs(y1):g}]"
            way = "shares of capacity must ascend, and " + ("powers fall" if name == "taper" else "voltages rise")
            raise ValueError(f"battery.{name}: between {here} {way}")


@dataclass(frozen=True, slots=True)
class Battery:
    """The properties of a battery, seen from its terminals.

    Above `taper_from` the power it takes falls to `taper_to` of its maximum when full, as cells at their voltage limit ask. The
    open-circuit voltage rises from `voltage_empty` to `voltage_full`. Both in a straight line, or through the points of `taper` (share of
    capacity, share of charge_power) and `curve` (share of capacity, V).
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
    curve: tuple[Point, ...] = ()  # (share of capacity, V) between empty and full
    taper: tuple[Point, ...] = ()  # (share of capacity, share of charge_power) between taper_from and full

    def __post_init__(self) -> None:
        for name in ("capacity", "charge_efficiency", "discharge_efficiency", "taper_from", "voltage_empty"):
            if not getattr(self, name) > 0:
                raise ValueError(f"battery.{name} is {getattr(self, name)}; give a number above 0")
        for name in ("charge_efficiency", "discharge_efficiency", "taper_from", "taper_to"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"battery.{name} is {getattr(self, name)}; give a share from 0 to 1")
        if self.voltage_full < self.voltage_empty:
            raise ValueError(f"battery.voltage_full is {self.voltage_full} V, below voltage_empty of {self.voltage_empty} V")
        if not 0 <= self.resistance <= 10:
            raise ValueError(f"battery.resistance is {self.resistance}; give 0 to 10 (Ohm)")
        demand_points("curve", ((0.0, self.voltage_empty), *self.curve, (1.0, self.voltage_full)))
        falling = ((self.taper_from, -1.0), *((share, -power) for share, power in self.taper), (1.0, -self.taper_to))
        demand_points("taper", falling if self.taper or self.taper_from < 1 else ())

    def ceiling(self, energy: float) -> float:
        """The greatest power (W, >= 0) that the battery takes when it holds `energy` (Wh)."""
        share = energy / self.capacity
        if share >= 1.0:
            return 0.0
        if share <= self.taper_from:
            return self.charge_power
        return self.charge_power * between(((self.taper_from, 1.0), *self.taper, (1.0, self.taper_to)), share)

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
        resting = between(((0.0, self.voltage_empty), *self.curve, (1.0, self.voltage_full)), energy / self.capacity)
        return resting + current * self.resistance


@dataclass(frozen=True, slots=True)
class Inlet:
    """The limits of one way into the car, DC or AC, as magnitudes; currents and voltages matter for DC, phases for AC."""

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
ACDP_INLET = Inlet(
    charge_power=450_000.0,
    discharge_power=150_000.0,
    charge_current=600.0,
    discharge_current=200.0,
    voltage=1_000.0,
)
MCS_INLET = Inlet(
    charge_power=1_500_000.0,
    discharge_power=1_500_000.0,
    charge_current=3_000.0,
    discharge_current=3_000.0,
    voltage=1_250.0,
)

WPT_INLET = Inlet(charge_power=11_000.0, charge_power_minimum=500.0, discharge_power=0.0)  # currents and voltages say nothing there


class EV(Protocol):
    """The interface of a session to the car's hardware; `Ev` is a simulated one. No method may wait.

    `battery` says what the battery can take and give, `energy` (Wh) what it holds now; of a car that feeds the grid (AC_DER) `inverter`
    says what its inverter can do, `grid` what that measures now.
    """

    battery: Battery
    inverter: Rating
    grid: Grid
    vehicle_device: VehicleDevice  # of WPT
    energy: float  # Wh
    charged: float  # Wh metered at the plug
    discharged: float  # Wh metered at the plug
    travelled: int  # how far it has come to its place since it checked in (VehicleTravel), in the unit of the station's TargetDistance

    @property
    def soc(self) -> float:
        """State of charge in %."""

    def inlet(self, plug: Plug) -> Inlet:
        """The limits of the inlet for a plug."""

    def at_soc(self, soc: float) -> float:
        """The energy (Wh) at a state of charge (%)."""

    def voltage(self, current: float = 0.0) -> float:
        """Present voltage of the battery (V) at a current (A)."""

    def current(self, power: float) -> float:
        """The current (A) at which the battery takes a power (W); negative: gives it."""

    def take(self, power: float, seconds: float) -> None:
        """Called with the power (W at the plug) that has flowed for `seconds` of wall time."""

    def drive(self, distance: int) -> None:
        """Drive on towards the place, which the station says is `distance` away; negative: back."""

    def contactors(self, closed: bool) -> None:
        """Close or open the car's own contactors. An exception at closing ends the session."""

    def pilot(self, state: str) -> None:
        """Show a state on the control pilot: B (connected) or C (wants power)."""


@dataclass(slots=True)
class Ev:
    """A simulated car with its present state. `take` is the only thing that changes it; override what your car knows better."""

    battery: Battery = field(default_factory=Battery)
    dc: Inlet = field(default_factory=Inlet)
    ac: Inlet = AC_INLET
    mcs: Inlet = MCS_INLET
    acdp: Inlet = ACDP_INLET
    wpt: Inlet = WPT_INLET
    vehicle_device: VehicleDevice = field(default_factory=VehicleDevice)  # of WPT
    inverter: Rating = field(default_factory=Rating)
    grid: Grid = field(default_factory=Grid)  # what the inverter measures: set it, and it answers in the next loop
    energy: float = math.nan  # Wh; 20 % unless given
    charged: float = 0.0  # Wh metered at the plug
    discharged: float = 0.0  # Wh metered at the plug
    travelled: int = 0  # towards its place

    def __post_init__(self) -> None:
        if math.isnan(self.energy):
            self.energy = 0.2 * self.battery.capacity
        if not 0 <= self.energy <= self.battery.capacity:
            raise ValueError(f"the battery holds {self.energy} Wh; give 0 to its capacity of {self.battery.capacity} Wh")

    def inlet(self, plug: Plug) -> Inlet:
        """The limits of the inlet for a plug."""
        return {"ac": self.ac, "dc": self.dc, "mcs": self.mcs, "acdp": self.acdp, "wpt": self.wpt}[plug]

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
        """The current (A) at which the battery takes a power (W, negative: gives it): the root of `power = current * voltage(current)`."""
        open_voltage = self.voltage()
        root = open_voltage**2 + 4 * self.battery.resistance * power  # below 0 no current gives so much; the one that gives most
        return 2 * power / (open_voltage + math.sqrt(max(root, 0.0)))

    def drive(self, distance: int) -> None:
        """Come at most `STRIDE` nearer to the place."""
        self.travelled += min(max(distance, -STRIDE), STRIDE)

    def contactors(self, closed: bool) -> None:
        """Close or open the car's own contactors; a simulated car has none."""

    def pilot(self, state: str) -> None:
        """Show a state on the control pilot; a simulated car has none."""

    def take(self, power: float, seconds: float) -> None:
        """Let `power` (W) flow for `seconds`. The meter at the plug counts it all; the battery stops at empty and at full."""
        metered = abs(power) * seconds / SECONDS_PER_HOUR
        if power > 0:
            self.charged += metered
        else:
            self.discharged += metered
        self.energy = self.battery.after(self.energy, power, seconds)
