"""The watts between two plans: what every outlet may draw until the next look, so that each cap holds by what is measured.

    commands, memory = dispatch(ground, demands, meters, memory, now)

A plan promises means over a quarter of an hour; a fuse knows none. So a loop reads what flows, and gives room only where it is there: a car
counts with what it is told or with what it draws, whichever is worse for the cap, until it has followed. Nobody draws on what another only
promised to give. Who draws more than it was told is a load like any other, and the others make room for it.

Where not all can have their minimum power they have it in turns. A meter that goes silent is believed for `PATIENCE`; then its connection
has the room that was set down for that (`Connection.blind`), and an outlet that goes silent counts with the most that it was told.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.room import SMALL, Demand, Limit, Memory, Reading, Room, State, below, beyond, room_of, state_of
from v2g.energy.fleet.shares import rooms
from v2g.energy.stay import TOLERANCE, setpoints

TURN: Final = 300.0  # s that a turn lasts: shorter ones wear out contactors, and cars take some 10 s to begin
FINEST: Final = 2.0**-20  # W, a millionth: what is told are multiples of it
RISE: Final = 1.2  # times what it draws that a car may claim which has not taken what it was told


@dataclass(frozen=True, slots=True)
class Dispatch:
    """W for each outlet, signed; the limits that held some of them back; those whose room is not known; W that no command can take back."""

    commands: Mapping[str, float]
    bound: Mapping[str, tuple[str, ...]]  # by outlet, the names of connections and phases
    silent: tuple[str, ...]  # connections and outlets whose readings are missing or too old
    over: Mapping[str, float]  # by connection or phase, W above its cap that loads draw and no car could relieve


def dispatch(
    ground: Ground, demands: Sequence[Demand], meters: Mapping[str, Reading], memory: Memory, now: float
) -> tuple[Dispatch, Memory]:
    """The commands for `now` (epoch s) and what to remember. `meters` are the readings at connections, by their names, cars included.

    A connection without a meter is taken to have the load that it foresees. Caps hold by what the cars were told, and no car is given more
    before another has taken less. ValueError for an outlet at no connection.
    """
    ways = ground.connection.ways()
    for demand in demands:
        if demand.at not in ways:
            raise ValueError(f"{demand.name} is at {demand.at!r}; the connections are {', '.join(ways)}")
    states = {demand.name: state_of(demand, memory, now) for demand in demands}
    room = room_of(ground, demands, states, meters, ways, now)
    goals, turns, full = _goals(ground, demands, states, room, memory, now)
    stepped = _stepped(demands, states, room.limits, goals, memory)
    commands = {demand.name: _exact(demand, stepped[demand.name]) for demand in demands}
    short = (d for d in demands if abs(commands[d.name]) < abs(d.wanted) - TOLERANCE)
    bound = {d.name: tuple(limit.name for limit in room.limits if limit.name in full and d.name in limit.shares) for d in short}
    over = {limit.name: -limit.up for limit in room.limits if limit.up < -TOLERANCE}
    silent = (*room.silent, *(name for name, state in states.items() if state.drawn is None))
    return Dispatch(commands, bound, silent, over), _remembered(demands, states, commands, turns, memory, now)


# --- what everybody shall have once all have followed ---


def _goals(
    ground: Ground, demands: Sequence[Demand], states: Mapping[str, State], room: Room, memory: Memory, now: float
) -> tuple[dict[str, float], set[str], set[str]]:
    """W that each outlet shall have, within every cap; those who have their minimum in turns; the limits that are reached."""
    wishes = _steered(ground, demands, room, now)
    goals = dict.fromkeys(wishes, 0.0)
    turns: set[str] = set()
    full: set[str] = set()
    for sign in (-1.0, 1.0):
        left = [(limit.up if sign > 0 else limit.down) + (_relief(limit, states, goals) if sign > 0 else 0.0) for limit in room.limits]
        those = [d for d in demands if not states[d.name].stray and sign * wishes[d.name] > TOLERANCE]
        claims = {d.name: _claim(d, states[d.name], abs(wishes[d.name]), sign) for d in those}
        shares = _shared(ground, those, room.limits, left) if sign > 0 else {}
        own = _assured(those, wishes, claims, room.limits, left, shares, memory, now)
        for rank in sorted({demand.rank for demand in those}):
            ranked = [d for d in those if d.rank == rank]
            group = _admitted([d for d in ranked if d.name not in own], wishes, room.limits, left, memory, now, sign)
            given = {demand.name: _minimum(demand, sign) for demand in group}
            _take(room.limits, left, given)
            given |= {d.name: own[d.name] for d in ranked if d.name in own}
            turns |= {d.name for d in ranked if d.name in given and _minimum(d, sign) > 0}
            _fill(given, {name: claims[name] for name in given}, room.limits, left)
            _fill(given, {name: abs(wishes[name]) for name in given}, room.limits, left)
            goals |= {name: sign * power for name, power in given.items()}
        full |= {limit.name for limit, each in zip(room.limits, left, strict=True) if each <= TOLERANCE}
        full |= {limit.name for d in those if not goals[d.name] for limit in room.limits if d.name in limit.shares}
    return goals, turns, full


def _shared(ground: Ground, those: Sequence[Demand], limits: Sequence[Limit], left: Sequence[float]) -> dict[str, Limit]:
    """The share of each tenant of what the top leaves to outlets now, as a limit for its own."""
    top = next((room for limit, room in zip(limits, left, strict=True) if limit.name == ground.connection.name), math.inf)
    if not ground.tenants or not math.isfinite(top):
        return {}
    members = {name: {d.name: 1.0 for d in those if d.tenant == name} for name in (tenant.name for tenant in ground.tenants)}
    return {name: Limit(name, members[name], power, 0.0) for name, power in rooms(ground.tenants, top).items()}


def _assured(
    those: Sequence[Demand],
    wishes: Mapping[str, float],
    claims: Mapping[str, float],
    limits: Sequence[Limit],
    left: list[float],
    shares: Mapping[str, Limit],
    memory: Memory,
    now: float,
) -> dict[str, float]:
    """W that guests of tenants have of their shares before anybody else is served; `left` shrinks by it. What nobody claims is lent."""
    own: dict[str, float] = {}
    held = [*limits, *shares.values()]
    rest = [*left, *(share.up for share in shares.values())]
    members = [demand for demand in those if demand.tenant in shares]
    for rank in sorted({demand.rank for demand in members}):
        group = _admitted([d for d in members if d.rank == rank], wishes, held, rest, memory, now, 1.0)
        given = {demand.name: _minimum(demand, 1.0) for demand in group}
        _take(held, rest, given)
        _fill(given, {name: claims[name] for name in given}, held, rest)
        own |= given
    left[:] = rest[: len(left)]
    return own


def _minimum(demand: Demand, sign: float) -> float:
    return demand.least if sign > 0 else demand.least_give


def _claim(demand: Demand, state: State, wish: float, sign: float) -> float:
    """W that somebody is given before those who use what they have got are served: a car that does not take it all gets little more."""
    if state.left is None or state.drawn is None:
        return wish
    return min(wish, max(sign * state.drawn * RISE, SMALL, _minimum(demand, sign)))


def _relief(limit: Limit, states: Mapping[str, State], goals: Mapping[str, float]) -> float:
    """W by which those who give relieve a cap on imports: what they give and shall go on giving, not what they promise."""
    kept = ((share, states[name], goals[name]) for name, share in limit.shares.items())
    return sum(share * max(min(-state.high, -goal), 0.0) for share, state, goal in kept if state.drawn is not None and not state.stray)


def _steered(ground: Ground, demands: Sequence[Demand], room: Room, now: float) -> dict[str, float]:
    """What everybody wants within what it can; with a setpoint at the meter, moved by all alike until the sum is that."""
    wishes = {demand.name: min(max(demand.wanted, -demand.give), demand.most) for demand in demands}
    wish, _ = setpoints(ground.signals, (now,))[0]
    if wish is None or room.load is None:
        return wishes
    lacking = wish - room.load - sum(wishes.values())
    spans = {d.name: (d.most - wishes[d.name]) if lacking > 0 else (wishes[d.name] + d.give) for d in demands}
    part = min(abs(lacking) / total, 1.0) if (total := sum(spans.values())) > 0 else 0.0
    return {name: power + math.copysign(part * spans[name], lacking) for name, power in wishes.items()}


def _admitted(
    group: Sequence[Demand],
    wishes: Mapping[str, float],
    limits: Sequence[Limit],
    rooms: Sequence[float],
    memory: Memory,
    now: float,
    sign: float,
) -> list[Demand]:
    """Those of one rank for whose minimum there is room: who has a turn that is not over, then who waits longest."""
    left, found = list(rooms), []

    places = {name: place for place, name in enumerate(memory.queue)}

    def place(demand: Demand) -> tuple[bool, int]:
        return now - memory.turns.get(demand.name, -math.inf) >= TURN, places.get(demand.name, len(places))

    for demand in sorted(group, key=place):
        least = _minimum(demand, sign)
        if least > abs(wishes[demand.name]) + TOLERANCE:
            continue
        touched = [(k, limit.shares[demand.name]) for k, limit in enumerate(limits) if demand.name in limit.shares]
        if all(least * share <= max(left[k], 0.0) + TOLERANCE for k, share in touched):
            found.append(demand)
            for k, share in touched:
                left[k] -= least * share
    return found


def _take(limits: Sequence[Limit], rooms: list[float], given: Mapping[str, float]) -> None:
    for k, limit in enumerate(limits):
        rooms[k] -= sum(share * given[name] for name, share in limit.shares.items() if name in given)


def _fill(given: dict[str, float], wishes: Mapping[str, float], limits: Sequence[Limit], rooms: list[float]) -> None:
    """Give all alike the same part of what they still want, until a cap is reached: who is below it stops there. `rooms` shrinks by it."""
    wants = {name: max(wishes[name] - power, 0.0) for name, power in given.items()}
    sums = [sum(share * wants[name] for name, share in limit.shares.items() if name in wants) for limit in limits]
    part, free = 0.0, {name for name, want in wants.items() if want > 0}
    while free and part < 1.0:
        steps = [max(room, 0.0) / total if total > TOLERANCE else math.inf for room, total in zip(rooms, sums, strict=True)]
        step = min([1.0 - part, *steps])
        part += step
        for name in free:
            given[name] += step * wants[name]
        stopped: set[str] = set()
        for k, limit in enumerate(limits):
            rooms[k] -= step * sums[k]
            if steps[k] <= step:
                stopped |= free & limit.shares.keys()
        if not stopped:
            return
        free -= stopped
        for k, limit in enumerate(limits):
            sums[k] = sum(limit.shares[name] * wants[name] for name in free & limit.shares.keys())


# --- what they are told now ---


def _stepped(
    demands: Sequence[Demand], states: Mapping[str, State], limits: Sequence[Limit], goals: Mapping[str, float], memory: Memory
) -> dict[str, float]:
    """The goals, as far as what flows now leaves room: less at once, more when others have taken less."""
    ups, downs = [], []
    for limit in limits:
        kept = [(share, states[name]) for name, share in limit.shares.items() if not states[name].stray]
        ups.append(limit.up + _relief(limit, states, goals) - sum(share * max(state.high, 0.0) for share, state in kept))
        downs.append(limit.down - sum(share * max(-state.low, 0.0) for share, state in kept))
    commands = {}
    for demand in sorted(demands, key=lambda each: (each.rank, not memory.told.get(each.name))):  # who has begun goes on
        state, goal = states[demand.name], goals[demand.name]
        if state.stray or state.drawn is None:
            goal = _kept(memory.told.get(demand.name, 0.0), demand.wanted if state.stray else goal)
        commands[demand.name] = _step(demand, goal, state, limits, ups if goal > 0 else downs)
    return commands


def _exact(demand: Demand, power: float) -> float:
    """A power without what sums leave behind its last digit: 2000.00000000002 W is above a cap of 2000. None falls below a minimum."""
    finest = math.floor(abs(power) / FINEST + 1e-3) * FINEST
    return math.copysign(finest, power) if finest >= _minimum(demand, power) else power


def _kept(told: float, goal: float) -> float:
    """What was told, or less of it; nothing that was not told before."""
    return min(told, max(goal, 0.0)) if told > 0 else max(told, min(goal, 0.0))


def _step(demand: Demand, goal: float, state: State, limits: Sequence[Limit], rooms: list[float]) -> float:
    """The goal, or as much of it as there is room for beside what flows; at least the minimum, or nothing."""
    sign = 1.0 if goal > 0 else -1.0
    has = max(state.high if sign > 0 else -state.low, 0.0)
    touched = [(k, limit.shares[demand.name]) for k, limit in enumerate(limits) if demand.name in limit.shares]
    room = min((rooms[k] / share for k, share in touched), default=math.inf)
    power = min(abs(goal), max(has + min(room, 0.0), 0.0) if state.stray else has + max(room, 0.0))
    if power < _minimum(demand, sign) - TOLERANCE or power <= TOLERANCE:
        return 0.0
    for k, share in touched:
        rooms[k] -= max(power - has, 0.0) * share
    return sign * power


def _remembered(
    demands: Sequence[Demand],
    states: Mapping[str, State],
    commands: Mapping[str, float],
    turns: set[str],
    memory: Memory,
    now: float,
) -> Memory:
    since, left = {}, {}
    for demand in demands:
        name, told, drawn = demand.name, commands[demand.name], states[demand.name].drawn
        if drawn is not None and (beyond(drawn, told) or below(drawn, told)):
            since[name] = memory.since.get(name, now)
        if (seen := states[name].left) is not None:
            left[name] = seen
    want = [demand.name for demand in demands if abs(demand.wanted) > TOLERANCE]
    order = [*(name for name in memory.queue if name in want), *(name for name in want if name not in memory.queue)]
    queue = (*(name for name in order if name not in turns), *(name for name in order if name in turns))
    return Memory(dict(commands), since, {name: memory.turns.get(name, now) for name in turns}, queue, left)
