"""OCSP responses broken on purpose, each with the verdict that a correct verifier reaches about the leaf they are stapled to."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from pki.errors import Kind
from pki.issue import Issued
from pki.keys import ALGORITHMS
from pki.profiles import OCSP_SIGNING, Role
from pki.status import MAX_VALIDITY, Lookup, Responder, Revocation
from v2gkit.authorities.broken import Bench

DAY = timedelta(days=1)
UNAUTHORIZED = ocsp.OCSPResponseStatus.UNAUTHORIZED


@dataclass(frozen=True, slots=True)
class StatusVariant:
    """One way to break an OCSP response, with the verdict that a correct verifier reaches."""

    name: str
    about: str
    verdict: Kind | None
    response: Callable[[Bench], bytes]


def _by(bench: Bench, signer: Issued, lookup: Lookup = lambda serial: "good", validity: timedelta = DAY) -> Responder:
    return Responder(bench.sub2.certificate, signer.certificate, signer.key, lookup, validity)


def _delegated(bench: Bench) -> Issued:
    """The responder of the authority that issued the leaf."""
    responders = bench.hierarchy.all(Role.OCSP)
    return next(one for one in responders if one.issuer is not None and one.issuer.certificate == bench.sub2.certificate)


def _other_authority(bench: Bench) -> Issued:
    """The responder of the authority above."""
    responders = bench.hierarchy.all(Role.OCSP)
    return next(one for one in responders if one.issuer is not None and one.issuer.certificate == bench.sub1.certificate)


def _saying(lookup: Lookup, **given: timedelta) -> Callable[[Bench], bytes]:
    return lambda bench: _by(bench, _delegated(bench), lookup, **given).staple(bench.leaf.certificate, bench.now)


def _at(ago: timedelta, validity: timedelta = DAY) -> Callable[[Bench], bytes]:
    return lambda bench: _by(bench, _delegated(bench), validity=validity).staple(bench.leaf.certificate, bench.now - ago)


def _signed_by(signer: Callable[[Bench], Issued]) -> Callable[[Bench], bytes]:
    return lambda bench: _by(bench, signer(bench)).staple(bench.leaf.certificate, bench.now)


def _other_certificate(bench: Bench) -> bytes:
    sibling = bench.again(bench.leaf, key=ALGORITHMS[bench.curve].generate())
    return _by(bench, _delegated(bench)).staple(sibling.certificate, bench.now)


def _ended_responder(bench: Bench) -> Issued:
    return bench.again(_delegated(bench), at=bench.now - 30 * DAY, validity=29 * DAY)


def _no_purpose(bench: Bench) -> Issued:
    return bench.again(_delegated(bench), purposes=())


def _revoked(bench: Bench) -> bytes:
    return _saying(lambda serial: Revocation(bench.now - DAY, "keyCompromise"))(bench)


def _tampered(bench: Bench) -> bytes:
    good = _saying(lambda serial: "good")(bench)
    at = good.index(bench.leaf.certificate.serial_number.to_bytes(20, "big").lstrip(b"\x00"))
    return good[:at] + bytes((good[at] ^ 1,)) + good[at + 1 :]


def _itself(bench: Bench) -> Issued:
    """The leaf with the purpose of a responder: the same key, issued by the authority it would speak for."""
    return bench.again(bench.leaf, purposes=(OCSP_SIGNING,))


def _ended_revoked(bench: Bench) -> bytes:
    lookup: Lookup = lambda serial: Revocation(bench.now - 3 * DAY)  # noqa: E731
    return _by(bench, _delegated(bench), lookup).staple(bench.leaf.certificate, bench.now - 2 * DAY)


def _unsuccessful(status: ocsp.OCSPResponseStatus) -> Callable[[Bench], bytes]:
    return lambda bench: ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


STATUS_VARIANTS: tuple[StatusVariant, ...] = (
    StatusVariant("good", "the control: by the delegated responder", None, _saying(lambda serial: "good")),
    StatusVariant("by-authority", "by the authority itself", None, _signed_by(lambda bench: bench.sub2)),
    StatusVariant("revoked", "the leaf is revoked", Kind.REVOKED, _revoked),
    StatusVariant("unknown", "the responder does not know the leaf", Kind.STATUS_UNKNOWN, _saying(lambda serial: "unknown")),
    StatusVariant("ended", "its time is over", Kind.STATUS_UNKNOWN, _at(2 * DAY)),
    StatusVariant("early", "it is of tomorrow", Kind.STATUS_UNKNOWN, _at(-DAY)),
    StatusVariant("too-long", "it lives longer than a week", Kind.STATUS_UNKNOWN, _at(timedelta(0), MAX_VALIDITY + DAY)),
    StatusVariant("other-certificate", "it speaks of a sibling", Kind.STATUS_UNKNOWN, _other_certificate),
    StatusVariant("other-authority", "by the responder of another authority", Kind.STATUS_UNKNOWN, _signed_by(_other_authority)),
    StatusVariant("by-leaf", "by the very certificate it speaks of", Kind.STATUS_UNKNOWN, _signed_by(lambda bench: bench.leaf)),
    StatusVariant("ended-responder", "by a responder certificate that has ended", Kind.STATUS_UNKNOWN, _signed_by(_ended_responder)),
    StatusVariant("no-purpose", "by a responder certificate not for OCSP", Kind.STATUS_UNKNOWN, _signed_by(_no_purpose)),
    StatusVariant("tampered", "one bit changed", Kind.STATUS_UNKNOWN, _tampered),
    StatusVariant("by-itself", "by the leaf, which may sign OCSP responses too", Kind.STATUS_UNKNOWN, _signed_by(_itself)),
    StatusVariant("ended-revoked", "revoked, and its time is over: no proof by itself", Kind.STATUS_UNKNOWN, _ended_revoked),
    StatusVariant("ended-today", "it ends this moment", Kind.STATUS_UNKNOWN, _at(DAY)),
    StatusVariant("of-30-days", "it lives 30 days", Kind.STATUS_UNKNOWN, _at(timedelta(0), 30 * DAY)),
    StatusVariant("try-later", "the responder has no time", Kind.STATUS_UNKNOWN, _unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)),
    StatusVariant("unauthorized", "the responder knows no such authority", Kind.STATUS_UNKNOWN, _unsuccessful(UNAUTHORIZED)),
    StatusVariant("oversize", "60 000 octets", Kind.STATUS_UNKNOWN, lambda bench: bytes(60_000)),
    StatusVariant("empty", "no octets", Kind.STATUS_UNKNOWN, lambda bench: b""),
    StatusVariant("garbage", "octets that are no response", Kind.STATUS_UNKNOWN, lambda bench: bytes(range(64))),
)
