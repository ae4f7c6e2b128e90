"""TLS handshake messages as they are read, never as they are made (pure).

The TLS library does the cryptography and keeps most of what was said to itself. What a station must know before it can choose its
certificates (which generation, which curves, which roots a car names), and what a trace wants to tell afterwards, is read here from the
messages: the ClientHello from the first octets of a connection, the others as the library reports them.

Every length is checked against what is there; octets that are no such message raise FramingError and nothing else.
"""

from dataclasses import dataclass
from typing import Final

from v2g.session.errors import FramingError

CLIENT_HELLO, SERVER_HELLO, CERTIFICATE, SERVER_KEY_EXCHANGE, CERTIFICATE_REQUEST, CERTIFICATE_VERIFY = 1, 2, 11, 12, 13, 15
TLS12: Final = 0x0303
TLS13: Final = 0x0304

# extensions (RFC 8446, 6066)
SERVER_NAME, MAX_FRAGMENT_LENGTH, TRUSTED_CA_KEYS, STATUS_REQUEST, SUPPORTED_GROUPS, SIGNATURE_ALGORITHMS = 0, 1, 3, 5, 10, 13
STATUS_REQUEST_V2, PRE_SHARED_KEY, EARLY_DATA, SUPPORTED_VERSIONS = 17, 41, 42, 43
CERTIFICATE_AUTHORITIES, OID_FILTERS, KEY_SHARE = 47, 48, 51

_RECORD_HANDSHAKE, _RECORD_HEADER, _RECORD_LIMIT = 22, 5, 2**14 + 256
# A hello of this stack has 270 octets; one that names 20 roots with names of 150 octets has 3.5 KB, hybrid key shares add 1.2 KB. One
# octet more than this and the connection is closed: nobody needs it, and it is kept before anything is known about the peer.
HELLO_LIMIT: Final = 16 * 1024  # octets

SUITES: Final = {
    0x1301: "TLS_AES_128_GCM_SHA256",
    0x1302: "TLS_AES_256_GCM_SHA384",
    0x1303: "TLS_CHACHA20_POLY1305_SHA256",
    0xC004: "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA",
    0xC009: "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    0xC023: "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    0xC025: "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256",
}
GROUPS: Final = {0x0017: "secp256r1", 0x0018: "secp384r1", 0x0019: "secp521r1", 0x001D: "x25519", 0x001E: "x448", 0x11EC: "X25519MLKEM768"}
SCHEMES: Final = {
    0x0403: "ecdsa_secp256r1_sha256",
    0x0503: "ecdsa_secp384r1_sha384",
    0x0603: "ecdsa_secp521r1_sha512",
    0x0807: "ed25519",
    0x0808: "ed448",
}


def name(table: dict[int, str], code: int) -> str:
    """The registered name of a code, or the code in hexadecimal where `table` has no name for it."""
    return table.get(code, f"0x{code:04X}")


class _Cursor:
    """Reads a message from left to right; beyond its end is FramingError."""

    def __init__(self, octets: bytes, what: str):
        self._octets, self._at, self._what = octets, 0, what

    @property
    def left(self) -> int:
        return len(self._octets) - self._at

    def take(self, length: int) -> bytes:
        if length > self.left:
            raise FramingError(f"{self._what} ends {length - self.left} octets early")
        self._at += length
        return self._octets[self._at - length : self._at]

    def end(self) -> None:
        if self.left:
            raise FramingError(f"{self._what} is followed by {self.left} octets")

    def number(self, length: int) -> int:
        return int.from_bytes(self.take(length), "big")

    def vector(self, length: int) -> "_Cursor":
        """What follows a length of `length` octets."""
        return _Cursor(self.take(self.number(length)), self._what)

    def rest(self) -> bytes:
        return self.take(self.left)

    def numbers(self, length: int = 2) -> tuple[int, ...]:
        found = []
        while self.left:
            found.append(self.number(length))
        return tuple(found)

    def extensions(self) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        fields = self.vector(2)
        while fields.left:
            code = fields.number(2)
            if code in found:
                raise FramingError(f"{self._what} carries extension {code} twice")
            found[code] = fields.vector(2).rest()
        return found


def _body(message: bytes, kind: int, what: str) -> _Cursor:
    """The body of a handshake message of that kind."""
    cursor = _Cursor(message, what)
    if cursor.number(1) != kind:
        raise FramingError(f"handshake message {message[0]} is no {what}")
    body = cursor.vector(3)
    cursor.end()
    return body


def _names(octets: bytes, what: str) -> tuple[bytes, ...]:
    """DER names of a certificate_authorities list."""
    found, fields = [], _Cursor(octets, what).vector(2)
    while fields.left:
        found.append(fields.vector(2).rest())
    return tuple(found)


@dataclass(frozen=True, slots=True)
class ClientHello:
    """The first TLS message of a car, as far as a station acts on it. Codes are those of the TLS registries, names of roots are DER."""

    versions: tuple[int, ...]  # offered, from supported_versions or the legacy field
    suites: tuple[int, ...]
    groups: tuple[int, ...] = ()
    signature_schemes: tuple[int, ...] = ()
    server_name: str | None = None
    certificate_authorities: tuple[bytes, ...] = ()  # DER names of the roots that the car holds (-20)
    trusted_ca_keys: tuple[bytes, ...] = ()  # SHA-1 of the certificates of the roots that the car holds (-2)
    status_request: bytes | None = None  # the body, None when staples are not asked for
    max_fragment_length: int | None = None  # octets
    extensions: tuple[int, ...] = ()  # all codes, in order
    octets: int = 0  # length of the message

    @property
    def tls13(self) -> bool:
        """True when the car can speak TLS 1.3."""
        return TLS13 in self.versions


def _sha1_hashes(octets: bytes) -> tuple[bytes, ...]:
    """trusted_ca_keys: only identifiers of type cert_sha1_hash (3) say something that ISO 15118-2 uses."""
    found, fields = [], _Cursor(octets, "trusted_ca_keys").vector(2)
    while fields.left:
        kind = fields.number(1)
        if kind in (1, 3):
            digest = fields.take(20)
            if kind == 3:
                found.append(digest)
        elif kind == 2:
            fields.vector(2)
        elif kind != 0:
            raise FramingError(f"trusted_ca_keys holds an identifier of type {kind}, known are 0 to 3")
    return tuple(found)


def _host_name(octets: bytes) -> str | None:
    fields = _Cursor(octets, "server_name").vector(2)
    while fields.left:
        kind, entry = fields.number(1), fields.vector(2).rest()
        if kind == 0:
            return entry.decode("ascii", "backslashreplace")
    return None


def client_hello(message: bytes) -> ClientHello:
    """Read a ClientHello (the handshake message, without record headers)."""
    body = _body(message, CLIENT_HELLO, "ClientHello")
    legacy = body.number(2)
    body.take(32)
    body.vector(1)
    suites = body.vector(2).numbers()
    body.vector(1)
    extensions = body.extensions() if body.left else {}
    body.end()

    def numbers(code: int, prefix: int = 2) -> tuple[int, ...]:
        return _Cursor(extensions[code], f"extension {code}").vector(prefix).numbers() if code in extensions else ()

    fragment = extensions.get(MAX_FRAGMENT_LENGTH)
    return ClientHello(
        versions=numbers(SUPPORTED_VERSIONS, 1) or (legacy,),
        suites=suites,
        groups=numbers(SUPPORTED_GROUPS),
        signature_schemes=numbers(SIGNATURE_ALGORITHMS),
        server_name=_host_name(extensions[SERVER_NAME]) if extensions.get(SERVER_NAME) else None,
        certificate_authorities=_names(extensions.get(CERTIFICATE_AUTHORITIES, b"\0\0"), "certificate_authorities"),
        trusted_ca_keys=_sha1_hashes(extensions.get(TRUSTED_CA_KEYS, b"\0\0")),
        status_request=extensions.get(STATUS_REQUEST),
        max_fragment_length=2 ** (8 + fragment[0]) if fragment and 1 <= fragment[0] <= 4 else None,
        extensions=tuple(extensions),
        octets=len(message),
    )


class HelloReader:
    """Gathers the records of a connection's first octets until they hold a whole ClientHello.

    `feed` returns it, or None while octets are missing; `octets` is all that was fed, for the TLS library to read again. Every octet is
    looked at once, however many records and segments bring them. Raises FramingError for a connection that does not begin with a
    ClientHello, or with one beyond `limit` octets.
    """

    def __init__(self, limit: int = HELLO_LIMIT):
        self._limit = limit
        self._at = 0  # where the next record begins
        self._message = bytearray()
        self.octets = bytearray()

    def feed(self, octets: bytes) -> ClientHello | None:
        """Take more octets; the ClientHello once it is whole, None before. Raises FramingError."""
        self.octets += octets
        while len(self.octets) >= self._at + _RECORD_HEADER:
            begin = self._at + _RECORD_HEADER
            kind, major, length = *self.octets[self._at : self._at + 2], int.from_bytes(self.octets[begin - 2 : begin], "big")
            if kind != _RECORD_HANDSHAKE or major != 3 or not 0 < length <= _RECORD_LIMIT:
                raise FramingError(f"the connection begins with {self.octets[:8].hex(' ')}: {_guess(self.octets)}")
            if len(self.octets) < begin + length:
                break
            self._message += self.octets[begin : begin + length]
            self._at = begin + length
            if (end := self._end()) is not None and len(self._message) >= end:
                return client_hello(bytes(self._message[:end]))
        if len(self.octets) > self._limit:
            raise FramingError(f"ClientHello does not end within {self._limit} octets")
        return None

    def _end(self) -> int | None:
        """Length of the message, once its header is there."""
        if self._message[0] != CLIENT_HELLO:
            raise FramingError(f"the connection begins with handshake message {self._message[0]}, not with a ClientHello")
        if len(self._message) < 4:
            return None
        end = 4 + int.from_bytes(self._message[1:4], "big")
        if end > self._limit:
            raise FramingError(f"ClientHello has {end} octets, at most {self._limit} are read")
        return end


def _guess(octets: bytearray) -> str:
    if octets[:2] == b"\x01\xfe":
        return "plain V2GTP where TLS is spoken; does the peer have TLS switched off?"
    return "no TLS record"


@dataclass(frozen=True, slots=True)
class CertificateEntry:
    """One certificate of a Certificate message (DER), with the OCSP response stapled to it (DER) in TLS 1.3."""

    certificate: bytes
    staple: bytes | None = None


def certificate(message: bytes, version: int) -> tuple[CertificateEntry, ...]:
    """The chain of a Certificate message in the order in which the peer sent it. `version` is the TLS code (0x0304 is 1.3)."""
    body, found = _body(message, CERTIFICATE, "Certificate"), []
    if version == TLS13:
        body.vector(1)
    entries = body.vector(3)
    while entries.left:
        der = entries.vector(3).rest()
        status = entries.extensions().get(STATUS_REQUEST) if version == TLS13 else None
        found.append(CertificateEntry(der, _response(status) if status else None))
    return tuple(found)


def _response(status: bytes) -> bytes:
    fields = _Cursor(status, "CertificateStatus")
    if (kind := fields.number(1)) != 1:
        raise FramingError(f"certificate status is of type {kind}, only OCSP (1) is known")
    return fields.vector(3).rest()


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """What a station demands of the car's certificate: signature schemes (TLS codes) and roots (DER names)."""

    signature_schemes: tuple[int, ...]
    certificate_authorities: tuple[bytes, ...]  # DER names
    extensions: tuple[int, ...] = ()


def certificate_request(message: bytes, version: int) -> CertificateRequest:
    """Read a CertificateRequest message, whose shape depends on the TLS `version` (code; 0x0304 is 1.3)."""
    body = _body(message, CERTIFICATE_REQUEST, "CertificateRequest")
    if version != TLS13:
        body.vector(1)
        schemes = body.vector(2).numbers()
        return CertificateRequest(schemes, _names(body.rest(), "CertificateRequest"))
    body.vector(1)
    extensions = body.extensions()
    schemes = _Cursor(extensions.get(SIGNATURE_ALGORITHMS, b"\0\0"), "signature_algorithms").vector(2).numbers()
    names = _names(extensions.get(CERTIFICATE_AUTHORITIES, b"\0\0"), "certificate_authorities")
    return CertificateRequest(schemes, names, tuple(extensions))


def server_hello(message: bytes) -> tuple[int, int, int | None]:
    """The TLS codes of version, suite and group in a ServerHello; group is None in TLS 1.2, where ServerKeyExchange has it."""
    body = _body(message, SERVER_HELLO, "ServerHello")
    legacy = body.number(2)
    body.take(32)
    body.vector(1)
    suite = body.number(2)
    body.take(1)
    extensions = body.extensions() if body.left else {}
    version = int.from_bytes(extensions.get(SUPPORTED_VERSIONS, legacy.to_bytes(2, "big")), "big")
    share = extensions.get(KEY_SHARE)
    return version, suite, int.from_bytes(share[:2], "big") if share else None


def server_key_exchange(message: bytes) -> tuple[int, int]:
    """The TLS codes of group and signature scheme in a ServerKeyExchange message of TLS 1.2 (ECDHE)."""
    body = _body(message, SERVER_KEY_EXCHANGE, "ServerKeyExchange")
    if (kind := body.number(1)) != 3:
        raise FramingError(f"ServerKeyExchange names a curve of type {kind}, only named curves (3) are known")
    group = body.number(2)
    body.vector(1)
    return group, body.number(2)


def certificate_verify(message: bytes) -> int:
    """The TLS code of the signature scheme in a CertificateVerify message: how a side proved that it holds its key."""
    return _body(message, CERTIFICATE_VERIFY, "CertificateVerify").number(2)
