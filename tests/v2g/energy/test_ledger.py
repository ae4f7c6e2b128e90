import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2g.energy.ledger import Entry, Ledger, Quality, Reading, entries_between
from v2g.energy.series import Series, Step

T = 1_790_000_100.0
IMPORTS = Series(T, tuple(Step(900.0, price) for price in (0.30, 0.10, 0.20)))
EXPORTS = Series(T, tuple(Step(900.0, price) for price in (0.05, 0.40, 0.15)))
REGISTERS = st.lists(st.tuples(st.integers(1, 700), st.integers(0, 900), st.integers(0, 900)), min_size=1, max_size=12)


def entry(start: float = 0.0, end: float = 900.0, imported: float = 1000.0, exported: float = 0.0, **more: object) -> Entry:
    return Entry("s1", start, end, imported, exported, import_price=0.3, export_price=0.2, **more)  # type: ignore[arg-type]


def test_rows_become_money() -> None:
    ledger = Ledger("EUR")
    ledger.append(entry())
    ledger.append(entry(900.0, 1800.0, imported=0.0, exported=2500.0, bound=("ocpp:1",)))
    ledger.append(Entry("s2", 0.0, 900.0, 500.0, 0.0, 0.3, 0.2))
    account = ledger.account("s1")
    assert (account.imported, account.exported, account.cost, account.revenue) == (1000.0, 2500.0, 0.3, 0.5)
    assert account.net == pytest.approx(-0.2)
    assert ledger.account().cost == pytest.approx(0.45)


def test_a_negative_price_turns_cost_into_income() -> None:
    assert Entry("s", 0.0, 1.0, 2000.0, 1000.0, -0.05, -0.10).cost == -100_000
    assert Entry("s", 0.0, 1.0, 2000.0, 1000.0, -0.05, -0.10).revenue == -100_000


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (entry(899.0, 1000.0), "900.0 is booked already"),
        (entry(900.0, 899.0), "before its start"),
        (entry(900.0, 1800.0, imported=-1.0), "CORRECTED"),
        (entry(900.0, 1800.0, exported=-1.0), "CORRECTED"),
    ],
)
def test_a_row_that_cannot_be_is_refused_and_changes_nothing(row: Entry, says: str) -> None:
    ledger = Ledger("EUR")
    ledger.append(entry())
    with pytest.raises(ValueError, match=says):
        ledger.append(row)
    assert ledger.entries == (entry(),)


def test_an_error_is_set_right_by_a_further_row() -> None:
    ledger = Ledger("EUR")
    ledger.append(entry())
    ledger.append(entry(imported=-400.0, quality=Quality.CORRECTED))
    assert ledger.account("s1").imported == 600.0
    assert ledger.account("s1").cost == pytest.approx(0.18)
    assert len(ledger.entries) == 2


def test_readings_are_cut_where_prices_change_and_said_to_be() -> None:
    rows = entries_between("s", [Reading(T, 100.0, 7.0), Reading(T + 600, 700.0, 7.0), Reading(T + 1200, 1300.0, 9.0)], IMPORTS, EXPORTS)
    assert [(r.start - T, r.end - T, r.imported, r.exported, r.import_price, r.quality) for r in rows] == [
        (0.0, 600.0, 600.0, 0.0, 0.30, Quality.METERED),
        (600.0, 900.0, 300.0, 1.0, 0.30, Quality.ESTIMATED),
        (900.0, 1200.0, 300.0, 1.0, 0.10, Quality.ESTIMATED),
    ]


@pytest.mark.parametrize("second", [Reading(T - 1, 9.0, 9.0), Reading(T + 1, 4.0, 9.0), Reading(T + 1, 9.0, 4.0)])
def test_registers_only_count_up(second: Reading) -> None:
    with pytest.raises(ValueError, match="ascend"):
        entries_between("s", [Reading(T, 5.0, 5.0), second], IMPORTS, EXPORTS)


def test_without_prices_energy_is_booked_at_no_price() -> None:
    (row,) = entries_between("s", [Reading(T, 0.0, 0.0), Reading(T, 0.0, 0.0), Reading(T + 5, 3.0, 0.0)], None, None)
    assert (row.imported, row.cost, row.revenue) == (3.0, 0, 0)


@given(REGISTERS)
def test_the_ledger_books_every_watt_hour_and_what_a_meter_replayed_bills(deltas: list[tuple[int, int, int]]) -> None:
    """A simple meter of constant power between readings, billed second by second, is the judge."""
    at, imported, exported, bill = T, 0.0, 0.0, 0.0
    readings = [Reading(at, imported, exported)]
    for seconds, into, out in deltas:
        for second in range(seconds):
            cost, gain = (series.at(at + second) for series in (IMPORTS, EXPORTS))
            if cost is None or gain is None:
                cost, gain = 0.2, 0.2  # beyond what is known: the mean of each
            bill += (into * cost - out * gain) / seconds / 1000
        at, imported, exported = at + seconds, imported + into, exported + out
        readings.append(Reading(at, imported, exported))
    ledger = Ledger("EUR")
    for row in entries_between("s", readings, IMPORTS, EXPORTS):
        ledger.append(row)
    account = ledger.account("s")
    assert (account.imported, account.exported) == pytest.approx((imported, exported))
    assert account.net == pytest.approx(bill, abs=2e-6 * len(ledger.entries) + 1e-9)
