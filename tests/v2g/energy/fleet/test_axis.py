"""The time in which many are planned: each guest has one power in each slot, wherever the edges fall, and nobody waits for nothing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.joint import joint
from v2g.energy.fleet.seats import table_of
from v2g.energy.needs import Needs
from v2g.energy.series import Series
from v2g.energy.signal import Kind, Signal

NOON = 1_795_345_200.0
HOUR = 3_600.0
CAP = 15_000.0  # W


def ground(now: float, edges: list[float]) -> Ground:
    """A connection with a load from `now` on, and caps that change at odd instants without binding anybody."""
    load = Series.constant(now, 48 * HOUR, 1_000.0)
    caps = tuple(Signal(f"s{n}", Kind.IMPORT_CAP, Series.constant(now + edge, HOUR, 40_000.0)) for n, edge in enumerate(edges))
    return Ground(Connection("grid", import_cap=CAP, load=load), signals=caps)


def guests(now: float) -> list[Guest]:
    needs = [Needs(departure=now + hours * HOUR, energy_target=20_000.0, charge_maximum=11_000.0) for hours in (10.3, 15.0)]
    return [Guest(f"c{n}", each, "grid") for n, each in enumerate(needs)]


@settings(deadline=None)
@given(st.floats(0.0, 4 * HOUR), st.lists(st.floats(0.0, 8 * HOUR), max_size=3))
def test_a_guest_has_one_interval_in_each_slot_and_they_follow_one_another(late: float, edges: list[float]) -> None:
    now = NOON + late
    table = table_of(ground(now, edges), guests(now), now)
    for seat in table.seats:
        assert len(set(seat.slots)) == len(seat.slots) == len(seat.stay.intervals)
        for place, interval in zip(seat.slots, seat.stay.intervals, strict=True):
            slot = table.slots[place]
            assert slot.start - 1e-6 <= interval.start < interval.start + interval.duration <= slot.end + 1e-6
        after = [interval.start for interval in seat.stay.intervals[1:]]
        assert all(abs(one.start + one.duration - then) < 1e-6 for one, then in zip(seat.stay.intervals, after, strict=False))


@settings(deadline=None, max_examples=30)
@given(st.floats(0.0, HOUR), st.lists(st.floats(0.0, 2 * HOUR), max_size=2))
def test_at_one_price_nobody_waits_whatever_second_it_is(late: float, edges: list[float]) -> None:
    now = NOON + late
    plan = joint(ground(now, edges), guests(now), now)
    begin = min(one.power.start for one in plan.plans.values())
    drawn = sum(one.power.integral(begin, begin + HOUR) for one in plan.plans.values())  # Wh of an hour
    assert drawn > 0.99 * (CAP - 1_000.0)  # all that the connection leaves, from the first second on
