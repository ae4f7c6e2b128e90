"""What an inverter does about its grid: numbers worked by hand, one function at a time, and the limits that hold whatever is asked."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcc.inverter import Inverter, Rating
from v2g.energy.der import (
    Curve,
    EnterService,
    FrequencyWatt,
    Grid,
    GridControl,
    PowerFactor,
    RideThrough,
    Trips,
    VoltWatt,
    ZeroCurrent,
)

FREE = (-11_000.0, 11_000.0)
OVER = FrequencyWatt(start=50.2, stop=50.05, slope=0.4)  # 40 % of 11 kW for each Hz: 4,400 W/Hz
UNDER = FrequencyWatt(start=49.8, stop=49.95, slope=0.4)


def at(control: GridControl, grid: Grid, wanted: float, bounds: tuple[float, float] = FREE, seconds: float = 1.0) -> Inverter:
    one = Inverter(Rating(), control=control)
    one.step(grid, wanted, bounds, seconds)
    return one


@pytest.mark.parametrize(
    ("frequency", "power"),
    [(50.0, -8_000.0), (50.2, -8_000.0), (50.7, -5_800.0), (51.2, -3_600.0), (53.2, 5_200.0)],
)
def test_above_its_start_the_frequency_takes_back_what_is_given_and_then_charges(frequency: float, power: float) -> None:
    flow = at(GridControl(over_frequency=OVER), Grid(frequency=frequency), -8_000.0).flow
    assert flow.power == pytest.approx(power)
    assert flow.alarms == (("OverFrequency",) if frequency > 50.2 else ())


@pytest.mark.parametrize(("frequency", "power"), [(50.0, 6_000.0), (49.3, 3_800.0), (48.3, -600.0)])
def test_below_its_start_the_frequency_takes_from_the_charge_and_then_gives(frequency: float, power: float) -> None:
    flow = at(GridControl(under_frequency=UNDER), Grid(frequency=frequency), 6_000.0).flow
    assert flow.power == pytest.approx(power)
    assert flow.alarms == (("UnderFrequency",) if frequency < 49.8 else ())


def test_a_share_of_what_flows_is_of_what_flowed_when_the_response_began() -> None:
    one = at(GridControl(over_frequency=replace(OVER, reference="present")), Grid(), -5_000.0)
    for _ in range(3):
        assert one.step(Grid(frequency=51.2), -5_000.0, FREE, 1.0).power == pytest.approx(-3_000.0)


def test_with_hysteresis_a_response_stays_at_its_strongest_until_the_frequency_is_back() -> None:
    one = at(GridControl(over_frequency=replace(OVER, hysteresis=True)), Grid(frequency=51.2), -8_000.0)
    for frequency, power in ((50.7, -3_600.0), (50.1, -3_600.0), (50.05, -8_000.0), (50.7, -5_800.0)):
        assert one.step(Grid(frequency=frequency), -8_000.0, FREE, 1.0).power == pytest.approx(power), frequency


def test_a_delay_is_waited_for_and_begins_anew() -> None:
    one = at(GridControl(over_frequency=replace(OVER, delay=2.0)), Grid(frequency=51.2), -8_000.0)
    powers = [one.step(Grid(frequency=51.2), -8_000.0, FREE, 1.0).power for _ in range(2)]
    assert powers == pytest.approx([-8_000.0, -3_600.0])
    one.step(Grid(), -8_000.0, FREE, 1.0)
    assert one.step(Grid(frequency=51.2), -8_000.0, FREE, 1.0).power == pytest.approx(-8_000.0)


def test_a_time_constant_takes_its_time_and_a_limit_does_not() -> None:
    one = at(GridControl(over_frequency=replace(OVER, response=10.0)), Grid(), -8_000.0)
    reached = one.step(Grid(frequency=51.2), -8_000.0, FREE, 10.0).power
    assert reached == pytest.approx(-8_000.0 + 4_400.0 * (1 - math.exp(-1)))
    assert one.step(Grid(frequency=51.2), -8_000.0, (-1_000.0, 0.0), 0.1).power == -1_000.0
    one.control = replace(one.control, discharge_maximum=500.0)
    assert one.step(Grid(frequency=51.2), -8_000.0, FREE, 0.1).power == -500.0


@pytest.mark.parametrize(("voltage", "power"), [(230.0, -11_000.0), (240.0, -11_000.0), (246.5, -5_500.0), (253.0, 0.0), (260.0, 0.0)])
def test_a_high_voltage_leaves_less_to_give_back(voltage: float, power: float) -> None:
    control = GridControl(volt_watt=VoltWatt(start=240.0, stop=253.0))
    assert at(control, Grid(voltage=voltage), -11_000.0).flow.power == pytest.approx(power)
    assert at(control, Grid(voltage=voltage), 7_000.0).flow.power == 7_000.0  # charging helps


@pytest.mark.parametrize(("voltage", "power"), [(220.0, 11_000.0), (207.0, 11_000.0), (200.5, 5_500.0), (190.0, 0.0)])
def test_a_low_voltage_leaves_less_to_take(voltage: float, power: float) -> None:
    control = GridControl(volt_watt=VoltWatt(start=207.0, stop=194.0))
    assert at(control, Grid(voltage=voltage), 11_000.0).flow.power == pytest.approx(power)
    assert at(control, Grid(voltage=voltage), -7_000.0).flow.power == -7_000.0


VOLT_VAR = Curve(((214.0, -4_000.0), (225.0, 0.0), (235.0, 0.0), (246.0, 4_000.0)))


@pytest.mark.parametrize(("voltage", "var"), [(200.0, -4_000.0), (219.5, -2_000.0), (230.0, 0.0), (240.5, 2_000.0), (260.0, 4_000.0)])
def test_reactive_power_follows_the_voltage_absorbed_above_injected_below(voltage: float, var: float) -> None:
    assert at(GridControl(volt_var=VOLT_VAR), Grid(voltage=voltage), -5_000.0).flow.reactive == pytest.approx(var)


def test_reactive_power_follows_the_power() -> None:
    curve = Curve(((-8_000.0, 3_000.0), (-4_000.0, 0.0), (0.0, 0.0)))
    assert at(GridControl(watt_var=curve), Grid(), -6_000.0).flow.reactive == pytest.approx(1_500.0)
    factor = Curve(((-8_000.0, 0.8), (-4_000.0, 1.0)))  # absorbing
    assert at(GridControl(watt_cos_phi=factor), Grid(), -8_000.0).flow.reactive == pytest.approx(6_000.0)
    assert at(GridControl(watt_cos_phi=factor), Grid(), -4_000.0).flow.reactive == pytest.approx(0.0)


def test_set_points_of_reactive_power_and_the_curve_they_replace() -> None:
    assert at(GridControl(var=-2_500.0), Grid(), -5_000.0).flow.reactive == -2_500.0
    assert at(GridControl(volt_var=VOLT_VAR, var=-2_500.0), Grid(voltage=246.0), -5_000.0).flow.reactive == -2_500.0
    assert at(GridControl(cos_phi=PowerFactor(0.8, absorbing=False)), Grid(), -4_000.0).flow.reactive == pytest.approx(-3_000.0)


def test_the_rating_bounds_reactive_power_beside_the_power() -> None:
    assert at(GridControl(var=9_000.0), Grid(), -2_000.0).flow.reactive == 6_600.0
    assert at(GridControl(var=9_000.0), Grid(), -10_000.0).flow.reactive == pytest.approx(math.sqrt(11_000.0**2 - 10_000.0**2))
    assert at(GridControl(volt_var=replace(VOLT_VAR, minimum_cos_phi=0.8)), Grid(voltage=260.0), -4_000.0).flow.reactive == pytest.approx(
        3_000.0
    )


def test_beyond_a_voltage_no_current_flows_until_it_has_recovered() -> None:
    control = GridControl(zero_current=ZeroCurrent(over=276.0, under=150.0, over_recovery=253.0, under_recovery=200.0))
    one = at(control, Grid(), -8_000.0)
    steps = ((277.0, 0.0), (260.0, 0.0), (253.0, -8_000.0), (149.0, 0.0), (180.0, 0.0), (200.0, -8_000.0))
    for voltage, power in steps:
        flow = one.step(Grid(voltage=voltage), -8_000.0, FREE, 0.1)
        assert flow.power == power, voltage
        assert flow.connected
    assert one.step(Grid(voltage=277.0), -8_000.0, FREE, 0.1).alarms == ("OverVoltage",)


def test_a_fault_is_ridden_through_with_reactive_power() -> None:
    control = GridControl(over_voltage=RideThrough(264.5, rise=2.0), under_voltage=RideThrough(195.5, fall=2.0))
    low, high = at(control, Grid(voltage=172.5), -5_000.0).flow, at(control, Grid(voltage=276.0), -5_000.0).flow
    assert low.reactive == pytest.approx(-2.0 * 0.1 * 11_000)
    assert high.reactive == pytest.approx(2.0 * 0.05 * 11_000)
    assert (low.alarms, high.alarms) == (("UnderVoltage",), ("OverVoltage",))
    assert low.power == -5_000.0


def test_an_inverter_trips_after_its_time_and_comes_back_when_it_may() -> None:
    control = GridControl(trips=Trips(), enter_service=EnterService(delay=60.0))
    one = at(control, Grid(), -8_000.0)
    for _ in range(19):
        assert one.step(Grid(voltage=265.0), -8_000.0, FREE, 0.1).connected
    for _ in range(3):
        flow = one.step(Grid(voltage=265.0), -8_000.0, FREE, 0.1)
    assert (flow.power, flow.connected, flow.alarms) == (0.0, False, ("OverVoltage",))
    waited = [one.step(Grid(), -8_000.0, FREE, 10.0).connected for _ in range(6)]
    assert waited == [False] * 5 + [True]
    assert one.step(Grid(), -8_000.0, FREE, 1.0).power == -8_000.0


def test_a_trip_at_once_is_at_once() -> None:
    one = at(GridControl(trips=Trips()), Grid(), -8_000.0)
    assert not one.step(Grid(frequency=54.0), -8_000.0, FREE, 0.2).connected


def test_without_leave_nothing_is_fed() -> None:
    one = at(GridControl(enter_service=EnterService(permit=False)), Grid(), -8_000.0)
    assert (one.flow.power, one.flow.alarms) == (0.0, ("RemoteEmergency",))
    assert one.step(Grid(), 5_000.0, FREE, 1.0).power == 5_000.0


def test_what_an_inverter_cannot_do_is_named() -> None:
    assert Rating().lacks(GridControl(over_frequency=OVER, volt_var=VOLT_VAR)) == ()
    assert Rating().lacks(GridControl(forming=True)) == ("forming",)
    assert Rating(functions=frozenset({"over_frequency"})).lacks(GridControl(over_frequency=OVER, volt_var=VOLT_VAR)) == ("volt_var",)


volts, hertz, watts = st.floats(1, 400), st.floats(40, 60), st.floats(-20_000, 20_000)
droops = st.builds(
    FrequencyWatt, hertz, hertz, st.floats(0, 10), st.sampled_from(["maximum", "present"]), st.booleans(), st.floats(0, 3), st.floats(0, 9)
)
curves = st.lists(watts, min_size=2, max_size=10).map(lambda ys: Curve(tuple((180.0 + 10 * n, y) for n, y in enumerate(ys))))
controls = st.builds(
    GridControl,
    over_frequency=st.none() | droops,
    under_frequency=st.none() | droops,
    volt_watt=st.none() | st.builds(VoltWatt, st.floats(200, 239), st.floats(240, 280)),
    volt_var=st.none() | curves,
    zero_current=st.none() | st.builds(ZeroCurrent, st.floats(260, 300), st.floats(100, 200)),
    trips=st.none() | st.just(Trips()),
    enter_service=st.none() | st.builds(EnterService, st.booleans()),
    discharge_maximum=st.none() | st.floats(0, 12_000),
    watt=st.none() | watts,
)


@settings(max_examples=300, deadline=None)
@given(controls, st.lists(st.tuples(volts, hertz, watts, st.floats(-11_000, 0), st.floats(0, 11_000)), min_size=1, max_size=8))
def test_whatever_the_grid_asks_every_limit_holds(control: GridControl, moments: list[tuple[float, ...]]) -> None:
    one = Inverter(Rating(), control=control)
    for voltage, frequency, wanted, lowest, highest in moments:
        flow = one.step(Grid(voltage, frequency), wanted, (lowest, highest), 1.0)
        assert lowest - 1e-6 <= flow.power <= highest + 1e-6
        assert math.hypot(flow.power, flow.reactive) <= 11_000.0 * (1 + 1e-9)
        assert abs(flow.reactive) <= 6_600.0
        if control.discharge_maximum is not None:
            assert flow.power >= -control.discharge_maximum - 1e-6 or highest < -control.discharge_maximum
        if control.zero_current is not None and control.zero_current.over is not None and voltage > control.zero_current.over:
            assert (flow.power, flow.reactive) == (0.0, 0.0)
        if not flow.connected:
            assert (flow.power, flow.reactive) == (0.0, 0.0)
