"""Reads a certificate from DER, and everything that a verifier needs of it, once and safely.

Whatever octets a peer sends, `read` gives a certificate or a CertificateError; `facts` parses every field that a check looks at, so that no
check can fail on a malformed one.
"""

import base64
import binascii
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID, SignatureAlgorithmOID

from pki.der import spans
from pki.errors import CertificateError, Kind
from pki.keys import key_name, signed_as
from pki.lapses import Lapse, strict_form

# it warns of serial numbers that are not positive; those are refused here, and a peer shall not write into our log
warnings.filterwarnings("ignore", category=CryptographyDeprecationWarning, module=__name__)
PARSE_ERRORS = (ValueError, TypeError, KeyError, AttributeError, OverflowError, UnsupportedAlgorithm, x509.InvalidVersion,
                x509.DuplicateExtension, x509.UnsupportedGeneralNameType)  # fmt: skip
SIGNATURE_NAMES = {
    SignatureAlgorithmOID.ECDSA_WITH_SHA512: "ecdsa-sha512",
    SignatureAlgorithmOID.ECDSA_WITH_SHA256: "ecdsa-sha256",
    SignatureAlgorithmOID.ED448: "ed448",
}
PEM = re.compile(rb"-----BEGIN (?:X509 )?CERTIFICATE-----(.*?)(-----END (?:X509 )?CERTIFICATE-----|\Z)", re.DOTALL)
OWN_LIMIT = 65_536  # octets of a certificate in a file of ours; what messages hold is for the rules to say
SERIAL_LIMIT = 20  # octets [RFC 5280 4.1.2.2]
USAGE_BITS = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)
BOUNDS: dict[type, str] = {
    x509.NameConstraints: "name constraints",
    x509.PolicyConstraints: "policy constraints",
    x509.InhibitAnyPolicy: "inhibitAnyPolicy",
}
UNDERSTOOD = (
    x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage, x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier,
    x509.AuthorityInformationAccess, x509.CRLDistributionPoints, x509.SubjectAlternativeName, x509.CertificatePolicies, x509.OCSPNoCheck,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """The fields of a certificate as the checks of a verifier use them."""

    certificate: x509.Certificate
    octets: int  # of its DER
    subject: bytes  # DER of the name: compared as octets, like every stack compares them
    issuer: bytes
    name: str  # subject, readable
    key: str  # name of the key algorithm
    signature: str  # name of the signature algorithm
    not_before: datetime
    not_after: datetime
    common_names: tuple[str, ...]
    domain_components: tuple[str, ...]
    other_names: tuple[str, ...]  # attribute names of the subject besides CN, O
    dns_names: tuple[str, ...]
    authority: bool | None  # None: no basic constraints
    constraints_critical: bool
    path_length: int | None
    usage: frozenset[str] | None
    usage_critical: bool
    purposes: frozenset[x509.ObjectIdentifier] | None
    purposes_critical: bool
    bounds: tuple[str, ...]  # extensions that narrow what is issued beneath, and that no profile of ISO 15118 knows
    unknown_critical: tuple[str, ...]
    key_identifier: bytes | None
    issuer_key_identifier: bytes | None
    issuer_serial: int | None  # as the authority key identifier names it
    ocsp_urls: tuple[str, ...]
    crl_urls: tuple[str, ...] = ()
    lapses: frozenset[Lapse] = frozenset()  # in which ways it is not strict DER

    @property
    def common_name(self) -> str:
        """The common name of the subject; empty when there is none or several."""
        return self.common_names[0] if len(self.common_names) == 1 else ""

    @property
    def public_key(self) -> PublicKeyTypes:
        """The public key of the certificate."""
        return cast(PublicKeyTypes, self.certificate.public_key())


def read(der: bytes, limit: int = 1600) -> x509.Certificate:
    """One certificate from DER of at most `limit` octets, followed by nothing.

    Raises CertificateError: MALFORMED, or OVERSIZE before a single octet is parsed.
    """
    if len(der) > limit:
        raise CertificateError(Kind.OVERSIZE, f"{len(der)} octets of certificate where the message holds {limit}")
    if not der:
        raise CertificateError(Kind.MALFORMED, "no octets where a certificate is expected")
    try:
        return x509.load_der_x509_certificate(der)
    except PARSE_ERRORS as error:
        loose = _loosely(der)
        if loose is None:
            raise CertificateError(Kind.MALFORMED, f"not a DER certificate: {_one_line(error)}") from None
        return cast(x509.Certificate, loose)


def read_pem(octets: bytes, limit: int = OWN_LIMIT) -> tuple[x509.Certificate, ...]:
    """All certificates in PEM, in order; other text and keys are ignored. Raises CertificateError, naming the wrong one."""
    found = []
    for number, (block, end) in enumerate(PEM.findall(octets), 1):
        if not end:
            raise CertificateError(Kind.MALFORMED, f"PEM certificate {number} is cut off: its END line is missing")
        try:
            found.append(read(base64.b64decode(b"".join(block.split()), validate=True), limit))
        except binascii.Error:
            raise CertificateError(Kind.MALFORMED, f"PEM certificate {number} is no base64") from None
        except CertificateError as error:
            raise CertificateError(error.kind, f"PEM certificate {number}: {error.reason}") from None
    if not found:
        form = "it may be DER: openssl x509 -inform DER turns it into PEM" if octets[:1] == b"\x30" else "it has no BEGIN CERTIFICATE"
        raise CertificateError(Kind.MALFORMED, f"no PEM certificates; {form}")
    return tuple(found)


class Loose:
    """A certificate that is not strict DER: its fields are those of its strict form, its octets and the signed part are the original ones.

    It may be used in place of a `x509.Certificate` (which cannot be subclassed), but not as an argument of the library's builders.
    """

    def __init__(self, der: bytes, form: x509.Certificate, lapses: frozenset[Lapse]) -> None:
        self.der, self.form, self.lapses = der, form, lapses

    def __getattr__(self, name: str) -> Any:
        return getattr(self.form, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Loose) and self.der == other.der

    def __hash__(self) -> int:
        return hash(self.der)

    @property
    def tbs_certificate_bytes(self) -> bytes:
        """The DER octets of the certificate that the issuer signed."""
        return identity(self.der)

    def public_bytes(self, encoding: Encoding) -> bytes:
        """The certificate as DER or PEM, with the octets as they were received."""
        if encoding is Encoding.DER:
            return self.der
        text = base64.b64encode(self.der)
        lines = b"\n".join(text[at : at + 64] for at in range(0, len(text), 64))
        return b"-----BEGIN CERTIFICATE-----\n" + lines + b"\n-----END CERTIFICATE-----\n"

    def fingerprint(self, algorithm: hashes.HashAlgorithm) -> bytes:
        """The digest of the certificate's octets as they were received."""
        digest = hashes.Hash(algorithm)
        digest.update(self.der)
        return digest.finalize()


def loadable(certificates: Iterable[x509.Certificate]) -> Iterator[bytes]:
    """DER of those certificates that a TLS library, which reads strict DER only, can load."""
    return (one.public_bytes(Encoding.DER) for one in certificates if not isinstance(one, Loose))


def identity(der: bytes) -> bytes:
    """The part of a certificate that its issuer signed, to compare certificates by: it does not depend on the signature.

    Anyone can turn an ECDSA signature (r, s) into (r, n-s), so the octets of a signature identify nothing. Octets that are no certificate
    are returned as they are.
    """
    try:
        ((_, begin, end),) = spans(der)
        at, _, until = next(spans(der[begin:end]))
    except (ValueError, StopIteration):
        return der
    return der[begin + at : begin + until]


def _loosely(der: bytes) -> Loose | None:
    """What is not strict DER, read by its strict form; None where that cannot be read either."""
    try:
        form, lapses = strict_form(der)
        return Loose(der, x509.load_der_x509_certificate(form), lapses) if lapses else None
    except PARSE_ERRORS:
        return None


@lru_cache(maxsize=256)  # a signature holds for ever, and the sub-CAs of one operator stand behind each of its cars: 0.8 ms on P-521 each
def directly_issued(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `child` names `issuer` and is signed by its key. Whether `issuer` may issue certificates is not checked."""
    try:
        if not isinstance(child, Loose) and not isinstance(issuer, Loose):
            child.verify_directly_issued_by(issuer)
            return True
        if child.issuer != issuer.subject or child.signature_algorithm_oid not in SIGNATURE_NAMES:
            return False
        return signed_as(SIGNATURE_NAMES[child.signature_algorithm_oid], issuer.public_key(), child.signature, child.tbs_certificate_bytes)
    except (InvalidSignature, *PARSE_ERRORS):
        return False


@lru_cache(maxsize=256)
def facts(certificate: x509.Certificate) -> Facts:
    """Everything the checks need of one certificate. Raises CertificateError(MALFORMED) if any of it cannot be read."""
    try:
        return _facts(certificate, certificate, getattr(certificate, "lapses", frozenset()))
    except PARSE_ERRORS as error:
        loose = None if isinstance(certificate, Loose) else _loosely(certificate.public_bytes(Encoding.DER))
        if loose is None:
            raise CertificateError(Kind.MALFORMED, _one_line(error)) from None
    try:
        return _facts(loose.form, certificate, loose.lapses)
    except PARSE_ERRORS as error:
        raise CertificateError(Kind.MALFORMED, _one_line(error)) from None


def _facts(certificate: x509.Certificate, original: x509.Certificate, lapses: frozenset[Lapse]) -> Facts:
    if certificate.version is not x509.Version.v3:
        raise ValueError(f"version {certificate.version.name} where v3 is required")
    serial = certificate.serial_number
    if serial <= 0 or serial.bit_length() > 8 * SERIAL_LIMIT - 1:
        raise ValueError(f"serial number {serial:#x} is not a positive integer of at most {SERIAL_LIMIT} octets")
    extensions = {type(extension.value): extension for extension in certificate.extensions}
    constraints, usage = extensions.get(x509.BasicConstraints), extensions.get(x509.KeyUsage)
    alternative = _value(extensions, x509.SubjectAlternativeName)
    return Facts(
        certificate=original,
        lapses=lapses,
        octets=len(original.public_bytes(Encoding.DER)),
        subject=certificate.subject.public_bytes(),
        issuer=certificate.issuer.public_bytes(),
        name=certificate.subject.rfc4514_string(),
        key=key_name(cast(Any, certificate.public_key())),
        signature=SIGNATURE_NAMES.get(certificate.signature_algorithm_oid, certificate.signature_algorithm_oid.dotted_string),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        common_names=_names(certificate.subject, NameOID.COMMON_NAME),
        domain_components=_names(certificate.subject, NameOID.DOMAIN_COMPONENT),
        other_names=_other_names(certificate.subject),
        dns_names=tuple(alternative.get_values_for_type(x509.DNSName)) if alternative else (),
        authority=constraints.value.ca if constraints else None,
        constraints_critical=constraints.critical if constraints else False,
        path_length=constraints.value.path_length if constraints else None,
        usage=frozenset(bit for bit in USAGE_BITS if getattr(usage.value, bit)) if usage else None,
        usage_critical=usage.critical if usage else False,
        purposes=frozenset(purposes) if (purposes := _value(extensions, x509.ExtendedKeyUsage)) is not None else None,
        purposes_critical=extensions[x509.ExtendedKeyUsage].critical if x509.ExtendedKeyUsage in extensions else False,
        bounds=tuple(name for kind, name in BOUNDS.items() if kind in extensions),
        unknown_critical=_unknown_critical(extensions.values()),
        key_identifier=getattr(_value(extensions, x509.SubjectKeyIdentifier), "digest", None),
        issuer_key_identifier=getattr(_value(extensions, x509.AuthorityKeyIdentifier), "key_identifier", None),
        issuer_serial=getattr(_value(extensions, x509.AuthorityKeyIdentifier), "authority_cert_serial_number", None),
        ocsp_urls=_ocsp_urls(_value(extensions, x509.AuthorityInformationAccess)),
        crl_urls=_crl_urls(_value(extensions, x509.CRLDistributionPoints)),
    )


def _value(extensions: dict[type, Any], kind: type) -> Any:
    extension = extensions.get(kind)
    return None if extension is None else extension.value


def _names(name: x509.Name, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    found = tuple(str(attribute.value) for attribute in name.get_attributes_for_oid(oid))
    for value in found:
        if not value or any(ord(character) < 0x20 for character in value):
            raise ValueError(f"the name {value!r} is empty or holds control characters")
    return found


def _other_names(name: x509.Name) -> tuple[str, ...]:
    known = (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
    return tuple(attribute.rfc4514_attribute_name for attribute in name if attribute.oid not in known)


def _unknown_critical(extensions: Iterable[Any]) -> tuple[str, ...]:
    return tuple(
        extension.oid.dotted_string for extension in extensions if extension.critical and not isinstance(extension.value, UNDERSTOOD)
    )


def _ocsp_urls(access: x509.AuthorityInformationAccess | None) -> tuple[str, ...]:
    return tuple(
        description.access_location.value
        for description in access or ()
        if description.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(description.access_location, x509.UniformResourceIdentifier)
    )


def _crl_urls(points: x509.CRLDistributionPoints | None) -> tuple[str, ...]:
    names = (name for point in points or () for name in point.full_name or ())
    return tuple(name.value for name in names if isinstance(name, x509.UniformResourceIdentifier))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
