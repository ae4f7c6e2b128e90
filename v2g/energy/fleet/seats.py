"""Guests on one axis, and what they share: for each slot, the limits of every connection and phase on those who are there."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from v2g.energy.fleet.axis import Slot, axis_of, on_axis
from v2g.energy.fleet.connection import PHASES, Connection, cap_over, load_over
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.guest import Guest
from v2g.energy.scheduler import CALM
from v2g.energy.series import Series
from v2g.energy.stay import POWER_BOUND, Stay


@dataclass(frozen=True, slots=True)
class Seat:
    """A guest with its stay on the axis: `slots` says in which slot each interval lies, one slot holds one at most."""

    guest: Guest
    stay: Stay
    slots: tuple[int, ...]
    wanted: float  # Wh in the battery that are wanted at departure and could be reached by this guest alone
    worth: float = 0.0  # currency/kWh that it holds when the plan ends: 0 for whoever leaves with it


@dataclass(frozen=True, slots=True)
class Shared:
    """A limit that guests share: one connection, or one phase of it. `up` and `down` are the W left to guests in each slot, both ways.

    Negative where load alone, or generation alone, is already above the cap.
    """

    name: str
    within: tuple[str, ...]  # the names of the connections whose flow is in it
    phase: int  # 0: all of them together
    shares: dict[int, float]  # by the number of the seat, the part of its power that flows here
    up: tuple[float, ...]
    down: tuple[float, ...]
    left: tuple[float, ...] = ()  # W of `up` that those who are still to come leave, whoever comes; empty: nobody does


@dataclass(frozen=True, slots=True)
class Table:
    """All who are planned together: the axis, the seats, and the limits that they share, that of the meter first."""

    ground: Ground
    slots: tuple[Slot, ...]
    seats: tuple[Seat, ...]
    shared: tuple[Shared, ...]

    def here(self) -> list[list[tuple[int, int]]]:
        """For each slot those who are there, as (number of the seat, number of its interval)."""
        found: list[list[tuple[int, int]]] = [[] for _ in self.slots]
        for number, seat in enumerate(self.seats):
            for place, slot in enumerate(seat.slots):
                found[slot].append((number, place))
        return found


def table_of(ground: Ground, guests: Sequence[Guest], now: float) -> Table:
    """The guests from `now` (epoch s) on. ValueError for two guests of one name, or one at a connection that is not there."""
    ways = ground.connection.ways()
    names = [guest.name for guest in guests]
    for guest in guests:
        if guest.at not in ways:
            raise ValueError(f"{guest.name} is at {guest.at!r}; the connections are {', '.join(ways)}")
        if names.count(guest.name) > 1:
            raise ValueError(f"two guests are named {guest.name!r}; a plan names each")
    stays = [guest.stay(ground.site, now) for guest in guests]
    slots = axis_of(ground, stays)
    seats = tuple(_seat(guest, stay, slots) for guest, stay in zip(guests, stays, strict=True) if stay.intervals and slots)
    seats = tuple(seat for seat in seats if seat.slots)
    return Table(ground, slots, seats, tuple(_guarded(ground, slots, seats, ways)))


def _seat(guest: Guest, stay: Stay, slots: Sequence[Slot]) -> Seat:
    cut, places = on_axis(stay, slots)
    return Seat(guest, cut, places, max(min(cut.target, cut.fastest()[-1]), 0.0), _worth(cut, slots) if guest.stores else 0.0)


def _worth(stay: Stay, slots: Sequence[Slot]) -> float:
    """What a kWh in a battery costs (currency) that is bought at the mean price, and a little more: with nothing to gain it is full."""
    prices = [slot.import_price for slot in slots] + [slot.export_price for slot in slots]
    mean = math.fsum(slot.import_price * slot.hours for slot in slots) / math.fsum(slot.hours for slot in slots)
    return (max(mean, 0.0) + 4.0 * CALM * (max(map(abs, prices)) or 1.0)) / stay.efficiency_charge


def _limits(ground: Ground, slots: Sequence[Slot], seats: Sequence[Seat], ways: dict[str, tuple[str, ...]]) -> Iterator[Shared]:
    top = ground.connection
    for one in top.all():
        members = {number: seat for number, seat in enumerate(seats) if one.name in ways[seat.guest.at]}
        loads = [sum(load_over(each.load, slot.start, slot.end) for each in one.all()) for slot in slots]
        if one is top:
            caps = [(slot.import_cap, slot.export_cap) for slot in slots]
        else:
            caps = [(cap_over(one.import_cap, s.start, s.end), cap_over(one.export_cap, s.start, s.end)) for s in slots]
        if one is top or any(cap < math.inf for pair in caps for cap in pair):
            yield _room(one, 0, dict.fromkeys(members, 1.0), caps, [(load, load) for load in loads])
        yield from _phases(one, members, slots, loads)


def _guarded(ground: Ground, slots: Sequence[Slot], seats: Sequence[Seat], ways: dict[str, tuple[str, ...]]) -> Iterator[Shared]:
    """The limits, with what those who are still to come leave of each."""
    for limit in _limits(ground, slots, seats, ways):
        yield _left(ground, limit, slots, seats, ways) if ground.outlets else limit


def _left(ground: Ground, limit: Shared, slots: Sequence[Slot], seats: Sequence[Seat], ways: dict[str, tuple[str, ...]]) -> Shared:
    """The limit with what those who are still to come leave of it: all free outlets below it at once, or as many as are foreseen."""
    taken = {seat.guest.outlet or seat.guest.name: seat.stay.until for seat in seats if seat.slots[0] == 0}
    free = [  # epoch s from which on an outlet is free, W that flow here then
        (taken.get(outlet.name, -math.inf), outlet.power / (len(outlet.phases) if limit.phase else 1))
        for outlet in ground.outlets
        if limit.within[0] in ways[outlet.at] and (not limit.phase or limit.phase in outlet.phases)
    ]
    left = []
    for slot, up in zip(slots, limit.up, strict=True):
        foreseen = _foreseen(ground.crowd, slot)
        left.append(max(up - min(sum(power for since, power in free if since < slot.end), foreseen), 0.0))
    return replace(limit, left=tuple(left))


def _foreseen(crowd: Series | None, slot: Slot) -> float:
    """The most (W) that those who are still to come are foreseen to draw in a slot; infinite where that is not known for all of it."""
    if crowd is None or crowd.start > slot.start or crowd.until < slot.end:
        return math.inf
    return max(value for _, _, value in crowd.during(slot.start, slot.end))


def _phases(one: Connection, members: dict[int, Seat], slots: Sequence[Slot], loads: Sequence[float]) -> Iterator[Shared]:
    if one.phase_import_cap is None and one.phase_export_cap is None:
        return
    caps = [(cap_over(one.phase_import_cap, s.start, s.end), cap_over(one.phase_export_cap, s.start, s.end)) for s in slots]
    for phase in range(1, PHASES + 1):
        shares = {number: 1.0 / len(seat.guest.phases) for number, seat in members.items() if phase in seat.guest.phases}
        if shares:  # no phase rests on generation, which may be curtailed, or on a load
            yield _room(one, phase, shares, caps, [(max(load, 0.0) / PHASES, min(load, 0.0) / PHASES) for load in loads])


def _room(
    one: Connection, phase: int, shares: dict[int, float], caps: Sequence[tuple[float, float]], loads: Sequence[tuple[float, float]]
) -> Shared:
    pairs = list(zip(caps, loads, strict=True))
    return Shared(
        name=f"{one.name} L{phase}" if phase else one.name,
        within=tuple(each.name for each in one.all()),
        phase=phase,
        shares=shares,
        up=tuple(min(up, POWER_BOUND) - drawn for (up, _), (drawn, _) in pairs),
        down=tuple(min(down, POWER_BOUND) + given for (_, down), (_, given) in pairs),
    )
