"""Charging profiles: those that the CSMS installed, and the composite that they make at any time.

The composite follows OCPP: for each purpose the highest stack level that has a period wins; a TxProfile replaces TxDefaultProfiles;
over the purposes the lowest limit holds. Powers are in W, + into the EV; amperes become watts with nominal voltage and phases of the EVSE.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import fmean
from typing import Any, Final

from ocpp_bridge.schemas import Payload
from ocpp_bridge.times import epoch

TX, DEFAULT = "TxProfile", "TxDefaultProfile"
EXTERNAL, STATION = "ChargingStationExternalConstraints", "ChargingStationMaxProfile"
RECURRENCE: Final = {"Daily": 86_400.0, "Weekly": 604_800.0}  # s
FOLLOWED: Final = frozenset({"CentralSetpoint", "CentralFrequency"})  # the car follows a setpoint
MODES: Final = ("ChargingOnly", "CentralSetpoint", "CentralFrequency", "ExternalLimits", "Idle")
PHASES: Final = ("", "_L2", "_L3")


class Rejected(Exception):
    """A profile or an update is not accepted; `reason` is the reasonCode of OCPP's appendix."""

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(text)
        self.reason = reason


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

    def clamped(self) -> float | None:
        """The setpoint (W), cut to the limits; 0 in Idle mode; None without one."""
        if self.mode == "Idle":
            return 0.0
        return None if self.setpoint is None else min(max(self.setpoint, -self.discharge), self.limit)


@dataclass(frozen=True, slots=True)
class Composite:
    """Periods from `start` to `until` (epoch s), each with the time at which it begins. Equal neighbours are one."""

    start: float
    until: float
    periods: tuple[tuple[float, Period], ...]

    def at(self, wall: float) -> Period:
        """The period at a time (epoch s); one without limits outside of the composite."""
        return next((period for begin, period in reversed(self.periods) if begin <= wall < self.until), Period())

    def from_(self, wall: float) -> tuple[tuple[float, Period], ...]:
        """The periods from `wall` (epoch s) on, with their starts; the present one begins at `wall`."""
        return ((wall, self.at(wall)), *((begin, period) for begin, period in self.periods if begin > wall))

    @property
    def silent(self) -> bool:
        """Whether no profile limits or sets anything in this composite."""
        return all(period == Period() for _, period in self.periods)


@dataclass(slots=True)
class Held:
    """An installed profile. `updated` is when it came or was last updated (epoch s)."""

    profile: Payload
    evse: int
    updated: float
    source: str = "CSO"
    pulled: float = 0.0  # when its update was last asked for (epoch s)
    dead: bool = False  # invalid for good after a time offline

    @property
    def purpose(self) -> str:
        """The chargingProfilePurpose of the profile."""
        return str(self.profile["chargingProfilePurpose"])

    def spans(self, start: float, until: float, outlet: Outlet, alternative: int = 0) -> list[tuple[float, float, Payload, str]]:
        """The periods of the profile within [start, until) (epoch s), each as (begin, end, period, unit)."""
        schedules = self.profile["chargingSchedule"]
        schedule = schedules[min(alternative, len(schedules) - 1)]
        low = max(start, epoch(self.profile["validFrom"]) if "validFrom" in self.profile else -math.inf)
        high = min(until, epoch(self.profile["validTo"]) if "validTo" in self.profile else math.inf)
        periods, said = schedule["chargingSchedulePeriod"], []
        for origin, end in self._runs(schedule, low, high, outlet):
            edges = [origin + period["startPeriod"] for period in periods] + [end]
            for (begin, stop), period in zip(pairwise(edges), periods, strict=True):
                begin, stop = max(begin, low), min(stop, end, high)
                if begin < stop:
                    said.append((begin, stop, period, schedule["chargingRateUnit"]))
        return said

    def _runs(self, schedule: Payload, low: float, high: float, outlet: Outlet) -> list[tuple[float, float]]:
        """When the schedule runs: (origin, end) of each run that reaches into [low, high)."""
        kind, duration = self.profile["chargingProfileKind"], float(schedule.get("duration", math.inf))
        if kind == "Recurring":
            every = RECURRENCE[self.profile["recurrencyKind"]]
            first = epoch(schedule["startSchedule"])
            number = max(math.floor((low - first) / every), 0)
            runs = []
            while (origin := first + number * every) < high:
                runs.append((origin, origin + min(duration, every)))
                number += 1
            return runs
        origin = {"Absolute": lambda: epoch(schedule["startSchedule"]), "Dynamic": lambda: self.updated}.get(
            kind, lambda: outlet.started if outlet.transaction else self.updated
        )()
        return [(origin, origin + duration)]

    def offline(self, seconds: float) -> bool:
        """Whether the profile is invalid after so many seconds without connection; invalid for good where it says so."""
        limit = self.profile.get("maxOfflineDuration")
        over = limit is not None and seconds > 0 and seconds >= limit
        self.dead |= over and self.profile.get("invalidAfterOfflineDuration", False)
        return over or self.dead


def beyond(period: Payload) -> bool:
    """Whether a period's setpoint lies outside its own limits."""
    setpoint = period.get("setpoint", 0.0)
    return bool(setpoint > period.get("limit", math.inf) or setpoint < period.get("dischargeLimit", -math.inf))


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


@dataclass(slots=True)
class Profiles:
    """The installed profiles of a station, by id."""

    held: dict[int, Held] = field(default_factory=dict)

    def install(self, evse: int, profile: Payload, wall: float) -> Held:
        """Install a profile that was accepted, in place of one with the same id."""
        made = self.held[profile["id"]] = Held(profile, evse, wall)
        return made

    def update(self, id_: int, change: Payload, wall: float) -> Held:
        """Change the values of a dynamic profile; an empty change confirms them. Raises `Rejected`."""
        held = self.held.get(id_)
        if held is None or held.profile["chargingProfileKind"] != "Dynamic":
            raise Rejected("InvalidProfile", f"no dynamic profile has the id {id_}")
        schedule = held.profile["chargingSchedule"][0]
        period = schedule["chargingSchedulePeriod"][0] | {k: v for k, v in change.items() if k != "customData"}
        if beyond(period):
            raise Rejected("InvalidSchedule", "the setpoint lies outside dischargeLimit and limit")
        held.profile = held.profile | {"chargingSchedule": [schedule | {"chargingSchedulePeriod": [period]}]}
        held.updated = wall
        return held

    def clear(self, id_: int | None = None, **criteria: Any) -> list[Held]:
        """Remove the profile with that id, or all that fit `evse`, `purpose` and `stack`, except external constraints; returns them."""
        gone = [held for held in self.select([id_] if id_ is not None else None, **criteria) if held.purpose != EXTERNAL]
        for held in gone:
            del self.held[held.profile["id"]]
        return gone

    def select(
        self, ids: Iterable[int] | None = None, *, evse: int | None = None, purpose: str | None = None, stack: int | None = None
    ) -> list[Held]:
        """The profiles that fit everything that is given."""
        wanted = None if ids is None else set(ids)
        return [
            held
            for id_, held in self.held.items()
            if (wanted is None or id_ in wanted)
            and evse in (None, held.evse)
            and purpose in (None, held.purpose)
            and stack in (None, held.profile["stackLevel"])
        ]

    def forget(self, transaction: str) -> None:
        """Remove the TxProfiles of a transaction that has ended."""
        self.held = {id_: held for id_, held in self.held.items() if held.profile.get("transactionId") != transaction}

    def composite(
        self, outlet: Outlet, start: float, until: float, *, alternative: int = 0, offline: float = 0.0, sharing: int = 1
    ) -> Composite:
        """The composite at an EVSE from `start` to `until` (epoch s).

        `alternative` is which of up to three schedules of a profile, `offline` for how long (s) the connection is lost. Limits for the
        whole station (EVSE 0) are divided by `sharing`, the number of EVSEs that draw on it.
        """
        window = (start, until)
        layers = [self._layer(outlet, window, purpose, alternative, offline, sharing) for purpose in (TX, DEFAULT, STATION, EXTERNAL)]
        edges = sorted({start} | {edge for layer in layers for begin, end, _ in layer for edge in (begin, end) if start <= edge < until})
        periods: list[tuple[float, Period]] = []
        for edge in edges:
            tx, default, *caps = ([period for begin, end, period in layer if begin <= edge < end] for layer in layers)
            period = (tx or default or [Period()])[0]
            for cap in caps:
                period = period.bounded(cap[0]) if cap else period
            if not periods or periods[-1][1] != period:
                periods.append((edge, period))
        return Composite(start, until, tuple(periods))

    def _layer(
        self, outlet: Outlet, window: tuple[float, float], purpose: str, alternative: int, offline: float, sharing: int
    ) -> list[tuple[float, float, Period]]:
        """(begin, end, period) of a purpose, highest stack level first, an EVSE's own before the station's. EVSE 0 only has caps."""
        caps = purpose in (STATION, EXTERNAL)
        fitting = [
            held
            for held in self.held.values()
            if held.purpose == purpose
            and held.evse in (0, outlet.evse)
            and (caps or outlet.evse != 0)
            and held.profile.get("transactionId") in (None, outlet.transaction)
            and not held.offline(offline)
        ]
        fitting.sort(key=lambda held: (held.profile["stackLevel"], held.evse), reverse=True)
        layer = []
        for held in fitting:
            share = sharing if caps and held.evse == 0 else 1
            for begin, end, raw, unit in held.spans(*window, outlet, alternative):
                period = watts(raw, unit, outlet)
                if caps:  # a cap on charging is silent about discharging unless it says so
                    discharge = period.discharge if "dischargeLimit" in raw else math.inf
                    period = Period(limit=period.limit / share, discharge=discharge / share)
                layer.append((begin, end, period))
        return layer
