"""A report does not lie: a verdict for every connection, a failed handshake named, energies that agree, and no page of what is no trace."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evcc.iso20.renegotiation import schedule_renegotiation, service_renegotiation
from secc import station as words
from tests.evcc.test_der import feeding
from tests.evcc.test_pair import EPOCH, VERIFIER
from tests.evcc.test_pair import car as visiting
from tests.evcc.virtual_pair import Pair
from tests.starved import again, heed
from v2g.energy.der import Curve, FrequencyWatt, Grid, GridControl
from v2g.exi.derive import least
from v2g.generations import GENERATIONS
from v2g.messages import common_messages as cm
from v2g.messages.common_types import processingType
from v2g.reasons import Reason
from v2g.session.endpoint import Ended, Event
from v2g.session.errors import Refused
from v2g.session.link import Connected, Disconnected, HandshakeFailed, Unprotected
from v2g.session.trace import Trace, TraceWriter
from v2gkit.cli.main import main
from v2gkit.insight.report.page import page
from v2gkit.insight.report.reading import _schedules, stories

ROOT = Path(__file__).parents[3]
V2G = (sys.executable, "-m", "v2g")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
TIME = 300.0  # s, generous: a loaded machine starts an interpreter in many
HERE, THERE = ("::1", 15118), ("::1", 50000)


def written(path: Path, *connections: tuple[int, str, list[Event]]) -> Path:
    """A trace of (number, outlet, events), interleaved as a station writes them."""
    lines: list[str] = []
    writers = [
        TraceWriter(Trace("secc", lambda at: 1e9 + at, GENERATIONS, connection=n), lines.append, {"evse": evse})
        for n, evse, _ in connections
    ]
    for moment in range(max(len(events) for *_, events in connections)):
        for writer, (*_, events) in zip(writers, connections, strict=True):
            if moment < len(events):
                writer.event(events[moment])
    path.write_text("".join(lines))
    return path


GOOD: list[Event] = [Connected(0.0, HERE, THERE), Unprotected(0.0), Disconnected(2.0, "peer", True, "over", Ended("Terminate"))]
REFUSED = Ended("refused", Refused(Reason.OTHER, "there is no such service", "V2G20-464"))
BAD: list[Event] = [Connected(0.5, HERE, THERE), Unprotected(0.5), Disconnected(1.0, "us", True, "over", REFUSED)]
STRANGER: list[Event] = [
    Connected(0.2, HERE, THERE),
    HandshakeFailed(0.3, "untrusted root: it is another's", "us", "unknown_ca", "V2G20-2331"),
    Disconnected(0.4, "us", False, "untrusted root"),
]


def test_every_connection_has_its_own_verdict_and_none_hides_another(tmp_path: Path) -> None:
    told = stories(written(tmp_path / "trace", (1, "E1", GOOD), (2, "E2", BAD), (3, "E1", STRANGER)))
    assert [(story.connection, story.outlet, story.well) for story in told] == [(1, "E1", True), (2, "E2", False), (3, "E1", False)]
    assert told[1].ended == "refused: there is no such service [V2G20-464]"
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
        (bytes.fromhex("0a0d0d0a"), "0 packets"),
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


@pytest.mark.parametrize(
    "spoilt",
    [
        {"type": "frame", "payload_type": None, "exi": "80"},
        {"type": "frame", "payload_type": "0x8002", "exi": "8"},
        {"type": "frame", "payload_type": "0x8002"},
        {"type": "note", "topic": "ended", "facts": 3},
        {"type": "relaxed"},
        {"type": "event", "name": "Objected", "facts": {"objection": None}},
    ],
    ids=str,
)
def test_a_record_that_was_edited_is_an_error_with_its_connection(
    spoilt: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace, common = tmp_path / "trace.jsonl", {"connection": 7, "at": 0.0, "epoch": 0.0}
    first = {"type": "trace", "version": 1, "about": {}}
    trace.write_text("".join(json.dumps({**record, **common}) + "\n" for record in (first, spoilt)))
    assert main(["report", str(trace)]) == 2
    told = capsys.readouterr().err
    assert f"{trace} is no trace: a record of connection 7 has a field that none is written with" in told
    assert told.count("\n") == 1
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


DROOP = FrequencyWatt(start=50.2, stop=50.1, slope=0.4)
ASKED = GridControl(over_frequency=DROOP, volt_var=Curve(((214.0, -4_000.0), (246.0, 4_000.0))))


def test_a_report_shows_what_the_grid_asked_and_what_the_inverter_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Curves before power, set-points as they come and go, alarms as they stand: by the names and values that were on the wire."""
    path = traced(
        feeding(
            "AC_DER_IEC",
            asked=ASKED,
            grids={4: Grid(frequency=50.7), 8: Grid()},
            facts={loop: words.GridControlChanged(replace(ASKED, var=var)) for loop, var in ((5, 2_000.0), (7, None))},
        ),
        tmp_path,
    )
    (story,) = stories(path)
    said = [(one.who, one.what, one.value) for one in story.grid]
    support = "DERControl.ActivePowerSupport.OverFrequencyWatt"
    droop = next(value for who, what, value in said if (who, what) == ("station", support))
    assert droop.startswith("Fstart 50.2, Fstop 50.1, Slope 40, PowerReference MaximumDischargePower, HysteresisControl false")
    curve = next(value for _, what, value in said if what == "DERControl.ReactivePowerSupport.VoltVar")
    assert "CurveDataPoints (214 4000 OverExcited) (246 4000 UnderExcited)" in curve
    points = [value for who, what, value in said if (who, what) == ("station", "DSOQSetpoint")]
    assert points[0].startswith("DSOQSetpointValue 666.6, DSOQSetpointValue_L2 666.6, DSOQSetpointValue_L3 666.6")
    assert points[1:] == ["asked for no more"]
    assert [value for who, what, value in said if (who, what) == ("car", "GridEventCondition")] == ["none", "OverFrequency", "none"]
    html = page(story)
    assert "What the grid asked, and heard" in html
    assert f"<td>{support}</td><td>{droop}</td>" in html
    assert main(["report", str(path), "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert [(one["who"], one["what"], one["value"]) for one in told["grid"]] == said
    assert not path.with_suffix(".html").exists()


def test_what_sae_says_is_shown_when_it_changes_and_what_is_not_enabled_is_not_spelled_out(tmp_path: Path) -> None:
    changed = words.GridControlChanged(GridControl(discharge_maximum=2_500.0))
    (story,) = stories(traced(feeding("AC_DER_SAE", facts={5: changed}), tmp_path))
    limits = [one.value for one in story.grid if one.what == "DERControl.ActivePowerSupport.LimitMaxDischargePower"]
    assert limits[0] == "not enabled"
    assert limits[1].startswith("Enable true")
    assert len(limits) == 2
    assert [one.value for one in story.grid if one.what == "DERConnectionStatus"] == ["Connected"]
    assert len([one for one in story.grid if one.what == "DERControl.EnterService"]) == 1  # said in every loop, shown once


def test_a_session_that_feeds_no_grid_has_no_such_section(tmp_path: Path) -> None:
    (story,) = stories(traced(Pair(visiting("AC_BPT", "Dynamic", loops=3)), tmp_path))
    assert story.grid == ()
    assert "What the grid asked" not in page(story)


def traced(pair: Pair, tmp_path: Path) -> Path:
    """The trace of a pair's station."""
    assert pair.evcc.ended is not None
    assert pair.evcc.ended.well, pair.evcc.ended
    path, lines = tmp_path / "trace.jsonl", list[str]()
    writer = TraceWriter(Trace("secc", pair.car.clock.wall, GENERATIONS, connection=1), lines.append)
    for event in pair.happened:
        writer.event(event)
    path.write_text("".join(lines))
    return path


def reported(pair: Pair, tmp_path: Path) -> list[dict[str, float]]:
    """The energies in the reports of the station's trace and of the car's."""
    found = []
    for side, events in (("secc", pair.happened), ("evcc", pair.seen)):
        path, lines = tmp_path / side, list[str]()
        writer = TraceWriter(Trace(side, pair.car.clock.wall, GENERATIONS, connection=1), lines.append)
        for event in events:
            writer.event(event)
        path.write_text("".join(lines))
        (seen,) = stories(path)
        found.append(dict(seen.energy))
    return found


# what the car wishes, and what the pair is given: made for each car, for a script remembers what its car has asked
LEAVING: dict[str, tuple[dict[str, Any], Callable[[], dict[str, Any]]]] = {
    "stop": ({}, dict),
    "pause": ({"pause_after": 70}, dict),
    "the car's renegotiation": ({}, lambda: {"script": schedule_renegotiation(60)}),
    "the station's renegotiation": ({}, lambda: {"facts": {60: words.RenegotiationAsked("Schedule")}}),
    "a renegotiation beside the loop": ({"beside": True}, lambda: {"script": schedule_renegotiation(60)}),
    "the station's, beside the loop": ({"beside": True}, lambda: {"facts": {60: words.RenegotiationAsked("Schedule")}}),
    "another service": ({}, lambda: {"script": service_renegotiation(60, ("AC_BPT", "DC_BPT", "WPT"))}),
    "the station's stop": ({}, lambda: {"facts": {60: words.StopAsked("a button")}}),
    "a signed reading": ({"way": "PnC"}, lambda: {"facts": {60: words.MeteringConfirmationAsked()}, "given": VERIFIER}),
}
START_UNSEEN = 15.0  # Wh that flow each time power starts, until what is commanded is measured: seconds, at this time scale


@pytest.mark.parametrize("leaving", LEAVING)
@pytest.mark.parametrize(
    ("service", "control", "setpoint", "hardware"),  # s until a command is carried out: an AC contactor takes its time
    [
        ("AC", "Scheduled", 0.0, 0.01),
        ("AC", "Dynamic", 8_000.0, 1.2),
        ("AC_BPT", "Scheduled", 0.0, 1.2),
        ("AC_BPT", "Dynamic", -9_000.0, 0.15),
        ("DC", "Scheduled", 0.0, 0.01),
        ("WPT", "Scheduled", 0.0, 0.01),
        ("WPT", "Dynamic", 6_000.0, 0.01),
        ("DC_BPT", "Scheduled", 0.0, 0.01),
        ("DC_BPT", "Dynamic", -9_000.0, 0.01),
    ],
)
def test_a_report_counts_what_both_ends_count(
    service: str, control: str, setpoint: float, hardware: float, leaving: str, tmp_path: Path
) -> None:
    """In virtual time, a loop every minute or two, where nothing but the counting can differ, whatever stands between the loops.

    A schedule of the pair has two hours of charging and one of giving back.
    """
    wish, given = LEAVING[leaving]
    visitor = visiting(service, control, **({"scale": 600.0, "loops": 80} | wish))
    visitor.ev.energy = 0.4 * visitor.ev.battery.capacity
    visitor.goal = replace(visitor.goal, target_soc=80, departure=EPOCH + 36_000)
    pair = Pair(visitor, setpoint=setpoint, hardware=hardware, **given())
    assert pair.evcc.ended is not None
    assert pair.evcc.ended.well, pair.evcc.ended
    starts = len(pair.of(words.PowerStarted))
    assert starts == (2 if leaving == "another service" else 1)
    flowed = {"charged": pair.imported, "discharged": pair.exported}
    assert max(flowed.values()) > 1_000
    if setpoint < 0:
        assert flowed["discharged"] > 1_000
    counted = [*reported(pair, tmp_path), {"charged": visitor.ev.charged, "discharged": visitor.ev.discharged}]
    for each in counted:
        assert each == {way: pytest.approx(energy, rel=0.005, abs=START_UNSEEN * starts) for way, energy in flowed.items()}


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
    assert own.energy["charged"] == pytest.approx(visitor["energy_charged"], rel=0.05)
    for counted in (station["charged"], seen.energy["charged"]):  # a message is on its way for minutes of this night; exactly: above
        assert counted == pytest.approx(visitor["energy_charged"], rel=0.3)
    assert dict(seen.facts)["By the meter"].startswith(f"{station['charged'] / 1000:.2f} kWh in")
    last = own.samples[-1]
    assert last.until is not None
    assert service == "DC" or last.energy > 0  # a DC car has its goal by then


def _exchange(number: int, processing: str) -> Any:
    offered = least(cm.Scheduled_SEResControlModeType, ScheduleTuple=(least(cm.ScheduleTupleType, ScheduleTupleID=number),))
    answer = least(cm.ScheduleExchangeRes, EVSEProcessing=processingType[processing], Scheduled_SEResControlMode=offered)
    return SimpleNamespace(message=least(cm.ScheduleExchangeReq)), SimpleNamespace(message=answer)


def _start(number: int) -> Any:
    mode = cm.Scheduled_EVPPTControlModeType(SelectedScheduleTupleID=number)
    profile = least(cm.EVPowerProfileType, Scheduled_EVPPTControlMode=mode)
    return SimpleNamespace(message=least(cm.PowerDeliveryReq, EVPowerProfile=profile)), SimpleNamespace(message=least(cm.PowerDeliveryRes))


@pytest.mark.parametrize(
    ("pairs", "shown"),
    [
        ([_exchange(1, "Finished"), _start(1)], [(1, True)]),
        ([_exchange(1, "Finished"), _start(1), _exchange(9, "Ongoing")], [(1, True)]),  # what says nothing yet is no offer
        ([_exchange(1, "Finished"), _start(1), _exchange(2, "Finished")], [(1, True)]),  # the car left before it followed it
        ([_exchange(1, "Finished"), _start(1), _exchange(2, "Finished"), _start(2)], [(2, True)]),
        ([_exchange(1, "Ongoing"), _exchange(2, "Finished")], [(2, False)]),
        ([_exchange(1, "Ongoing")], []),
    ],
)
def test_a_report_shows_the_schedules_that_were_followed(pairs: Any, shown: Any) -> None:
    offered, _ = _schedules(pairs)
    assert [(each.number, each.chosen) for each in offered] == shown
