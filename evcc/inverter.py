"""The inverter of an AC car: how power and reactive power follow the grid that it is asked to support. Pure; plus is into the car.

Whatever is asked, the limits hold: a response moves the power within the bounds that it is given, and the reactive power within what the
inverter's rating leaves beside the power. Nothing is smoothed that takes power away because it must not flow.
"""

import math
from dataclasses import dataclass, field

from v2g.energy.der import Alarm, Curve, FrequencyWatt, Grid, GridControl, Points, RideThrough, VoltWatt

FUNCTIONS = frozenset(
    [
        "over_frequency", "under_frequency", "volt_watt", "volt_var", "watt_var", "watt_cos_phi", "over_voltage", "under_voltage",
        "zero_current", "trips", "enter_service", "dc_injection", "islanded", "discharge_maximum", "var", "cos_phi", "watt",
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rating:
    """What an inverter can do. W and var are magnitudes; `functions` are names of `GridControl` that it knows."""

    power: float = 11_000.0  # VA
    reactive_power: float = 6_600.0  # var
    voltage: float = 230.0  # V, nominal
    functions: frozenset[str] = FUNCTIONS

    def lacks(self, control: GridControl) -> tuple[str, ...]:
        """What is asked for and cannot be done, by name."""
        return tuple(sorted(control.asked - self.functions))


@dataclass(frozen=True, slots=True)
class Flow:
    """What an inverter does at a moment."""

    power: float = 0.0  # W
    reactive: float = 0.0  # var
    alarms: tuple[Alarm, ...] = ()
    connected: bool = True


@dataclass
class Inverter:
    """An inverter with its state: what it was asked, what flowed, since when a fault lasts."""

    rating: Rating = field(default_factory=Rating)
    most: float = 0.0  # W, the most that the car gives back, of which a share may be asked; 0: as its rating
    control: GridControl = field(default_factory=GridControl)
    flow: Flow = field(default_factory=Flow)
    _beyond: dict[str, float] = field(default_factory=dict)  # s that a voltage or frequency has been beyond a point of a trip curve
    _waited: dict[str, float] = field(default_factory=dict)  # s that a response has been due
    _held: dict[str, float] = field(default_factory=dict)  # the strongest deviation of a response with hysteresis, Hz
    _reference: dict[str, float] = field(default_factory=dict)  # W that flowed when a response began
    _ceased: bool = False  # no current, until the voltage has recovered
    _tripped: bool = False
    _sound: float = 0.0  # s that the conditions to enter service have held

    def step(self, grid: Grid, wanted: float, bounds: tuple[float, float], seconds: float) -> Flow:
        """What flows for the next `seconds` where `wanted` (W) is asked for and `bounds` (lowest, highest; W) hold."""
        lowest, highest = bounds
        alarms = self._alarms(grid, seconds)
        if self._tripped or self._ceased:
            self.flow = Flow(0.0, 0.0, alarms, not self._tripped)
            return self.flow
        power = self._active(grid, wanted, seconds)
        power = min(max(power, lowest), highest)
        self.flow = Flow(power, self._reactive(grid, power, seconds), alarms)
        return self.flow

    def stop(self) -> None:
        """Nothing flows any more; what was asked is forgotten with its service."""
        self.flow = Flow(alarms=self.flow.alarms, connected=self.flow.connected)

    # --- faults of the grid ---

    def _alarms(self, grid: Grid, seconds: float) -> tuple[Alarm, ...]:
        """What is wrong with the grid; on the way the inverter ceases, trips, or comes back."""
        over, under = self._voltage_limits()
        found: list[Alarm] = []
        if grid.voltage > over:
            found.append("OverVoltage")
        if grid.voltage < under:
            found.append("UnderVoltage")
        if self._due(self.control.over_frequency, grid.frequency, 1):
            found.append("OverFrequency")
        if self._due(self.control.under_frequency, grid.frequency, -1):
            found.append("UnderFrequency")
        self._cease(grid)
        if self._trips(grid, seconds):
            self._tripped, self._sound = True, 0.0
        elif self._tripped:
            self._recover(grid, seconds)
        enter = self.control.enter_service
        if enter is not None and not enter.permit:
            found.append("RemoteEmergency")
        return tuple(dict.fromkeys((*found, *self._trip_alarms(grid))))

    def _voltage_limits(self) -> tuple[float, float]:
        control = self.control
        zero = control.zero_current
        over = min(control.over_voltage.start if control.over_voltage else math.inf, (zero and zero.over) or math.inf)
        under = max(control.under_voltage.start if control.under_voltage else 0.0, (zero and zero.under) or 0.0)
        return over, under

    def _cease(self, grid: Grid) -> None:
        """Momentary cessation: begun beyond a limit, ended within its recovery limit."""
        asked = self.control.zero_current
        if asked is None:
            self._ceased = False
            return
        over, under = asked.over or math.inf, asked.under or 0.0
        high = min(asked.over_recovery or over, over) if self._ceased else over
        low = max(asked.under_recovery or under, under) if self._ceased else under
        self._ceased = not low <= grid.voltage <= high

    def _trip_alarms(self, grid: Grid) -> tuple[Alarm, ...]:
        words: dict[str, Alarm] = {
            "over_voltage": "OverVoltage",
            "under_voltage": "UnderVoltage",
            "over_frequency": "OverFrequency",
            "under_frequency": "UnderFrequency",
        }
        return tuple(words[name] for name, points, value, sign in self._trip_curves(grid) if any(sign * (value - y) > 0 for _, y in points))

    def _trip_curves(self, grid: Grid) -> list[tuple[str, Points, float, int]]:
        trips = self.control.trips
        if trips is None:
            return []
        return [
            ("over_voltage", trips.over_voltage, grid.voltage, 1),
            ("under_voltage", trips.under_voltage, grid.voltage, -1),
            ("over_frequency", trips.over_frequency, grid.frequency, 1),
            ("under_frequency", trips.under_frequency, grid.frequency, -1),
        ]

    def _trips(self, grid: Grid, seconds: float) -> bool:
        """Whether a value has been beyond a point of its curve for that point's time."""
        tripped = False
        for name, points, value, sign in self._trip_curves(grid):
            for number, (time, limit) in enumerate(points):
                key = f"{name} {number}"
                self._beyond[key] = self._beyond.get(key, 0.0) + seconds if sign * (value - limit) > 0 else 0.0
                tripped = tripped or self._beyond[key] > time
        return tripped

    def _recover(self, grid: Grid, seconds: float) -> None:
        enter = self.control.enter_service
        holds = enter is None or (enter.permit and enter.holds(grid))
        self._sound = self._sound + seconds if holds else 0.0
        self._tripped = self._sound < (enter.delay if enter is not None else 0.0) or not holds

    # --- active power ---

    def _active(self, grid: Grid, wanted: float, seconds: float) -> float:
        control = self.control
        power = wanted if control.watt is None else control.watt
        slowest = 0.0
        for name, asked, sign in (("over_frequency", control.over_frequency, 1), ("under_frequency", control.under_frequency, -1)):
            shift = self._shift(name, asked, sign, grid, seconds)
            if asked is not None and shift:
                power, slowest = power + sign * shift, max(slowest, asked.response)
        least, most = self._by_voltage(control.volt_watt, grid, seconds)
        if control.volt_watt is not None and not least <= power <= most:
            slowest = max(slowest, control.volt_watt.response)
        power = self._smoothed(min(max(power, least), most), slowest, seconds)
        if control.discharge_maximum is not None:
            power = max(power, -control.discharge_maximum)
        if control.enter_service is not None and not control.enter_service.permit:
            power = max(power, 0.0)
        return power

    def _due(self, asked: FrequencyWatt | None, frequency: float, sign: int) -> float:
        """Hz by which the frequency is beyond the start of a response."""
        return 0.0 if asked is None else max(0.0, sign * (frequency - asked.start))

    def _shift(self, name: str, asked: FrequencyWatt | None, sign: int, grid: Grid, seconds: float) -> float:
        """W by which the frequency moves the power, towards charging above and towards giving back below."""
        if asked is None:
            return 0.0
        beyond = self._due(asked, grid.frequency, sign)
        if asked.hysteresis and name in self._held and sign * (grid.frequency - asked.stop) > 0:
            beyond = max(beyond, self._held[name])
        if beyond <= 0:
            for state in (self._held, self._waited, self._reference):
                state.pop(name, None)
            return 0.0
        self._held[name] = beyond
        self._reference.setdefault(name, abs(self.flow.power))
        self._waited[name] = self._waited.get(name, 0.0) + seconds
        if self._waited[name] <= asked.delay:
            return 0.0
        return asked.slope * beyond * self._referred(name, asked)

    def _referred(self, name: str, asked: FrequencyWatt | VoltWatt) -> float:
        most = self.most or self.rating.power
        return most if asked.reference == "maximum" else self._reference.get(name, most)

    def _by_voltage(self, asked: VoltWatt | None, grid: Grid, seconds: float) -> tuple[float, float]:
        """The least and the greatest power (W) that the voltage leaves."""
        if asked is None:
            return -math.inf, math.inf
        share = (grid.voltage - asked.start) / (asked.stop - asked.start)
        if share <= 0:
            self._waited.pop("volt_watt", None)
            self._reference.pop("volt_watt", None)
            return -math.inf, math.inf
        self._reference.setdefault("volt_watt", abs(self.flow.power))
        self._waited["volt_watt"] = self._waited.get("volt_watt", 0.0) + seconds
        if self._waited["volt_watt"] <= asked.delay:
            return -math.inf, math.inf
        left = max(0.0, 1.0 - share) * self._referred("volt_watt", asked)
        return (-left, math.inf) if asked.stop > asked.start else (-math.inf, left)

    def _smoothed(self, target: float, constant: float, seconds: float) -> float:
        """A first-order way from what flows to the target."""
        return target if constant <= 0 else self.flow.power + (target - self.flow.power) * (1.0 - math.exp(-seconds / constant))

    # --- reactive power ---

    def _reactive(self, grid: Grid, power: float, seconds: float) -> float:
        """var beside a power: support in a fault first, then a set-point, then a curve; within what the rating leaves."""
        control, least_factor, constant = self.control, 0.0, 0.0
        curve = control.volt_var or control.watt_var or control.watt_cos_phi
        support = self._support(control.over_voltage, grid, 1) - self._support(control.under_voltage, grid, -1)
        if support:
            target = support
        elif control.var is not None:
            target = control.var
        elif control.cos_phi is not None:
            target = self._of_factor(power, control.cos_phi.value if control.cos_phi.absorbing else -control.cos_phi.value)
        elif curve is not None:
            target, least_factor, constant = self._of_curve(curve, grid, power), curve.minimum_cos_phi, curve.response
        else:
            target = 0.0
        reactive = target if constant <= 0 else self.flow.reactive + (target - self.flow.reactive) * (1.0 - math.exp(-seconds / constant))
        return self._capable(reactive, power, least_factor)

    def _support(self, asked: RideThrough | None, grid: Grid, sign: int) -> float:
        """var, a magnitude, by which the voltage of a fault is brought back: absorbed above, injected below."""
        if asked is None or sign * (grid.voltage - asked.start) <= 0:
            return 0.0
        factor = (asked.rise if sign > 0 else asked.fall) or 0.0
        return factor * abs(grid.voltage - asked.start) / self.rating.voltage * self.rating.power

    def _of_curve(self, curve: Curve, grid: Grid, power: float) -> float:
        if curve is self.control.volt_var:
            return curve.at(grid.voltage)
        if curve is self.control.watt_var:
            return curve.at(power)
        shares = tuple((watts, _tangent(factor)) for watts, factor in curve.points)  # between +1 and -1 cos phi jumps, its tangent does not
        return abs(power) * Curve(shares).at(power)

    def _of_factor(self, power: float, factor: float) -> float:
        return abs(power) * _tangent(factor)

    def _capable(self, reactive: float, power: float, least_factor: float) -> float:
        rating = self.rating
        most = min(rating.reactive_power, math.sqrt(max(0.0, rating.power**2 - power**2)))
        if least_factor > 0:
            most = min(most, abs(power) * _tangent(least_factor))
        return min(max(reactive, -most), most)


def _tangent(factor: float) -> float:
    """var for each W at a cos phi, whose sign is that of the var."""
    size = min(max(abs(factor), 0.01), 1.0)
    return math.copysign(math.sqrt(1.0 / size**2 - 1.0), factor)
