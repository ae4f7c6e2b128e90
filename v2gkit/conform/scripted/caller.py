"""Makes a car come: runs the command of the PIXIT, or waits for one that comes by itself. A shell."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from v2gkit.conform.levers import line_of
from v2gkit.conform.scripted.encounter import Left

KEPT = 4000  # characters of what a car's program said
MERCY = 3.0  # s between asking a program to end and ending it


class Called:
    """A car that was called: a program, or somebody who comes by itself."""

    def __init__(self, process: Process | None, failed: Callable[[], None] = lambda: None):
        self.process, self._failed, self._said = process, failed, bytearray()
        self._reading = asyncio.create_task(self._read()) if process else None
        self.drove = False

    def connected(self) -> None:
        """Note that the car is connected now."""
        self.drove = self.process is not None and self.process.returncode is None

    async def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        while octets := await self.process.stdout.read(65536):
            self._said = (self._said + octets)[-KEPT:]
        if await self.process.wait() != 0:
            self._failed()

    @property
    def failed(self) -> bool:
        """Whether the program ended with an error, so that no car can be expected. One that ended well may have called a car elsewhere."""
        return self.process is not None and self.process.returncode not in (None, 0)

    def stop(self) -> None:
        """Ask the car's driver to leave: SIGTERM to its program."""
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)

    async def left(self, seconds: float) -> Left | None:
        """How the program ended, waited for so long; None for a car without one."""
        if self.process is None or self._reading is None:
            return None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.process.wait()
                await asyncio.shield(self._reading)
        return Left(self.process.returncode, self._said.decode(errors="replace"), self.drove)

    async def end(self) -> None:
        """End the program and what it started."""
        if self.process is None or self._reading is None:
            return
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self.process.returncode is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, sign)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MERCY):
                    await self.process.wait()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)


@asynccontextmanager
async def called(command: str, words: Mapping[str, str], failed: Callable[[], None] = lambda: None) -> AsyncIterator[Called]:
    """Within the block: the car that a command makes come, with {address} and the other words filled in; empty: it comes by itself.

    `failed` is called when the program ends with an error. Raises Blocked where the command has a word that there is none for.
    """
    if not command:
        yield Called(None)
        return
    process = await asyncio.create_subprocess_shell(
        line_of(command, words), stdin=asyncio.subprocess.DEVNULL, stdout=PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True
    )
    car = Called(process, failed)
    try:
        yield car
    finally:
        await car.end()
