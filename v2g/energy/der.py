"""What a grid asks of an inverter that may feed it: curves, set-points, conditions; and what it tells back (pure, plain SI).

Voltages are phase to neutral, in V; frequencies in Hz; times in s. Power and reactive power are positive into the car: a car that absorbs
reactive power (under-excited) has positive var, one that injects it (over-excited) negative.
"""

import math
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, Final, Literal, get_args

Reference = Literal["maximum", "present"]  # what a share is of: the most that can be given back, or what flowed when the response began
Alarm = Literal[
    "OverCurrent", "OverVoltage", "UnderVoltage", "OverFrequency", "UnderFrequency", "VoltageImbalance", "CurrentImbalance",
    "LocalEmergency", "RemoteEmergency", "LowInputPower", "PhaseRotation",
]  # fmt: skip
ALARMS: Final[tuple[Alarm, ...]] = get_args(Alarm)
Points = tuple[tuple[float, float], ...]
FEWEST, MOST = 2, 10  # points of a curve


def demand(name: str, value: float, least: float, most: float, unit: str = "") -> None:
    """ValueError for a value that is not a number from `least` to `most`."""
    if not least <= value <= most:
        raise ValueError(f"{name} is {value:g}{unit}; give {least:g} to {most:g}{unit}")


@dataclass(frozen=True, slots=True)
class Grid:
    """What an inverter measures at its terminals."""

    voltage: float = 230.0  # V
    frequency: float = 50.0  # Hz

    def __post_init__(self) -> None:
        demand("voltage", self.voltage, 0.0, 1_000.0, " V")
        demand("frequency", self.frequency, 0.0, 100.0, " Hz")


@dataclass(frozen=True, slots=True)
class FrequencyWatt:
    """Beyond `start` the power moves by `slope` of the reference for every Hz, until the frequency is back at `stop`.

    With `hysteresis` a response does not become weaker before that.
    """

    start: float  # Hz
    stop: float  # Hz
    slope: float  # share of the reference power for each Hz
    reference: Reference = "maximum"
    hysteresis: bool = False
    delay: float = 0.0  # s
    response: float = 0.0  # s, time constant

    def __post_init__(self) -> None:
        for name in ("start", "stop"):
            demand(name, getattr(self, name), 1.0, 100.0, " Hz")
        demand("slope", self.slope, 0.0, 100.0)
        _demand_times(self)


@dataclass(frozen=True, slots=True)
class VoltWatt:
    """From `start` to `stop` the greatest power falls from the reference to nothing: what is given back where `stop` is the higher voltage,
    what is taken where it is the lower."""

    start: float  # V
    stop: float  # V
    reference: Reference = "maximum"
    delay: float = 0.0  # s
    response: float = 0.0  # s, time constant

    def __post_init__(self) -> None:
        for name in ("start", "stop"):
            demand(name, getattr(self, name), 1.0, 1_000.0, " V")
        if self.start == self.stop:
            raise ValueError(f"start and stop are both {self.start:g} V; give two voltages")
        _demand_times(self)


@dataclass(frozen=True, slots=True)
class Curve:
    """Points (x, y) with ascending x and straight lines between; beyond the ends the last value holds.

    Of volt-var: V and var. Of watt-var: W and var. Of watt-cos phi: W and cos phi, positive absorbing. W are positive into the car.
    """

    points: Points
    minimum_cos_phi: float = 0.0
    delay: float = 0.0  # s
    response: float = 0.0  # s, time constant

    def __post_init__(self) -> None:
        _demand_points("points", self.points)
        demand("minimum_cos_phi", self.minimum_cos_phi, 0.0, 1.0)
        _demand_times(self)

    def at(self, x: float) -> float:
        """The value at a place."""
        return along(self.points, x)


@dataclass(frozen=True, slots=True)
class RideThrough:
    """Stay connected through a fault of the voltage beyond `start`; `rise` and `fall` are k-factors.

    Reactive power supports the voltage by k times its distance from `start`, as shares of the nominal values: `rise` above, `fall` below.
    """

    start: float  # V
    stop: float | None = None  # V, where the support ends
    recovery: float | None = None  # V
    rise: float | None = None
    fall: float | None = None
    active_response: float = 0.0  # s, time constant
    reactive_response: float = 0.0  # s, time constant

    def __post_init__(self) -> None:
        for name in ("start", "stop", "recovery"):
            if (value := getattr(self, name)) is not None:
                demand(name, value, 0.0, 1_000.0, " V")
        for name in ("rise", "fall"):
            if (value := getattr(self, name)) is not None:
                demand(name, value, 0.0, 100.0)
        for name in ("active_response", "reactive_response"):
            demand(name, getattr(self, name), 0.0, 3_600.0, " s")


@dataclass(frozen=True, slots=True)
class ZeroCurrent:
    """Beyond these voltages no current flows, until the voltage is within its recovery limits (V; without, the same limits)."""

    over: float | None = None
    under: float | None = None
    over_recovery: float | None = None
    under_recovery: float | None = None
    response: float = 0.0  # s, time constant

    def __post_init__(self) -> None:
        for name in ("over", "under", "over_recovery", "under_recovery"):
            if (value := getattr(self, name)) is not None:
                demand(name, value, 0.0, 1_000.0, " V")
        if self.over is not None and self.under is not None and self.under >= self.over:
            raise ValueError(f"under is {self.under:g} V, not below over of {self.over:g} V")
        demand("response", self.response, 0.0, 3_600.0, " s")


@dataclass(frozen=True, slots=True)
class Trips:
    """When an inverter must disconnect: points (s, V) or (s, Hz); beyond a value for longer than its time it does."""

    over_voltage: Points = ((0.16, 276.0), (2.0, 264.5))
    under_voltage: Points = ((0.16, 103.5), (2.0, 161.0))
    over_frequency: Points = ((0.16, 53.0), (300.0, 52.0))
    under_frequency: Points = ((0.16, 46.5), (300.0, 47.5))

    def __post_init__(self) -> None:
        for each in fields(self):
            _demand_points(each.name, getattr(self, each.name))


@dataclass(frozen=True, slots=True)
class EnterService:
    """When an inverter may connect again, and feed: within which window of voltage and frequency, and for how long it must hold."""

    permit: bool = True
    voltage_high: float = 253.0  # V
    voltage_low: float = 195.5  # V
    frequency_high: float = 50.1  # Hz
    frequency_low: float = 49.5  # Hz
    delay: float = 60.0  # s
    ramp: float = 0.0  # s from nothing to the greatest power

    def __post_init__(self) -> None:
        demand("voltage_low", self.voltage_low, 0.0, self.voltage_high, " V")
        demand("voltage_high", self.voltage_high, 0.0, 1_000.0, " V")
        demand("frequency_low", self.frequency_low, 0.0, self.frequency_high, " Hz")
        demand("frequency_high", self.frequency_high, 0.0, 100.0, " Hz")
        demand("delay", self.delay, 0.0, 3_600.0, " s")
        demand("ramp", self.ramp, 0.0, 3_600.0, " s")

    def holds(self, grid: Grid) -> bool:
        """Whether voltage and frequency are within the window."""
        fits = self.voltage_low <= grid.voltage <= self.voltage_high
        return fits and self.frequency_low <= grid.frequency <= self.frequency_high


@dataclass(frozen=True, slots=True)
class PowerFactor:
    """A constant cos phi."""

    value: float
    absorbing: bool = True  # else injecting

    def __post_init__(self) -> None:
        demand("cos_phi.value", self.value, 0.01, 1.0)


@dataclass(frozen=True, slots=True)
class GridControl:
    """All that a grid asks of an inverter at a time. None asks nothing; of the three curves of reactive power there is at most one."""

    over_frequency: FrequencyWatt | None = None
    under_frequency: FrequencyWatt | None = None
    volt_watt: VoltWatt | None = None
    volt_var: Curve | None = None
    watt_var: Curve | None = None
    watt_cos_phi: Curve | None = None
    over_voltage: RideThrough | None = None
    under_voltage: RideThrough | None = None
    zero_current: ZeroCurrent | None = None
    trips: Trips | None = None
    enter_service: EnterService | None = None
    dc_injection: float | None = None  # A
    forming: bool = False  # the inverter is to make the grid, not to follow it
    islanded: bool = False
    # --- set-points: what may change from one charge loop to the next ---
    discharge_maximum: float | None = None  # W, a magnitude
    var: float | None = None  # var
    cos_phi: PowerFactor | None = None
    watt: float | None = None  # W

    def __post_init__(self) -> None:
        curves = [name for name in REACTIVE if getattr(self, name) is not None]
        if len(curves) > 1:
            raise ValueError(f"{' and '.join(curves)} are given; reactive power follows one curve")
        if self.var is not None and self.cos_phi is not None:
            raise ValueError("var and cos_phi are given; reactive power has one set-point")
        for name, least in (("discharge_maximum", 0.0), ("var", -1e7), ("watt", -1e7), ("dc_injection", 0.0)):
            if (value := getattr(self, name)) is not None:
                demand(name, value, least, 1e7)

    @property
    def settings(self) -> tuple[object, ...]:
        """What is agreed upon before power: all but the set-points."""
        return tuple(getattr(self, each.name) for each in fields(self) if each.name not in SETPOINTS)

    @property
    def asked(self) -> frozenset[str]:
        """The names of what is asked for."""
        return frozenset(each.name for each in fields(self) if getattr(self, each.name) not in (None, False))


@dataclass(frozen=True, slots=True)
class Shares:
    """What is asked of an inverter in shares of the most that it can give back (1: all of it), whatever that is; None asks nothing.

    Signs are those of `GridControl`. Of volt-var: V and a share. Of watt-var: two shares. Of watt-cos phi: a share and cos phi.
    """

    volt_var: Curve | None = None
    watt_var: Curve | None = None
    watt_cos_phi: Curve | None = None
    var: float | None = None
    discharge: float | None = None  # the most that is given back

    def __post_init__(self) -> None:
        for name, least in (("var", -1.0), ("discharge", 0.0)):
            if (value := getattr(self, name)) is not None:
                demand(name, value, least, 1.0)

    def of(self, control: GridControl, rated: float) -> GridControl:
        """All that is asked of an inverter that can give back `rated` W: these shares, with what `control` asks besides.

        A limit holds beside a limit. Nothing can be asked in shares of an inverter that gives nothing back.
        """
        asked: dict[str, Any] = {}
        for name, x, y in (("volt_var", 1.0, rated), ("watt_var", rated, rated), ("watt_cos_phi", rated, 1.0)):
            if (curve := getattr(self, name)) is not None and rated > 0:
                asked[name] = replace(curve, points=tuple((x * at, y * value) for at, value in curve.points))
        if self.var is not None:
            asked["var"] = rated * self.var
        if self.discharge is not None:
            least = math.inf if control.discharge_maximum is None else control.discharge_maximum
            asked["discharge_maximum"] = min(least, rated * self.discharge)
        return replace(control, **asked) if asked else control


@dataclass(frozen=True, slots=True)
class InverterRating:
    """The rating of an inverter in a car that feeds the grid, by the car's own word; empty or None: it did not say.

    Apparent powers in VA and reactive ones in var are magnitudes, of each phase with that of L1 first, or one for all of them. Where a car
    tells charging and discharging, or absorbing and injecting, apart and there is one word here, it is what holds for both.
    """

    apparent_charge: tuple[float, ...] = ()
    apparent_discharge: tuple[float, ...] = ()
    absorbed: tuple[float, ...] = ()  # var, the most
    absorbed_minimum: tuple[float, ...] = ()
    injected: tuple[float, ...] = ()
    injected_minimum: tuple[float, ...] = ()
    over_excited_power: float | None = None  # W given back at `over_excited_factor`
    over_excited_factor: float | None = None
    under_excited_power: float | None = None
    under_excited_factor: float | None = None
    susceptance: float | None = None  # S
    nominal_voltage: float | None = None  # V
    voltage_offset: float | None = None
    voltage: float | None = None
    voltage_minimum: float | None = None
    discharge_energy: float | None = None  # Wh that may be given back in this session
    functions: tuple[str, ...] = ()  # of `GridControl`, that it can follow
    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    software: str = ""
    hardware: str = ""


NO_SHARES: Final = Shares()
REACTIVE: Final = ("volt_var", "watt_var", "watt_cos_phi")
FUNCTIONS: Final = (  # that a grid may ask for, in the order in which ISO 15118-20 numbers them
    "over_frequency", "under_frequency", "volt_watt", "volt_var", "watt_var", "watt_cos_phi", "var", "cos_phi", "dc_injection",
    "zero_current", "over_voltage", "under_voltage",
)  # fmt: skip
SETPOINTS: Final = ("discharge_maximum", "var", "cos_phi", "watt")


def along(points: Points, x: float) -> float:
    """The value on the line through points whose x ascend; the first and the last hold beyond them."""
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y0 + (x - x0) / (x1 - x0) * (y1 - y0)
    return points[-1][1]


def _demand_points(name: str, points: Points) -> None:
    if not FEWEST <= len(points) <= MOST:
        raise ValueError(f"{name} has {len(points)} points; give {FEWEST} to {MOST}")
    if not all(math.isfinite(value) for point in points for value in point):
        raise ValueError(f"{name} holds what is no number")
    for (x0, _), (x1, _) in pairwise(points):
        if x0 >= x1:
            raise ValueError(f"{name}: {x1:g} follows {x0:g}; the first values of the points must ascend")


def _demand_times(one: FrequencyWatt | VoltWatt | Curve) -> None:
    for name in ("delay", "response"):
        demand(name, getattr(one, name), 0.0, 3_600.0, " s")
