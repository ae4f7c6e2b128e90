"""Revocation: OCSP requests, responses and verdicts, and revocation lists. Pure; HTTP is in `v2gkit.authorities`.

    der = request(certificate, issuer)                                  # what to send to a responder
    status = check(response, certificate, issuer, now)                  # Good until `next_update`, or CertificateError
    responder = Responder(authority, signer, lookup); responder.answer(der, now)

A response counts when the issuing authority or a responder it delegated signed it, it is about this certificate, and it is in time. One
that is valid for longer than a week is refused [V2G20-1021].
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp

from pki import keys
from pki.certificate import PARSE_ERRORS, directly_issued, facts
from pki.errors import CertificateError, Kind
from pki.keys import ALGORITHMS, PrivateKey, algorithm_of, key_name, raw_public
from pki.profiles import OCSP_SIGNING
from pki.verify import SIGNED_WITH

MAX_VALIDITY = timedelta(days=7)  # of a response [V2G20-1021]
CLOCK_SKEW = timedelta(minutes=5)  # a responder's clock may run ahead of ours by this much
MAX_RESPONSE = 16_384  # octets; one with a P-521 responder certificate has about 1200
MAX_NONCE = 32  # octets [RFC 8954]
DIGESTS: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


@dataclass(frozen=True, slots=True)
class Good:
    """The verdict that a certificate is not revoked, as its authority stated at `this_update`."""

    this_update: datetime
    next_update: datetime


@dataclass(frozen=True, slots=True)
class Revocation:
    """The revocation of a certificate: when and why (a value of `x509.ReasonFlags`)."""

    at: datetime
    reason: str = "unspecified"


Lookup = Callable[[int], Revocation | Literal["good", "unknown"]]
"""Gives what an authority knows of a serial number."""


# --- asking ---


def request(certificate: x509.Certificate, issuer: x509.Certificate, nonce: bytes | None = None) -> bytes:
    """An OCSPRequest (DER) for one certificate. A `nonce` (1 to 32 octets) detects replayed responses; for stapling there is none."""
    named = certificate_id(certificate, issuer, hashes.SHA256())
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(*named, hashes.SHA256())
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


# --- answering ---


@dataclass(frozen=True, slots=True)
class Responder:
    """Answers OCSP requests for one authority, with the authority's own key or that of a responder certificate it issued."""

    authority: x509.Certificate
    certificate: x509.Certificate  # of the signer; the authority's own, or delegated
    key: PrivateKey
    lookup: Lookup
    validity: timedelta = timedelta(days=1)

    def speaks_for(self, request: ocsp.OCSPRequest) -> bool:
        """Whether the request is about a certificate of this authority."""
        return (request.issuer_name_hash, request.issuer_key_hash) == _hashes_of(self.authority, request.hash_algorithm)

    def named(self, digest: str) -> tuple[bytes, bytes]:
        """The hashes of name and key by which requests name this authority; `digest` is one of `DIGESTS`."""
        return _hashes_of(self.authority, DIGESTS[digest]())

    def answer(self, request: ocsp.OCSPRequest, now: datetime) -> bytes:
        """An OCSPResponse (DER) to a request for which `speaks_for` is true."""
        return self._signed(request.serial_number, request.hash_algorithm, now, _nonce(request))

    def staple(self, certificate: x509.Certificate, now: datetime) -> bytes:
        """An OCSPResponse (DER) about one certificate, without a request: for a station to staple."""
        return self._signed(certificate.serial_number, hashes.SHA256(), now, None)

    def _signed(self, serial: int, algorithm: hashes.HashAlgorithm, now: datetime, nonce: bytes | None) -> bytes:
        found = self.lookup(serial)
        revoked = found if isinstance(found, Revocation) else None
        status = ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD if found == "good" else ocsp.OCSPCertStatus.UNKNOWN
        name, key = _hashes_of(self.authority, algorithm)
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=name,
            issuer_key_hash=key,
            serial_number=serial,
            algorithm=algorithm,
            cert_status=status,
            this_update=now,
            next_update=now + self.validity,
            revocation_time=revoked.at if revoked else None,
            revocation_reason=x509.ReasonFlags(revoked.reason) if revoked else None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate).certificates([self.certificate])
        if nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
        return builder.sign(self.key, algorithm_of(self.key).hash).public_bytes(Encoding.DER)


def answer(responders: Iterable[Responder], der: bytes, now: datetime) -> bytes:
    """The OCSPResponse (DER) to any octets, by the responder for the authority asked about; else unauthorized or malformedRequest."""
    try:
        asked = ocsp.load_der_ocsp_request(der)
        speaking = next((responder for responder in responders if responder.speaks_for(asked)), None)
        if speaking is not None:
            return speaking.answer(asked, now)
        status = ocsp.OCSPResponseStatus.UNAUTHORIZED
    except (*PARSE_ERRORS, NotImplementedError):
        status = ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


# --- judging ---


def check(der: bytes, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime, *, nonce: bytes | None = None) -> Good:
    """The status "good" by an OCSP response (DER). Raises CertificateError: REVOKED, or STATUS_UNKNOWN for one that proves nothing."""
    try:
        if len(der) > MAX_RESPONSE:
            raise ValueError(f"{len(der)} octets of response, more than {MAX_RESPONSE}")
        return _check(ocsp.load_der_ocsp_response(der), certificate, issuer, now, nonce)
    except CertificateError as error:
        if error.kind is Kind.REVOKED:
            raise
        raise _unknown(error.reason, error.requirement) from None
    except (*PARSE_ERRORS, UnsupportedAlgorithm) as error:
        raise _unknown(f"no OCSP response: {' '.join(str(error).split())[:160]}") from None


def _check(
    response: ocsp.OCSPResponse, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime, nonce: bytes | None
) -> Good:
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise _unknown(f"the responder says {response.response_status.name.lower()}")
    _demand_signer(response, certificate, issuer, now)
    if nonce is not None and _nonce(response) != nonce:
        raise _unknown("the response does not carry the nonce of the request")
    single = next((one for one in response.responses if _speaks_of(one, certificate, issuer)), None)
    if single is None:
        raise _unknown("the response speaks of another certificate")
    this_update, next_update = single.this_update_utc, single.next_update_utc
    if this_update > now + CLOCK_SKEW:
        raise _unknown(f"the response is of {this_update:%Y-%m-%d %H:%M} UTC, which is yet to come")
    if next_update is None or now >= next_update:
        raise _unknown("the response states no end" if next_update is None else f"the response ended {next_update:%Y-%m-%d %H:%M} UTC")
    if next_update - this_update > MAX_VALIDITY:
        raise _unknown(f"the response lives {(next_update - this_update).days} days, more than {MAX_VALIDITY.days}", "V2G20-1021")
    if single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        raise CertificateError(Kind.REVOKED, f"revoked {single.revocation_time_utc:%Y-%m-%d %H:%M} UTC", requirement="V2G20-2413")
    if single.certificate_status is not ocsp.OCSPCertStatus.GOOD:
        raise _unknown("the authority does not know this certificate")
    return Good(this_update, next_update)


@dataclass(frozen=True, slots=True)
class Statement:
    """What a genuine OCSP response states about a certificate, even if the response is out of date now."""

    this_update: datetime
    good: bool
    revoked: datetime | None  # since when


def statement(der: bytes, certificate: x509.Certificate, issuer: x509.Certificate) -> Statement | None:
    """What an OCSP response (DER) states, judged at the time it was made; None for one that is not genuine or about another certificate.

    The end of a response limits its "good" only: a revocation is for ever.
    """
    try:
        response = ocsp.load_der_ocsp_response(der)
        if len(der) > MAX_RESPONSE or response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return None
        single = next((one for one in response.responses if _speaks_of(one, certificate, issuer)), None)
        if single is None:
            return None
        _demand_signer(response, certificate, issuer, single.this_update_utc)
    except (*PARSE_ERRORS, UnsupportedAlgorithm, CertificateError):
        return None
    good = single.certificate_status is ocsp.OCSPCertStatus.GOOD
    return Statement(single.this_update_utc, good, single.revocation_time_utc)


def outweighs(fresh: bytes, held: bytes, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the response `fresh` may replace `held` (both DER): a revocation is replaced only by a later response of the authority."""
    kept = statement(held, certificate, issuer)
    if kept is None or kept.revoked is None:
        return True
    said = statement(fresh, certificate, issuer)
    return said is not None and said.this_update > kept.this_update and (said.good or said.revoked is not None)


def _speaks_of(single: ocsp.OCSPSingleResponse, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if single.serial_number != certificate.serial_number:
        return False
    return (single.issuer_name_hash, single.issuer_key_hash) == _hashes_of(issuer, single.hash_algorithm)


def _demand_signer(response: ocsp.OCSPResponse, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> None:
    """The authority itself, or a responder it delegated directly and that is valid now [RFC 6960 4.2.2.2]; nobody speaks for itself."""
    for candidate in (issuer, *response.certificates[:2]):
        if not _named(response, candidate):
            continue
        if candidate is not issuer:
            if raw_public(candidate.public_key()) == raw_public(certificate.public_key()):
                raise _unknown("the response is signed by the very certificate it speaks of")
            _demand_delegated(candidate, issuer, now)
        if not _signed_by(response, candidate):
            raise _unknown("the signature of the response does not verify")
        return
    raise _unknown("the response is signed by somebody the authority did not name")


def _named(response: ocsp.OCSPResponse, candidate: x509.Certificate) -> bool:
    if response.responder_key_hash is not None:
        return response.responder_key_hash == _key_hash(candidate, hashes.SHA1())  # noqa: S303 - the key's name in OCSP
    return response.responder_name == candidate.subject


def _demand_delegated(candidate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> None:
    fact = facts(candidate)
    if not directly_issued(candidate, issuer):
        raise _unknown("the responder certificate is not issued by the authority it speaks for")
    if OCSP_SIGNING not in (fact.purposes or ()) or "digital_signature" not in (fact.usage or ()):
        raise _unknown("the responder certificate does not allow OCSP signing", "V2G20-2327")
    if not fact.not_before <= now <= fact.not_after:
        raise _unknown(f"the responder certificate is valid {fact.not_before:%Y-%m-%d} to {fact.not_after:%Y-%m-%d}")


def _signed_by(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    key: Any = signer.public_key()
    name = key_name(key)
    if name not in ALGORITHMS or facts(signer).signature not in SIGNED_WITH.values():
        return False
    return keys.verify(key, raw_signature(key, response.signature), response.tbs_response_bytes)


def raw_signature(key: ec.EllipticCurvePublicKey | ed448.Ed448PublicKey, der: bytes) -> bytes:
    """The raw form (r‖s for ECDSA) of a signature in the form of X.509."""
    length = algorithm_of(key).signature_length
    if isinstance(key, ed448.Ed448PublicKey):
        return der
    r, s = decode_dss_signature(der)
    return r.to_bytes(length // 2, "big") + s.to_bytes(length // 2, "big")


def certificate_id(certificate: x509.Certificate, issuer: x509.Certificate, algorithm: hashes.HashAlgorithm) -> tuple[bytes, bytes, int]:
    """The name of a certificate in OCSP: hash of its issuer's name, hash of its issuer's key, serial number [RFC 6960 4.1.1]."""
    return (*_hashes_of(issuer, algorithm), certificate.serial_number)


def _hashes_of(issuer: x509.Certificate, algorithm: hashes.HashAlgorithm) -> tuple[bytes, bytes]:
    """Hash of the issuer's name and of its key: how OCSP names an authority."""
    if algorithm.name not in DIGESTS:
        raise ValueError(f"hash {algorithm.name} names no authority")
    return _hashed(issuer.subject.public_bytes(), algorithm), _key_hash(issuer, algorithm)


def _key_hash(certificate: x509.Certificate, algorithm: hashes.HashAlgorithm) -> bytes:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _hashed(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint), algorithm)
    if isinstance(key, ed448.Ed448PublicKey):
        return _hashed(key.public_bytes(Encoding.Raw, PublicFormat.Raw), algorithm)
    raise ValueError(f"a {key_name(key)} key answers for nobody in ISO 15118")


def _hashed(octets: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(octets)
    return digest.finalize()


def _nonce(message: ocsp.OCSPRequest | ocsp.OCSPResponse) -> bytes | None:
    try:
        found = message.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return None
    return found if 0 < len(found) <= MAX_NONCE else None


def _unknown(reason: str, requirement: str | None = None) -> CertificateError:
    return CertificateError(Kind.STATUS_UNKNOWN, reason, requirement=requirement)


# --- revocation lists ---


def revocation_list(
    authority: x509.Certificate, key: PrivateKey, revoked: dict[int, Revocation], now: datetime, validity: timedelta = MAX_VALIDITY
) -> x509.CertificateRevocationList:
    """A CRL of an authority, signed by its key; `revoked` are revocations by serial number."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(authority.subject).last_update(now).next_update(now + validity)
    for serial, revocation in sorted(revoked.items()):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(revocation.at)
        if revocation.reason != "unspecified":
            entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags(revocation.reason)), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(key, algorithm_of(key).hash)


def check_list(crl: x509.CertificateRevocationList, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Good:
    """The status "good" by a revocation list. Raises CertificateError: REVOKED, even by an outdated list, or STATUS_UNKNOWN."""
    key = cast(Any, issuer.public_key())
    if crl.issuer != issuer.subject or key_name(key) not in ALGORITHMS or not crl.is_signature_valid(key):
        raise _unknown("the revocation list is not signed by this authority")
    entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if entry is not None:
        reason = f"revoked {entry.revocation_date_utc:%Y-%m-%d %H:%M} UTC, says the revocation list"
        raise CertificateError(Kind.REVOKED, reason, requirement="V2G20-2413")
    if any(extension.critical for extension in crl.extensions):  # it may be a part of the list only
        raise _unknown("the revocation list has a critical extension that is not understood")
    if not current(crl, now):
        raise _unknown("the revocation list is not of now")
    assert crl.next_update_utc is not None
    return Good(crl.last_update_utc, crl.next_update_utc)


def current(crl: x509.CertificateRevocationList, now: datetime) -> bool:
    """Whether a revocation list is valid at `now`."""
    return crl.next_update_utc is not None and crl.last_update_utc - CLOCK_SKEW <= now < crl.next_update_utc
