"""The log: which lines, in which form, with times that mean the same everywhere."""

import argparse
import json
import logging
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from v2gkit.cli.log import LEVELS, about, add_options, logging_as, moment
from v2gkit.output import complain

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(arguments)


def test_times_are_utc_wherever_it_runs() -> None:
    assert moment(0.0) == "1970-01-01T00:00:00.000Z"
    assert moment(1_772_366_400.25) == "2026-03-01T12:00:00.250Z"


@pytest.mark.parametrize("level", LEVELS)
def test_lines_below_the_level_are_not_said(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    with logging_as(options("--log-level", level)):
        for each in LEVELS:
            getattr(logging.getLogger("v2g.x"), each)("a line of %s", each)
    said = capsys.readouterr().err.splitlines()
    assert [line.rsplit(" ", 1)[1] for line in said] == list(LEVELS[LEVELS.index(level) :])
    assert all(STAMP.match(line) for line in said)
    assert said[-1].split(" ", 1)[1] == "CRITICAL v2g.x: a line of critical"


def test_an_object_a_line_with_the_outlet_it_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("v2g.x")
    with logging_as(options("--log-format", "json")):
        about("DE*V2G*E1", "DE*V2G*E12")
        log.warning("%s: its contactor\nis open", "DE*V2G*E12")
        log.warning("limits of DE*V2G*E1 ended")
        log.warning("nothing of DE*V2G*E123, and wss://user:secret@host")
        try:
            raise ValueError("forged\n2026 a line")
        except ValueError:
            log.exception("DE*V2G*E1: failed")
        complain("v2g x: said by the command")
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line.get("evse") for line in said] == ["DE*V2G*E12", "DE*V2G*E1", None, "DE*V2G*E1", None]
    assert all(STAMP.fullmatch(line["time"]) for line in said)
    assert said[0]["level"] == "warning"
    assert said[0]["logger"] == "v2g.x"
    assert said[0]["message"] == "DE*V2G*E12: its contactor\\u000ais open"
    assert "secret" not in said[2]["message"]
    assert "ValueError" in said[3]["traceback"]
    assert said[4]["message"] == "v2g x: said by the command"


def test_what_follows_is_logged_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    before = (logging.getLogger().level, list(logging.getLogger().handlers))
    with logging_as(options("--log-level", "debug", "--log-format", "json")):
        pass
    assert (logging.getLogger().level, logging.getLogger().handlers) == before
    complain("plain")
    assert capsys.readouterr().err == "plain\n"


def test_a_station_logs_in_json_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "v2gkit", "secc", "--no-tls", "--port", "0", "--auth", "EIM", "--once", "--json"]
    command += ["--log-level", "info", "--log-format", "json", "--trace", str(tmp_path / "trace.jsonl")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as station:
        assert station.stdout is not None
        host, _, port = json.loads(station.stdout.readline())["address"].rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port))) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        _, err = station.communicate(timeout=300)
    said = [json.loads(line) for line in err.splitlines()]
    assert all(STAMP.fullmatch(line["time"]) for line in said)
    assert [line for line in said if line.get("evse") == "DE*V2G*E1"]
    assert [line for line in said if "this records" in line["message"]]
