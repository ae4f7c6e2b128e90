"""A revocation is final: whoever is revoked cannot undo it by another signature, by waiting, or by an older word."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.errors import CertificateError, Kind
from pki.profiles import Role
from pki.status import Lookup, Responder, Revocation, outweighs, revocation_list, statement
from pki.status_book import Silence, StatusBook, by_records
from pki.store import Store
from pki.verify import verify
from tests.pki.sample_pki import NOW, anchors, hierarchy
from v2gkit.authorities.broken import Bench
from v2gkit.authorities.broken_form import other_half

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ROLES = [Role.SECC, Role.VEHICLE, Role.CONTRACT]
GOOD: Lookup = lambda serial: "good"  # noqa: E731
UNKNOWN: Lookup = lambda serial: "unknown"  # noqa: E731
REVOKED: Lookup = lambda serial: Revocation(NOW - DAY, "keyCompromise")  # noqa: E731


def said(role: Role, lookup: Lookup, at: datetime = NOW, validity: timedelta = DAY) -> bytes:
    issuer = hierarchy()[role].issuer
    assert issuer is not None
    return Responder(issuer.certificate, issuer.certificate, issuer.key, lookup, validity).staple(hierarchy()[role].certificate, at)


def listed(role: Role, at: datetime, *revoked: Role) -> x509.CertificateRevocationList:
    issuer = hierarchy()[role].issuer
    assert issuer is not None
    serials = {hierarchy()[one].certificate.serial_number: Revocation(NOW - DAY) for one in revoked}
    return revocation_list(issuer.certificate, issuer.key, serials, at, validity=DAY)


def judged(role: Role, book: StatusBook, now: datetime = NOW, chain: tuple[x509.Certificate | bytes, ...] = ()) -> Kind | None:
    try:
        verify(chain or hierarchy()[role].chain, role, anchors(), now, status=book.status)
    except CertificateError as error:
        return error.kind
    return None


def book_of(role: Role, *responses: bytes, crls: tuple[x509.CertificateRevocationList, ...] = ()) -> StatusBook:
    book, (leaf, issuer, *_) = StatusBook(Silence.PASSES, crls), hierarchy()[role].chain
    for response in responses:
        book.learn(leaf, issuer, response)
    return book


@pytest.mark.parametrize("curve", ["secp521r1", "secp256r1"])
@pytest.mark.parametrize("role", ROLES)
def test_another_signature_of_the_issuer_makes_no_other_certificate(role: Role, curve: str, tmp_path: Path) -> None:
    """ECDSA knows (r, s) and (r, n-s): anybody can turn the one into the other, and both verify."""
    one = hierarchy(curve)[role]
    leaf, issuer = one.chain[:2]
    twin = x509.load_der_x509_certificate(other_half(leaf))
    assert (twin.tbs_certificate_bytes, twin.signature != leaf.signature, twin != leaf) == (leaf.tbs_certificate_bytes, True, True)
    twin.verify_directly_issued_by(issuer)
    assert one.issuer is not None
    response = Responder(issuer, issuer, one.issuer.key, REVOKED).staple(leaf, NOW)
    store = Store(tmp_path)
    store.save_response(leaf, issuer, response)
    book = StatusBook(Silence.PASSES)
    book.learn(leaf, issuer, response)
    for status in (book.status, by_records(store, Silence.PASSES)):
        with pytest.raises(CertificateError) as caught:
            status(twin, issuer, NOW)
        assert caught.value.kind is Kind.REVOKED
    assert store.response_path(twin, issuer) == store.response_path(leaf, issuer)


def test_every_signature_of_a_chain_may_be_turned_and_the_chain_stays_what_it_is() -> None:
    chain = tuple(other_half(one) for one in hierarchy()[Role.VEHICLE].chain)
    book = book_of(Role.VEHICLE, said(Role.VEHICLE, REVOKED))
    assert judged(Role.VEHICLE, book, chain=chain) is Kind.REVOKED
    assert judged(Role.VEHICLE, StatusBook(Silence.PASSES), chain=chain) is None  # a valid chain, as it must be
    assert judged(Role.VEHICLE, StatusBook(Silence.PASSES, [listed(Role.VEHICLE, NOW, Role.VEHICLE)]), chain=chain) is Kind.REVOKED


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("later", [HOUR, 2 * DAY, 30 * DAY])
def test_a_revocation_does_not_end_with_its_response(role: Role, later: timedelta) -> None:
    assert judged(role, book_of(role, said(role, REVOKED)), NOW + later) is Kind.REVOKED
    assert judged(role, book_of(role, crls=(listed(role, NOW, role),)), NOW + later) is Kind.REVOKED
    assert judged(role, book_of(role, said(role, GOOD)), NOW + later) is None  # where nothing bad was ever said, silence passes


@pytest.mark.parametrize(
    ("then", "verdict"),
    [
        (lambda: said(Role.SECC, GOOD, NOW + 3 * DAY), None),  # the authority has changed its mind, as after certificateHold
        (lambda: said(Role.SECC, GOOD, NOW - HOUR, 7 * DAY), Kind.REVOKED),  # an older word
        (lambda: said(Role.SECC, GOOD, NOW, 7 * DAY), Kind.REVOKED),  # of the same moment
        (lambda: said(Role.SECC, UNKNOWN, NOW + 3 * DAY), Kind.REVOKED),
        (lambda: b"garbage", Kind.REVOKED),
        (lambda: said(Role.CONTRACT, GOOD, NOW + 3 * DAY), Kind.REVOKED),  # of another
        (lambda: said(Role.SECC, REVOKED, NOW + 3 * DAY), Kind.REVOKED),
    ],
)
def test_only_a_newer_good_word_lifts_a_revocation(then, verdict: Kind | None, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    leaf, issuer, *_ = hierarchy()[Role.SECC].chain
    held, fresh, now = said(Role.SECC, REVOKED), then(), NOW + 3 * DAY + HOUR
    assert judged(Role.SECC, book_of(Role.SECC, held, fresh), now) is verdict
    store = Store(tmp_path)
    store.save_response(leaf, issuer, held)
    store.save_response(leaf, issuer, fresh)
    assert outweighs(fresh, held, leaf, issuer) is (store.response(leaf, issuer) == fresh)
    with_records = by_records(store, Silence.PASSES)
    if verdict is None:
        with_records(leaf, issuer, now)
    else:
        with pytest.raises(CertificateError):
            with_records(leaf, issuer, now)


@pytest.mark.parametrize(
    ("response", "crl", "verdict"),
    [
        ((GOOD, -2), (True, 0), Kind.REVOKED),  # the list is newer
        ((GOOD, 0), (True, -2), Kind.REVOKED),  # both are in time: whoever says revoked is believed
        ((GOOD, 0), (True, -48), None),  # the list has ended, and a newer word says good
        ((GOOD, -49), (True, -48), Kind.REVOKED),  # neither is in time
        ((REVOKED, -2), (False, 0), Kind.REVOKED),
        ((REVOKED, -48), (False, 0), None),
        ((UNKNOWN, 0), (True, 0), Kind.REVOKED),
        ((GOOD, 0), (False, 0), None),
    ],
)
def test_response_and_list_are_both_asked(response: tuple[Lookup, int], crl: tuple[bool, int], verdict: Kind | None) -> None:
    word = said(Role.CONTRACT, response[0], NOW + response[1] * HOUR)
    names = listed(Role.CONTRACT, NOW + crl[1] * HOUR, *([Role.CONTRACT] if crl[0] else []))
    assert judged(Role.CONTRACT, book_of(Role.CONTRACT, word, crls=(names,))) is verdict


def test_of_several_lists_each_is_read() -> None:
    lists = (listed(Role.CONTRACT, NOW - HOUR), listed(Role.CONTRACT, NOW, Role.CONTRACT))
    for crls in (lists, lists[::-1]):
        assert judged(Role.CONTRACT, book_of(Role.CONTRACT, crls=crls)) is Kind.REVOKED


def test_a_list_with_a_critical_extension_revokes_and_clears_nobody() -> None:
    issuer = hierarchy()[Role.CONTRACT].issuer
    assert issuer is not None
    part = x509.IssuingDistributionPoint(None, None, False, False, None, False, True)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject).last_update(NOW).next_update(NOW + DAY)
    crl = builder.add_extension(part, critical=True).sign(issuer.key, hash_of("secp521r1"))
    leaf = hierarchy()[Role.CONTRACT].chain[0]
    with pytest.raises(CertificateError) as caught:
        StatusBook(Silence.REFUSES, [crl]).status(leaf, issuer.certificate, NOW)
    assert "critical" in caught.value.reason


def hash_of(curve: str):  # type: ignore[no-untyped-def]
    from pki.keys import ALGORITHMS

    return ALGORITHMS[curve].hash


def test_an_ended_responder_revoked_rightly_when_it_could() -> None:
    """The responder's certificate has ended since; what it said while it could stands."""
    bench = Bench(hierarchy(), Role.SECC, NOW)
    responder = next(one for one in hierarchy().all(Role.OCSP) if one.issuer is bench.sub2)
    short = bench.again(responder, validity=2 * DAY)
    response = Responder(bench.sub2.certificate, short.certificate, short.key, REVOKED).staple(bench.leaf.certificate, NOW)
    found = statement(response, bench.leaf.certificate, bench.sub2.certificate)
    assert found is not None
    assert found.revoked == NOW - DAY
    assert judged(Role.SECC, book_of(Role.SECC, response), NOW + 20 * DAY) is Kind.REVOKED


def test_a_certificate_does_not_speak_for_itself() -> None:
    """A leaf that may sign OCSP responses, issued by the authority it would speak for: of others it may speak, of itself never."""
    from pki.profiles import OCSP_SIGNING, SERVER
    from pki.status import check

    bench = Bench(hierarchy(), Role.SECC, NOW)
    leaf = bench.again(bench.leaf, purposes=(SERVER, OCSP_SIGNING))
    voice = Responder(bench.sub2.certificate, leaf.certificate, leaf.key, GOOD)
    with pytest.raises(CertificateError) as caught:
        check(voice.staple(leaf.certificate, NOW), leaf.certificate, bench.sub2.certificate, NOW)
    assert "the very certificate it speaks of" in caught.value.reason
    assert leaf.certificate.public_bytes(Encoding.DER) != bench.leaf.certificate.public_bytes(Encoding.DER)
