"""The tables of case and fault that are kept: none lacks a row; most say which other cases each fault fails, and why."""

from collections.abc import Collection
from pathlib import Path

import pytest

from tests.v2gkit.conform import faulty_car, faulty_car2, faulty_card, faulty_station, station_mutants2
from tests.v2gkit.conform.faulty_shared import SHARED, SHARED_CARS, SHARED_STATIONS, Shared
from tests.v2gkit.conform.station_mutants import UNSEEDED, without
from tests.v2gkit.conform.tabled import gaps, keep, read
from v2gkit.conform.catalogue import catalogue

HERE = Path(__file__).parent
STATIONS = {table.kept().name: table for table in station_mutants2.TABLES.values()}  # whose faults have names, and several cases
OF_STATIONS = {name: {fault: each.cases for fault, each in table.faults.items()} for name, table in STATIONS.items()}
BESIDE: dict[str, tuple[Collection[str], Shared, bool]] = {  # -> faults, what else they fail, whether it counts what they do not fail
    **{name: (table.faults, SHARED_STATIONS[table.generation], True) for name, table in STATIONS.items()},
    "station_mutants.md": (faulty_station.FAULTS, SHARED, True),
    "car_mutants.md": (faulty_car.FAULTS, SHARED, False),
    "car_mutants2.md": (faulty_car2.FAULTS, SHARED_CARS, True),
    "car_mutants_din.md": (faulty_card.FAULTS, SHARED_CARS, True),
}
TABLES = {  # table -> role and generation of its cases
    "station_mutants.md": ("station", "20"),
    "station_mutants2.md": ("station", "2"),
    "station_mutants_din.md": ("station", "DIN"),
    "car_mutants.md": ("car", "20"),
    "car_mutants2.md": ("car", "2"),
    "car_mutants_din.md": ("car", "DIN"),
}
UNFAILED = {"E-TLS-11"}  # what a car does there is recorded, and fails nobody


def cases(name: str) -> list[str]:
    """The cases that the rows of a table are about: each is called by one, or names several in its next cell."""
    found = read((HERE / name).read_text())
    named = [id_ for fault in OF_STATIONS.get(name, ()) if fault in found for id_ in found[fault][0].split(", ")]
    return [*named, *(first for first in found if first[:1] in ("S", "E") and "-" in first)]


def failing(name: str) -> dict[str, set[str]]:
    """The other cases that each fault of a table fails, as its row says."""
    faults, _, _ = BESIDE[name]
    found, place = read((HERE / name).read_text()), 2 if name in STATIONS else 1
    return {fault: set(row[place].split(", ")) - {"none", "not played"} for fault, row in found.items() if fault in faults}


@pytest.mark.parametrize("name", TABLES)
def test_each_case_has_its_row(name: str) -> None:
    role, generation = TABLES[name]
    known = {case.id for case in catalogue().values() if case.role == role and case.generation == generation}
    assert sorted(cases(name)) == sorted(known - UNFAILED)


@pytest.mark.parametrize("name", BESIDE)
def test_each_fault_says_what_else_it_fails_and_why(name: str) -> None:
    faults, shared, counted = BESIDE[name]
    assert not gaps((HERE / name).read_text(), faults, shared, counted, OF_STATIONS.get(name))
    assert UNSEEDED not in without().values()


def test_no_reason_is_given_for_what_does_not_happen() -> None:
    told = {(name, fault): others for name in BESIDE for fault, others in failing(name).items() if others}
    reasoned = {
        (name, fault): set(others)
        for name, (faults, shared, _) in BESIDE.items()
        for fault, (others, _) in shared.items()
        if fault in faults
    }
    assert told == reasoned
    shares = (SHARED, SHARED_CARS, *SHARED_STATIONS.values())
    assert {fault for each in shares for fault in each} == {fault for _, fault in reasoned}, "a fault that there is not"


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
    assert any(words in each for each in gaps(text.replace(old, row), faulty_station.FAULTS, SHARED))


@pytest.mark.parametrize(
    "text", ["", "| E2-SES-01 | fail |", "| E2-SES-01 | fail | none | | | |", "| E2-SES-01 | fail | E2-SES-02 | 30 | 0 | |"]
)
def test_a_table_of_an_older_generation_is_held_to_the_same(text: str) -> None:
    assert gaps(text, ("E2-SES-01",), SHARED_CARS)
    assert not gaps("| E2-SES-01 | fail | none | 30 | 0 | |", ("E2-SES-01",), SHARED_CARS)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("| a fault | S2-SAP-01, S2-SAP-02 | fail | none | 40 | 0 | |", ""),
        ("| a fault | S2-SAP-01, S2-SAP-02 | fail |", "does not say which others failed"),
        ("| a fault | S2-SAP-01, S2-SAP-02 | fail | none | | | |", "beside nothing"),
        ("| a fault | S2-SAP-01, S2-SAP-02 | fail, pass | none | 40 | 0 | |", "does not fail its case"),
        ("| a fault | S2-SAP-01, S2-SAP-02 | fail | S2-SAP-03 | 40 | 0 | |", "without a reason"),
        ("| a fault | S2-SAP-01 | fail | none | 40 | 0 | |", "does not say its cases"),
    ],
)
def test_a_row_of_several_cases_is_held_to_the_same(row: str, words: str) -> None:
    found = gaps(row, ("a fault",), SHARED_STATIONS["2"], True, {"a fault": ("S2-SAP-01", "S2-SAP-02")})
    assert any(words in each for each in found) if words else not found


def test_a_row_takes_the_place_of_the_one_before_it(tmp_path: Path) -> None:
    table = tmp_path / "table.md"
    table.write_text("# Rows\n| fault | its case |\n| S-SAP-01 | fail | S-SAP-03 |\n| S-SAP-03 | fail | none |\n| S-PNC-16 | why |\n")
    keep("| S-SAP-01 | fail | none |", table, faulty_station.FAULTS)
    keep("| S-SAP-04 | fail | none |", table, faulty_station.FAULTS)
    assert table.read_text().splitlines()[2:] == [
        "| S-SAP-01 | fail | none |",
        "| S-SAP-03 | fail | none |",
        "| S-SAP-04 | fail | none |",
        "| S-PNC-16 | why |",
    ]
