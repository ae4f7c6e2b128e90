"""An outlet whose firmware connects to a Unix socket and writes JSON lines. The station listens; the firmware comes back by itself."""

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from v2g.legible import legible
from v2gkit.station.firmware import words
from v2gkit.station.firmware.outlet import RemoteOutlet, contradiction, log

UNSENT = 65_536  # octets that wait for a firmware that does not read, until it is taken for dead


class SocketLine:
    """One connection of a firmware over the socket."""

    def __init__(self, writer: asyncio.StreamWriter):
        self.writer = writer
        self.why = ""

    def send(self, word: words.FromStation) -> None:
        """Send a word; close the connection where the firmware has stopped reading."""
        if self.writer.transport.get_write_buffer_size() > UNSENT:
            self.close("the firmware does not read what it is sent")
        elif not self.writer.is_closing():
            self.writer.write(words.line_of(word))

    def close(self, why: str) -> None:
        """Close the connection; of several reasons the first counts."""
        self.why = self.why or why
        self.writer.close()


class Firmware(RemoteOutlet):
    """An outlet whose firmware connects to a Unix socket. `silence` (s) is how long either side may be silent; `mode`: octal rights."""

    def __init__(self, socket: str, silence: float = words.SILENCE, mode: str = "660", grid_functions: Sequence[str] = ()):
        super().__init__(silence, grid_functions)
        self.path = Path(socket)
        self._mode = int(mode, 8)
        self._listener = bound(self.path, self._mode)
        self.tasks.keep(f"firmware on {self.path}", self._serve)

    async def _serve(self) -> None:
        if self._listener.fileno() < 0:  # it began anew: the listener before has gone with its server
            self._listener = bound(self.path, self._mode)
        server = await asyncio.start_unix_server(self._attend, sock=self._listener, limit=words.LINE_LIMIT)
        async with server:
            await server.serve_forever()

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = SocketLine(writer)
        if self._line is not None:
            line.send(words.Refused("another program has this outlet"))
            line.close("a second firmware")
            return
        self._arrived(line)  # from now on others are refused
        living = asyncio.ensure_future(self._live(line))
        try:
            await self._hear(line, reader)
        except asyncio.CancelledError:
            line.close("the station shuts down")  # nobody waits for this task, who would hear of its end?
        except Exception as error:
            log.exception("%s: its firmware", self.evse_id)
            line.close(f"internal error: {type(error).__name__}: {error}")
        finally:
            living.cancel()
            self._gone(line)
            with contextlib.suppress(Exception):
                await writer.wait_closed()

    async def _live(self, line: SocketLine) -> None:
        while not line.writer.is_closing():
            line.send(words.Ping())
            await asyncio.sleep(words.SIGN_OF_LIFE)

    async def _hear(self, line: SocketLine, reader: asyncio.StreamReader) -> None:
        greeted = False
        while not line.writer.is_closing():
            try:
                async with asyncio.timeout(self.silence):
                    text = await reader.readline()
            except TimeoutError:
                line.close(f"the firmware said nothing for {self.silence:g} s")
                return
            except (ValueError, ConnectionError) as error:
                line.send(words.Refused(f"a line of more than {words.LINE_LIMIT} octets"))
                line.close(f"the firmware sent a line that has no end: {error}")
                return
            if not text:
                line.close("the firmware closed the connection")
                return
            try:
                word = words.read(text)
            except ValueError as error:
                why = f"the firmware sent what is no line of its: {error}"
            else:
                why = contradiction(word, greeted)
                greeted = True
            if why:
                log.error("%s: %s: %s", self.evse_id, why, legible(text[:200].decode("utf-8", "replace")))
                line.send(words.Refused(why))
                line.close(why)
                return
            self._learn(word)


def bound(path: Path, mode: int) -> socket.socket:
    """A listening socket in the file system; one that a dead station left is removed. Raises OSError, which names the path."""
    if not hasattr(socket, "AF_UNIX"):
        raise OSError(f"the socket {path} cannot be made: this system has no Unix sockets; let firmware speak through a broker")
    listener: Any = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists():
            if not stat.S_ISSOCK(path.stat().st_mode):
                raise FileExistsError(f"{path} is there and no socket; name another, or remove it")
            if _answered(path):
                raise FileExistsError(f"{path} is in use by another station; two outlets have two sockets")
            path.unlink()
        before = os.umask(0o777 & ~mode)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(4)
    except OSError as error:
        listener.close()
        if isinstance(error, FileExistsError):
            raise
        raise OSError(f"the socket {path} cannot be made: {error.strerror or error}; its folder must be there and writable") from None
    listener.setblocking(False)
    made: socket.socket = listener
    return made


def _answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
