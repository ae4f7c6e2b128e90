"""`v2g secc` as people and scripts run it: a process, its lines, its exit codes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.starved import HANG, again, hear, heed
from v2gkit.cli.main import main

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@contextmanager
def station(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """A station in a process of its own, and its first line. What fails beside it says what the station said: it may name the timer."""
    command = [sys.executable, "-m", "v2gkit", "secc", "--port", "0", "--no-tls", "--json", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    except AssertionError as error:
        process.terminate()
        said = "" if process.stdout is None or process.stdout.closed else process.communicate(timeout=HANG)[0]
        raise AssertionError(f"{error}\nthe station said: {said}") from error
    finally:
        process.kill()
        hear(rest(process))


def rest(process: "subprocess.Popen[str]") -> str:
    """What a process that has ended, or was killed, said last on standard output; all of it where a test has asked for that before."""
    return process.communicate(timeout=HANG)[0]


def car(address: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "v2gkit", "ev", "--connect", address, "--no-tls", "--json", "--auth", "eim", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, env=ENVIRONMENT, check=False)
    heed(done.stdout, done.stderr)
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


@again
def test_one_session_told_in_lines_and_in_the_exit_code(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    with station("--once", "--services", "AC,AC_BPT", "--trace", str(trace)) as (process, first):
        assert (first["event"], first["tls"], first["evse"]) == ("listening", False, "DE*V2G*E1")
        assert car(first["address"], "--service", "AC", "--loops", "3")["ok"]
        out, err = process.communicate(timeout=300)
    lines = [json.loads(line) for line in out.splitlines()]
    ended = lines[-1]
    assert (ended["event"], ended["ok"], ended["how"], ended["service"], ended["auth"]) == ("ended", True, "Terminate", "AC", "EIM")
    assert ended["loops"] == 3
    assert ended["relaxed"] == ["V2G20-2356"]
    assert process.returncode == 0, err
    records = [json.loads(line) for line in trace.read_text().splitlines()]
    assert {"frame", "state", "end"} <= {record["type"] for record in records}


@again
def test_a_car_that_is_refused_and_leaves_in_order_is_a_session_that_ended_well() -> None:
    with station("--once", "--eim", "refuse") as (process, first):
        assert not car(first["address"], "--service", "DC", "--loops", "1")["ok"]
        process.communicate(timeout=300)
    assert process.returncode == 0


def test_a_session_that_breaks_is_exit_code_1() -> None:
    with station("--once") as (process, first):
        host, _, port = first["address"].rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port))) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        out, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert json.loads(out.splitlines()[-1])["ok"] is False


def wait_for(process: "subprocess.Popen[str]", event: str) -> dict[str, Any]:
    """The first line of that event."""
    assert process.stdout is not None
    for line in process.stdout:
        hear(line)
        said: dict[str, Any] = json.loads(line)
        if said["event"] == event:
            return said
    raise AssertionError(f"the station never said {event}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@again
def test_a_signal_lets_the_car_leave_in_order(number: signal.Signals, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    with station("--trace", str(trace), "--grace", "40") as (process, first):
        command = [sys.executable, "-m", "v2gkit", "ev", "--connect", first["address"], "--no-tls", "--json", "--auth", "eim"]
        visitor = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
        try:
            while not trace.exists() or "ChargeLoopRes" not in trace.read_text():
                assert visitor.poll() is None, visitor.communicate()
                time.sleep(0.05)
            process.send_signal(number)
            assert wait_for(process, "stopping")["grace"] == 40
            ended = wait_for(process, "ended")
            heed(ended)
            assert (ended["ok"], ended["how"]) == (True, "Terminate"), ended
            process.communicate(timeout=300)
            assert process.returncode == 0
            assert json.loads(visitor.communicate(timeout=300)[0].splitlines()[-1])["ok"]
        finally:
            visitor.kill()
            visitor.wait()
    assert "Terminate" in trace.read_text()


def introduced(address: str, evccid: str = "SILENT") -> socket.socket:
    """A car that introduces itself and says nothing more."""
    from tests.secc.test_services import DC, entry
    from v2g.iso20.frames import framed
    from v2g.messages.app_protocol import supportedAppProtocolReq
    from v2g.messages.common_messages import SessionSetupReq
    from v2g.messages.common_types import MessageHeaderType
    from v2g.session.v2gtp import FrameReader

    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host.strip("[]"), int(port)))
    connection.sendall(framed(supportedAppProtocolReq(AppProtocol=(entry(DC, 1, 1),))))
    connection.sendall(framed(SessionSetupReq(Header=MessageHeaderType(SessionID=bytes(8), TimeStamp=1), EVCCID=evccid)))
    reader, answers = FrameReader(), 0
    while answers < 2:
        octets = connection.recv(4096)
        if not octets:
            raise ConnectionError("the station closed the connection before it had answered")
        reader.feed(octets)
        while reader.next() is not None:
            answers += 1
    return connection


@pytest.mark.parametrize("cut", ["grace", "a second signal"])
def test_a_car_that_does_not_leave_is_ended_and_that_is_exit_code_1(cut: str) -> None:
    with station("--grace", "0.2" if cut == "grace" else "3600") as (process, first), introduced(first["address"]):
        process.send_signal(signal.SIGTERM)
        wait_for(process, "stopping")
        if cut != "grace":
            process.send_signal(signal.SIGINT)
        assert wait_for(process, "ended")["how"] == "aborted"
        process.communicate(timeout=300)
        assert process.returncode == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(number: signal.Signals) -> None:
    with station() as (process, _):
        process.send_signal(number)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 0
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "0"], "tls needs certificates: give pki"),
        (["--no-tls", "--control", "Scheduled,Scheduled"], "controls"),
        (["--pki", "/nowhere"], "/nowhere is no directory"),
        (["--no-tls", "--config", "/nowhere.toml"], "/nowhere.toml: there is no such file"),
        (["--no-tls", "--prices", "/nowhere.csv"], "/nowhere.csv: there is no such file"),
        (["--no-tls", "--iface", "nowhere0"], "nowhere0"),
        (["--no-tls", "--host", "192.0.2.1", "--port", "0"], "192.0.2.1"),
    ],
)
def test_what_a_user_can_cure_is_one_line_and_exit_code_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["secc", *arguments]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.startswith("v2g secc: ")
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""


def test_an_unknown_key_in_the_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "station.toml"
    file.write_text("tls = false\n[offer]\nservises = ['DC']\n")
    assert main(["secc", "--config", str(file)]) == 2
    assert "unknown key offer.servises; did you mean offer.services?" in capsys.readouterr().err


def test_hardware_of_ones_own_must_be_an_evse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for driver in ("nowhere:Charger", "json:JSONDecoder", "json"):
        file = tmp_path / "station.toml"
        file.write_text(f"tls = false\nport = 0\n[hardware]\ndriver = '{driver}'\n")
        assert main(["secc", "--config", str(file)]) == 2
        assert f"hardware.driver '{driver}'" in capsys.readouterr().err


@again
def test_the_clock_that_is_set_judges_certificates_at_both_ends_and_is_said(tmp_path: Path) -> None:
    """A station of today and a car of 2060: neither is what it says in the other's year."""
    pki = tmp_path / "pki"
    assert main(["pki", "create", str(pki), "--json"]) == 0
    later = "2840140800"  # 2060
    for at_station, at_car, well in (((), (), True), ((), ("--epoch", later), False), (("--epoch", later), (), False)):
        with station("--tls", "--pki", str(pki), *at_station) as (_, first):
            command = [sys.executable, "-m", "v2gkit", "ev", "--connect", first["address"], "--pki", str(pki), "--json"]
            done = subprocess.run(
                [*command, "--service", "DC", "--loops", "1", *at_car],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=HANG,
                env=ENVIRONMENT,
            )
        heed(done.stdout)
        said = json.loads(done.stdout)
        assert said["ok"] is well, said
        assert ("judged_at" in first) == bool(at_station)
        assert ("certificates are judged at 2060" in done.stderr) == bool(at_car)
        assert well or "expired" in said["reason"]
