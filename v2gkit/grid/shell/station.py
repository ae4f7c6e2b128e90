"""The shell that tells a station what holds and how full its batteries are, on the Unix socket of its feed, and hears their orders."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from v2g.legible import legible, logger
from v2gkit.grid.feeding import LASTS, battery_word, order_of, words_of
from v2gkit.grid.modbus.storage import Storage
from v2gkit.grid.standing import Standing

FIRST, LONGEST = 0.2, 5.0  # s between two attempts at a connection
ANSWER: Final = 4_096  # octets of a refusal that are read
log = logger("v2g.grid")


class Feeding:
    """What holds, told to one of `stations` stations, of `outlets` outlets, whenever it changes, and a setpoint again before it lapses.

    Of each of `storages`, batteries of the station's site, also what it says, and it is given the station's orders."""

    def __init__(self, path: Path, stations: int, outlets: int = 1, storages: Iterable[Storage] = ()) -> None:
        self._path, self._stations, self._outlets = path, stations, outlets
        self._held: Standing | None = None
        self._changed = asyncio.Event()
        self._storages = {storage.pack: storage for storage in storages}
        self._spoken = set[str]()  # batteries that have said something since it was told
        for pack, storage in self._storages.items():
            storage.told = lambda pack=pack: self._speak(pack)  # type: ignore[misc]

    def heed(self, held: Standing) -> None:
        """Tell the station this from now on."""
        self._held = held
        self._changed.set()

    def _speak(self, pack: str) -> None:
        self._spoken.add(pack)
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
        loop, ended = asyncio.get_running_loop(), asyncio.ensure_future(self._heard(reader))
        told, due = None, loop.time()  # what holds, as the station was told it; when it is told again
        self._spoken.update(pack for pack, storage in self._storages.items() if storage.said is not None)
        try:
            while not ended.done():
                self._changed.clear()
                if self._held is not None and (self._held != told or loop.time() >= due):
                    told, due = self._held, loop.time() + LASTS / 3
                    _write(writer, words_of(told, self._stations, self._outlets))
                _write(writer, (battery_word(self._storages[pack]) for pack in sorted(self._spoken)))
                self._spoken.clear()
                await writer.drain()
                changed = asyncio.ensure_future(self._changed.wait())
                wait = LASTS / 3 if told is None else max(due - loop.time(), 0.0)
                await asyncio.wait((ended, changed), timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
            log.warning("%s: the station hangs up: %s", self._path, legible(await ended) or "no reason")
        except (OSError, ValueError) as error:
            log.warning("%s: %s", self._path, error)
        finally:
            ended.cancel()
            writer.transport.abort()

    async def _heard(self, reader: asyncio.StreamReader) -> str:
        """Hand on the orders of batteries; the first line that is none, empty where the station hangs up without one."""
        while line := await reader.readline():
            order = order_of(line)
            if order is None:
                return line.decode(errors="replace").strip()
            if order.name in self._storages:
                self._storages[order.name].ordered(order.power, order.lasts)
        return ""


def _write(writer: asyncio.StreamWriter, words: Iterable[dict[str, Any]]) -> None:
    for word in words:
        writer.write(json.dumps(word).encode() + b"\n")
