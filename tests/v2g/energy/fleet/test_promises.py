"""A plan made while others run: promises are kept, and what is offered to all may be drawn by all at once."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.v2g.energy.fleet.test_joint import HOUR, NOON, SLACK, car, fleets, flow, site
from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.promises import OFF, Party, settled
from v2g.energy.series import Series


def power(series: Series, at: float) -> float:
    return series.at(at) or 0.0


@settings(max_examples=40)
@given(fleets(), st.sampled_from((300.0, 2_000.0, 5_000.0)))
def test_a_plan_made_during_another_breaks_no_promise(fleet: tuple[Ground, list[Guest]], later: float) -> None:
    """All but one have a schedule when the last comes. Whatever is offered then, with all that stays promised, keeps every cap."""
    ground, guests = fleet
    before = settled(ground, [Party(guest, asks=True) for guest in guests[:-1]], NOON)
    promised = {name: offer.tuples[0].power for name, offer in before.offers.items()}
    now = NOON + later
    there = [guest for guest in guests if (guest.needs.departure or 0.0) > now + 1.0]
    parties = [Party(rest(guest, promised.get(guest.name), now), promised.get(guest.name)) for guest in there[:-1]]
    after = settled(ground, [*parties, *(Party(guest, asks=True) for guest in there[-1:])], now)
    holds = {party.guest.name: party.promise for party in parties if party.promise is not None}
    holds |= {name: offer.tuples[0].power for name, offer in after.offers.items()}
    edges = sorted({edge for series in holds.values() for edge in series.edges() if edge >= now} | {now})
    for start, end in itertools.pairwise(edges):
        drawn = {guest.name: power(holds[guest.name], (start + end) / 2) if guest.name in holds else 0.0 for guest in there}
        flow(ground.connection, there, drawn, (start + end) / 2, 0.0 if ground.connection.export_cap is None else None)


def rest(guest: Guest, promise: Series | None, now: float) -> Guest:
    """A car that has followed its schedule until now: what it still wants."""
    had = 0.0
    for start, end, value in [] if promise is None else promise.clip(NOON, now).spans():
        had += value * (end - start) / HOUR * (0.95 if value > 0 else 1 / 0.95)
    needs = guest.needs
    assert needs.energy_target is not None
    assert needs.energy_maximum is not None
    assert needs.energy_minimum is not None
    return replace(
        guest,
        needs=replace(
            needs,
            energy_target=needs.energy_target - had,
            energy_maximum=needs.energy_maximum - had,
            energy_minimum=needs.energy_minimum - had,
        ),
    )


def guests(count: int, hours: float, wanted: float) -> list[Guest]:
    return [Guest(f"car {k}", car(hours, wanted), "grid") for k in range(count)]


def test_who_has_a_schedule_keeps_it_while_nobody_misses_energy_for_it() -> None:
    ground = Ground(Connection("grid", 12_000.0), site())
    first, second = guests(2, 5.0, 9_000.0)
    promise = settled(ground, [Party(first, asks=True)], NOON).offers["car 0"].tuples[0].power
    found = settled(ground, [Party(first, promise), Party(second, asks=True)], NOON)
    assert set(found.offers) == {"car 1"}
    assert sum(found.plan.unmet.values()) < 1.0  # what the rounding of a schedule takes
    assert found.plan.plans["car 0"].power.values == pytest.approx(promise.sample(list(found.plan.plans["car 0"].power.edges()[:-1])))


def test_a_schedule_is_changed_where_somebody_would_miss_energy() -> None:
    ground = Ground(Connection("grid", 11_000.0), site())
    first, second = guests(1, 5.0, 20_000.0)[0], Guest("car 1", car(2.0, 15_000.0), "grid")
    promise = settled(ground, [Party(first, asks=True)], NOON).offers["car 0"].tuples[0].power
    assert power(promise, NOON + HOUR + 60) > 10_000.0
    found = settled(ground, [Party(first, promise), Party(second, asks=True)], NOON)
    assert set(found.offers) == {"car 0", "car 1"}
    assert sum(found.plan.unmet.values()) < 1.0


def test_who_cannot_be_reached_is_planned_around_whatever_it_costs() -> None:
    ground = Ground(Connection("grid", 11_000.0), site())
    first, second = guests(1, 5.0, 20_000.0)[0], Guest("car 1", car(2.0, 15_000.0), "grid")
    promise = settled(ground, [Party(first, asks=True)], NOON).offers["car 0"].tuples[0].power
    found = settled(ground, [Party(first, promise, firm=True), Party(second, asks=True)], NOON)
    assert set(found.offers) == {"car 1"}
    assert found.plan.unmet["car 1"] > 1_000.0
    both = (promise, found.offers["car 1"].tuples[0].power)
    assert max(sum(power(each, NOON + at) for each in both) for at in range(0, 7_200, 60)) <= 11_000.0 + SLACK


def test_a_schedule_that_a_cap_allows_no_more_is_offered_anew() -> None:
    first = guests(1, 5.0, 9_000.0)[0]
    promise = settled(Ground(Connection("grid", 11_000.0), site()), [Party(first, asks=True)], NOON).offers["car 0"].tuples[0].power
    found = settled(Ground(Connection("grid", 6_000.0), site()), [Party(first, promise)], NOON)
    assert max(found.offers["car 0"].tuples[0].power.values) <= 6_000.0 + SLACK
    assert max(promise.values) > 6_000.0 + OFF


def test_an_offer_has_one_schedule_since_another_would_take_what_was_promised_to_others() -> None:
    ground = Ground(Connection("grid", 20_000.0, 20_000.0), site())
    both = [Guest(f"car {k}", car(5.0, 9_000.0, back=11_000.0), "grid") for k in range(3)]
    found = settled(ground, [Party(guest, asks=True) for guest in both], NOON)
    assert [len(offer.tuples) for offer in found.offers.values()] == [1, 1, 1]
