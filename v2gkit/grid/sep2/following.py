"""What one server says as signals, round after round: events where they hold, defaults where none does, and how limits rise. Pure."""

from collections.abc import Iterable, Iterator
from math import inf
from typing import Final

from v2g.energy.series import Series
from v2g.energy.signal import Kind, Rank, Signal
from v2gkit.grid.received import YEAR, Told
from v2gkit.grid.sep2.events import Control, live, spans_of
from v2gkit.grid.sep2.ramps import Held, Ramps
from v2gkit.grid.sep2.rating import Rating
from v2gkit.grid.spans import Span, series_of

REMEMBERED: Final = 4_096  # signals whose version is known, so that one that comes back has a later one


class Following:
    """What one server says, as signals; a signal that changes has the next version."""

    def __init__(self, source: str, rating: Rating | None = None) -> None:
        self._source = source
        self._ramps = Ramps(rating) if rating is not None else None
        self._last: dict[str, Told] = {}
        self._since: dict[str, float] = {}  # default -> when it was heard first (epoch s)

    def told(self, controls: Iterable[Control], now: float, gradient: int = 0) -> tuple[Told, ...]:
        """The signals of all events and defaults at `now`; limits rise by `gradient` (`Ramps.rising`)."""
        given = list(controls)
        events = live(given)
        found: list[Told] = []
        held: dict[str, tuple[Kind, list[Held]]] = {}
        for event in events:
            for mode, (kind, _) in event.modes.items():
                span = spans_of(event, mode, events)
                if span is None:
                    continue
                held.setdefault(mode, (kind, []))[1].append(Held(*span, event.ramp))
                if span[1] > now:
                    found.append(self._versioned(event, mode, kind, series_of([span], kind)[0]))
        defaults = sorted((each for each in given if each.start is None), key=lambda each: each.program.primacy)
        for mode in dict.fromkeys(mode for each in defaults for mode in each.modes):
            first = next(each for each in defaults if mode in each.modes)
            kind, power = first.modes[mode]
            covered = [span for event in events if mode in event.modes and (span := spans_of(event, mode, events)) is not None]
            found += self._default(first, mode, kind, power, covered, now)
            held.setdefault(mode, (kind, []))[1].extend(_between(covered, power, self._since[self._id(first, mode)]))
        if self._ramps is not None:
            for name, rise in self._ramps.rising(held, gradient, now).items():
                found.append(self._kept(Signal(f"{self._source}:ramp:{name}", rise.kind, rise.series, Rank.GRID)))
        self._last |= {each.signal.id: each for each in found}
        while len(self._last) > REMEMBERED:
            self._last.pop(next(iter(self._last)))
        return tuple(found)

    def _default(self, control: Control, mode: str, kind: Kind, power: float, covered: list[Span], now: float) -> list[Told]:
        id_ = self._id(control, mode)
        begins = self._since.get(id_, now)
        if now > begins + YEAR / 2:
            begins = now
        self._since[id_] = begins  # that time passes is no news
        until = begins + YEAR
        spans: list[Span] = []
        at = begins
        for start, end, _ in sorted(covered):
            if start > at:
                spans.append((at, min(start, until), power))
            at = max(at, end)
        if until > at:
            spans.append((at, until, power))
        runs = [run for run in series_of([span for span in spans if span[1] > now], kind) if run.until > now]
        return [self._versioned(control, mode, kind, run, f":{number}" if number else "") for number, run in enumerate(runs)]

    def _id(self, control: Control, mode: str) -> str:
        return f"{self._source}:{control.mrid}:{mode.removeprefix('csipaus:')}"

    def _versioned(self, control: Control, mode: str, kind: Kind, power: Series, suffix: str = "") -> Told:
        rank = Rank.COMMITMENT if kind is Kind.SETPOINT else Rank.GRID
        signal = Signal(self._id(control, mode) + suffix, kind, power, rank)
        return self._kept(signal, control.created, control.mrid, control.program.primacy)

    def _kept(self, signal: Signal, created: float = 0.0, reference: str = "", priority: int = 0) -> Told:
        """A signal in the version that it has, or in the next one where it has changed."""
        last = self._last.get(signal.id)
        if last is not None and last.signal == signal:
            return last
        return Told(signal, 1.0 + (last.version if last else created), reference=reference, priority=priority)


def _between(covered: Iterable[Span], power: float, begins: float) -> Iterator[Held]:
    """Where a default holds: from when it was heard first, between all that goes before it."""
    at = begins
    for start, end, _ in sorted(covered):
        if start > at:
            yield Held(at, start, power)
        at = max(at, end)
    yield Held(at, inf, power)
