"""What is known of the revocation of certificates, and what silence means: the `status` that `pki.verify.verify` asks.

book = StatusBook(crls=store.crls)
book.learn(certificate, response)
verify(chain, Role.VEHICLE, anchors, now, status=book.status)
"""

from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from typing import Literal, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from pki.errors import CertificateError, Kind
from pki.status import Good, check, check_list
from pki.verify import Status

CAPACITY = 4096  # responses kept; at about 1 KB each 4 MB, and a peer cannot make it more


class Silence(Enum):
    """What it means when nobody says anything about a certificate."""

    REFUSES = "refuses"  # [V2G20-2409] the letter of the standard
    PASSES = "passes"  # where no responder can be reached and the operator accepts that


Revocation = Literal["known", "leaf", "strict"]
DEMANDED: dict[Revocation, int | None] = {"known": 0, "leaf": 1, "strict": None}
"""What a verifier demands of a chain: how many certificates, from the leaf, must be known to be good. None: all of them."""


class StatusBook:
    """Responses and lists, each asked only while it is in time."""

    def __init__(self, silence: Silence = Silence.REFUSES, crls: Iterable[x509.CertificateRevocationList] = ()) -> None:
        self.silence = silence
        self.crls = tuple(crls)
        self._responses: dict[bytes, bytes] = {}  # SHA-256 of the certificate -> DER of the response

    def learn(self, certificate: x509.Certificate, response: bytes) -> None:
        """Keep a response; it is judged when it is asked for. The oldest goes when there is no more room."""
        self._responses.pop(_name(certificate), None)
        if len(self._responses) >= CAPACITY:
            del self._responses[next(iter(self._responses))]
        self._responses[_name(certificate)] = response

    def status(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> str | None:
        """None when the certificate is good, or when nothing is known and silence passes. Raises CertificateError otherwise."""
        refusal: CertificateError | None = None
        for ask in (self._by_response, self._by_list):
            try:
                if ask(certificate, issuer, now) is not None:
                    return None
            except CertificateError as error:
                if error.kind is Kind.REVOKED:
                    raise
                refusal = error
        if self.silence is Silence.PASSES:
            return None
        raise refusal or CertificateError(Kind.STATUS_UNKNOWN, "nobody says whether it is revoked", requirement="V2G20-2409")

    def stale(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> bool:
        """Whether a new response should be fetched: none is held, or the one that is has lived half its time."""
        try:
            held = self._by_response(certificate, issuer, now)
        except CertificateError:
            return True
        return held is None or now >= held.this_update + (held.next_update - held.this_update) / 2

    def _by_response(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Good | None:
        response = self._responses.get(_name(certificate))
        return None if response is None else check(response, certificate, issuer, now)

    def _by_list(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Good | None:
        for crl in self.crls:
            if crl.issuer == issuer.subject:
                return check_list(crl, certificate, issuer, now)
        return None


def _name(certificate: x509.Certificate) -> bytes:
    return certificate.fingerprint(hashes.SHA256())


class Records(Protocol):
    """Where responses and lists are kept: a `store.Store`."""

    @property
    def crls(self) -> tuple[x509.CertificateRevocationList, ...]: ...
    def response(self, certificate: x509.Certificate) -> bytes | None: ...


def by_records(records: Records, silence: Silence = Silence.REFUSES) -> Status:
    """Revocation by the responses that are kept now, read anew each time, and the lists that were kept when this was made."""
    book = StatusBook(silence, records.crls)

    def status(certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> str | None:
        response = records.response(certificate)
        if response is not None:
            book.learn(certificate, response)
        return book.status(certificate, issuer, now)

    return status


def check_staples(
    chain: tuple[x509.Certificate, ...], anchor: x509.Certificate, staples: tuple[bytes | None, ...], now: datetime
) -> tuple[Good | None, ...]:
    """What the responses stapled to a verified chain say, one place per certificate; None where none came.

    Raises CertificateError, with the depth, for a response that is there and does not prove its certificate good [V2G20-2413].
    """
    issuers = (*chain[1:], anchor)
    found: list[Good | None] = []
    for depth, (certificate, issuer) in enumerate(zip(chain, issuers, strict=True)):
        response = staples[depth] if depth < len(staples) else None
        try:
            found.append(None if response is None else check(response, certificate, issuer, now))
        except CertificateError as error:
            raise CertificateError(error.kind, error.reason, depth=depth, requirement=error.requirement) from None
    return tuple(found)
