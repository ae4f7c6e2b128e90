"""The plan without a solver: who ranks and leaves first draws first. For when there is no time, no solver, and to be measured against."""

import math

from v2g.energy.fleet.plan import FleetPlan, fleet_plan
from v2g.energy.fleet.seats import Seat, Shared, Table
from v2g.energy.fleet.shares import rooms
from v2g.energy.stay import TOLERANCE


def in_order(table: Table) -> FleetPlan:
    """Each slot gives to tenants of their shares, to the reserves, then by rank, then to those who leave first, all that limits, outlets
    and batteries allow.

    Nobody discharges. Caps hold, and so do minimum powers.
    """
    powers = _ordered(table, lends=True)
    return fleet_plan(table, powers, "in order of departure", math.inf, _spilt(table, powers))


def assured(table: Table) -> dict[str, float]:
    """Wh that the guests of each tenant miss at most: what they would in order of departure within its share, with nothing lent to them."""
    if not table.ground.tenants:
        return {}
    return missed(table, fleet_plan(table, _ordered(table, lends=False), "within shares", math.inf))


def missed(table: Table, made: FleetPlan) -> dict[str, float]:
    """Wh that the guests of each tenant miss in a plan, of what they could reach at all."""
    found = {tenant.name: 0.0 for tenant in table.ground.tenants}
    for seat in table.seats:
        if seat.guest.tenant in found:
            found[seat.guest.tenant] += max(seat.wanted - made.plans[seat.guest.name].delivered, 0.0)
    return found


def _ordered(table: Table, lends: bool) -> dict[str, list[float]]:
    """W of each guest in its intervals: first of the share of its tenant, then, if those are lent, of what all together leave."""
    stored = [0.0] * len(table.seats)
    powers = {seat.guest.name: [0.0] * len(seat.slots) for seat in table.seats}
    for slot, there in enumerate(table.here()):
        left = [limit.up[slot] - uncertain(table, limit, slot) for limit in table.shared]
        order = sorted(there, key=lambda each: _urgency(table.seats[each[0]], stored[each[0]]))
        drawn = dict.fromkeys((number for number, _ in there), 0.0)
        shares = rooms(table.ground.tenants, left[0])  # the meter's limit is the first

        def serve(number: int, place: int, share: float, left: list[float] = left, drawn: dict[int, float] = drawn) -> float:
            seat, had = table.seats[number], drawn[number]
            touched = [(k, limit.shares[number]) for k, limit in enumerate(table.shared) if number in limit.shares]
            room = min((left[k] / part + had for k, part in touched), default=math.inf)
            drawn[number] = max(_drawn(seat, place, stored[number], min(room, share)), had)
            for k, part in touched:
                left[k] -= (drawn[number] - had) * part
            return drawn[number] - had

        for number, place in order:
            if (tenant := table.seats[number].guest.tenant) in shares:
                shares[tenant] -= serve(number, place, shares[tenant])
        for number, place in order if lends else ():
            serve(number, place, math.inf)
        for number, place in there:
            seat = table.seats[number]
            powers[seat.guest.name][place] = drawn[number]
            stored[number] += seat.stay.stored(drawn[number], seat.stay.intervals[place].hours)
    return powers


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
