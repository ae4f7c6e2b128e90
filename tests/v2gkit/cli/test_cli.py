"""The command line: every command explains itself, and errors are one line."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from v2gkit.cli.main import COMMANDS, main

V2g = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def v2g(capfd: pytest.CaptureFixture[str]) -> V2g:
    """Runs a command in this process; `test_guard.py` beside it has them in one of their own."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        try:
            code = main(arguments)
        except SystemExit as leaving:  # argparse
            code = int(leaving.code or 0)
        return subprocess.CompletedProcess(arguments, code, *capfd.readouterr())

    return run


def test_the_overview_names_every_command() -> None:
    done = subprocess.run([sys.executable, "-m", "v2gkit", "--help"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0
    for command in COMMANDS:
        assert f"\n    {command} " in done.stdout or f"\n    {command}\n" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_explains_itself_with_examples(command: str, v2g: V2g) -> None:
    done = v2g(command, "--help")
    assert done.returncode == 0, done.stderr
    assert "example" in done.stdout
    assert "exit codes" in done.stdout


@pytest.mark.parametrize("arguments", [("unknown",), ("secc", "--no-such-flag"), ("demo", "--service", "FIELD")])
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...], v2g: V2g) -> None:
    done = v2g(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("secc", "--pki", "/nonexistent", "--port", "0"), "/nonexistent"),
        (("ev", "--no-tls", "--connect", "nowhere"), "HOST:PORT"),
        (("report", "/nonexistent.jsonl"), "/nonexistent.jsonl"),
        (("demo", "--pki", "/nonexistent"), "/nonexistent"),
    ],
)
def test_an_error_is_one_line_that_names_the_thing(arguments: tuple[str, ...], named: str, v2g: V2g) -> None:
    done = v2g(*arguments)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert named in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
