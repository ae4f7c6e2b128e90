"""`v2g replay`: a session that does as it did, one that does not, and what is no trace of a station."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.secc import scripted
from tests.secc.scripted import Scripted
from tests.secc.test_replay import Taped
from v2gkit.cli.main import main


@pytest.fixture
def tape(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The records of a session that charged."""
    monkeypatch.setattr(scripted, "SeccSession", Taped)
    Taped.tapes.clear()
    car = Scripted()
    car.charging("DC", "Scheduled")
    car.deliver("Stop")
    car.stop("Terminate")
    records, Taped.tapes = Taped.tapes[0], []
    return records


def written(folder: Path, records: list[dict[str, Any]]) -> str:
    path = folder / "trace.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


def test_a_session_that_does_as_it_did(tape: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", written(tmp_path, tape), "--json"]) == 0
    (said,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert said["same"]
    assert said["records"] > 50
    assert main(["replay", written(tmp_path, tape)]) == 0
    assert capsys.readouterr().out.endswith("records, the same\n")


def test_a_session_that_does_something_else(tape: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = [n for n, record in enumerate(tape) if record["type"] == "fact"]
    assert main(["replay", written(tmp_path, tape[: facts[3]] + tape[facts[3] + 1 :])]) == 1
    assert "differs; " in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "[]\n", "{}\n", "no trace\n", '{"type":"connected","connection":1,"at":0,"epoch":0}\n'])
def test_what_is_no_trace_of_a_station_is_said(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text(text)
    assert main(["replay", str(path)]) == 2
    assert "v2g replay: " in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(tmp_path / "none.jsonl")]) == 2
    assert "none.jsonl" in capsys.readouterr().err


FOREIGN = {
    "a car's trace": lambda tape: [{**record, "side": "evcc"} for record in tape if record["type"] != "event"],
    "another JSON": lambda tape: [{"a": 1}, {"connection": 1}],
    "a record without a type": lambda tape: [*tape[:3], {"connection": 0, "at": 1, "epoch": 1}],
    "a fact that is none": lambda tape: [*tape[:9], {**tape[9], "type": "fact", "name": "dataclass", "facts": {}}],
    "no time": lambda tape: [{**record, "at": "now"} for record in tape],
    "no hexadecimal": lambda tape: [{**record, "exi": "xyz"} for record in tape],
    "no outlet": lambda tape: [{**record, "facts": {}} if record.get("name") == "SessionGiven" else record for record in tape],
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_trace_is_one_line(name: str, tape: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", written(tmp_path, FOREIGN[name](tape))]) == 2
    told = capsys.readouterr()
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert "trace.jsonl" in told.err


@pytest.mark.parametrize("octets", [b"\xff\xfe\x00", b"[" * 200_000, b"\x00" * 100, b'{"connection": ' + b"9" * 5000 + b"}\n", b"\x80PNG"])
def test_octets_that_are_no_trace_are_one_line(octets: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_bytes(octets)
    assert main(["replay", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert main(["replay", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_trace_with_accidents_is_played_or_refused_in_one_line(
    tape: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(15118)
    junk = (None, -1, 1e400, "", "x", [], {}, [[]], {"a": None}, True, "ff" * 9)
    seen = set()
    for _ in range(150):
        copy = json.loads(json.dumps(tape))
        record = chance.choice(copy)
        place = record["facts"] if chance.random() < 0.5 and record.get("facts") else record
        place[chance.choice(list(place))] = chance.choice(junk)
        code = main(["replay", written(tmp_path, copy)])
        told = capsys.readouterr()
        assert len(told.err.splitlines()) == (code == 2)
        seen.add(code)
    assert seen == {0, 1, 2}


def test_a_trace_that_was_cut_off_is_played_as_far_as_it_goes(
    tape: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for length in range(20, len(tape), 7):
        path = Path(written(tmp_path, tape[:length]))
        path.write_bytes(path.read_bytes()[:-20])
        assert main(["replay", str(path)]) == 0
        assert "the same" in capsys.readouterr().out
