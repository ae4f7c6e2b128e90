"""The books: what is booked balances, is chained, is never changed, and is there after a process was killed in the middle of it."""

import csv
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2g.energy.ledger.books import Books, BrokenChain, Memory, balances, earnings, verify
from v2g.energy.ledger.chart import EARNERS, WAYS, Flow
from v2g.energy.ledger.export import beancount, decimal, table
from v2g.energy.ledger.store import File
from v2g.energy.ledger.transaction import Basis, Evidence, Interval, Posting, Transaction, amounts, basis, millionths

ROOT = Path(__file__).parents[3]
BEAN_CHECK = ROOT / ".interop" / "referees" / "bin" / "bean-check"
T = 1_790_000_100
METER, BASELINE = basis(Evidence.METER, b"OCMF|{}|{}", "CP1/17"), basis(Evidence.BASELINE, b"mean 10 of 10")
FLOWS = [
    (Flow.CHARGING, 3_207_100),
    (Flow.SUPPLY, 1_100_000),
    (Flow.UTILISATION, 250_000),
    (Flow.SHARE_DRIVER, 100_000),
    (Flow.IMPORTED, 10_500_000),
]
ONE = amounts(FLOWS, "EUR")


def at(number: int = 0, tenant: str = "cpo", contract: str = "DE*ABC*1") -> Interval:
    return Interval(tenant, contract, T + 900 * number, T + 900 * (number + 1))


@pytest.fixture(params=["memory", "file"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Books]:
    with File(tmp_path / "books.sqlite") as file:
        yield Memory() if request.param == "memory" else file


def test_a_flow_leaves_one_party_and_reaches_another() -> None:
    assert ONE["driver:charging", "EUR"] == -3_207_100
    assert ONE["operator:charging", "EUR"] == 3_207_100
    assert ONE["driver:import", "kWh"] == 10_500_000
    assert {way.energy for way in WAYS.values()} == {True, False}
    assert set(WAYS) == set(Flow)
    with pytest.raises(ValueError, match="finite"):
        millionths(float("nan"))
    assert millionths(-0.0000015) == -2


def test_said_twice_nothing_is_posted_and_said_otherwise_the_difference_is(books: Books) -> None:
    first = books.settle(at(), ONE, [METER], "SF")
    assert first is not None
    assert first.revision == 0
    assert books.settle(at(), ONE, [METER], "R1") is None
    better = amounts([*FLOWS[1:], (Flow.CHARGING, 3_000_000)], "EUR")
    second = books.settle(at(), better, [METER, BASELINE], "R1")
    assert second is not None
    assert (second.revision, second.run) == (1, "R1")
    assert {(p.account, p.amount) for p in second.postings} == {("driver:charging", 207_100), ("operator:charging", -207_100)}
    assert balances(books.transactions("cpo")) == better
    nothing = books.settle(at(), {}, [METER], "R2")
    assert nothing is not None
    assert balances(books.transactions("cpo")) == {}
    assert verify(books.transactions("cpo")) == 3


def test_evidence_that_changes_is_booked_though_no_amount_does(books: Books) -> None:
    books.settle(at(), ONE, [METER], "SF")
    again = books.settle(at(), ONE, [METER, BASELINE], "R1")
    assert again is not None
    assert again.postings == ()
    assert again.bases == tuple(sorted([METER, BASELINE]))


def test_intervals_of_a_contract_do_not_overlap(books: Books) -> None:
    books.settle(at(), ONE, [METER], "SF")
    with pytest.raises(ValueError, match="overlaps"):
        books.settle(Interval("cpo", "DE*ABC*1", T + 1, T + 901), ONE, [METER], "SF")
    assert books.settle(at(contract="DE*ABC*2"), ONE, [METER], "SF") is not None
    assert books.settle(at(tenant="other"), ONE, [METER], "SF") is not None
    assert [t.number for t in books.transactions("other")] == [1]  # a chain for each tenant
    assert verify(books.transactions("cpo")) == 2


def test_what_parties_earn_adds_up_to_nothing(books: Books) -> None:
    books.settle(at(), ONE, [METER], "SF")
    earned = earnings(books.transactions("cpo"))
    assert sum(amount for (_, unit), amount in earned.items() if unit == "EUR") == 0
    assert earned["driver", "EUR"] == -3_107_100
    assert {party for party, _ in earned} >= set(EARNERS)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.tuples(st.sampled_from(Flow), st.integers(-(10**12), 10**12)), max_size=5)), max_size=12
    )
)
def test_whatever_is_settled_in_whatever_order_the_last_word_is_what_is_booked(said: list[tuple[int, list[tuple[Flow, int]]]]) -> None:
    books, last = Memory(), {}
    for number, flows in said:
        last[number] = amounts(flows, "SEK")
        books.settle(at(number), last[number], [METER], "SF")
        assert books.settle(at(number), last[number], [METER], "SF") is None
    assert verify(books.transactions("cpo")) <= len(said)
    for number, wanted in last.items():
        assert balances(t for t in books.transactions("cpo") if t.interval == at(number)) == wanted


@pytest.mark.parametrize(
    "made",
    [
        lambda: Posting("driver:charging", "EUR", 1.5),  # type: ignore[arg-type]
        lambda: Posting("driver:charging", "EUR", 2**63),
        lambda: Posting("driver:charging", "eur", 1),
        lambda: Posting("driver:wishes", "EUR", 1),
        lambda: Interval("cpo", "", T, T + 1),
        lambda: Interval("cpo", "a\nb", T, T + 1),
        lambda: Interval("cpo", "a", T + 1, T),
        lambda: Basis("meter", "ABC"),
        lambda: Basis("rumour", "0" * 64),
        lambda: Transaction(1, at(), 0, "SF", (Posting("driver:tax", "EUR", 1),), (), "0" * 64),
        lambda: Transaction(1, at(), 0, "SF", (Posting("driver:tax", "EUR", 1), Posting("state:tax", "SEK", -1)), (), "0" * 64),
    ],
)
def test_what_cannot_be_booked_is_refused_with_its_name(made: object) -> None:
    with pytest.raises(ValueError):
        made()  # type: ignore[operator]


def test_rows_are_never_changed_and_whoever_goes_round_that_is_found(tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite"
    with File(path) as books:
        for number in range(3):
            books.settle(at(number), ONE, [METER], "SF")
        head = [(t.number, t.digest) for t in books.transactions("cpo")][-1]
    raw = sqlite3.connect(path, isolation_level=None)
    for statement in ("UPDATE transactions SET run = 'R9'", "DELETE FROM transactions"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            raw.execute(statement)
    raw.execute("DROP TRIGGER unchanged")
    raw.execute("DROP TRIGGER undeleted")
    raw.execute("DELETE FROM transactions WHERE number = 3")
    with File(path) as books:
        assert verify(books.transactions("cpo")) == 2  # a chain that was cut is whole: the head that was kept tells
        with pytest.raises(BrokenChain, match="number 3"):
            verify(books.transactions("cpo"), head)
    raw.execute("DROP TRIGGER unchanged")
    for column, value in (("postings", "[]"), ("bases", "[]"), ("run", "R9"), ("contract", "DE*ABC*2"), ("postings", '[["x"]]')):
        ((kept,),) = raw.execute(f"SELECT {column} FROM transactions WHERE number = 2").fetchall()
        raw.execute(f"UPDATE transactions SET {column} = ? WHERE number = 2", (value,))
        with File(path) as books, pytest.raises(BrokenChain, match="transaction 2: its row was changed"):
            verify(books.transactions("cpo"))
        raw.execute("DROP TRIGGER unchanged")
        raw.execute(f"UPDATE transactions SET {column} = ? WHERE number = 2", (kept,))
    raw.close()


BOOKING = """
import sys
from pathlib import Path
from v2g.energy.ledger.chart import Flow
from v2g.energy.ledger.store import File
from v2g.energy.ledger.transaction import Evidence, Interval, amounts, basis

with File(Path(sys.argv[1])) as books:
    for number in range(int(sys.argv[2])):
        flows = amounts([(Flow.CHARGING, number), (Flow.TAX, 19 * number), (Flow.IMPORTED, number)], "EUR")
        at = Interval("cpo", f"contract {number % 5}", 900 * number, 900 * (number + 1))
        books.settle(at, flows, [basis(Evidence.METER, b"%d" % number)], "SF")
        print(number, flush=True)
"""


def test_a_process_killed_while_it_books_leaves_balanced_books_that_go_on(tmp_path: Path) -> None:
    path, most = tmp_path / "books.sqlite", 120
    for killed_after in (7, 31):
        process = subprocess.Popen([sys.executable, "-c", BOOKING, str(path), "9000"], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        booked = -1
        while booked < killed_after:
            booked = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with File(path) as books:
            assert verify(books.transactions("cpo")) > booked  # what was said to be booked is booked
    subprocess.run([sys.executable, "-c", BOOKING, str(path), str(most)], check=True, stdout=subprocess.DEVNULL)
    with File(path) as books:
        chain = list(books.transactions("cpo"))
    assert len(chain) == verify(chain) >= most
    assert {t.revision for t in chain} == {0}  # nobody booked anything twice
    sums = balances(chain[:most])
    assert sums["operator:charging", "EUR"] == sums["driver:import", "kWh"] == sum(range(most))


def test_many_intervals_are_booked_all_or_none(tmp_path: Path) -> None:
    with File(tmp_path / "books.sqlite") as books:
        books.settle(at(1), ONE, [METER], "SF")
        with pytest.raises(ValueError, match="overlaps"):
            books.settle_all([(at(0), ONE, [METER]), (Interval("cpo", "DE*ABC*1", T + 901, T + 905), ONE, [METER])], "SF")
        assert verify(books.transactions("cpo")) == 1
        made = books.settle_all([(at(number), ONE, [METER]) for number in range(3)], "SF")
        assert [each is not None for each in made] == [True, False, True]
        assert books.tenants() == ("cpo",)


def hard() -> Memory:
    """Books with names that a writer could stumble over, two currencies and revisions."""
    books = Memory()
    for number, contract in enumerate(['He said "so"', "back\\slash", "=1+1", "Ladesäule ; 7", "#tag ^link"]):
        books.settle(at(number, contract=contract), ONE, [METER, BASELINE], "SF")
        books.settle(at(number, contract=contract), amounts([(Flow.FEED_IN, 1)], "SEK"), [METER], "R1")
        books.settle(at(number, contract=contract), amounts([(Flow.FEED_IN, 1)], "SEK"), [BASELINE], "R2")
    return books


@pytest.mark.skipif(not BEAN_CHECK.exists(), reason="no Beancount in .interop/referees: make interop")
def test_beancount_loads_the_export_and_finds_the_balances(tmp_path: Path) -> None:
    path = tmp_path / "books.beancount"
    chain = list(hard().transactions("cpo"))
    path.write_text("\n".join(beancount(chain)) + "\n", encoding="utf-8")
    done = subprocess.run([BEAN_CHECK, path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    asked = (
        "import sys\nfrom beancount import loader\nfrom beancount.core import realization\n"
        "entries, errors, _ = loader.load_file(sys.argv[1])\nassert not errors, errors\n"
        "for each in realization.iter_children(realization.realize(entries)):\n"
        "    for position in each.balance:\n        print(each.account, position.units.number, position.units.currency)\n"
    )
    done = subprocess.run([BEAN_CHECK.parent / "python", "-c", asked, path], capture_output=True, text=True, check=True)
    theirs = {tuple(line.split()) for line in done.stdout.splitlines()}
    ours = {
        ("Income:" + ":".join(part.capitalize() for part in a.split(":")), decimal(-n), u.upper()) for (a, u), n in balances(chain).items()
    }
    assert {(account, float(number), unit) for account, number, unit in theirs} == {(a, float(n), u) for a, n, u in ours}
    path.write_text(path.read_text().replace("0.000001 SEK", "0.000002 SEK", 1), encoding="utf-8")
    assert subprocess.run([BEAN_CHECK, path], capture_output=True).returncode == 1


def test_the_csv_has_every_posting_and_no_formula() -> None:
    chain = list(hard().transactions("cpo"))
    rows = list(csv.DictReader(table(chain)))
    assert len(rows) == sum(len(t.postings) for t in chain)
    assert "'=1+1" in {row["contract"] for row in rows}
    assert sum(round(float(row["amount"]) * 1_000_000) for row in rows if row["unit"] == "EUR") == 0
