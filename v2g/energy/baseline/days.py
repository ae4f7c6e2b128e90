"""Baselines from the days before: X of Y, high, mid or low, by type of day, as a mean or as a regression on temperature; adjusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import NamedTuple

from v2g.energy.baseline.adjustment import Adjustment
from v2g.energy.baseline.model import Day, Event, Run, Type, Unavailable, Value, digest, mean, metered


class Pick(Enum):
    """Which of the eligible days count: those of highest, middle or lowest mean power in the event's hours."""

    HIGH = "high"
    MID = "mid"
    LOW = "low"


class _Chosen(NamedTuple):
    used: list[Day]
    left: list[tuple[date, str]]


@dataclass(frozen=True, slots=True)
class XofY:
    """The mean of `x` of the last `y` days of the same type, interval by interval.

    A day of an event, or one on which an hour of it was not metered, is passed over for an earlier one, at most `lookback` days back.
    `each`: every interval has days of its own. `least`: with fewer days than that there is no baseline. `weather`: a regression on the
    temperature of each interval instead of a mean. `weekend`: x and y of days that are no working days.
    """

    x: int
    y: int
    pick: Pick = Pick.HIGH
    type: Type = Type.WORKDAY
    lookback: int = 60  # days
    least: int | None = None  # days; None: y
    weekend: tuple[int, int] | None = None
    each: bool = False
    weather: bool = False
    adjustment: Adjustment | None = None
    version: int = 1

    def __post_init__(self) -> None:
        for x, y in ((self.x, self.y), self.weekend or (1, 1)):
            if not 1 <= x <= y <= 366:
                raise ValueError(f"the baseline takes {x} of {y} days; give 1 to 366, the first at most the second")

    @property
    def name(self) -> str:
        """For example `high 5 of 10`."""
        return f"{'weather' if self.weather else self.pick.value} {self.x} of {self.y}"

    @property
    def parameters(self) -> Mapping[str, Value]:
        """The parameters that it was made with, those of the adjustment among them."""
        said: dict[str, Value] = {"x": self.x, "y": self.y, "pick": self.pick.value, "type": self.type.value, "lookback": self.lookback}
        said |= {"least": self.least, "each": self.each, "weather": self.weather}
        said |= dict(zip(("weekend_x", "weekend_y"), self.weekend, strict=True)) if self.weekend else {}
        return said | (self.adjustment.parameters if self.adjustment else {})

    def run(self, event: Event, history: Sequence[Day]) -> Run:
        """The baseline of an event. Raises Unavailable where fewer days than `least` can be used."""
        before = sorted((day for day in history if day.date < event.day.date), key=lambda day: day.date, reverse=True)
        intervals = range(event.first, event.until)
        used: dict[date, None] = {}
        left: dict[date, str] = {}
        powers: list[float] = []
        for span in [[place] for place in intervals] if self.each else [list(intervals)]:
            chosen = self._chosen(event.day, before, span)
            used |= dict.fromkeys(day.date for day in chosen.used)
            left |= dict(chosen.left)
            powers += [self._value(event.day, chosen.used, place) for place in span]
        amount, why = self._adjustment(event, before)
        if amount is not None and self.adjustment is not None:
            powers = [self.adjustment.applied(power, amount) for power in powers]
        passed = tuple(sorted((day, reason) for day, reason in left.items() if day not in used))
        inputs = digest(event, before)
        return Run(self.name, self.version, self.parameters, tuple(powers), tuple(sorted(used)), passed, inputs, amount, why)

    def _chosen(self, day: Day, before: Sequence[Day], span: Sequence[int]) -> _Chosen:
        x, y = self.weekend if self.weekend and day.kind(Type.WORKDAY) else (self.x, self.y)
        eligible: list[tuple[float, Day]] = []
        left: list[tuple[date, str]] = []
        for one in before:
            if len(eligible) == y or (day.date - one.date).days > self.lookback:
                break
            powers = metered(one, span) if len(one.powers) == len(day.powers) else None
            why = self._unfit(one, day, powers)
            if why or powers is None:
                left.append((one.date, why))
            else:
                eligible.append((mean(powers), one))
        least = y if self.least is None else self.least
        if len(eligible) < least:
            raise Unavailable(f"{self.name}: {len(eligible)} days before {day.date} can be used, {least} are needed; see why others cannot")
        ranked = sorted(eligible, key=lambda each: (each[0], each[1].date), reverse=True)
        drop = max(len(ranked) - x, 0)
        first = {Pick.HIGH: 0, Pick.MID: drop // 2, Pick.LOW: drop}[self.pick]
        kept = ranked[first : first + x]
        left += [(one.date, f"not among the {self.pick.value} {x}") for power, one in ranked if (power, one) not in kept]
        return _Chosen([one for _, one in kept], left)

    def _unfit(self, one: Day, day: Day, powers: list[float] | None) -> str:
        if one.kind(self.type) != day.kind(self.type):
            return "another type of day"
        if one.event:
            return "an event"
        if powers is None:
            return "not metered"
        return "no temperatures" if self.weather and not one.temperatures else ""

    def _value(self, day: Day, used: Sequence[Day], place: int) -> float:
        powers = [power for one in used if (power := one.powers[place]) is not None]
        if not self.weather:
            return mean(powers)
        if not day.temperatures:
            raise Unavailable(f"{self.name}: there are no temperatures of {day.date}")
        return regressed([one.temperatures[place] for one in used], powers, day.temperatures[place])

    def _adjustment(self, event: Event, before: Sequence[Day]) -> tuple[float | None, str]:
        """The amount, or None and why there is none. Hours before midnight are compared with the baseline of the day before."""
        rule = self.adjustment
        if rule is None or event.battery:
            return None, "a battery" if rule else ""
        places = range(event.first - event.shifted(rule.begin), event.first - event.shifted(rule.end))
        last, count = next(iter(before), None), len(event.day.powers)
        observed: list[float] = []
        expected: list[float] = []
        shared = None if self.each else self._chosen(event.day, before, range(event.first, event.until)).used
        for place in places:
            day = event.day if place >= 0 else last
            if day is None or (place < 0 and (event.day.date - day.date).days > 1):
                return None, "the day before was not metered"
            power, earlier = day.powers[place % count], [one for one in before if one.date < day.date]
            if power is None:
                return None, f"interval {place % count} of {day.date} was not metered"
            try:
                used = shared if shared is not None and place >= 0 else self._chosen(day, earlier, [place % count]).used
                expected.append(self._value(day, used, place % count))
            except Unavailable as error:
                return None, str(error)
            observed.append(power)
        return rule.of(observed, expected), ""


def regressed(xs: Sequence[float], ys: Sequence[float], at: float) -> float:
    """The value at `at` of the straight line through points by least squares; their mean where all have one x."""
    middle, level = mean(xs), mean(ys)
    spread = sum((x - middle) ** 2 for x in xs)
    slope = sum((x - middle) * (y - level) for x, y in zip(xs, ys, strict=True)) / spread if spread > 1e-12 else 0.0
    return level + slope * (at - middle)
