"""Reads and writes DER elements (tag, length, value), as far as certificates need it."""

from collections.abc import Callable, Iterator

from cryptography import x509

from pki import keys
from pki.keys import PrivateKey, algorithm_of

SEQUENCE, SET, INTEGER, BIT_STRING, OCTET_STRING, BOOLEAN, OID = 0x30, 0x31, 0x02, 0x03, 0x04, 0x01, 0x06
EXPLICIT_EXTENSIONS = 0xA3  # [3] in TBSCertificate


def wrap(tag: int, content: bytes) -> bytes:
    """A DER element: tag, length and content."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def elements(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each of several consecutive elements. Raises ValueError where octets end early or a length is indefinite."""
    return ((octets[at], octets[begin:end]) for at, begin, end in spans(octets))


def spans(octets: bytes) -> Iterator[tuple[int, int, int]]:
    """The offsets of each of several consecutive elements: of its start, its content, its end.

    Raises ValueError where octets end early or a length is indefinite.
    """
    at = 0
    while at < len(octets):
        if at + 2 > len(octets):
            raise ValueError(f"an element header ends early at octet {at}")
        begin, length = at, octets[at + 1]
        at += 2
        if length >= 0x80:
            size = length & 0x7F
            if not 1 <= size <= 4 or at + size > len(octets):
                raise ValueError(f"a length of {size} octets at octet {at}")
            length, at = int.from_bytes(octets[at : at + size], "big"), at + size
        if at + length > len(octets):
            raise ValueError(f"an element of {length} octets at octet {at} of {len(octets)}")
        yield begin, at, at + length
        at += length


def signed_anew(
    certificate: x509.Certificate, key: PrivateKey, edit: Callable[[list[tuple[int, bytes]]], list[tuple[int, bytes]]]
) -> bytes:
    """A certificate (DER) with its TBS fields changed by `edit` and signed anew by `key`: for what no certificate builder would write."""
    ((_, content),) = elements(certificate.tbs_certificate_bytes)
    fields = edit(list(elements(content)))
    tbs = wrap(SEQUENCE, b"".join(wrap(tag, value) for tag, value in fields))
    algorithm = next(wrap(tag, value) for tag, value in elements(content) if tag == SEQUENCE)
    return signed_structure(tbs, algorithm, key)


def signed_structure(tbs: bytes, algorithm: bytes, key: PrivateKey) -> bytes:
    """A signed DER structure (certificate, request, OCSP response, CRL): the octets `tbs`, the algorithm, the signature by `key`."""
    return wrap(SEQUENCE, tbs + algorithm + wrap(BIT_STRING, b"\x00" + der_signature(key, tbs)))


def der_signature(key: PrivateKey, octets: bytes) -> bytes:
    """The signature over octets in the form of X.509: for ECDSA a SEQUENCE of r and s."""
    raw = keys.sign(key, octets)
    if algorithm_of(key).order is None:
        return raw
    half = len(raw) // 2
    numbers = (int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))
    return wrap(SEQUENCE, b"".join(integer(number) for number in numbers))


def integer(number: int) -> bytes:
    """A DER element INTEGER, in as few octets as possible: -128 takes one."""
    magnitude = number if number >= 0 else ~number
    return wrap(INTEGER, number.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True))


def oid(dotted: str) -> bytes:
    """A DER element OBJECT IDENTIFIER, from the dotted form."""
    first, second, *arcs = (int(arc) for arc in dotted.split("."))
    return wrap(OID, b"".join(_base128(arc) for arc in (40 * first + second, *arcs)))


def read_oid(content: bytes) -> str:
    """The dotted form of the content of an OBJECT IDENTIFIER. Raises ValueError for content that is none."""
    if not content or content[-1] & 0x80:
        raise ValueError("an object identifier ends early")
    arcs, arc = [], 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(one) for one in (first, arcs[0] - 40 * first, *arcs[1:]))


def _base128(arc: int) -> bytes:
    digits = [arc & 0x7F]
    while arc := arc >> 7:
        digits.append(arc & 0x7F | 0x80)
    return bytes(reversed(digits))
