"""A ClientHello octet by octet, with what no TLS library lets one say, and what a ServerHello says back (pure, but for random octets)."""

import os

from v2g.session import handshake

PSK, EARLY, MODES, FRAGMENT = handshake.PRE_SHARED_KEY, handshake.EARLY_DATA, 45, handshake.MAX_FRAGMENT_LENGTH
P521, TLS13, SUITE = 0x0019, 0x0304, 0x1302
SCHEMES = (0x0603, 0x0808)


def vector(octets: bytes, length: int = 2) -> bytes:
    """Octets behind their length."""
    return len(octets).to_bytes(length, "big") + octets


def numbers(*values: int) -> bytes:
    """Numbers of two octets each."""
    return b"".join(value.to_bytes(2, "big") for value in values)


def client_hello(share: bytes, *, psk: bytes = b"", fragment: int = 0) -> bytes:
    """A record with a ClientHello of TLS 1.3: a share of secp521r1, with `psk` a ticket and early data, with `fragment` short records."""
    extensions = [
        (handshake.SUPPORTED_VERSIONS, vector(numbers(TLS13), 1)),
        (handshake.SUPPORTED_GROUPS, vector(numbers(P521))),
        (handshake.SIGNATURE_ALGORITHMS, vector(numbers(*SCHEMES))),
        (handshake.KEY_SHARE, vector(numbers(P521) + vector(share))),
    ]
    if fragment:
        extensions.append((FRAGMENT, bytes((fragment,))))
    if psk:
        identity = vector(psk) + bytes(4)
        extensions += [(EARLY, b""), (MODES, b"\x01\x01"), (PSK, vector(identity) + vector(vector(os.urandom(48), 1)))]
    listed = b"".join(numbers(code) + vector(content) for code, content in extensions)
    body = numbers(0x0303) + os.urandom(32) + vector(os.urandom(32), 1) + vector(numbers(SUITE)) + vector(b"\x00", 1) + vector(listed)
    return b"\x16\x03\x01" + vector(b"\x01" + vector(body, 3))


def server_hello(octets: bytes) -> frozenset[int] | None:
    """The codes of the extensions of the ServerHello that octets begin with; None where they begin with none."""
    if octets[:1] != b"\x16" or octets[5:6] != b"\x02":
        return None
    body = octets[9 : 9 + int.from_bytes(octets[6:9], "big")]
    at = 34 + 1 + body[34] + 3
    end, found = at + 2 + int.from_bytes(body[at : at + 2], "big"), set()
    at += 2
    while at + 4 <= min(end, len(body)):
        found.add(int.from_bytes(body[at : at + 2], "big"))
        at += 4 + int.from_bytes(body[at + 2 : at + 4], "big")
    return frozenset(found)
