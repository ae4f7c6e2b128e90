"""The shell that tells a station what holds, on the Unix socket of its feed."""

import asyncio
import json
from pathlib import Path
from typing import Final

from v2g.legible import legible, logger
from v2gkit.grid.feeding import LASTS, words_of
from v2gkit.grid.standing import Standing

FIRST, LONGEST = 0.2, 5.0  # s between two attempts at a connection
ANSWER: Final = 4_096  # octets of a refusal that are read
log = logger("v2g.grid")


class Feeding:
    """What holds, told to one of `stations` stations, of `outlets` outlets, whenever it changes, and a setpoint again before it lapses."""

    def __init__(self, path: Path, stations: int, outlets: int = 1) -> None:
        self._path, self._stations, self._outlets = path, stations, outlets
        self._held: Standing | None = None
        self._changed = asyncio.Event()

    def heed(self, held: Standing) -> None:
        """Tell the station this from now on."""
        self._held = held
        self._changed.set()

    async def run(self) -> None:
        """Tell until cancelled; a station that is not there is tried again."""
        wait = FIRST
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path, limit=ANSWER)
            except OSError as error:
                log.warning("%s: no station takes limits there: %s", self._path, error.strerror or error)
            else:
                await self._told(reader, writer)
                wait = FIRST
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST)

    async def _told(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended = asyncio.ensure_future(reader.readline())
        try:
            while not ended.done():
                self._changed.clear()
                if self._held is not None:
                    for word in words_of(self._held, self._stations, self._outlets):
                        writer.write(json.dumps(word).encode() + b"\n")
                    await writer.drain()
                changed = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait((ended, changed), timeout=LASTS / 3, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
            log.warning("%s: the station hangs up: %s", self._path, legible((await ended).decode(errors="replace").strip()) or "no reason")
        except (OSError, ValueError) as error:
            log.warning("%s: %s", self._path, error)
        finally:
            ended.cancel()
            writer.transport.abort()
