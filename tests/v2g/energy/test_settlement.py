"""What a session comes to for each party: by hand, and for whatever is metered."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2g.energy.ledger.chart import Flow
from v2g.energy.ledger.rows import Entry
from v2g.energy.ledger.transaction import amounts
from v2g.energy.prices import Prices
from v2g.energy.series import Series
from v2g.energy.settlement import PERIOD, Call, Flexibility, Settled, Shares, Terms, settled

T = 1_790_000_100.0 // PERIOD * PERIOD
SUPPLY = Prices(Series.constant(T, 86_400, 0.20), Series.constant(T, 86_400, 0.08))


def entry(start: float, end: float, imported: float, exported: float = 0.0, price: float = 0.40) -> Entry:
    return Entry("s", T + start, T + end, imported, exported, price, 0.15)


def flows(each: Settled) -> dict[Flow, int]:
    return dict(each.flows)


def total(made: tuple[Settled, ...], flow: Flow) -> int:
    return sum(flows(each).get(flow, 0) for each in made)


def test_energy_is_settled_by_the_drivers_and_by_the_sites_prices() -> None:
    terms = Terms(SUPPLY, hosting=0.25, grid_fee=0.05)
    (first, second) = settled([entry(0, 600, 2_000), entry(600, 900, 1_000, price=0.50), entry(900, 1_800, 0, 500)], terms)
    assert (first.start, first.end) == (T, T + 900)
    assert flows(first) == {
        Flow.CHARGING: 800_000 + 500_000,
        Flow.IMPORTED: 3_000_000,
        Flow.HOSTING: 750_000,
        Flow.GRID_FEE: 150_000,
        Flow.SUPPLY: 600_000,
    }
    assert flows(second) == {Flow.FEED_IN: 75_000, Flow.EXPORTED: 500_000, Flow.SURPLUS: 40_000}


def test_an_entry_over_several_periods_is_cut_in_proportion_to_time() -> None:
    made = settled([entry(450, 2_250, 4_000)], Terms())
    assert [flows(each)[Flow.IMPORTED] for each in made] == [1_000_000, 2_000_000, 1_000_000]


def test_a_call_pays_what_is_below_the_baseline_and_charges_what_is_short_and_what_comes_back() -> None:
    """Baseline 8 kW, called 6 kW less for a quarter hour; drawn 3 kW, so 5 of 6 come; after it 11 kW are drawn for the same time."""
    terms = Flexibility(0.30, 0.02, 6_000, 0.50, 0.10, 0.04, 3_600, Shares(0.5, 0.1, 0.2))
    call = Call("dso-1", T + 900, T + 1_800, 6_000, Series.constant(T, 5_400, 8_000))
    rows = [entry(0, 900, 2_000), entry(900, 1_800, 750), entry(1_800, 2_700, 2_750), entry(2_700, 3_600, 2_750)]
    made = settled(rows, Terms(flexibility=terms), [call])
    assert [each.calls for each in made] == [(), ("dso-1",), ("dso-1",), ("dso-1",)]
    called = flows(made[1])
    assert called[Flow.SHIFTED] == 1_250_000  # (8 - 3) kW for a quarter hour
    assert called[Flow.UTILISATION] == 375_000
    assert called[Flow.PENALTY] == 125_000  # 0.25 kWh short
    assert called[Flow.COMPENSATION] == 125_000
    assert called[Flow.AVAILABILITY] == 30_000  # 6 kW for a quarter hour
    assert (called[Flow.SHARE_DRIVER], called[Flow.SHARE_SITE], called[Flow.SHARE_OPERATOR]) == (77_500, 15_500, 31_000)  # of 155,000
    assert flows(made[2])[Flow.REBOUNDED] == 750_000  # 11 against 8 kW
    assert flows(made[3])[Flow.REBOUNDED] == 500_000  # no more comes back than was shifted
    assert total(made, Flow.REBOUND) == 50_000


def test_who_shares_gains_bears_no_loss() -> None:
    terms = Flexibility(utilisation=0.1, penalty=5.0, shares=Shares(1.0))
    call = Call("x", T, T + 900, 6_000, Series.constant(T, 900, 8_000))
    (made,) = settled([entry(0, 900, 1_900)], Terms(flexibility=terms), [call])
    assert Flow.SHARE_DRIVER not in flows(made)
    assert flows(made)[Flow.PENALTY] > flows(made)[Flow.UTILISATION] > 0


SPANS = st.lists(st.tuples(st.integers(1, 2_000), st.floats(0, 5_000), st.floats(0, 5_000)), min_size=1, max_size=15)


@settings(max_examples=40, deadline=None)
@given(SPANS, st.floats(0, 20_000), st.floats(0, 1), st.floats(0, 1))
def test_whatever_is_metered_balances_and_no_energy_is_lost(
    spans: list[tuple[int, float, float]], power: float, price: float, part: float
) -> None:
    rows, at = [], 0.0
    for seconds, imported, exported in spans:
        rows.append(entry(at, at + seconds, imported, exported))
        at += seconds
    flexibility = Flexibility(price, price, power, price, price, price, 1_800, Shares(part / 2, part / 4, part / 4))
    call = Call("x", T + at / 4, T + at / 2 + 1, power, Series.constant(T, at + 10_000, power))
    made = settled(rows, Terms(SUPPLY, price, price, flexibility), [call])
    sums = [sum(amounts(each.flows, "EUR").values()) for each in made]
    assert sums == [0] * len(made)
    assert total(made, Flow.IMPORTED) == pytest.approx(sum(row.imported for row in rows) * 1_000, abs=2 * len(made))
    assert total(made, Flow.EXPORTED) == pytest.approx(sum(row.exported for row in rows) * 1_000, abs=2 * len(made))
    assert 0 <= total(made, Flow.REBOUNDED) <= total(made, Flow.SHIFTED) + 2 * len(made)
    assert all(amount >= 0 for each in made for flow, amount in each.flows if flow is not Flow.CHARGING)


def test_terms_that_cannot_be_are_refused() -> None:
    for made in (
        lambda: Shares(0.6, 0.6),
        lambda: Shares(-0.1),
        lambda: Flexibility(utilisation=-1.0),
        lambda: Flexibility(penalty=float("nan")),
        lambda: Call("x", 2.0, 1.0, 1.0, Series(0.0)),
    ):
        with pytest.raises(ValueError):
            made()
