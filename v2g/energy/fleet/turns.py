"""Turns: where a solution gives somebody less than its minimum power, who draws and who waits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from v2g.energy.fleet.model import Model
from v2g.energy.program import Solution
from v2g.energy.scheduler import KILO
from v2g.energy.stay import TOLERANCE

WINDOW: Final = 8  # slots in which turns are settled at once: what is settled first decides what is left for later


@dataclass(frozen=True, slots=True)
class Fix:
    """New bounds (kW) of a variable."""

    column: int
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class _Short:
    """Somebody who got less than its minimum: its seat, variable, direction (+1 in), what it got and could get, its minimum (W)."""

    seat: int
    column: int
    sign: float
    got: float
    cap: float
    least: float


def fixes(model: Model, solution: Solution, told: Mapping[int, Fix], final: bool, generous: bool) -> Iterator[Fix]:
    """What to tell the guests of a solution that breaks something; nothing where it breaks nothing. `final`: nobody draws more
    for it; `generous`: whoever got anything does, where there is room."""
    values = solution.values
    owed = [0.0] * len(model.table.seats)  # Wh that the solution gave and turns have not
    window = WINDOW
    demand = {number for number, seat in enumerate(model.table.seats) if seat.stay.charge_minimum > 0 or seat.stay.discharge_minimum > 0}
    for slot, there in enumerate(model.here):
        if window == 0 and not final:
            return
        short: list[_Short] = []
        for seat, place in there:
            out = model.parts[seat].discharge[place]
            if out is not None and values[out] * KILO > TOLERANCE:
                yield from _impossible(model, seat, place, out, values)
            if seat in demand:
                short += [each for each in _short(model, seat, place, values) if each.column not in told]
        window -= bool(short)
        yield from _turn(model, slot, short, owed, values, (final, generous))


def _impossible(model: Model, seat: int, place: int, out: int, values: Sequence[float]) -> Iterator[Fix]:
    """Of somebody that discharges: both directions at once, or outside the range in which the car lets itself be discharged."""
    part, stay = model.parts[seat], model.table.seats[seat].stay
    into = part.charge[place]
    if values[into] * KILO > TOLERANCE:
        loser = out if values[into] >= values[out] else into
        yield Fix(loser, 0.0, 0.0)
        if loser == out:
            return
    before = values[part.energy[place - 1]] * KILO if place else 0.0
    after = values[part.energy[place]] * KILO
    if after < stay.v2x_lower - TOLERANCE or before > stay.v2x_upper + TOLERANCE:
        yield Fix(out, 0.0, 0.0)


def _short(model: Model, seat: int, place: int, values: Sequence[float]) -> Iterator[_Short]:
    part, stay = model.parts[seat], model.table.seats[seat].stay
    interval = stay.intervals[place]
    ways = (
        (part.charge[place], 1.0, stay.charge_minimum, interval.charge_cap),
        (part.discharge[place], -1.0, stay.discharge_minimum, interval.discharge_cap),
    )
    for column, sign, least, cap in ways:
        if column is not None and TOLERANCE < (got := values[column] * KILO) < least - TOLERANCE:
            yield _Short(seat, column, sign, got, cap, least)


def _turn(
    model: Model,
    slot: int,
    short: Sequence[_Short],
    owed: list[float],
    values: Sequence[float],
    how: tuple[bool, bool],
) -> Iterator[Fix]:
    """In one slot: those to whom most is owed draw their minimum while every limit has room for it, the others nothing."""
    if not short:
        return
    final, generous = how
    hours = model.table.slots[slot].hours
    rooms = _rooms(model, slot, values, {each.column for each in short})
    for each in short:
        owed[each.seat] += each.got * hours
    for each in sorted(short, key=lambda s: (model.table.seats[s.seat].guest.rank, -owed[s.seat] / s.least)):
        shares = [(k, limit.shares[each.seat]) for k, limit in enumerate(model.table.shared) if each.seat in limit.shares]
        fits = all(each.least * share <= rooms[k][each.sign] + TOLERANCE for k, share in shares)
        if final or not fits or (owed[each.seat] < each.least * hours / 2 and not generous):
            yield Fix(each.column, 0.0, 0.0)
            continue
        owed[each.seat] -= each.least * hours
        for k, share in shares:
            rooms[k][each.sign] -= each.least * share
        yield Fix(each.column, each.least / KILO, each.cap / KILO)


def _rooms(model: Model, slot: int, values: Sequence[float], without: set[int]) -> list[dict[float, float]]:
    """W that each limit leaves in both directions (+1 in, -1 out) beside all but those `without`."""
    rooms = []
    for limit in model.table.shared:
        into, out, _, _ = model.flows(limit, slot)
        drawn, given = (sum(values[column] * KILO * share for column, share in terms if column not in without) for terms in (into, out))
        rooms.append({1.0: limit.up[slot] - drawn, -1.0: limit.down[slot] - given})
    return rooms
