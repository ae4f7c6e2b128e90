"""What somebody at the station tells while a car charges: the frequency of the grid, the power at the upstream meter, an energy management.

Some operation modes follow one of them. A value that is too old is none: the mode then goes on by the station's fallback, within the
profile's own limit and without any discharge.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import inf
from typing import Final

from ocpp_bridge.smart.periods import Period

BALANCING: Final = "LocalLoadBalancing"
LIVE: Final = ("LocalFrequency", BALANCING, "ExternalSetpoint")  # modes whose setpoint is made of what is told here
FREQUENCY_LASTS: Final = 3.0  # s; a grid is measured several times a second, and a reserve that answers later than that is none
UPSTREAM_LASTS: Final = 10.0  # s; a meter on a slow bus is read every few seconds
SIGNAL_LASTS: Final = 900.0  # s; a quarter of an hour, the longest product that is called by it. Then it counts as 0
SIGNALS_AHEAD: Final = 64  # signals for later that are held: a signal every few seconds for minutes ahead
BAND: Final = ("LowerThreshold", "UpperThreshold", "LowerOffset", "UpperOffset")  # of V2XChargingCtrlr.LocalLoadBalancing
STEP: Final = 0.1  # W; a finer setpoint says nothing


@dataclass(frozen=True, slots=True)
class Told:
    """A value and until when (monotonic s) it counts."""

    value: float
    until: float = inf


@dataclass(frozen=True, slots=True)
class Band:
    """The power (W, + is drawn) between which an upstream meter is held, and how far within it is led back once it was left."""

    lower: float = 0.0
    upper: float = 0.0
    lower_offset: float = 0.0
    upper_offset: float = 0.0

    def follow(self, others: float, wish: float) -> float:
        """The power (W) of a car, beside `others`, that keeps within the band; `wish` where that does."""
        if others + wish > self.upper:
            return max(self.upper - self.upper_offset, self.lower) - others
        if others + wish < self.lower:
            return min(self.lower + self.lower_offset, self.upper) - others
        return wish


@dataclass(slots=True)
class Limit:
    """A limit from elsewhere than the CSMS, such as the site's energy management (EMS) or the grid operator (SO); magnitudes."""

    source: str  # OCPP's chargingLimitSource
    evse: int  # 0: the whole station
    charge: float | None = None  # W
    discharge: float | None = None  # W
    critical: bool = False  # the grid needs it
    generation: bool = False  # it is what local generation adds
    told: tuple[float | None, ...] | None = None  # what the CSMS was told
    told_at: float = -inf  # monotonic s, when


@dataclass(slots=True)
class Feeds:
    """The latest of what is told. `drawn` is what each EVSE drew (W) when the upstream meter was read."""

    frequency: Told | None = None  # Hz
    upstream: Told | None = None  # W, + is drawn from the grid
    drawn: dict[int, float] = field(default_factory=dict)
    setpoints: dict[int, Told] = field(default_factory=dict)  # W, by EVSE; 0: for all
    signals: list[tuple[float, int]] = field(default_factory=list)  # (from when, epoch s; aFRR signal), ascending
    bands: dict[int, Band] = field(default_factory=dict)  # by EVSE

    def missing(self, mode: str, evse: int, now: float) -> str:
        """What a mode would follow and is not there at `now` (monotonic s); empty: it is there, or the mode follows nothing."""
        if mode == "LocalFrequency" and _fresh(self.frequency, now) is None:
            return "nobody tells the frequency of the grid"
        if mode == BALANCING and _fresh(self.upstream, now) is None:
            return "nobody tells the power at the upstream meter"
        if mode == "ExternalSetpoint" and _fresh(self._setpoint(evse), now) is None:
            return "no energy management tells a setpoint"
        return ""

    def resolve(self, period: Period, evse: int, now: float, wall: float, balancing: Sequence[int] = ()) -> tuple[Period | None, float]:
        """A period with the setpoint of this moment, None where what it follows is silent; and until when (monotonic s) that stands.

        `wall` is epoch s of the CSMS, `balancing` are the EVSEs among which the load is balanced.
        """
        if period.mode == "LocalFrequency" and period.curve is not None and (told := _fresh(self.frequency, now)) is not None:
            signal, changes = self.signal(wall)
            return _set(period, period.curve.power(told.value, signal)), min(told.until, now + changes)
        if period.mode == BALANCING and (told := _fresh(self.upstream, now)) is not None:
            among = {evse, *balancing}
            others = told.value - sum(self.drawn.get(each, 0.0) for each in among)
            base = (period.curve.baseline if period.curve is not None else 0.0) * len(among)
            return _set(period, self.bands.get(evse, Band()).follow(others, base) / len(among)), told.until
        if period.mode == "ExternalSetpoint" and (told := _fresh(self._setpoint(evse), now)) is not None:
            return _set(period, told.value), told.until
        return (None if period.mode in LIVE else period), inf

    def signal(self, wall: float) -> tuple[int, float]:
        """The aFRR signal at a time (epoch s), 0 where there is none; and after how long (s) it changes."""
        present, until = 0, inf
        for begin, value in self.signals:
            if begin > wall:
                return present, min(until, begin) - wall
            live = wall < begin + SIGNAL_LASTS
            present, until = (value, begin + SIGNAL_LASTS) if live else (0, inf)
        return present, until - wall

    def take_signal(self, begin: float, value: int, wall: float) -> bool:
        """Hold a signal from `begin` (epoch s) on; False for one that is over, or where too many wait."""
        ahead = [each for each in self.signals if each[0] > wall]
        if begin <= wall - SIGNAL_LASTS or len(ahead) >= SIGNALS_AHEAD:
            return False
        present = [each for each in self.signals if each[0] <= wall][-1:]
        self.signals = sorted(dict([*present, *ahead, (begin, value)]).items())
        return True

    def _setpoint(self, evse: int) -> Told | None:
        return self.setpoints.get(evse, self.setpoints.get(0))


def _fresh(told: Told | None, now: float) -> Told | None:
    return told if told is not None and now < told.until else None


def _set(period: Period, power: float) -> Period:
    return replace(period, setpoint=round(power / STEP) * STEP + 0.0)


def doubled(points: Iterable[float]) -> bool:
    """Whether a curve has two values at one place."""
    return any(one == next_ for one, next_ in pairwise(sorted(points)))
