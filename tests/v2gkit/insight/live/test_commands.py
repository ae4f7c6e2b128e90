"""`--ui` of station, car, CSMS and demo, between real processes."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.starved import again, heed
from tests.v2gkit.cli.test_secc import ENVIRONMENT, ROOT, station, wait_for
from tests.v2gkit.insight.live.following import Told, asked, is_verdict, lives, stream, until, viewer_of
from v2gkit.cli.main import main

OUTLETS = """
port = 0
tls = false
[[outlet]]
evse_id = "DE*V2G*E1"
[[outlet]]
evse_id = "DE*V2G*E2"
"""


@contextlib.contextmanager
def process(*arguments: str, **given: Any) -> Iterator["subprocess.Popen[str]"]:
    """A command of ours, which is ended with the block."""
    command = [sys.executable, "-m", "v2gkit", *arguments]
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **given}
    running = subprocess.Popen(command, cwd=ROOT, text=True, env=ENVIRONMENT, **given)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def driving(address: str, *arguments: str) -> "contextlib.AbstractContextManager[subprocess.Popen[str]]":
    return process("ev", "--connect", address, "--no-tls", "--json", "--auth", "eim", "--quiet", *arguments)


def is_loop(told: Told) -> bool:
    return str(told.line.get("name")).endswith("ChargeLoopRes")


def is_answer(told: Told) -> bool:
    return (told.line.get("name"), told.line.get("call")) == ("SetChargingProfile", "result")


def is_power(told: Told) -> bool:
    return (told.line.get("t"), told.line.get("role")) == ("series", "power")


def of(told: list[Told], kind: str) -> list[dict[str, Any]]:
    return [each.line for each in told if each.line.get("t") == kind]


def result(visitor: "subprocess.Popen[str]") -> dict[str, Any]:
    out, err = visitor.communicate(timeout=300)
    heed(out, err)
    said: dict[str, Any] = json.loads(out.splitlines()[-1])
    return said


@again
def test_a_session_grows_before_the_eyes() -> None:
    with station("--ui") as (secc, first):
        url = wait_for(secc, "viewer")["url"]
        with driving(first["address"], "--service", "DC") as visitor, stream(url) as told:
            seen = until(told, is_loop)
            assert visitor.poll() is None  # the car is there, and so is what it did
            with stream(url, seen[-1].id) as other:
                rest = [each for _ in range(60) for each in until(other, is_loop)]
                visitor.send_signal(signal.SIGTERM)  # it stays until it was looked at
                rest += until(other, is_verdict)
            assert result(visitor)["ok"]
            seen += until(told, is_verdict)[-len(rest) :]
        frames, (verdict,) = of(seen, "frame"), of(seen, "verdict")
        assert [line["n"] for line in frames] == list(range(len(frames)))
        assert sum(line["name"] == "DC_ChargeLoopReq" for line in frames) >= 60
        assert {line["s"] for line in frames} <= {line["s"] for line in of(seen, "shape")}
        assert of(seen, "connection")[-1]["outlet"] == first["evse"]
        assert verdict["well"]
        assert {"power", "soc"} <= {line["role"] for line in of(seen, "series")}


@again
def test_the_viewer_is_killed_and_the_car_charges_to_its_end() -> None:
    with station("--ui", "--once") as (secc, first):
        url = wait_for(secc, "viewer")["url"]
        with driving(first["address"], "--service", "DC") as visitor:
            with stream(url) as told:
                until(told, is_loop)
                viewer = viewer_of(secc.pid)
                os.kill(viewer, signal.SIGKILL)
            assert secc.stderr is not None
            err = [secc.stderr.readline()]
            while err[-1] and "signal" not in err[-1]:  # the car stays until that is known
                err.append(secc.stderr.readline())
            visitor.send_signal(signal.SIGTERM)
            said = result(visitor)
        err += secc.communicate(timeout=300)[1].splitlines(keepends=True)
        assert said["ok"]
        assert said["loops"] > 0
    assert secc.returncode == 0
    assert [line.rstrip() for line in err if "viewer" in line] == [
        f"v2g secc: viewer at {url}: its process ended by signal 9; nothing more is shown there, all else goes on"
    ]
    assert "Traceback" not in "".join(err)


def test_the_station_is_killed_and_its_viewer_ends() -> None:
    with station("--ui") as (secc, _):
        url = wait_for(secc, "viewer")["url"]
        assert asked(url, "/healthz").status == 200
        viewer = viewer_of(secc.pid)
        with stream(url) as told:
            secc.kill()
            assert [each.event for each in told] == [""]  # the stream ends: a browser looks for the next one
        while lives(viewer):
            time.sleep(0.05)


@again
def test_each_outlet_has_its_own_curves(tmp_path: Path) -> None:
    config = tmp_path / "station.toml"
    config.write_text(OUTLETS)
    with station("--config", str(config), "--ui") as (secc, first):
        url = wait_for(secc, "viewer")["url"]
        second = wait_for(secc, "listening")
        with stream(url) as told:
            cars = [driving(each["address"], "--service", "DC", "--loops", "10") for each in (first, second)]
            with cars[0] as one, cars[1] as other:
                seen = until(told, is_verdict)
                seen += until(told, is_verdict)
                assert result(one)["ok"]
                assert result(other)["ok"]
    outlets = {line["c"]: line["outlet"] for line in of(seen, "connection")}
    assert sorted(outlets.values()) == ["DE*V2G*E1", "DE*V2G*E2"]
    for c in outlets:
        roles = {line["role"] for line in of(seen, "series") if line["c"] == c}
        assert {"power", "limit", "limited-by"} <= roles


@again
def test_a_csms_shows_each_transaction() -> None:
    with process("csms", "--port", "0", "--json", "--ui", "--strategy", "setpoint", "--setpoint", "6000", "--sample-interval", "1") as csms:
        assert csms.stdout is not None
        where, viewer = json.loads(csms.stdout.readline()), json.loads(csms.stdout.readline())
        assert (where["topic"], viewer["topic"]) == ("listening", "viewer")
        with station("--once", "--services", "AC", "--ui", "--ocpp", f"ws://127.0.0.1:{where['port']}/ocpp") as (secc, first):
            own = wait_for(secc, "viewer")["url"]
            with stream(viewer["url"]) as told, stream(own) as at_the_station:
                until(told, lambda each: each.line.get("name") == "StatusNotification")
                with driving(first["address"], "--service", "AC", "--control", "dynamic") as visitor:
                    there = until(at_the_station, is_answer)
                    seen = until(told, is_power)  # the car stays until all is there that is asked for below
                    visitor.send_signal(signal.SIGTERM)
                    assert result(visitor)["ok"]
                seen, there = seen + until(told, is_verdict), there + until(at_the_station, is_verdict)
    mine = of(seen, "connection")[0]
    assert (mine["side"], mine["outlet"]) == ("csms", f"{first['evse']} / EVSE 1")
    assert mine["about"]["station"] == first["evse"]
    assert of(seen, "verdict")[0]["c"] == mine["c"]
    assert of(seen, "verdict")[0]["well"]
    for lines, c in ((seen, mine["c"]), (there, of(there, "connection")[-1]["c"])):
        ways = {
            (line["lane"], line["to"], line["name"], line["call"])
            for line in of(lines, "mark")
            if line["kind"] == "ocpp" and line["c"] == c
        }
        assert {("station", "csms", "TransactionEvent", "call"), ("csms", "station", "SetChargingProfile", "call")} <= ways
        assert ("station", "csms", "SetChargingProfile", "result") in ways
    roles = {line["role"] for line in of(seen, "series") if line["c"] == mine["c"]}
    assert {"power", "asked", "limited-by"} <= roles


@pytest.mark.parametrize(
    "command",
    [
        ("secc", "--host", "127.0.0.1", "--port", "0", "--no-tls"),
        ("ev", "--connect", "127.0.0.1:1", "--no-tls"),
        ("csms", "--port", "0"),
        ("demo", "--output", "{}"),
    ],
    ids=lambda command: command[0],
)
def test_a_port_that_is_taken_is_said_at_once(command: tuple[str, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert main([*(part.replace("{}", str(tmp_path / "out")) for part in command), "--ui", str(port)]) == 2
    said = f"v2g {command[0]}: viewer on 127.0.0.1:{port}: the address is in use; stop what listens there, or choose another port\n"
    assert capfd.readouterr().err == said
    assert not (tmp_path / "out").exists()


@again
def test_the_demo_shows_both_ends(tmp_path: Path) -> None:
    with process("demo", "--output", str(tmp_path / "out"), "--json", "--ui", "--control", "dynamic") as demo:
        assert demo.stderr is not None
        url = demo.stderr.readline().split()[-1]
        with stream(url) as told:
            seen = until(told, lambda each: each.event == "over" or demo.poll() is not None)
        out, err = demo.communicate(timeout=300)
        heed(out, err)
        assert demo.returncode == 0, err
    assert {line["side"] for line in of(seen, "connection")} == {"evcc", "secc"}
    assert len(of(seen, "verdict")) == 2
    assert {line["kind"] for line in of(seen, "mark")} >= {"ocpp", "tls", "timer", "end"}


@again
def test_at_a_terminal_the_viewer_stays_until_it_was_seen(tmp_path: Path) -> None:
    leader, follower = os.openpty()
    with station("--once") as (_, first):
        command = ["ev", "--connect", first["address"], "--no-tls", "--auth", "eim", "--loops", "3", "--quiet", "--ui"]
        with process(*command, stdout=follower) as visitor:
            assert visitor.stderr is not None
            url = next(line for line in visitor.stderr if "live at" in line).split()[-1]
            with stream(url) as told:
                until(told, lambda each: each.event == "over")
            assert visitor.poll() is None
            said = b""
            while b"until Ctrl-C" not in said:
                said += os.read(leader, 1000)
            heed(said)
            assert url.encode() in said
            assert asked(url, "/healthz").status == 200
            visitor.send_signal(signal.SIGINT)
            assert visitor.wait(60) == 0
    os.close(leader)
    os.close(follower)
