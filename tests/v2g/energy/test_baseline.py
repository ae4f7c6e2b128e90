"""Baselines against what others published: reference trajectories of LBNL, clauses and examples of programmes; and what no run may do."""

import math
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2g.energy.baseline.adjustment import Adjustment, How
from v2g.energy.baseline.days import Pick, XofY, regressed
from v2g.energy.baseline.model import Day, Event, Run, Type, Unavailable
from v2g.energy.baseline.same_day import Around, Before, ControlGroup, Nominated, Session
from v2g.energy.baseline.table import METHODS, of

MONDAY = date(2026, 3, 2)
HOURS = 24

# --- LBNL Modelica Buildings, Controls.Predictors.Validation: stored results of 2015-05-08, every 14.64 h over 61 days ---
# Day 0 is a Monday. Every seventh day from 12:00 of day 1 a call lasts 4 hours; nothing is stored from then until its last hour.
# What is stored at the very instant of a change is the value before it.

STEP = 14.64  # h
LINEAR = [  # baseLoad.PPre[1] of LinearInput
    *(0, 0, 3.00683069, 3.02595639, 3.07923508, 3.09972668, 3.11885238, 3.13934422, 3.15983605, 0, 3.16666675, 3.18715858, 3.23907113),
    *(3.25956273, 3.27868843, 3.29918027, 3.31967211, 3.33879781, 3.35928965, 3.37978148, 3.39890718, 3.41939902, 3.43989062, 3.45901632),
    *(3.47950816, 3.49863386, 3.51912570, 3.53961754, 3.55874323, 3.57923508, 3.59972668, 3.61885238, 3.63934422, 3.65983605, 3.67896175),
    *(3.69945359, 3.71994543, 3.73907113, 3.75956273, 3.77868843, 3.79918027, 3.81967211, 3.83879781, 3.85928965, 3.87978148, 3.89890718),
]
LINEAR_ADJUSTMENT = {2: 1.01091897487640380859, 5: 1.01432406902313232422, 11: 1.01030039787292480469}  # baseLoad.adj, 1 elsewhere ...
STALE = {15}  # ... but here: an hour after an event's day, where the block compares what it had stored on days before it
LINEAR_ADJUSTED = {2: 3.03966212, 3: 3.02595639, 5: 3.14412761, 9: 0, 10: 3.16666675, 11: 3.21998763, 12: 3.23907113}  # PPre[1]
SINE = [  # baseLoad.PPre[1] of SineInput
    *(0, 0, 0.37059048, 0.37059048, 0.93301272, 0.01703709, 0.85355341, 0.5, 0.14644662, 0, 1.06698728, 1.62940955, 0.62940955, 0.06698730),
    *(1, 0.14644662, 0.5, 0.75, 0.01703709, 0.93301272, 1.25, 1.37059045, 1.93301272, 0, 0.85355341, 0.37059048, 0.25, 0.98296291),
    *(0.01703709, 0.75, 0.62940955, 0.14644662, 2, 1.14644659, 1.62940955, 0.75, 0.01703709, 0.98296291, 0.25, 0.5, 0.85355341, 0),
    *(0.93301272, 1.37059045, 1.25, 1.93301272, 0.01703709, 0.75, 0.5, 0.14644662),
]


def linear(hour: int) -> tuple[float, float]:
    """Power and temperature."""
    return 3.0 + 2.0 * hour / (61 * HOURS), 283.15 + 10.0 * hour / (61 * HOURS)


def sine(hour: int) -> tuple[float, float]:
    return 0.5 - 0.5 * math.cos(2 * math.pi * hour / HOURS) + (1.0 if hour // HOURS % 7 >= 5 else 0.0), 0.0


def lbnl(source: Callable[[int], tuple[float, float]], method: XofY, place: int) -> Run | None:
    """The run for the hour of the stored place, on what had been metered until then; None: there is no history."""
    now = max(0, math.ceil(STEP * place - 1e-9) - 1)
    days = []
    for day in range(now // HOURS + 1):
        hours = range(HOURS * day, HOURS * (day + 1))
        stored = [hour < now and not (day % 7 == 1 and 12 <= hour % HOURS < 23) for hour in hours]
        powers = tuple(source(hour)[0] if known else None for hour, known in zip(hours, stored, strict=True))
        days.append(Day(MONDAY + timedelta(day), powers, temperatures=tuple(source(hour)[1] for hour in hours)))
    try:
        return method.run(Event(days[-1], now % HOURS, now % HOURS + 1), days[:-1])
    except Unavailable:
        return None


def predicted(run: Run | None) -> float:
    return 0.0 if run is None else run.powers[0]


def plain(name: str) -> XofY:
    method = of(name)
    assert isinstance(method, XofY)
    return XofY(method.x, method.y, method.pick, method.type, least=1, each=True, weather=method.weather)


@pytest.mark.parametrize("place", range(len(LINEAR)))
def test_the_regression_is_that_of_lbnl(place: int) -> None:
    run = lbnl(linear, plain("weather 10 of 10, ratio of the day"), place)
    assert predicted(run) == pytest.approx(LINEAR[place], abs=2e-7)


@pytest.mark.parametrize("place", sorted(set(range(len(LINEAR))) - STALE))
def test_the_adjustment_of_the_day_is_that_of_lbnl(place: int) -> None:
    run = lbnl(linear, of("weather 10 of 10, ratio of the day"), place)  # type: ignore[arg-type]
    factor = 1.0 if run is None or run.adjustment is None else run.adjustment
    assert factor == pytest.approx(LINEAR_ADJUSTMENT.get(place, 1.0), abs=1e-7)
    assert predicted(run) == pytest.approx(LINEAR_ADJUSTED.get(place, LINEAR[place]), abs=3e-7)


@pytest.mark.parametrize("place", range(len(SINE)))
def test_the_mean_of_days_of_a_type_is_that_of_lbnl(place: int) -> None:
    assert predicted(lbnl(sine, plain("mean 10 of 10, ratio of the day"), place)) == pytest.approx(SINE[place], abs=1e-7)


@pytest.mark.parametrize("name", ["mean 10 of 10, ratio of the day"])
def test_a_constant_load_is_its_own_baseline_with_and_without_adjustment(name: str) -> None:
    """ConstantInput and ConstantInputDayOfAdjustment of LBNL: 0 without history, else 1."""
    for place in range(45):
        for method in (plain(name), of(name)):
            run = lbnl(lambda hour: (1.0, 0.0), method, place)  # type: ignore[arg-type]
            assert predicted(run) == (0.0 if place in (0, 1, 9) else 1.0)


# --- programmes ---


def days(
    count: int, powers: Callable[[int, int], float | None], *, upto: date = MONDAY, intervals: int = HOURS, **more: object
) -> list[Day]:
    """The days before a date, the last one first; `powers` takes how many days ago and the interval."""
    return [Day(upto - timedelta(ago), tuple(powers(ago, i) for i in range(intervals)), **more) for ago in range(1, count + 1)]  # type: ignore[arg-type]


@pytest.mark.parametrize(("observed", "battery", "expected"), [(600.0, False, 600.0), (400.0, False, 500.0), (600.0, True, 500.0)])
def test_the_flexibility_services_standard_agreement(observed: float, battery: bool, expected: float) -> None:
    """Baseline 500 kW at noon to 1 pm; 600 seen: +100; 400 seen: 0, never negative; none for batteries. The event begins 2 h after noon."""
    day = Day(MONDAY, tuple(observed * 1000 if hour == 12 else 0.0 for hour in range(HOURS)))
    run = of("mid 8 of 10, never lower").run(Event(day, 14, 15, battery), days(20, lambda ago, hour: 500_000.0))
    assert run.powers == (expected * 1000,)
    assert run.adjustment == (None if battery else max(0.0, observed * 1000 - 500_000))


def test_centerpoint_takes_the_hour_before_last_of_five_business_days() -> None:
    """A curtailment on Friday 18 July 2008 from 4 to 5 pm rests on 2 to 3 pm of that day and of Monday to Thursday."""
    friday = date(2008, 7, 18)
    level = {4: 100.0, 3: 110.0, 2: 120.0, 1: 130.0, 0: 140.0}
    history = days(10, lambda ago, i: level.get(ago, 9_999.0) if i // 4 == 14 else 0.0, upto=friday, intervals=96)
    day = Day(friday, tuple(level[0] if i // 4 == 14 else 0.0 for i in range(96)))
    run = of("mean before, 5 days").run(Event(day, 64, 68), history)
    assert run.used == tuple(date(2008, 7, n) for n in (14, 15, 16, 17, 18))
    assert run.powers == (120.0,) * 4
    monday = days(10, lambda ago, i: 1.0, upto=date(2008, 7, 21), intervals=96)
    run = of("mean before, 5 days").run(Event(Day(date(2008, 7, 21), (1.0,) * 96), 64, 68), monday)
    assert run.used == tuple(date(2008, 7, n) for n in (15, 16, 17, 18, 21))
    assert {why for _, why in run.left} == {"no working day"}


def test_pjm_same_day_takes_three_hours_before_and_two_after_each_an_hour_away() -> None:
    """Hours ending 13 to 17 rest on hours ending 9 to 11 and 19 to 20."""
    day = Day(MONDAY, tuple(float(hour + 1) for hour in range(HOURS)))
    method = of("same day 3+2")
    assert isinstance(method, Around)
    event = Event(day, 12, 17)
    assert [place + 1 for place in method.places(event)] == [9, 10, 11, 19, 20]
    assert method.run(event, ()).powers == ((9 + 10 + 11 + 19 + 20) / 5,) * 5


def test_pge_takes_five_of_ten_weekdays_and_three_of_five_weekend_days() -> None:
    method = of("high 5 of 10, weekends 3 of 5")
    history = days(40, lambda ago, hour: 100.0 + ago)
    run = method.run(Event(Day(MONDAY, (None,) * HOURS), 17, 19), history)
    assert len(run.used) == 5
    assert run.powers[0] == 100 + (14 + 13 + 12 + 11 + 10) / 5  # the dearest five of the ten working days before
    sunday = MONDAY - timedelta(1)
    run = method.run(Event(Day(sunday, (None,) * HOURS), 17, 19), days(40, lambda ago, hour: float(ago), upto=sunday))
    assert [(sunday - day).days for day in run.used] == [15, 14, 8]
    assert run.powers[0] == (15 + 14 + 8) / 3


# --- kinds ---


def test_high_mid_and_low_pick_by_the_hours_of_the_event() -> None:
    history = days(14, lambda ago, hour: float(ago) if hour == 18 else 1_000.0 - ago)
    event = Event(Day(MONDAY, (None,) * HOURS), 18, 19)
    picked = {pick: XofY(2, 10, pick).run(event, history).powers[0] for pick in Pick}
    assert picked == {Pick.HIGH: 13.5, Pick.MID: 8.5, Pick.LOW: 3.5}  # of working days 3, 4, ... 7, 10, ... 14 days ago
    mondays = XofY(2, 2, Pick.MID, Type.WEEKDAY).run(event, days(21, lambda ago, hour: float(ago)))
    assert [(MONDAY - day).days for day in mondays.used] == [14, 7]


def test_days_of_events_holidays_and_gaps_are_passed_over_and_named() -> None:
    history = days(20, lambda ago, hour: None if ago == 4 else 100.0)
    history = [Day(d.date, d.powers, event=d.date == MONDAY - timedelta(3), holiday=d.date == MONDAY - timedelta(5)) for d in history]
    run = XofY(5, 5).run(Event(Day(MONDAY, (None,) * HOURS), 10, 12), history)
    why = {(MONDAY - day).days: reason for day, reason in run.left}
    assert why == dict.fromkeys((1, 2, 5, 8, 9), "another type of day") | {3: "an event", 4: "not metered"}
    assert [(MONDAY - day).days for day in run.used] == [12, 11, 10, 7, 6]
    with pytest.raises(Unavailable, match="4 days before 2026-03-02 can be used, 5 are needed"):
        XofY(5, 5, lookback=11).run(Event(Day(MONDAY, (None,) * HOURS), 10, 12), history)


def test_no_adjustment_is_made_of_what_was_not_metered_and_the_run_says_why() -> None:
    method = XofY(5, 5, adjustment=Adjustment(How.ADD, 7200, 3600))
    run = method.run(Event(Day(MONDAY, (None,) * HOURS), 10, 12), days(20, lambda ago, hour: 100.0))
    assert (run.adjustment, run.adjusted) == (None, "interval 8 of 2026-03-02 was not metered")
    assert run.powers == (100.0, 100.0)


def test_meter_before_nominated_control_group_and_session() -> None:
    day = Day(MONDAY, tuple(float(i) for i in range(96)))
    event = Event(day, 40, 42)
    assert of("meter before meter after").run(event, ()).powers == (39.0, 39.0)
    assert Nominated((5.0, 6.0), announced=1.0, gate=2.0).run(event, ()).powers == (5.0, 6.0)
    with pytest.raises(Unavailable, match="3 s after the gate"):
        Nominated((5.0, 6.0), announced=5.0, gate=2.0).run(event, ())
    with pytest.raises(Unavailable, match="1 powers, the event 2"):
        Nominated((5.0,), announced=1.0, gate=2.0).run(event, ())
    group = tuple(Day(MONDAY, (power,) * 96) for power in (10.0, 20.0, 60.0))
    assert ControlGroup(group, called=4).run(event, ()).powers == (120.0, 120.0)
    with pytest.raises(Unavailable, match="2 are needed"):
        ControlGroup(group[:1]).run(event, ())
    car = Session(arrival=40 * 900 + 450, departure=50_000, energy=1_650.0, power=11_000.0)  # 9 minutes of charging
    assert car.run(event, ()).powers == (5_500.0, pytest.approx(11_000.0 * 90 / 900))
    assert Session(arrival=0, departure=50_000, energy=-500.0, power=11_000.0).run(event, ()).powers == (0.0, 0.0)
    with pytest.raises(Unavailable):
        Before(begin=7_200).run(Event(day, 4, 5), ())
    with pytest.raises(Unavailable):
        Around().run(Event(day, 4, 5), ())


@given(st.floats(0, 1e5), st.floats(1, 86_400), st.floats(0, 90_000), st.floats(100, 50_000))
def test_a_session_counterfactual_never_draws_more_than_the_session_had(arrival: float, stay: float, energy: float, power: float) -> None:
    event = Event(Day(MONDAY, (None,) * 96), 0, 96)
    powers = Session(arrival, arrival + stay, energy, power).run(event, ()).powers
    assert math.fsum(powers) * 0.25 <= energy * (1 + 1e-9) + 1e-6
    assert all(0 <= each <= power * (1 + 1e-9) for each in powers)


@pytest.mark.parametrize("name", METHODS)
def test_a_run_repeats_from_the_same_input_to_the_octet_and_shows_any_other(name: str) -> None:
    history = days(60, lambda ago, i: 100.0 + ago * (i % 7), intervals=96, temperatures=tuple(float(i % 9) for i in range(96)))
    day = Day(MONDAY, tuple(float(i % 11) for i in range(96)), temperatures=tuple(float(i % 5) for i in range(96)))
    event, method = Event(day, 50, 54), of(name, 1)
    assert method.name
    first = method.run(event, history)
    assert first.record() == method.run(event, list(reversed(history))).record()
    changed = Day(MONDAY, (*day.powers[:49], 77.0, *day.powers[50:]), temperatures=day.temperatures)
    assert method.run(Event(changed, 50, 54), history).record() != first.record()
    assert set(first.used).isdisjoint(day for day, _ in first.left)
    assert all(math.isfinite(power) for power in first.powers)


def test_what_cannot_be_is_refused() -> None:
    for made in (
        lambda: XofY(6, 5),
        lambda: XofY(1, 500),
        lambda: Adjustment(How.ADD, 3600, 7200),
        lambda: Adjustment(How.ADD, 7200, 3600, 2.0, 1.0),
        lambda: Day(MONDAY, (1.0,) * 23),
        lambda: Day(MONDAY, (math.nan,) * 24),
        lambda: Event(Day(MONDAY, (1.0,) * 24), 5, 5),
        lambda: Event(Day(MONDAY, (1.0,) * 24), 5, 6).shifted(900),
        lambda: of("high 5 of 10", 2),
        lambda: of("guess"),
    ):
        with pytest.raises(ValueError):
            made()
    assert regressed([1.0, 1.0], [3.0, 5.0], 9.0) == 4.0
