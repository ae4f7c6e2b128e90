"""What a terminal shows of a session, on a pseudo-terminal: one line that moves and fits; and that nothing changes without one."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.free_ports import free_port
from tests.starved import again
from tests.v2gkit.cli.test_secc import station
from v2gkit.cli.main import main

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*[1-9][0-9;]*m")


def shown(arguments: list[str], columns: int, **environment: str) -> tuple[int, str]:
    """The exit code of a command on a terminal so wide, and all that it wrote there."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, columns))
    given = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "TERM")}
    process = subprocess.Popen(
        [sys.executable, "-m", "v2gkit", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
        env=given | {"TERM": "xterm-256color"} | environment,
    )
    os.close(follower)
    seen = b""
    while True:
        ready, _, _ = select.select([leader], [], [], 300)
        assert ready, seen
        try:
            piece = os.read(leader, 65_536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        seen += piece
    os.close(leader)
    return process.wait(300), seen.decode(errors="replace")


def lines_of(seen: str) -> list[str]:
    """Every line that stood there at any time, without what moves the cursor or colours it."""
    return [line for piece in re.split(r"[\r\n]|\x1b\[[0-9]*[AK]|\x1b\[2K", seen) if (line := ESCAPE.sub("", piece).rstrip())]


def visit(address: str, *more: str) -> list[str]:
    return ["ev", "--no-tls", "--connect", address, "--service", "DC", "--auth", "eim", "--loops", "40", *more]


@pytest.mark.parametrize("columns", [80, 40])
@again
def test_a_car_is_one_line_that_fits(columns: int) -> None:
    with station("--time-scale", "600", "--once") as (_, first):
        code, seen = shown(visit(first["address"], "--time-scale", "600", "--departure-in", "36000"), columns)
    assert code == 0, seen
    lines = lines_of(seen)
    assert not [line for line in lines if len(line) > columns]
    moving = [line for line in lines if "charges" in line and "%" in line]
    assert moving, seen
    assert "message" not in ESCAPE.sub("", seen)  # the story is folded
    assert columns < 80 or any("kWh in" in line and "kW" in line for line in moving)
    assert COLOUR.search(seen)
    assert "Terminate" in " ".join(lines[-4:])


@again
def test_a_station_and_a_demo_are_one_line_that_fits_too(tmp_path: Path) -> None:
    port = free_port()
    driver = [sys.executable, "-m", "v2gkit", *visit(f"127.0.0.1:{port}", "--json")]
    with ThreadPoolExecutor() as pool:
        station = pool.submit(shown, ["secc", "--no-tls", "--host", "127.0.0.1", "--port", str(port), "--once"], 60)
        until = time.monotonic() + 300
        while subprocess.run(driver, capture_output=True, timeout=300).returncode and not station.done():  # until it listens
            assert time.monotonic() < until
    demo = ["demo", "--no-ocpp", "--service", "AC", "--auth", "eim", "--seconds", "9", "--output", str(tmp_path)]
    for code, seen in (station.result(), shown(demo, 60)):
        assert code == 0, seen
        lines = lines_of(seen)
        assert not [line for line in lines if len(line) > 60 and str(tmp_path) not in line]  # a path is whole, to be opened
        assert [line for line in lines if "charges" in line and "kW" in line], seen
        assert "message" not in ESCAPE.sub("", seen)
        assert COLOUR.search(seen)


@again
def test_v_opens_the_story_and_no_color_is_honoured() -> None:
    with station("--once") as (_, first):
        code, seen = shown(visit(first["address"], "-v"), 80, NO_COLOR="1")
    assert code == 0, seen
    assert any(line.startswith("message    SessionSetup") for line in lines_of(seen))
    assert not COLOUR.search(seen)


@again
def test_a_dumb_terminal_and_json_are_as_ever() -> None:
    with station("--once") as (_, first):
        code, seen = shown(visit(first["address"], "--json"), 80)
    assert code == 0, seen
    assert "\x1b" not in seen
    assert json.loads(seen.splitlines()[-1])["ok"]
    with station("--once") as (_, first):
        code, seen = shown(visit(first["address"]), 80, TERM="dumb")
    assert code == 0, seen
    assert "\x1b" not in seen
    assert "message    SessionSetup" in seen


@again
def test_piped_nothing_changes(tmp_path: Path) -> None:
    with station("--once") as (_, first):
        command = [sys.executable, "-m", "v2gkit", *visit(first["address"])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "message    SessionSetup" in done.stderr
    assert len(done.stdout.splitlines()) == 1


# --- verdicts ---


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pki") / "certs"
    assert main(["pki", "create", str(made), "--json"]) == 0
    return made


@pytest.mark.parametrize("columns", [80, 40])
def test_the_doctor_colours_its_verdicts_in_lines_that_fit(columns: int, certs: Path) -> None:
    code, seen = shown(["doctor", "--pki", str(certs)], columns)
    assert code == 0, seen
    assert "\x1b[32mok\x1b[0m" in seen
    assert not [line for line in lines_of(seen) if len(line) > columns]


def test_a_chain_that_is_refused_is_red_in_lines_that_fit(certs: Path) -> None:
    asked = ["pki", "verify", str(certs / "secc" / "secp521r1.chain.pem"), "--role", "secc", "--store", str(certs), "--explain"]
    code, seen = shown([*asked, "--at", "2099-01-01"], 60)
    assert code == 1
    assert "\x1b[1;31mrefused\x1b[0m: " in seen
    assert "\x1b[1;31mNO\x1b[0m" in seen
    assert not [line for line in lines_of(seen) if len(line) > 60]
    code, seen = shown(asked, 60)
    assert code == 0
    assert "\x1b[32maccepted\x1b[0m" in seen


def test_verdicts_without_colour_or_terminal_are_text(certs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    asked = ["pki", "verify", str(certs / "secc" / "secp521r1.chain.pem"), "--role", "secc", "--store", str(certs), "--explain"]
    code, seen = shown(asked, 80, NO_COLOR="1")
    assert code == 0
    assert not COLOUR.search(seen)
    assert "accepted as secc" in ESCAPE.sub("", seen)
    code, dumb = shown(asked, 80, TERM="dumb")
    assert code == 0
    assert "\x1b" not in dumb
    assert main(asked) == 0
    piped = capfd.readouterr().out
    assert "\x1b" not in piped
    assert piped.splitlines() == dumb.splitlines()
