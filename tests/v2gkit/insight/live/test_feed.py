"""The live viewer as a process: fed by a pipe, asked over real connections, and no burden to whoever feeds it."""

import contextlib
import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.starved import HANG
from tests.v2gkit.insight.live.following import OURS, Told, asked, lives, stream, until, viewer_of, viewers_of
from v2gkit.insight.live.feed import Feed, Where, viewed


def note(number: int, connection: int = 1, text: str = "x") -> str:
    return (
        json.dumps(
            {"type": "note", "connection": connection, "at": number, "epoch": number, "topic": f"note {number}", "facts": {"n": text}}
        )
        + "\n"
    )


def opening(connection: int = 1) -> str:
    record = {"type": "trace", "connection": connection, "at": 0, "epoch": 0, "version": 1, "side": "secc", "about": {"evse": "DE*1"}}
    return json.dumps(record) + "\n"


def named(name: str) -> Callable[[Told], bool]:
    return lambda told: told.line.get("name") == name


@contextlib.contextmanager
def feeding(address: str = "127.0.0.1") -> Iterator[tuple[Feed, list[str], int]]:
    """A viewer, what it complained of, and its process."""
    said: list[str] = []
    before = set(viewers_of(OURS))
    with viewed(Where(0, address), "test", said.append) as feed:
        yield feed, said, viewer_of(OURS, before)


@pytest.fixture(scope="module")
def viewer() -> Iterator[Feed]:
    with feeding() as (feed, _, _):
        feed.text(opening())
        feed.text(note(1))
        yield feed


def test_every_answer_forbids_what_is_foreign(viewer: Feed) -> None:
    for path in ("/", "/viewer.js", "/viewer.css", "/healthz", "/lines", "/stream", "/nowhere", "/%2e%2e/etc/passwd"):
        answer = asked(viewer.url, path)
        assert answer.status == (200 if path.count("/") == 1 and path != "/nowhere" else 404)
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"], path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        assert "Server" not in answer.headers
        answer.close()
    page = asked(viewer.url, "/").read().decode()
    assert '<meta name="source" content="/stream">' in page
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", page)  # the policy would not run it


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80", "Origin": "http://evil.example"},
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/stream", "/lines", "/healthz", "/viewer.js"])
def test_a_foreign_page_learns_nothing(viewer: Feed, headers: dict[str, str], path: str) -> None:
    answer = asked(viewer.url, path, headers)
    assert answer.status == 403
    assert b"note" not in answer.read()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_written(viewer: Feed, method: str) -> None:
    for path in ("/", "/stream", "/lines", "/healthz"):
        assert asked(viewer.url, path, {"Content-Length": "0"}, method).status == 405


def test_a_stranger_costs_little(viewer: Feed) -> None:
    host, _, port = viewer.url[7:-1].rpartition(":")
    with socket.create_connection((host, int(port))) as stranger:
        stranger.settimeout(HANG)
        with contextlib.suppress(ConnectionError):
            stranger.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20_000)
        with contextlib.suppress(ConnectionError):
            assert stranger.recv(100)[9:12] in (b"400", b"431", b"")
    silent = [socket.create_connection((host, int(port))) for _ in range(150)]
    assert asked(viewer.url, "/healthz").status == 200
    for each in silent:
        each.close()


def test_a_token_is_demanded_on_an_address_of_a_network() -> None:
    with feeding("0.0.0.0") as (feed, _, pid):
        token = feed.url.partition("?token=")[2]
        url = re.sub(r"//.*:", "//127.0.0.1:", feed.url.partition("?")[0])
        assert len(token) > 40
        for secret in ((Path("/proc") / str(pid) / "cmdline").read_bytes(), (Path("/proc") / str(pid) / "environ").read_bytes()):
            assert token.encode() not in secret
        for path in ("/", "/stream", "/lines", "/healthz", "/viewer.js", "/?token=", f"/?token={token[:-1]}", "/stream?token=x"):
            assert asked(url, path, {"Host": "station.example"}).status == 403, path
        shown = asked(url, f"/?token={token}", {"Host": "station.example"})
        cookie = shown.headers["Set-Cookie"]
        assert (shown.status, shown.headers["Location"]) == (303, "/")
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert asked(url, "/", {"Host": "station.example", "Cookie": cookie.partition(";")[0]}).status == 200
        assert asked(url, f"/healthz?token={token}", {"Host": "station.example"}).status == 200
        assert asked(url, "/", {"Host": "x", "Cookie": cookie.partition(";")[0], "Sec-Fetch-Site": "cross-site"}).status == 403


def test_a_browser_that_was_cut_off_goes_on_without_gap_and_without_double() -> None:
    with feeding() as (feed, _, _):
        feed.text(opening())
        for number in range(200):
            feed.text(note(number))
        with stream(feed.url) as told:
            seen = until(told, named("note 120"))
        for number in range(200, 400):
            feed.text(note(number))
        with stream(feed.url, seen[-1].id) as told:
            seen += until(told, named("note 399"))
        with stream(feed.url) as told:
            whole = until(told, named("note 399"))
        assert seen == whole
        ids = [int(each.id) for each in whole]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        with stream(feed.url, path=f"/stream?last={seen[100].id}") as told:
            assert until(told, named("note 399")) == whole[101:]
        with stream(feed.url, "17") as told:
            reset, *again = until(told, named("note 399"))
        assert reset.event == "reset"
        assert again == whole
        lines = [json.loads(line) for line in asked(feed.url, "/lines").read().splitlines()]
        assert lines == [each.line for each in whole]


def test_nothing_more_will_come_is_said_to_all() -> None:
    with feeding() as (feed, _, _):
        with stream(feed.url) as told:
            feed.text(opening())
            feed.over()
            assert until(told, lambda each: each.event == "over")
        with stream(feed.url) as told:
            assert until(told, lambda each: each.event == "over")


def test_a_hundred_viewers_see_the_same() -> None:
    with feeding() as (feed, _, _), contextlib.ExitStack() as stack:
        feed.text(opening())
        viewers = [stack.enter_context(stream(feed.url)) for _ in range(100)]
        assert json.loads(asked(feed.url, "/healthz").read())["viewers"] == 100
        for number in range(300):
            feed.text(note(number))
        first, *others = [until(told, named("note 299")) for told in viewers]
        assert all(other == first for other in others)


@pytest.mark.parametrize(
    "hostile", ["</script><script>alert(1)</script>", "\u202e\u0000\u2028\ud800", "data: x\n\nevent: over\n\n", "\r\n\r\n"]
)
def test_hostile_text_stays_text(hostile: str) -> None:
    with feeding() as (feed, said, _):
        feed.text(opening())
        feed.text(note(1, text=hostile))
        feed.text("no json\n[1, 2]\n{}\nnull\n\xff\n" + json.dumps({"type": "frame", "connection": [], "exi": hostile}) + "\n")
        feed.text(note(2))
        with stream(feed.url) as told:
            seen = until(told, named("note 2"))
        assert [each.line["facts"]["n"] for each in seen if each.line.get("name") == "note 1"] == [hostile]
        assert {each.event for each in seen} == {""}
        assert not said


def test_a_process_that_is_killed_is_said_once_and_costs_nothing() -> None:
    with feeding() as (feed, said, pid):
        feed.text(opening())
        os.kill(pid, signal.SIGKILL)
        while not said:
            time.sleep(0.02)
        for number in range(20_000):
            feed.text(note(number))
        assert feed._recorder._octets < 1000  # at most what came before the end was known
    (line,) = said
    assert line == f"viewer at {feed.url}: its process ended by signal 9; nothing more is shown there, all else goes on"


def test_a_process_that_reads_no_more_is_given_up_and_costs_no_memory() -> None:
    with feeding() as (feed, said, pid):
        with stream(feed.url):
            os.kill(pid, signal.SIGSTOP)
        try:
            while not said:
                feed.text(note(1, text="x" * 100_000))
                time.sleep(0.001)
            feed.text(note(2))
            assert not feed._recorder._waiting
            assert "too slow" in said[0]
        finally:
            os.kill(pid, signal.SIGCONT)
    assert len(said) == 1


def test_a_file_that_grows_is_shown_too(tmp_path: Path) -> None:
    path = tmp_path / "station.jsonl"
    path.write_text(opening(7) + note(1, 7)[:20])
    with feeding() as (feed, _, _):
        feed.follow(path)
        with stream(feed.url) as told:
            until(told, lambda each: each.line.get("t") == "connection")
            with path.open("a") as file:
                file.write(note(1, 7)[20:])
            seen = until(told, named("note 1"))
        assert seen[-1].line["c"] == 0


def test_the_end_of_the_feeder_is_the_end_of_the_process() -> None:
    with feeding() as (feed, _, pid):
        with stream(feed.url) as told:
            feed.text(opening())
            feed.text(note(5))
            until(told, named("note 5"))
        assert lives(pid)
    assert not lives(pid)


def test_an_address_that_is_taken_is_an_error_at_once() -> None:
    with feeding() as (feed, _, _):
        port = int(feed.url[7:-1].rpartition(":")[2])
        with pytest.raises(OSError) as raised, viewed(Where(port), "test", print):
            raise AssertionError
        assert raised.value.filename == f"viewer on 127.0.0.1:{port}"
