"""Some cases that judge a car of ISO 15118-2, against our own in processes of its own: nothing fails, and nothing is left open.

`make conform` plays them all.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from pki.issue import build
from pki.plan import Plan
from pki.store import create
from tests.conformance.harness import NOW
from tests.starved import again
from tests.v2gkit.conform.car_mutants import TABLES, judged
from tests.v2gkit.conform.car_mutants2 import judged as played
from tests.v2gkit.conform.car_mutants2 import sample
from tests.v2gkit.conform.cars import Own, bad, pics
from tests.v2gkit.conform.faulty_car2 import FAULTS
from tests.v2gkit.conform.pure import gravest, pure
from tests.v2gkit.conform.tabled import CURVES
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.car2_exchanges import ROWS
from v2gkit.conform.cases.exchanges import KINDS
from v2gkit.conform.catalogue import catalogue, chosen
from v2gkit.conform.verdict import Verdict

CARS = [case for case in catalogue().values() if case.role == "car" and case.generation == "2"]
CHOSEN = {  # case -> the parts that are played here over sockets; empty: all of them
    "E2-SES-08": (),
    "E2-PNC-04": (),
    "E2-TLS-05": ("an unknown root",),
    "E2-END-01": (),
    "E2-EXI-02": ("length 0xFFFFFFF8",),  # about what a car bears: it charges before, and after
}


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("conform2") / "certs"
    create(path, [build(Plan(curves=CURVES), curve, NOW) for curve in CURVES])
    return path


@again
def test_nothing_of_our_own_car_fails(certs: Path, tmp_path: Path) -> None:
    some = [replace(case, parts=CHOSEN[case.id] or case.parts) for case in CARS if case.id in CHOSEN]
    results = Own(certs, tmp_path, generation="2").judged(some)
    assert not bad(results)
    assert {each.verdict for each in results.values()} == {Verdict.PASS}
    assert set(results) == set(CHOSEN)


@again
def test_a_car_of_din_charges_before_and_after_what_it_bears(certs: Path, tmp_path: Path) -> None:
    case = catalogue()["ED-EXI-02"]
    results = Own(certs, tmp_path, generation="DIN").judged([replace(case, parts=case.parts[:1])])
    assert {id_: each.verdict for id_, each in results.items()} == {"ED-EXI-02": Verdict.PASS}, bad(results)


@pytest.mark.parametrize("case", [case for case in CARS if pure(case)], ids=lambda case: case.id)
def test_our_own_car_passes_in_virtual_time(case: Case) -> None:
    """Every case that needs neither TLS nor a program: the others are played above, and by `make conform`."""
    outcome = gravest(case, "2")
    assert outcome.verdict is Verdict.PASS, outcome.seen


def test_a_fault_fails_its_case(certs: Path, tmp_path: Path) -> None:
    """One of them; `python -m tests.v2gkit.conform.car_mutants2 2` plays them all, and their neighbours."""
    assert judged(certs, tmp_path, "E2-PSS-02", neighbours=False) == {"E2-PSS-02": Verdict.FAIL}


def test_each_case_has_a_fault_and_says_what_it_stands_on() -> None:
    assert set(FAULTS) == {case.id for case in CARS}
    assert len(CARS) >= 60
    assert not [case.id for case in CARS if not case.requirement and not case.basis]
    controls = {case.id for case in CARS if not case.control}
    assert controls == {"E2-CRT-01", "E2-END-01", "E2-END-02", "E2-TLS-01"}, (
        "each other case has a case that shows the same without the fault"
    )
    assert {"generation_2"} == {case.condition[0] for case in CARS}
    timed = [case for case in CARS if case.kind is Kind.TIMING]
    assert not [case.id for case in timed if not case.basis and not case.requirement], "a time stands in a table"


@pytest.mark.parametrize("generation", ["2", "DIN"])
def test_each_case_has_a_fault(generation: str) -> None:
    known = {case.id for case in catalogue().values() if case.role == "car" and case.generation == generation}
    assert set(TABLES[generation]) == known


@pytest.mark.parametrize("fault", ["E2-SES-02", "E2-STP-05", "E2-END-03", "ED-DCS-01"])
def test_a_fault_fails_its_case_and_no_other_in_virtual_time(fault: str, certs: Path, tmp_path: Path) -> None:
    """A refusal that is believed, a car that stands still, one that falls, one that waits for ever, each beside some of its family."""
    others = [each for each in sample(fault) if each.family == catalogue()[fault].family]
    found = played(certs, tmp_path, fault, others)
    assert {id_ for id_, (verdict, _) in found.items() if verdict is Verdict.FAIL} == {fault}
    assert len(found) == len(others) + 1


def test_each_row_of_the_exchanges_has_its_cases() -> None:
    ids = [f"E2-{row.family}-{number:02}" for row in ROWS for number in range(row.first, row.first + KINDS)]
    assert len(set(ids)) == len(ids)
    assert set(ids) <= {case.id for case in CARS}


def test_the_cases_of_a_generation_are_chosen_by_it() -> None:
    assert {case.id for case in chosen("car", (), ("2",))} == {case.id for case in CARS}
    assert {case.id for case in chosen("car", ("E2-TLS",))} == {case.id for case in CARS if case.family == "TLS"}
    with pytest.raises(ValueError, match="E2-SAP"):
        chosen("car", ("E2-SAP-01",), ("20",))
    claimed = pics(generation="2")
    ruled_out = {case.id: claimed.lacking(case.condition) for case in CARS if claimed.lacking(case.condition)}
    assert ruled_out == {}, "our own car is ruled out of none of them"
