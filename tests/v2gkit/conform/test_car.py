"""The cases that judge a car, some of each family, against our own in processes of its own: nothing fails, and nothing is left open.

`make conform` plays them all.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pki.issue import build
from pki.plan import Plan
from pki.store import create
from tests.conformance.harness import NOW
from tests.starved import again
from tests.v2gkit.conform.car_mutants import judged
from tests.v2gkit.conform.cars import Own, bad, pics
from tests.v2gkit.conform.faulty_car import FAULTS
from v2gkit.cli.main import main
from v2gkit.conform.case import Case
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.verdict import Verdict

CARS = [case for case in catalogue().values() if case.role == "car" and case.generation == "20"]
CHOSEN = {  # case -> the parts that are played here; empty: all of them
    "E-SAP-02": (),
    "E-SES-02": (),
    "E-SES-05": (),
    "E-TLS-04": (),
    "E-TLS-06": ("an unknown root",),
    "E-AUT-07": (),
    "E-AUT-08": ("in order", "no signature"),
    "E-SVC-02": (),
    "E-CHG-02": ("loop in the other control",),
    "E-LOP-05": ("Pause",),
    "E-LOP-07": (),
    "E-END-01": (),
    "E-END-04": ("early ServiceDiscovery",),
    "E-EXI-02": ("length 0xFFFFFFFF",),
}


UNFAILED = {  # cases that no fault of a test double fails, and why
    "E-TLS-11": "what a car does there is recorded, not judged",
}


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("conform") / "certs"
    create(path, [build(Plan(), "secp521r1", NOW)])
    return path


def some() -> list[Case]:
    """The chosen cases, with the chosen parts."""
    return [replace(case, parts=CHOSEN[case.id] or case.parts) for case in CARS if case.id in CHOSEN]


@again
def test_nothing_of_our_own_car_fails(certs: Path, tmp_path: Path) -> None:
    results = Own(certs, tmp_path).judged(some())
    assert not bad(results)
    assert {each.verdict for each in results.values()} == {Verdict.PASS}
    assert set(results) == set(CHOSEN)


def test_each_family_of_the_list_has_its_cases() -> None:
    counted = {family: sum(case.family == family for case in CARS) for family in {case.family for case in CARS}}
    assert counted == {"SDP": 5, "TLS": 12, "CRT": 4, "SAP": 5, "SES": 7, "AUT": 9, "SVC": 4, "CHG": 8, "LOP": 9, "END": 5, "EXI": 4}
    for case in CARS:
        assert case.purpose, case.id
        assert case.expected, case.id


@pytest.mark.parametrize("fault", ["E-SES-01", "E-AUT-07", "E-LOP-03"])
def test_a_fault_fails_its_case(certs: Path, tmp_path: Path, fault: str) -> None:
    """A few of them; `python -m tests.v2gkit.conform.car_mutants` plays them all, and their neighbours."""
    assert judged(certs, tmp_path, fault, neighbours=False) == {fault: Verdict.FAIL}


def test_each_case_has_a_fault_or_a_reason() -> None:
    assert set(FAULTS) | set(UNFAILED) == {case.id for case in CARS}
    assert not set(FAULTS) & set(UNFAILED)
    kept = (Path(__file__).parent / "car_mutants.md").read_text().splitlines()
    assert sorted(line for line in kept if line.startswith("| E-")) == sorted(f"| {fault} | fail | none |  |" for fault in FAULTS)


def test_a_car_that_does_not_come_is_no_pass(certs: Path, tmp_path: Path) -> None:
    """A program that ends at once, and one that there is no command for."""
    claimed = pics()
    file = tmp_path / "car.toml"
    file.write_text('[claims]\npause = true\n[test]\ncommand = "echo nobody is here"\narrival = 0.3\n')
    asked = ["conform", "car", "--listen", "[::1]:0", "--pki", str(certs), "--pics", str(file), "--out", str(tmp_path / "out")]
    assert main([*asked, "--case", "E-SES-01", "--case", "E-SES-05", "--case", "E-SAP-05"]) == 0
    rows = {row["id"]: row for row in map(json.loads, (tmp_path / "out" / "results.jsonl").read_text().splitlines())}
    assert {each: row["verdict"] for each, row in rows.items()} == {
        "E-END-01": "inconclusive",  # the control of the first
        "E-SES-01": "inconclusive",
        "E-SES-05": "blocked",
        "E-SAP-05": "not applicable",
    }
    assert "nobody is here" in rows["E-SES-01"]["seen"]
    assert "'pause'" in rows["E-SES-05"]["seen"]
    assert claimed.test.triggers["pause"]


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        ("", ["--listen", "[::1]:0"], "must know where"),
        ("[test]\ncars = 2\n", ["--listen", "[::1]:15200"], "must know where"),
        ("[test]\ncars = 0\n", ["--listen", "[::1]:15200"], "give 1 to 64"),
        ("[test]\ncommando = 'x'\n", ["--listen", "[::1]:15200"], "commando"),
    ],
)
def test_wrong_usage_is_told(
    certs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, more: list[str], words: str
) -> None:
    file = tmp_path / "car.toml"
    file.write_text(text)
    assert main(["conform", "car", "--pki", str(certs), "--pics", str(file), "--out", str(tmp_path / "out"), *more]) == 2
    assert words in capsys.readouterr().err
