"""Whether a source is still heard, and what its caps are while it is not: silence may lower a limit, and never raises one.

    SILENT  --heard-->  HEARD  --nothing for `patience` s-->  LOST  --heard-->  HEARD

While a source is SILENT (never heard) or LOST, its fallbacks hold beside what it said. Where it has no fallback for a direction, its caps
of that direction outlive their end: the last value stands until the source is heard again. A setpoint to which nobody gave an end is
followed while its source is heard, and no longer.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from math import inf

from v2g.energy.series import Series
from v2g.energy.signal import Kind, Rank, Signal
from v2gkit.grid.received import YEAR


class State(Enum):
    """How a source stands to us."""

    SILENT = "silent"  # never heard
    HEARD = "heard"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Promise:
    """What was agreed with a source for the case that it is not heard. Powers in W, magnitudes; None: the last cap stands."""

    patience: float  # s without a valid word, after which it is lost
    fallback_import: float | None = None  # W
    fallback_export: float | None = None  # W

    def __post_init__(self) -> None:
        if not self.patience > 0:
            raise ValueError(f"patience is {self.patience} s; give the seconds of silence after which a source is lost, above 0")
        for name in ("fallback_import", "fallback_export"):
            if (value := getattr(self, name)) is not None and not value >= 0:
                raise ValueError(f"{name} is {value} W; give a magnitude, 0 or more")

    def fallback(self, kind: Kind) -> float | None:
        """The cap (W) of a direction while the source is not heard; None: there is none, the last one stands."""
        return {Kind.IMPORT_CAP: self.fallback_import, Kind.EXPORT_CAP: self.fallback_export}.get(kind)


@dataclass(frozen=True, slots=True)
class Link:
    """The state of one source. Each verb gives a new one; times in epoch s of a clock that never runs backward."""

    promise: Promise
    state: State = State.SILENT
    since: float = 0.0  # of the state
    heard_at: float = 0.0
    until: float = inf  # epoch s; from when on the source itself said to be taken for lost

    def heard(self, now: float, until: float = inf) -> "Link":
        """The link after a valid and complete word of the source, which may say `until` when it is good at most."""
        return replace(self, state=State.HEARD, since=self.since if self.state is State.HEARD else now, heard_at=now, until=until)

    def at(self, now: float) -> "Link":
        """The link as it is at `now`: lost from the instant at which the patience ended."""
        if self.state is State.HEARD and now >= self.deadline:
            return replace(self, state=State.LOST, since=self.deadline)
        return self

    @property
    def deadline(self) -> float:
        """When the source is lost unless it is heard before (epoch s); of no meaning unless it is HEARD."""
        return min(self.heard_at + self.promise.patience, self.until)

    def caps(self, source: str, signals: Iterable[Signal], now: float, silent: Iterable[Signal] = ()) -> tuple[Signal, ...]:
        """What holds of a source's signals: themselves while it is heard, else with what silence adds, `silent` being its own fallbacks."""
        given = tuple(signals)
        if self.state is State.HEARD:
            return given
        followed = (each for each in given if each.kind is not Kind.SETPOINT or each.power.duration < YEAR)
        fallen = tuple(_endless(each, now) for each in silent)
        told = {each.kind for each in fallen if each.power.start <= now}
        kept = tuple(each if self._ends(each) or each.kind in told else _endless(each, now) for each in followed)
        fallbacks = ((kind, self.promise.fallback(kind)) for kind in (Kind.IMPORT_CAP, Kind.EXPORT_CAP))
        began = now if self.state is State.SILENT else min(self.since, now)
        length = now - began + YEAR
        return (
            *kept,
            *fallen,
            *(
                Signal(f"{source}:fallback {kind.value}", kind, Series.constant(began, length, power), Rank.GRID)
                for kind, power in fallbacks
                if power is not None
            ),
        )

    def outlives(self, signal: Signal) -> bool:
        """Whether a cap whose time is over still stands, because its source went silent before and has no fallback."""
        return self.state is State.LOST and not self._ends(signal) and signal.power.until >= self.since

    def _ends(self, signal: Signal) -> bool:
        return signal.kind is Kind.SETPOINT or self.promise.fallback(signal.kind) is not None


def _endless(signal: Signal, now: float) -> Signal:
    """A cap whose last value goes on after its end."""
    power = signal.power
    tail = Series.constant(power.until, max(now - power.until, 0.0) + YEAR, power.steps[-1].value)
    return replace(signal, power=Series(power.start, power.steps + tail.steps))
