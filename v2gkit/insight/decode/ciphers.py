"""How records of TLS are protected, from the side of whoever has the secret: suites, keys, and one record opened.

    suite = SUITES[0x1302]
    cipher13(secret, suite).opened(sequence, header, fragment) -> octets

Everything that does not open raises `Unreadable`: a wrong key, a wrong place in the sequence, octets that are damaged.
"""

import hmac
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

_BLOCK: Final = 16  # octets of AES
_TAG: Final = 16


class Unreadable(Exception):
    """A record that this key, at this place of the sequence, does not open."""


@dataclass(frozen=True, slots=True)
class Suite:
    """One suite of TLS: name, cipher ("gcm", "chacha" or "cbc"), octets of its key, hash of its key derivation, MAC where it has one."""

    name: str
    cipher: str
    key: int
    hash: str
    mac: str = ""

    @property
    def size(self) -> int:
        """Octets of its hash, which is the size of a secret of TLS 1.3."""
        return 48 if self.hash == "sha384" else 32


def _suites() -> dict[int, Suite]:
    found = {
        0x1301: Suite("TLS_AES_128_GCM_SHA256", "gcm", 16, "sha256"),
        0x1302: Suite("TLS_AES_256_GCM_SHA384", "gcm", 32, "sha384"),
        0x1303: Suite("TLS_CHACHA20_POLY1305_SHA256", "chacha", 32, "sha256"),
    }
    exchanges = {  # of TLS 1.2, each with the codes of `forms`
        "ECDHE_ECDSA": (0xC02B, 0xC02C, 0xCCA9, 0xC009, 0xC00A, 0xC023, 0xC024),
        "ECDH_ECDSA": (0xC02D, 0xC02E, None, 0xC004, 0xC005, 0xC025, 0xC026),
        "ECDHE_RSA": (0xC02F, 0xC030, 0xCCA8, 0xC013, 0xC014, 0xC027, 0xC028),
        "RSA": (0x009C, 0x009D, None, 0x002F, 0x0035, 0x003C, None),
    }
    forms = (
        ("AES_128_GCM_SHA256", "gcm", 16, "sha256", ""),
        ("AES_256_GCM_SHA384", "gcm", 32, "sha384", ""),
        ("CHACHA20_POLY1305_SHA256", "chacha", 32, "sha256", ""),
        ("AES_128_CBC_SHA", "cbc", 16, "sha256", "sha1"),
        ("AES_256_CBC_SHA", "cbc", 32, "sha256", "sha1"),
        ("AES_128_CBC_SHA256", "cbc", 16, "sha256", "sha256"),
        ("AES_256_CBC_SHA384", "cbc", 32, "sha384", "sha384"),
    )
    for exchange, codes in exchanges.items():
        for code, (name, *form) in zip(codes, forms, strict=True):
            if code is not None:
                found[code] = Suite(f"TLS_{exchange}_WITH_{name}", *form)  # type: ignore[arg-type]
    found[0x003D] = Suite("TLS_RSA_WITH_AES_256_CBC_SHA256", "cbc", 32, "sha256", "sha256")
    return found


SUITES: Final = _suites()
TLS13: Final = tuple(SUITES[code] for code in (0x1301, 0x1302, 0x1303))


class Cipher(Protocol):
    """One direction of a connection, with its keys."""

    def opened(self, sequence: int, header: bytes, fragment: bytes) -> bytes:
        """What a record holds: the record at that place of the sequence, its header of five octets, what follows. Raises Unreadable."""


def expand_label(secret: bytes, label: str, length: int, digest: str) -> bytes:
    """HKDF-Expand-Label of TLS 1.3 with an empty context (RFC 8446, 7.1)."""
    named = b"tls13 " + label.encode("ascii")
    info = length.to_bytes(2, "big") + bytes((len(named),)) + named + b"\0"
    found, last, turn = b"", b"", 0
    while len(found) < length:
        turn += 1
        last = hmac.digest(secret, last + info + bytes((turn,)), digest)
        found += last
    return found[:length]


def renewed(secret: bytes, suite: Suite) -> bytes:
    """The traffic secret that follows a KeyUpdate."""
    return expand_label(secret, "traffic upd", suite.size, suite.hash)


def prf(secret: bytes, label: bytes, seed: bytes, length: int, digest: str) -> bytes:
    """The pseudorandom function of TLS 1.2 (RFC 5246, 5)."""
    found, a = b"", label + seed
    while len(found) < length:
        a = hmac.digest(secret, a, digest)
        found += hmac.digest(secret, a + label + seed, digest)
    return found[:length]


class _Sealed:
    """AEAD whose nonce is the sequence number added to a fixed one: all of TLS 1.3, ChaCha20 in TLS 1.2."""

    def __init__(self, key: bytes, iv: bytes, suite: Suite, old: bool):
        self._aead = ChaCha20Poly1305(key) if suite.cipher == "chacha" else AESGCM(key)
        self._iv, self._old = int.from_bytes(iv, "big"), old

    def opened(self, sequence: int, header: bytes, fragment: bytes) -> bytes:
        nonce = (self._iv ^ sequence).to_bytes(12, "big")
        return _unsealed(self._aead, nonce, fragment, _described(sequence, header, len(fragment) - _TAG) if self._old else header)


class _Counted:
    """AES-GCM of TLS 1.2, whose nonce is half in the record."""

    def __init__(self, key: bytes, salt: bytes):
        self._aead, self._salt = AESGCM(key), salt

    def opened(self, sequence: int, header: bytes, fragment: bytes) -> bytes:
        return _unsealed(self._aead, self._salt + fragment[:8], fragment[8:], _described(sequence, header, len(fragment) - 8 - _TAG))


class _Chained:
    """AES-CBC with a MAC, before it was encrypted or (`after`) after (RFC 7366)."""

    def __init__(self, key: bytes, mac_key: bytes, suite: Suite, after: bool):
        self._key, self._mac_key, self._mac, self._after = AES(key), mac_key, suite.mac, after
        self._size = len(hmac.digest(b"", b"", suite.mac))

    def opened(self, sequence: int, header: bytes, fragment: bytes) -> bytes:
        tag = b""
        if self._after:
            fragment, tag = fragment[: -self._size], fragment[-self._size :]
            self._judge(tag, sequence, header, fragment)
        if len(fragment) < 2 * _BLOCK or len(fragment) % _BLOCK:
            raise Unreadable
        decryptor = BlockCipher(self._key, CBC(fragment[:_BLOCK])).decryptor()
        octets = decryptor.update(fragment[_BLOCK:]) + decryptor.finalize()
        padding = octets[-1] + 1
        if padding > len(octets) or octets[-padding:] != bytes((padding - 1,)) * padding:
            raise Unreadable
        octets = octets[:-padding]
        if not self._after:
            if len(octets) < self._size:
                raise Unreadable
            octets, tag = octets[: -self._size], octets[-self._size :]
            self._judge(tag, sequence, header, octets)
        return octets

    def _judge(self, tag: bytes, sequence: int, header: bytes, octets: bytes) -> None:
        if not hmac.compare_digest(hmac.digest(self._mac_key, _described(sequence, header, len(octets)) + octets, self._mac), tag):
            raise Unreadable


def _described(sequence: int, header: bytes, length: int) -> bytes:
    """What TLS 1.2 authenticates beside the octets."""
    return sequence.to_bytes(8, "big") + header[:3] + max(0, length).to_bytes(2, "big")


def _unsealed(aead: AESGCM | ChaCha20Poly1305, nonce: bytes, fragment: bytes, beside: bytes) -> bytes:
    if len(fragment) < _TAG or len(nonce) != 12:
        raise Unreadable
    try:
        return aead.decrypt(nonce, fragment, beside)
    except InvalidTag:
        raise Unreadable from None


def cipher13(secret: bytes, suite: Suite) -> Cipher:
    """The protection of TLS 1.3 by one traffic secret."""
    return _Sealed(expand_label(secret, "key", suite.key, suite.hash), expand_label(secret, "iv", 12, suite.hash), suite, old=False)


def ciphers12(master: bytes, suite: Suite, randoms: tuple[bytes, bytes], mac_after: bool) -> tuple[Cipher, Cipher]:
    """The protection of TLS 1.2 in both directions, the car's first; `randoms` are of the ClientHello and the ServerHello."""
    mac = len(hmac.digest(b"", b"", suite.mac)) if suite.mac else 0
    iv = {"gcm": 4, "chacha": 12, "cbc": 0}[suite.cipher]
    block = prf(master, b"key expansion", randoms[1] + randoms[0], 2 * (mac + suite.key + iv), suite.hash)
    cut, parts = 0, []
    for length in (mac, mac, suite.key, suite.key, iv, iv):
        parts.append(block[cut : cut + length])
        cut += length
    made: list[Cipher] = []
    for end in (0, 1):
        if suite.cipher == "cbc":
            made.append(_Chained(parts[2 + end], parts[end], suite, mac_after))
        elif suite.cipher == "chacha":
            made.append(_Sealed(parts[2 + end], parts[4 + end], suite, old=True))
        else:
            made.append(_Counted(parts[2 + end], parts[4 + end]))
    return made[0], made[1]
