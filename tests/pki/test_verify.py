"""The verifier against chains that are wrong on purpose, and against two other verifiers."""

import base64
import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from OpenSSL import crypto

from pki.certificate import facts, read
from pki.errors import CertificateError, Kind
from pki.issue import build
from pki.keys import ALGORITHMS
from pki.order import in_order
from pki.plan import Plan
from pki.profiles import INTEROP, ISO2, ISO20, LEAVES, PROFILES, Role
from pki.store import read_chain
from pki.verify import Anchors, explain, verify
from tests.pki.sample_pki import NOW, anchors, hierarchy
from v2gkit.authorities.broken import ROLES, VARIANTS, Bench, Chain, Variant, octets

RULES = {"secp521r1": ISO20, "ed448": ISO20, "secp256r1": ISO2}
CURVES = list(RULES)
CASES = [(variant, role) for variant in VARIANTS for role in variant.roles]
NAMES = [f"{variant.name}-{role.value}" for variant, role in CASES]
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize(("variant", "role"), CASES, ids=NAMES)
def test_every_variant_reaches_its_verdict(variant: Variant, role: Role, curve: str) -> None:
    chain = variant.chain(Bench(hierarchy(curve), role, NOW))
    try:
        verify(chain, role, anchors(curve), NOW, rules=RULES[curve])
        reached = None
    except CertificateError as error:
        reached = error.kind
    assert reached is variant.judged(RULES[curve])


@pytest.mark.parametrize(("variant", "role"), CASES, ids=NAMES)
def test_explain_finds_what_verify_refuses(variant: Variant, role: Role) -> None:
    chain = variant.chain(Bench(hierarchy(), role, NOW))
    complaints = [finding for finding in explain(chain, role, anchors(), NOW) if not finding.holds]
    assert [finding.kind for finding in complaints][:1] == ([variant.verdict] if variant.verdict else [])
    assert all(finding.complaint for finding in complaints)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("role", LEAVES)
def test_a_leaf_passes_for_its_own_role_alone(role: Role, curve: str) -> None:
    for other in LEAVES:
        chain = hierarchy(curve)[other].chain
        mine = role is other or {role, other} == {Role.SECC, Role.PRIVATE_SECC} or {role, other} == {Role.CONTRACT, Role.TARIFF}
        if other in (Role.SECC, Role.CONTRACT, Role.TARIFF) and mine and role is not other:
            continue  # one is good as the other where a row differs by anchor or by name alone
        try:
            proof = verify(chain, role, anchors(curve), NOW, rules=RULES[curve])
        except CertificateError:
            assert not mine, f"{other.value} refused as {role.value}"
        else:
            assert mine, f"{other.value} accepted as {role.value}"
            assert proof.leaf == chain[0]


def test_the_proof_says_what_was_proven() -> None:
    one = hierarchy()[Role.VEHICLE]
    proof = verify(one.chain, Role.VEHICLE, anchors(), NOW)
    assert (proof.role, proof.chain, proof.anchor, proof.rules) == (Role.VEHICLE, one.chain, one.root, "iso20")
    assert proof.common_name == "WMIV2GKIT0000000001"
    assert not proof.warnings


def test_a_leaf_near_its_end_is_good_and_says_so() -> None:
    chain = hierarchy()[Role.SECC].chain
    end = facts(chain[0]).not_after
    assert verify(chain, Role.SECC, anchors(), end - timedelta(days=3)).expires_soon
    assert not verify(chain, Role.SECC, anchors(), end - timedelta(days=30)).expires_soon
    verify(chain, Role.SECC, anchors(), end)
    with pytest.raises(CertificateError) as caught:
        verify(chain, Role.SECC, anchors(), end + timedelta(seconds=1))
    assert caught.value.kind is Kind.EXPIRED


def test_an_expired_root_carries_nothing() -> None:
    root = hierarchy()[Role.V2G_ROOT].certificate
    chain = hierarchy()[Role.SECC].chain
    bench = Bench(hierarchy(), Role.SECC, NOW)
    ended = bench.again(bench.root, at=NOW - timedelta(days=9), validity=timedelta(days=8)).certificate
    assert ended.public_key() == root.public_key()
    with pytest.raises(CertificateError) as caught:
        verify(chain, Role.SECC, Anchors(v2g=(ended,)), NOW)
    assert caught.value.kind is Kind.EXPIRED
    assert caught.value.depth == 3


def test_the_rules_of_one_generation_refuse_the_other() -> None:
    for curve, rules in (("secp256r1", ISO20), ("secp521r1", ISO2), ("ed448", ISO2)):
        with pytest.raises(CertificateError) as caught:
            verify(hierarchy(curve)[Role.SECC].chain, Role.SECC, anchors(curve), NOW, rules=rules)
        assert caught.value.kind is Kind.WEAK_ALGORITHM
        verify(hierarchy(curve)[Role.SECC].chain, Role.SECC, anchors(curve), NOW, rules=INTEROP)


def test_interop_says_what_it_relaxes() -> None:
    proof = verify(hierarchy("secp256r1")[Role.PROVISIONING].chain, Role.VEHICLE, anchors("secp256r1"), NOW, rules=INTEROP)
    assert any("V2G20-2598" in warning for warning in proof.warnings)


@pytest.mark.parametrize("critical", [False, True])
def test_a_root_that_bounds_names_carries_nothing(critical: bool) -> None:
    """It may have been installed before anybody looked: what it bounds is not processed, so it is not trusted beyond it."""
    bench = Bench(hierarchy(), Role.SECC, NOW)
    bounds = x509.NameConstraints(None, [x509.DNSName("example.org")])
    bounded = bench.again(bench.root, extend=lambda extensions: [*extensions, (bounds, critical)]).certificate
    with pytest.raises(CertificateError) as caught:
        verify(hierarchy()[Role.SECC].chain, Role.SECC, Anchors(v2g=(bounded,)), NOW)
    assert (caught.value.kind, caught.value.depth) == (Kind.WRONG_PROFILE, 3)
    assert "name constraints" in caught.value.reason


def test_cross_certificates_reach_both_roots() -> None:
    built = build(Plan(v2g_roots=("A", "B"), cross=(("A", "B"),)), "secp521r1", NOW)
    root_a, root_b = (one.certificate for one in built.all(Role.V2G_ROOT)[:2])
    plain, _, bridged = built.all(Role.SECC)
    assert verify(plain.chain, Role.SECC, Anchors(v2g=(root_a,)), NOW).anchor == root_a
    assert verify(bridged.chain, Role.SECC, Anchors(v2g=(root_a,)), NOW).anchor == root_a
    assert verify(bridged.chain, Role.SECC, Anchors(v2g=(root_b,)), NOW).anchor == root_b
    with pytest.raises(CertificateError):
        verify(plain.chain, Role.SECC, Anchors(v2g=(root_b,)), NOW)


def test_families_may_hang_under_the_v2g_root() -> None:
    built = build(Plan(under_v2g=("oem", "mo")), "ed448", NOW)
    only = Anchors(v2g=(built[Role.V2G_ROOT].certificate,))
    for role in (Role.VEHICLE, Role.PROVISIONING, Role.CONTRACT):
        assert verify(built[role].chain, role, only, NOW).anchor == only.v2g[0]
    for presented, role in (
        (Role.CONTRACT, Role.VEHICLE),
        (Role.PROVISIONING, Role.VEHICLE),
        (Role.VEHICLE, Role.CONTRACT),
        (Role.SECC, Role.VEHICLE),
    ):
        with pytest.raises(CertificateError):
            verify(built[presented].chain, role, only, NOW)


def test_a_private_station_is_trusted_by_its_owner_alone() -> None:
    chain = hierarchy()[Role.PRIVATE_SECC].chain
    assert verify(chain, Role.SECC, anchors(), NOW).anchor == anchors().private[0]
    with pytest.raises(CertificateError):
        verify(chain, Role.SECC, replace(anchors(), private=()), NOW)


def test_a_status_function_decides_about_revocation() -> None:
    chain = hierarchy()[Role.CONTRACT].chain
    asked: list[x509.Certificate] = []

    def status(certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> str | None:
        asked.append(certificate)
        certificate.verify_directly_issued_by(issuer)
        return "revoked yesterday" if certificate == chain[1] else None

    with pytest.raises(CertificateError) as caught:
        verify(chain, Role.CONTRACT, anchors(), NOW, status=status)
    assert (caught.value.kind, caught.value.depth, asked) == (Kind.REVOKED, 1, list(chain[:2]))


def test_wrong_questions_are_the_callers_fault() -> None:
    with pytest.raises(ValueError, match="not a role"):
        verify(hierarchy()[Role.SECC].chain, Role.V2G_ROOT, anchors(), NOW)
    with pytest.raises(ValueError, match="aware"):
        verify(hierarchy()[Role.SECC].chain, Role.SECC, anchors(), NOW.replace(tzinfo=None))


def test_no_certificates_and_too_many() -> None:
    leaf = octets(hierarchy()[Role.SECC])[0]
    for chain, kind in (((), Kind.MALFORMED), ((leaf,) * 7, Kind.TOO_LONG)):
        with pytest.raises(CertificateError) as caught:
            verify(chain, Role.SECC, anchors(), NOW)
        assert caught.value.kind is kind


# --- octets that are not strict DER ---

LOOSE = [one for one in VARIANTS if one.lapses]


@pytest.mark.parametrize("role", [Role.SECC, Role.CONTRACT])
@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("variant", LOOSE, ids=lambda one: one.name)
def test_what_is_not_strict_der_is_read_and_judged_by_rule(variant: Variant, curve: str, role: Role) -> None:
    bench = Bench(hierarchy(curve), role, NOW)
    chain = variant.chain(bench)
    loose = next(place for place, one in enumerate(chain) if one != octets(bench.leaf)[place])
    proof = verify(chain, role, anchors(curve), NOW, rules=INTEROP)
    assert [note for note in proof.warnings if "strict DER" in note] == [
        f"certificate {loose} is not strict DER: {lapse.value}" for lapse in variant.lapses
    ]
    assert [one.public_bytes(Encoding.DER) for one in proof.chain] == list(chain)  # never the strict form
    sound = facts(bench.leaf.certificate) if loose == 0 else facts(bench.sub2.certificate)
    found = facts(proof.chain[loose])
    assert (found.name, found.usage, found.authority, found.purposes) == (sound.name, sound.usage, sound.authority, sound.purposes)
    assert (found.octets, found.certificate.serial_number) == (len(chain[loose]), sound.certificate.serial_number)
    with pytest.raises(CertificateError) as caught:
        verify(chain, role, anchors(curve), NOW, rules=replace(RULES[curve], lapses=frozenset()))
    assert (caught.value.kind, caught.value.depth, caught.value.requirement) == (Kind.MALFORMED, loose, "RFC 5280 4.1")
    assert "not strict DER" in caught.value.reason


@pytest.mark.parametrize("variant", LOOSE, ids=lambda one: one.name)
def test_a_loose_form_cannot_hide_a_change(variant: Variant) -> None:
    """The strict form is for reading alone: one bit of what is signed, or of the signature, and the chain is broken."""
    bench = Bench(hierarchy(), Role.SECC, NOW)
    chain = list(variant.chain(bench))
    loose = next(place for place, one in enumerate(chain) if one != octets(bench.leaf)[place])
    at = chain[loose].index(b"v2gkit", 150)  # in the subject
    chain[loose] = chain[loose][:at] + b"V" + chain[loose][at + 1 :]
    with pytest.raises(CertificateError) as caught:
        verify(chain, Role.SECC, anchors(), NOW, rules=INTEROP)
    assert caught.value.kind is Kind.BROKEN_CHAIN


@pytest.mark.skipif(which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("variant", LOOSE, ids=lambda one: one.name)
def test_openssl_takes_what_is_not_strict_der(variant: Variant, tmp_path: Path) -> None:
    leaf, *above = variant.chain(Bench(hierarchy(), Role.CONTRACT, NOW))
    for name, content in (("leaf", [leaf]), ("above", above), ("roots", [anchors().mo[0].public_bytes(Encoding.DER)])):
        lines = (f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(one).decode()}-----END CERTIFICATE-----\n" for one in content)
        (tmp_path / name).write_text("".join(lines))
    command = ["openssl", "verify", "-attime", str(int(NOW.timestamp())), "-CAfile", "roots", "-untrusted", "above", "leaf"]
    taken = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    assert taken is (variant.name != "padded-serial")  # the one that OpenSSL does not read either


SHARED = Path(os.environ.get("V2GKIT_SHARED", Path(__file__).parents[2] / ".." / "shared"))


@pytest.mark.skipif(not (SHARED / "cases/pki").is_dir(), reason="the files from the field are not at hand (V2GKIT_SHARED)")
@pytest.mark.parametrize("name", ["asis", "bc-false-explicit", "critical-false-explicit", "alg-null-params"])
def test_files_from_the_field(name: str) -> None:
    chain = read_chain(SHARED / f"cases/pki/contract-{name}.pem")
    (root,) = read_chain(SHARED / "cases/pki/mo-root.pem")
    when = facts(chain[0]).not_before + timedelta(days=1)
    proof = verify(chain, Role.CONTRACT, Anchors(mo=(root,)), when, rules=INTEROP)
    assert proof.common_name == "DEV2GC00000001G"
    assert any("strict DER" in note for note in proof.warnings) is (name != "asis")


def test_the_rules_of_one_generation_cite_no_requirement_of_the_other() -> None:
    for curve, rules, foreign in (("secp521r1", ISO20, "V2G2-"), ("ed448", ISO20, "V2G2-"), ("secp256r1", ISO2, "V2G20-")):
        for variant, role in CASES:
            for finding in explain(variant.chain(Bench(hierarchy(curve), role, NOW)), role, anchors(curve), NOW, rules=rules):
                assert not finding.requirement.startswith(foreign), (variant.name, finding)


@pytest.mark.parametrize("name", ["wrong-component", "no-component"])
def test_the_domain_component_of_a_station_of_minus_2_is_demanded(name: str) -> None:
    (variant,) = (each for each in VARIANTS if each.name == name)
    chain = variant.chain(Bench(hierarchy("secp256r1"), Role.SECC, NOW))
    with pytest.raises(CertificateError) as caught:
        verify(chain, Role.SECC, anchors("secp256r1"), NOW, rules=ISO2)
    assert caught.value.kind is Kind.WRONG_PROFILE
    assert "DC is " in str(caught.value)
    findings = explain(chain, Role.SECC, anchors("secp256r1"), NOW, rules=ISO2)
    assert [finding.requirement for finding in findings if not finding.holds] == ["V2G2-925"]


# --- order ---


@pytest.mark.parametrize(
    ("picks", "notes"),
    [
        ((0, 1, 2), []),
        ((0, 2, 1), ["the chain is out of order: from leaf to root it is certificates 0, 2, 1"]),
        ((0, 0, 1, 2), ["certificate 1 is certificate 0 again"]),
        ((0, 1, 2, 2), ["certificate 3 is certificate 2 again"]),
        ((0, 1, 2, 3), ["certificate 3 is a root, which stays at home: a peer trusts those it holds"]),
        ((0, 1, 4, 2), ["certificate 2 does not belong to the path"]),
        (
            (0, 3, 2, 1, 1),
            [
                "the chain is out of order: from leaf to root it is certificates 0, 3, 2",
                "certificate 1 is a root, which stays at home: a peer trusts those it holds",
                "certificate 4 is certificate 3 again",
            ],
        ),
    ],
)  # fmt: skip
def test_what_is_not_in_order_is_noted_and_arranged(picks: tuple[int, ...], notes: list[str]) -> None:
    one = hierarchy()[Role.SECC]
    held = (*one.chain, one.root, hierarchy()[Role.OEM_SUB1].certificate)
    sent = [held[pick] for pick in picks]
    served, said = in_order(sent)
    assert served[:3] == one.chain
    assert (list(said), one.root in served) == (notes, False)
    assert list(verify(sent, Role.SECC, anchors(), NOW).warnings) == notes


# --- any octets: a verdict, nothing else ---

SEEDS = [octets(hierarchy(curve)[role])[0] for curve in CURVES for role in (Role.SECC, Role.CONTRACT)]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 799), st.integers(0, 255)), min_size=1, max_size=6), st.integers(-40, 0))
def test_mutated_der_gives_a_verdict_and_nothing_else(seed: bytes, edits: list[tuple[int, int]], cut: int) -> None:
    mutated = bytearray(seed)
    for at, value in edits:
        mutated[at % len(mutated)] = value
    leaf = bytes(mutated[: cut or None])
    above = octets(hierarchy()[Role.CPO_SUB2])
    try:
        proof = verify((leaf, *above), Role.SECC, anchors(), NOW, rules=INTEROP)
    except CertificateError:
        return
    assert proof.leaf.public_bytes(Encoding.DER) == leaf
    assert leaf in SEEDS


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_random_octets_are_no_certificate(garbage: bytes) -> None:
    with pytest.raises(CertificateError):
        read(garbage)


# --- other verifiers as judges ---

GENERAL = {  # what a general RFC 5280 verifier must see as we do; the rest is V2G's own
    "good", "expired", "expired-sub2", "expired-sub1", "not-yet-valid", "not-yet-valid-sub2", "no-constraints",
    "sub-is-no-ca",
    "sub-may-not-sign", "leaf-by-leaf", "path-length", "new-key", "unknown-critical", "unknown-critical-sub", "unknown-not-critical",
    "twin-root",
    "unknown-root", "wrong-family", "self-signed", "tampered", "missing-sub2", "missing-subs", "swapped-tls", "extra", "with-root",
    "name-constraints", "name-constraints-critical", "name-constraints-sub2", "sub-for-any-purpose", "foreign-key-identifier",
    "foreign-key-identifier-sub", "under-the-root", "other-sub", "other-half", "other-halves",
}  # fmt: skip
GENERAL_CASES = [(variant, role) for variant, role in CASES if variant.name in GENERAL and role in (Role.SECC, Role.VEHICLE, Role.CONTRACT)]


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize(("variant", "role"), GENERAL_CASES, ids=lambda value: getattr(value, "name", None))
def test_pyopenssl_reaches_the_same_verdict(variant: Variant, role: Role, curve: str) -> None:
    leaf, *above = (x509.load_der_x509_certificate(one) for one in variant.chain(Bench(hierarchy(curve), role, NOW)))
    store = crypto.X509Store()
    for root in anchors(curve).trusted_for(role):
        store.add_cert(crypto.X509.from_cryptography(root))
    store.set_time(NOW.astimezone(UTC))
    context = crypto.X509StoreContext(store, crypto.X509.from_cryptography(leaf), [crypto.X509.from_cryptography(one) for one in above])
    try:
        context.verify_certificate()
        accepted = True
    except crypto.X509StoreContextError:
        accepted = False
    assert accepted == (variant.verdict is None)


@pytest.mark.skipif(which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize(
    ("variant", "role"), [case for case in GENERAL_CASES if case[1] is Role.SECC], ids=lambda value: getattr(value, "name", None)
)
def test_openssl_reaches_the_same_verdict(variant: Variant, role: Role, tmp_path: Path) -> None:
    leaf, *above = variant.chain(Bench(hierarchy(), role, NOW))
    roots = [root.public_bytes(Encoding.DER) for root in anchors().trusted_for(role)]
    for name, content in (("leaf", [leaf]), ("above", above), ("roots", roots)):
        (tmp_path / name).write_bytes(pem(tuple(content)))
    command = [
        "openssl",
        "verify",
        "-attime",
        str(int(NOW.timestamp())),
        "-CAfile",
        "roots",
        *(["-untrusted", "above"] if above else []),
        "leaf",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode == 0) == (variant.verdict is None), done.stderr


def pem(chain: Chain) -> bytes:
    return b"".join(x509.load_der_x509_certificate(one).public_bytes(Encoding.PEM) for one in chain)


def test_every_algorithm_and_role_is_covered_by_the_table() -> None:
    assert set(CURVES) == set(ALGORITHMS)
    assert set(ROLES) <= set(LEAVES) == {role for role in Role if PROFILES[role].anchors}
