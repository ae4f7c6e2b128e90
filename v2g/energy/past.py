"""Who has come before, as far as it tells how many will come: what those who are still to come draw at most, by the days like this one.

past = Past(zone, visits)
past.add(visit)                          when a car leaves
past.crowd(now, power)                   Series of W, None while too few days are known
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
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


class Past:
    """The visits of a site. `told` hears of each that is added."""

    def __init__(self, zone: tzinfo, visits: Iterable[Visit] = (), told: Callable[[Visit], None] | None = None):
        self._zone, self._told = zone, told
        self._visits: deque[Visit] = deque(visits, MOST)
        self._days: dict[date, list[tuple[float, float]]] = {}  # by day: (s after midnight of an arrival, Wh)
        for visit in self._visits:
            self._note(visit)

    def add(self, visit: Visit) -> None:
        """Remember a visit that is over."""
        if len(self._visits) == MOST:
            first = datetime.fromtimestamp(self._visits[0].arrival, self._zone).date()
            self._days.pop(first, None)
        self._visits.append(visit)
        self._note(visit)
        if self._told is not None:
            self._told(visit)

    def _note(self, visit: Visit) -> None:
        at = datetime.fromtimestamp(visit.arrival, self._zone)
        self._days.setdefault(at.date(), []).append((at.hour * 3_600.0 + at.minute * 60.0 + at.second, visit.energy))

    def crowd(self, now: float, power: float) -> Series | None:
        """The most (W) that those who come after `now` (epoch s) would draw, if each drew `power` (W) at once until it has what it wants.

        Of each bin the worst day of its kind counts, an hour earlier and later as well. None where too few days of a kind are known.
        """
        today = datetime.fromtimestamp(now, self._zone).date()
        start = midnight(today, self._zone)
        total = [0.0] * (96 * (AHEAD + 2))
        for ahead in range(AHEAD + 1):
            day = today + timedelta(days=ahead)
            past = list(self._like(day))
            if len(past) < ENOUGH or power <= 0:
                return None
            after = now - start if ahead == 0 else -1.0
            first = round((midnight(day, self._zone) - start) / BIN)
            for place, value in enumerate(_worst(past, after, power)):
                if first + place < len(total):
                    total[first + place] += value
        until = start + BIN * 96 * (AHEAD + 1)
        return Series.from_pairs([(start + BIN * k, MORE * v) for k, v in enumerate(total) if start + BIN * k < until], until)

    def _like(self, day: date) -> Iterator[list[tuple[float, float]]]:
        """The last days of the kind of a day, from the first that is known on; nobody came on those that are missing."""
        first = min(self._days, default=day)
        found, before = 0, min(day, max(self._days, default=day) + timedelta(days=1))
        while before > first and found < DAYS:
            before -= timedelta(days=1)
            if (before.weekday() >= 5) == (day.weekday() >= 5):
                found += 1
                yield self._days.get(before, [])


def _worst(days: Iterable[list[tuple[float, float]]], after: float, power: float) -> list[float]:
    """The most (W) that the arrivals of any day draw in each bin of two days, of those that came later than `after` (s after midnight)."""
    most = [0.0] * 192
    for day in days:
        drawn = [0.0] * 192
        for arrival, energy in day:
            if arrival > after:
                end = arrival + energy / power * 3_600.0
                for place in range(int(arrival // BIN), min(int(end // BIN) + 1, 192)):
                    drawn[place] += power * max(min(end, (place + 1) * BIN) - max(arrival, place * BIN), 0.0) / BIN
        most = [max(pair) for pair in zip(most, drawn, strict=True)]
    spread = [max(most[max(place - EARLIER, 0) : place + EARLIER + 1]) for place in range(192)]
    return [value if (place + 1) * BIN > after else 0.0 for place, value in enumerate(spread)]
