"""The watts between plans: caps hold by what is measured, whoever lags, lies, strays or goes silent."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.dispatch import TURN, Dispatch, _exact, dispatch
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.room import PATIENCE, SETTLE, Demand, Memory, Reading
from v2g.energy.series import Series
from v2g.energy.signal import Kind, Rank, Signal

NOON = 1_795_345_200.0
SLACK = 0.01  # W


def car(name: str, wanted: float, at: str = "grid", most: float = 11_000.0, drawn: float = 0.0, **more: object) -> Demand:
    return replace(Demand(name, at, wanted, most, measured=Reading(drawn, NOON)), **more)  # type: ignore[arg-type]


def grid(cap: float, **more: object) -> Ground:
    return Ground(replace(Connection("grid", cap, cap), **more))  # type: ignore[arg-type]


@dataclass
class Bay:
    """A car that lives: it moves towards what it is told by `pace` of the way a second; some never do."""

    demand: Demand
    pace: float  # of the way to what it was told, in a second
    deaf: bool = False  # it draws what it likes
    silent: bool = False  # nobody reads what it draws
    power: float = 0.0

    def live(self, told: float) -> None:
        if not self.deaf:
            self.power += (told - self.power) * self.pace
            self.power = self.power if abs(self.power - told) > 1.0 else told


@st.composite
def bays(draw: st.DrawFn) -> list[Bay]:
    found = []
    for k in range(draw(st.integers(1, 6))):
        least = draw(st.sampled_from((0.0, 1_380.0, 4_140.0)))
        both = draw(st.booleans())
        demand = Demand(
            f"car {k}",
            draw(st.sampled_from(("grid", "F1", "F2"))),
            draw(st.sampled_from((-9_000.0, 0.0, 700.0, 5_000.0, 11_000.0))),
            11_000.0,
            9_000.0 if both else 0.0,
            least,
            least if both else 0.0,
            draw(st.sampled_from(((1,), (3,), (1, 2, 3)))),
            draw(st.integers(0, 1)),
        )
        deaf, silent = draw(st.sampled_from(((False, False), (False, False), (False, True), (True, False))))
        found.append(Bay(demand, draw(st.sampled_from((1.0, 0.3))), deaf, silent, draw(st.sampled_from((0.0, 4_000.0))) if deaf else 0.0))
    return found


TREE = Connection(
    "grid",
    20_000.0,
    8_000.0,
    metered=True,
    blind=3_000.0,
    below=(Connection("F1", 12_000.0, 6_000.0, phase_import_cap=4_000.0, phase_export_cap=4_000.0), Connection("F2", 9_000.0)),
)
WAYS = {"grid": ("grid",), "F1": ("grid", "F1"), "F2": ("grid", "F2")}


def flows(cars: Sequence[tuple[Demand, float]], name: str, phase: int = 0) -> float:
    """W through a connection, or a phase of it, besides loads."""
    there = [(demand, power) for demand, power in cars if name in WAYS[demand.at]]
    return sum(power / len(d.phases) if phase else power for d, power in there if not phase or phase in d.phases)


def worst(bays: Sequence[Bay], told: Mapping[str, float], sign: float) -> list[tuple[Demand, float]]:
    """What everybody may draw (sign 1), or give (-1), at worst until it has followed."""
    return [(bay.demand, sign * max(sign * bay.power, 0.0 if bay.deaf else sign * told[bay.demand.name])) for bay in bays]


@given(bays(), st.lists(st.sampled_from((0.0, 6_000.0, 25_000.0, -12_000.0, None)), min_size=1, max_size=5))
def test_no_command_takes_a_cap_further_than_what_flows_already(there: list[Bay], loads: list[float | None]) -> None:
    """Loads jump, meters are silent (None), cars lag, are deaf or unread: worse than now it gets only within the caps."""
    memory, heard, now, load = Memory(), Reading(0.0, NOON), NOON, 0.0
    for said in loads:
        for _ in range(13):
            now += 1.0
            if said is not None:
                load = said
                heard = Reading(load + flows([(b.demand, b.power) for b in there], "grid"), now)
            demands = [replace(b.demand, measured=None if b.silent else Reading(b.power, now)) for b in there]
            made, memory = dispatch(Ground(TREE), demands, {"grid": heard}, memory, now)
            obeys(there, made)
            if said is not None and not any(bay.silent for bay in there):
                within(there, made, load)
            if now - heard.at > PATIENCE:
                assert "grid" in made.silent
                assert flows(worst(there, made.commands, 1.0), "grid") <= max(TREE.blind, drawing(there, made)) + SLACK
            for bay in there:
                bay.live(made.commands[bay.demand.name])


def drawing(there: Sequence[Bay], made: Dispatch) -> float:
    """W that flow into cars that are told no more than that, and those that nobody reads were told before."""
    return sum(max(bay.power, made.commands[bay.demand.name] if bay.silent or bay.deaf else 0.0, 0.0) for bay in there)


def obeys(there: Sequence[Bay], made: Dispatch) -> None:
    """Every command is one that the car can follow: within its caps, its minimum or nothing, in the direction that was wanted."""
    for bay in there:
        told, demand = made.commands[bay.demand.name], bay.demand
        assert -demand.give - SLACK <= told <= demand.most + SLACK
        assert told == 0 or abs(told) >= (demand.least if told > 0 else demand.least_give) - SLACK
        assert told * demand.wanted >= 0
        assert abs(told) <= abs(demand.wanted) + SLACK


def within(there: Sequence[Bay], made: Dispatch, load: float) -> None:
    """No cap gets worse than it is, or than it may be."""
    caps = [("grid", 0, 20_000.0 - load, 8_000.0 + load), ("F1", 0, 12_000.0, 6_000.0), ("F2", 0, 9_000.0, math.inf)]
    caps += [("F1", phase, 4_000.0, 4_000.0) for phase in (1, 2, 3)]
    for name, phase, up, down in caps:
        flowing = flows([(bay.demand, bay.power) for bay in there], name, phase)
        drawing = flows([(bay.demand, max(bay.power, 0.0)) for bay in there], name, phase)
        assert flows(worst(there, made.commands, 1.0), name, phase) <= max(up, flowing, drawing if up < drawing else -math.inf) + SLACK
        giving = flows([(bay.demand, min(bay.power, 0.0)) for bay in there], name, phase)
        assert (
            -flows(worst(there, made.commands, -1.0), name, phase) <= max(down, -flowing, -giving if down < -giving else -math.inf) + SLACK
        )


# --- one thing each ---


def test_all_alike_get_the_same_part_and_the_first_rank_gets_its_whole() -> None:
    made, _ = dispatch(grid(11_000.0), [car("a", 11_000.0), car("b", 11_000.0)], {}, Memory(), NOON)
    assert made.commands == {"a": pytest.approx(5_500.0), "b": pytest.approx(5_500.0)}
    assert made.bound == {"a": ("grid",), "b": ("grid",)}
    made, _ = dispatch(grid(11_000.0), [car("a", 8_000.0, rank=1), car("b", 8_000.0)], {}, Memory(), NOON)
    assert made.commands == {"a": pytest.approx(3_000.0), "b": pytest.approx(8_000.0)}


def test_a_load_that_jumps_is_made_room_for_with_the_next_look() -> None:
    ground = grid(20_000.0, metered=True)
    cars = [car("a", 10_000.0, drawn=10_000.0), car("b", 10_000.0, drawn=10_000.0)]
    told = Memory({"a": 10_000.0, "b": 10_000.0})
    made, _ = dispatch(ground, cars, {"grid": Reading(32_000.0, NOON)}, told, NOON)
    assert sum(made.commands.values()) == pytest.approx(8_000.0)


def test_nobody_gets_more_before_another_has_taken_less() -> None:
    cars = [car("a", 0.0, drawn=10_000.0), car("b", 10_000.0)]
    made, memory = dispatch(grid(12_000.0), cars, {}, Memory({"a": 10_000.0}), NOON)
    assert made.commands == {"a": 0.0, "b": pytest.approx(2_000.0)}
    made, _ = dispatch(grid(12_000.0), [car("a", 0.0), car("b", 10_000.0, drawn=2_000.0)], {}, memory, NOON)
    assert made.commands["b"] == pytest.approx(10_000.0)


def test_nobody_draws_on_what_another_promised_to_give() -> None:
    gives = car("a", -9_000.0, give=9_000.0)
    ground = grid(10_000.0)
    made, memory = dispatch(ground, [gives, car("b", 11_000.0), car("c", 8_000.0)], {}, Memory(), NOON)
    assert made.commands["b"] + made.commands["c"] == pytest.approx(10_000.0)
    does = replace(gives, measured=Reading(-9_000.0, NOON))
    made, _ = dispatch(ground, [does, car("b", 11_000.0), car("c", 8_000.0)], {}, memory, NOON)
    assert made.commands["b"] + made.commands["c"] == pytest.approx(19_000.0)


def test_who_draws_more_than_it_was_told_is_a_load_that_the_others_make_room_for() -> None:
    memory, now = Memory(), NOON
    for _ in range(round(SETTLE) + 3):
        deaf = replace(car("deaf", 2_000.0), measured=Reading(9_000.0, now))
        good = replace(car("good", 11_000.0), measured=Reading(memory.told.get("good", 0.0), now))
        made, memory = dispatch(grid(12_000.0), [deaf, good], {}, memory, now)
        now += 1.0
    assert made.commands["good"] == pytest.approx(3_000.0)
    assert made.commands["deaf"] <= 2_000.0


def test_who_takes_less_than_it_was_told_leaves_the_rest_to_others() -> None:
    memory, now, drawn = Memory(), NOON, 0.0
    for _ in range(round(SETTLE) + 10):
        slow = replace(car("slow", 11_000.0), measured=Reading(min(memory.told.get("slow", 0.0), 3_000.0), now))
        good = replace(car("good", 11_000.0), measured=Reading(drawn, now))
        made, memory = dispatch(grid(12_000.0), [slow, good], {}, memory, now)
        drawn, now = made.commands["good"], now + 1.0
    assert drawn >= 8_000.0


def test_minimum_powers_take_turns_and_each_has_its_share() -> None:
    cars, memory, now, had = 5, Memory(), NOON, [0.0] * 5
    for _ in range(100):
        demands = [replace(car(f"{k}", 4_140.0, least=4_140.0), measured=Reading(memory.told.get(f"{k}", 0.0), now)) for k in range(cars)]
        made, memory = dispatch(grid(9_000.0), demands, {}, memory, now)
        assert sum(power > 0 for power in made.commands.values()) <= 2
        for k in range(cars):
            had[k] += made.commands[f"{k}"]
        now += TURN / 5
    assert min(had) > 0.7 * max(had) > 0


def test_a_meter_that_goes_silent_leaves_the_room_that_was_set_down_for_it() -> None:
    ground = grid(50_000.0, metered=True, blind=4_000.0)
    cars = [car("a", 11_000.0), car("b", 11_000.0)]
    made, _ = dispatch(ground, cars, {"grid": Reading(0.0, NOON - PATIENCE - 1)}, Memory(), NOON)
    assert sum(made.commands.values()) == pytest.approx(4_000.0)
    assert made.silent == ("grid",)
    made, _ = dispatch(grid(50_000.0, metered=True), cars, {}, Memory(), NOON)
    assert set(made.commands.values()) == {0.0}


def test_an_outlet_that_goes_silent_counts_with_what_it_was_told_and_gets_no_more() -> None:
    silent = replace(car("a", 11_000.0), measured=None)
    made, _ = dispatch(grid(12_000.0), [silent, car("b", 11_000.0)], {}, Memory({"a": 6_000.0}), NOON)
    assert made.commands["a"] == pytest.approx(6_000.0)
    assert made.commands["b"] == pytest.approx(6_000.0)
    assert made.silent == ("a",)


def test_a_setpoint_at_the_meter_moves_all_and_of_two_the_first_in_rank_holds() -> None:
    def wish(power: float, rank: Rank) -> Signal:
        return Signal(f"{power}", Kind.SETPOINT, Series.constant(NOON - 60, 3_600, power), rank)

    ground = replace(
        grid(50_000.0, metered=True), signals=(wish(20_000.0, Rank.COMMITMENT), wish(12_000.0, Rank.GRID), wish(0.0, Rank.COMMITMENT))
    )
    cars = [car("a", 11_000.0), car("b", 4_000.0)]
    made, _ = dispatch(ground, cars, {"grid": Reading(3_000.0, NOON)}, Memory(), NOON)
    assert sum(made.commands.values()) == pytest.approx(9_000.0)


def test_a_cap_of_a_signal_holds_at_the_top() -> None:
    low = Signal("dso", Kind.IMPORT_CAP, Series.constant(NOON - 60, 3_600, 4_000.0))
    made, _ = dispatch(replace(grid(50_000.0), signals=(low,)), [car("a", 11_000.0)], {}, Memory(), NOON)
    assert made.commands["a"] == pytest.approx(4_000.0)


def test_a_load_above_the_cap_is_told_and_nobody_draws() -> None:
    made, _ = dispatch(grid(5_000.0, metered=True), [car("a", 11_000.0)], {"grid": Reading(8_000.0, NOON)}, Memory(), NOON)
    assert made.over == {"grid": pytest.approx(3_000.0)}
    assert made.commands["a"] == 0.0


def test_an_outlet_at_no_connection_and_a_reading_that_is_no_number_are_named() -> None:
    with pytest.raises(ValueError, match="the connections are grid"):
        dispatch(grid(1.0), [car("a", 1.0, at="nowhere")], {}, Memory(), NOON)
    with pytest.raises(ValueError, match="finite"):
        Reading(math.nan, NOON)


def test_no_command_is_above_its_cap_or_below_its_minimum_by_the_last_digit() -> None:
    demand = Demand("a", "grid", 11_000.0, 11_000.0, least=1_380.1)
    assert _exact(demand, 2_000.0000000000227) == 2_000.0
    assert _exact(demand, 1_380.1) == 1_380.1
    assert _exact(demand, -1_999.9999999999998) == -2_000.0
