"""Programs under supervision: each in a process group of its own, its standard output read as lines of JSON, its end enforced."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

AHEAD = -10  # nice value
MERCY = 3.0  # s between asking a group to end and ending it
MOST_OCTETS = 1 << 20  # of one line: more is not a result


class ProcessFailed(Exception):
    """A program ended too early, said nothing in time, or did not end."""


def favour(pid: int) -> None:
    """Have the system run a program, and what it starts, before others; where one may not (no root), nothing is changed."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, AHEAD)
        Path(f"/proc/{pid}/autogroup").write_text(str(AHEAD))  # Linux weighs sessions first, where it groups by them


class Process:
    """One program, to be used by `async with`: at the end of the block its whole process group is gone.

    Lines of output that are JSON objects are collected in `said`; all other output, and standard error, goes to `log`. One that is
    `favoured` runs before others.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path,
        log: Path,
        favoured: bool = False,
    ):
        self.favoured = favoured
        self.name, self.command, self.environment, self.folder, self.log = name, list(command), environment, folder, log
        self.said: list[dict[str, Any]] = []

    async def __aenter__(self) -> "Process":
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                cwd=self.folder,
                env=None if self.environment is None else dict(self.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=MOST_OCTETS,
                start_new_session=True,  # its children (a Java runtime) are found by its group
            )
        if self.favoured:
            favour(self._process.pid)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, sign)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._process.wait(), MERCY)

    async def expect(self, key: str, limit: float) -> dict[str, Any]:
        """The next line with this key, within `limit` seconds. Raises ProcessFailed."""
        try:
            async with asyncio.timeout(limit):
                while (fact := await self._line()) is not None:
                    if key in fact:
                        return fact
        except TimeoutError:
            raise ProcessFailed(f"{self.name} did not say {key!r} within {limit:g} s; see {self.log}") from None
        raise ProcessFailed(f"{self.name} ended with exit code {await self._process.wait()} before it said {key!r}; see {self.log}")

    def ask_to_end(self) -> None:
        """Ask the program, not its children, to end in order (SIGTERM)."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    async def finish(self, limit: float) -> int:
        """Read the output until the program ends, within `limit` seconds; its exit code. Raises ProcessFailed."""
        try:
            async with asyncio.timeout(limit):
                while await self._line() is not None:
                    pass
                return await self._process.wait()
        except TimeoutError:
            raise ProcessFailed(f"{self.name} did not end within {limit:g} s; see {self.log}") from None

    @property
    def last(self) -> dict[str, Any]:
        """The last JSON object that the program printed: its result."""
        return self.said[-1] if self.said else {}

    async def _line(self) -> dict[str, Any] | None:
        """The next line: empty when it is no JSON object, None at the end."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            return None
        with contextlib.suppress(ValueError):
            fact = json.loads(line)
            if isinstance(fact, dict):
                self.said.append(fact)
                return fact
        with self.log.open("ab") as log:
            log.write(line)
        return {}
