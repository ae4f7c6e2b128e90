"""The plan without a solver: who ranks and leaves first draws first. For when there is no time, no solver, and to be measured against."""

import math

from v2g.energy.fleet.plan import FleetPlan, fleet_plan
from v2g.energy.fleet.seats import Seat, Shared, Table
from v2g.energy.stay import TOLERANCE


def in_order(table: Table) -> FleetPlan:
    """Each slot gives to the reserves first, then by rank, then to those who leave first, all that limits, outlets and batteries allow.

    Nobody discharges. Caps hold, and so do minimum powers.
    """
    stored = [0.0] * len(table.seats)
    powers = {seat.guest.name: [0.0] * len(seat.slots) for seat in table.seats}
    for slot, there in enumerate(table.here()):
        left = [limit.up[slot] - uncertain(table, limit, slot) for limit in table.shared]
        order = sorted(there, key=lambda each: _urgency(table.seats[each[0]], stored[each[0]]))
        for number, place in order:
            seat = table.seats[number]
            room = min((left[k] / limit.shares[number] for k, limit in enumerate(table.shared) if number in limit.shares), default=math.inf)
            power = _drawn(seat, place, stored[number], room)
            powers[seat.guest.name][place] = power
            stored[number] += seat.stay.stored(power, seat.stay.intervals[place].hours)
            for k, limit in enumerate(table.shared):
                left[k] -= power * limit.shares.get(number, 0.0)
    return fleet_plan(table, powers, "in order of departure", math.inf, _spilt(table, powers))


def _spilt(table: Table, powers: dict[str, list[float]]) -> list[float]:
    """W of generation, by slot, that the connections below the top do not let through; the nearer to the cars first."""
    lost = []
    for slot, there in enumerate(table.here()):
        spills: dict[str, float] = {}
        for limit in reversed(table.shared[1:]):
            if not limit.phase and limit.down[slot] < 0:
                drawn = sum(powers[table.seats[number].guest.name][place] * limit.shares.get(number, 0.0) for number, place in there)
                below = sum(spill for name, spill in spills.items() if name in limit.within)
                spills[limit.within[0]] = max(-limit.down[slot] - drawn - below, 0.0)
        lost.append(sum(spills.values()))
    return lost


def uncertain(table: Table, limit: Shared, slot: int) -> float:
    """W of generation below a limit that caps there may keep from it: nobody draws on those."""
    if limit.phase:
        return 0.0
    return sum(max(-other.down[slot], 0.0) for other in table.shared if not other.phase and other.within[0] in limit.within[1:])


def _urgency(seat: Seat, stored: float) -> tuple[bool, int, float]:
    return (stored >= min(seat.stay.floor, seat.wanted) - TOLERANCE, seat.guest.rank, seat.stay.until)


def _drawn(seat: Seat, place: int, stored: float, room: float) -> float:
    """W that a guest draws: what it still wants, within its cap and the room that is left, or nothing below its minimum."""
    stay, interval = seat.stay, seat.stay.intervals[place]
    goal = min(max(stay.target, stay.floor), stay.ceiling)
    most = min(interval.charge_cap, room, stay.metered(max(stay.ceiling - stored, 0.0), interval.hours))
    power = min(most, stay.metered(max(goal - stored, 0.0), interval.hours))
    if TOLERANCE < power < stay.charge_minimum <= most:
        power = stay.charge_minimum
    return stay.feasible(max(power, 0.0), 0.0, most)
