"""What a period of a charging profile means in watts, what holds where none does, and the composite that several make.

Powers are in W, + into the EV; amperes become watts with nominal voltage and phases of the EVSE.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, Final, Literal

from ocpp_bridge.wire.schemas import Payload

FOLLOWED: Final = frozenset({"CentralSetpoint", "CentralFrequency"})  # the car follows a setpoint
MODES: Final = (
    "ChargingOnly",
    "CentralSetpoint",
    "CentralFrequency",
    "ExternalSetpoint",
    "ExternalLimits",
    "LocalFrequency",
    "LocalLoadBalancing",
    "Idle",
)
PHASES: Final = ("", "_L2", "_L3")


def begin_of(row: tuple[float, Any]) -> float:
    """The time at which a row (begin, ...) begins."""
    return row[0]


@dataclass(frozen=True, slots=True)
class Outlet:
    """An EVSE as charging profiles need it. `transaction` is the id of the running one, `started` its start (epoch s)."""

    evse: int
    in_watts: bool  # it gives direct current, or a field: amperes and phases say nothing of it
    phases: int = 3
    voltage: float = 230.0  # V, phase to neutral
    transaction: str | None = None
    started: float = 0.0
    control: str = ""  # Scheduled or Dynamic, of the car that has selected its service
    reactive: bool = False  # that car can be told a reactive power
    soc: float | None = None  # % of it, where it tells
    priority: bool = False  # a PriorityCharging profile leads


@dataclass(frozen=True, slots=True)
class Curve:
    """The power by frequency (Hz) and by signal around a baseline, all W; each list of points ascends."""

    baseline: float = 0.0
    frequency: tuple[tuple[float, float], ...] = ()
    signal: tuple[tuple[float, float], ...] = ()

    def power(self, hertz: float, signal: int) -> float:
        """The power at a frequency and a signal: straight between points, level beyond the first and last."""
        return self.baseline + _between(self.frequency, hertz) + _between(self.signal, signal)


def _between(points: tuple[tuple[float, float], ...], at: float) -> float:
    if not points:
        return 0.0
    place = bisect_right(points, at, key=begin_of)
    if place in (0, len(points)):
        return points[min(place, len(points) - 1)][1]
    (left, low), (right, high) = points[place - 1], points[place]
    return low + (high - low) * (at - left) / (right - left)


@dataclass(frozen=True, slots=True)
class Period:
    """The limits and setpoint of the composite at one instant, in W. `discharge` is a magnitude; infinite: no profile limits it."""

    limit: float = math.inf
    discharge: float = math.inf
    setpoint: float | None = None
    mode: str = "ChargingOnly"
    reactive: float | None = None  # var, + inductive, beside a setpoint
    least: float = 0.0  # W; charging with less is not worth it (minChargingRate): then not at all
    at_soc: tuple[float, float] | None = None  # from this state of charge (%) on at most that (W)
    curve: Curve | None = None  # what LocalFrequency follows

    def bounded(self, other: "Period") -> "Period":
        """This period with its limits cut to those of another."""
        return replace(self, limit=min(self.limit, other.limit), discharge=min(self.discharge, other.discharge))

    def shared(self, among: int) -> "Period":
        """This period with its limits divided among so many EVSEs."""
        return self if among == 1 else replace(self, limit=self.limit / among, discharge=self.discharge / among)

    def raised(self, by: float) -> "Period":
        """This period with more to charge, where local generation gives it."""
        return self if by == 0 else replace(self, limit=self.limit + by)

    def at(self, soc: float | None) -> "Period":
        """This period for a car of that state of charge (%): within the limit that holds from a state of charge on."""
        cut = self.at_soc is not None and soc is not None and soc >= self.at_soc[0]
        return replace(self, limit=min(self.limit, self.at_soc[1])) if cut and self.at_soc is not None else self

    @property
    def worthwhile(self) -> "Period":
        """This period without charging where that would be less than is worth it."""
        return replace(self, limit=0.0) if 0 < self.limit < self.least else self

    @property
    def charging(self) -> "Period":
        """This period without any discharge, whatever sets it."""
        return replace(self, discharge=0.0)

    @property
    def most(self) -> float:
        """The most power (W, a magnitude) that is drawn or given where this is followed; infinite: nothing bounds it."""
        return self.limit if (wish := self.clamped()) is None else abs(wish)

    def clamped(self) -> float | None:
        """The setpoint (W), cut to the limits; 0 in Idle mode; None without one."""
        if self.mode == "Idle":
            return 0.0
        return None if self.setpoint is None else min(max(self.setpoint, 0.0 - self.discharge), self.limit)  # never -0.0


Fallback = Literal["local", "hold", "zero", "free"]
INSTEAD: Final[dict[Fallback, Callable[[Period], Period]]] = {
    "local": lambda last: Period(limit=last.most, discharge=0.0),  # the station plans anew, within that
    "hold": lambda last: (
        Period(limit=last.most, discharge=0.0, setpoint=max(last.clamped() or 0.0, 0.0), mode="CentralSetpoint")
        if last.mode in FOLLOWED
        else replace(last, discharge=0.0)
    ),
    "zero": lambda last: Period(limit=0.0, discharge=0.0, mode="Idle"),
    "free": lambda last: Period(discharge=0.0),
}
"""What holds where the profile that led a car has run out. Only `free` is ever more power than before, and none of them discharges: what a
CSMS asks for with an end is not to go on without it."""


@dataclass(frozen=True, slots=True)
class RanOut:
    """How to go on where no profile leads any more: `last` is what the one before said, None: none has led yet."""

    fallback: Fallback = "local"
    last: Period | None = None

    def after(self, led: Period) -> "RanOut":
        """How to go on once another profile has led."""
        return self if led is self.last else replace(self, last=led)

    def instead(self) -> Period:
        """What holds in place of a profile. Before the first has led, all but a discharge is free."""
        return Period(discharge=0.0) if self.last is None else INSTEAD[self.fallback](self.last)


@dataclass(frozen=True, slots=True)
class Composite:
    """Periods from `start` to `until` (epoch s), each with the time at which it begins. Equal neighbours are one."""

    start: float
    until: float
    periods: tuple[tuple[float, Period], ...]

    @property
    def charging(self) -> "Composite":
        """This composite without any discharge."""
        return replace(self, periods=tuple((begin, period.charging) for begin, period in self.periods))

    def at(self, wall: float) -> Period:
        """The period at a time (epoch s); one without limits outside of the composite."""
        place = bisect_right(self.periods, wall, key=begin_of) - 1
        return self.periods[place][1] if place >= 0 and wall < self.until else Period()

    def from_(self, wall: float) -> tuple[tuple[float, Period], ...]:
        """The periods from `wall` (epoch s) on, with their starts; the present one begins at `wall`."""
        return ((wall, self.at(wall)), *self.periods[bisect_right(self.periods, wall, key=begin_of) :])

    @property
    def silent(self) -> bool:
        """Whether no profile limits or sets anything in this composite."""
        return all(period == Period() for _, period in self.periods)


@dataclass(frozen=True, slots=True)
class Present:
    """What the composite says at one instant, and until when (epoch s) it says so at least.

    `led` is what a TxProfile or TxDefaultProfile says of it, without the caps; None: none says anything. `leads` is the same before what is
    told at this moment: a mode whose frequency or meter is silent leads, and says nothing.
    """

    period: Period
    until: float
    led: Period | None
    leads: Period | None = None


def beyond(period: Payload) -> bool:
    """Whether a period's setpoint lies outside its own limits."""
    setpoint = period.get("setpoint")
    return setpoint is not None and bool(setpoint > period.get("limit", math.inf) or setpoint < period.get("dischargeLimit", -math.inf))


def watts(period: Payload, unit: str, outlet: Outlet) -> Period:
    """A period of a message, in W.

    Values for each phase become what a car that loads all phases alike may draw: the tightest phase times their number. A negative limit,
    as older systems write it, is a setpoint to discharge.
    """
    if unit == "W" and "limit" in period and len(period) == 2 and period["limit"] >= 0:  # with startPeriod: most are no more than that
        return Period(limit=float(period["limit"]), discharge=0.0)
    phases = min(period.get("numberPhases", 3), outlet.phases) or 1
    factor = 1.0 if unit == "W" else outlet.voltage
    both = 1.0 if unit == "W" else phases

    def of(name: str, tightest: Callable[[list[float]], float]) -> float | None:
        values = [period[name + phase] for phase in PHASES if name + phase in period]
        if not values:
            return None
        return factor * (both * values[0] if len(values) == 1 else len(values) * tightest(values))

    limit, discharge = of("limit", min), of("dischargeLimit", max)
    setpoint, reactive = of("setpoint", fmean), period.get("setpointReactive")
    mode = period.get("operationMode", "ChargingOnly")
    if mode == "ChargingOnly" and limit is not None and limit < 0:
        return Period(limit=0.0, discharge=-limit, setpoint=limit, mode="CentralSetpoint")
    allowed = math.inf if discharge is None else -discharge
    return Period(
        limit=math.inf if limit is None else max(limit, 0.0),
        discharge=0.0 if mode in ("ChargingOnly", "Idle") and discharge is None else allowed,
        setpoint=setpoint if mode in FOLLOWED else None,
        mode=mode,
        reactive=None if reactive is None or mode not in FOLLOWED else factor * both * reactive,
        curve=curve_of(period),
    )


def curve_of(period: Payload) -> Curve | None:
    """The baseline and curves of a period of a message; None where it has none."""
    if "v2xBaseline" not in period and "v2xFreqWattCurve" not in period:
        return None
    frequency = ((point["frequency"], point["power"]) for point in period.get("v2xFreqWattCurve", []))
    signal = ((float(point["signal"]), point["power"]) for point in period.get("v2xSignalWattCurve", []))
    return Curve(period.get("v2xBaseline", 0.0), tuple(sorted(frequency)), tuple(sorted(signal)))


def ruled(period: Period, schedule: Payload, outlet: Outlet) -> Period:
    """A period with what its whole schedule rules: the least rate worth charging, and a limit from a state of charge on."""
    least, soc = schedule.get("minChargingRate", 0.0), schedule.get("limitAtSoC")
    if not least and soc is None:
        return period
    factor = 1.0 if schedule["chargingRateUnit"] == "W" else outlet.voltage * outlet.phases
    return replace(period, least=factor * least, at_soc=None if soc is None else (float(soc["soc"]), factor * soc["limit"]))


def capped(period: Payload, unit: str, outlet: Outlet) -> Period:
    """A period of a profile that caps, in W: it is silent about discharging unless it says so."""
    said = watts(period, unit, outlet)
    return Period(limit=said.limit, discharge=said.discharge if "dischargeLimit" in period else math.inf)
