"""Default hours as a station lives by them: no charging in peak hours unless somebody overrides it, and a random delay of every change
that hours or prices bring about.

A delay moves the edge at which hours or prices change, before anything is planned: what follows from it comes later, and nothing else.
Limits, what the car says, and what keeps people safe know of no delay. Each edge is drawn for once, whoever asks again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final, Literal

from v2g.energy.market.off_peak import DEFAULT_DELAY, LONGEST_DELAY, PEAK, Delayed, default_hours, delay
from v2g.energy.market.tariff import MONDAY_TO_FRIDAY, Band
from v2g.energy.series import Series
from v2g.energy.signal import Signal
from v2g.energy.stay import POWER_BOUND

HOUR: Final = 3_600
QUARTER: Final = 900.0  # s
AHEAD: Final = 3 * 86_400.0  # s for which hours are foreseen: no plan looks further than 48 h
CHANGE: Final = 50.0  # W, of which a change is one
Entropy = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Peak:
    """Hours in which nobody charges by default, h after midnight by the clocks. ValueError for what is no quarter of an hour of a day."""

    start: float = 0.0
    until: float = 24.0
    weekdays: tuple[int, ...] = tuple(sorted(MONDAY_TO_FRIDAY))  # 0 is Monday

    def __post_init__(self) -> None:
        if not self.weekdays or set(self.weekdays) - set(range(7)):
            raise ValueError(f"weekdays are {list(self.weekdays)}; give some of 0 (Monday) to 6")
        _ = self.band

    @property
    def band(self) -> Band:
        """The hours as a band of a tariff."""
        return Band(0.0, round(self.start * HOUR), round(self.until * HOUR), frozenset(self.weekdays))


@dataclass(frozen=True, slots=True)
class OffPeak:
    """Peak hours and the longest delay, said one by one or by a profile. ValueError where nothing is said, or a delay is too long."""

    profile: Literal["uk-scp-2021"] | None = None  # the hours of SI 2021/1467, and 600 s, where nothing else is said
    peak: tuple[Peak, ...] = ()
    delay: int | None = None  # s, up to which each change is delayed; 0: none

    def __post_init__(self) -> None:
        if self.profile is None and not self.peak and not self.delay:
            raise ValueError('off_peak says nothing; give peak hours, a delay, or profile = "uk-scp-2021"')
        if not 0 <= self.most <= LONGEST_DELAY:
            raise ValueError(f"delay is {self.delay} s; give 0 to {LONGEST_DELAY}")

    @property
    def bands(self) -> tuple[Band, ...]:
        """The peak hours as bands."""
        return tuple(each.band for each in self.peak) or (PEAK if self.profile is not None else ())

    @property
    def most(self) -> int:
        """The longest delay in s."""
        return self.delay if self.delay is not None else DEFAULT_DELAY if self.profile is not None else 0


class Hours:
    """Peak hours and prices with the delays that were drawn for them. `entropy` gives random octets, `zone` the clocks."""

    def __init__(self, said: OffPeak, zone: tzinfo, entropy: Entropy) -> None:
        self._said, self._zone, self._entropy = said, zone, entropy
        self._draws: dict[float, int] = {}  # s, by the edge (epoch s) that comes so much later
        self._quarter, self._signals = 0.0, tuple[Signal, ...]()
        self._moved: dict[int, tuple[Series, Series]] = {}  # prices as they were and as they are here, by what they are for

    def signals(self, wall: float) -> tuple[Signal, ...]:
        """What keeps peak hours free from `wall` (epoch s) on; nothing where none are said."""
        quarter = wall // QUARTER * QUARTER
        if self._said.bands and quarter != self._quarter:
            begin = quarter - LONGEST_DELAY
            told = default_hours(begin, begin + AHEAD, self._zone, POWER_BOUND, self._said.bands)
            self._signals = (Signal(told.id, told.kind, self._later(told.power, wall)),)
            self._quarter = quarter
        return self._signals

    def prices(self, series: Series | None, place: int, wall: float) -> Series | None:
        """Prices that change so much later than they would, from `wall` (epoch s) on. `place` tells prices of one way from the other's."""
        if series is None or not series.steps or not self._said.most:
            return series
        known = self._moved.get(place)
        if known is None or known[0] is not series:
            known = self._moved[place] = series, self._later(series, wall)
        return known[1]

    def behind(self, power: Series) -> list[Delayed]:
        """The delays behind the changes of a planned power (W): those that come at an edge which was drawn for."""
        if not self._said.most:
            return []
        late = {edge + seconds: (edge, seconds) for edge, seconds in self._draws.items()}
        found, before = [], 0.0
        for start, _, value in power.spans():
            if abs(value - before) > CHANGE and start in late:
                why = "start" if abs(before) <= CHANGE else "increase" if value > before else "decrease"
                found.append(Delayed(*late[start], why))
            before = value
        return found

    def _later(self, series: Series, wall: float) -> Series:
        """The series with each change from half an hour ago on as much later as was drawn for it."""
        spans = list(series.merged().spans())
        edges = [spans[0][0]]
        for start, _, _ in spans[1:]:
            edges.append(max(start + self._draw(start, wall), edges[-1] + 1.0))
        until = max(spans[-1][1], edges[-1] + 1.0)
        return Series.from_pairs(zip(edges, (value for _, _, value in spans), strict=True), until)

    def _draw(self, edge: float, wall: float) -> int:
        if not self._said.most or edge < wall - LONGEST_DELAY:
            return 0
        if edge not in self._draws:
            self._draws = {at: seconds for at, seconds in self._draws.items() if at >= wall - AHEAD}
            self._draws[edge] = delay(self._entropy(8), self._said.most)
        return self._draws[edge]
