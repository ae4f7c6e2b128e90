"""A reader of the live viewer's stream, over a real connection."""

import contextlib
import http.client
import json
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

HANG = 120.0  # s after which something hangs; nothing is measured by it


class Told(NamedTuple):
    """One event of a stream: its id, its type (empty: a line), its data."""

    id: str
    event: str
    line: dict[str, Any]


def asked(url: str, path: str, headers: Mapping[str, str] = {}, method: str = "GET") -> http.client.HTTPResponse:
    """The answer to one request; `Host` may be overruled."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=HANG)
    connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    return connection.getresponse()


@contextlib.contextmanager
def stream(url: str, last: str = "", path: str = "/stream") -> Iterator[Iterator[Told]]:
    """The events of a stream as they come."""
    answer = asked(url, path, {"Last-Event-ID": last} if last else {})
    assert answer.status == 200, answer.read()
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    try:
        yield events(answer)
    finally:
        answer.close()


def events(answer: http.client.HTTPResponse) -> Iterator[Told]:
    """The events of an answer, until it ends."""
    found = {"id": "", "event": "", "data": ""}
    with contextlib.suppress(http.client.IncompleteRead, ConnectionError):
        for raw in answer:
            name, _, value = raw.decode().rstrip("\n").partition(": ")
            if name in found:
                found[name] = value
            elif not name:
                if found["data"]:
                    yield Told(found["id"], found["event"], json.loads(found["data"]))
                found = {"id": "", "event": "", "data": ""}


def until(told: Iterator[Told], fits: Callable[[Told], bool]) -> list[Told]:
    """The events up to the first that fits; AssertionError where the stream ends before."""
    seen = []
    for each in told:
        seen.append(each)
        if fits(each):
            return seen
    raise AssertionError(f"the stream ended after {len(seen)} events: {seen[-3:]}")


def is_verdict(told: Told) -> bool:
    """Whether it is the end of a connection."""
    return told.line.get("t") == "verdict" and bool(told.line["over"])


def viewers_of(pid: int) -> list[int]:
    """The processes that a process has started to serve its viewer."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((each / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"v2gkit.insight.live" in (each / "cmdline").read_bytes():
                found.append(int(each.name))
    return found


def viewer_of(pid: int, besides: Collection[int] = ()) -> int:
    """The one viewer that a process has started besides those; it is waited for, since its command is not there before its program is."""
    while not (found := set(viewers_of(pid)) - set(besides)):
        time.sleep(0.01)
    (one,) = found
    return one


def lives(pid: int) -> bool:
    """Whether a process is there and no corpse."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


OURS = os.getpid()
