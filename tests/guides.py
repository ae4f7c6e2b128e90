"""Runs the command blocks of a guide, in their order, in an empty folder: what it says is what happens.

In a block `console` a line `$ v2g ...` must end with 0; with ` &` behind it, it says `listening` or `serving` first and serves until
the guide is over; one with the remark `# refused` must end with 1. A block of another language whose first line is `# NAME.EXT` is
that file.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.free_ports import free_port
from v2gkit.cli.main import main

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
REMARK = re.compile(r"\s+# ")
FILE = re.compile(r"# ([\w-]+\.\w+)\n")
PORT = re.compile(
    r"(?<=--port )\d+|(?<=--api )\d+|(?<=\]:)\d+|(?<=localhost:)\d+|(?<=^port = )\d+|(?<=tls\.port==)\d+|(?<=\"::1\", )\d+", re.MULTILINE
)


@dataclass
class Guide:
    """A document as a reader follows it, with free ports for those that it names."""

    text: str
    ports: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for named in set(PORT.findall("".join(text for _, text in self.blocks))) - {"0"}:
            self.ports[named] = str(free_port())

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """Language and text of each block."""
        return BLOCK.findall(self.text)

    @property
    def commands(self) -> list[str]:
        """The lines that a reader types."""
        return [line[2:] for language, text in self.blocks if language == "console" for line in text.splitlines() if line.startswith("$ ")]

    def with_free_ports(self, text: str) -> str:
        """A text that names the ports that are free here."""
        return PORT.sub(lambda m: self.ports.get(m[0], m[0]), text)

    def follow(self) -> None:
        """Do what the guide says, in the working folder. Fails with the first line that does not do as told."""
        for language, text in self.blocks:
            if language != "console" and (name := FILE.match(text)):
                Path(name[1]).write_text(self.with_free_ports(text))
        with servers() as running:
            for line in self.commands:
                command, remark = [*REMARK.split(self.with_free_ports(line), maxsplit=1), ""][:2]
                if command.endswith(" &"):
                    running.append(served(command.removesuffix(" &"), line))
                else:
                    assert outcome(command) == (1 if remark.startswith("refused") else 0), line
        for results in Path().glob("*/results.jsonl"):  # exit code 0 is had without a verdict, too
            wrong = {each["id"]: each["seen"] for each in map(json.loads, results.read_text().splitlines()) if each["verdict"] != "pass"}
            assert not wrong, f"{results}: {wrong}"


@contextmanager
def servers() -> Iterator[list[subprocess.Popen[str]]]:
    """Programs that run until the guide is over; each must then end when it is asked to."""
    running: list[subprocess.Popen[str]] = []
    try:
        yield running
    finally:
        for server in running:
            server.terminate()
        for server in running:
            server.communicate(timeout=300)


def served(command: str, line: str) -> subprocess.Popen[str]:
    """A program that was started and says that it serves."""
    program, *arguments = shlex.split(command)
    assert program == "v2g", line
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ.get("PATH", "")}
    serving = subprocess.Popen([sys.executable, "-m", "v2gkit", *arguments], stdout=subprocess.PIPE, text=True, env=environment)
    assert serving.stdout is not None
    first = serving.stdout.readline()
    if not (first.startswith(("serving", "listening")) or '"listening"' in first):
        serving.kill()
        pytest.fail(f"{line}: it began with {first!r}")
    return serving


def outcome(command: str) -> int:
    """The exit code of a command that a guide has typed: v2g in this process, python and tshark as programs of their own."""
    with pytest.MonkeyPatch.context() as patch:  # a file of the guide may call v2g
        patch.setenv("PATH", os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
        return _outcome(command)


def _outcome(command: str) -> int:
    words, _, target = command.partition(" > ")
    program, *arguments = shlex.split(words)
    if program == "v2g":
        try:
            return main(arguments)
        except SystemExit as leaving:  # --version
            return int(leaving.code or 0)
    known = {"python": sys.executable, "tshark": shutil.which("tshark")}
    assert program in known, f"{command}: a guide runs v2g, python and tshark"
    if (found := known[program]) is None:
        pytest.skip(f"the rest of this guide needs {program}, which is not installed here")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)})
    if target:
        Path(target).write_text(done.stdout)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.returncode
