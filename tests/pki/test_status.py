"""OCSP and revocation lists: who may speak for whom, for how long, and what `openssl ocsp` makes of it."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.errors import CertificateError, Kind
from pki.issue import Issued, build
from pki.keys import ALGORITHMS
from pki.plan import Plan
from pki.profiles import Role
from pki.status import MAX_RESPONSE, Good, Lookup, Responder, Revocation, answer, check, check_list, request, revocation_list
from pki.status_book import Silence, StatusBook, Told, by_records, check_staples
from pki.store import create
from pki.verify import verify
from tests.pki.sample_pki import NOW, anchors, hierarchy
from v2gkit.authorities.broken import Bench
from v2gkit.authorities.broken_status import STATUS_VARIANTS, StatusVariant

CURVES = list(ALGORITHMS)
DAY = timedelta(days=1)


def authority(role: Role = Role.CPO_SUB2, curve: str = "secp521r1") -> Issued:
    return hierarchy(curve)[role]


def responder(role: Role = Role.CPO_SUB2, curve: str = "secp521r1", lookup: Lookup = lambda serial: "good", **given: Any) -> Responder:
    speaking = authority(role, curve)
    signer = next(
        one for one in hierarchy(curve).all(Role.OCSP) if one.issuer is not None and one.issuer.certificate == speaking.certificate
    )
    return Responder(speaking.certificate, signer.certificate, signer.key, lookup, **given)


LEAF = hierarchy()[Role.SECC].certificate
ISSUER = authority().certificate


def refused(response: bytes, now: datetime = NOW, **given: Any) -> Kind:
    with pytest.raises(CertificateError) as caught:
        check(response, LEAF, ISSUER, now, **given)
    return caught.value.kind


@pytest.mark.parametrize("curve", CURVES)
def test_a_delegated_responder_answers_for_its_authority(curve: str) -> None:
    leaf, issuer = hierarchy(curve)[Role.SECC].certificate, authority(curve=curve).certificate
    speaking = responder(curve=curve)
    for response in (speaking.staple(leaf, NOW), answer([speaking], request(leaf, issuer), NOW)):
        assert check(response, leaf, issuer, NOW) == Good(NOW, NOW + DAY)
        assert len(response) < 1300


def test_an_authority_may_speak_for_itself() -> None:
    own = Responder(ISSUER, ISSUER, authority().key, lambda serial: "good")
    assert check(own.staple(LEAF, NOW), LEAF, ISSUER, NOW)


def test_revoked_and_unknown_are_said() -> None:
    revoked = responder(lookup=lambda serial: Revocation(NOW - DAY, "keyCompromise")).staple(LEAF, NOW)
    assert refused(revoked) is Kind.REVOKED
    assert ocsp.load_der_ocsp_response(revoked).revocation_reason is x509.ReasonFlags.key_compromise
    assert refused(responder(lookup=lambda serial: "unknown").staple(LEAF, NOW)) is Kind.STATUS_UNKNOWN


def test_a_response_ends_and_begins() -> None:
    response = responder().staple(LEAF, NOW)
    assert check(response, LEAF, ISSUER, NOW + DAY - timedelta(seconds=1))
    assert refused(response, NOW + DAY) is Kind.STATUS_UNKNOWN
    assert check(response, LEAF, ISSUER, NOW - timedelta(minutes=4))
    assert refused(response, NOW - timedelta(minutes=6)) is Kind.STATUS_UNKNOWN


def test_a_response_lives_a_week_at_most() -> None:
    assert check(responder(validity=7 * DAY).staple(LEAF, NOW), LEAF, ISSUER, NOW)
    assert refused(responder(validity=8 * DAY).staple(LEAF, NOW)) is Kind.STATUS_UNKNOWN


def test_a_response_about_another_certificate_says_nothing() -> None:
    other = hierarchy()[Role.CPO_SUB2].certificate
    assert refused(responder(Role.CPO_SUB1).staple(other, NOW)) is Kind.STATUS_UNKNOWN
    assert refused(responder().staple(build(Plan(), "secp521r1", NOW)[Role.SECC].certificate, NOW)) is Kind.STATUS_UNKNOWN


def test_nobody_else_may_sign() -> None:
    """The station itself, a responder of another authority, a leaf of the right authority without the purpose."""
    for signer in (hierarchy()[Role.SECC], hierarchy().all(Role.OCSP)[0], hierarchy()[Role.CPS]):
        impostor = Responder(ISSUER, signer.certificate, signer.key, lambda serial: "good")
        assert refused(impostor.staple(LEAF, NOW)) is Kind.STATUS_UNKNOWN


def test_a_responder_that_has_ended_says_nothing() -> None:
    end = responder().certificate.not_valid_after_utc
    assert refused(responder().staple(LEAF, end + DAY), end + DAY) is Kind.STATUS_UNKNOWN


def test_the_nonce_makes_a_replay_visible() -> None:
    asked = request(LEAF, ISSUER, b"n" * 16)
    fresh = answer([responder()], asked, NOW)
    assert check(fresh, LEAF, ISSUER, NOW, nonce=b"n" * 16)
    assert refused(fresh, nonce=b"m" * 16) is Kind.STATUS_UNKNOWN
    assert refused(responder().staple(LEAF, NOW), nonce=b"n" * 16) is Kind.STATUS_UNKNOWN


def test_a_responder_knows_whom_it_speaks_for() -> None:
    response = ocsp.load_der_ocsp_response(answer([responder(Role.CPO_SUB1)], request(LEAF, ISSUER), NOW))
    assert response.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED
    assert refused(answer([], request(LEAF, ISSUER), NOW)) is Kind.STATUS_UNKNOWN


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_request_has_an_answer(octets: bytes) -> None:
    response = ocsp.load_der_ocsp_response(answer([responder()], octets, NOW))
    assert response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL


GENUINE = responder().staple(LEAF, NOW)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(GENUINE) - 1), st.integers(1, 255), st.booleans())
def test_a_changed_response_proves_nothing(at: int, mask: int, cut: bool) -> None:
    changed = bytearray(GENUINE)
    changed[at] ^= mask
    response = bytes(changed[:at] if cut else changed)
    try:
        found = check(response, LEAF, ISSUER, NOW)
    except CertificateError:
        assert refused(response) is Kind.STATUS_UNKNOWN
    else:  # a change in the responder's certificate that its own signature does not cover, such as padding of a name it is not found by
        assert found == Good(NOW, NOW + DAY)


def test_an_oversize_response_is_not_parsed() -> None:
    assert refused(GENUINE + bytes(MAX_RESPONSE)) is Kind.STATUS_UNKNOWN


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("role", [Role.SECC, Role.VEHICLE, Role.CONTRACT])
@pytest.mark.parametrize("variant", STATUS_VARIANTS, ids=lambda one: one.name)
def test_every_variant_reaches_its_verdict(variant: StatusVariant, role: Role, curve: str) -> None:
    bench = Bench(hierarchy(curve), role, NOW)
    try:
        check(variant.response(bench), bench.leaf.certificate, bench.sub2.certificate, NOW)
        reached = None
    except CertificateError as error:
        reached = error.kind
    assert reached is variant.verdict


# --- lists ---


@pytest.mark.parametrize("curve", CURVES)
def test_a_revocation_list_names_the_revoked(curve: str) -> None:
    leaf, speaking = hierarchy(curve)[Role.SECC].certificate, authority(curve=curve)
    empty = revocation_list(speaking.certificate, speaking.key, {}, NOW)
    assert check_list(empty, leaf, speaking.certificate, NOW).next_update == NOW + 7 * DAY
    full = revocation_list(speaking.certificate, speaking.key, {leaf.serial_number: Revocation(NOW - DAY, "superseded")}, NOW)
    with pytest.raises(CertificateError) as caught:
        check_list(full, leaf, speaking.certificate, NOW)
    assert caught.value.kind is Kind.REVOKED


def test_a_list_of_somebody_else_or_of_yesterday_says_nothing() -> None:
    other, speaking = authority(Role.CPS_SUB2), authority()
    forged = revocation_list(speaking.certificate, other.key, {}, NOW)
    for crl, now in ((forged, NOW), (revocation_list(speaking.certificate, speaking.key, {}, NOW), NOW + 8 * DAY)):
        with pytest.raises(CertificateError) as caught:
            check_list(crl, LEAF, ISSUER, now)
        assert caught.value.kind is Kind.STATUS_UNKNOWN


# --- the book, as the verifier asks it ---


def full_book(silence: Silence = Silence.REFUSES, bad: x509.Certificate | None = None) -> StatusBook:
    book = StatusBook(silence)
    for role, certificate in zip((Role.CPO_SUB2, Role.CPO_SUB1, Role.V2G_ROOT), hierarchy()[Role.SECC].chain, strict=True):
        lookup: Lookup = (lambda serial: Revocation(NOW)) if certificate == bad else (lambda serial: "good")
        book.learn(certificate, authority(role).certificate, responder(role, lookup=lookup).staple(certificate, NOW))
    return book


def test_a_chain_is_good_when_each_certificate_is() -> None:
    chain = hierarchy()[Role.SECC].chain
    assert verify(chain, Role.SECC, anchors(), NOW, status=full_book().status)
    for depth, bad in enumerate(chain):
        with pytest.raises(CertificateError) as caught:
            verify(chain, Role.SECC, anchors(), NOW, status=full_book(bad=bad).status)
        assert (caught.value.kind, caught.value.depth) == (Kind.REVOKED, depth)


def test_silence_refuses_or_passes_as_was_decided() -> None:
    chain = hierarchy()[Role.SECC].chain
    with pytest.raises(CertificateError) as caught:
        verify(chain, Role.SECC, anchors(), NOW, status=StatusBook().status)
    assert caught.value.kind is Kind.STATUS_UNKNOWN
    assert verify(chain, Role.SECC, anchors(), NOW, status=StatusBook(Silence.PASSES).status)
    with pytest.raises(CertificateError):  # what is known is not silence
        verify(chain, Role.SECC, anchors(), NOW, status=full_book(Silence.PASSES, bad=chain[0]).status)


def test_an_ended_response_is_silence() -> None:
    chain, later = hierarchy()[Role.SECC].chain, NOW + 2 * DAY
    with pytest.raises(CertificateError):
        verify(chain, Role.SECC, anchors(), later, status=full_book().status)
    assert verify(chain, Role.SECC, anchors(), later, status=full_book(Silence.PASSES).status)


def test_a_list_speaks_where_no_response_does() -> None:
    speaking = authority()
    crl = revocation_list(speaking.certificate, speaking.key, {LEAF.serial_number: Revocation(NOW)}, NOW)
    with pytest.raises(CertificateError) as caught:
        verify(hierarchy()[Role.SECC].chain, Role.SECC, anchors(), NOW, status=StatusBook(Silence.PASSES, [crl]).status)
    assert caught.value.kind is Kind.REVOKED


def test_a_response_is_renewed_at_half_its_life() -> None:
    book = full_book()
    assert not book.stale(LEAF, ISSUER, NOW)
    assert book.stale(LEAF, ISSUER, NOW + DAY / 2)
    assert StatusBook().stale(LEAF, ISSUER, NOW)


def test_staples_are_judged_one_by_one() -> None:
    proof = verify(hierarchy()[Role.SECC].chain, Role.SECC, anchors(), NOW)
    good = responder().staple(LEAF, NOW)
    assert check_staples(proof.chain, proof.anchor, (good,), NOW)[1:] == (None, None)
    for staples, kind in (
        ((responder(validity=DAY).staple(LEAF, NOW - 2 * DAY),), Kind.STATUS_UNKNOWN),
        ((responder(lookup=lambda serial: Revocation(NOW)).staple(LEAF, NOW),), Kind.REVOKED),
        ((responder(Role.CPO_SUB1).staple(proof.chain[1], NOW),), Kind.STATUS_UNKNOWN),
        ((b"garbage",), Kind.STATUS_UNKNOWN),
    ):
        with pytest.raises(CertificateError) as caught:
            check_staples(proof.chain, proof.anchor, staples, NOW)
        assert (caught.value.kind, caught.value.depth) == (kind, 0)


# --- openssl as judge ---


@pytest.mark.skipif(which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("revoked", [False, True])
def test_openssl_reads_our_responses(revoked: bool, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    built = build(Plan(), "secp521r1", now)
    speaking, leaf = built[Role.CPO_SUB2], built[Role.SECC].certificate
    signer = next(one for one in built.all(Role.OCSP) if one.issuer is speaking)
    lookup: Lookup = lambda serial: Revocation(now - DAY) if revoked else "good"  # noqa: E731
    response = answer([Responder(speaking.certificate, signer.certificate, signer.key, lookup)], request(leaf, speaking.certificate), now)
    (tmp_path / "response").write_bytes(response)
    (tmp_path / "issuer").write_bytes(speaking.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "leaf").write_bytes(leaf.public_bytes(Encoding.PEM))
    above = [speaking.certificate, built[Role.CPO_SUB1].certificate, built[Role.V2G_ROOT].certificate]
    (tmp_path / "roots").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in above))
    command = ["openssl", "ocsp", "-sha256", "-respin", "response", "-issuer", "issuer", "-cert", "leaf", "-CAfile", "roots", "-no_nonce"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Response verify OK" in done.stderr, done.stderr
    assert ("leaf: revoked" if revoked else "leaf: good") in done.stdout


def test_the_responders_of_one_root_do_not_speak_for_another() -> None:
    other = build(Plan(), "secp521r1", NOW)
    signer = next(one for one in other.all(Role.OCSP) if one.issuer is other[Role.CPO_SUB2])
    impostor = Responder(ISSUER, signer.certificate, signer.key, lambda serial: "good")
    assert refused(impostor.staple(LEAF, NOW)) is Kind.STATUS_UNKNOWN


# --- the word of a backend, which nobody signed ---


def told(revoked: bool, until: timedelta = DAY) -> Told:
    return Told(revoked, "the CSMS", NOW.timestamp(), (NOW + until).timestamp())


def test_a_backend_that_says_revoked_is_believed_until_it_says_otherwise() -> None:
    book = StatusBook(Silence.PASSES)
    book.learn(LEAF, ISSUER, responder().staple(LEAF, NOW + DAY))
    with pytest.raises(CertificateError, match="as the CSMS said") as caught:
        book.status(LEAF, ISSUER, NOW + 2 * DAY, told(True))
    assert caught.value.kind is Kind.REVOKED
    assert book.status(LEAF, ISSUER, NOW + DAY, told(False)) is None


def test_a_backend_that_says_good_is_no_authority() -> None:
    """It breaks a silence while its word lasts, and never undoes what an authority has signed, however old that is."""
    book = StatusBook(Silence.REFUSES)
    assert book.status(LEAF, ISSUER, NOW, told(False)) is None
    with pytest.raises(CertificateError) as caught:
        book.status(LEAF, ISSUER, NOW + 2 * DAY, told(False))
    assert caught.value.kind is Kind.STATUS_UNKNOWN
    book.learn(LEAF, ISSUER, responder(lookup=lambda serial: Revocation(NOW)).staple(LEAF, NOW))
    with pytest.raises(CertificateError) as caught:
        book.status(LEAF, ISSUER, NOW + 5 * DAY, told(False, until=9 * DAY))
    assert caught.value.kind is Kind.REVOKED


def test_a_store_keeps_the_word_of_a_backend_and_reads_it_anew_each_time(tmp_path: Path) -> None:
    store = create(tmp_path / "pki", [hierarchy()])
    status = by_records(store, Silence.PASSES)
    assert status(LEAF, ISSUER, NOW) is None
    path = store.save_told(LEAF, ISSUER, told(True))
    assert store.told(LEAF, ISSUER) == told(True)
    assert not store.changed()  # nothing is to be read anew for it
    with pytest.raises(CertificateError):
        status(LEAF, ISSUER, NOW)
    store.save_told(LEAF, ISSUER, told(False))
    assert status(LEAF, ISSUER, NOW) is None
    for nonsense in (b"", b"[]", b'{"revoked": false}', b"\xff"):
        path.write_bytes(nonsense)
        with pytest.raises(CertificateError, match="take it away") as caught:
            status(LEAF, ISSUER, NOW)
        assert caught.value.kind is Kind.STATUS_UNKNOWN
