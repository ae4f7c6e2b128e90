"""The discovery of the scripted station: every request of a car on a link is written down, and answered by a script. A shell."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import cast

from v2g.session import sdp
from v2g.session.errors import FramingError
from v2g.session.transport.addresses import index_of, is_loopback
from v2gkit.conform.running import Blocked

Answers = Callable[[int], Sequence[bytes]]
"""The datagrams that answer the request of a number, from 1."""


@dataclass
class Asked:
    """A request of a car: when it came (monotonic s), and what it asks; None where it is none."""

    at: float
    request: sdp.Request | None
    octets: bytes


@dataclass
class Discovery(asyncio.DatagramProtocol):
    """Hears the requests on a UDP port of an interface, within `async with`."""

    interface: str
    port: int
    answers: Answers
    asked: list[Asked] = field(default_factory=list)

    async def __aenter__(self) -> "Discovery":
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            with suppress(AttributeError, PermissionError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.interface.encode() + b"\0")
            sock.setblocking(False)
            sock.bind(("::1" if is_loopback(self.interface) else "::", self.port, 0, index_of(self.interface)))
        except OSError as error:
            sock.close()
            raise Blocked(f"cannot hear discovery on {self.interface}, UDP port {self.port}: {error.strerror}") from None
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=sock)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()
        await asyncio.sleep(0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, source: tuple[str | int, ...]) -> None:
        """Write a request down, and send what answers it."""
        try:
            request = sdp.decode(sdp.Request, data)
        except FramingError:
            request = None
        self.asked.append(Asked(asyncio.get_running_loop().time(), request, data))
        for datagram in self.answers(len(self.asked)):
            self._transport.sendto(datagram, source)


def response(host: str, port: int, security: sdp.Security = sdp.Security.TLS) -> bytes:
    """An answer that names a host and port."""
    return sdp.encode(sdp.Response(IPv6Address(host.partition("%")[0]), port, security))
