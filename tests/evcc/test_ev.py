"""The battery: energy is kept, bounds hold, the taper falls."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcc.car import Car, Wish
from evcc.ev import Battery, Ev, Inlet
from evcc.goal import Goal, span
from tests.evcc.virtual_pair import Pair
from tests.starved import HANG, again
from v2g.session.clock import Clock
from v2g.session.endpoint import Noted

batteries = st.builds(
    Battery,
    capacity=st.floats(5_000, 200_000),
    charge_power=st.floats(1_000, 350_000),
    discharge_power=st.floats(0, 100_000),
    charge_efficiency=st.floats(0.7, 1.0),
    discharge_efficiency=st.floats(0.7, 1.0),
    taper_from=st.floats(0.3, 0.99),
    taper_to=st.floats(0.01, 1.0),
    resistance=st.floats(0.0, 0.2),
)
shares = st.floats(0.0, 1.0)
powers = st.floats(-200_000, 200_000)
seconds = st.floats(0.0, 7_200.0)


@given(batteries, shares, powers, seconds)
def test_energy_stays_between_empty_and_full(battery: Battery, share: float, power: float, duration: float) -> None:
    after = battery.after(share * battery.capacity, power, duration)
    assert 0.0 <= after <= battery.capacity
    assert (after >= share * battery.capacity - 1e-6) if power >= 0 else (after <= share * battery.capacity + 1e-6)


@given(batteries, shares, powers, seconds, st.floats(0.0, 1.0))
def test_a_time_in_two_parts_is_the_same_time(battery: Battery, share: float, power: float, duration: float, cut: float) -> None:
    energy = share * battery.capacity
    halves = battery.after(battery.after(energy, power, duration * cut), power, duration * (1 - cut))
    assert halves == pytest.approx(battery.after(energy, power, duration), abs=1e-5)


@given(batteries, st.floats(0.3, 0.7), st.floats(100, 20_000), st.floats(1.0, 60.0))
def test_a_round_trip_costs_both_efficiencies(battery: Battery, share: float, power: float, duration: float) -> None:
    ev = Ev(battery, energy=share * battery.capacity)
    ev.take(power, duration)
    stored = ev.energy - share * battery.capacity
    back = -battery.power_to(ev.energy, share * battery.capacity, duration)
    ev.take(-back, duration)
    assert ev.energy == pytest.approx(share * battery.capacity, abs=1e-3)
    if stored > 0:
        assert ev.discharged == pytest.approx(ev.charged * battery.charge_efficiency * battery.discharge_efficiency, rel=1e-6, abs=1e-3)


@given(batteries, shares, st.floats(-100_000, 100_000), st.floats(1.0, 3_600.0))
def test_power_to_is_the_inverse_of_after(battery: Battery, share: float, moved: float, duration: float) -> None:
    energy = share * battery.capacity
    target = min(max(energy + moved, 0.0), battery.capacity)
    assert battery.after(energy, battery.power_to(energy, target, duration), duration) == pytest.approx(target, abs=1e-4)


@given(batteries, shares, shares)
def test_a_fuller_battery_takes_no_more(battery: Battery, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert battery.ceiling(high * battery.capacity) <= battery.ceiling(low * battery.capacity) + 1e-6
    assert battery.ceiling(battery.capacity) == 0.0
    assert battery.floor(0.0) == 0.0


@given(batteries, st.floats(0.05, 0.95), st.floats(-50_000, 50_000))
def test_current_and_voltage_make_the_power(battery: Battery, share: float, power: float) -> None:
    ev = Ev(battery, energy=share * battery.capacity)
    current = ev.current(power)
    if battery.resistance == 0 or ev.voltage() ** 2 + 4 * battery.resistance * power > 0:  # else no current gives that power
        assert current * ev.voltage(current) == pytest.approx(power, rel=1e-6, abs=1e-3)


@given(batteries, shares, st.booleans(), st.floats(0.1, 900.0), st.tuples(*[st.floats(0, 100)] * 3))
def test_what_a_car_accepts_keeps_its_goal(battery: Battery, share: float, both: bool, step: float, socs: tuple[float, ...]) -> None:
    low, middle, high = sorted(socs)
    ev, goal = Ev(battery, energy=share * battery.capacity), Goal(minimum_soc=low, target_soc=middle, maximum_soc=high)
    lowest, highest = span(ev, goal, Inlet(), both, step)
    assert lowest <= 0.0 <= highest
    assert highest <= battery.charge_power
    top, bottom = ev.at_soc(high if both else middle), ev.at_soc(low)
    assert battery.after(ev.energy, highest, step) <= max(top, ev.energy) + 1e-3
    assert battery.after(ev.energy, lowest, step) >= min(bottom, ev.energy) - 1e-3
    if not both:
        assert lowest == 0.0


def test_the_meter_counts_both_ways() -> None:
    ev = Ev(energy=30_000.0)
    ev.take(10_000.0, 3_600.0)
    ev.take(-4_000.0, 1_800.0)
    assert (ev.charged, ev.discharged) == (10_000.0, 2_000.0)
    assert ev.energy == pytest.approx(30_000 + 10_000 * 0.95 - 2_000 / 0.95)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (lambda: Battery(capacity=0), "battery.capacity"),
        (lambda: Battery(charge_efficiency=1.2), "charge_efficiency"),
        (lambda: Battery(voltage_full=100.0), "voltage_full"),
        (lambda: Inlet(charge_power=1.0, charge_power_minimum=2.0), "charge_power_minimum"),
        (lambda: Goal(target_soc=95.0), "ascend"),
        (lambda: Ev(energy=1e9), "1000000000.0 Wh"),
    ],
)
def test_what_cannot_be_is_refused_by_name(wrong: object, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        wrong()  # type: ignore[operator]


def test_an_absent_energy_is_a_fifth() -> None:
    assert Ev(Battery(capacity=50_000)).energy == 10_000
    assert not math.isnan(Ev().soc)


class Relays(Ev):
    """A car whose contactors may be broken."""

    told: list[object]
    broken: tuple[bool, ...] = ()

    def contactors(self, closed: bool) -> None:
        self.told.append(closed)
        if closed in self.broken:
            raise OSError("no answer from the relay")

    def pilot(self, state: str) -> None:
        self.told.append(state)
        raise OSError("no pilot")


def relays(*broken: bool) -> tuple[Relays, Pair]:
    ev = Relays(energy=20_000.0)
    ev.told, ev.broken = [], broken
    wish = Wish(services=("DC",), authorizations=("EIM",), loops=3, bench_plain=True)
    return ev, Pair(Car(ev, wish=wish, clock=Clock(1_790_000_000.0)))


def test_contactors_and_pilot_of_a_car_are_driven_and_a_pilot_that_fails_costs_nothing() -> None:
    ev, pair = relays()
    assert pair.evcc.ended is not None
    assert pair.evcc.ended.well, pair.evcc.ended
    assert ev.told == ["C", True, False, "B"]


def test_contactors_that_do_not_close_end_the_session_and_are_opened() -> None:
    ev, pair = relays(True)
    assert pair.evcc.ended is not None
    assert not pair.evcc.ended.well
    assert [told for told in ev.told if isinstance(told, bool)] == [True, False]
    assert not pair.car.delivering


def test_contactors_that_do_not_open_are_noted_and_the_session_ends() -> None:
    _, pair = relays(False)
    assert pair.evcc.ended is not None
    assert any(event.topic == "hardware failed" and event.facts["what"] == "contactors" for event in pair.seen if isinstance(event, Noted))


@again
def test_the_example_of_the_document_charges(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "evcc.md").read_text()
    example = next(text for text in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "class Bench" in text)
    (tmp_path / "bench.py").write_text(example)
    station = [sys.executable, "-m", "v2gkit", "secc", "--no-tls", "--port", "0", "--once", "--json"]
    with subprocess.Popen(station, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            port = json.loads(process.stdout.readline())["address"].rpartition(":")[2]
            run = subprocess.run([sys.executable, "bench.py", port], cwd=tmp_path, capture_output=True, text=True, timeout=HANG)
        finally:
            process.terminate()
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.index("relays closed") < run.stdout.index("relays open")
