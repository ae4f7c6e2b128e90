"""Certificates that are not strict DER: what is wrong with them, and a strict form with the same content.

CAs in the field write out default values or NULL parameters, and OpenSSL reads that and more. Such a certificate is read by its strict
form, while its signature stays over the octets as they came; which lapse passes is for the rules to say (`pki.profiles.Rules.lapses`).

    der, lapses = strict(octets)         # ValueError for what has no strict form: indefinite lengths, long tags, nesting without end
"""

import enum

from pki.der import BOOLEAN, EXPLICIT_EXTENSIONS, INTEGER, OID, SEQUENCE, elements, read_oid, wrap

NULL = 0x05
CONSTRUCTED, LONG_TAG = 0x20, 0x1F
DEPTH = 16  # elements within elements; a certificate with name constraints has 10
WITHOUT_PARAMETERS = ("1.2.840.10045.4.3.", "1.3.101.11")  # ECDSA with SHA-2 [RFC 5758 3.2], Ed25519 and Ed448 [RFC 8410 3]
CONSTRAINTS, NAME_CONSTRAINTS = "2.5.29.19", "2.5.29.30"
READ_INSIDE = ("2.5.29.", "1.3.6.1.5.5.7.1.")  # extensions whose value is DER that we read


class Lapse(enum.Enum):
    """One way in which a certificate is not strict DER. The value is a text for people."""

    DEFAULT = "a default value is written out"  # [X.690 11.5]
    PARAMETERS = "NULL parameters where the algorithm has none"
    LENGTH = "a length in more octets than it needs"  # [X.690 10.1]
    NUMBER = "an integer in more octets than it needs"  # [X.690 8.3.2]
    TRUTH = "TRUE written as something else than ff"  # [X.690 11.1]


def strict_form(octets: bytes) -> tuple[bytes, frozenset[Lapse]]:
    """The strict DER of a certificate, and the lapses corrected for it. Raises ValueError where there is no strict form."""
    found: set[Lapse] = set()
    ((tag, content),) = elements(_rewritten(octets, found, DEPTH))
    signed, algorithm, (last, signature) = elements(content)
    body = _signed_part(signed[1], found) + wrap(SEQUENCE, _algorithm(algorithm[1], found)) + wrap(last, signature)
    return wrap(tag, body), frozenset(found)


def _rewritten(octets: bytes, found: set[Lapse], depth: int) -> bytes:
    """The same elements with the shortest lengths and integers, and TRUE as ff."""
    if depth == 0:
        raise ValueError(f"elements nest deeper than {DEPTH}")
    parts, shortest = [], 0
    for tag, content in elements(octets):
        if tag & LONG_TAG == LONG_TAG:
            raise ValueError("a tag of several octets")
        shortest += len(wrap(tag, content))
        if tag & CONSTRUCTED:
            parts.append(wrap(tag, _rewritten(content, found, depth - 1)))
        else:
            parts.append(wrap(tag, _primitive(tag, content, found)))
    if shortest != len(octets):
        found.add(Lapse.LENGTH)
    return b"".join(parts)


def _primitive(tag: int, content: bytes, found: set[Lapse]) -> bytes:
    if tag == INTEGER and content:
        number = int.from_bytes(content, "big", signed=True)
        magnitude = number if number >= 0 else ~number
        short = number.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True)
        if short != content:
            found.add(Lapse.NUMBER)
        return short
    if tag == BOOLEAN and len(content) == 1 and content not in (b"\x00", b"\xff"):
        found.add(Lapse.TRUTH)
        return b"\xff"
    return content


def _signed_part(content: bytes, found: set[Lapse]) -> bytes:
    fields = list(elements(content))
    sequences = [place for place, (tag, _) in enumerate(fields) if tag == SEQUENCE]  # signature, issuer, validity, subject, key
    if len(sequences) < 5:
        raise ValueError(f"{len(sequences)} of the five parts a certificate has")
    for place in (sequences[0], sequences[4]):
        tag, value = fields[place]
        fields[place] = tag, _algorithm(value, found) if place == sequences[0] else _key(value, found)
    if fields[-1][0] == EXPLICIT_EXTENSIONS:
        ((_, extensions),) = elements(fields[-1][1])
        rewritten = b"".join(wrap(tag, _extension(value, found)) for tag, value in elements(extensions))
        fields[-1] = EXPLICIT_EXTENSIONS, wrap(SEQUENCE, rewritten)
    return wrap(SEQUENCE, b"".join(wrap(tag, value) for tag, value in fields))


def _key(content: bytes, found: set[Lapse]) -> bytes:
    (tag, algorithm), (last, key) = elements(content)
    return wrap(tag, _algorithm(algorithm, found)) + wrap(last, key)


def _algorithm(content: bytes, found: set[Lapse]) -> bytes:
    name, *parameters = elements(content)
    if parameters == [(NULL, b"")] and name[0] == OID and read_oid(name[1]).startswith(WITHOUT_PARAMETERS):
        found.add(Lapse.PARAMETERS)
        return wrap(*name)
    return content


def _extension(content: bytes, found: set[Lapse]) -> bytes:
    (tag, name), *flag, (last, value) = elements(content)
    if flag == [(BOOLEAN, b"\x00")]:
        found.add(Lapse.DEFAULT)
        flag = []
    oid = read_oid(name)
    if oid.startswith(READ_INSIDE):
        value = _rewritten(value, found, DEPTH)
    if oid in (CONSTRAINTS, NAME_CONSTRAINTS):
        ((outer, inner),) = elements(value)
        value = wrap(outer, _basic(inner, found) if oid == CONSTRAINTS else _subtrees(inner, found))
    return wrap(tag, name) + b"".join(wrap(*one) for one in flag) + wrap(last, value)


def _basic(content: bytes, found: set[Lapse]) -> bytes:
    """Basic constraints: cA FALSE is what its absence says."""
    parts = list(elements(content))
    if parts[:1] != [(BOOLEAN, b"\x00")]:
        return content
    found.add(Lapse.DEFAULT)
    return b"".join(wrap(*one) for one in parts[1:])


def _subtrees(content: bytes, found: set[Lapse]) -> bytes:
    """Name constraints: a minimum of 0 is what its absence says."""
    minimum = (0x80, b"\x00")
    whole = []
    for tag, trees in elements(content):
        kept = [(one, list(elements(tree))) for one, tree in elements(trees)]
        if any(minimum in parts for _, parts in kept):
            found.add(Lapse.DEFAULT)
        rewritten = (wrap(one, b"".join(wrap(*part) for part in parts if part != minimum)) for one, parts in kept)
        whole.append(wrap(tag, b"".join(rewritten)))
    return b"".join(whole)
