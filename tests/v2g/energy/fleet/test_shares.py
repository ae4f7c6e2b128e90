"""A share of a connection: its tenant has it whatever the others want, it is lent meanwhile, and comes back within a look."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.v2g.energy.fleet.test_joint import HOUR, NOON, car, hold, site
from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.dispatch import dispatch
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.joint import joint
from v2g.energy.fleet.plan import FleetPlan
from v2g.energy.fleet.promises import Party, settled
from v2g.energy.fleet.queue import assured, in_order, missed
from v2g.energy.fleet.room import SETTLE, Demand, Memory, Reading
from v2g.energy.fleet.seats import table_of
from v2g.energy.fleet.shares import Contract, Tenant, contract_of, demand_tenants, place_of, rooms
from v2g.energy.series import Series

TENANTS = (Tenant("a", share=0.5), Tenant("b", power=3_000.0))
CAP = 12_000.0


def ground(tenants: Sequence[Tenant] = TENANTS, cap: float = CAP) -> Ground:
    feeder = Connection("F1", 9_000.0)
    load = Series.constant(NOON, 30 * HOUR, 1_000.0)
    return Ground(Connection("grid", cap, cap, load=load, below=(feeder,)), site(), tenants=tuple(tenants))


# --- in plans ---


@st.composite
def crowds(draw: st.DrawFn) -> list[Guest]:
    found = []
    for number in range(draw(st.integers(2, 7))):
        needs = car(draw(st.sampled_from((1.0, 2.0, 4.0))), draw(st.sampled_from((0.0, 6_000.0, 20_000.0))))
        who = draw(st.sampled_from(("", "a", "b")))
        found.append(Guest(f"car {number}", needs, draw(st.sampled_from(("grid", "F1"))), rank=draw(st.integers(-1, 1)), tenant=who))
    return found


def denied(made: FleetPlan, guests: Sequence[Guest], where: Ground) -> dict[str, float]:
    """Wh that tenants miss beyond what they would by their shares alone."""
    table = table_of(where, guests, NOON)
    return {name: round(wh - assured(table)[name], 1) for name, wh in missed(table, made).items() if wh - assured(table)[name] > 1.0}


@given(crowds())
@settings(max_examples=60, deadline=None)
def test_no_plan_takes_from_a_tenant_what_its_share_alone_would_give(guests: list[Guest]) -> None:
    where = ground()
    for made in (joint(where, guests, NOON), in_order(table_of(where, guests, NOON))):
        hold(where, guests, made)
        assert not denied(made, guests, where)


def test_a_share_holds_against_whoever_ranks_before_and_is_lent_to_who_has_none() -> None:
    """Two cars want all for an hour, the first by rank: without a share the second gets nothing."""
    first = Guest("first", car(1.0, 30_000.0), "grid", rank=-1)
    second = Guest("second", car(1.0, 30_000.0), "grid", rank=1, tenant="a")
    gets = {}
    for name, tenants in (("none", ()), ("half", (Tenant("a", share=0.5),))):
        made = joint(ground(tenants), [first, second], NOON)
        gets[name] = made.plans["second"].delivered
    assert gets["none"] < 100.0
    assert gets["half"] == pytest.approx(5_500.0 * 0.95, rel=0.02)
    alone = joint(ground((Tenant("a", share=0.5),)), [first], NOON)
    assert alone.plans["first"].delivered > 10_000.0  # nobody of the tenant is there: all of it is lent


def test_groups_give_tenants_what_is_theirs() -> None:
    """More than 150 cars of which one tenant's leave last and rank last: in order of rank they would get nothing."""
    guests = [Guest(f"car {k}", car(2.0, 4_000.0), "grid", rank=k % 2, tenant="a" if k % 2 else "") for k in range(160)]
    where = Ground(Connection("grid", 100_000.0), site(), tenants=(Tenant("a", share=0.4),))
    made = joint(where, guests, NOON)
    assert made.unmet
    assert not denied(made, guests, where)
    assert sum(made.plans[guest.name].delivered for guest in guests if guest.tenant) > 0.39 * 200_000.0 * 0.95


def test_who_was_promised_a_schedule_gives_way_to_a_tenant_that_comes() -> None:
    where = ground((Tenant("a", share=0.5),))
    first = Guest("first", car(1.0, 30_000.0), "grid")
    promise = settled(where, [Party(first, asks=True)], NOON).offers["first"].tuples[0].power
    late = Guest("late", car(1.0, 5_000.0), "grid", rank=5, tenant="a")
    found = settled(where, [Party(first, promise), Party(late, asks=True)], NOON)
    assert "first" in found.offers
    assert not denied(found.plan, [first, late], where)


# --- between plans ---


def look(where: Ground, demands: Sequence[Demand], powers: dict[str, float], memory: Memory, now: float) -> tuple[dict[str, float], Memory]:
    asked = [replace(demand, measured=Reading(powers[demand.name], now)) for demand in demands]
    told, memory = dispatch(where, asked, {}, memory, now)
    return dict(told.commands), memory


@given(
    st.lists(st.tuples(st.sampled_from(("", "a", "b")), st.integers(-1, 1), st.sampled_from((0.0, 1_380.0))), min_size=2, max_size=6),
    st.lists(st.lists(st.sampled_from((0.0, 2_000.0, 11_000.0)), min_size=6, max_size=6), min_size=1, max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_a_share_is_its_tenants_within_one_look_and_the_sum_is_never_above_the_cap(
    cars: list[tuple[str, int, float]], scenes: list[list[float]]
) -> None:
    """Wishes change all at once; from the first look on the others are told to leave room for what tenants want of their shares."""
    where, memory, now = ground(), Memory(), NOON
    powers = {f"car {k}": 0.0 for k in range(len(cars))}
    left = CAP - 1_000.0
    own = rooms(TENANTS, left)
    for wishes in scenes:
        demands = [
            Demand(f"car {k}", "grid", wish, 11_000.0, least=least, rank=rank, tenant=tenant)
            for k, ((tenant, rank, least), wish) in enumerate(zip(cars, wishes, strict=False))
        ]
        for second in range(int(SETTLE) + 3):
            now += 1.0
            told, memory = look(where, demands, powers, memory, now)
            assert sum(max(told[name], powers[name]) for name in told) <= left + 0.01  # whoever follows late
            for name, share in own.items():
                wanted = sum(d.wanted for d in demands if d.tenant == name)
                others = sum(told[d.name] for d in demands if d.tenant != name)
                least = max((d.least for d in demands if d.tenant == name), default=0.0)
                assert others <= left - min(share - least, wanted) + 0.01 or wanted == 0.0
                if second > 2 and wanted and share > least:
                    has = sum(told[d.name] for d in demands if d.tenant == name)
                    assert has >= min(share - least, wanted) - 0.01
            powers = {name: told[name] for name in powers}


# --- who is who ---


def test_a_contract_is_known_by_the_beginning_of_its_name_and_the_longest_holds() -> None:
    contracts = (Contract("DE-ABC", rank=-1), Contract("deabc C00", tenant="a"), Contract("GB", rank=2, tenant="b"))
    assert contract_of(contracts, "DEABCC001234560") is contracts[1]
    assert contract_of(contracts, "DE-ABC-C99") is contracts[0]
    assert contract_of(contracts, "FR1", "gb-xyz") is contracts[2]
    assert contract_of(contracts, "", "FR") is None
    assert place_of(contracts[1], 7, "z") == (7, "a")
    assert place_of(contracts[0], 7, "z") == (-1, "z")
    assert place_of(None, 7, "z") == (7, "z")


def test_shares_that_are_more_than_there_is_are_cut_alike() -> None:
    assert rooms((Tenant("a", power=6_000.0), Tenant("b", power=3_000.0)), 3_000.0) == pytest.approx({"a": 2_000.0, "b": 1_000.0})
    assert rooms((Tenant("a", share=1.0),), -5.0) == {"a": 0.0}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Tenant(""), "no name"),
        (lambda: Tenant("a"), "or neither"),
        (lambda: Tenant("a", 0.5, 100.0), "share and power"),
        (lambda: Tenant("a", 1.5), "at most 1"),
        (lambda: Tenant("a", power=float("inf")), "above 0"),
        (lambda: Contract(" - "), "beginning of eMAIDs"),
        (lambda: demand_tenants((Tenant("a", 0.6), Tenant("b", 0.6)), ()), "come to 1.2"),
        (lambda: demand_tenants((Tenant("a", 0.6), Tenant("a", 0.1)), ()), "2 tenants are named 'a'"),
        (lambda: demand_tenants((Tenant("a", 0.6),), ("c",)), "'c' is not there; there are a"),
    ],
)
def test_a_share_that_cannot_be_meant_is_refused(make: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()  # type: ignore[operator]
