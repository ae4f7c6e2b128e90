"""Certificate signing requests: made for a role, checked against it; and the attributes that an enrolment server asks for.

csr = request(PROFILES[Role.SECC], names, key)
public_key = demand_sound(csr, PROFILES[Role.SECC], authority.key)         # or CertificateError
der = attributes("secp521r1"); wanted = read_attributes(der)               # CsrAttrs of RFC 7030 4.5.2
"""

from dataclasses import dataclass
from typing import Any

from cryptography import x509

from pki.certificate import PARSE_ERRORS
from pki.der import OID, SEQUENCE, SET, elements, oid, read_oid, wrap
from pki.errors import CertificateError, Kind
from pki.issue import subject_of
from pki.keys import PrivateKey, PublicKey, algorithm_of, key_name
from pki.plan import Names
from pki.profiles import Presence, Profile

MAX_REQUEST = 5_500  # octets of PEM: what OCPP carries

EC_KEY, ED448 = "1.2.840.10045.2.1", "1.3.101.113"
CURVES = {"secp521r1": "1.3.132.0.35", "secp256r1": "1.2.840.10045.3.1.7"}
SIGNATURES = {"secp521r1": "1.2.840.10045.4.3.4", "secp256r1": "1.2.840.10045.4.3.2", "ed448": ED448}


def request(profile: Profile, names: Names, key: PrivateKey) -> x509.CertificateSigningRequest:
    """A request for a certificate of the role of `profile`, with the names it prescribes, signed by the key it is for."""
    return x509.CertificateSigningRequestBuilder().subject_name(subject_of(profile, names)).sign(key, algorithm_of(key).hash)


def renewal(certificate: x509.Certificate, key: PrivateKey) -> x509.CertificateSigningRequest:
    """A request for a successor of a certificate: the same name, for a fresh key, which signs it."""
    return x509.CertificateSigningRequestBuilder().subject_name(certificate.subject).sign(key, algorithm_of(key).hash)


def read_request(octets: bytes) -> x509.CertificateSigningRequest:
    """A request from PEM or DER of bounded length. Raises CertificateError(MALFORMED)."""
    if len(octets) > MAX_REQUEST:
        raise CertificateError(Kind.OVERSIZE, f"{len(octets)} octets of request, more than {MAX_REQUEST}")
    load = x509.load_pem_x509_csr if b"-----BEGIN" in octets else x509.load_der_x509_csr
    try:
        return load(octets)
    except PARSE_ERRORS as error:
        raise CertificateError(Kind.MALFORMED, f"no certificate request: {' '.join(str(error).split())[:160]}") from None


def demand_sound(csr: x509.CertificateSigningRequest, profile: Profile, authority: PrivateKey) -> PublicKey:
    """The public key of a request. Raises CertificateError unless it signed the request, is on the authority's curve, and the name fits."""
    try:
        key: Any = csr.public_key()
        if key_name(key) != key_name(authority):
            raise CertificateError(Kind.WEAK_ALGORITHM, f"a {key_name(key)} key under a {key_name(authority)} authority")
        if not csr.is_signature_valid:
            raise CertificateError(Kind.MALFORMED, "the request is not signed by the key it names")
        common = csr.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        components = [str(one.value) for one in csr.subject.get_attributes_for_oid(x509.NameOID.DOMAIN_COMPONENT)]
    except PARSE_ERRORS as error:
        raise CertificateError(Kind.MALFORMED, f"no sound request: {' '.join(str(error).split())[:160]}") from None
    if len(common) != 1 or not str(common[0].value).isprintable():
        raise CertificateError(Kind.WRONG_PROFILE, f"{len(common)} common names in the request where one is needed")
    if profile.domain_component_is is Presence.REQUIRED and components != [profile.domain_component]:
        shown = ", ".join(components) or "absent"
        raise CertificateError(
            Kind.WRONG_PROFILE, f"DC is {shown} in the request where {profile.role.value} needs {profile.domain_component}"
        )
    return key  # type: ignore[no-any-return]


# --- what an enrolment server wants to see in a request [RFC 7030 4.5.2] ---


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an enrolment server asks for: the curve that the key must have, and other attributes by their object identifiers."""

    curve: str | None
    oids: tuple[str, ...]


def attributes(curve: str) -> bytes:
    """CsrAttrs (DER) that ask for a key on a curve, and a request signed with the hash that goes with it."""
    key = wrap(SEQUENCE, oid(EC_KEY) + wrap(SET, oid(CURVES[curve]))) if curve in CURVES else b""
    return wrap(SEQUENCE, key + oid(SIGNATURES[curve]))


def read_attributes(der: bytes) -> Wanted:
    """What CsrAttrs (DER) ask for. Raises CertificateError(MALFORMED) for octets that are none."""
    try:
        ((tag, content),) = elements(der)
        if tag != SEQUENCE:
            raise ValueError(f"tag {tag:#04x} where a SEQUENCE is due")
        oids, curves = [], []
        for tag, value in elements(content):
            if tag == OID:
                oids.append(read_oid(value))
            elif tag == SEQUENCE:
                (_, kind), (_, values) = elements(value)
                curves += [read_oid(one) for tag, one in elements(values) if tag == OID and read_oid(kind) == EC_KEY]
            else:
                raise ValueError(f"tag {tag:#04x} among the attributes")
    except ValueError as error:
        raise CertificateError(Kind.MALFORMED, f"no CSR attributes: {error}") from None
    curve = next((name for name, dotted in CURVES.items() if dotted in curves), "ed448" if ED448 in oids else None)
    return Wanted(curve, tuple(oids))
