from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2g.energy.needs import Needs
from v2g.energy.offer import Tuple
from v2g.energy.series import Series, Step
from v2g.energy.setpoint import Violation, limits, setpoint, violations
from v2g.energy.signal import Kind, Signal
from v2g.energy.site import Site

T = 1_790_000_100.0
NEEDS = Needs(energy_target=10e3, energy_maximum=30e3, energy_minimum=-10e3, charge_maximum=11e3, discharge_maximum=9e3, bidirectional=True)
SITE = Site(import_limit=10e3, export_limit=8e3)


def always(power: float) -> Series:
    return Series.constant(T, 3600.0, power)


@pytest.mark.parametrize(
    ("planned", "needs", "power"),
    [
        (5e3, {}, 5e3),
        (-5e3, {}, -5e3),
        (50e3, {}, 10e3),  # the site
        (-50e3, {}, -8e3),
        (-5e3, {"bidirectional": False}, 0.0),
        (5e3, {"energy_maximum": 0.0}, 0.0),  # full
        (5e3, {"energy_maximum": -50.0}, 0.0),  # overfull
        (-5e3, {"energy_minimum": 0.0}, 0.0),  # at its reserve
        (-5e3, {"energy_minimum": 100.0}, 10e3),  # below it: charged with all there is
        (-5e3, {"energy_minimum": None}, 0.0),  # said no reserve: gives nothing
        (-5e3, {"v2x_minimum": 100.0}, 0.0),  # below its V2X range
        (-5e3, {"v2x_maximum": -100.0}, 0.0),  # above it
        (-5e3, {"v2x_minimum": -100.0, "v2x_maximum": 100.0}, -5e3),
        (-5e3, {"energy_maximum": -110.0, "v2x_maximum": -110.0}, -5e3),  # charged to the end of it and a last loop more
        (-5e3, {"energy_maximum": -110.0, "v2x_maximum": -200.0}, 0.0),  # the range ends below
        (1e3, {"charge_minimum": 1400.0}, 0.0),
        (-1e3, {"discharge_minimum": 1400.0}, 0.0),
        (2e3, {"charge_minimum": 10.5e3}, 0.0),  # the site gives less than the car can take
        (5e3, {"energy_maximum": 1.0}, 3600 / 0.95),  # full within the second
        (5e3, {"charge_maximum": -1.0}, 0.0),  # nonsense from the wire holds still
    ],
)
def test_a_setpoint_is_clamped_by_everything(planned: float, needs: dict[str, float], power: float) -> None:
    assert setpoint(always(planned), replace(NEEDS, **needs), SITE, T + 5.5) == pytest.approx(power, abs=1e-6)


def test_where_no_plan_speaks_a_car_short_of_its_target_is_charged() -> None:
    for source in (None, always(-3e3).shift(-7200.0), Series(T)):
        assert setpoint(source, NEEDS, SITE, T) == 10e3
        assert setpoint(source, replace(NEEDS, energy_target=0.0), SITE, T) == 0.0
        assert setpoint(source, replace(NEEDS, departure=T - 60.0), SITE, T) == 10e3, "also one that should have left"


def test_signals_come_before_the_plan_and_caps_before_signals() -> None:
    wish, cap = Signal("w", Kind.SETPOINT, always(-7e3)), Signal("c", Kind.EXPORT_CAP, always(2e3))
    assert setpoint(always(5e3), NEEDS, SITE, T, (wish,)) == -7e3
    assert setpoint(always(5e3), NEEDS, SITE, T, (wish, cap)) == -2e3
    assert setpoint(always(5e3), NEEDS, SITE, T + 3600.0, (wish, cap)) == 10e3, "both are over, and so is the plan"
    assert setpoint(always(5e3), replace(NEEDS, energy_minimum=500.0), SITE, T, (wish,)) == 10e3, "but not before the reserve"


def test_limits_name_what_limits() -> None:
    cap = Signal("ocpp:3", Kind.IMPORT_CAP, always(4e3))
    told = limits(NEEDS, SITE, T, (cap,))
    assert (told.charge, told.charge_by, told.discharge, told.discharge_by) == (4e3, ("ocpp:3",), 8e3, ("site.export_limit",))
    full = limits(replace(NEEDS, energy_maximum=0.0, energy_minimum=0.0), SITE, T)
    assert (full.charge, full.charge_by, full.discharge, full.discharge_by) == (0.0, ("ev.energy_maximum",), 0.0, ("ev.energy_minimum",))
    assert limits(replace(NEEDS, v2x_minimum=5.0), SITE, T).discharge_by == ("ev.v2x_range",)
    scarce = limits(replace(NEEDS, charge_minimum=10.5e3), SITE, T)
    assert (scarce.charge, scarce.charge_by) == (0.0, ("site.import_limit", "ev.charge_minimum"))
    assert limits(replace(NEEDS, bidirectional=False), SITE, T).discharge_by == ("ev.bidirectional",)


def test_a_limit_that_changes_is_that_of_the_instant() -> None:
    site = replace(SITE, import_limit=Series(T, (Step(10.0, 3e3), Step(10.0, 6e3))))
    assert [limits(NEEDS, site, T + t).charge for t in (-5.0, 0.0, 9.0, 10.0, 25.0)] == [3e3, 3e3, 3e3, 6e3, 6e3]


# --- profiles ---

OFFERED = Tuple(
    1,
    charging=Series(T, (Step(600.0, 7e3), Step(1200.0, 0.0))),
    discharging=Series(T, (Step(600.0, 0.0), Step(600.0, -4e3), Step(600.0, 0.0))),
)


def profile(*steps: tuple[float, float], start: float = T) -> Series:
    return Series(start, tuple(Step(duration, power) for duration, power in steps))


@pytest.mark.parametrize(
    ("drawn", "found"),
    [
        (profile((600, 7e3), (600, -4e3), (600, 0)), []),
        (profile((300, 3e3), (300, 0)), []),  # less, and shorter
        (profile((600, 7001)), [Violation(T, 600, 7001, 7e3)]),
        (profile((900, 7e3)), [Violation(T + 600, 300, 7e3, 0)]),
        (profile((600, 0), (600, -4500)), [Violation(T + 600, 600, -4500, -4e3)]),
        (profile((600, -100)), [Violation(T, 600, -100, 0)]),
        (profile((1800, 0), (60, 50)), [Violation(T + 1800, 60, 50, 0)]),  # beyond its end
        (profile((60, 50), start=T - 60), [Violation(T - 60, 60, 50, 0)]),  # before its start
        (profile((600, 8e3), (600, 100)), [Violation(T, 600, 8e3, 7e3), Violation(T + 600, 600, 100, 0)]),
    ],
)
def test_a_profile_is_held_against_its_tuple(drawn: Series, found: list[Violation]) -> None:
    assert list(violations(drawn, OFFERED)) == found


def test_tolerance_is_granted_and_a_violation_speaks() -> None:
    assert violations(profile((600, 7100)), OFFERED, tolerance=100.0) == ()
    (violation,) = violations(profile((600, 7101)), OFFERED, tolerance=100.0)
    assert str(violation) == f"7101 W where 7000 W was offered, from {T:.0f} for 600 s"
    (barred,) = violations(profile((600, -1)), replace(OFFERED, discharging=None))
    assert barred.limit == 0.0


@given(st.lists(st.tuples(st.integers(1, 900), st.integers(-9000, 9000)), min_size=1, max_size=6))
def test_whatever_is_found_is_outside_and_whatever_is_not_is_inside(steps: list[tuple[int, int]]) -> None:
    drawn = profile(*steps)
    found = violations(drawn, OFFERED)
    for t in range(int(T), int(drawn.until), 50):
        high, low = OFFERED.charging.at(t) or 0.0, OFFERED.discharging.at(t) or 0.0  # type: ignore[union-attr]
        inside = low <= (drawn.at(t) or 0.0) <= high
        assert inside != any(v.start <= t < v.start + v.duration for v in found)
