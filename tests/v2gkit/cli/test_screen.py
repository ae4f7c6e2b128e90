"""What a terminal shows of sessions, on a pseudo-terminal: blocks that move and fit, many of them folded; and the story without one."""

import contextlib
import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.free_ports import free_port
from tests.starved import again, hear, heed
from tests.v2gkit.cli.test_secc import introduced, station
from v2gkit.cli.main import main

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*[1-9][0-9;]*m")


def shown(arguments: list[str], columns: int, rows: int = 24, **environment: str) -> tuple[int, str]:
    """The exit code of a command on a terminal of that size, and all that it wrote there."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (rows, columns))
    given = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR", "TERM")}
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
    hear(seen.decode(errors="replace"))
    return process.wait(300), seen.decode(errors="replace")


def lines_of(seen: str) -> list[str]:
    """Every line that stood there at any time, without what moves the cursor or colours it."""
    return [line for piece in re.split(r"[\r\n]|\x1b\[[0-9]*[AK]|\x1b\[2K", seen) if (line := ESCAPE.sub("", piece).rstrip())]


def highest(seen: str) -> int:
    """The most rows that ever moved: one more than the cursor went up by."""
    return 1 + max(
        (len(re.findall(r"\x1b\[1A", moved.group())) for moved in re.finditer(r"(?:\x1b\[1A(?:\r|\x1b\[2K)*)+", seen)), default=0
    )


@contextlib.contextmanager
def outlets(folder: Path, count: int) -> Iterator[list[str]]:
    """A station of several outlets as a process; their addresses, as options of a car."""
    config = folder / "station.toml"
    config.write_text("".join(f"[[outlet]]\nevse_id = 'DE*V2G*E{number}'\n" for number in range(1, count + 1)))
    with station("--config", str(config), "--time-scale", "600") as (process, first):
        assert process.stdout is not None
        others = [json.loads(process.stdout.readline()) for _ in range(1, count)]
        yield [word for each in (first, *others) for word in ("--connect", each["address"])]


def visit(address: str, *more: str) -> list[str]:
    return ["ev", "--no-tls", "--connect", address, "--service", "DC", "--auth", "eim", "--loops", "40", *more]


@pytest.mark.parametrize("columns", [80, 40])
@again
def test_a_car_is_one_block_that_fits_and_stays_with_its_verdict(columns: int) -> None:
    with station("--time-scale", "600", "--once") as (_, first):
        code, seen = shown(visit(first["address"], "--time-scale", "600", "--departure-in", "36000"), columns)
    assert code == 0, seen
    lines = lines_of(seen)
    assert not [line for line in lines if len(line) > columns]
    assert any(line.startswith("car - DE*V2G*E1  DC Scheduled EIM") for line in lines), seen
    assert any(re.search(r"stay +\[=* *\] \d+:\d\d h left of (9:59|10:00) h", line) for line in lines), seen
    assert any(re.search(r"SOC +\[=+ *\| *\] \d+ %", line) for line in lines), seen
    assert any(re.search(r"power \[ *\|>+ *\] \+\d+\.\d kW", line) for line in lines), seen
    assert any("kWh in, " in line or re.search(r"\+[1-9]\S* -0.0 kWh", line) for line in lines), seen
    assert highest(seen) in (3, 4)
    assert "message" not in ESCAPE.sub("", seen)  # the story is folded
    assert "\x1b[32mended well: Terminate\x1b[0m" in seen
    after = lines_of(seen[seen.rindex("stay ") :])
    assert not [line for line in after if "left" in line or "power" in line]  # what stays says what was, not what is to come


@again
def test_a_station_and_a_demo_are_blocks_that_fit_too(tmp_path: Path) -> None:
    port = free_port()
    driver = [sys.executable, "-m", "v2gkit", *visit(f"127.0.0.1:{port}", "--json")]
    with ThreadPoolExecutor() as pool:
        station = pool.submit(shown, ["secc", "--no-tls", "--host", "127.0.0.1", "--port", str(port), "--once"], 60)
        until = time.monotonic() + 300
        while (done := subprocess.run(driver, capture_output=True, timeout=300)).returncode and not station.done():  # until it listens
            hear(done.stdout)
            assert time.monotonic() < until
    demo = ["demo", "--no-ocpp", "--service", "AC_BPT", "--auth", "eim", "--seconds", "9", "--output", str(tmp_path)]
    for code, seen in (station.result(), shown(demo, 60)):
        assert code == 0, seen
        lines = lines_of(seen)
        assert not [line for line in lines if len(line) > 60 and str(tmp_path) not in line]  # a path is whole, to be opened
        assert [line for line in lines if re.search(r"power \[ *\|>+ *\] \+", line)], seen
        assert "message" not in ESCAPE.sub("", seen)
        assert "\x1b[32mended well: Terminate\x1b[0m" in seen
    assert [line for line in lines if re.search(r"power \[ *<+\| *\] -\d+\.\d kW", line)], seen  # the demo gives back in the evening
    assert "\x1b[95m<" in seen


@again
def test_a_refusal_is_red_with_its_reason_in_one_line_and_not_told_twice() -> None:
    with station("--once", "--eim", "refuse") as (_, first):
        code, seen = shown(visit(first["address"]), 120)
    assert code == 1
    lines = lines_of(seen)
    told = [line for line in lines if line.startswith("failed") and "authorization was refused" in line]
    assert len(told) == 1, lines
    assert f"\x1b[1;31m{told[0]}\x1b[0m" in seen
    assert lines[-1].startswith("failed, ")


@again
def test_what_a_stranger_says_is_legible_and_its_end_has_a_reason() -> None:
    port = free_port()
    with ThreadPoolExecutor() as pool:
        station = pool.submit(shown, ["secc", "--no-tls", "--host", "127.0.0.1", "--port", str(port), "--once"], 100)
        until = time.monotonic() + 300
        while not station.done() and time.monotonic() < until:
            with contextlib.suppress(OSError), introduced(f"127.0.0.1:{port}", "WMI\x1b[2J\u202eE1"):
                pass
        code, seen = station.result()
    assert code == 1
    assert "\u202e" not in seen
    assert "\x1b[2J" not in seen
    lines = lines_of(seen)
    assert [line for line in lines if line.startswith("DE*V2G*E1 - WMI\\u001b[2J\\u202eE1")], seen
    assert [line for line in lines if re.match(r"failed( \[V2G20-\d+\])?: .{10}", line)], seen


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 24), (80, 8), (40, 3)])
@again
def test_many_cars_have_a_line_each_and_then_a_summary_within_the_terminal(columns: int, rows: int, tmp_path: Path) -> None:
    with outlets(tmp_path, 12) as addresses:
        fleet = ["ev", "--no-tls", "--service", "DC", "--auth", "eim", "--loops", "12", *addresses, "--fleet", "12", "--time-scale", "600"]
        code, seen = shown(fleet, columns, rows)
    heed(seen)
    assert code == 0, seen
    lines = lines_of(seen)
    assert not [line for line in lines if len(line) > columns and "WARNING" not in line]
    assert highest(seen) <= rows - 2 or rows == 3
    assert highest(seen) <= rows
    if rows == 24:
        assert any(re.match(r"car 1?\d - DE\*V2G\*E\d+  charges  (power \[.*\] )?\+", line) for line in lines), seen
    else:
        assert any(re.match(r"1?\d sessions  .*\d charges", line) for line in lines), seen
        assert sum("ended well" in line for line in lines) < 12, seen  # in a crowd that is no news
    assert "12 of 12 cars well" in " ".join(lines)


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
    heed(done.stdout, done.stderr)
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
