"""`v2g diff`: what is the same is the same from either side, and what differs is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.evcc.test_pair import hasty
from tests.v2gkit.insight.viewer import traces
from tests.v2gkit.insight.viewer.test_packing import lines_of
from tests.v2gkit.insight.viewer.test_sources import lines_in, of, written
from v2g.exi.codec import encode
from v2g.exi.json import from_json
from v2g.messages import schema_set
from v2gkit.cli.main import main
from v2gkit.insight.viewer.alignment import Difference, compared, connections


def difference(one: list[traces.Record], other: list[traces.Record]) -> Difference:
    shapes, (mine, theirs) = connections(lines_of(one, other))
    return compared(mine, theirs, shapes)


def kinds(found: Difference) -> dict[str, int]:
    return {kind: [row[2] for row in found.rows].count(kind) for kind in {row[2] for row in found.rows}}


def changed(records: list[traces.Record], name: str, change: Any) -> list[traces.Record]:
    """The first message of that name with another value in it."""
    record = next(record for record in records if record["type"] == "frame" and record["name"] == name)
    change(record["message"][name])
    schemas = schema_set(record["set"])
    record["exi"] = encode(from_json(json.dumps(record["message"]), schemas)[0], schemas).hex()
    return records


def test_both_ends_of_a_session_say_the_same() -> None:
    done = traces.pair()
    found = difference(traces.of_car(done), traces.of_station(done))
    assert set(kinds(found)) == {"same"}
    assert len(found.rows) > 50
    assert found.same


def test_another_time_session_and_challenge_are_no_difference() -> None:
    other = traces.pair(given={"entropy": lambda n: b"\x77" * n})
    found = difference(traces.of_station(traces.pair()), traces.of_station(other))
    assert set(kinds(found)) == {"same"}


def test_a_value_that_differs_is_named_by_its_path() -> None:
    def lower(message: Any) -> None:
        message["DC_CPDReqEnergyTransferMode" if "DC_CPDReqEnergyTransferMode" in message else "BPT_DC_CPDReqEnergyTransferMode"][
            "EVMaximumVoltage"
        ] = {"Exponent": 0, "Value": 401}

    records = traces.of_station(traces.pair())
    found = difference(records, changed(traces.of_station(traces.pair()), "DC_ChargeParameterDiscoveryReq", lower))
    assert kinds(found) == {"same": len(found.rows) - 1, "differs": 1}
    (path,) = found.values
    assert path.endswith("EVMaximumVoltage")
    assert found.values[path][2] == 401.0
    assert next(row[3] for row in found.rows if row[2] == "differs") == [path]


def test_what_was_measured_is_told_apart_and_is_no_difference() -> None:
    def sagging(message: Any) -> None:
        message["EVPresentVoltage"] = {"Exponent": 0, "Value": 361}

    found = difference(traces.of_station(traces.pair()), changed(traces.of_station(traces.pair()), "DC_ChargeLoopReq", sagging))
    assert kinds(found) == {"same": len(found.rows) - 1, "measured": 1}
    assert found.same
    assert any("1 but for measured values, 0 differ" in line for line in found.summary())
    assert not any("EVPresentVoltage" in line for line in found.summary())


def test_the_same_number_spelled_otherwise_is_the_same() -> None:
    def spelled(message: Any) -> None:
        voltage = message["BPT_DC_CPDReqEnergyTransferMode"]["EVMaximumVoltage"]
        voltage |= {"Exponent": voltage["Exponent"] - 1, "Value": voltage["Value"] * 10}

    octets = [record["exi"] for record in traces.of_station(traces.pair()) if record["type"] == "frame"]
    other = changed(traces.of_station(traces.pair()), "DC_ChargeParameterDiscoveryReq", spelled)
    assert [record["exi"] for record in other if record["type"] == "frame"] != octets
    assert difference(traces.of_station(traces.pair()), other).same


def test_more_loops_are_more_messages_and_nothing_else_moves() -> None:
    few, many = (traces.of_station(traces.pair("DC", "Dynamic", "EIM", wish={"loops": loops})) for loops in (5, 25))
    found = difference(few, many)
    assert kinds(found)["only b"] == 40
    assert "only a" not in kinds(found)
    assert all(a is None or b is None or b - a in (0, 40) for a, b, *_ in found.rows)


def test_a_session_that_fails_has_less(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    well = written(tmp_path / "well.jsonl", traces.of_station(traces.pair()))
    bad = written(tmp_path / "bad.jsonl", traces.of_station(traces.pair(script=hasty)))
    assert main(["diff", str(well), str(well)]) == 0
    assert "0 differ, 0 only in A, 0 only in B" in capsys.readouterr().out
    assert main(["diff", str(well), str(bad), "--out", str(tmp_path / "diff.html")]) == 1
    told = capsys.readouterr().out
    assert "ended refused" in told
    assert "only in A" in told
    lines = lines_in(tmp_path / "diff.html")
    assert lines[0]["diff"]
    (pair,) = of("pair", lines)
    names = {(line["c"], line["n"]): line["name"] for line in of("frame", lines)}
    for a, b, kind, _ in pair["rows"]:
        assert kind in ("same", "measured", "differs", "only a", "only b")
        if a is not None and b is not None:
            assert names[pair["a"], a] == names[pair["b"], b]


def test_what_cannot_be_read_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    well, empty = written(tmp_path / "well.jsonl", traces.of_station(traces.pair())), tmp_path / "empty.jsonl"
    empty.write_text("")
    assert main(["diff", str(well), str(empty)]) == 2
    assert main(["diff", str(well), str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.count("\n") == 2
