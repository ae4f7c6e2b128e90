"""A report does not lie: a verdict for every connection, a failed handshake named, energies that agree, and no page of what is no trace."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.cli import main
from lab.report.page import page
from lab.report.reading import stories
from tests.starved import again, heed
from v2g.messages.common_types import responseCodeType
from v2g.session.endpoint import Ended, Event
from v2g.session.errors import Refused
from v2g.session.link import Connected, Disconnected, HandshakeFailed, Unprotected
from v2g.session.trace import Trace, TraceWriter

ROOT = Path(__file__).parents[2]
V2G = (sys.executable, "-m", "v2g")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
TIME = 300.0  # s, generous: a loaded machine starts an interpreter in many
HERE, THERE = ("::1", 15118), ("::1", 50000)


def written(path: Path, *connections: tuple[int, str, list[Event]]) -> Path:
    """A trace of (number, outlet, events), interleaved as a station writes them."""
    lines: list[str] = []
    writers = [TraceWriter(Trace("secc", lambda at: 1e9 + at, connection=n), lines.append, {"evse": evse}) for n, evse, _ in connections]
    for moment in range(max(len(events) for *_, events in connections)):
        for writer, (*_, events) in zip(writers, connections, strict=True):
            if moment < len(events):
                writer.event(events[moment])
    path.write_text("".join(lines))
    return path


GOOD: list[Event] = [Connected(0.0, HERE, THERE), Unprotected(0.0), Disconnected(2.0, "peer", True, "over", Ended("Terminate"))]
REFUSED = Ended("refused", Refused(responseCodeType.FAILED, "there is no such service", "V2G20-464"))
BAD: list[Event] = [Connected(0.5, HERE, THERE), Unprotected(0.5), Disconnected(1.0, "us", True, "over", REFUSED)]
STRANGER: list[Event] = [
    Connected(0.2, HERE, THERE),
    HandshakeFailed(0.3, "untrusted root: it is another's", "us", "unknown_ca", "V2G20-2331"),
    Disconnected(0.4, "us", False, "untrusted root"),
]


def test_every_connection_has_its_own_verdict_and_none_hides_another(tmp_path: Path) -> None:
    told = stories(written(tmp_path / "trace", (1, "E1", GOOD), (2, "E2", BAD), (3, "E1", STRANGER)))
    assert [(story.connection, story.outlet, story.well) for story in told] == [(1, "E1", True), (2, "E2", False), (3, "E1", False)]
    assert told[1].ended == "refused: FAILED: there is no such service [V2G20-464]"
    html = page(*told)
    assert "1 of 3 connections ended as they should, 2 did not" in html
    assert 'class="verdict badly"' in html.split("<article", 1)[0]
    assert html.count("<article") == 3
    for number, outlet in ((1, "E1"), (2, "E2"), (3, "E1")):
        assert f"Connection {number} at {outlet}" in html
    ids = re.findall(r'id="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_one_connection_is_a_page_without_a_list(tmp_path: Path) -> None:
    html = page(*stories(written(tmp_path / "trace", (1, "E1", GOOD))))
    assert "connections ended" not in html
    assert "Ended as it should: Terminate" in html


def test_a_car_that_came_back_after_a_pause_has_two_verdicts(tmp_path: Path) -> None:
    """A car counts every connection as 0: the opening of the trace tells them apart."""
    path = written(tmp_path / "trace", (0, "", BAD))
    path.write_text(path.read_text() + written(tmp_path / "more", (0, "", GOOD)).read_text())
    assert [story.well for story in stories(path)] == [False, True]


def test_a_failed_handshake_is_no_plain_tcp_and_says_why(tmp_path: Path) -> None:
    (failed,) = stories(written(tmp_path / "trace", (1, "E1", STRANGER)))
    facts = dict(failed.facts)
    assert "Transport" not in facts
    assert facts["TLS"] == "no connection: untrusted root: it is another's [V2G20-2331] (ended by us, alert unknown_ca)"
    assert failed.ended == "no session: untrusted root [V2G20-2331]"
    (plain,) = stories(written(tmp_path / "trace", (1, "E1", GOOD)))
    assert dict(plain.facts)["Transport"].startswith("plain TCP")
    (neither,) = stories(written(tmp_path / "trace", (1, "E1", [GOOD[0]])))
    assert "nothing is known" in dict(neither.facts)["Transport"]


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "holds no record"),
        (b"\n", "line 1 is no JSON"),
        (b"hello\nworld\n", "line 1 is no JSON"),
        (b"[1, 2]\n", "line 1 is no record of one"),
        (b'{"event": "listening", "evse": "E1"}\n', "line 1 is no record of one"),
        (b'{"type": "end", "connection": 1, "at": 0, "epoch": 0}\n', "line 1 does not say that it is"),
        (b'{"type": "trace", "version": 99, "connection": 1, "at": 0, "epoch": 0}\n', "is no trace of version 1"),
        (b'{"type": "trace", "version": 1, "connection": "x", "at": 0, "epoch": 0}\n', "are not what they are in one"),
        (b"\xff\xfe\x00\x01", "is no UTF-8"),
        (bytes.fromhex("0a0d0d0a"), "is no JSON"),
        (b"null", "no record of one"),
    ],
)
def test_what_is_no_trace_is_an_error_with_its_reason_and_no_page(
    octets: bytes, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace.jsonl"
    trace.write_bytes(octets)
    assert main(["report", str(trace)]) == 2
    told = capsys.readouterr()
    assert reason in told.err
    assert str(trace) in told.err
    assert told.err.count("\n") == 1
    assert not trace.with_suffix(".html").exists()


def test_a_trace_that_was_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    path = written(tmp_path / "trace", (1, "E1", GOOD))
    whole = path.read_text()
    path.write_text(whole[:-40])
    (cut,) = stories(path)
    assert not cut.well
    assert cut.ended == "the trace has no end"


def car(port: int, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [*V2G, "ev", "--connect", f"127.0.0.1:{port}", "--no-tls", "--auth", "eim", "--json", *arguments]
    return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=TIME, check=False)


def night(tmp_path: Path, service: str, *at_station: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A visit whose hours pass in seconds: what the station and the car say of it; both leave a trace."""
    config = tmp_path / "station.toml"
    config.write_text("[hardware]\nphysics = { amperes_per_second = 4000 }\n")
    command = [*V2G, "secc", "--host", "127.0.0.1", "--port", "0", "--no-tls", "--json", "--config", str(config)]
    command += ["--services", service, "--time-scale", "600", "--trace", str(tmp_path / "station"), *at_station]
    process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        port = int(json.loads(process.stdout.readline())["address"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            stranger.recv(1)
        asked = ["--service", service, "--loops", "40", "--time-scale", "600", "--soc", "20", "--departure-in", "36000"]
        done = car(port, *asked, "--trace", str(tmp_path / "car"))
        process.terminate()
        out, _ = process.communicate(timeout=TIME)
    finally:
        process.kill()
        process.wait()
    heed(out, done.stdout, done.stderr)
    ended = [json.loads(line) for line in out.splitlines() if '"ended"' in line]
    return ended[-1], json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("service", ["AC", "DC"])
@again
def test_report_station_and_car_agree_on_the_energy_of_a_fast_night(service: str, tmp_path: Path) -> None:
    """At a time scale one loop is minutes: the last one counts, too. A stranger came before and has a section of his own."""
    station, visitor = night(tmp_path, service)
    assert visitor["ok"], visitor
    assert visitor["energy_charged"] > 100
    stranger, seen = stories(tmp_path / "station")
    (own,) = stories(tmp_path / "car")
    assert (stranger.well, seen.well, own.well) == (False, True, True)
    assert stranger.samples == ()
    for counted in (station["charged"], seen.energy["charged"], own.energy["charged"]):
        assert counted == pytest.approx(visitor["energy_charged"], rel=0.1)
    assert dict(seen.facts)["By the meter"].startswith(f"{station['charged'] / 1000:.2f} kWh in")
    last = own.samples[-1]
    assert last.until is not None
    assert service == "DC" or last.energy > 0  # a DC car has its goal by then
