"""What is packed comes out as it went in, whatever it holds, and nothing in it ends the element of the page that holds it."""

import json
from typing import Any

import pytest

from tests.evcc.test_pair import greedy, hasty
from tests.v2gkit.insight.viewer import traces
from v2g.exi.errors import ExiError
from v2gkit.insight.viewer.lines import Book, Lines, head
from v2gkit.insight.viewer.packing import packed, shortened, unpacked

Line = dict[str, Any]


def lines_of(*records: list[traces.Record]) -> list[Line]:
    book, found = Book(), [head("some traces", 0.0)]
    for number, each in enumerate(records):
        lines = Lines(f"trace {number}", book)
        for record in each:
            found += lines.record(record)
        found += lines.close()
    return found


def told(lines: list[Line]) -> dict[str, list[Line]]:
    """What a reader of the lines knows in the end, in whatever order they came."""
    found: dict[str, list[Line]] = {}
    series: dict[tuple[int, str], list[Line]] = {}
    latest: dict[tuple[str, int], Line] = {}
    for line in lines:
        if line["t"] in ("connection", "facts", "verdict"):
            latest[line["t"], line["c"]] = line
        elif line["t"] == "series":
            series.setdefault((line["c"], line["name"]), []).append(line)
        else:
            found.setdefault(line["t"], []).append(line)
    for (kind, _), line in sorted(latest.items()):
        found.setdefault(kind, []).append(line)
    found["frame"] = sorted(found.get("frame", []), key=lambda line: (line["c"], line["n"]))
    found["points"] = [{"key": key, "points": [point for line in each for point in line["points"]]} for key, each in sorted(series.items())]
    return found


def same(one: list[Line], other: list[Line]) -> bool:
    def form(lines: list[Line]) -> str:
        return json.dumps(told(lines), sort_keys=True)

    return form(one) == form(other)


def test_what_is_packed_comes_out_again() -> None:
    sessions = [
        traces.pair(),
        traces.pair("AC_BPT", "Dynamic", "EIM"),
        traces.pair(script=hasty),
        traces.pair(script=greedy),
        traces.emergency(),
    ]
    lines = lines_of(*map(traces.of_station, sessions), *map(traces.of_car, sessions))
    assert same(lines, list(unpacked(packed(lines))))


def test_a_message_of_a_loop_is_a_few_numbers() -> None:
    lines = lines_of(traces.of_station(traces.pair(wish={"loops": 60})))
    loops = [line["s"] for line in lines if line["t"] == "frame" and "ChargeLoop" in line["name"]]
    arrays = [line for line in shortened(lines) if isinstance(line, list)]
    assert sum(each[0] in loops for each in arrays) > 0.9 * len(loops)
    assert max(len(json.dumps(each)) for each in arrays) < 200


def test_octets_that_do_not_follow_from_the_values_are_kept() -> None:
    records = traces.of_station(traces.pair())
    for record in records:
        if record["type"] == "frame" and record["direction"] == "received":
            record["exi"] += "0000"
    next(record for record in records if record["type"] == "frame")["exi"] = "80"
    lines = lines_of(records)
    assert any("explained" in line for line in lines)
    assert same(lines, list(unpacked(packed(lines))))


HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--",
    "\0",
    "\u202e\u2066right to left",
    "\ud800 lone",
    "\\",
    '"',
    "\u2028\u2029",
    "&lt;",
    "]]>",
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_is_text(text: str) -> None:
    records = traces.of_station(traces.pair())
    for record in records:
        record["epoch"] += 1
        if record["type"] == "state":
            record["state"] = text
        elif record["type"] == "event":
            record["name"], record["facts"] = text, {text: text}
        elif record["type"] == "frame":
            record["name"] = text
    records[0]["about"] = {"evse": text}
    records[-1] |= {"well": False, "error": text, "how": text}
    lines = lines_of(records)
    octets = packed(lines)
    assert set(octets) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
    out = list(unpacked(octets))
    assert same(lines, out)
    assert next(line for line in out if line["t"] == "verdict")["reason"] == text


@pytest.mark.parametrize("text", ["", "AAAA", "!", "H4sIAAAAAAAA"])
def test_what_is_not_packed_is_an_error(text: str) -> None:
    with pytest.raises(ExiError, match="not packed"):
        list(unpacked(text))
