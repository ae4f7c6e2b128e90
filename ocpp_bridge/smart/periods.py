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
MODES: Final = ("ChargingOnly", "CentralSetpoint", "CentralFrequency", "ExternalLimits", "Idle")
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


@dataclass(frozen=True, slots=True)
class Period:
    """The limits and setpoint of the composite at one instant, in W. `discharge` is a magnitude; infinite: no profile limits it."""

    limit: float = math.inf
    discharge: float = math.inf
    setpoint: float | None = None
    mode: str = "ChargingOnly"

    def bounded(self, other: "Period") -> "Period":
        """This period with its limits cut to those of another."""
        return replace(self, limit=min(self.limit, other.limit), discharge=min(self.discharge, other.discharge))

    def shared(self, among: int) -> "Period":
        """This period with its limits divided among so many EVSEs."""
        return self if among == 1 else replace(self, limit=self.limit / among, discharge=self.discharge / among)

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

    `led` is what a TxProfile or TxDefaultProfile says of it, without the caps; None: none says anything.
    """

    period: Period
    until: float
    led: Period | None


def beyond(period: Payload) -> bool:
    """Whether a period's setpoint lies outside its own limits."""
    setpoint = period.get("setpoint")
    return setpoint is not None and bool(setpoint > period.get("limit", math.inf) or setpoint < period.get("dischargeLimit", -math.inf))


def watts(period: Payload, unit: str, outlet: Outlet) -> Period:
    """A period of a message, in W.

    Values for each phase become what a car that loads all phases alike may draw: the tightest phase times their number. A negative limit,
    as older systems write it, is a setpoint to discharge.
    """
    phases = min(period.get("numberPhases", 3), outlet.phases) or 1
    factor = 1.0 if unit == "W" else outlet.voltage
    both = 1.0 if unit == "W" else phases

    def of(name: str, tightest: Callable[[list[float]], float]) -> float | None:
        values = [period[name + phase] for phase in PHASES if name + phase in period]
        if not values:
            return None
        return factor * (both * values[0] if len(values) == 1 else len(values) * tightest(values))

    limit, discharge = of("limit", min), of("dischargeLimit", max)
    setpoint = of("setpoint", fmean)
    mode = period.get("operationMode", "ChargingOnly")
    if mode == "ChargingOnly" and limit is not None and limit < 0:
        return Period(limit=0.0, discharge=-limit, setpoint=limit, mode="CentralSetpoint")
    allowed = math.inf if discharge is None else -discharge
    return Period(
        limit=math.inf if limit is None else max(limit, 0.0),
        discharge=0.0 if mode in ("ChargingOnly", "Idle") and discharge is None else allowed,
        setpoint=setpoint if mode in FOLLOWED else None,
        mode=mode,
    )


def capped(period: Payload, unit: str, outlet: Outlet) -> Period:
    """A period of a profile that caps, in W: it is silent about discharging unless it says so."""
    said = watts(period, unit, outlet)
    return Period(limit=said.limit, discharge=said.discharge if "dischargeLimit" in period else math.inf)
