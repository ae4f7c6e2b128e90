"""`v2g ev` as people and scripts use it."""

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.starved import ATTEMPTS, again, heed
from tests.v2gkit.cli.test_secc import station, wait_for
from v2gkit.cli import ev
from v2gkit.cli.main import main

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--connect HOST:PORT"),
        (["--connect", "::1:1"], "--pki"),
        (["--connect", "nowhere", "--no-tls"], "no address"),
        (["--connect", "[::1]:1", "--iface", "lo", "--no-tls"], "where is the station"),
        (["--connect", "[::1]:1", "--no-tls", "--target-soc", "99"], "target_soc"),
        (["--iface", "lo", "--no-tls", "--wireless", "CABLE"], "'CABLE' is none of the choices"),
        (["--connect", "[::1]:1", "--no-tls", "--wireless", "WPT"], "leave out connect"),
        (["--connect", "[::1]:1", "--pki", "/does/not/exist"], "/does/not/exist"),
        (["--connect", "[::1]:1", "--no-tls", "--config", "/does/not/exist.toml"], "/does/not/exist.toml"),
    ],
)
def test_wrong_usage_is_one_clear_line_and_code_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ev", *arguments]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("said", "tls", "versions"),
    [
        ([], True, ()),
        (["--tls"], True, ()),
        (["--tls", "1.2"], True, ("1.2",)),
        (["--tls", "both"], True, ("1.3", "1.2")),
        (["--no-tls"], False, ()),
    ],
)
def test_the_version_of_tls_is_said_or_follows_the_generations(said: list[str], tls: bool, versions: tuple[str, ...]) -> None:
    parser = argparse.ArgumentParser()
    ev.options(parser)
    config = ev.configured(parser.parse_args([*said, "--generation", "2"]))
    assert (config.tls, config.tls_versions, config.wish.bench_plain) == (tls, versions, not tls)


def test_help_has_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ev", "--help"])
    told = capsys.readouterr().out
    assert "examples:" in told
    assert "exit codes:" in told


def test_nobody_there_is_a_negative_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ev", "--connect", "[::1]:1", "--no-tls", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert not said["ok"]
    assert "nothing listens there" in said["reason"]


@pytest.mark.parametrize("script", ["charge", "read-soc"])
@again
def test_a_visit_between_processes(script: str, tmp_path: Path) -> None:
    with station("--host", "127.0.0.1", "--once") as (secc, first):
        address = first["address"]
        trace = tmp_path / "trace.jsonl"
        asked = [
            "--connect",
            address,
            "--no-tls",
            "--service",
            "DC",
            "--auth",
            "eim",
            "--loops",
            "5",
            "--script",
            script,
            "--trace",
            str(trace),
        ]
        done = subprocess.run(
            [sys.executable, "-m", "v2gkit", "ev", *asked, "--json"], cwd=ROOT, capture_output=True, text=True, timeout=300
        )
        heed(done.stdout, done.stderr)
        assert done.returncode == 0, done.stdout + done.stderr
        said = json.loads(done.stdout.splitlines()[-1])
        assert (said["service"], said["control"], said["auth"], said["ended"]) == ("DC", "scheduled", "eim", "Terminate")
        assert said["loops"] == (1 if script == "read-soc" else 5)
        secc.communicate(timeout=300)
        assert secc.returncode == 0
        records = [json.loads(line) for line in trace.read_text().splitlines()]
        assert records[0]["type"] == "trace"
        assert records[-1]["type"] == "end"


# --- signals, and what is told ---


def driving(address: str, *arguments: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "v2gkit",
        "ev",
        "--connect",
        address,
        "--no-tls",
        "--service",
        "DC",
        "--auth",
        "eim",
        *arguments,
    ]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until_told(car: subprocess.Popen[str], wanted: str) -> None:
    """Read standard error until it says that."""
    assert car.stderr is not None
    said = []
    for line in car.stderr:
        said.append(line)
        if wanted in line:
            return
    raise AssertionError(f"the car ended without having said {wanted!r}: {''.join(said)}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@again
def test_a_signal_ends_the_charge_in_order_at_both_ends(number: signal.Signals) -> None:
    with station("--host", "127.0.0.1", "--once") as (secc, first):
        car = driving(first["address"], "--json")
        until_told(car, "loop ")
        car.send_signal(number)
        out, err = car.communicate(timeout=300)
        heed(out, err)
        assert car.returncode == 0, err
        said = json.loads(out.splitlines()[-1])
        assert (said["ok"], said["ended"]) == (True, "Terminate")
        assert said["loops"] > 0
        assert "Traceback" not in err
        ended = wait_for(secc, "ended")
        assert (ended["ok"], ended["how"]) == (True, "Terminate"), ended


def test_a_signal_before_there_is_a_session_is_an_outcome_and_no_traceback() -> None:
    """Nobody answers SDP, in a network of its own where one may be made; the car is told to leave while it asks."""
    alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    able = shutil.which("unshare") and subprocess.run([*alone, "true"], capture_output=True, timeout=300, check=False).returncode == 0
    command = [*(alone if able else []), sys.executable, "-m", "v2gkit", "ev", "--iface", "lo", "--no-tls", "--json"]
    for _ in range(ATTEMPTS):  # it asks for 12 s, in which a test may get no processor
        car = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        caught, term = Path(f"/proc/{car.pid}/status"), 1 << signal.SIGTERM - 1
        while car.poll() is None and not int(re.findall(r"SigCgt:\s*(\w+)", caught.read_text())[0], 16) & term:
            time.sleep(0.05)  # until it hears signals
        car.send_signal(signal.SIGTERM)
        out, err = car.communicate(timeout=300)
        if "no station answered" not in (reason := json.loads(out)["reason"]):
            break
    assert car.returncode == 1, err
    assert "before there was a session" in reason
    assert "Traceback" not in err


def test_an_early_failure_says_why_first_and_nothing_that_never_was(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ev", "--connect", "[::1]:1", "--no-tls"]) == 1
    told = capsys.readouterr().out
    assert told.startswith("failed: Unreachable: [::1]:1 refuses connections")
    assert "None" not in told
    assert "loops" not in told


@again
def test_the_way_is_told_by_phase_and_quiet_tells_nothing() -> None:
    with station("--host", "127.0.0.1") as (_, first):
        loud = driving(first["address"], "--loops", "2")
        _, told = loud.communicate(timeout=300)
        heed(told)
        assert loud.returncode == 0, told
        phases = [line.split()[1] for line in told.splitlines() if line.startswith("message")]
        assert list(dict.fromkeys(phases))[:3] == ["supportedAppProtocol", "SessionSetup", "AuthorizationSetup"]
        assert "SessionStop" in phases
        quiet = driving(first["address"], "--loops", "2", "--quiet")
        out, told = quiet.communicate(timeout=300)
        heed(out, told)
        assert quiet.returncode == 0, told
        assert told.count("\n") == 1  # the bench override is said aloud all the same
        assert "V2G20-2356" in told
        assert "DC scheduled eim, 2 loops" in out
