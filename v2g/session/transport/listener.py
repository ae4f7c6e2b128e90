"""The port of a station: accepts TCP connections, a few in a turn, and hands each over with the address that it came from."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable

from v2g.legible import logger
from v2g.session.errors import Misuse
from v2g.session.link import Unreachable, address_text
from v2g.session.transport import ports

log = logger("v2g.transport")

# Connections that are accepted in one turn of the event loop: at 0.2 ms each a burst keeps a running session waiting for 2 ms.
BATCH = 8
BACKLOG = 256  # what the system keeps for us meanwhile
_SHORT = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
SHORTAGE = 60.0  # s between two lines about it
RETRY = 0.2  # s until the listener looks again


class Listener:
    """Listens at one address. `take` gets every accepted socket and the host that it came from, and must neither wait nor raise.

    `port` 0 is any free one, None a free one of 49152 to 65535, at random, as discovery announces them. Where the system has no room for
    another connection `relieve` is called with its reason, to close what waits for nothing, and the listener looks again a little later.
    `name` stands in every line of the log.
    """

    def __init__(
        self,
        host: str,
        port: int | None,
        take: Callable[[socket.socket, str], None],
        relieve: Callable[[str], None] = lambda reason: None,
        name: str = "",
    ):
        self._host, self._port, self._take, self._relieve, self._name = host, port, take, relieve, name
        self.sockets: list[socket.socket] = []
        self._short_said: float | None = None

    async def start(self) -> None:
        """Listen from now on. Raises Unreachable when the address cannot be had."""
        loop = asyncio.get_running_loop()
        try:
            places = await loop.getaddrinfo(self._host or None, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            self.sockets = [_listening(family, place, self._port is None) for family, place in dict.fromkeys((p[0], p[4]) for p in places)]
        except OSError as error:
            raise Unreachable(f"cannot listen on {address_text((self._host, self._port or 0))}: {error.strerror or error}") from error
        try:
            for listener in self.sockets:
                loop.add_reader(listener, self.accept, listener)
        except NotImplementedError:
            for listener in self.sockets:
                listener.close()
            raise Misuse(
                f"{type(loop).__name__} cannot serve cars: run a station in asyncio.SelectorEventLoop (Windows has another)"
            ) from None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of this listener; the port that the system chose where 0 was asked for."""
        assert self.sockets, "the listener was not started"
        host, port = self.sockets[0].getsockname()[:2]
        return host, port

    def close(self) -> None:
        """Listen no more. Connections that were handed over stay."""
        loop = asyncio.get_running_loop()
        for listener in self.sockets:
            loop.remove_reader(listener)
            listener.close()

    def accept(self, listener: socket.socket) -> None:
        """Accept what waits at one of the sockets, as much as one turn of the loop may."""
        for _ in range(BATCH):
            try:
                accepted, peer = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _SHORT:
                    self._short_of(error, listener)
                    return
                continue  # this one connection is gone already
            accepted.setblocking(False)
            if _reset_already(accepted):
                accepted.close()
            else:
                self._take(accepted, str(peer[0]))

    def _short_of(self, error: OSError, listener: socket.socket) -> None:
        """No descriptor or no memory for a newcomer: those who wait for nothing make room, and the listener looks again a little later."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._short_said is None or now - self._short_said >= SHORTAGE:
            self._short_said = now
            log.error("%scannot accept a connection: %s (said once a minute)", self._name and f"{self._name}: ", error.strerror)
        self._relieve(f"the system has no room for another connection: {error.strerror}")
        loop.remove_reader(listener)
        loop.call_later(RETRY, self._look_again, listener)

    def _look_again(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(listener, self.accept, listener)


def _reset_already(accepted: socket.socket) -> bool:
    """Whether the peer is gone already: a flood of such connections costs three calls of the system each, and no more."""
    try:
        accepted.recv(1, socket.MSG_PEEK)
    except (BlockingIOError, InterruptedError):
        return False
    except OSError:
        return True
    return False


def _listening(family: int, place: tuple[object, ...], dynamic: bool) -> socket.socket:
    listener = socket.socket(
        family, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )  # said aloud, else asyncio leaves small frames to wait for ACKs
    try:
        listener.setblocking(False)
        if not dynamic:  # a port that was just left is wanted again; of many, another is as good, and none is shared
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with contextlib.suppress(OSError):
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if dynamic:
            ports.bind(listener, place)
        else:
            listener.bind(place)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
