"""Baselines from the day itself, or from what was said before it: meter before, hours around, nominated, control group, session."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from v2g.energy.baseline.model import Day, Event, Run, Type, Unavailable, Value, digest, mean, metered


@dataclass(frozen=True, slots=True)
class Before:
    """One level: the mean of `duration` s that begin `begin` s before the event, of the event's day and `days` - 1 working days before it.

    With one day and a window that ends where the event begins this is meter before, meter after.
    """

    begin: int = 900  # s
    duration: int = 900  # s
    days: int = 1
    lookback: int = 30  # days
    version: int = 1

    @property
    def name(self) -> str:
        """The name that contracts call the method by."""
        return "meter before meter after" if self.days == 1 and self.begin == self.duration else f"mean before, {self.days} days"

    @property
    def parameters(self) -> Mapping[str, Value]:
        """The parameters that it was made with."""
        return {"begin": self.begin, "duration": self.duration, "days": self.days, "lookback": self.lookback}

    def run(self, event: Event, history: Sequence[Day]) -> Run:
        """The baseline of an event. Raises Unavailable where the window was not metered, or lies before midnight."""
        first = event.first - event.shifted(self.begin)
        if first < 0:
            raise Unavailable(f"{self.name}: the window begins before the day does; meter the day before as part of it")
        places = range(first, first + event.shifted(self.duration))
        used: list[date] = []
        left: list[tuple[date, str]] = []
        levels: list[float] = []
        earlier = sorted((one for one in history if one.date < event.day.date), key=lambda one: one.date, reverse=True)
        for one in (event.day, *earlier):
            if len(used) == self.days or (event.day.date - one.date).days > self.lookback:
                break
            powers = metered(one, places)
            own = one is event.day
            if powers is None or (not own and (one.event or one.kind(Type.WORKDAY))):
                left.append((one.date, "not metered" if powers is None else "an event" if one.event else "no working day"))
            else:
                used.append(one.date)
                levels.append(mean(powers))
        if len(used) < self.days:
            raise Unavailable(f"{self.name}: {len(used)} days up to {event.day.date} can be used, {self.days} are needed")
        level = (mean(levels),) * (event.until - event.first)
        return Run(self.name, self.version, self.parameters, level, tuple(sorted(used)), tuple(sorted(left)), digest(event, earlier))


@dataclass(frozen=True, slots=True)
class Around:
    """One level: the mean of `before` s and `after` s around the event, each `gap` s away from it."""

    before: int = 3 * 3600  # s
    after: int = 2 * 3600  # s
    gap: int = 3600  # s
    version: int = 1

    @property
    def name(self) -> str:
        """For example `same day 3+2`."""
        return f"same day {self.before / 3600:g}+{self.after / 3600:g}"

    @property
    def parameters(self) -> Mapping[str, Value]:
        """The parameters that it was made with."""
        return {"before": self.before, "after": self.after, "gap": self.gap}

    def places(self, event: Event) -> tuple[int, ...]:
        """The intervals that count. Raises Unavailable where they reach beyond the day."""
        gap = event.shifted(self.gap)
        first, last = event.first - gap - event.shifted(self.before), event.until + gap + event.shifted(self.after)
        if first < 0 or last > len(event.day.powers):
            raise Unavailable(f"{self.name}: hours around the event lie on another day; use a baseline of the days before")
        return (*range(first, event.first - gap), *range(event.until + gap, last))

    def run(self, event: Event, history: Sequence[Day]) -> Run:
        """The baseline of an event; history is not looked at. Raises Unavailable where an hour around it was not metered."""
        powers = metered(event.day, self.places(event))
        if powers is None:
            raise Unavailable(f"{self.name}: an hour around the event was not metered on {event.day.date}")
        level = (mean(powers),) * (event.until - event.first)
        return Run(self.name, self.version, self.parameters, level, (event.day.date,), (), digest(event, ()))


@dataclass(frozen=True, slots=True)
class Nominated:
    """What was announced: W for each interval of the event, at `announced` (epoch s), which the rules want before `gate` (epoch s)."""

    powers: tuple[float, ...]  # W
    announced: float  # epoch s
    gate: float  # epoch s
    version: int = 1

    @property
    def name(self) -> str:
        """The name that contracts call the method by."""
        return "nominated"

    @property
    def parameters(self) -> Mapping[str, Value]:
        """When it was announced, and when it had to be."""
        return {"announced": self.announced, "gate": self.gate}

    def run(self, event: Event, history: Sequence[Day]) -> Run:
        """The announced powers. Raises Unavailable where they came too late, or are not those of the event."""
        if self.announced > self.gate:
            raise Unavailable(f"the nomination came {self.announced - self.gate:g} s after the gate closed; use another baseline")
        if len(self.powers) != event.until - event.first or not all(map(math.isfinite, self.powers)):
            raise Unavailable(f"the nomination has {len(self.powers)} powers, the event {event.until - event.first} intervals")
        return Run(self.name, self.version, self.parameters, self.powers, (event.day.date,), (), digest(event, ()))


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """What a group that was not called drew, for each of its members: W for each interval of the event's day, times the members called."""

    group: tuple[Day, ...]  # the event's day of each member that was not called
    called: int = 1  # members whose sum the meter shows
    least: int = 2  # members of the group, below which chance decides
    version: int = 1

    @property
    def name(self) -> str:
        """The name that contracts call the method by."""
        return "control group"

    @property
    def parameters(self) -> Mapping[str, Value]:
        """How many members each side has, and the hash of what the group drew."""
        return {"members": len(self.group), "called": self.called, "least": self.least, "group": self._hashed()}

    def run(self, event: Event, history: Sequence[Day]) -> Run:
        """The baseline of an event. Raises Unavailable where fewer members than `least` were metered."""
        places = range(event.first, event.until)
        rows = [row for one in self.group if one.date == event.day.date and (row := metered(one, places)) is not None]
        if len(rows) < self.least:
            raise Unavailable(f"{len(rows)} members of the control group were metered on {event.day.date}; {self.least} are needed")
        powers = tuple(self.called * mean(column) for column in zip(*rows, strict=True))
        return Run(self.name, self.version, self.parameters, powers, (event.day.date,), (), digest(event, ()))

    def _hashed(self) -> str:
        told = [[one.date.isoformat(), one.powers] for one in self.group]
        return hashlib.sha256(json.dumps(told, separators=(",", ":")).encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class Session:
    """What a car would have drawn by itself: full power from its arrival until it has the energy that it left with, or leaves.

    Irregular arrivals spoil every baseline of days; this one needs the session alone, and it is what a saving is counted against.
    """

    arrival: float  # s after midnight of the event's day, may be negative
    departure: float  # s after that midnight
    energy: float  # Wh metered in the whole session, into the car less out of it
    power: float  # W that it would have been charged with
    version: int = 1

    @property
    def name(self) -> str:
        """The name that contracts call the method by."""
        return "session counterfactual"

    @property
    def parameters(self) -> Mapping[str, Value]:
        """The session that it was computed for."""
        return {"arrival": self.arrival, "departure": self.departure, "energy": self.energy, "power": self.power}

    def run(self, event: Event, history: Sequence[Day]) -> Run:
        """The mean power in each interval of the event. Raises Unavailable for a session that ends before it begins, or has no power."""
        if not (self.power > 0 and self.departure > self.arrival and math.isfinite(self.departure - self.arrival + self.energy)):
            raise Unavailable(f"a session from {self.arrival} to {self.departure} s with {self.power} W has no counterfactual")
        done = min(self.arrival + max(self.energy, 0.0) / self.power * 3600.0, self.departure)
        length = event.length
        spans = [(place * length, (place + 1) * length) for place in range(event.first, event.until)]
        powers = tuple(self.power * max(0.0, min(done, end) - max(self.arrival, start)) / length for start, end in spans)
        return Run(self.name, self.version, self.parameters, powers, (event.day.date,), (), digest(event, ()))
