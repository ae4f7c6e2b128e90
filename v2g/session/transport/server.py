"""The listening side: one port for every car that comes, whatever the one before it did."""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from v2g.session.endpoint import Ended
from v2g.session.errors import Misuse
from v2g.session.handshake import TLS12, ClientHello
from v2g.session.link import Disconnected, Observe, Unreachable, spelled
from v2g.session.tls import CONFORMANCE, ISO2, Credential, Profile
from v2g.session.transport.channel import Channel, Verify
from v2g.session.transport.openssl import Context
from v2g.session.transport.pump import Attend, Limits, Phase, Pump

log = logging.getLogger("v2g.transport")

# A connection costs about 100 KB in its handshake. Real cars come one at a time per outlet; beyond this many the oldest that has not
# authenticated itself is dropped for the newest, so that a flood of idle connections never shuts a car out.
CONNECTION_LIMIT = 64
CLOSING = 3.0  # s for open connections to be closed in order
RECORD = 256  # ended connections that are remembered for whoever asks


class ServerTls:
    """A station's TLS: its credentials of each generation, the roots it names, and its judge.

    `credentials` are for -20 (P-521, Ed448), `iso2` for TLS 1.2; either may be empty, then that generation is refused. `authorities` are
    the root certificates (DER) named in CertificateRequest: the V2G and OEM roots [V2G20-2401]. Which credential a car gets follows from
    its ClientHello. Contexts are made here, once; a changed credential needs a new ServerTls (`Server.reload`).
    """

    def __init__(
        self,
        credentials: Sequence[Credential],
        verify: Verify,
        *,
        authorities: Sequence[bytes] = (),
        profile: Profile = CONFORMANCE,
        iso2: Sequence[Credential] = (),
    ):
        if not credentials and not iso2:
            raise Misuse("a station that speaks TLS needs at least one credential")
        self.profile, self._verify = profile, verify
        roots = tuple(authorities)
        self._offers = [_Offer(Context(profile, server=True, credential=c, authorities=roots), c) for c in credentials]
        self._offers2 = [_Offer(Context(ISO2, server=True, credential=c), c) for c in iso2]

    def channel(self, hello: ClientHello | None) -> Channel:
        """The channel for a car that says this."""
        assert hello is not None
        return self._chosen(hello).context.channel(self._verify)

    def _chosen(self, hello: ClientHello) -> "_Offer":
        if hello.tls13 and self._offers:
            return _best(self._offers, hello)
        if TLS12 in hello.versions and self._offers2:
            ranked = sorted(self._offers2, key=lambda offer: offer.root_sha1 not in hello.trusted_ca_keys)
            return ranked[0]
        return (self._offers or self._offers2)[0]  # whose context refuses with protocol_version


def _best(offers: "list[_Offer]", hello: ClientHello) -> "_Offer":
    """The credential whose key the car can verify, and of those one that ends at a root the car names [V2G20-1007] [V2G20-2379]."""
    fitting = [offer for offer in offers if offer.scheme in hello.signature_schemes] or offers
    ranked = sorted(fitting, key=lambda offer: offer.root not in hello.certificate_authorities)
    return ranked[0]


class _Offer:
    """A credential with what a choice among several looks at."""

    def __init__(self, context: Context, credential: Credential):
        self.context = context
        chain = [x509.load_der_x509_certificate(der) for der in credential.chain]
        self.root = chain[-1].issuer.public_bytes()  # DER name
        self.scheme = _SCHEMES.get(getattr(getattr(chain[0].public_key(), "curve", None), "name", "ed448"))
        self.root_sha1 = hashlib.sha1(credential.root).digest() if credential.root else b""  # noqa: S324 - RFC 6066 says SHA-1


_SCHEMES = {"secp521r1": 0x0603, "ed448": 0x0808, "secp256r1": 0x0403}


@dataclass(frozen=True, slots=True)
class Served:
    """How one connection of a server ended, with the session that it carried, if any."""

    number: int
    peer: tuple[str, int]
    disconnected: Disconnected

    @property
    def ended(self) -> Ended | None:
        """How its session ended."""
        return self.disconnected.ended


class Server:
    """Listens, and gives every connection its own pump.

        async with Server(attend, "::1", 0, tls) as server:
            ... server.port ...

    `attend` is called for each connection that is ready for a session. `limit` bounds the connections that are open at a time.
    """

    def __init__(
        self,
        attend: Attend,
        host: str,
        port: int,
        tls: ServerTls | None,
        *,
        observe: Sequence[Observe] = (),
        limits: Limits | None = None,
        limit: int = CONNECTION_LIMIT,
    ):
        self._attend, self._host, self._port, self._tls = attend, host, port, tls
        self._observe, self._limits, self._limit = observe, limits, limit
        self._pumps: dict[int, Pump] = {}
        self._count = 0
        self._listener: asyncio.Server | None = None
        self.served: asyncio.Queue[Served] = asyncio.Queue(RECORD)  # connections that have ended; the oldest goes when nobody looks

    async def start(self) -> None:
        """Begin to listen. Raises Unreachable when the address cannot be had."""
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(self._pump, self._host, self._port, reuse_address=True, backlog=256)
        except OSError as error:
            raise Unreachable(f"cannot listen on {spelled((self._host, self._port))}: {error.strerror or error}") from error
        log.info("listening on %s, %s", spelled(self.address), "TLS" if self._tls else "plain TCP (bench override)")

    @property
    def address(self) -> tuple[str, int]:
        """Where this server listens."""
        assert self._listener is not None, "the server was not started"
        host, port = self._listener.sockets[0].getsockname()[:2]
        return host, port

    @property
    def port(self) -> int:
        """The port, also when 0 asked for any."""
        return self.address[1]

    def reload(self, tls: ServerTls) -> None:
        """Take other credentials from the next connection on; sessions that run are not disturbed."""
        self._tls = tls

    async def close(self) -> None:
        """Listen no more, and close what is open."""
        if self._listener is not None:
            self._listener.close()
        pumps = list(self._pumps.values())
        for pump in pumps:
            pump.abandon("the station shuts down")
        if pumps:
            await asyncio.wait([pump.done for pump in pumps], timeout=CLOSING)
        await asyncio.sleep(0)

    async def __aenter__(self) -> "Server":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _pump(self) -> Pump:
        self._make_room()
        self._count += 1
        number = self._count
        pump = Pump(self._attend, self._tls, server=True, number=number, observe=self._observe, limits=self._limits)
        self._pumps[number] = pump
        pump.done.add_done_callback(lambda done: self._gone(number, done.result()))
        return pump

    def _gone(self, number: int, disconnected: Disconnected) -> None:
        pump = self._pumps.pop(number)
        if self.served.full():
            self.served.get_nowait()
        self.served.put_nowait(Served(number, pump.peer, disconnected))

    def _make_room(self) -> None:
        open_pumps = [pump for pump in self._pumps.values() if pump.phase in (Phase.HELLO, Phase.HANDSHAKE, Phase.OPEN)]
        if len(open_pumps) < self._limit:
            return
        idle = [pump for pump in open_pumps if not pump.heard]
        if idle:
            idle[0].drop(f"more than {self._limit} connections are open, and this is the oldest that never spoke")
