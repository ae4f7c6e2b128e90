"""OCSP over HTTP [RFC 6960 Appendix A]: a laboratory's responder, and a client for any responder."""

import base64
import secrets
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.certificate import facts
from pki.errors import CertificateError, Kind
from pki.profiles import ISO2, ISO20, Role
from pki.status import MAX_RESPONSE, Good, check, request
from pki.status_book import StatusBook
from pki.store import Store
from pki.verify import verify
from v2gkit.authorities import asking
from v2gkit.authorities.office import Office
from v2gkit.authorities.route import Answer, Asked, Route

RESPONSE = "application/ocsp-response"
SHORT = 255  # octets of request that may go into a GET [RFC 6960 A.1]


def routes(store: Store) -> list[Route]:
    """The routes of the responder: OCSP by POST and by GET (base64 in the path), and the revocation list of each CA by role and name."""
    office = Office(store)

    def answered(der: bytes) -> Answer:
        return Answer(office.answer(der, datetime.now(UTC)), RESPONSE)

    def get(asked: Asked) -> Answer:
        try:
            return answered(base64.b64decode(unquote(asked.path), validate=True))
        except ValueError:  # no base64, or no ASCII
            return answered(b"")

    def crl(asked: Asked) -> Answer:
        role, _, name = asked.path.removesuffix(".crl").partition("/")
        for authority in office.authorities():
            if (authority.role.value, authority.name) == (role, name):
                return Answer(office.crl(authority, datetime.now(UTC)).public_bytes(Encoding.DER), "application/pkix-crl")
        return Answer(b"", status=404)

    return [("GET", "/crl", crl), ("POST", "/ocsp", lambda asked: answered(asked.body)), ("GET", "/ocsp", get)]


def fetch(certificate: x509.Certificate, issuer: x509.Certificate, url: str | None = None, *, timeout: float = 5.0) -> tuple[bytes, Good]:
    """Ask the responder at `url`, else the one that the certificate names; its response (DER) and the verdict. `timeout` in s.

    Raises CertificateError: REVOKED, or STATUS_UNKNOWN, also where nobody answers.
    """
    nonce = secrets.token_bytes(16)
    response, now = ask(certificate, issuer, url, nonce, timeout=timeout), datetime.now(UTC)
    try:
        return response, check(response, certificate, issuer, now, nonce=nonce)
    except CertificateError as error:
        if error.kind is Kind.REVOKED:
            raise
        return response, check(response, certificate, issuer, now)  # many a responder serves what it signed before, without nonce


def ask(
    certificate: x509.Certificate, issuer: x509.Certificate, url: str | None = None, nonce: bytes | None = None, *, timeout: float = 5.0
) -> bytes:
    """Ask the responder at `url`, else the one that the certificate names; its answer, unchecked. `timeout` in s.

    Raises CertificateError(STATUS_UNKNOWN) where nobody answers.
    """
    place = url or next(iter(facts(certificate).ocsp_urls), None)
    if place is None:
        raise CertificateError(Kind.STATUS_UNKNOWN, "the certificate names no OCSP responder")
    der = request(certificate, issuer, nonce)
    try:
        return asking.ask(place, der, {"Content-Type": "application/ocsp-request"}, timeout=timeout, limit=MAX_RESPONSE)
    except asking.NotAnswered as error:
        raise CertificateError(Kind.STATUS_UNKNOWN, str(error)) from None


def refresh(store: Store, now: datetime, url: str | None = None) -> int:
    """Fetch OCSP responses for a station's chains into the store, where there is none or it has lived half its time; returns how many.

    Raises CertificateError, also for a chain of the station that fails verification.
    """
    fetched = 0
    for credential in store.credentials(Role.SECC):
        rules = ISO2 if credential.curve in ISO2.algorithms else ISO20
        proof = verify(credential.chain, Role.SECC, store.anchors, now, rules=rules)
        for certificate, issuer in zip(proof.chain, (*proof.chain[1:], proof.anchor), strict=True):
            book = StatusBook()
            if held := store.response(certificate, issuer):
                book.learn(certificate, issuer, held)
            if book.stale(certificate, issuer, now):
                store.save_response(certificate, issuer, fetch(certificate, issuer, url)[0])
                fetched += 1
    return fetched


def get_url(base: str, der: bytes) -> str:
    """The URL for an OCSP request (DER) by GET, which caches can serve."""
    if len(der) > SHORT:
        raise ValueError(f"{len(der)} octets of request, and a GET carries {SHORT}")
    return f"{base.rstrip('/')}/{quote(base64.b64encode(der).decode(), safe='')}"
