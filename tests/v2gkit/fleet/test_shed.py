"""Who is shed, in which order, how power comes back, and that what was decided can be asked again."""

from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.v2gkit.fleet.depot import written
from v2gkit.fleet import declared
from v2gkit.fleet.decision import Car, Held, Question, Remembered, read
from v2gkit.fleet.declared import Site
from v2gkit.fleet.shed import LATER, MUST, SOON, Rebound, allotted, answered, decided, need, ranks, replayed, shared_setpoint

NOW = 1_800_000_000.0
SITE = Site("s", "t", import_limit=50_000.0, export_limit=30_000.0)


def car(name: str, **more: Any) -> Car:
    """A car that draws what it wants, 10 kW, and has been told so."""
    return Car(**({"asset": name, "at": "grid", "wanted": 10_000.0, "most": 10_000.0, "drawn": 10_000.0, "drawn_at": 100.0} | more))


def asked(cars: list[Car], held: Held, site: Site = SITE, told: dict[str, float] | None = None) -> Question:
    before = Remembered(told={each.asset: each.drawn or 0.0 for each in cars} if told is None else told)
    return Question("t", site, NOW, 100.0, held, tuple(cars), before)


def test_ranks_are_by_tenant_then_contract_then_need() -> None:
    cars = [
        car("other tenant", tenant_rank=1, departure=NOW + 60, missing=10_000.0),
        car("must", departure=NOW + 1_800, missing=10_000.0),
        car("soon", departure=NOW + 4_000, missing=10_000.0),
        car("later", departure=NOW + 40_000, missing=10_000.0),
        car("full", departure=NOW + 60, missing=0.0),
        car("staff", contract_rank=5, departure=NOW + 60, missing=10_000.0),
    ]
    assert [need(each, NOW) for each in cars] == [MUST, MUST, SOON, LATER, LATER, MUST]
    found = ranks(cars, NOW)
    assert found["must"] < found["soon"] < found["later"] == found["full"] < found["staff"] < found["other tenant"]


def test_a_cap_sheds_those_first_who_can_wait() -> None:
    cars = [
        car("bus", departure=NOW + 3_000, missing=8_000.0),
        car("staff", contract_rank=5),
        car("guest", tenant_rank=1),
    ]
    answer = answered(asked(cars, Held(import_cap=12_000.0, import_by=("dso:1",))))
    assert answer.orders == {"bus": 10_000, "staff": 2_000, "guest": 0}
    assert {each.asset: each.why for each in answer.shed} == {"staff": "signal dso:1", "guest": "signal dso:1"}


def test_a_setpoint_below_nothing_makes_those_give_that_can() -> None:
    cars = [car("bus", give=10_000.0, wanted=0.0, drawn=0.0), car("staff", wanted=0.0, drawn=0.0)]
    answer = answered(asked(cars, Held(setpoint=-6_000.0, setpoint_by="vpp:1")))
    assert answer.orders == {"bus": -6_000, "staff": 0}
    assert [(each.asset, each.why) for each in answer.shed] == [("bus", "signal vpp:1")]


POWERS = st.integers(0, 22_000).map(float)


@given(
    st.lists(st.tuples(POWERS, POWERS, POWERS, st.integers(0, 3)), min_size=1, max_size=8), st.integers(0, 60_000), st.integers(0, 20_000)
)
def test_orders_keep_every_cap_by_what_is_measured_and_are_replayed(
    cars: list[tuple[float, float, float, int]], cap: int, load: int
) -> None:
    site = Site("s", "t", import_limit=50_000.0, base_load=float(load))
    made = [car(f"c{n}", wanted=wanted, most=22_000.0, drawn=drawn, contract_rank=rank) for n, (wanted, drawn, _, rank) in enumerate(cars)]
    told = {f"c{n}": was for n, (_, _, was, _) in enumerate(cars)}
    decision = decided(asked(made, Held(import_cap=float(cap), import_by=("x",)), site, told), "test")
    orders = decision.answer.orders
    room = min(cap, 50_000.0) - load
    assert sum(max(power, 0.0) for power in orders.values()) <= max(room, 0.0) + 1e-3
    again = read(decision.octets)
    assert again == decision
    assert replayed(again)
    assert not replayed(msgspec.structs.replace(again, answer=msgspec.structs.replace(again.answer, orders={"c0": 1.5})))


def test_a_fleets_site_is_asked_for_whole(tmp_path: Path) -> None:
    site = declared.read(written(tmp_path)).sites["depot"]
    decision = decided(asked([car("a", at="hall"), car("b")], Held(), site), "test")
    assert replayed(read(decision.octets))
    assert read(decision.octets).question.site == site


@given(st.integers(0, 100_000), st.dictionaries(st.sampled_from("abcd"), st.tuples(POWERS, POWERS), min_size=1))
def test_parts_of_sites_never_exceed_the_cap_beside_what_others_hold(cap: int, sites: dict[str, tuple[float, float]]) -> None:
    wanted, holding = ({name: each[k] for name, each in sites.items()} for k in (0, 1))
    parts = allotted(float(cap), wanted, holding)
    assert all(part >= 0 for part in parts.values())
    for name, part in parts.items():  # one that rises does so beside the others as they are
        if part > holding[name]:
            assert part + sum(max(parts[other], holding[other]) for other in parts if other != name) <= cap + 1e-6
    settled = allotted(float(cap), wanted, parts)
    assert sum(allotted(float(cap), wanted, settled).values()) <= cap + 1e-6


def test_a_setpoint_is_shared_by_what_sites_can() -> None:
    parts = shared_setpoint(-10_000.0, {"a": 2_000.0, "b": 0.0}, {"a": (30_000.0, 0.0), "b": (10_000.0, 0.0)})
    assert parts == {"a": 2_000 - 9_000, "b": -3_000}
    assert sum(parts.values()) == -10_000


def test_power_comes_back_in_steps_and_a_new_limit_holds_at_once() -> None:
    rebound = Rebound(1_200.0)
    assert rebound.cap(None, 50_000.0, 0.0) is None
    assert rebound.cap(10_000.0, 50_000.0, 10.0) == 10_000
    assert rebound.cap(None, 50_000.0, 1_000.0) == 10_000
    caps = [rebound.cap(None, 50_000.0, 1_000.0 + at) for at in range(0, 1_200, 50)]
    assert all(cap is not None for cap in caps)
    assert caps == sorted(caps)  # type: ignore[type-var]
    assert max(caps) < 50_000  # type: ignore[type-var]
    assert rebound.cap(5_000.0, 50_000.0, 1_700.0) == 5_000
    assert rebound.cap(None, 50_000.0, 1_800.0) == 5_000
    assert rebound.cap(None, 50_000.0, 3_000.0) is None
