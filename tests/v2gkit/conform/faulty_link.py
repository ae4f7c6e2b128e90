"""Faults of a station below its messages: discovery, and TLS octet by octet."""

import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import secc.din.conduct as conduct_din
import secc.iso2.conduct as conduct2
import secc.iso20.conduct as conduct20
import v2g.session.sdp as sdp
import v2g.session.transport.server as server
from secc.lobby import Lobby
from secc.outlet import Outlet
from tests.v2gkit.conform.seeding import Seed, dies, puts
from v2g.din.services import PROTOCOL as PROTOCOL_DIN
from v2g.iso2.services import PROTOCOL as PROTOCOL2
from v2g.iso20.services import PROTOCOLS, SERVICES
from v2g.session.errors import FramingError
from v2g.session.handshake import client_hello
from v2g.session.sdp import Request, Security, Transport
from v2g.session.tls import ISO2, Credential
from v2g.session.transport.connection import Phase
from v2g.session.transport.openssl import Context
from v2g.session.transport.pump import Pump
from v2gkit.conform.hello import FRAGMENT, PSK, numbers, vector

P256_GROUP = 0x0017
P256 = 0x0403  # ecdsa_secp256r1_sha256
ALERT = b"\x15\x03\x03\x00\x02\x02\x28"  # handshake_failure
Fits = Callable[["Offered"], bool]


class Offered:
    """What a ClientHello offers, read from the octets of its first record."""

    def __init__(self, octets: bytes):
        self.version, at = int.from_bytes(octets[9:11], "big"), 44 + octets[43]
        end = at + 2 + int.from_bytes(octets[at : at + 2], "big")
        self.suites = [int.from_bytes(octets[each : each + 2], "big") for each in range(at + 2, end, 2)]
        self.compressions = octets[end + 1 : end + 1 + octets[end]]
        self.extensions: list[int] = []
        at = end + 1 + octets[end] + 2
        while at + 4 <= len(octets):
            self.extensions.append(int.from_bytes(octets[at : at + 2], "big"))
            at += 4 + int.from_bytes(octets[at + 2 : at + 4], "big")


def server_hello(suite: int, version: int = 0x0303, compression: int = 0, extensions: bytes = b"") -> bytes:
    """A record with a ServerHello, behind which nothing comes."""
    body = numbers(version) + bytes(32) + vector(b"", 1) + numbers(suite) + bytes((compression,)) + vector(extensions)
    return b"\x16" + numbers(version) + vector(b"\x02" + vector(body, 3))


def answers_hello(fits: Fits, octets: bytes) -> Seed:
    """A hello that fits is answered by these octets, and by nothing else."""

    def seed() -> None:
        take = Pump._take

        def changed(self: Any, heard: bytes, now: float) -> None:
            if self.phase is Phase.HELLO and heard[:1] == b"\x16" and heard[5:6] == b"\x01" and len(heard) > 60 and fits(Offered(heard)):
                self._transport.write(octets)
            else:
                take(self, heard, now)

        Pump._take = changed  # type: ignore[method-assign]

    return seed


def every_second() -> Fits:
    counter = count()
    return lambda offered: next(counter) % 2 == 1


WEAK_SUITE = answers_hello(lambda offered: offered.suites == [0x002F], server_hello(0x002F))
OLD_VERSION = answers_hello(lambda offered: offered.version < 0x0303, server_hello(0xC009, 0x0302))
COMPRESSES = answers_hello(lambda offered: 1 in offered.compressions, server_hello(0xC023, compression=1))
EARLY_DATA = answers_hello(lambda offered: PSK in offered.extensions, server_hello(0x1302, extensions=numbers(PSK) + vector(bytes(2))))
NO_SHORT_RECORDS = answers_hello(lambda offered: FRAGMENT in offered.extensions, ALERT)
ONE_OF_TWO = answers_hello(every_second(), ALERT)


def dies_of_no_hello() -> None:
    """The program dies where a connection begins with octets that are no hello."""
    broken = Pump._broken

    def changed(self: Any, error: Any) -> None:
        if self.phase is Phase.HELLO and self.spoke and "closed" not in str(error) and "within" not in str(error):
            dies()
        broken(self, error)

    Pump._broken = changed  # type: ignore[method-assign]


def dies_of_no_certificate() -> None:
    """The program dies where a handshake fails for want of the certificate of a car that could have had a fitting one."""
    broken = Pump._broken

    def changed(self: Any, error: Any) -> None:
        could = P256 not in client_hello(bytes(self._hello.octets[5:])).signature_schemes if self.phase is Phase.HANDSHAKE else False
        if could and "did not return a certificate" in str(error):
            dies()
        broken(self, error)

    Pump._broken = changed  # type: ignore[method-assign]


def shows_its_leaf_alone() -> None:
    """In TLS 1.2 the station's chain is its leaf."""
    own = Context._own

    def changed(self: Any, credential: Any) -> None:
        own(self, replace(credential, chain=credential.chain[:1]) if self.profile.version == "TLSv1.2" else credential)

    Context._own = changed  # type: ignore[method-assign]


def another_curve() -> None:
    """A car that knows P-384 alone is shown a certificate on that curve, in TLS 1.2."""
    chosen = server.ServerTls._chosen
    key, name, now = (
        ec.generate_private_key(ec.SECP384R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "DE")]),
        datetime.now(UTC),
    )
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1)).sign(key, hashes.SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    credential = Credential((made.public_bytes(Encoding.DER),), pem)
    offer = server._Offer(Context(replace(ISO2, groups=("secp384r1",)), server=True, credential=credential), credential)

    def changed(self: Any, hello: Any) -> Any:
        return offer if not hello.tls13 and P256_GROUP not in hello.groups else chosen(self, hello)

    server.ServerTls._chosen = changed  # type: ignore[method-assign]


def one_chain() -> None:
    """One chain is shown, whatever root a car names."""
    server._best = lambda offers, hello: offers[-1]


def _spoken_where(fits: Callable[[Any], bool]) -> Seed:
    """-20 is spoken too where the protection of the connection fits: fits(None or what is known of its TLS)."""

    def seed() -> None:
        protocols, welcome = conduct20.CONDUCT.protocols, conduct20.CONDUCT.welcome

        def spoken(known: Any) -> Any:
            served = {SERVICES[each].schema_set for each in known.outlet.services}
            there = tuple(PROTOCOLS[each] for each in PROTOCOLS if each in served)
            return there if fits(known.given.tls) else protocols(known)

        object.__setattr__(conduct20.CONDUCT, "protocols", spoken)
        object.__setattr__(conduct20.CONDUCT, "welcome", lambda known, *more: () if fits(known.given.tls) else welcome(known, *more))

    return seed


ASKED_WITHOUT = [False]  # whether discovery was asked for a place without TLS, and nobody came yet


def _lured(tls: Any) -> bool:
    """Whether a car comes without TLS that asked for such a place."""
    return tls is None and ASKED_WITHOUT[0]


def _asked_without(request: Any, answer: Any) -> Any:
    ASKED_WITHOUT[0] = request.security is Security.NONE
    return replace(answer, security=Security.NONE) if ASKED_WITHOUT[0] else answer


over_tls12 = _spoken_where(lambda tls: tls is not None and tls.version == "TLSv1.2")


def over_tcp() -> None:
    """-20 is spoken by TCP alone."""
    _spoken_where(lambda tls: tls is None)()
    plain()


def lures() -> None:
    """Whoever asks for a place without TLS is sent to one where -20 is spoken so."""
    answered(_asked_without)()
    _spoken_where(_lured)()
    plain()


def plain() -> None:
    """Cars come without TLS, whatever is offered, and speak what they speak there."""
    Outlet.plain = property(lambda self: True)  # type: ignore[method-assign, assignment]
    object.__setattr__(conduct2.CONDUCT, "protocols", lambda known: (PROTOCOL2,))


def din_over_tls() -> None:
    """DIN SPEC 70121 is selected on every connection."""
    object.__setattr__(conduct_din.CONDUCT, "protocols", lambda known: (PROTOCOL_DIN,))
    object.__setattr__(conduct_din.CONDUCT, "welcome", lambda *_: ())


# --- discovery ---


def answered(change: Callable[[Any, Any], Any]) -> Seed:
    """The answer to a request of discovery is another one, or none: change(request, answer)."""

    def seed() -> None:
        answer = sdp.answer
        sdp.answer = lambda request, station, **named: change(request, answer(request, station, **named))  # type: ignore[assignment]

    return seed


def taken_for(request: Callable[[bytes], Any]) -> Seed:
    """What is no request is taken for one."""

    def seed() -> None:
        read = sdp.request_of

        def changed(data: bytes, **named: Any) -> Any:
            try:
                found = read(data, **named)
            except FramingError:
                return request(data)
            return found if found.transport is Transport.TCP else request(data)

        sdp.request_of = changed  # type: ignore[assignment]

    return seed


ANYTHING = taken_for(lambda data: Request(Security.TLS))
ELSEWHERE = answered(lambda request, answer: replace(answer, port=9))


def taken_where(fits: Callable[[bytes], bool]) -> Seed:
    """What is no request is taken for one where it fits."""

    def request(data: bytes) -> Any:
        if not fits(data):
            raise FramingError("no request")
        return Request(Security.TLS)

    return taken_for(request)


def _length(data: bytes) -> int:
    return int.from_bytes(data[4:8], "big") if len(data) == 10 else 2


def moves_house() -> None:
    """Each answer tells of a place of its own, of which ten stand at a time."""
    standing: deque[socket.socket] = deque()

    def elsewhere(request: Any, answer: Any) -> Any:
        place = socket.create_server(("::", 0), family=socket.AF_INET6)
        standing.append(place)
        if len(standing) > 10:
            standing.popleft().close()
        return replace(answer, port=place.getsockname()[1])

    answered(elsewhere)()


WITHOUT = answered(lambda request, answer: replace(answer, security=Security.NONE))
WITH = answered(lambda request, answer: replace(answer, security=Security.TLS))
BY_UDP = answered(lambda request, answer: replace(answer, transport=Transport.UDP))


def only_every_second() -> None:
    counter = count()
    answered(lambda request, answer: answer if next(counter) % 2 else None)()


def tired(after: int) -> Seed:
    """So many requests are answered in all."""

    def seed() -> None:
        read, counter = sdp.request_of, count()

        def changed(data: bytes, **named: Any) -> Any:
            if next(counter) > after:
                raise FramingError("tired")
            return read(data, **named)

        sdp.request_of = changed  # type: ignore[assignment]

    return seed


def reads_slowly(seconds: float) -> Seed:
    """Nothing else is done while a request of discovery is read."""

    def seed() -> None:
        read = sdp.request_of

        def changed(data: bytes, **named: Any) -> Any:
            time.sleep(seconds)
            return read(data, **named)

        sdp.request_of = changed  # type: ignore[assignment]

    return seed


def no_staple() -> None:
    """No OCSP response is shown."""
    begin = Context.__init__

    def changed(self: Any, *more: Any, credential: Any = None, **named: Any) -> None:
        begin(self, *more, credential=None if credential is None else replace(credential, staple=None), **named)

    Context.__init__ = changed  # type: ignore[method-assign]


LINK: dict[str, Seed] = {
    "S-SAP-07": over_tcp,
    "S-TLS-09": dies_of_no_certificate,
    "S-TLS-12": one_chain,
    "S-TLS-13": no_staple,
    "S-TLS-14": no_staple,
    "S-TLS-24": EARLY_DATA,
    "S-TLS-25": dies_of_no_hello,
    "S-TLS-26": NO_SHORT_RECORDS,
    "S-SDP-01": ELSEWHERE,
    "S-SDP-02": lures,
    "S-SDP-03": moves_house,
    "S-SDP-04": tired(1000),
    "S-SDP-05": taken_where(lambda data: data[:1] == b"\xff"),
    "S-SDP-06": taken_where(lambda data: data[:2] == b"\x01\xff"),
    "S-SDP-07": taken_where(lambda data: data[2:4] == b"\x70\x00"),
    "S-SDP-08": taken_where(lambda data: _length(data) in (0, 1, 3, 255)),
    "S-SDP-09": taken_where(lambda data: _length(data) >= 0xFFFFFFF8),
    "S-SDP-10": taken_where(lambda data: len(data) != 10),
    "S-SDP-11": taken_where(lambda data: len(data) == 10 and data[:8] == sdp.encode(Request())[:8]),
    "S-SDP-12": puts(Lobby, "late", lambda *_: False),
    "S-SDP-13": reads_slowly(0.6),
}
