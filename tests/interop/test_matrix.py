"""The interop matrix without a peer: which cells there are, how an account is judged, and that the README shows every cell."""

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from v2gkit.peers.bench import Cell, CellResult, account, complaints, judged
from v2gkit.peers.matrix import cells_with, matrix
from v2gkit.peers.stories import ENDLESS, OLDER, STORIES
from v2gkit.peers.table import BEGIN, END, column_of, matrix_table, relaxed_list, row_of, write_into, written_in

CELL = Cell("car", "DC_BPT", "scheduled", "pnc", "tls13")
README = Path(__file__).parents[2] / "README.md"


def well(**other: Any) -> dict[str, Any]:
    return {
        "ok": True,
        "service": "DC_BPT",
        "control": "scheduled",
        "auth": "pnc",
        "tls": "TLSv1.3",
        "loops": 10,
        "discharged": 4,
        "mobility": 1,
    } | other


def test_the_matrix_has_every_session_that_is_asked_for() -> None:
    cells = set(matrix())
    assert len(cells) == len(matrix())
    for role in ("car", "station"):
        for service in ("DC", "DC_BPT", "AC"):
            for control in ("scheduled", "dynamic"):
                for authorization in ("eim", "pnc"):
                    for transport in ("tcp", "tls13"):
                        assert Cell(role, service, control, authorization, transport) in cells
        assert any(cell.discovery == "sdp" and cell.role == role for cell in cells)


def test_cells_are_chosen_by_words() -> None:
    found = cells_with(matrix(), ["car", "DC", "pnc"])
    assert found
    assert all(cell.words >= {"car", "DC", "pnc"} for cell in found)
    with pytest.raises(ValueError, match="no cell has 'DCX'; words are 2, 20, AC, AC_BPT"):
        cells_with(matrix(), ["DCX"])


def test_all_is_well_only_if_both_sides_say_so() -> None:
    assert judged(CELL, 10, well(), well()).ok
    assert judged(CELL, 10, well(), {"ok": False, "reason": "no"}).wrong == ("station: no",)
    assert judged(CELL, 10, {}, well()).wrong == ("car: gave no account of the session",)


@pytest.mark.parametrize(
    ("key", "value"), [("service", "DC"), ("control", "dynamic"), ("auth", "eim"), ("tls", None), ("tls", "TLSv1.2"), ("loops", 9)]
)
def test_another_session_than_the_one_asked_for_is_no_success(key: str, value: Any) -> None:
    (complaint,) = complaints("car", well(**{key: value}), CELL, 10)
    assert complaint.startswith(f"car: {key} was {value}, not ")


def test_a_session_without_its_story_is_no_success() -> None:
    told = Cell("station", "DC", "dynamic", "pnc", "tls13", about="told")
    asked = well(service="DC", control="dynamic", energy_charged=1, mobility=1)
    assert judged(told, 10, asked | {"loops": 7}, asked | {"loops": 7}).ok
    for loops in (0, ENDLESS):
        assert judged(told, 10, asked | {"loops": loops}, asked).wrong == (f"car: {loops} loops; it was to leave in their midst",)
    needs = Cell("station", "DC", "dynamic", "pnc", "tls13", about="needs")
    assert judged(needs, 10, asked, asked | {"mobility": 2}).ok
    assert judged(needs, 10, asked, asked).wrong == ("peer: mobility was 1, not 2",)
    again = Cell("station", "AC", "dynamic", "pnc", "tls13", about="renegotiated")
    asked |= {"service": "AC"}
    assert judged(again, 10, asked, asked | {"details": 2}).ok
    assert judged(again, 10, asked, asked | {"details": 1}).wrong == ("peer: details was 1, not 2",)


def test_every_story_is_played_in_each_role_service_and_control_mode_that_it_has() -> None:
    for story in STORIES.values():
        cells = [cell for cell in matrix() if cell.about == story.name and not cell.older]
        assert {cell.role for cell in cells} == set(story.roles)
        assert {cell.service for cell in cells} == set(story.services)
        assert {cell.control for cell in cells} == set(story.controls)
    assert cells_with(matrix(), ["told", "station"])
    assert not any(cell.story.told for cell in matrix(alone=True))


def test_minus2_and_din_are_played_by_every_way_of_paying_and_link_that_they_have() -> None:
    links = {"2": {("eim", "tcp"), ("eim", "tls12"), ("pnc", "tls12")}, "DIN": {("eim", "tcp")}}
    for role, (generation, ways), service in itertools.product(("car", "station"), links.items(), ("AC", "DC")):
        whole = [
            cell for cell in matrix() if (cell.role, cell.generation, cell.service, cell.about) == (role, generation, service, "whole")
        ]
        by_address = {(cell.authorization, cell.transport) for cell in whole if cell.discovery == "address"}
        assert by_address == (set() if (generation, service) == ("DIN", "AC") else ways)
        assert any(cell.discovery == "sdp" for cell in whole) == (service == "DC")
    for story in OLDER.values():
        cells = [cell for cell in matrix() if cell.about == story.name and cell.older]
        assert {cell.role for cell in cells} == set(story.roles)
        assert {(cell.generation, cell.service) for cell in cells} == set(story.sessions)
    assert {cell.about for cell in matrix(alone=True) if cell.older} == {"whole"}


def test_an_account_of_minus2_needs_no_control_mode_and_its_own_tls() -> None:
    cell = Cell("station", "DC", "", "pnc", "tls12", about="paused", generation="2")
    ours = {"ok": True, "service": "DC", "auth": "pnc", "tls": "TLSv1.2", "loops": 10, "energy_charged": 3}
    peer = ours | {"visits": 2, "joined": 1}
    assert judged(cell, 10, ours, peer).ok
    assert judged(cell, 10, ours, peer | {"joined": 0}).wrong == ("peer: joined was 0, not 1",)
    assert judged(cell, 10, ours | {"tls": "TLSv1.3"}, peer).wrong == ("car: tls was TLSv1.3, not TLSv1.2",)


def test_energy_must_flow_in_the_direction_of_the_cell() -> None:
    assert judged(CELL, 10, well(), well(discharged=0, charged=9)).wrong == ("no energy flowed back (charged 9, discharged 0)",)
    charging = Cell("station", "DC", "scheduled", "pnc", "tls13")
    assert judged(charging, 10, well(service="DC", energy_charged=0.4), well(service="DC")).ok
    assert not judged(charging, 10, well(service="DC", energy_discharged=0.4), well(service="DC")).ok


def test_our_station_tells_its_session_line_by_line() -> None:
    said = [
        {"event": "listening", "address": "[::1]:1"},
        {"event": "secured", "version": "TLSv1.3"},
        {"event": "relaxed", "relaxation": "a", "requirement": "V2G20-1"},
        {"event": "relaxed", "relaxation": "a", "requirement": "V2G20-1"},
        {"event": "ended", "ok": True, "service": "DC_BPT", "control": "Scheduled", "auth": "PnC", "loops": 10},
    ]
    told = account(said)
    assert complaints("station", told, CELL, 10) == ()
    assert told["relaxed"] == ["a [V2G20-1]"]
    assert complaints("station", account([]), CELL, 10) == ("station: gave no account of the session",)


def test_only_a_timer_of_ours_earns_a_second_attempt() -> None:
    assert CellResult(CELL, ours={"how": "timed out"}).late
    assert CellResult(CELL, ours={"reason": "TimedOut: V2G_EVCC_Msg_Timeout of 2 s ran out"}).late
    assert not CellResult(CELL, wrong=("x",), ours={"how": "refused", "reason": None}).late
    assert CellResult(CELL, loops=10, seconds=1.25, attempts=2).text == "10 loops, 1.2 s, attempt 2"


def test_the_table_has_a_place_for_every_cell() -> None:
    table = matrix_table([CellResult(cell, loops=3, seconds=1.0) for cell in matrix()])
    assert table.count("3 loops, 1.0 s") == len(matrix())
    assert "fails: a / b" in matrix_table([CellResult(CELL, wrong=("a | b",))])
    assert "not run: no root" in matrix_table([CellResult(CELL, skipped="no root")])


def test_what_was_set_aside_is_counted_by_our_side() -> None:
    seen = [CellResult(CELL, relaxed=("a [R1]",)), CellResult(CELL, relaxed=("a [R1]", "b [R2]"))]
    assert relaxed_list(seen) == "- a [R1]: station 2×\n- b [R2]: station 1×"


def test_a_document_takes_the_table_between_its_markers(tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_into(document, "| new |")
    assert document.read_text() == f"before\n{BEGIN}\n\n| new |\n\n{END}\nafter\n"
    document.write_text("no markers")
    with pytest.raises(ValueError, match="no place for the table"):
        write_into(document, "")


def test_the_readme_shows_every_cell_of_the_matrix() -> None:
    shown: dict[tuple[str, ...], dict[str, str]] = {}  # by the heads of the row, by the head of the column
    for table in written_in(README.read_text()).split("\n\n"):
        lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")]
        shown |= {tuple(row[:3]): dict(zip(lines[0], row, strict=True)) for row in lines[2:]}
    for cell in matrix():
        said = shown[row_of(cell)][column_of(cell)]
        assert re.fullmatch(r"\d+ loops, \d+\.\d s(, attempt \d)?", said), f"{cell}: {said}"
