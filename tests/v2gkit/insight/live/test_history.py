"""The history of the live viewer: what a browser gets, wherever it was cut off, and what goes when there is too much."""

import json
import re
from typing import Any

from v2gkit.insight.live.history import RESET, History

HEAD = {"t": "head", "v": 1, "title": "test"}


def read(octets: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in octets.split(b"\n") if line.startswith(b"data: ")]


def everything(history: History, number: int = 0) -> list[dict[str, Any]]:
    lines = []
    while True:
        octets, number = history.after(number)
        if not octets:
            return lines
        lines += read(octets)


def frame(c: int, n: int, size: int = 1000) -> dict[str, Any]:
    return {"t": "frame", "c": c, "n": n, "exi": "x" * size}


def test_ids_grow_and_nothing_is_told_twice() -> None:
    history = History(1000, HEAD)
    history.add([frame(0, n) for n in range(3000)])
    ids, number = [], 0
    while (octets := history.after(number)[0]) != b"":
        number = history.after(number)[1]
        ids += [int(each) for each in re.findall(rb"^id: (\d+)$", octets, re.MULTILINE)]
    assert ids == list(range(1001, 4002))
    octets, _ = history.after(history.place("2500"))
    assert read(octets)[0]["n"] == 1499


def test_an_id_of_another_history_is_a_reset() -> None:
    history = History(1000, HEAD)
    for other in ("17", "99999999999", "abc", "-5", "1" * 400, "１００１"):
        octets, number = history.after(history.place(other))
        assert octets.startswith(RESET), other
        assert read(octets)[1] == HEAD
        assert number == 1001
    assert history.after(history.place("")) == history.after(0)
    assert history.after(history.place("1001")) == (b"", 1001)


def test_the_oldest_connections_that_are_over_go_first_and_it_is_said() -> None:
    history = History(0, HEAD, room=100_000)
    history.add([frame(0, 0)])  # is open for long
    for c in range(1, 200):
        assert history.add([{"t": "connection", "c": c}, frame(c, 0), {"t": "verdict", "c": c, "over": True}])
    head, *lines = everything(history)
    kept = {line["c"] for line in lines if "c" in line}
    assert {0, 199} <= kept
    assert sorted(kept - {0}) == list(range(200 - len(kept) + 1, 200))
    assert head["dropped"] == 200 - len(kept) == history.dropped
    assert sum(line["t"] == "head" for line in lines) == 1  # for those who read the first one before


def test_whoever_has_not_read_what_went_begins_anew() -> None:
    history = History(0, HEAD, room=50_000)
    history.add([frame(0, 0), frame(0, 1)])
    _, number = history.after(0)
    for c in range(1, 100):
        history.add([frame(c, 0), {"t": "verdict", "c": c, "over": True}])
    octets, reached = history.after(number)
    assert octets.startswith(RESET)
    assert reached == history.last


def test_of_the_only_connection_the_oldest_messages_go() -> None:
    history = History(0, HEAD, room=100_000)
    history.add([{"t": "shape", "s": 0}, {"t": "connection", "c": 0}])
    for n in range(500):
        assert history.add([frame(0, n)])
    head, *lines = everything(history)
    frames = [line["n"] for line in lines if line["t"] == "frame"]
    assert head["cut"]
    assert frames == list(range(frames[0], 500))
    assert 20 < len(frames) < 100
    assert {"shape", "connection"} <= {line["t"] for line in lines}


def test_what_cannot_be_left_out_makes_it_begin_anew() -> None:
    history = History(0, HEAD, room=10_000)
    assert not history.add([{"t": "shape", "s": s, "name": "x" * 1000} for s in range(20)])
    last = history.last
    history.anew()
    assert everything(history) == [HEAD]
    assert history.after(last)[0].startswith(RESET)


def test_there_are_never_more_connections_than_a_list_can_show() -> None:
    history = History(0, HEAD)
    history.add([{"t": "connection", "c": c} for c in range(5000)])
    assert len(everything(history)) < 2100
