"""Octets in text become frames: with their times where lines have them, and a session for each negotiation."""

from pathlib import Path
from typing import Any

import pytest

from tests.v2gkit.insight.decode.captures import DIN, DIN_FRAMES
from v2gkit.insight.decode import records
from v2gkit.insight.decode.logs import stamped


def told_of(tmp_path: Path, text: str | bytes) -> list[dict[str, Any]]:
    file = tmp_path / "given"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(records(file))


def names(told: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [("car" if each["direction"] == "received" else "station", each["name"]) for each in told if each["type"] == "frame"]


EXPECTED = [(who, name) for who, name, _ in DIN]


def test_lines_of_a_log_keep_their_times(tmp_path: Path) -> None:
    lines = [f"2026-03-01 10:00:{place:02}.500 [io] octets: {octets.hex(' ')}" for place, octets in enumerate(DIN_FRAMES)]
    told = told_of(tmp_path, "\n".join(["2026-03-01 09:59:00 started", *lines]))
    assert names(told) == EXPECTED
    found = [each for each in told if each["type"] == "frame"]
    assert [each["at"] for each in found] == [0, 1, 2, 3, 4]
    assert [each["gap"] for each in found] == [None, 1, 1, 1, 1]
    assert found[0]["epoch"] == 1772359200.5
    assert told[0]["about"]["timed"]


@pytest.mark.parametrize("form", ["{}", "80 01 {}", "{} "])
def test_octets_without_times_have_none(tmp_path: Path, form: str) -> None:
    told = told_of(tmp_path, "\n".join(form.removeprefix("80 01 ").format(exi) for _, _, exi in DIN))
    assert names(told) == EXPECTED
    assert {each["gap"] for each in told if each["type"] == "frame"} == {None}
    assert [each["set"] for each in told if each["type"] == "frame"] == ["app", "app", "din", "din", "din"]
    assert {each["payload_type"] for each in told if each["type"] == "frame"} == {"0x8001"}


def test_another_negotiation_begins_another_session(tmp_path: Path) -> None:
    told = told_of(tmp_path, b"".join(DIN_FRAMES) * 2)
    assert names(told) == EXPECTED * 2
    assert [each["connection"] for each in told if each["type"] == "trace"] == [1, 2]
    assert "another session begins" in next(each for each in told if each["type"] == "end")["reason"]


def test_what_is_no_message_keeps_its_octets(tmp_path: Path) -> None:
    told = told_of(tmp_path, "\n".join([DIN[0][2], "80ffffffff", DIN[1][2]]))
    assert [each[1] for each in names(told)] == ["supportedAppProtocolReq", None, "supportedAppProtocolRes"]
    assert told[2]["exi"] == "80ffffffff"
    assert told[2]["error"]


def test_discovery_in_a_log_is_a_note(tmp_path: Path) -> None:
    told = told_of(tmp_path, "01fe9000000000020000\n" + DIN_FRAMES[0].hex())
    assert [each["facts"]["name"] for each in told if each["type"] == "note"] == ["Request"]


@pytest.mark.parametrize(
    ("line", "epoch"),
    [
        ("2026-03-01T10:00:00Z x", 1772359200.0),
        ("2026-03-01T10:00:00,25 x", 1772359200.25),
        ("2026-03-01T12:00:00.5+02:00 x", 1772359200.5),
        ("(1772359200.125) can0", 1772359200.125),
        ("no time 0123456789", None),
        ("2026-13-41T10:00:00", None),
    ],
)
def test_times_in_lines(line: str, epoch: float | None) -> None:
    assert stamped(line) == epoch


def test_keys_for_what_is_no_capture_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_text(DIN[0][2])
    with pytest.raises(ValueError, match="leave --keys out"):
        list(records(file, file))
