"""The book of signals: what it takes, what becomes of each, and that silence never raises a limit."""

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2g.energy.series import Series, Step
from v2g.energy.signal import Kind, Rank, Signal
from v2gkit.grid.book import SIGNALS, Book
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.link import Promise, State
from v2gkit.grid.received import STEPS, YEAR, Fate, Received, Told

NOW = 1_000_000.0


def cap(id_: str, watts: float, start: float = NOW, lasts: float = 600.0, kind: Kind = Kind.IMPORT_CAP, rank: Rank = Rank.GRID) -> Signal:
    return Signal(id_, kind, Series.constant(start, lasts, watts), rank)


def book(**promises: Promise) -> Book:
    return Book("depot", promises or {"dso": Promise(100.0), "market": Promise(100.0)})


def take(where: Book, signal: Signal, version: float = 1.0, source: str = "dso", now: float = NOW, tenant: str = "") -> bool:
    return where.take(source, "lab", Told(signal, version, tenant), now)


def fates(where: Book, now: float) -> list[tuple[str, tuple[str, ...]]]:
    return [
        (f"{news.what} {news.row.signal.id if news.row else news.source}", news.row.by if news.row else ()) for news in where.settle(now)
    ]


def test_a_signal_keeps_where_it_came_from_and_what_became_of_it() -> None:
    ours = book()
    ours.take("dso", "lab", Told(cap("evening", 5_000, NOW + 10), 3.0, "depot", "E-17"), NOW)
    ours.heard("dso", NOW)
    ours.acknowledge("evening", NOW + 1)
    (row,) = ours.rows()
    assert (row.protocol, row.source, row.tenant, row.reference, row.version) == ("lab", "dso", "depot", "E-17", 3.0)
    assert (row.received, row.acknowledged, row.fate, row.signal.rank) == (NOW, NOW + 1, Fate.WAITING, Rank.GRID)
    assert fates(ours, NOW + 1) == [("received evening", ()), ("heard dso", ()), ("acknowledged evening", ())]
    assert fates(ours, NOW + 10) == [("obeyed evening", ())]
    ours.heard("dso", NOW + 600)
    assert fates(ours, NOW + 610) == [("lost dso", ()), ("heard dso", ()), ("expired evening", ())]
    assert ours.rows() == ()


def test_the_lowest_cap_holds_and_is_named() -> None:
    ours = book()
    take(ours, cap("a", 9_000))
    take(ours, cap("b", 4_000), source="market")
    take(ours, cap("c", 4_000, kind=Kind.EXPORT_CAP), source="market")
    ours.heard("dso", NOW), ours.heard("market", NOW)
    held = ours.standing(NOW)
    assert (held.import_cap, held.import_by, held.export_cap, held.export_by) == (4_000, ("b",), 4_000, ("c",))
    ours.withdraw("market", "b", NOW)
    assert ours.standing(NOW).import_by == ("a",)


def test_a_setpoint_is_overridden_by_rank_and_cut_by_caps() -> None:
    ours = book()
    take(ours, cap("sold", -6_000, kind=Kind.SETPOINT, rank=Rank.COMMITMENT))
    take(ours, cap("grid", 8_000, kind=Kind.SETPOINT), source="market")
    take(ours, cap("limit", 5_000))
    ours.heard("dso", NOW), ours.heard("market", NOW)
    assert dict(fates(ours, NOW)) | {} == {
        "received sold": (), "received grid": (), "received limit": (), "heard dso": (), "heard market": (),
        "overridden sold": ("grid",), "overridden grid": ("limit",), "obeyed limit": (),
    }  # fmt: skip
    assert (ours.standing(NOW).asked, ours.standing(NOW).setpoint) == (8_000, 5_000)
    ours.withdraw("market", "grid", NOW + 1)
    assert ("obeyed sold", ()) in fates(ours, NOW + 1)


@pytest.mark.parametrize(
    ("signal", "version", "tenant", "trouble"),
    [
        (cap("known", 9_000), 4.0, "", Trouble.REPLAYED),  # older
        (cap("known", 9_000), 5.0, "", Trouble.REPLAYED),  # another content under one version
        (cap("known", 9_000), 6.0, "other", Trouble.FOREIGN),
        (cap("theirs", 9_000), 6.0, "", Trouble.FOREIGN),
        (cap("late", 9_000, NOW - 700), 6.0, "", Trouble.EXPIRED),
        (Signal("long", Kind.IMPORT_CAP, Series(NOW, (Step(1.0, 1.0),) * (STEPS + 1))), 6.0, "", Trouble.HUGE),
        (cap("x" * 257, 1.0), 6.0, "", Trouble.HUGE),
        (Signal("none", Kind.IMPORT_CAP, Series(NOW)), 6.0, "", Trouble.MALFORMED),
        (cap("endless", inf, kind=Kind.SETPOINT), 6.0, "", Trouble.MALFORMED),
    ],
)
def test_what_a_hostile_server_says_is_one_clear_error_and_changes_nothing(
    signal: Signal, version: float, tenant: str, trouble: Trouble
) -> None:
    ours = book()
    take(ours, cap("known", 5_000), 5.0)
    take(ours, cap("theirs", 6_000), 5.0, source="market")
    before = ours.rows()
    with pytest.raises(GridFault, match=r"^dso: ") as caught:
        take(ours, signal, version, tenant=tenant)
    assert caught.value.trouble is trouble
    assert len(str(caught.value)) < 400
    assert ours.rows() == before


def test_a_signal_that_was_withdrawn_does_not_come_back_by_a_replay() -> None:
    ours = book()
    take(ours, cap("a", 5_000), 5.0)
    ours.withdraw("dso", "a", NOW, version=6.0)
    with pytest.raises(GridFault):
        take(ours, cap("a", 50_000), 5.0)
    assert not take(ours, cap("a", 50_000), 6.0)
    assert take(ours, cap("a", 5_000), 7.0)


def test_what_is_served_long_after_its_end_is_an_error_once() -> None:
    ours = book()
    assert [fault.trouble for fault in ours.take_all("dso", "lab", [Told(cap("old", 1.0, NOW - 900))], NOW)] == [Trouble.EXPIRED]
    assert ours.take_all("dso", "lab", [Told(cap("old", 1.0, NOW - 900))], NOW + 1) == ()


def test_more_signals_than_anybody_follows_are_a_fault_and_the_source_is_not_heard() -> None:
    ours = book(dso=Promise(100.0, fallback_import=1_000))
    faults = ours.take_all("dso", "lab", [Told(cap(f"s{n}", 9_000)) for n in range(SIGNALS + 2)], NOW)
    assert [fault.trouble for fault in faults] == [Trouble.HUGE] * 2
    assert ours.links["dso"].state is State.SILENT
    assert ours.standing(NOW).import_cap == 1_000  # what was lacking may have been the lowest


def test_the_steps_of_a_source_together_are_bounded() -> None:
    """Whatever a server says, a look at the book takes milliseconds: other sources are heard in time."""
    ours = book()
    long = [Signal(f"s{n}", Kind.IMPORT_CAP, Series(NOW, tuple(Step(1.0, float(k)) for k in range(STEPS)))) for n in range(5)]
    faults = ours.take_all("dso", "lab", [Told(signal) for signal in long], NOW)
    assert [fault.trouble for fault in faults] == [Trouble.HUGE]
    assert len(ours.rows()) == 4
    assert take(ours, Signal("s3", Kind.IMPORT_CAP, long[4].power), 2.0)  # a newer version takes the place of the one before
    assert take(ours, long[4], source="market")


def test_before_a_source_was_ever_heard_its_fallback_holds() -> None:
    ours = book(dso=Promise(100.0, fallback_import=2_000))
    assert ours.standing(NOW).import_cap == 2_000
    ours.heard("dso", NOW)
    assert ours.standing(NOW).import_cap == inf
    assert ours.standing(NOW + 100).import_cap == 2_000
    assert fates(ours, NOW + 150) == [("heard dso", ()), ("lost dso", ())]


def test_without_a_fallback_the_last_cap_outlives_its_end_until_the_source_is_back() -> None:
    ours = book()
    take(ours, cap("a", 3_000, lasts=150.0))
    ours.heard("dso", NOW)
    assert ours.standing(NOW + 10_000).import_cap == 3_000
    assert ("expired a", ()) not in fates(ours, NOW + 10_000)
    ours.take_all("dso", "lab", [], NOW + 10_001)
    assert ours.standing(NOW + 10_001).import_cap == inf
    assert ("withdrawn a", ()) in fates(ours, NOW + 10_001)


def test_a_setpoint_without_end_is_followed_while_its_source_is_heard() -> None:
    ours = book()
    take(ours, cap("open", -5_000, lasts=YEAR, kind=Kind.SETPOINT))
    take(ours, cap("closed", -3_000, lasts=900, kind=Kind.SETPOINT, rank=Rank.COMMITMENT))
    ours.heard("dso", NOW)
    assert ours.standing(NOW).setpoint == -5_000
    assert ours.standing(NOW + 100).setpoint == -3_000
    take(ours, cap("open", -6_000, lasts=YEAR, kind=Kind.SETPOINT), 2.0, now=NOW + 101)
    ours.withdraw("dso", "closed", NOW + 101)
    assert ("overridden open", ("dso:silence",)) in fates(ours, NOW + 101)


def test_a_deadline_is_the_next_thing_that_happens() -> None:
    ours = book()
    assert ours.deadline(NOW) is None
    take(ours, cap("a", 3_000, NOW + 50, 30.0))
    ours.heard("dso", NOW)
    assert [ours.deadline(at) for at in (NOW, NOW + 50, NOW + 80)] == [NOW + 50, NOW + 80, NOW + 100]


# --- silence ---

NAMES = ("a", "b", "c")
KINDS = st.sampled_from([Kind.IMPORT_CAP, Kind.EXPORT_CAP])
POWERS = st.integers(0, 20).map(lambda n: n * 500.0)
STEPS_OF = st.lists(st.tuples(st.integers(1, 8).map(lambda n: n * 20.0), POWERS), min_size=1, max_size=3)
DEEDS = st.one_of(
    st.tuples(st.just("take"), st.sampled_from(NAMES), KINDS, st.integers(-3, 10).map(lambda n: n * 20.0), STEPS_OF),
    st.tuples(st.just("withdraw"), st.sampled_from(NAMES)),
    st.tuples(st.just("heard")),
    st.tuples(st.just("wait"), st.integers(1, 20).map(lambda n: n * 10.0)),
)
FALLBACKS = st.one_of(st.none(), POWERS)


@given(st.lists(DEEDS, max_size=25), FALLBACKS, FALLBACKS)
@settings(max_examples=150, deadline=None)
def test_the_loss_of_a_link_never_raises_a_limit(deeds: list[tuple[object, ...]], import_: float | None, export: float | None) -> None:
    """Two books hear the same; one of them counts silence, the other never does. At no instant does the first allow more."""
    strict, patient = (Book("depot", {"dso": promise}) for promise in (Promise(70.0, import_, export), Promise(inf)))
    patient.heard("dso", NOW)
    now = NOW
    for number, deed in enumerate(deeds, 1):
        if deed[0] == "wait":
            before = strict.rows(), strict.links["dso"].at(now).state
            now += float(deed[1])  # type: ignore[arg-type]
            _no_end_raises_in_silence(strict, *before, now)
        for each in (strict, patient):
            _done(each, deed, number, now)
            each.settle(now)
        held, freely = strict.standing(now), patient.standing(now)
        assert held.import_cap <= freely.import_cap
        assert held.export_cap <= freely.export_cap
        lowest = [row.signal.power.at(now) for row in strict.rows() if row.signal.kind is Kind.IMPORT_CAP]
        assert held.import_cap <= min((value for value in lowest if value is not None), default=inf)
        if strict.links["dso"].state is not State.HEARD and import_ is not None:
            assert held.import_cap <= import_


def _no_end_raises_in_silence(strict: Book, rows: tuple[Received, ...], state: State, now: float) -> None:
    """While a source is lost and has no fallback, its caps step up where it said so, and nowhere else: the end of one raises no limit."""
    link = strict.links["dso"].at(now)
    if state is State.LOST and link.state is State.LOST and link.promise.fallback_import is None:
        over = [row.signal.power for row in rows if row.signal.kind is Kind.IMPORT_CAP and row.signal.power.until <= now]
        assert strict.standing(now).import_cap <= min((power.steps[-1].value for power in over), default=inf)


def _done(where: Book, deed: tuple[object, ...], number: int, now: float) -> None:
    match deed:
        case ("take", str(name), Kind() as kind, float(offset), list(steps)):
            power = Series(now + offset, tuple(Step(lasts, value) for lasts, value in steps))
            if power.until > now:
                where.take("dso", "lab", Told(Signal(f"{name}:{kind.value}", kind, power), float(number)), now)
        case ("withdraw", str(name)):
            for kind in (Kind.IMPORT_CAP, Kind.EXPORT_CAP):
                where.withdraw("dso", f"{name}:{kind.value}", now)
        case ("heard",):
            where.heard("dso", now)
