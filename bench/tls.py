"""TLS: the handshake of a session beside the bare one of the library, connections per second, a frame's way there and back."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL
from OpenSSL.crypto import X509

from pki.issue import Hierarchy, Issued, build
from pki.plan import Plan
from pki.profiles import Role
from pki.verify import Anchors, verify
from v2g.session import transport
from v2g.session.endpoint import Ended, Event
from v2g.session.errors import SessionError
from v2g.session.link import Link
from v2g.session.tls import CONFORMANCE, Credential
from v2g.session.transport import ClientTls, Server, ServerTls
from v2g.session.transport.openssl import Context
from v2g.session.v2gtp import PayloadType, frame

FRAME = frame(PayloadType.DC, bytes(60))
ROUNDS, FRAMES = 40, 2000


def run() -> None:
    """Print the figures."""
    logging.getLogger("v2g.transport").setLevel(logging.ERROR)  # plain TCP is meant here
    print(f"{'':34}{'secp521r1':>12}{'ed448':>12}")
    rows: dict[str, list[str]] = {}
    for curve in ("secp521r1", "ed448"):
        for name, figure in _figures(build(Plan(curves=(curve,), responders=False), curve, datetime.now(UTC))):
            rows.setdefault(name, []).append(figure)
    for name, figures in rows.items():
        print(f"{name:34}{figures[0]:>12}{figures[1]:>12}")


def _figures(own: Hierarchy) -> list[tuple[str, str]]:
    bare, ours = _cpu(_bare(own)), _cpu(_ours(own))
    connection, trip, plain = asyncio.run(_connections(own))
    received, sent = _octets(own)
    return [
        ("bare handshake, both ends", f"{bare * 1e3:.2f} ms"),
        ("ours, both ends, chains judged", f"{ours * 1e3:.2f} ms"),
        ("ours / bare", f"{ours / bare:.2f}"),
        ("connection over TCP, both ends", f"{connection * 1e3:.2f} ms"),
        ("connections per second and core", f"{1 / connection:.0f}"),
        ("frame there and back, TLS", f"{trip * 1e6:.0f} us"),
        ("frame there and back, plain TCP", f"{plain * 1e6:.0f} us"),
        ("octets of a car's handshake", f"{sent}"),
        ("octets of a station's handshake", f"{received}"),
    ]


def _cpu(work: Callable[[], None]) -> float:
    """CPU seconds of one run, the best of three series."""
    work()
    best = float("inf")
    for _ in range(3):
        begin = time.process_time()
        for _ in range(ROUNDS):
            work()
        best = min(best, (time.process_time() - begin) / ROUNDS)
    return best


# --- the library alone ---


def _bare(own: Hierarchy) -> Callable[[], None]:
    """The same lists, chains and groups, verified by the library itself."""
    lib = SSL._lib  # type: ignore[attr-defined]

    def context(issued: Issued, root: x509.Certificate) -> SSL.Context:
        made = SSL.Context(SSL.TLS_METHOD)
        made.set_min_proto_version(SSL.TLS1_3_VERSION)
        made.set_tls13_ciphersuites(":".join(CONFORMANCE.suites).encode())
        assert lib.SSL_CTX_set1_curves_list(made._context, ":".join(CONFORMANCE.groups).encode()) == 1
        assert lib.SSL_CTX_set1_sigalgs_list(made._context, ":".join(CONFORMANCE.signature_schemes).encode()) == 1
        made.use_certificate(issued.chain[0])
        for certificate in issued.chain[1:]:
            made.add_extra_chain_cert(certificate)
        made.use_privatekey(issued.key)
        store = made.get_cert_store()
        assert store is not None
        store.add_cert(X509.from_cryptography(root))
        made.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, None)
        made.set_options(SSL.OP_NO_TICKET)
        return made

    station = context(own[Role.SECC], own[Role.VEHICLE].root)
    car = context(own[Role.VEHICLE], own[Role.SECC].root)

    def handshake() -> None:
        a, b = SSL.Connection(car, None), SSL.Connection(station, None)
        a.set_connect_state()
        b.set_accept_state()
        _shaken((a.do_handshake, a), (b.do_handshake, b))

    return handshake


def _shaken(*ends: tuple[Callable[[], None], SSL.Connection]) -> None:
    done = [False, False]
    while not all(done):
        for i, (step, end) in enumerate(ends):
            if not done[i]:
                try:
                    step()
                    done[i] = True
                except SSL.WantReadError:
                    pass
            try:
                while True:
                    ends[1 - i][1].bio_write(end.bio_read(65536))
            except SSL.WantReadError:
                pass


# --- ours ---


def _judge(own: Hierarchy, role: Role) -> Callable[[tuple[bytes, ...], float], object]:
    anchors = Anchors(v2g=(own[Role.V2G_ROOT].certificate,), oem=(own[Role.OEM_ROOT].certificate,))
    return lambda chain, now: verify(chain, role, anchors, datetime.fromtimestamp(now, UTC))


def _credential(issued: Issued) -> Credential:
    key = issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Credential(tuple(certificate.public_bytes(Encoding.DER) for certificate in issued.chain), key)


def _ours(own: Hierarchy) -> Callable[[], None]:
    station = Context(CONFORMANCE, server=True, credential=_credential(own[Role.SECC]))
    car = Context(CONFORMANCE, server=False, credential=_credential(own[Role.VEHICLE]))
    of_car, of_station = _judge(own, Role.VEHICLE), _judge(own, Role.SECC)

    def handshake() -> None:
        a, b = car.channel(of_station), station.channel(of_car)
        a.start()
        while a.facts is None or b.facts is None:
            b.receive(a.octets_to_send())
            a.receive(b.octets_to_send())

    return handshake


def _octets(own: Hierarchy) -> tuple[int, int]:
    station = Context(CONFORMANCE, server=True, credential=_credential(own[Role.SECC])).channel(_judge(own, Role.VEHICLE))
    car = Context(CONFORMANCE, server=False, credential=_credential(own[Role.VEHICLE])).channel(_judge(own, Role.SECC))
    car.start()
    while station.facts is None:
        station.receive(car.octets_to_send())
        car.receive(station.octets_to_send())
    return station.facts.octets_sent, station.facts.octets_received


class _Echo:
    """Gives back what it gets, `left` times; a car's side sends the first."""

    def __init__(self, left: int, first: bool):
        self.ended: Ended | None = None
        self._left, self._out = left, FRAME if first else b""

    def receive(self, octets: bytes, now: float) -> None:
        if self.ended is not None:
            return
        self._left -= 1
        if not octets or self._left < 0:
            self.ended = Ended("over")
        else:
            self._out = octets

    def lost(self, error: SessionError, now: float) -> None:
        self.ended = Ended("over")

    def tick(self, now: float) -> None:
        pass

    def deadline(self) -> float | None:
        return None

    def octets_to_send(self) -> bytes:
        out, self._out = self._out, b""
        return out

    def events(self) -> list[Event]:
        return []


async def _connections(own: Hierarchy) -> tuple[float, float, float]:
    """CPU seconds of a connection, of a frame over TLS, of a frame over plain TCP; both ends in this process."""
    station = ServerTls([_credential(own[Role.SECC])], _judge(own, Role.VEHICLE))
    car = ClientTls(_credential(own[Role.VEHICLE]), _judge(own, Role.SECC))

    async def drive(frames: int, tls: ClientTls | None, port: int) -> float:
        def attend(link: Link) -> _Echo:
            return _Echo(frames, first=True)

        begin = time.process_time()
        await transport.run(attend, "::1", port, tls)
        return time.process_time() - begin

    async with Server(lambda link: _Echo(1 << 30, first=False), "::1", 0, station) as server:
        await drive(1, car, server.port)
        connection = min([await drive(1, car, server.port) for _ in range(ROUNDS)])
        secure = (await drive(FRAMES, car, server.port) - connection) / FRAMES
    async with Server(lambda link: _Echo(1 << 30, first=False), "::1", 0, None) as server:
        plain = await drive(FRAMES, None, server.port) / FRAMES
    return connection, secure, plain
