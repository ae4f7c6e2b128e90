"""A `v2g` command as a process that says what it does in lines of JSON: started, listened to, and ended in order."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from v2gkit.insight.recorder import Recorder

LEAVING = 15.0  # s that a party may take to leave when it is asked: on a machine that is idle it takes half a second
Tell = Callable[[str], None]


class Party:
    """One process of the demo, which prints a line of JSON for everything it does."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path, record: Recorder, tell: Tell | None):
        self.name, self.process, self.said, self._tell = name, process, list[dict[str, Any]](), tell
        self._log, self._record, self._news, self._silent = log, record, asyncio.Condition(), False
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self._record.octets(line)
            async with self._news:
                with contextlib.suppress(json.JSONDecodeError):
                    self.said.append(json.loads(line))
                    if self._tell is not None and "text" in self.said[-1]:
                        self._tell(f"CSMS       {self.said[-1]['text']}")
                self._news.notify_all()
        async with self._news:
            self._silent = True
            self._news.notify_all()

    async def says(self, fits: Callable[[dict[str, Any]], bool], limit: float) -> dict[str, Any]:
        """Wait at most `limit` s for a line that fits, and return it. Raises RuntimeError with the party's log when none comes."""
        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(lambda: any(map(fits, self.said)) or self._silent), limit)
            except TimeoutError:
                raise RuntimeError(f"{self.name} did not get ready within {limit:g} s; see {self._log}") from None
            found = next((line for line in self.said if fits(line)), None)
        if found is None:
            raise RuntimeError(f"{self.name} ended before it was ready: {self.last_words}")
        return found

    @property
    def last_words(self) -> str:
        """The last line that the process wrote to standard error, which says why it ended."""
        said = complaints(self._log)
        lines = said.read_text(errors="replace").strip().splitlines() if said.exists() else []
        return lines[-1] if lines else f"see {self._log}"

    async def finish(self, limit: float, *, ask: bool = False) -> int:
        """Wait for the process to end, and return its exit code: after `limit` s (with `ask` at once) by SIGTERM, later by SIGKILL."""
        for insist in (None, self.process.terminate, self.process.kill)[ask:]:
            if insist is not None and self.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    insist()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), limit)
                break
        await self._reading
        return self.process.returncode if self.process.returncode is not None else -1


def complaints(log: Path) -> Path:
    """The path of the file with the standard error of a party, beside its log."""
    return log.with_suffix(".err")


@contextlib.asynccontextmanager
async def party(name: str, log: Path, tell: Tell | None, *arguments: str) -> AsyncIterator[Party]:
    """A `v2g` command as a process, ended with the block. Its output goes to `log`, its standard error to a file beside."""
    with Recorder.into(log) as record:
        with complaints(log).open("wb") as said:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "v2g", *arguments, stdout=asyncio.subprocess.PIPE, stderr=said, env={**os.environ},
                start_new_session=True,  # a Ctrl-C of the terminal is for the demo: the car leaves before its station does
            )  # fmt: skip
        running = Party(name, process, log, record, tell)
        try:
            yield running
        finally:
            if process.returncode is None:
                await running.finish(LEAVING, ask=True)
            if not complaints(log).stat().st_size:
                complaints(log).unlink()
