"""Stations and cars as programs of their own, on free ports of the loopback, for tests. A shell."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

PATIENCE: Final = 300.0  # s for a program to do what it is for: generous, for tests run beside many others
LEAVE: Final = 30.0  # s for a station to end in order
_PROGRAM: Final = (sys.executable, "-m", "v2gkit")


@dataclass(slots=True)
class Station:
    """A station that runs: its address as HOST:PORT, what it said when it began, and its process."""

    address: str
    said: dict[str, Any]
    process: "subprocess.Popen[str]"

    def outcome(self) -> dict[str, Any]:
        """The next session that ends, as the line that `v2g secc --json` prints of it. AssertionError where the station itself ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = json.loads(line)
            if found.get("event") == "ended":
                return dict(found)
        raise AssertionError(f"the station has ended with {self.process.wait()} before a session did")


def pki(folder: Path) -> Path:
    """Make certificates for stations and cars in a folder; the folder. AssertionError with what was said where that fails."""
    _run("pki", "create", str(folder))
    return folder


def car(address: str, *arguments: str) -> dict[str, Any]:
    """Send a car to an address with arguments of `v2g ev`; the object that it prints. Without --pki it is told --no-tls."""
    return dict(json.loads(_run("ev", "--connect", address, "--json", "--quiet", *_bench(arguments)).splitlines()[-1]))


@contextmanager
def station(*arguments: str) -> Iterator[Station]:
    """A station with arguments of `v2g secc`, on a free port of the loopback, for the block. Without --pki it is told --no-tls."""
    where = () if any(each in ("--host", "--config", "--iface") for each in arguments) else ("--host", "127.0.0.1")
    port = () if "--port" in arguments else ("--port", "0")
    command = [*_PROGRAM, "secc", *where, *port, "--json", *_bench(arguments)]
    with TemporaryFile("w+") as complaints:  # a pipe that nobody reads would stop it when it is full
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, text=True)  # noqa: S603 - our own interpreter
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            if not first:
                process.wait(LEAVE)
                complaints.seek(0)
                raise AssertionError(f"v2g {' '.join(command[3:])} did not begin: {complaints.read().strip()}")
            said = json.loads(first)
            yield Station(str(said["address"]), dict(said), process)
        finally:
            _ended(process)


def _bench(arguments: tuple[str, ...]) -> tuple[str, ...]:
    return arguments if {"--pki", "--config", "--no-tls", "--tls"} & set(arguments) else (*arguments, "--no-tls")


def _run(*arguments: str) -> str:
    command = [*_PROGRAM, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603 - our own interpreter
    if done.returncode not in (0, 1) or not done.stdout.strip():
        raise AssertionError(f"v2g {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _ended(process: "subprocess.Popen[str]") -> None:
    """End a station in order, or after a while by force; what it still says is read, so that nothing is left open."""
    process.terminate()
    try:
        process.communicate(timeout=LEAVE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
