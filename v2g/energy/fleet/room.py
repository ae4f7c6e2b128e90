"""What is known while plans run: what outlets draw, and what loads leave of every cap, by what is measured."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from v2g.energy.fleet.connection import ALL_PHASES, PHASES, Connection, cap_over
from v2g.energy.fleet.ground import Ground
from v2g.energy.signal import Kind
from v2g.energy.stay import POWER_BOUND

PATIENCE: Final = 10.0  # s that a reading is believed: two periods of the slowest meters in use; a fuse of twice its current lasts longer
SETTLE: Final = 5.0  # s that a car has to follow: EVs ramp within 1 to 5 s. Who draws more after that is counted as a load
PROBE: Final = 60.0  # s until somebody who took less than it was told is offered the whole again, where others would take it
SOON: Final = 1e-3  # s; caps are those that hold at this moment
SMALL: Final = 50.0  # W that a car may draw beside what it was told, however little that is: fans and meters
STRAY: Final = 0.02  # of what it was told, that a car may draw beside it: what meters and converters err


@dataclass(frozen=True, slots=True)
class Reading:
    """A power that was measured: W, + is drawn, at a time (epoch s)."""

    power: float  # W
    at: float  # epoch s

    def __post_init__(self) -> None:
        if not (math.isfinite(self.power) and math.isfinite(self.at)):
            raise ValueError(f"a reading of {self.power} W at {self.at}; give finite numbers, or no reading at all")


@dataclass(frozen=True, slots=True)
class Demand:
    """What an outlet would draw now, and what it and its car can. Powers into the car are +; caps and minimums are magnitudes in W."""

    name: str
    at: str  # the name of its connection
    wanted: float  # W, signed: of the plan, or of what is due without one
    most: float  # W into the car
    give: float = 0.0  # W out of the car
    least: float = 0.0  # W; it charges with this or not at all
    least_give: float = 0.0  # W; likewise out of the car
    phases: tuple[int, ...] = ALL_PHASES
    rank: int = 0  # of two who cannot both draw, the smaller first
    tenant: str = ""
    measured: Reading | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What one look leaves to the next: what was told, when it was told less, and whose turn it is."""

    told: Mapping[str, float] = field(default_factory=dict)  # W, signed
    since: Mapping[str, float] = field(default_factory=dict)  # epoch s since which an outlet draws other than it is told
    turns: Mapping[str, float] = field(default_factory=dict)  # epoch s at which an outlet began to have its minimum
    queue: tuple[str, ...] = ()  # who wants power, those first who wait for it
    left: Mapping[str, float] = field(default_factory=dict)  # epoch s at which an outlet was last seen to take less than it was told


@dataclass(slots=True)
class Limit:
    """A cap on one connection or one phase, with what loads leave of it. W."""

    name: str
    shares: dict[str, float]
    up: float
    down: float


@dataclass(slots=True)
class Room:
    """What the loads of this moment leave: every cap, the load at the top where it is known, the connections that are silent."""

    limits: list[Limit]
    load: float | None  # W
    silent: tuple[str, ...]


# --- what is known of an outlet ---


@dataclass(frozen=True, slots=True)
class State:
    """What an outlet draws at most and at least (W, signed) while it has heard nothing new; what it draws now, None where it is silent.

    `stray`: it draws more than it was told, though it had the time to follow.
    """

    high: float
    low: float
    drawn: float | None
    stray: bool = False
    left: float | None = None  # epoch s at which it was last seen to take less than it was told, though it had the time


def state_of(demand: Demand, memory: Memory, now: float) -> State:
    """What is known of an outlet at `now` (epoch s)."""
    told = memory.told.get(demand.name, 0.0)
    reading = demand.measured
    if reading is None or now - reading.at > PATIENCE:
        last = reading.power if reading is not None else 0.0
        return State(max(told, last, 0.0), min(told, last, 0.0), None)
    drawn = reading.power
    late = now - memory.since.get(demand.name, now) >= SETTLE
    left = now if late and below(drawn, told) else memory.left.get(demand.name, -math.inf)
    return State(drawn, drawn, drawn, late and beyond(drawn, told), left if now - left < PROBE else None)


def beyond(drawn: float, told: float) -> bool:
    """Whether somebody draws, or gives, more than it was told (both W, signed)."""
    return drawn > max(told, 0.0) + _err(told) or drawn < min(told, 0.0) - _err(told)


def below(drawn: float, told: float) -> bool:
    """Whether somebody takes, or gives, less than it was told (both W, signed)."""
    return drawn < told - _err(told) if told > 0 else drawn > told + _err(told) and told < 0


def _err(power: float) -> float:
    return max(abs(power) * STRAY, SMALL)


# --- what caps leave ---


def room_of(
    ground: Ground,
    demands: Sequence[Demand],
    states: Mapping[str, State],
    meters: Mapping[str, Reading],
    ways: Mapping[str, tuple[str, ...]],
    now: float,
) -> Room:
    """Every cap with what loads leave of it. Who strays is a load: it takes room, and gives none."""
    room, top = Room([], None, ()), ground.connection
    for one in top.all():
        below = [demand for demand in demands if one.name in ways[demand.at]]
        load = _load(one, below, meters, now)
        if load is None:
            room.silent += (one.name,)
        if one is top:
            room.load = load
        room.limits += [*_total(ground, one, below, load, now), *_phases(one, below, load, now)]
    for limit in room.limits:
        for name, share in limit.shares.items():
            if states[name].stray:
                drawn = (states[name].drawn or 0.0) * share
                limit.up -= max(drawn, 0.0)
                limit.down -= max(-drawn, 0.0)
    return room


def _load(one: Connection, below: Iterable[Demand], meters: Mapping[str, Reading], now: float) -> float | None:
    """W that flow at a connection besides the outlets, None where its meter is silent. The cars' part is what each measures itself."""
    if not one.metered:
        parts = [each.load.at(now) for each in one.all() if each.load is not None]
        return sum(part for part in parts if part is not None)
    reading = meters.get(one.name)
    if reading is None or now - reading.at > PATIENCE:
        return None
    return reading.power - sum(demand.measured.power for demand in below if demand.measured is not None)


def _total(ground: Ground, one: Connection, below: Sequence[Demand], load: float | None, now: float) -> Iterator[Limit]:
    up, down, shares = cap_over(one.import_cap, now, now + SOON), cap_over(one.export_cap, now, now + SOON), {d.name: 1.0 for d in below}
    if one is ground.connection:
        up, down = _signalled(ground, Kind.IMPORT_CAP, up, now), _signalled(ground, Kind.EXPORT_CAP, down, now)
        down = 0.0 if one.export_cap is None else down
    if load is None:
        yield Limit(one.name, shares, min(one.blind, up), min(one.blind, down))
    elif min(up, down) < math.inf:
        yield Limit(one.name, shares, min(up, POWER_BOUND) - load, min(down, POWER_BOUND) + load)


def _signalled(ground: Ground, kind: Kind, cap: float, now: float) -> float:
    told = (signal.power.at(now) for signal in ground.signals if signal.kind is kind)
    return min(cap, *(power for power in told if power is not None), math.inf)


def _phases(one: Connection, below: Sequence[Demand], load: float | None, now: float) -> Iterator[Limit]:
    if one.phase_import_cap is None and one.phase_export_cap is None:
        return
    up, down = (min(cap_over(cap, now, now + SOON), POWER_BOUND) for cap in (one.phase_import_cap, one.phase_export_cap))
    if load is None:
        up, down = min(up, one.blind / PHASES), min(down, one.blind / PHASES)
    else:
        up, down = up - max(load, 0.0) / PHASES, down + min(load, 0.0) / PHASES
    for phase in range(1, PHASES + 1):
        if shares := {demand.name: 1.0 / len(demand.phases) for demand in below if phase in demand.phases}:
            yield Limit(f"{one.name} L{phase}", shares, up, down)
