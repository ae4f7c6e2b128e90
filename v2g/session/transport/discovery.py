"""SECC discovery over UDP: a station that answers on one interface, and a car that asks on one.

Neither needs root. A direct host and port needs none of this.
"""

import asyncio
import contextlib
import errno
import socket
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from typing import cast

from v2g.legible import logger
from v2g.session import sdp
from v2g.session.errors import FramingError
from v2g.session.link import Unreachable
from v2g.session.pace import PaceBySource
from v2g.session.sdp import ATTEMPTS, GROUP, PORT, RETRY, Request, Response, Security, WirelessRequest, WirelessResponse
from v2g.session.transport.addresses import index_of, is_loopback, link_local, with_zone
from v2g.session.transport.ports import bind

log = logger("v2g.transport")

# A car asks four times a second at the most, fifty times in all. Twice that is answered to one address, and ten cars that come at once are
# served; what goes beyond is counted and not answered, so that nobody can make this station shout.
EACH, TOGETHER = (8.0, 16.0), (80.0, 160.0)  # answers per second, at once

Station = Callable[[str], Response | None]
"""Where the car at this address is to connect now, or None: this station is not to be found at present."""
Wireless = Callable[[str, WirelessRequest], WirelessResponse | None]
"""What a car at this address is answered that asks so over WLAN, or None: nothing here is for it."""


class _Datagrams(asyncio.DatagramProtocol):
    """What both sides share: datagrams from this link alone, and an account of all that was ignored."""

    def __init__(self, interface: str):
        self.interface, self._index, self.loopback = interface, index_of(interface), is_loopback(interface)
        self.ignored: Counter[str] = Counter()  # reason -> datagrams
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, source: tuple[str | int, ...]) -> None:
        """Whatever comes, this socket lives on."""
        address = IPv6Address(str(source[0]).partition("%")[0])
        if not (address.is_link_local and source[3] == self._index) and not (address.is_loopback and self.loopback):
            self._ignore("a source that is not on this link")
            return
        try:
            self._heard(data, source)
        except FramingError as error:
            self._ignore(str(error))
        except Exception:
            log.exception("discovery on %s: internal error", self.interface)

    def error_received(self, error: Exception) -> None:
        """An ICMP error for something sent earlier: the other side went away."""
        self._ignore(f"network: {error}")

    def _heard(self, data: bytes, source: tuple[str | int, ...]) -> None:
        raise NotImplementedError

    def _ignore(self, reason: str) -> None:
        if len(self.ignored) < 64 or reason in self.ignored:  # a flood of different nonsense is not worth unbounded memory
            self.ignored[reason] += 1
            if self.ignored[reason] == 1:
                log.info("discovery on %s ignores: %s", self.interface, reason)

    def _send(self, message: sdp.Message, target: tuple[str | int, ...]) -> None:
        if self._transport is not None:
            self._transport.sendto(sdp.encode(message), target)


class DiscoveryServer(_Datagrams):
    """Answers the cars on one interface with what `station` says.

        async with DiscoveryServer("eth1", lambda source: Response(link_local("eth1"), server.port)):
            ...

    An answer costs nothing and promises nothing: nothing is kept of whoever asks but how often it asked, so that neither a flood nor a
    second car disturbs a session. `station` decides whether there is an answer at all, for instance not before the data link is up.
    `refused` hears why a request that is one in form can have none. Without `wireless` requests over WLAN are none. With
    `plain` a car that asks for no TLS is answered that there is none.
    """

    def __init__(
        self,
        interface: str,
        station: Station,
        *,
        port: int = PORT,
        refused: Callable[[str], None] = lambda why: None,
        wireless: Wireless | None = None,
        plain: bool = False,
    ):
        super().__init__(interface)
        self._plain = plain
        self._station, self._refused, self.port, self._wireless = station, refused, port, wireless
        self.answered = 0
        self._pace = PaceBySource(EACH, TOGETHER)

    async def start(self) -> None:
        """Open the socket on the interface and answer from now on. Raises Unreachable where the interface or the port cannot be had."""
        sock = _socket(self._index, self.interface)
        try:
            sock.bind(("::", self.port))
            group = socket.inet_pton(socket.AF_INET6, GROUP) + self._index.to_bytes(4, sys.byteorder)
            with contextlib.suppress(OSError):  # every host is in the group of all nodes; joining it again is a formality
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        except OSError as error:
            sock.close()
            raise Unreachable(f"cannot listen for cars on UDP port {self.port} of {self.interface}: {error.strerror}") from error
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=sock)
        self.port = int(sock.getsockname()[1])
        log.info("answering discovery on %s, UDP port %d", self.interface, self.port)

    def close(self) -> None:
        """Close the socket: no car is answered any more."""
        if self._transport is not None:
            self._transport.close()

    async def __aenter__(self) -> "DiscoveryServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def _heard(self, data: bytes, source: tuple[str | int, ...]) -> None:
        request = sdp.request_of(data, wireless=self._wireless is not None)
        if not self._pace.allows(source[0], asyncio.get_running_loop().time()):
            self._ignore("more requests than a car makes")
            return
        station = self._place(request, str(source[0]).partition("%")[0])
        plain = self._plain and isinstance(request, Request)
        answer = sdp.answer(request, station, plain=plain) if station is not None else None
        if answer is None:
            if station is not None:
                self._refused("the car asks for UDP, and a station has TCP")
            self._ignore("a request for UDP" if station is not None else "a request while no car is expected")
            return
        self.answered += 1
        self._send(answer, source)

    def _place(self, request: Request | WirelessRequest, source: str) -> Response | WirelessResponse | None:
        if isinstance(request, Request):
            return self._station(source)
        return self._wireless(source, request) if self._wireless is not None else None


@dataclass(frozen=True, slots=True)
class Found:
    """A station that answered."""

    host: str  # as `run` takes it, with its interface
    port: int
    security: Security
    attempts: int  # requests it took
    source: str  # who sent the answer; normally the host itself
    evse_id: str = ""  # where the car stands, as an answer over WLAN may say
    ignored: tuple[tuple[str, int], ...] = ()  # what else was heard, and how often


class _Asking(_Datagrams):
    """The car's side: the first usable answer counts."""

    def __init__(self, interface: str, request: Request | WirelessRequest):
        super().__init__(interface)
        self._request = request
        self.answer: asyncio.Future[tuple[Response | WirelessResponse, str]] = asyncio.get_running_loop().create_future()

    def _heard(self, data: bytes, source: tuple[str | int, ...]) -> None:
        response = sdp.decode(Response, data) if isinstance(self._request, Request) else sdp.decode(WirelessResponse, data)
        reason = sdp.unusable(response, self._request, loopback=self.loopback)
        if reason is not None:
            self._ignore(f"an answer with {reason}")
        elif not self.answer.done():
            self.answer.set_result((response, str(source[0])))

    def ask(self, port: int) -> None:
        """All nodes of the link; a loopback interface has one, and few systems deliver multicast there."""
        self._send(self._request, ("::1", port) if self.loopback else (GROUP, port, 0, self._index))


async def discover(
    interface: str,
    *,
    security: Security = Security.TLS,
    attempts: int = ATTEMPTS,
    retry: float = RETRY,
    port: int = PORT,
    wireless: WirelessRequest | None = None,
) -> Found:
    """Ask on an interface until a station answers: `attempts` requests, one every `retry` seconds, from a port of 49152 to 65535.

    Answers that cannot be used, among them any without TLS to a request for TLS, are counted and not believed [V2G20-1237]. Raises
    Unreachable when there is no such interface, it has no link-local address, or nobody answered; the message says which, and what else was
    heard. With `wireless` the car asks over WLAN with that, protected as `security` says.
    """
    asking = _Asking(interface, Request(security) if wireless is None else replace(wireless, security=security))
    sock = _socket(asking._index, interface, shared=False)  # whoever shares its port may get its answers
    try:
        bind(sock, (str(await _own_address(interface)), 0, 0, asking._index))
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, asking._index)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: asking, sock=sock)
    except (OSError, Unreachable) as error:
        sock.close()
        raise error if isinstance(error, Unreachable) else Unreachable(f"cannot ask on {interface}: {error.strerror}") from None
    try:
        for attempt in range(1, attempts + 1):
            asking.ask(port)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(retry):
                    response, source = await asyncio.shield(asking.answer)
                host = with_zone(response.address, interface)
                place = response.evse_id if isinstance(response, WirelessResponse) else ""
                return Found(host, response.port, response.security, attempt, source, place, tuple(asking.ignored.items()))
    finally:
        sock.close() if asking._transport is None else asking._transport.close()
    heard = "; ".join(f"{count} x {reason}" for reason, count in asking.ignored.items()) or "nothing was heard at all"
    raise Unreachable(f"no station answered {attempts} requests on {interface} in {attempts * retry:g} s: {heard}")


async def _own_address(interface: str, limit: float = 2.0) -> IPv6Address:
    """This side's link-local address; an interface that has just come up gets one within a second or two."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit):
            while True:
                with contextlib.suppress(Unreachable):
                    return link_local(interface)
                await asyncio.sleep(0.05)
    return link_local(interface)


def _socket(index: int, interface: str, *, shared: bool = True) -> socket.socket:
    """A UDP socket that hears one interface: bound to it where the system lets us, else what comes from elsewhere is told by its zone."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(shared))
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
    except AttributeError:
        pass  # a system other than Linux
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
    return sock
