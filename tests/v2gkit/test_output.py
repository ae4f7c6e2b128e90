"""Nothing that a library prints reaches the standard output of a command: that is for its answers alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from v2gkit.output import put, reserved

HELLO = "8000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040"  # a supportedAppProtocolReq
LOUD = """
import ctypes, json, os, sys

libc, dumps = ctypes.CDLL(None), json.dumps


def loud(*values, **options):
    print("BANNER of Python")
    sys.__stdout__.write("BANNER kept in a buffer of Python")
    libc.printf(b"BANNER kept in a buffer of C")  # standard output is no terminal: C writes it when the process ends
    os.write(1, b"BANNER at the descriptor")
    os.system("echo BANNER of a child")
    return dumps(*values, **options)


json.dumps = loud
from v2gkit.cli.main import main

sys.exit(main(sys.argv[1:]))
"""
QUIET = """
import sys
from v2gkit.output import put, reserved
{before}
with reserved():
    print("BANNER")
    put("answer")
{after}
"""


def loudly(*arguments: str, **given: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", LOUD, *arguments], capture_output=True, text=True, timeout=300, **given)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize(
    "arguments",
    [
        ("exi", "decode", "--json", HELLO),
        ("exi", "explain", "--json", HELLO),
        ("doctor", "--json"),
        ("pki", "create", "{}/certs", "--json"),
        ("pki", "show", "--profiles", "--json"),
        ("ev", "--connect", "[::1]:1", "--no-tls", "--json"),
    ],
    ids=" ".join,
)
def test_what_libraries_print_goes_to_standard_error(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = loudly(*(each.format(tmp_path) if "{" in each else each for each in arguments))
    assert json.loads(done.stdout)
    for source in ("of Python", "kept in a buffer of Python", "kept in a buffer of C", "at the descriptor", "of a child"):
        assert f"BANNER {source}" in done.stderr


def test_a_station_and_the_hardware_behind_it(tmp_path: Path) -> None:
    """The station's lines are JSON although a driver prints, and so does every library below it."""
    (tmp_path / "loudspeaker.py").write_text("print('BANNER of a driver')\nfrom secc.evse import EVSE\nclass Charger(EVSE):\n    pass\n")
    config = tmp_path / "station.toml"
    config.write_text("tls = false\nport = 0\n[offer]\nauthorizations = ['EIM']\n[hardware]\ndriver = 'loudspeaker:Charger'\n")
    command = [sys.executable, "-c", LOUD, "secc", "--config", str(config), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as station:
        assert station.stdout is not None
        assert json.loads(station.stdout.readline())["event"] == "listening"
        station.terminate()
        rest, told = station.communicate(timeout=300)
        assert [json.loads(line) for line in rest.splitlines()] == []
        assert "BANNER of a driver" in told


def test_help_and_version_are_answers() -> None:
    for arguments in (("--help",), ("--version",), ("secc", "--help")):
        done = subprocess.run([sys.executable, "-m", "v2g", *arguments], capture_output=True, text=True, timeout=300)
        assert (done.returncode, done.stderr) == (0, "")
        assert "v2g" in done.stdout


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_may_be_closed(closed: str, tmp_path: Path) -> None:
    """The next file that is opened must not take their place: a banner would be written into it."""
    script = tmp_path / "script.py"
    kept = tmp_path / "kept"
    script.write_text(QUIET.format(before="", after=f"open({str(kept)!r}, 'w').close()"))
    done = subprocess.run(
        f"exec {sys.executable} {script} {closed}",
        shell=True,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("" if ">&-" in closed.replace("2>&-", "") else "answer\n")
    assert kept.read_text() == ""


def test_a_name_that_is_no_text_is_shown(tmp_path: Path) -> None:
    script = QUIET.format(before="", after="").replace('"answer"', r'"no text: \udcff"')
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=300, env={**os.environ, "PYTHONPATH": "."})
    assert done.stdout == b"no text: \\udcff\n"


def test_afterwards_standard_output_is_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with reserved(), reserved():
        os.write(1, b"BANNER")
        put("answer")
    put("another")
    os.write(1, b"as before\n")
    told = capfd.readouterr()
    assert sys.stdout is before
    assert sorted(told.out.splitlines()) == ["another", "answer", "as before"]
    assert told.err == "BANNER"
