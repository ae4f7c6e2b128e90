"""Keeps what is known about the revocation of certificates, and decides where nothing is: the `status` that `pki.verify.verify` asks.

book = StatusBook(crls=store.crls)
book.learn(certificate, issuer, response)
verify(chain, Role.VEHICLE, anchors, now, status=book.status)
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Literal, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from pki.errors import CertificateError, Kind
from pki.status import Good, certificate_id, check, check_list, current, outweighs, statement
from pki.verify import Status

CAPACITY = 4096  # responses kept; at about 1 KB each 4 MB, and a peer cannot make it more


Name = tuple[bytes, bytes, int]  # OCSP's CertID: never the certificate's own hash, which whoever holds it can change by its signature


class Silence(Enum):
    """Whether a certificate of whose revocation nothing is known is accepted or refused."""

    REFUSES = "refuses"  # [V2G20-2409] the letter of the standard
    PASSES = "passes"  # where no responder can be reached and the operator accepts that


Revocation = Literal["known", "leaf", "strict"]
DEMANDED: dict[Revocation, int | None] = {"known": 0, "leaf": 1, "strict": None}
"""How many certificates of a chain, from the leaf on, must be known to be good. None: all of them."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A revocation, with the time at which it was stated, and whether that statement is still in time."""

    error: CertificateError
    said: datetime
    fresh: bool


@dataclass(frozen=True, slots=True)
class Told:
    """The word of an operator's backend on a certificate, which nobody signed: times are epoch s.

    A revocation holds until the backend says otherwise. That it is good holds to `until`, and never against what an authority has signed.
    """

    revoked: bool
    by: str  # who says so, in words
    at: float
    until: float

    @property
    def error(self) -> CertificateError:
        """The revocation, as an error."""
        said = datetime.fromtimestamp(self.at, UTC)
        return CertificateError(Kind.REVOKED, f"revoked, as {self.by} said {said:%Y-%m-%d %H:%M} UTC", requirement="V2G20-2413")


Word = Good | Refused | CertificateError  # what one source says of a certificate; an error: nothing that can be used


class StatusBook:
    """OCSP responses and revocation lists. A certificate that any of them calls revoked is, unless a newer one calls it good."""

    def __init__(self, silence: Silence = Silence.REFUSES, crls: Iterable[x509.CertificateRevocationList] = ()) -> None:
        self.silence = silence
        self.crls = tuple(crls)
        self._responses: dict[Name, bytes] = {}  # DER of the response

    def learn(self, certificate: x509.Certificate, issuer: x509.Certificate, response: bytes) -> None:
        """Keep an OCSP response (DER) for a certificate, unless it may not replace a kept one. The book has a limit: the oldest goes."""
        name = certificate_id(certificate, issuer, hashes.SHA256())
        held = self._responses.get(name)
        if held is not None and not outweighs(response, held, certificate, issuer):
            return
        self._responses.pop(name, None)
        if len(self._responses) >= CAPACITY:
            del self._responses[next(iter(self._responses))]
        self._responses[name] = response

    def status(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime, told: Told | None = None) -> str | None:
        """None when the certificate is good, or when nothing is known and silence passes. Raises CertificateError otherwise.

        `told` is what a backend has said besides.
        """
        if told is not None and told.revoked:
            raise told.error
        goods: list[Good] = []
        refusal: CertificateError | None = None
        revoked: list[Refused] = []
        for found in (self._by_response(certificate, issuer, now), *self._by_lists(certificate, issuer, now)):
            match found:
                case Good():
                    goods.append(found)
                case Refused():
                    revoked.append(found)
                case CertificateError():
                    refusal = found
        for one in revoked:
            if one.fresh or not any(good.this_update > one.said for good in goods):
                raise one.error
        if goods or self.silence is Silence.PASSES or (told is not None and now.timestamp() < told.until):
            return None
        raise refusal or CertificateError(Kind.STATUS_UNKNOWN, "nobody says whether it is revoked", requirement="V2G20-2409")

    def stale(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> bool:
        """Whether a new response should be fetched: none that says good is held, or the one that is has lived half its time."""
        held = self._by_response(certificate, issuer, now)
        return not isinstance(held, Good) or now >= held.this_update + (held.next_update - held.this_update) / 2

    def _by_response(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Word | None:
        response = self._responses.get(certificate_id(certificate, issuer, hashes.SHA256()))
        if response is None:
            return None
        try:
            return check(response, certificate, issuer, now)
        except CertificateError as error:
            said = statement(response, certificate, issuer)
            if said is None or said.revoked is None:
                return error
            reason = f"revoked {said.revoked:%Y-%m-%d %H:%M} UTC, which does not end with the response that said so"
            lasting = error if error.kind is Kind.REVOKED else CertificateError(Kind.REVOKED, reason, requirement="V2G20-2413")
            return Refused(lasting, said.this_update, error.kind is Kind.REVOKED)

    def _by_lists(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Iterator[Word]:
        for crl in self.crls:
            if crl.issuer != issuer.subject:
                continue
            try:
                yield check_list(crl, certificate, issuer, now)
            except CertificateError as error:
                yield error if error.kind is not Kind.REVOKED else Refused(error, crl.last_update_utc, current(crl, now))


class Records(Protocol):
    """A place where OCSP responses and revocation lists are kept, such as a `store.Store`."""

    @property
    def crls(self) -> tuple[x509.CertificateRevocationList, ...]:
        """Every revocation list that is kept."""

    def response(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bytes | None:
        """The OCSP response (DER) that is kept for a certificate, None: there is none."""

    def told(self, certificate: x509.Certificate, issuer: x509.Certificate) -> Told | None:
        """What a backend said of a certificate, None: nothing."""


def by_records(records: Records, silence: Silence = Silence.REFUSES) -> Status:
    """The status function by the records of a store: its responses, read anew each time, and its lists as they are now."""
    book = StatusBook(silence, records.crls)

    def status(certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> str | None:
        response = records.response(certificate, issuer)
        if response is not None:
            book.learn(certificate, issuer, response)
        return book.status(certificate, issuer, now, records.told(certificate, issuer))

    return status


def check_staples(
    chain: tuple[x509.Certificate, ...], anchor: x509.Certificate, staples: tuple[bytes | None, ...], now: datetime
) -> tuple[Good | None, ...]:
    """The status of each certificate of a verified chain by the OCSP response stapled to it; None where none came.

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
