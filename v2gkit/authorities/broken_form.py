"""Valid certificates rewritten in octets that are not strict DER and signed anew, so that only the encoding is wrong."""

from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import SignatureAlgorithmOID

from pki.certificate import SIGNATURE_NAMES
from pki.der import BIT_STRING, BOOLEAN, EXPLICIT_EXTENSIONS, INTEGER, OCTET_STRING, SEQUENCE, elements, read_oid, signed_structure, wrap
from pki.keys import ALGORITHMS, PrivateKey
from pki.lapses import CONSTRAINTS, NULL

Field = tuple[int, bytes]
Fields = list[Field]
Parts = list[Field]  # of one extension
Form = Callable[[x509.Certificate, PrivateKey], bytes]


def _signed(edit: Callable[[Fields], bytes], algorithm: Callable[[bytes], bytes] = bytes) -> Form:
    """A certificate whose TBS fields become other octets; `algorithm` changes the content of both AlgorithmIdentifiers."""

    def form(certificate: x509.Certificate, key: PrivateKey) -> bytes:
        ((_, content),) = elements(certificate.tbs_certificate_bytes)
        fields = list(elements(content))
        place = next(at for at, (tag, _) in enumerate(fields) if tag == SEQUENCE)
        changed = algorithm(fields[place][1])
        fields[place] = SEQUENCE, changed
        return signed_structure(edit(fields), wrap(SEQUENCE, changed), key)

    return form


def _whole(fields: Fields) -> bytes:
    return wrap(SEQUENCE, b"".join(wrap(*field) for field in fields))


def _extension(edit: Callable[[str, Parts], Parts]) -> Form:
    """Every extension goes through `edit` with its object identifier."""

    def edited(fields: Fields) -> bytes:
        assert fields[-1][0] == EXPLICIT_EXTENSIONS
        ((_, listed),) = elements(fields[-1][1])
        made = []
        for _, content in elements(listed):
            parts = list(elements(content))
            made.append(wrap(SEQUENCE, b"".join(wrap(*part) for part in edit(read_oid(parts[0][1]), parts))))
        return _whole([*fields[:-1], (EXPLICIT_EXTENSIONS, wrap(SEQUENCE, b"".join(made)))])

    return _signed(edited)


def _no_authority(oid: str, parts: Parts) -> Parts:
    return [*parts[:-1], (OCTET_STRING, b"\x30\x03\x01\x01\x00")] if oid == CONSTRAINTS else parts


def _critical_false(oid: str, parts: Parts) -> Parts:
    return [parts[0], (BOOLEAN, b"\x00"), parts[1]] if len(parts) == 2 else parts


def _critical_one(oid: str, parts: Parts) -> Parts:
    return [parts[0], (BOOLEAN, b"\x01"), parts[2]] if len(parts) == 3 else parts


def _padded(fields: Fields) -> bytes:
    assert fields[1][0] == INTEGER
    return _whole([fields[0], (INTEGER, b"\x00" + fields[1][1]), *fields[2:]])


def _long(fields: Fields) -> bytes:
    content = b"".join(wrap(*field) for field in fields)
    return bytes((SEQUENCE, 0x84)) + len(content).to_bytes(4, "big") + content


def _indefinite(fields: Fields) -> bytes:
    return bytes((SEQUENCE, 0x80)) + b"".join(wrap(*field) for field in fields) + b"\x00\x00"


ca_false: Form = _extension(_no_authority)
critical_false: Form = _extension(_critical_false)
critical_one: Form = _extension(_critical_one)
null_parameters: Form = _signed(_whole, lambda algorithm: algorithm + wrap(NULL, b""))
padded_serial: Form = _signed(_padded)
long_length: Form = _signed(_long)
indefinite_length: Form = _signed(_indefinite)


def long_length_outside(certificate: x509.Certificate, key: PrivateKey) -> bytes:
    """A certificate with a length of three octets where two suffice, outside of the signed part."""
    ((tag, content),) = elements(certificate.public_bytes(Encoding.DER))
    return bytes((tag, 0x83)) + len(content).to_bytes(3, "big") + content


def other_half(certificate: x509.Certificate, key: PrivateKey | None = None) -> bytes:
    """A certificate whose signature (r, s) is made (r, n-s), which anybody can compute and which verifies as well."""
    if certificate.signature_algorithm_oid == SignatureAlgorithmOID.ED448:
        return certificate.public_bytes(Encoding.DER)  # which knows but one signature
    ((tag, content),) = elements(certificate.public_bytes(Encoding.DER))
    r, s = decode_dss_signature(certificate.signature)
    order = ALGORITHMS[KEY_OF[SIGNATURE_NAMES[certificate.signature_algorithm_oid]]].order
    assert order is not None
    signed, algorithm, _ = (wrap(*part) for part in elements(content))
    return wrap(tag, signed + algorithm + wrap(BIT_STRING, b"\x00" + encode_dss_signature(r, order - s)))


KEY_OF = {algorithm.signature_name: algorithm.name for algorithm in ALGORITHMS.values()}
