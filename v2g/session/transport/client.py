"""The connecting side: one session with one station."""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from v2g.session.endpoint import Ended, Event
from v2g.session.errors import ConnectionLost, Misuse, SessionError
from v2g.session.handshake import ClientHello
from v2g.session.link import Disconnected, HandshakeFailed, Observe, Observer, Unreachable, address_text
from v2g.session.tls import CONFORMANCE, ISO2, Credential, Profile, TlsError
from v2g.session.transport import openssl
from v2g.session.transport.channel import Channel, CheckStaples, Verify, Wall
from v2g.session.transport.connection import Attend, Limits
from v2g.session.transport.ports import bind
from v2g.session.transport.pump import Pump

if TYPE_CHECKING:
    from v2g.session.transport import libssl


class ClientTls:
    """A car's TLS: its vehicle certificate, and the functions that judge the station's chain and the OCSP responses stapled to it.

    `check_staples` is asked in every handshake, also when nothing was stapled (None in each place): what an absent response means is its
    policy [V2G20-1240] [V2G20-2411]. Without it no response is asked for. `authorities` are the roots (DER certificates) to be named in the
    ClientHello [V2G20-1006]; only the TLS library of the system can do that, which `system` asks for. `trusted_ca_keys` (SHA-1 of root
    certificates) is how a -2 car names its roots. `older` offers TLS 1.2 in the same hello, and says who judges a station that chooses it;
    the library of the system has no such hello. `wall` gives the time (epoch s) at which the station is judged, None: the machine's.
    """

    def __init__(
        self,
        credential: Credential | None,
        verify: Verify,
        *,
        check_staples: CheckStaples | None = None,
        profile: Profile = CONFORMANCE,
        authorities: Sequence[bytes] = (),
        system: bool = False,
        trusted_ca_keys: Sequence[bytes] = (),
        older: tuple[Verify, CheckStaples | None] | None = None,
        wall: Wall | None = None,
    ):
        self.profile, self._verify, self._check_staples, self._wall = profile, verify, check_staples, wall or time.time
        self._older = older
        if system and (older is not None or profile is ISO2):
            raise Misuse("the TLS library of the system serves TLS 1.3 alone: leave out name_roots, or TLS 1.2")
        if system:
            self._context: openssl.Context | libssl.Context = _by_system(profile, credential, tuple(authorities))
        else:
            self._context = openssl.Context(
                profile, server=False, credential=credential, trusted_ca_keys=tuple(trusted_ca_keys), older=ISO2 if older else None
            )

    def channel(self, hello: ClientHello | None = None) -> Channel:
        """TLS for one connection, at its beginning."""
        if isinstance(self._context, openssl.Context):
            return self._context.channel(self._verify, self._check_staples, self._wall, self._older)
        return self._context.channel(self._verify, self._check_staples, self._wall)


def _by_system(profile: Profile, credential: Credential | None, authorities: tuple[bytes, ...]) -> "libssl.Context":
    from v2g.session.transport import libssl  # reads a table of C declarations, which costs a car that does not ask for it 60 ms

    return libssl.Context(profile, credential=credential, authorities=authorities)


class _Failure(Observer):
    """Remembers why no TLS came about."""

    def __init__(self) -> None:
        self.failed: HandshakeFailed | None = None

    def event(self, event: Event) -> None:
        if isinstance(event, HandshakeFailed):
            self.failed = event


async def run(
    attend: Attend,
    host: str,
    port: int,
    tls: ClientTls | None,
    *,
    observe: Sequence[Observe] = (),
    limits: Limits | None = None,
    connect_limit: float = 5.0,
) -> Ended:
    """Connect, run one session to its end, and return how it ended.

    `host` is a name, an IPv4 or an IPv6 address; a link-local one needs its interface (fe80::1%eth0). The connection comes from a port of
    49152 to 65535. Nothing is raised for what a peer or a network does: no connection ends as `Unreachable`, a failed handshake as
    `TlsError`. `connect_limit` is in seconds.
    """
    failure = _Failure()
    witnesses: list[Observe] = [*observe, lambda local, peer, number: failure]
    try:
        pump = await _connected(lambda: Pump(attend, tls, server=False, observe=witnesses, limits=limits), host, port, connect_limit)
    except SessionError as error:
        return Ended("no connection", error)
    try:
        return _ended(await asyncio.shield(pump.done), failure.failed)
    except asyncio.CancelledError:
        pump.abandon("cancelled")
        raise


def _ended(last: Disconnected, failed: HandshakeFailed | None) -> Ended:
    if failed is not None:
        return Ended("no connection", TlsError(failed.reason, failed.by, failed.alert, failed.requirement))
    return last.ended or Ended("no session", ConnectionLost(last.reason))


async def _connected(make: Callable[[], Pump], host: str, port: int, limit: float) -> Pump:
    loop = asyncio.get_running_loop()
    where = address_text((host, port))
    try:
        async with asyncio.timeout(limit):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
            _, pump = await loop.create_connection(make, sock=await _reached(found))
    except TimeoutError:
        raise Unreachable(f"{where} did not accept a connection within {limit:g} s: is the station there, and on this network?") from None
    except socket.gaierror as error:
        raise Unreachable(f"{host!r} is no address and no name that can be resolved: {error.strerror}") from None
    except OSError as error:
        raise Unreachable(_explained(where, host, error)) from None
    return pump


async def _reached(found: Sequence[tuple[int, int, int, str, tuple[object, ...]]]) -> socket.socket:
    """A socket that is connected to the first of these places that can be; OSError of the first where none can."""
    first: OSError | None = None
    for family, kind, protocol, _, place in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bind(sock, ("::", 0) if family == socket.AF_INET6 else ("", 0), avoid=int(str(place[1])))  # any address of this machine
            await asyncio.get_running_loop().sock_connect(sock, place)
        except BaseException as error:
            sock.close()
            if not isinstance(error, OSError):
                raise
            first = first or error
        else:
            return sock
    raise first or OSError("the name has no address")


def _explained(where: str, host: str, error: OSError) -> str:
    if host.lower().startswith("fe80:") and "%" not in host:
        return f"{where}: a link-local address needs its interface, as in {host}%eth0"
    if isinstance(error, ConnectionRefusedError):
        return f"{where} refuses connections: nothing listens there"
    return f"{where} cannot be reached: {error.strerror or error}"
