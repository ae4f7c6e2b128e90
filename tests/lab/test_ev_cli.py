"""`v2g ev` as people and scripts use it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab.cli import main

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--connect HOST:PORT"),
        (["--connect", "::1:1"], "--pki"),
        (["--connect", "nowhere", "--no-tls"], "no address"),
        (["--connect", "[::1]:1", "--iface", "lo", "--no-tls"], "where is the station"),
        (["--connect", "[::1]:1", "--no-tls", "--target-soc", "99"], "target_soc"),
        (["--connect", "[::1]:1", "--pki", "/does/not/exist"], "/does/not/exist"),
        (["--connect", "[::1]:1", "--no-tls", "--config", "/does/not/exist.toml"], "/does/not/exist.toml"),
    ],
)
def test_wrong_usage_is_one_clear_line_and_code_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ev", *arguments]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


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
def test_a_visit_between_processes(script: str, tmp_path: Path) -> None:
    station = subprocess.Popen(
        [sys.executable, "-m", "lab.cli", "secc", "--no-tls", "--host", "127.0.0.1", "--port", "0", "--once", "--json"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert station.stdout is not None
        address = json.loads(station.stdout.readline())["address"]
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
            [sys.executable, "-m", "lab.cli", "ev", *asked, "--json"], cwd=ROOT, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said = json.loads(done.stdout.splitlines()[-1])
        assert (said["service"], said["control"], said["auth"], said["ended"]) == ("DC", "scheduled", "eim", "Terminate")
        assert said["loops"] == (1 if script == "read-soc" else 5)
        assert station.wait(20) == 0
        records = [json.loads(line) for line in trace.read_text().splitlines()]
        assert records[0]["type"] == "trace"
        assert records[-1]["type"] == "end"
    finally:
        station.kill()
        station.wait()
