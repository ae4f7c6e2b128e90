"""The command line: every command explains itself, and errors are one line."""

import subprocess
import sys

import pytest

from lab.cli import COMMANDS


def v2g(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "lab.cli", *arguments], capture_output=True, text=True, timeout=300)


def test_the_overview_names_every_command() -> None:
    done = v2g("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f"\n    {command} " in done.stdout or f"\n    {command}\n" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_explains_itself_with_examples(command: str) -> None:
    done = v2g(command, "--help")
    assert done.returncode == 0, done.stderr
    assert "example" in done.stdout
    assert "exit codes" in done.stdout


@pytest.mark.parametrize("arguments", [("unknown",), ("secc", "--no-such-flag"), ("demo", "--service", "WPT")])
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...]) -> None:
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
def test_an_error_is_one_line_that_names_the_thing(arguments: tuple[str, ...], named: str) -> None:
    done = v2g(*arguments)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert named in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
