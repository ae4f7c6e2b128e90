"""From the forecasts of a capacity provider to signals. Pure.

A block replaces what was forecast for its span before; elsewhere the earlier forecast stands, so that a part that is told anew lifts no
other limit. Fallback capacities hold while the provider is offline, and where there is no other forecast.
OPTIMUM is no limit, and nothing is made of it.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from v2g.energy.series import SAME_INSTANT
from v2g.energy.signal import Kind, Rank, Signal
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.oscp.words import ForecastedBlock, UpdateGroupCapacityForecast
from v2gkit.grid.received import STEPS, YEAR, Told
from v2gkit.grid.spans import Span, series_of
from v2gkit.grid.times import instant

KINDS: Final = {"CONSUMPTION": Kind.IMPORT_CAP, "GENERATION": Kind.EXPORT_CAP}
FALLBACK: Final = "FALLBACK_"
POWERS: Final = {"W": 1.0, "KW": 1_000.0}
ENERGIES: Final = {"WH": 3_600.0, "KWH": 3_600_000.0}  # Ws: an energy of a block is a limit of its mean, and so of its power


class Forecasts:
    """All forecasts for one group. `ampere` is the power (W) that 1 A of a block stands for; None: A is not understood."""

    def __init__(self, source: str, ampere: float | None = None) -> None:
        self._source, self._ampere = source, ampere
        self._spans: dict[str, list[Span]] = {}
        self._version = 0

    def told(self, message: UpdateGroupCapacityForecast, now: float) -> tuple[Told, ...]:
        """The signals that follow from a further forecast; none of OPTIMUM. Raises GridFault, and nothing has changed then."""
        if message.type.removeprefix(FALLBACK) not in KINDS:
            return ()
        spans = {**self._spans, message.type: self._merged(message, now)}
        plain = message.type.removeprefix(FALLBACK)
        told = list(self._signals(plain, spans, self._version + 1, now))
        self._spans, self._version = spans, self._version + 1
        return tuple(told)

    def knows(self, kinds: Iterable[Kind]) -> bool:
        """Whether there was a forecast of each of these kinds, and any at all."""
        known = {KINDS[each.removeprefix(FALLBACK)] for each in self._spans}
        return bool(known) and known >= set(kinds)

    def _merged(self, message: UpdateGroupCapacityForecast, now: float) -> list[Span]:
        new = [span for span in _spans(message.forecasted_blocks, self._ampere) if span[1] > now]
        if not new:
            raise GridFault(Trouble.EXPIRED, f"{self._source}: all blocks of the forecast {message.type} are over; is a clock wrong?")
        merged = sorted((*_without(self._spans.get(message.type, ()), new, now), *new))
        if len(merged) > STEPS:
            raise GridFault(Trouble.HUGE, f"{self._source}: {message.type} has {len(merged)} blocks now; at most {STEPS} are taken")
        return merged

    def _signals(self, plain: str, spans: dict[str, list[Span]], version: int, now: float) -> Iterable[Told]:
        live, fallback = spans.get(plain, []), spans.get(FALLBACK + plain, [])
        kind = KINDS[plain]
        both = sorted((*live, *_without(fallback, live, 0.0)))
        for name, given, silent in ((plain, both, False), (FALLBACK + plain, fallback, True)):
            for power in series_of(given, kind):
                if power.until <= now:
                    continue
                id_ = f"{self._source}:{name.lower()}"
                yield Told(Signal(id_, kind, power, Rank.GRID), float(version), reference=name, fallback=silent)


def _spans(blocks: Iterable[ForecastedBlock], ampere: float | None) -> list[Span]:
    """The blocks with their powers (W); of phases told apart the least, for one car may be all on one."""
    found: dict[tuple[float, float], float] = {}
    for block in blocks:
        try:
            start, end = instant(block.start_time), instant(block.end_time)
        except (ValueError, OverflowError) as error:
            raise GridFault(Trouble.MALFORMED, f"a block from {block.start_time} to {block.end_time}: {error}") from None
        if start is None or end is None or not SAME_INSTANT < end - start <= YEAR:
            raise GridFault(Trouble.MALFORMED, f"a block from {block.start_time} to {block.end_time}; it wants a length of up to a year")
        power = _power(block, end - start, ampere)
        found[start, end] = min(power, found.get((start, end), power))
    return _apart([(start, end, power) for (start, end), power in found.items()])


def _power(block: ForecastedBlock, length: float, ampere: float | None) -> float:
    if block.unit in POWERS:
        power = block.capacity * POWERS[block.unit]
    elif block.unit in ENERGIES:
        power = block.capacity * ENERGIES[block.unit] / length
    elif ampere is None:
        raise GridFault(Trouble.MALFORMED, f"a capacity of {block.capacity:g} A; give `ampere`, the W that 1 A stands for there")
    else:
        power = block.capacity * ampere
    if power > 1e9:
        raise GridFault(Trouble.MALFORMED, f"a capacity of {power:g} W; beyond a gigawatt it is a wrong unit")
    return power


def _apart(spans: list[Span]) -> list[Span]:
    """The spans, none over another one; of those that overlap the least holds."""
    return [span for power in series_of(spans, Kind.IMPORT_CAP) for span in power.spans() if span[2] < float("inf")]


def _without(spans: Iterable[Span], others: list[Span], now: float) -> list[Span]:
    """What is left of spans outside of others, and after `now`. Neither overlap among themselves."""
    left: list[Span] = []
    ordered = sorted(others)
    ends = [until for _, until, _ in ordered]
    for start, end, power in spans:
        at = max(start, now)
        for begin, until, _ in ordered[bisect_right(ends, at) :]:
            if begin >= end:
                break
            if begin > at + SAME_INSTANT:
                left.append((at, begin, power))
            at = max(at, until)
        if end > at + SAME_INSTANT:
            left.append((at, end, power))
    return left
