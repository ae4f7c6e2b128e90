"""A plan made while others run: who was promised a schedule keeps it, unless that costs somebody energy; and what each may be offered.

    found = settled(ground, parties, now)

A car in Scheduled control has chosen a schedule and is not asked again for money alone: it is planned around. Only where somebody would
miss energy for it, or a cap does not allow it any more, all are planned anew, and whose schedule changes gets another offer. What is
offered leaves room for what the others were offered before, so all of it may be drawn at once.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.joint import joint
from v2g.energy.fleet.plan import FleetPlan
from v2g.energy.fleet.queue import assured, in_order, missed, uncertain
from v2g.energy.fleet.seats import Table, table_of
from v2g.energy.fleet.shares import deprived
from v2g.energy.offer import Offer, offer
from v2g.energy.patience import ENDLESS, Patience
from v2g.energy.plan import plan_of
from v2g.energy.program import SolverMissing
from v2g.energy.series import Series, minimum
from v2g.energy.signal import Kind, Rank, Signal
from v2g.energy.stay import POWER_BOUND, stay_of

OFF: Final = 100.0  # W that a plan may lie off a promise without being another one; what a schedule of few steps loses by rounding
MISSED: Final = 10.0  # Wh for which nobody is asked again
ASSURED: Final = 100.0  # times any other energy that is missing: who was promised a schedule gives way to who has a share
AT_ONCE: Final = "at once"  # the name by which an offer knows a plan that no solver is wanted for


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who is planned for: what it was promised (W, signed), None where nothing binds, and whether it waits for an offer.

    `firm`: it will go by its promise whatever is planned, since nobody can reach it.
    """

    guest: Guest
    promise: Series | None = None
    asks: bool = False
    firm: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """One plan for all, and an offer for each who waits for one or cannot keep what it was promised."""

    plan: FleetPlan
    offers: Mapping[str, Offer]  # by the name of the guest


def settled(ground: Ground, parties: Sequence[Party], now: float, patience: Patience = ENDLESS, before: FleetPlan | None = None) -> Settled:
    """The plan for all from `now` (epoch s) on, the best found in time. There always is one, with a solver or without.

    `before` is the plan that it replaces, from which the search begins.
    """
    free = [_bound(party, now) if party.firm else party.guest for party in parties]
    bound = [_bound(party, now) for party in parties]
    made = _planned(ground, bound, now, patience.part(0.5), before)
    if any(party.promise for party in parties) and sum(made.unmet.values()) > MISSED:
        other = _planned(ground, free, now, patience, made)
        if _missing(ground, parties, other, now) < _missing(ground, parties, made, now) - MISSED:
            made = other
    asked = {party.guest.name for party in parties if not party.firm and (party.asks or _broken(party, made))}
    kept = {party.guest.name: party.promise for party in parties if party.promise is not None and party.guest.name not in asked}
    return Settled(made, _offers(ground, [party.guest for party in parties], made, asked, kept, now))


def _missing(ground: Ground, parties: Sequence[Party], made: FleetPlan, now: float) -> float:
    """Wh that are missing in a plan; those that a tenant is assured of count many times."""
    total = sum(made.unmet.values())
    if not ground.tenants:
        return total
    table = table_of(ground, [party.guest for party in parties], now)
    return total + ASSURED * deprived(missed(table, made), assured(table))


def _bound(party: Party, now: float) -> Guest:
    if party.promise is None or party.asks or not (rest := party.promise.clip(now, math.inf)).steps:
        return party.guest
    keeps = Signal("promised", Kind.SETPOINT, rest, Rank.SAFETY)
    return replace(party.guest, signals=(*party.guest.signals, keeps))


def _planned(ground: Ground, guests: Sequence[Guest], now: float, patience: Patience, before: FleetPlan | None) -> FleetPlan:
    try:
        return joint(ground, guests, now, patience, before)
    except (SolverMissing, ArithmeticError):
        return in_order(table_of(ground, guests, now))


def _broken(party: Party, made: FleetPlan) -> bool:
    """Whether the plan is another one than was promised, at any time at which both are there."""
    plan, promise = made.plans.get(party.guest.name), party.promise
    if plan is None or promise is None:
        return False
    spans = [(start, power) for start, _, power in plan.power.spans()]
    told = promise.sample([start for start, _ in spans])
    return any(was is not None and abs(was - power) > OFF for was, (_, power) in zip(told, spans, strict=True))


def _offers(
    ground: Ground, guests: Sequence[Guest], made: FleetPlan, asked: set[str], kept: Mapping[str, Series], now: float
) -> dict[str, Offer]:
    """An offer for each who is asked, the first rank first. Each leaves room for all before it, and for the plans of those after it."""
    table = table_of(ground, guests, now)
    flows = {name: plan.power for name, plan in made.plans.items()} | dict(kept)
    offers: dict[str, Offer] = {}
    for number, seat in sorted(enumerate(table.seats), key=lambda each: each[1].guest.rank):
        name = seat.guest.name
        if name in asked and name in made.plans:
            offers[name] = _offer(ground, table, number, made, flows, now)
            flows[name] = offers[name].tuples[0].power
    return offers


def _offer(ground: Ground, table: Table, number: int, made: FleetPlan, flows: Mapping[str, Series], now: float) -> Offer:
    guest, power = table.seats[number].guest, made.plans[table.seats[number].guest.name].power
    into, out = _room(table, number, flows)
    site = replace(ground.site, import_limit=minimum(into, _always(into, guest.import_cap)), export_limit=out)
    site = replace(site, export_limit=minimum(out, _always(out, guest.export_cap)))
    stay = stay_of(guest.needs, site, max(now, guest.arrival), guest.signals)
    wishes = [value or 0.0 for value in power.sample([interval.start for interval in stay.intervals])]
    name = "joint" if made.name.startswith("joint") else AT_ONCE
    found = offer(plan_of(stay, wishes, name), guest.needs, site)
    return replace(found, tuples=found.tuples[:1])  # another one would take what is promised to others


def _always(series: Series, power: float) -> Series:
    return Series.constant(series.start, max(series.duration, 1.0), power)


def _room(table: Table, number: int, flows: Mapping[str, Series]) -> tuple[Series, Series]:
    """W that one may draw, and give, beside all others, slot by slot."""
    seats, starts = table.seats, [slot.start for slot in table.slots]
    most = {seat.guest.name: _extremes(flows[seat.guest.name], starts, table.slots[-1].end) for seat in seats}
    into, out = [POWER_BOUND] * len(starts), [POWER_BOUND] * len(starts)
    for limit in table.shared:
        if (own := limit.shares.get(number)) is None:
            continue
        for place in range(len(starts)):
            drawn = sum(share * most[seats[k].guest.name][place][0] for k, share in limit.shares.items() if k != number)
            given = sum(share * most[seats[k].guest.name][place][1] for k, share in limit.shares.items() if k != number)
            into[place] = min(into[place], max(limit.up[place] - uncertain(table, limit, place) - drawn, 0.0) / own)
            out[place] = min(out[place], max(limit.down[place] + given, 0.0) / own)
    ups, downs = (Series.from_pairs(zip(starts, values, strict=True), table.slots[-1].end) for values in (into, out))
    return ups, downs


def _extremes(flow: Series, starts: Sequence[float], until: float) -> list[tuple[float, float]]:
    """The most and the least (W) of a flow in each slot, 0 where it is not there: what relieves others counts only where it lasts."""
    found = []
    for start, end in pairwise([*starts, until]):
        inside = [value for _, _, value in flow.during(start, end)]
        whole = flow.start <= start and flow.until >= end
        found.append((max(inside if whole else [*inside, 0.0], default=0.0), min(inside if whole else [*inside, 0.0], default=0.0)))
    return found
