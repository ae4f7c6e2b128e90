"""A Unix socket on which meters and an energy management tell a station what its cars follow, in JSON lines: any number up to `PEERS`."""

import asyncio
import contextlib
from pathlib import Path

from v2g.legible import legible, logger
from v2gkit.station.feed import words
from v2gkit.station.feed.hearing import Hearing, Reply
from v2gkit.station.firmware.unix import bound

PEERS = 8  # programs at once: a meter, an energy management, and somebody who looks
BACKLOG = 4_096  # octets of orders that a program has not read: some fifty seconds of one battery
log = logger("v2g.feed")


class Listener:
    """The socket, from now on. Raises OSError, which names the path, where it cannot be made."""

    def __init__(self, path: Path, mode: int, hearing: Hearing) -> None:
        self._path, self._mode, self._hearing = path, mode, hearing
        self._socket = bound(path, mode)
        self._peers: set[asyncio.StreamWriter] = set()

    async def heard(self) -> None:
        """Hear whoever connects, for ever."""
        if self._socket.fileno() < 0:  # it begins anew: the socket before has gone with its server
            self._socket = bound(self._path, self._mode)
        server = await asyncio.start_unix_server(self._attend, sock=self._socket, limit=words.LINE_LIMIT)
        try:
            await server.serve_forever()
        finally:
            server.close()
            for each in list(self._peers):
                each.close()
            self._path.unlink(missing_ok=True)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._peers.add(writer)
        try:
            why = (
                f"{PEERS} programs speak here already"
                if len(self._peers) > PEERS
                else await _told(reader, writer, self._hearing, _reply(writer))
            )
            if why:
                log.error("%s: %s", self._path, why)
                writer.write(words.refused(why))
        finally:
            self._peers.discard(writer)
            writer.close()
            with contextlib.suppress(Exception):
                await writer.wait_closed()


def _reply(writer: asyncio.StreamWriter) -> Reply:
    """What sends a line back; one that is not read in time is left out, and so is its order: the battery stands still by itself."""

    def reply(line: bytes) -> None:
        if not writer.is_closing() and writer.transport.get_write_buffer_size() < BACKLOG:
            writer.write(line)

    return reply


async def _told(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hearing: Hearing, reply: Reply) -> str:
    """Hear one program until it goes; returns what was wrong with its last line, empty where nothing was."""
    while True:
        try:
            line = await reader.readline()
        except ValueError:
            return f"a line of more than {words.LINE_LIMIT} octets"
        except ConnectionError:
            return ""
        if not line:
            return ""
        try:
            answer = hearing.hear(words.read(line), reply)
        except ValueError as error:
            return legible(f"{error}: {line[:200].decode('utf-8', 'replace').rstrip()}")
        if answer is not None:
            writer.write(words.answered(answer))
            try:
                await writer.drain()
            except ConnectionError:
                return ""
