import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2g.energy.series import Series, Step, minimum

POWERS = st.integers(-50, 50).map(float)
STEPS = st.lists(st.builds(Step, st.integers(1, 50).map(float), POWERS), min_size=1, max_size=8).map(tuple)
SERIES = st.builds(Series, st.integers(-40, 40).map(float), STEPS)
HALVES = [t / 2 for t in range(-120, 1000)]


def test_a_step_holds_at_its_start_and_not_at_its_end() -> None:
    series = Series.from_pairs([(100.0, 7.0), (160.0, -3.0)], until=200.0)
    assert [series.at(t) for t in (99.9, 100.0, 159.9, 160.0, 199.9, 200.0)] == [None, 7.0, 7.0, -3.0, -3.0, None]
    assert (series.until, series.duration, series.edges()) == (200.0, 100.0, (100.0, 160.0, 200.0))


def test_the_integral_of_watts_is_watt_hours() -> None:
    series = Series(0.0, (Step(1800.0, 7000.0), Step(3600.0, -1000.0)))
    assert series.integral() == 2500.0
    assert series.integral(900.0, 3600.0) == 1750.0 - 500.0
    assert series.mean(900.0, 2700.0) == 3000.0


def test_epoch_seconds_lose_nothing() -> None:
    start = 1_790_000_000.0
    series = Series(start, tuple(Step(0.1, float(i)) for i in range(1000)))
    assert [series.at(start + i * 0.1) for i in range(1000)] == [float(i) for i in range(1000)]


@pytest.mark.parametrize("duration", [0.0, -1.0, math.inf, math.nan])
def test_a_step_lasts(duration: float) -> None:
    with pytest.raises(ValueError, match="duration above 0"):
        Step(duration, 1.0)


def test_what_is_no_series_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        Step(1.0, math.nan)
    with pytest.raises(ValueError, match="finite epoch"):
        Series(math.inf)
    with pytest.raises(ValueError, match="at least one"):
        Series.from_pairs([], until=1.0)
    with pytest.raises(ValueError, match="ascend"):
        Series.from_pairs([(5.0, 1.0), (5.0, 2.0)], until=9.0)
    with pytest.raises(ValueError, match="above 0"):
        Series.constant(0.0, 10.0, 1.0).resample(0.0)
    with pytest.raises(ValueError, match="shift it"):
        Series.constant(0.0, 10.0, 1.0).then(Series.constant(11.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="covers nothing"):
        Series.constant(0.0, 10.0, 1.0).mean(10.0, 20.0)


def test_constant_of_no_duration_is_empty() -> None:
    assert Series.constant(5.0, 0.0, 1.0) == Series(5.0)
    assert Series(5.0).at(5.0) is None


@given(SERIES, SERIES)
def test_minimum_is_the_lower_wherever_one_is_defined(a: Series, b: Series) -> None:
    lower = minimum(a, b)
    for t in HALVES:
        said = [value for value in (a.at(t), b.at(t)) if value is not None]
        inside = min(a.start, b.start) <= t < max(a.until, b.until)
        assert lower.at(t) == (min(said) if said else math.inf if inside else None)


@given(SERIES, st.integers(1, 30))
def test_resampling_keeps_the_energy(series: Series, step: int) -> None:
    coarse = series.resample(float(step))
    assert coarse.integral() == pytest.approx(series.integral(), abs=1e-9)
    assert coarse.until == pytest.approx(series.until)
    assert all(each.duration == step for each in coarse.steps[:-1])


@given(SERIES, st.integers(-60, 300), st.integers(0, 200))
def test_clipping_keeps_what_is_inside(series: Series, start: int, length: int) -> None:
    part = series.clip(float(start), float(start + length))
    assert all(part.at(t) == (series.at(t) if start <= t < start + length else None) for t in HALVES)


@given(SERIES, POWERS)
def test_merging_and_shifting_change_no_value(series: Series, by: float) -> None:
    assert [series.merged().at(t) for t in HALVES] == [series.at(t) for t in HALVES]
    assert all(a.value != b.value for a, b in zip(series.merged().steps, series.merged().steps[1:], strict=False))
    assert [series.shift(by).at(t + by) for t in HALVES] == [series.at(t) for t in HALVES]
    assert series.then(series.shift(series.duration)).integral() == pytest.approx(2 * series.integral())


@given(SERIES, st.integers(1, 30))
def test_resampling_gives_the_mean_of_each_step(series: Series, step: int) -> None:
    for start, until, value in series.resample(float(step)).spans():
        assert value == pytest.approx(series.mean(start, until), abs=1e-9)


def test_resampling_passes_a_series_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand steps to a hundred were a hundred passes: 45 ms of a station's loop for each series of a long schedule."""
    passes = [0]
    edges = Series.edges

    def counted(self: Series) -> tuple[float, ...]:
        passes[0] += 1
        return edges(self)

    monkeypatch.setattr(Series, "edges", counted)
    Series(0.0, (Step(900.0, 1.0), Step(900.0, 2.0)) * 500).resample(9000.0)
    assert passes[0] == 1
