"""Who has come before, as far as it tells how many will come: what those who are still to come draw at most, by the days like this one.

past = Past(zone, visits)
past.add(visit)                          when a car leaves
past.crowd(now, power)                   Series of W, None while too few days are known
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from v2g.energy.forecast import BIN, Visit
from v2g.energy.prices import midnight
from v2g.energy.series import Series

ENOUGH: Final = 20  # days of a kind, below which nobody knows how bad a day can be: a month of working days
DAYS: Final = 60  # the last of a kind that count: a quarter of a year, beyond which a site is another one
AHEAD: Final = 2  # days that are looked at: no plan reaches further
EARLIER: Final = 4  # bins by which cars may come earlier or later than they ever did: an hour
MORE: Final = 1.15  # times the worst that was seen: one day in some tens is the worst yet
MOST: Final = 50_000  # visits that are remembered
WIDTH: Final = 2 * 86_400 // BIN  # bins of a day and the night after it
_Flow = tuple[float, int, tuple[float, ...]]  # s after midnight, the first bin, W in it and those that follow


class Past:
    """The visits of a site. `told` hears of each that is added."""

    def __init__(self, zone: tzinfo, visits: Iterable[Visit] = (), told: Callable[[Visit], None] | None = None):
        self._zone, self._told = zone, told
        self._visits: deque[Visit] = deque(visits, MOST)
        self._days: dict[date, list[tuple[float, float]]] = {}  # by day: (s after midnight of an arrival, Wh)
        self._flows: dict[date, list[_Flow]] = {}  # of those days, at `_power`
        self._ahead: dict[date, list[float]] = {}  # the worst of days that are still to begin, at `_power`
        self._power = 0.0  # W
        for visit in self._visits:
            self._note(visit)

    def add(self, visit: Visit) -> None:
        """Remember a visit that is over."""
        if len(self._visits) == MOST:
            first = datetime.fromtimestamp(self._visits[0].arrival, self._zone).date()
            self._days.pop(first, None)
            self._flows.pop(first, None)
        self._visits.append(visit)
        self._note(visit)
        if self._told is not None:
            self._told(visit)

    def _note(self, visit: Visit) -> None:
        at = datetime.fromtimestamp(visit.arrival, self._zone)
        self._days.setdefault(at.date(), []).append((at.hour * 3_600.0 + at.minute * 60.0 + at.second, visit.energy))
        self._flows.pop(at.date(), None)
        self._ahead.clear()

    def crowd(self, now: float, power: float) -> Series | None:
        """The most (W) that those who come after `now` (epoch s) would draw, if each drew `power` (W) at once until it has what it wants.

        Of each bin the worst day of its kind counts, an hour earlier and later as well. None where too few days of a kind are known.
        """
        if power != self._power:
            self._flows.clear()
            self._ahead.clear()
            self._power = power
        today = datetime.fromtimestamp(now, self._zone).date()
        start = midnight(today, self._zone)
        total = [0.0] * (96 * (AHEAD + 2))
        for ahead in range(AHEAD + 1):
            day = today + timedelta(days=ahead)
            past = list(self._like(day))
            if len(past) < ENOUGH or power <= 0:
                return None
            first = round((midnight(day, self._zone) - start) / BIN)
            for place, value in enumerate(self._worst(past, now - start) if ahead == 0 else self._whole(day, past)):
                if first + place < len(total):
                    total[first + place] += value
        until = start + BIN * 96 * (AHEAD + 1)
        return Series.from_pairs([(start + BIN * k, MORE * v) for k, v in enumerate(total) if start + BIN * k < until], until)

    def _like(self, day: date) -> Iterator[date]:
        """The last days of the kind of a day, from the first that is known on; nobody came on those that are missing."""
        first = min(self._days, default=day)
        found, before = 0, min(day, max(self._days, default=day) + timedelta(days=1))
        while before > first and found < DAYS:
            before -= timedelta(days=1)
            if (before.weekday() >= 5) == (day.weekday() >= 5):
                found += 1
                yield before

    def _whole(self, day: date, past: Sequence[date]) -> list[float]:
        """The worst of a day that is still to begin; kept, since it is asked for with every plan and changes with a visit only."""
        if day not in self._ahead:
            self._ahead = {known: worst for known, worst in self._ahead.items() if abs((known - day).days) <= AHEAD}
            self._ahead[day] = self._worst(past, -1.0)
        return self._ahead[day]

    def _worst(self, days: Iterable[date], after: float) -> list[float]:
        """The most (W) that those of any day who came later than `after` (s after midnight) draw in each bin of it and the next."""
        most = [0.0] * WIDTH
        for day in days:
            drawn = [0.0] * WIDTH
            for arrival, first, powers in self._flow(day):
                if arrival <= after:
                    break
                for place, power in enumerate(powers, first):
                    drawn[place] += power
            most = list(map(max, most, drawn))
        spread = [max(most[max(place - EARLIER, 0) : place + EARLIER + 1]) for place in range(WIDTH)]
        return [value if (place + 1) * BIN > after else 0.0 for place, value in enumerate(spread)]

    def _flow(self, day: date) -> list[_Flow]:
        """What each arrival of a day draws, the last first."""
        if day not in self._flows:
            self._flows[day] = sorted((_drawn(*each, self._power) for each in self._days.get(day, ())), reverse=True)
        return self._flows[day]


def _drawn(arrival: float, energy: float, power: float) -> _Flow:
    """An arrival (s after midnight) that draws `power` (W) until it has its energy (Wh): the mean in each bin."""
    end, first = arrival + energy / power * 3_600.0, int(arrival // BIN)
    places = range(first, min(int(end // BIN) + 1, WIDTH))
    return arrival, first, tuple(power * max(min(end, (place + 1) * BIN) - max(arrival, place * BIN), 0.0) / BIN for place in places)
