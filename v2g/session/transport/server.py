"""The listening side: one TCP port, a pump for every connection, none of which can disturb another."""

import asyncio
import hashlib
import itertools
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509

from v2g.legible import logger
from v2g.session.admission import ROOM, Crowd, Stage
from v2g.session.endpoint import Ended, Endpoint
from v2g.session.errors import Misuse
from v2g.session.handshake import TLS12, ClientHello
from v2g.session.link import Disconnected, Observe, address_text
from v2g.session.tls import CONFORMANCE, ISO2, Credential, Profile
from v2g.session.transport.channel import Channel, Verify, Wall
from v2g.session.transport.connection import Attend, Limits
from v2g.session.transport.handshakes import Handshakes
from v2g.session.transport.listener import BATCH, Listener
from v2g.session.transport.openssl import Context
from v2g.session.transport.pump import Pump

log = logger("v2g.transport")

CLOSING = 3.0  # s for open connections to be closed in order
RECORD = 256  # ended connections that are remembered for whoever asks


class ServerTls:
    """A station's TLS: its credentials for each generation, the roots it names, and the function that judges the car's chain.

    `credentials` are for -20 (P-521, Ed448), `iso2` for TLS 1.2; either may be empty, then that generation is refused. `authorities` are
    the root certificates (DER) named in CertificateRequest: the V2G and OEM roots [V2G20-2401]. Which credential a car gets follows from
    its ClientHello. `wall` gives the time (epoch s) at which cars are judged and
    responses stapled, None: the machine's. Contexts are made here, once; a changed credential needs a new ServerTls (`Server.reload`).
    """

    def __init__(
        self,
        credentials: Sequence[Credential],
        verify: Verify,
        *,
        authorities: Sequence[bytes] = (),
        profile: Profile = CONFORMANCE,
        iso2: Sequence[Credential] = (),
        wall: Wall | None = None,
    ):
        if not credentials and not iso2:
            raise Misuse("a station that speaks TLS needs at least one credential")
        self.profile, self._verify, self._wall = profile, verify, wall or time.time
        roots = tuple(authorities)
        self._offers = [_Offer(Context(profile, server=True, credential=c, authorities=roots), c) for c in credentials]
        self._offers2 = [_Offer(Context(ISO2, server=True, credential=c), c) for c in iso2]

    def channel(self, hello: ClientHello | None) -> Channel:
        """A fresh TLS channel with the credential that fits the car's `hello`; where none does, one whose handshake refuses the car."""
        assert hello is not None
        return self._chosen(hello).context.channel(self._verify, wall=self._wall)

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
        """How the session of this connection ended; None where it carried none."""
        return self.disconnected.ended


class Server:
    """Listens, and gives every connection its own pump.

        async with Server(attend, "::1", 0, tls) as server:
            ... server.port ...

    `port` 0 is any free one, None a free one of 49152 to 65535, at random, as discovery announces them. `attend` is called for each
    connection that is ready for a session. `room` bounds the connections of each stage (`admission`); of those
    that are secured, `seated` says which must not go because its session holds the outlet. `handshakes` is shared by the listeners of a
    process; a server that is given none makes its own. `numbers` counts connections, where several servers share one count; `name` stands
    in every line of the log. A `listener` that is given belongs to somebody else, who starts and closes it, and gives connections to
    `take`.
    """

    def __init__(
        self,
        attend: Attend,
        host: str,
        port: int | None,
        tls: ServerTls | None,
        *,
        observe: Sequence[Observe] = (),
        limits: Limits | None = None,
        room: Mapping[Stage, int] | None = None,
        seated: Callable[[Endpoint], bool] = lambda endpoint: False,
        handshakes: Handshakes | None = None,
        numbers: Callable[[], int] | None = None,
        name: str = "",
        listener: Listener | None = None,
        plain: bool = False,
    ):
        self._attend, self._tls, self._plain = attend, tls, plain
        self._observe, self._limits, self._seated = observe, limits, seated
        self._handshakes, self._own = handshakes or Handshakes(), handshakes is None
        self._crowd = Crowd({**ROOM, Stage.SILENT: silent_room(), **(room or {})})
        self._pumps: dict[int, Pump] = {}
        self._numbers, self._name = numbers or itertools.count(1).__next__, name
        self._listens = listener is None
        self.listener = listener or Listener(host, port, self.take, self.relieve, name)
        self._taking: set[asyncio.Task[object]] = set()  # accepted, not handed over yet
        self.served: asyncio.Queue[Served] = asyncio.Queue(RECORD)  # connections that have ended; the oldest goes when nobody looks

    async def start(self) -> None:
        """Take connections from now on. Raises Unreachable when the address of its own listener cannot be had."""
        if self._listens:
            await self.listener.start()
        log.info(
            "%slistening on %s, %s",
            self._name and f"{self._name} ",
            address_text(self.address),
            "TLS" if self._tls else "plain TCP (bench override)",
        )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port at which this server listens."""
        return self.listener.address

    @property
    def port(self) -> int:
        """The port at which this server listens; the one that the system chose where 0 was asked for."""
        return self.address[1]

    def reload(self, tls: ServerTls) -> None:
        """Use `tls` from the next connection on; sessions that run are not disturbed."""
        self._tls = tls

    async def close(self) -> None:
        """Listen no more, and close every open connection."""
        if self._listens:
            self.listener.close()
        pumps = list(self._pumps.values())
        for pump in pumps:
            pump.abandon("the station shuts down")
        if pumps:
            await asyncio.wait([pump.done for pump in pumps], timeout=CLOSING)
        if self._own:
            self._handshakes.close()
        await asyncio.sleep(0)

    async def __aenter__(self) -> "Server":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- newcomers ---

    def take(self, accepted: socket.socket, source: str) -> None:
        """Serve a connection that was accepted from the host `source`."""
        number = self._numbers()
        pump = Pump(
            self._attend,
            self._tls,
            server=True,
            number=number,
            handshakes=self._handshakes,
            moved=lambda pump: self._moved(number, source, pump),
            observe=self._observe,
            limits=self._limits,
            name=self._name,
            plain=self._plain,
        )
        self._pumps[number] = pump
        pump.done.add_done_callback(lambda done: self._gone(number, done.result()))
        self._moved(number, source, pump)
        loop = asyncio.get_running_loop()
        task: asyncio.Task[object] = loop.create_task(loop.connect_accepted_socket(lambda: pump, accepted))
        self._taking.add(task)
        task.add_done_callback(lambda finished: self._taken(finished, number, accepted))

    def _taken(self, task: "asyncio.Task[object]", number: int, accepted: socket.socket) -> None:
        self._taking.discard(task)
        if task.cancelled() or task.exception() is not None:  # no transport came about, so no pump will say that it is gone
            accepted.close()
            self._pumps.pop(number, None)
            self._crowd.forget(number)

    def relieve(self, reason: str) -> None:
        """Close a few of the connections that wait for nothing, because the system is short of something."""
        for stage in (Stage.SILENT, Stage.PARTING, Stage.SPEAKING):
            for _ in range(BATCH):
                self._drop(self._crowd.least(stage), reason)

    def _moved(self, number: int, source: str, pump: Pump) -> None:
        """A connection has come to another stage; where that is full, one of it goes."""
        if number not in self._pumps:
            return
        stage = pump.stage
        self._crowd.put(number, source, stage)
        self._drop(
            self._crowd.surplus(stage, self._spared), f"there is no room for more {stage.value} connections, and its source has most"
        )

    def _spared(self, number: int) -> bool:
        endpoint = self._pumps[number].endpoint
        return endpoint is not None and self._seated(endpoint)

    def _drop(self, number: int | None, reason: str) -> None:
        if number is not None:
            self._crowd.forget(number)
            self._pumps[number].drop(reason)

    def _gone(self, number: int, disconnected: Disconnected) -> None:
        self._crowd.forget(number)
        pump = self._pumps.pop(number)
        if self.served.full():
            self.served.get_nowait()
        self.served.put_nowait(Served(number, pump.peer, disconnected))


def silent_room(listeners: int = 1) -> int:
    """How many silent connections each listener of a process may hold, by the descriptors that the process may open."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return 256
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = soft // 2 if soft != resource.RLIM_INFINITY else ROOM[Stage.SILENT] * listeners
    return max(16, min(ROOM[Stage.SILENT], spare // listeners))
