"""What holds at one moment of all signals: the lowest cap of each direction, the first setpoint in rank, and who bound whom. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf, isfinite

from v2g.energy.signal import Kind, Signal


@dataclass(frozen=True, slots=True)
class Standing:
    """The caps (W, magnitudes; inf: none) and the setpoint (W, signed, as it was asked for; None: none) with the ids of what set them."""

    import_cap: float = inf
    import_by: tuple[str, ...] = ()
    export_cap: float = inf
    export_by: tuple[str, ...] = ()
    asked: float | None = None
    asked_by: str = ""

    @property
    def setpoint(self) -> float | None:
        """The setpoint within the caps (W); None where none is asked for."""
        return None if self.asked is None else min(max(self.asked, -self.export_cap), self.import_cap)

    @property
    def cut_by(self) -> tuple[str, ...]:
        """The ids of the caps that cut the setpoint; empty where nothing does."""
        if self.asked is None or self.setpoint == self.asked:
            return ()
        return self.import_by if self.asked > self.import_cap else self.export_by


def part_of(held: Standing, share: float) -> Standing:
    """The part of what holds that is left for a share of it, 0 to 1; without a limit there is none for any part."""
    asked = None if held.asked is None else held.asked * share
    return replace(held, import_cap=_part(held.import_cap, share), export_cap=_part(held.export_cap, share), asked=asked)


def share_of(signal: Signal, share: float) -> Signal:
    """The part of a signal that is left for a share of it, 0 to 1."""
    return replace(signal, power=signal.power.map(lambda power: _part(power, share)))


def _part(power: float, share: float) -> float:
    return power * share if isfinite(power) else power


def standing(signals: Iterable[Signal], now: float) -> Standing:
    """What holds at `now` (epoch s). Of setpoints of one rank the first given holds, as in `v2g.energy`."""
    at = [(signal, value) for signal in signals if (value := signal.power.at(now)) is not None]
    import_cap, import_by = _lowest(at, Kind.IMPORT_CAP)
    export_cap, export_by = _lowest(at, Kind.EXPORT_CAP)
    setpoints = [(signal.rank, place, signal, value) for place, (signal, value) in enumerate(at) if signal.kind is Kind.SETPOINT]
    if not setpoints:
        return Standing(import_cap, import_by, export_cap, export_by)
    _, _, first, asked = min(setpoints, key=lambda each: each[:2])
    return Standing(import_cap, import_by, export_cap, export_by, asked, first.id)


def _lowest(at: list[tuple[Signal, float]], kind: Kind) -> tuple[float, tuple[str, ...]]:
    caps = [(value, signal.id) for signal, value in at if signal.kind is kind]
    least = min((value for value, _ in caps), default=inf)
    return least, tuple(name for value, name in caps if value == least < inf)
