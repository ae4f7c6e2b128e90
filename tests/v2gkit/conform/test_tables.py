"""The tables of case and fault that are kept: none lacks a row; those of ISO 15118-20 say which other cases each fault fails, and why."""

from pathlib import Path

import pytest

from tests.v2gkit.conform import faulty_car, faulty_station
from tests.v2gkit.conform.faulty_shared import SHARED
from tests.v2gkit.conform.station_mutants import UNSEEDED, keep, without
from v2gkit.conform.catalogue import catalogue

HERE = Path(__file__).parent
FAULTS = {"station": faulty_station.FAULTS, "car": faulty_car.FAULTS}
TABLES = {  # table -> role and generation of its cases
    "station_mutants.md": ("station", "20"),
    "station_mutants2.md": ("station", "2"),
    "station_mutants_din.md": ("station", "DIN"),
    "car_mutants.md": ("car", "20"),
    "car_mutants2.md": ("car", "2"),
    "car_mutants_din.md": ("car", "DIN"),
}
UNFAILED = {"E-TLS-11"}  # what a car does there is recorded, and fails nobody


def rows(text: str) -> dict[str, list[str]]:
    """The cells behind the id of each row."""
    found = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in text.splitlines() if line[:3] in ("| S", "| E")]
    return {row[0]: row[1:] for row in found}


def gaps(role: str, text: str) -> list[str]:
    """What a table of ISO 15118-20 does not say: a fault without row, a row without the others, another failure without reason."""
    found = rows(text)
    told = [f"{fault} has no row" for fault in FAULTS[role] if fault not in found]
    for fault in set(FAULTS[role]) & set(found):
        verdict, others, *more = found[fault]
        failed = set(others.split(", ")) - {"none"}
        if verdict != "fail":
            told.append(f"{fault} does not fail its case")
        if not others or failed - set(catalogue()):
            told.append(f"{fault} does not say which others failed: {others!r}")
        elif failed and (failed != set(SHARED[fault][0]) or more[-1] != SHARED[fault][1] if fault in SHARED else True):
            told.append(f"{fault} fails {others} without a reason")
        if role == "station" and not (more[0].isdigit() and int(more[0]) + int(more[1]) >= 5):
            told.append(f"{fault} was played beside nothing")
    return told


@pytest.mark.parametrize("name", TABLES)
def test_each_case_has_its_row(name: str) -> None:
    role, generation = TABLES[name]
    known = {case.id for case in catalogue().values() if case.role == role and case.generation == generation}
    assert set(rows((HERE / name).read_text())) == known - UNFAILED


@pytest.mark.parametrize("role", FAULTS)
def test_each_fault_says_what_else_it_fails_and_why(role: str) -> None:
    assert not gaps(role, (HERE / f"{role}_mutants.md").read_text())
    assert UNSEEDED not in without().values()


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("", "has no row"),
        ("| S-SAP-01 | pass | none | 10 | 0 |  |", "does not fail its case"),
        ("| S-SAP-01 | fail | not played |  |  |  |", "does not say"),
        ("| S-SAP-01 | fail | S-SAP-99 | 10 | 0 |  |", "does not say"),
        ("| S-SAP-01 | fail | S-SAP-03 | 10 | 0 |  |", "without a reason"),
        ("| S-SAP-01 | fail | none | 0 | 0 |  |", "beside nothing"),
    ],
)
def test_a_row_that_says_too_little_is_noticed(row: str, words: str) -> None:
    text = (HERE / "station_mutants.md").read_text()
    (old,) = [line for line in text.splitlines() if line.startswith("| S-SAP-01 ")]
    assert any(words in each for each in gaps("station", text.replace(old, row)))


def test_a_row_takes_the_place_of_the_one_before_it(tmp_path: Path) -> None:
    table = tmp_path / "table.md"
    table.write_text("# Rows\n| fault | its case |\n| S-SAP-01 | fail | S-SAP-03 |\n| S-SAP-03 | fail | none |\n| S-PNC-16 | why |\n")
    keep("| S-SAP-01 | fail | none |", table)
    keep("| S-SAP-04 | fail | none |", table)
    assert table.read_text().splitlines()[2:] == [
        "| S-SAP-01 | fail | none |",
        "| S-SAP-03 | fail | none |",
        "| S-SAP-04 | fail | none |",
        "| S-PNC-16 | why |",
    ]
