"""What every baseline is given and gives back: metered days, an event, and a run that can be repeated from its record."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Final, Protocol

DAY: Final = 86_400  # s; a day of 23 or 25 hours is given with the intervals that its clocks show, the doubled hour as its mean
MOST: Final = 1_440  # intervals of a day: minutes
Value = str | int | float | bool | None


class Unavailable(ValueError):
    """No baseline can be made of what was metered; the message says what is lacking."""


class Type(Enum):
    """Which days are compared with which."""

    ANY = "any"
    WORKDAY = "workday"  # working days with working days; Saturdays, Sundays and holidays with their like
    WEEKDAY = "weekday"  # Mondays with Mondays; a holiday with Sundays


@dataclass(frozen=True, slots=True)
class Day:
    """The mean powers of a local day, W into the site, in intervals of equal length; None where nothing was metered, or must not count."""

    date: date
    powers: tuple[float | None, ...]
    event: bool = False  # something was called on that day
    holiday: bool = False
    temperatures: tuple[float, ...] = ()  # of the same intervals, any unit

    def __post_init__(self) -> None:
        if not (1 <= len(self.powers) <= MOST and DAY % len(self.powers) == 0):
            raise ValueError(f"{self.date} has {len(self.powers)} intervals; give a number that divides a day, at most {MOST}")
        if not all(math.isfinite(value) for value in (*self.powers, *self.temperatures) if value is not None):
            raise ValueError(f"{self.date} has a power or temperature that is not finite; give None where nothing was metered")
        if self.temperatures and len(self.temperatures) != len(self.powers):
            raise ValueError(f"{self.date} has {len(self.temperatures)} temperatures and {len(self.powers)} powers; give as many")

    def kind(self, type: Type) -> int:
        """The number that days of the same type share."""
        if type is Type.ANY:
            return 0
        weekday = 6 if self.holiday else self.date.weekday()
        return weekday if type is Type.WEEKDAY else int(weekday >= 5)


@dataclass(frozen=True, slots=True)
class Event:
    """A call: the intervals [first, until) of a day, with what was metered on it. `battery`: the site is one, and adapts to nothing."""

    day: Day
    first: int
    until: int
    battery: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.until <= len(self.day.powers):
            raise ValueError(f"the event takes intervals {self.first} to {self.until} of {len(self.day.powers)}; give at least one of them")

    @property
    def length(self) -> int:
        """Seconds of an interval."""
        return DAY // len(self.day.powers)

    def shifted(self, seconds: int) -> int:
        """How many intervals a time is. ValueError if it is no whole number of them."""
        if seconds % self.length:
            raise ValueError(f"{seconds} s are no whole number of intervals of {self.length} s; meter in shorter ones")
        return seconds // self.length


@dataclass(frozen=True, slots=True)
class Run:
    """A baseline as it was computed: W for each interval of the event, and all that it came from."""

    method: str
    version: int
    parameters: Mapping[str, Value]
    powers: tuple[float, ...]  # W
    used: tuple[date, ...]  # in the order of the calendar
    left: tuple[tuple[date, str], ...]  # days that were looked at and not used, with the reason
    inputs: str  # SHA-256 of what was metered
    adjustment: float | None = None  # W where it was added, a factor where it was multiplied; None: none was made
    adjusted: str = ""  # why there is none

    def record(self) -> bytes:
        """The octets that tell the whole run, the same for the same run: to be kept, and hashed into the books."""
        said = {
            "method": self.method,
            "version": self.version,
            "parameters": dict(self.parameters),
            "powers": self.powers,
            "used": [day.isoformat() for day in self.used],
            "left": [[day.isoformat(), why] for day, why in self.left],
            "inputs": self.inputs,
            "adjustment": self.adjustment,
            "adjusted": self.adjusted,
        }
        return json.dumps(said, sort_keys=True, separators=(",", ":")).encode("ascii")


class Method(Protocol):
    """A baseline method. Two runs of one name and version on the same input give the same record."""

    @property
    def name(self) -> str:
        """The name that contracts call the method by."""
        ...

    @property
    def version(self) -> int:
        """A number that grows whenever a result changes."""
        ...

    @property
    def parameters(self) -> Mapping[str, Value]:
        """The parameters that it was made with."""
        ...

    def run(self, event: Event, history: Sequence[Day]) -> Run:
        """The baseline of an event. Raises Unavailable where too little was metered."""
        ...


def digest(event: Event, history: Sequence[Day]) -> str:
    """SHA-256 over the event and the days, in hex."""
    said = [[event.first, event.until, event.battery], *(_told(day) for day in (event.day, *history))]
    return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode("ascii")).hexdigest()


def _told(day: Day) -> list[object]:
    return [day.date.isoformat(), day.event, day.holiday, day.powers, day.temperatures]


def mean(values: Sequence[float]) -> float:
    """The mean of at least one value."""
    return math.fsum(values) / len(values)


def metered(day: Day, intervals: Sequence[int]) -> list[float] | None:
    """The powers of those intervals, None where one of them was not metered."""
    powers = [power for place in intervals if (power := day.powers[place]) is not None]
    return powers if len(powers) == len(intervals) else None
