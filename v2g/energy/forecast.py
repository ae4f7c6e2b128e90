"""Who will come, for how long, and wanting what: quantiles of what happened before, by kind of day and time of day. A plain model.

    model = fit(history, zone)
    model.departure(arrival, 0.1, now)      epoch s: one in ten has left by then
    model.energy(arrival, 0.5)              Wh
    model.coming(now, until)                Visit for each car that is expected

History is cut by working days and weekends; stays and energies are those of the cars that came nearest in time of day. Nothing is learnt
that a table could not hold, and nothing is drawn: the same history gives the same forecast.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from v2g.energy.prices import midnight

BIN: Final = 900  # s: arrivals are counted by quarter hours
NEAREST: Final = 60  # past stays of the same kind of day that arrived nearest in time of day
FEWEST: Final = 5  # days of a kind, or stays near a time, below which nothing is foreseen
SMOOTH: Final = 2  # bins on either side over which arrivals are spread: one day is no clockwork
MOST: Final = 1_000_000  # stays of a history


@dataclass(frozen=True, slots=True)
class Visit:
    """A stay, past or expected: epoch s, and Wh metered into the car."""

    arrival: float
    departure: float
    energy: float

    def __post_init__(self) -> None:
        if not (self.departure > self.arrival and math.isfinite(self.departure - self.arrival) and 0 <= self.energy < math.inf):
            raise ValueError(
                f"a stay from {self.arrival} to {self.departure} with {self.energy} Wh; give a time that ends, and energy >= 0"
            )


@dataclass(slots=True)
class _Kind:
    """What is known of one kind of day."""

    days: int = 0
    arrivals: list[float] = field(default_factory=list)  # a day, for each bin
    seconds: list[float] = field(default_factory=list)  # of arrival after midnight, ascending
    stays: list[Visit] = field(default_factory=list)  # in that order


@dataclass(frozen=True, slots=True)
class Model:
    """What a history foresees. A kind of day with fewer than `FEWEST` days foresees nobody."""

    zone: tzinfo
    kinds: tuple[_Kind, _Kind]  # working days, weekends

    def known(self, at: float) -> bool:
        """Whether there is enough history of the kind of day of an instant (epoch s)."""
        return self._kind(at).days >= FEWEST

    def departure(self, arrival: float, quantile: float, now: float | None = None) -> float | None:
        """The departure (epoch s) that is not passed with that probability, of a car that is still there at `now`; None: not known.

        A car that has outstayed all that are like it may leave at any time: `now` itself is foreseen.
        """
        here = (now if now is not None else arrival) - arrival
        stays = sorted(one.departure - one.arrival for one in self._near(arrival))
        if len(stays) < FEWEST:
            return None
        left = stays[bisect_right(stays, here) :]
        return arrival + (at_quantile(left, quantile) if left else here)

    def energy(self, arrival: float, quantile: float) -> float | None:
        """The energy (Wh) that is not passed with that probability; None: not known."""
        energies = sorted(one.energy for one in self._near(arrival))
        return at_quantile(energies, quantile) if len(energies) >= FEWEST else None

    def stays(self, arrival: float, until: float, now: float) -> float:
        """How probable it is that a car which is there at `now` is there until `until` (epoch s); 0 where nothing is known."""
        stays = sorted(one.departure - one.arrival for one in self._near(arrival))
        there = len(stays) - bisect_right(stays, now - arrival)
        longer = len(stays) - bisect_left(stays, until - arrival)
        return longer / there if there and len(stays) >= FEWEST else 0.0

    def coming(self, now: float, until: float, stay: float = 0.5, energy: float = 0.5) -> tuple[Visit, ...]:
        """The cars that are expected to come in (now, until), in the order of arrival, with those quantiles of stay and energy.

        Of arrivals that are counted in parts, the k-th comes when k - 1/2 are expected to have come since each midnight.
        """
        found: list[Visit] = []
        day = datetime.fromtimestamp(now, self.zone).date()
        while (start := midnight(day, self.zone)) < until:
            for at in self._expected(day, start):
                departure, wanted = self.departure(at, stay), self.energy(at, energy)
                if now < at < until and departure is not None and wanted is not None and departure > at:
                    found.append(Visit(at, departure, wanted))
            day += timedelta(days=1)
        return tuple(found)

    def _expected(self, day: date, start: float) -> Iterable[float]:
        kind = self.kinds[int(day.weekday() >= 5)]
        if kind.days < FEWEST:
            return
        total, wanted = 0.0, 0.5
        for place, rate in enumerate(kind.arrivals):
            while total + rate >= wanted > total:
                yield start + BIN * (place + (wanted - total) / rate)
                wanted += 1.0
            total += rate

    def _kind(self, at: float) -> _Kind:
        return self.kinds[int(datetime.fromtimestamp(at, self.zone).weekday() >= 5)]

    def _near(self, arrival: float) -> Sequence[Visit]:
        """The past stays of that kind of day that arrived nearest in time of day."""
        kind, second = self._kind(arrival), _second(arrival, self.zone)
        place = bisect_left(kind.seconds, second)
        first, last = place, place
        while last - first < min(NEAREST, len(kind.seconds)):
            before = second - kind.seconds[first - 1] if first else math.inf
            after = kind.seconds[last] - second if last < len(kind.seconds) else math.inf
            first, last = (first - 1, last) if before <= after else (first, last + 1)
        return kind.stays[first:last]


def fit(history: Iterable[Visit], zone: tzinfo, before: float = math.inf) -> Model:
    """A model of the stays that had ended by `before` (epoch s). Days count from the first to the last on which anybody came."""
    past = sorted((one for one in history if one.departure <= before), key=lambda one: one.arrival)
    if len(past) > MOST:
        raise ValueError(f"the history has {len(past)} stays; give the last {MOST}")
    kinds = (_Kind(arrivals=[0.0] * (86_400 // BIN)), _Kind(arrivals=[0.0] * (86_400 // BIN)))
    if past:
        first, last = (datetime.fromtimestamp(past[place].arrival, zone).date() for place in (0, -1))
        for number in range((last - first).days + 1):
            kinds[int((first + timedelta(days=number)).weekday() >= 5)].days += 1
    for one in past:
        kind = kinds[int(datetime.fromtimestamp(one.arrival, zone).weekday() >= 5)]
        second = _second(one.arrival, zone)
        place = bisect_right(kind.seconds, second)
        kind.seconds.insert(place, second)
        kind.stays.insert(place, one)
        for bin in range(-SMOOTH, SMOOTH + 1):
            where = min(max(int(second // BIN) + bin, 0), len(kind.arrivals) - 1)
            kind.arrivals[where] += 1.0 / (2 * SMOOTH + 1)
    for kind in kinds:
        kind.arrivals = [count / max(kind.days, 1) for count in kind.arrivals]
    return Model(zone, kinds)


def at_quantile(ascending: Sequence[float], quantile: float) -> float:
    """The value that a share of `quantile` of at least one value does not pass, between two of them in proportion."""
    if not (ascending and 0 <= quantile <= 1):
        raise ValueError(f"the quantile {quantile} of {len(ascending)} values is none; give 0 to 1, and one value at least")
    place = quantile * (len(ascending) - 1)
    low = int(place)
    high = min(low + 1, len(ascending) - 1)
    return ascending[low] + (ascending[high] - ascending[low]) * (place - low)


def pinball(forecast: float, actual: float, quantile: float) -> float:
    """The loss of a quantile forecast, in the unit of both: least, on average, for the true quantile."""
    return max(quantile * (actual - forecast), (quantile - 1.0) * (actual - forecast))


def _second(at: float, zone: tzinfo) -> float:
    local = datetime.fromtimestamp(at, zone)
    return local.hour * 3_600.0 + local.minute * 60.0 + local.second
