"""A socket on a charging link, from which any datagram is sent to whoever answers discovery there. A shell."""

import asyncio
import contextlib
import socket

from v2g.session.sdp import GROUP
from v2g.session.transport.addresses import index_of, is_loopback, link_local


class Asker:
    """One UDP socket of a car that asks; a context that closes it."""

    def __init__(self, sock: socket.socket, target: tuple[str, int, int, int]):
        self._sock, self._target = sock, target

    @classmethod
    async def opened(cls, iface: str, port: int) -> "Asker":
        """A socket on an interface of its own port. Raises Unreachable or OSError where there is none."""
        index = index_of(iface)
        own = str(link_local(iface))
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            sock.bind((own, 0, 0, 0 if is_loopback(iface) else index))
        except OSError:
            sock.close()
            raise
        return cls(sock, ("::1", port, 0, 0) if is_loopback(iface) else (GROUP, port, 0, index))

    def tell(self, datagram: bytes) -> None:
        """Send a datagram; one that the system has no room for is lost, as on any link."""
        with contextlib.suppress(OSError):
            self._sock.sendto(datagram, self._target)

    async def ask(self, datagram: bytes, within: float) -> bytes | None:
        """Send a datagram; the first that comes back within so many seconds, None where none does."""
        loop = asyncio.get_running_loop()
        self.tell(datagram)
        try:
            async with asyncio.timeout(within):
                return await loop.sock_recv(self._sock, 2048)
        except (TimeoutError, OSError):
            return None

    def close(self) -> None:
        """Close the socket, whoever still answers."""
        self._sock.close()

    async def __aenter__(self) -> "Asker":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
