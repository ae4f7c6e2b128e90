"""The cases of ISO 15118-2 that judge a station, against our own in a process of its own: nothing fails, and nothing is left open."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pki.issue import build
from pki.plan import Plan
from pki.store import create
from tests.conformance.harness import NOW
from tests.starved import again, heed
from tests.v2gkit.conform.station_mutants2 import TABLES, UNSEEDED
from tests.v2gkit.conform.stations import CLAIMS2, OFFER2, QUICK, Own, bad, station
from tests.v2gkit.conform.tabled import read
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.iso2_order import TURNS, illegal
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.verdict import Verdict

CASES = tuple(case for case in catalogue().values() if case.role == "station" and case.generation == "2")
LONG = 9.0  # s that a case may last to be played here; `make conform` plays all
LEAST = 120  # cases that judge a station of -2


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("conform2") / "certs"
    create(path, [build(Plan(), curve, NOW) for curve in ("secp521r1", "secp256r1")])
    return path


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Iterator[Own]:
    with station(tmp_path_factory.mktemp("own2"), certs, OFFER2, outlets=8) as outlets:
        yield Own(outlets, certs, CLAIMS2, replace(QUICK, sessions=4, mutants=1, paced=0.5))


def quick(family: str) -> list[Case]:
    """The cases of a family that are over soon, each with its last part; those of order have one state of each kind."""
    cases = [case for case in CASES if case.family == family and case.lasts < LONG and case.kind is not Kind.TIMING]
    return [replace(case, parts=case.parts[-1:]) for case in cases]


@pytest.mark.parametrize("family", sorted({case.family for case in CASES} - {"SDP", "MTR", "OCP"}))
@again
def test_nothing_of_our_own_station_fails(own: Own, family: str) -> None:
    results = own.judged(quick(family))
    assert not bad(results)
    assert any(each.verdict is Verdict.PASS for each in results.values())
    assert all(each.seen for each in results.values())


@again
def test_a_receipt_is_signed(tmp_path: Path, certs: Path) -> None:
    with station(tmp_path, certs, OFFER2, more="[metering]\nconfirm_every = 0.5") as outlets:
        cases = [replace(case, parts=case.parts[:1]) for case in CASES if case.family == "MTR"]
        results = Own(outlets, certs, replace(CLAIMS2, receipts=True)).judged(cases)
    assert not bad(results)
    assert [each.verdict for each in results.values()] == [Verdict.PASS] * len(results)


def test_there_are_cases_enough_each_told_whole() -> None:
    assert len(CASES) >= LEAST
    for case in CASES:
        assert case.requirement or case.basis, case.id
        assert case.condition[0] == "generation_2", case.id
        assert case.control or case.kind in (Kind.POSITIVE, Kind.TIMING), case.id
        assert not {each for each in case.requirement if not each.startswith("V2G2-")}, case.id
    assert len({case.purpose for case in CASES}) == len(CASES)


def test_every_request_out_of_turn_is_a_part_of_a_case() -> None:
    for turn in TURNS:
        named = {
            part
            for case in CASES
            if case.requirement[:1] == ("V2G2-538",) and case.precondition.startswith(turn.state.value)
            for part in case.parts
        }
        assert named >= {each.__name__ for each in illegal(turn)}, turn.state


@pytest.mark.parametrize("fault", ["any parameters"])
@again
def test_a_fault_fails_its_cases(certs: Path, tmp_path: Path, fault: str) -> None:
    """One of them; `python -m tests.v2gkit.conform.station_mutants2` plays them all."""
    table = TABLES["2"]
    found = table.judged(certs, tmp_path, fault)
    heed(*(each.seen for each in found.values()))
    wrong = {id_: f"{each.verdict}: {each.seen}" for id_, each in found.items() if each.verdict is not Verdict.FAIL}
    assert (len(found), wrong) == (len(table.faults[fault].cases), {})


@pytest.mark.parametrize("generation", TABLES)
def test_each_case_has_a_fault_or_a_reason(generation: str) -> None:
    table = TABLES[generation]
    known, seeded = {case.id for case in table.cases}, table.seeded
    assert len(set(seeded)) == len(seeded)
    assert set(seeded) <= known
    assert set(table.not_yet) <= known - set(seeded)
    assert set(table.narrow) <= set(seeded)
    rows = {fault: row[0] for fault, row in read(table.kept().read_text()).items()}
    assert {fault: rows.get(fault) for fault in table.faults} == {name: ", ".join(fault.cases) for name, fault in table.faults.items()}
    assert {id_: why for id_, why in rows.items() if id_ in known} == table.without()
    assert UNSEEDED not in table.without().values()
