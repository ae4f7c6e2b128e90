"""Runs every command of docs/pki.md, in order, in an empty directory."""

import json
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cli import main

ROOT = Path(__file__).parents[2]
COOKBOOK = (ROOT / "docs/pki.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", COOKBOOK, re.DOTALL)
FOREIGN = json.loads((ROOT / "tests/pki/data/iso15118-0.31.2.json").read_text())
PORTS = ("8888", "8889", "8443", "15118", "15119")


@pytest.fixture
def kitchen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (plan,) = [text for language, text in BLOCKS if language == "toml"]
    Path("plan.toml").write_text(plan)
    Path("authorization.exi").write_bytes(bytes.fromhex(FOREIGN["authorization"]))
    return tmp_path


@pytest.fixture
def ports() -> dict[str, str]:
    """Free ports for the ones the text names."""
    free = {}
    for named in PORTS:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            free[named] = str(probe.getsockname()[1])
    return free


@pytest.fixture
def servers() -> Iterator[list[subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []
    yield running
    for server in running:
        server.terminate()
        server.wait(300)


def commands() -> list[str]:
    return [line[2:] for language, text in BLOCKS if language == "console" for line in text.splitlines() if line.startswith("$ ")]


def test_every_command_does_what_the_text_says(
    kitchen: Path, ports: dict[str, str], servers: list[subprocess.Popen[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    for line in commands():
        command, _, remark = line.partition("        # ")
        for named, free in ports.items():
            command = command.replace(named, free)
        program, *arguments = shlex.split(command.removesuffix(" &"))
        assert program == "v2g", line
        if command.endswith(" &"):
            serving = subprocess.Popen(
                [sys.executable, "-m", "lab.cli", *arguments], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)}
            )
            servers.append(serving)
            assert serving.stdout is not None
            assert serving.stdout.readline().startswith(("serving", "listening")), line
            continue
        code = main(arguments)
        told = capsys.readouterr()
        assert code == (1 if remark == "refused" else 0), f"{line}\n{told.out[-2000:]}{told.err}"


def test_the_text_has_commands() -> None:
    assert len(commands()) > 20
    named = set(re.findall(r"v2g pki (\w+)", COOKBOOK))
    assert named >= {
        "create",
        "verify",
        "show",
        "broken",
        "csr",
        "sign",
        "revoke",
        "crl",
        "ocsp",
        "status",
        "staple",
        "cps",
        "est",
        "renew",
    }
