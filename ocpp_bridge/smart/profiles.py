"""Charging profiles: those that the CSMS installed, and the composite that they make at any time.

The composite follows OCPP: for each purpose the highest stack level that has a period wins; a TxProfile replaces TxDefaultProfiles;
over the purposes the lowest limit holds.

A CSMS may install as much as it likes while cars charge. So a schedule is turned into watts once, the present is looked up in it, and a
composite costs what it shows: what a higher stack level hides is not looked at.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ocpp_bridge.smart.periods import Composite, Outlet, Period, Present, RanOut, beyond, capped, ruled, watts
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import epoch, of_clock

TX, DEFAULT = "TxProfile", "TxDefaultProfile"
EXTERNAL, STATION = "ChargingStationExternalConstraints", "ChargingStationMaxProfile"
PRIORITY, GENERATION = "PriorityCharging", "LocalGeneration"
PURPOSES: Final = (PRIORITY, TX, DEFAULT, STATION, GENERATION, EXTERNAL)  # those that lead, the first first; then what caps and what adds
CSMS: Final = "CSO"  # the chargingLimitSource of what the CSMS installs
RECURRENCE: Final = {"Daily": 86_400.0, "Weekly": 604_800.0}  # s


Live = Callable[[Period], tuple[Period | None, float]]
Origin = tuple[str, int] | None  # chargingLimitSource and EVSE
Layer = tuple[str, Origin]  # a purpose, and where it comes from; None: from anywhere


def as_is(period: Period) -> tuple[Period | None, float]:
    """A period without anything of the moment."""
    return period, math.inf


def _leading(said: list[Period | None]) -> Period | None:
    """The first of what the purposes say that lead, in their order."""
    return next((each for each in said[:3] if each is not None), None)


def _bounded(period: Period, said: list[Period | None], *, led: bool) -> Period:
    """What holds, within what the purposes say that bound it.

    Local generation adds to what a profile lets the car charge and to the station's own limit, and nothing to what stands in for a
    profile; what comes from elsewhere is the last word.
    """
    station, generation = said[3:5]
    more = 0.0 if generation is None or generation.limit == math.inf else generation.limit
    period = period.raised(more) if led else period
    period = period if station is None else period.bounded(station.raised(more))
    for external in said[5:]:
        period = period if external is None else period.bounded(external)
    return period.worthwhile


class Rejected(Exception):
    """A profile or an update is not accepted; `reason` is the reasonCode of OCPP's appendix."""

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(slots=True)
class Reading:
    """A schedule in watts. `starts` are when its periods begin (s from the start of a run); each is read once it is looked at."""

    starts: list[float]
    _read: Callable[[Payload], Period]
    _said: list[Payload]
    _periods: list[Period | None]

    @classmethod
    def of(cls, schedule: Payload, outlet: Outlet, *, caps: bool, delay: int) -> "Reading":
        """The schedule as an outlet understands it. `caps`: it only bounds what others say; `delay` (s) is that of every change."""
        unit, said = schedule["chargingRateUnit"], schedule["chargingSchedulePeriod"]

        def read(period: Payload) -> Period:
            return capped(period, unit, outlet) if caps else ruled(watts(period, unit, outlet), schedule, outlet)

        starts = [float(each["startPeriod"]) + delay for each in said]
        starts[0] = float(said[0]["startPeriod"])
        return cls(starts, read, said, [None] * len(said))

    def period(self, number: int) -> Period:
        """The period of that number, from 0."""
        made = self._periods[number]
        if made is None:
            made = self._periods[number] = self._read(self._said[number])
        return made


@dataclass(slots=True)
class Held:
    """An installed profile. `updated` is when it came or was last updated (epoch s)."""

    profile: Payload
    evse: int
    updated: float
    source: str = CSMS
    pulled: float = 0.0  # when its update was last asked for (epoch s)
    offset: float = 0.0  # s that local time is ahead of UTC, for schedules in local time
    dead: bool = False  # invalid for good after a time offline
    delay: int = 0  # s by which every change within a schedule comes later (randomizedDelay)
    _valid: tuple[float, float] = field(init=False, repr=False, compare=False)  # epoch s
    _read: dict[tuple[Any, ...], "Reading"] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ends = [(name, edge) for name, edge in (("validFrom", -math.inf), ("validTo", math.inf))]
        low, high = (epoch(self.profile[name]) if name in self.profile else edge for name, edge in ends)
        self._valid = low, high

    @property
    def purpose(self) -> str:
        """The chargingProfilePurpose of the profile."""
        return str(self.profile["chargingProfilePurpose"])

    @property
    def kept(self) -> dict[str, Any]:
        """What a restart needs to hold it again, JSON-able."""
        return {"profile": self.profile, "evse": self.evse, "updated": self.updated, "delay": self.delay, "dead": self.dead}

    @property
    def caps(self) -> bool:
        """Whether the profile only bounds what others say."""
        return self.purpose in (STATION, EXTERNAL, GENERATION)

    def change(self, schedules: list[Payload], wall: float) -> None:
        """Replace the schedules (UpdateDynamicSchedule) at a time (epoch s)."""
        self.profile, self.updated = self.profile | {"chargingSchedule": schedules}, wall
        self._read.clear()

    def at(self, wall: float, outlet: Outlet, alternative: int = 0) -> tuple[Period | None, float]:
        """What the profile says at a time (epoch s), None where that is nothing; and until when that stands, which may be for ever."""
        low, high = self._valid
        if not low <= wall < high:
            return None, low if wall < low else math.inf
        schedule = self._schedule(alternative)
        for origin, end in self._runs(schedule, wall, outlet):
            if wall < origin:
                return None, min(origin, high)
            if wall < end:
                read = self._reading(schedule, outlet, alternative)
                place = bisect_right(read.starts, wall, key=lambda start: origin + start)
                next_ = origin + read.starts[place] if place < len(read.starts) else end
                return read.period(place - 1), min(next_, end, high)
        return None, math.inf

    def spans(self, start: float, until: float, outlet: Outlet, alternative: int = 0) -> Iterator[list[tuple[float, float, Period]]]:
        """What the profile says within [start, until) (epoch s): a list of (begin, end, period) without gaps for each of its runs."""
        start, until = max(start, self._valid[0]), min(until, self._valid[1])
        schedule = self._schedule(alternative)
        for origin, end in self._runs(schedule, start, outlet) if start < until else ():
            if origin >= until:
                return
            low, high = max(start, origin), min(until, end)
            if low < high:
                read = self._reading(schedule, outlet, alternative)
                starts = read.starts
                first = bisect_right(starts, low, key=lambda start: origin + start) - 1
                beyond = bisect_left(starts, high, key=lambda start: origin + start)
                edges = [low, *(origin + start for start in starts[first + 1 : beyond]), high]
                yield list(zip(edges, edges[1:], map(read.period, range(first, beyond)), strict=False))

    def _schedule(self, alternative: int) -> Payload:
        schedules = self.profile["chargingSchedule"]
        return dict(schedules[min(alternative, len(schedules) - 1)])

    def _reading(self, schedule: Payload, outlet: Outlet, alternative: int) -> "Reading":
        """What the schedule says in watts, for each kind of outlet once."""
        key = (outlet.in_watts, outlet.phases, outlet.voltage, alternative)
        if key not in self._read:
            self._read[key] = Reading.of(schedule, outlet, caps=self.caps, delay=self.delay)
        return self._read[key]

    def _runs(self, schedule: Payload, wall: float, outlet: Outlet) -> Iterator[tuple[float, float]]:
        """When the schedule runs: (origin, end) of each run, from the one at `wall` (epoch s) on; without end where it recurs."""
        kind, duration = self.profile["chargingProfileKind"], float(schedule.get("duration", math.inf))
        if kind == "Recurring":
            every, first = RECURRENCE[self.profile["recurrencyKind"]], self._start(schedule)
            number = max(math.floor((wall - first) / every), 0)
            while True:
                yield first + number * every, first + number * every + min(duration, every)
                number += 1
        if kind == "Absolute":
            origin = self._start(schedule)
        else:
            origin = outlet.started if kind == "Relative" and outlet.transaction else self.updated
        yield origin, origin + duration

    def _start(self, schedule: Payload) -> float:
        """When the schedule begins (epoch s); in local time, where it says so, whatever offset it names."""
        text = schedule["startSchedule"]
        return of_clock(text) - self.offset if schedule.get("useLocalTime") else epoch(text)

    def offline(self, seconds: float) -> bool:
        """Whether the profile is invalid after so many seconds without connection; invalid for good where it says so."""
        limit = self.profile.get("maxOfflineDuration")
        over = limit is not None and seconds > 0 and seconds >= limit
        self.dead |= over and self.profile.get("invalidAfterOfflineDuration", False)
        return over or self.dead


@dataclass(slots=True)
class Profiles:
    """The installed profiles of a station, by id."""

    held: dict[int, Held] = field(default_factory=dict)
    offset: float = 0.0  # s that local time is ahead of UTC

    def local(self, offset: float) -> None:
        """Take another local time into use: so many seconds ahead of UTC."""
        self.offset = offset
        for held in self.held.values():
            held.offset = offset

    def install(self, evse: int, profile: Payload, wall: float, *, source: str = CSMS, delay: int = 0) -> Held:
        """Install a profile that was accepted, in place of one with the same id."""
        made = self.held[profile["id"]] = Held(profile, evse, wall, source, delay=delay, offset=self.offset)
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
        held.change([schedule | {"chargingSchedulePeriod": [period]}], wall)
        return held

    def clear(self, id_: int | None = None, **criteria: Any) -> list[Held]:
        """Remove the profile with that id, or all that fit `evse`, `purpose` and `stack`, except what is not of the CSMS; returns them."""
        gone = [held for held in self.select([id_] if id_ is not None else None, **criteria) if held.source == CSMS]
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

    def forget(self, transaction: str) -> list[int]:
        """Remove the TxProfiles of a transaction that has ended; returns their ids."""
        gone = [id_ for id_, held in self.held.items() if held.profile.get("transactionId") == transaction]
        for id_ in gone:
            del self.held[id_]
        return gone

    def present(
        self,
        outlet: Outlet,
        wall: float,
        *,
        alternative: int = 0,
        offline: float = 0.0,
        sharing: int = 1,
        ran_out: RanOut | None = None,
        live: Live = as_is,
    ) -> Present:
        """What the composite says at `wall` (epoch s); the other arguments are those of `composite`.

        `live` gives what leads the setpoint of this moment, and until when (epoch s) that stands; None where that is not known.
        """
        until, said = math.inf, []
        for purpose, origin in self._layers():
            found = None
            for held, share in self._ranked(outlet, purpose, offline, sharing, origin):
                found, edge = held.at(wall, outlet, alternative)
                until = min(until, edge)
                if found is not None:
                    found = found.shared(share)
                    break
            said.append(found)
        leads = _leading(said)
        leads = leads.at(outlet.soc) if leads is not None else None
        led, stands = live(leads) if leads is not None else (None, math.inf)
        period = led or (ran_out.instead() if ran_out is not None else Period())
        if led is None and leads is not None:  # what it follows is silent: no more than it allowed
            period = period.bounded(leads).charging
        return Present(_bounded(period, said, led=led is not None), min(until, stands), led, leads)

    def composite(
        self,
        outlet: Outlet,
        start: float,
        until: float,
        *,
        alternative: int = 0,
        offline: float = 0.0,
        sharing: int = 1,
        ran_out: RanOut | None = None,
    ) -> Composite:
        """The composite at an EVSE from `start` to `until` (epoch s).

        `alternative` is which of up to three schedules of a profile, `offline` for how long (s) the connection is lost. Limits for the
        whole station (EVSE 0) are divided by `sharing`, the number of EVSEs that draw on it. `ran_out` says what holds where a profile has
        led and leads no more; without it nothing does.
        """
        layers = [self._layer(outlet, (start, until), layer, alternative, offline, sharing) for layer in self._layers()]
        edges = sorted({start, *(edge for layer in layers for begin, end, _ in layer for edge in (begin, end) if edge < until)})
        places, periods = [0] * len(layers), list[tuple[float, Period]]()
        speaking = [(number, layer) for number, layer in enumerate(layers) if layer]  # most purposes have no profile at all
        caps = any(layers[3:])
        for edge in edges:
            said: list[Period | None] = [None] * len(layers)
            for number, layer in speaking:
                place, count = places[number], len(layer)
                while place < count and layer[place][1] <= edge:
                    place += 1
                places[number] = place
                if place < count and layer[place][0] <= edge:
                    said[number] = layer[place][2]
            led = _leading(said)
            if led is not None and ran_out is not None:
                ran_out = ran_out.after(led)
            period = led or (ran_out.instead() if ran_out is not None else Period())
            period = _bounded(period, said, led=led is not None) if caps else period.worthwhile
            if not periods or periods[-1][1] != period:
                periods.append((edge, period))
        return Composite(start, until, tuple(periods))

    def _layer(
        self, outlet: Outlet, window: tuple[float, float], which: Layer, alternative: int, offline: float, sharing: int
    ) -> list[tuple[float, float, Period]]:
        """What a layer says: (begin, end, period) in order, none over another."""
        free, layer = [window], list[tuple[float, float, Period]]()
        for held, share in self._ranked(outlet, which[0], offline, sharing, which[1]):
            left: list[tuple[float, float]] = []
            for at, stop in free:
                for run in held.spans(at, stop, outlet, alternative):
                    layer += run if share == 1 else [(begin, end, period.shared(share)) for begin, end, period in run]
                    left += [(at, run[0][0])] if at < run[0][0] else []
                    at = run[-1][1]
                left += [(at, stop)] if at < stop else []
            free = left
        return sorted(layer, key=lambda span: span[0])

    def _layers(self) -> list[Layer]:
        """What makes a composite: one layer for each purpose, but for limits from elsewhere one for each origin, for each of them holds."""
        origins = sorted({(held.source, held.evse) for held in self.held.values() if held.purpose == EXTERNAL})
        return [*((purpose, None) for purpose in PURPOSES[:-1]), *((EXTERNAL, origin) for origin in origins)]

    def _ranked(self, outlet: Outlet, purpose: str, offline: float, sharing: int, origin: Origin = None) -> list[tuple[Held, int]]:
        """The profiles of a purpose and among how many each is shared, highest stack level first, an EVSE's own before the station's.

        EVSE 0 only has caps.
        """
        caps = purpose in (STATION, EXTERNAL, GENERATION)
        if purpose == PRIORITY and not outlet.priority:
            return []
        fitting = [
            held
            for held in self.held.values()
            if held.purpose == purpose
            and origin in (None, (held.source, held.evse))
            and held.evse in (0, outlet.evse)
            and (caps or outlet.evse != 0)
            and held.profile.get("transactionId") in (None, outlet.transaction)
            and not held.offline(offline)
        ]
        fitting.sort(key=lambda held: (held.profile["stackLevel"], held.evse), reverse=True)
        return [(held, sharing if caps and held.evse == 0 else 1) for held in fitting]
