"""Whoever is told last, or never: what the cars of a connection were told draws no more than before, or than is planned."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from v2g.energy.fleet.promises import OFF
from v2g.energy.offer import Offer, Tuple
from v2g.energy.series import Series, Step
from v2gkit.csms.order import differs, in_order

WALL = 1_790_000_000.0
SPANS = 4
POWERS = st.sampled_from([-9_000.0, -3_000.0, 0.0, 1_400.0, 3_700.0, 11_000.0, 22_000.0])
SERIES = st.lists(POWERS, min_size=SPANS, max_size=SPANS).map(lambda values: Series(WALL, tuple(Step(900.0, value) for value in values)))


def offer(power: Series) -> Offer:
    return Offer((Tuple(1, power.map(lambda v: max(v, 0.0)), power.map(lambda v: min(v, 0.0))),))


def drawn(flows: list[Series | None]) -> list[float]:
    return [sum((flow.at(WALL + 900 * place + 1) or 0.0) for flow in flows if flow is not None) for place in range(SPANS)]


@given(st.lists(st.tuples(st.none() | SERIES, SERIES), min_size=1, max_size=4))
def test_at_no_step_is_more_drawn_than_before_or_after(cars: list[tuple[Series | None, Series]]) -> None:
    changes = [(number, before, offer(after)) for number, (before, after) in enumerate(cars)]
    flows: list[Series | None] = [before for before, _ in cars]
    bounds = [max(both) for both in zip(drawn(flows), drawn([after for _, after in cars]), strict=True)]
    told = in_order(changes, WALL)
    for number, shown in told:
        flows[number] = shown.tuples[0].power
        if len(cars) > 1:
            assert all(now <= most + OFF * len(cars) for now, most in zip(drawn(flows), bounds, strict=True))
    assert {number for number, _ in told} == set(range(len(cars)))
    for (_, after), flow in zip(cars, flows, strict=True):
        assert flow is not None
        assert not differs(flow, after, WALL)


def test_a_profile_that_rises_here_and_falls_there_is_told_in_two_steps_beside_another() -> None:
    early, late = (Series(WALL, (Step(900.0, first), Step(900.0, second))) for first, second in ((11_000.0, 0.0), (0.0, 11_000.0)))
    swapped = in_order([("a", early, offer(late)), ("b", late, offer(early))], WALL)
    assert [who for who, _ in swapped] == ["a", "b", "a", "b"]
    assert [max(shown.tuples[0].power.values) for _, shown in swapped] == [0.0, 0.0, 11_000.0, 11_000.0]
    assert [who for who, _ in in_order([("a", early, offer(late))], WALL)] == ["a"]  # alone its own limit is in its profile
    assert list(itertools.chain(in_order([], WALL))) == []


def test_the_lesser_of_two_profiles_has_whole_seconds_though_the_former_began_between_two() -> None:
    former = Series(WALL - 100.3, tuple(Step(400.0, value) for value in (11_000.0, 0.0, 11_000.0)))
    new = Series(WALL, tuple(Step(500.0, value) for value in (0.0, 11_000.0)))
    first = in_order([("a", former, offer(new)), ("b", None, offer(new))], WALL + 0.4)[0][1].tuples[0].power
    assert first.start == WALL
    assert all(step.duration == round(step.duration) >= 1 for step in first.steps)
    for second in range(1000):
        for part in (0.1, 0.5, 0.9):
            at = WALL + second + part
            assert (first.at(at) or 0.0) <= min(former.at(at) or 0.0, new.at(at) or 0.0)
