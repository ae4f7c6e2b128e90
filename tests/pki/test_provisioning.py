"""CertificateInstallation of both generations: delivered, taken, and every way it must not be taken (S-CIN, E-AUT-08)."""

import json
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed448, x448
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import envelope, provisioning2
from pki import signature as xmldsig
from pki.authorization import Refusal
from pki.curve448 import agreement_key, agreement_public_key
from pki.envelope import Sealed, new_contract_key, seal, seal2, unseal, unseal2
from pki.errors import CertificateError, EnvelopeError, Flaw, SignatureError
from pki.keys import ALGORITHMS, PrivateKey, belongs
from pki.profiles import INTEROP, Role
from pki.provisioning import Asked, ProvisioningService, accept, ask, judge_request
from pki.verify import Anchors, verify
from tests.pki.sample_pki import NOW, anchors, hierarchy
from v2g.exi.codec import decode, encode
from v2g.exi.derive import least
from v2g.exi.errors import DecodeError
from v2g.messages import schema_set
from v2g.messages.common_messages import (
    CertificateInstallationReq,
    CertificateInstallationRes,
    EMAIDListType,
    SessionSetupReq,
    SubCertificatesType,
)
from v2g.messages.common_types import responseCodeType as Code
from v2g.messages.iso2 import msg_body
from v2g.messages.iso2.msg_data_types import EMAIDType
from v2g.messages.iso2.msg_data_types import responseCodeType as Code2
from v2gkit.authorities.broken import VARIANTS, Bench, Variant

COMMON = schema_set("common")
CURVES = ["secp521r1", "ed448"]
FOREIGN: dict[str, str] = json.loads((Path(__file__).parent / "data/iso15118-0.31.2.json").read_text())
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


@dataclass
class Hand:
    """A chain with its key, as a store would give it."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey


def hand(role: Role, curve: str = "secp521r1") -> Hand:
    one = hierarchy(curve)[role]
    return Hand(one.chain, one.key)


def contract(curve: str = "secp521r1", emaid: str = "DEV2GC00000001G", key: PrivateKey | None = None) -> Hand:
    """A contract with a key that fits its field."""
    bench = Bench(hierarchy(curve), Role.CONTRACT, NOW)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, emaid)])
    one = bench.again(bench.leaf, key=key or new_contract_key(curve), subject=name)
    return Hand(one.chain, one.key)


def request(
    curve: str = "secp521r1", asker: Hand | None = None, maximum: int = 3, wanted: tuple[str, ...] = ()
) -> CertificateInstallationReq:
    chain, signature = ask(asker or hand(Role.PROVISIONING, curve))
    bare = least(CertificateInstallationReq, OEMProvisioningCertificateChain=chain, MaximumContractCertificateChains=maximum)
    header = msgspec.structs.replace(bare.Header, SessionID=b"SESSION1", Signature=signature)
    return msgspec.structs.replace(bare, Header=header, PrioritizedEMAIDs=EMAIDListType(EMAID=wanted) if wanted else None)


def service(*contracts: Hand, curve: str = "secp521r1", **given: Any) -> ProvisioningService:
    known = {"WMIV2GKIT000000001": contracts}
    return ProvisioningService(hand(Role.CPS, curve), anchors(curve), lambda pcid: known.get(pcid, ()), secrets.token_bytes, **given)


# --- one contract, over the wire and into the car ---


@pytest.mark.parametrize("provisioning", CURVES)
@pytest.mark.parametrize("held", CURVES)
def test_a_contract_reaches_its_car(provisioning: str, held: str) -> None:
    """Also where the contract is on one curve and the provisioning certificate on the other."""
    ours = contract(held)
    sealed = service(ours, curve=provisioning).answer_exi(encode(request(provisioning), COMMON), NOW)
    response = decode(sealed, COMMON)
    assert isinstance(response, CertificateInstallationRes)
    assert (response.ResponseCode, response.Header.SessionID) == (Code.OK, b"SESSION1")
    trusted = replace(anchors(provisioning), mo=anchors(held).mo)
    installed = accept(response, hand(Role.PROVISIONING, provisioning), trusted, NOW)
    assert (installed.emaid, installed.remaining, installed.chain) == ("DEV2GC00000001G", 0, ours.chain)
    assert belongs(installed.key, ours.chain[0].public_key())
    assert installed.contract is not None
    signature = xmldsig.sign([response.SignedInstallationData], installed.key, COMMON)  # the key that came out signs
    xmldsig.verify(signature, [response.SignedInstallationData], ours.key.public_key(), COMMON)


def test_the_sizes_are_those_of_the_schema() -> None:
    for curve, length in (("secp521r1", 94), ("ed448", 84)):
        ours = contract(curve)
        sealed = seal(ours.key, ours.chain[0], hand(Role.PROVISIONING, curve).chain[0], secrets.token_bytes)
        assert (len(sealed.public_key), len(sealed.encrypted)) == (133, length)


def test_a_car_without_a_root_of_the_provider_takes_the_contract_unproven() -> None:
    response = service(contract()).answer(request(), NOW)
    installed = accept(response, hand(Role.PROVISIONING), replace(anchors(), mo=()), NOW)
    assert installed.contract is None
    assert installed.service.role is Role.CPS


def test_several_contracts_come_one_by_one() -> None:
    names = ["DEV2GC00000001G", "DEV2GC00000002D"]
    serving = service(*(contract(emaid=name) for name in names))
    taken = [accept(serving.answer(request(), NOW), hand(Role.PROVISIONING), anchors(), NOW) for _ in names]
    assert [(one.emaid, one.remaining) for one in taken] == [(names[0], 1), (names[1], 0)]
    assert serving.answer(request(), NOW).ResponseCode is Code.WARNING_NoCertificateAvailable


def test_the_car_may_limit_and_order_what_comes() -> None:
    serving = service(*(contract(emaid=name) for name in ("DEV2GC00000001G", "DEV2GC00000002D")))
    one = accept(serving.answer(request(maximum=1, wanted=("DE-V2G-C00000002-D",)), NOW), hand(Role.PROVISIONING), anchors(), NOW)
    assert (one.emaid, one.remaining) == ("DEV2GC00000002D", 0)
    assert serving.answer(request(maximum=1), NOW).ResponseCode is Code.WARNING_NoCertificateAvailable


def test_the_service_remembers_so_many_sessions_and_no_more() -> None:
    serving = service(contract())
    for number in range(3):
        asked = request()
        header = msgspec.structs.replace(asked.Header, SessionID=bytes((number,)) * 8)
        serving.MEMORY = 2
        assert serving.answer(msgspec.structs.replace(asked, Header=header), NOW).ResponseCode is Code.OK
    assert len(serving._delivered) == 2


# --- requests that are refused ---


def answered(asked: CertificateInstallationReq, **given: Any) -> Code:
    response = service(contract(), **given).answer(asked, NOW)
    if response.ResponseCode is not Code.OK:
        assert response.Header.Signature is None
        assert not any(response.SignedInstallationData.DHPublicKey)
        encode(response, COMMON)  # schema-valid all the same
    return response.ResponseCode


def test_signatures_of_requests() -> None:
    genuine = request()
    assert answered(genuine) is Code.OK
    unsigned = msgspec.structs.replace(genuine, Header=msgspec.structs.replace(genuine.Header, Signature=None))
    foreign = request(asker=Hand(hand(Role.PROVISIONING).chain, ALGORITHMS["secp521r1"].generate()))
    chain = genuine.OEMProvisioningCertificateChain
    assert chain.SubCertificates is not None
    fewer = SubCertificatesType(Certificate=chain.SubCertificates.Certificate[:1])
    changed = msgspec.structs.replace(genuine, OEMProvisioningCertificateChain=msgspec.structs.replace(chain, SubCertificates=fewer))
    for wrong in (unsigned, foreign, changed):
        assert answered(wrong) is Code.FAILED_SignatureError


IN_A_MESSAGE = [one for one in VARIANTS if Role.PROVISIONING in one.roles and one.name not in ("oversize", "garbage", "empty", "trailing")]
ANSWERS = {"expired": Code.WARNING_CertificateExpired, "not-yet-valid": Code.WARNING_CertificateNotYetValid}


@pytest.mark.parametrize("variant", IN_A_MESSAGE, ids=lambda one: one.name)
def test_broken_provisioning_chains(variant: Variant) -> None:
    from v2g.messages.common_messages import SignedCertificateChainType

    leaf, *subs = variant.chain(Bench(hierarchy(), Role.PROVISIONING, NOW))[:4]
    chain = SignedCertificateChainType(
        Id="id1", Certificate=leaf, SubCertificates=SubCertificatesType(Certificate=tuple(subs)) if subs else None
    )
    asked = request()
    signature = xmldsig.sign([chain], hand(Role.PROVISIONING).key, COMMON)
    asked = msgspec.structs.replace(
        asked, OEMProvisioningCertificateChain=chain, Header=msgspec.structs.replace(asked.Header, Signature=signature)
    )
    code = answered(asked)
    if variant.verdict is None:
        assert code is Code.OK
    else:
        assert code is ANSWERS.get(variant.name, code)
        assert code.value.startswith(("WARNING_Certificate", "FAILED_SignatureError"))


@pytest.mark.parametrize("role", [Role.VEHICLE, Role.SECC, Role.CONTRACT])
def test_other_certificates_are_no_provisioning_certificates(role: Role) -> None:
    assert answered(request(asker=hand(role))) is Code.WARNING_CertificateValidationError


def test_an_unknown_car_has_no_contract() -> None:
    assert service().answer(request(), NOW).ResponseCode is Code.WARNING_NoContractMatchingPCIDFound


def test_a_p256_car_takes_no_part() -> None:
    refusal = judge_request(request("secp256r1"), anchors("secp256r1"), NOW)
    assert isinstance(refusal, Refusal)
    relaxed = judge_request(request("secp256r1"), anchors("secp256r1"), NOW, rules=INTEROP, suites=xmldsig.INTEROP)
    assert isinstance(relaxed, Asked)
    serving = service(contract(), curve="secp256r1", rules=INTEROP, suites=xmldsig.INTEROP)
    assert serving.answer(request("secp256r1"), NOW).ResponseCode is Code.WARNING_CertificateValidationError


def test_what_is_no_request_is_no_request() -> None:
    for octets in (b"", b"\x80" * 9, encode(least(SessionSetupReq), COMMON)):
        with pytest.raises(DecodeError):
            service().answer_exi(octets, NOW)


def test_a_foreign_cars_request_is_genuine_under_interop() -> None:
    asked = decode(bytes.fromhex(FOREIGN["installation"]), COMMON)
    assert isinstance(asked, CertificateInstallationReq)
    oem = x509.load_der_x509_certificate(bytes.fromhex(FOREIGN["oem"]))
    judged = judge_request(asked, Anchors(oem=(oem,)), NOW, rules=INTEROP, suites=xmldsig.INTEROP)
    assert isinstance(judged, Asked)
    assert judged.pcid == "WMIV2GKIT000000001"


# --- responses a car must not take ---


def delivered(cps: Hand | None = None, asker: Hand | None = None) -> CertificateInstallationRes:
    serving = service(contract())
    serving.cps = cps or serving.cps
    return serving.answer(request(asker=asker), NOW)


def test_only_a_provisioning_service_of_the_v2g_root_delivers() -> None:
    for role in (Role.SECC, Role.CONTRACT, Role.TARIFF, Role.VEHICLE):
        with pytest.raises(CertificateError):
            accept(delivered(hand(role)), hand(Role.PROVISIONING), anchors(), NOW)
    with pytest.raises(CertificateError):
        accept(delivered(), hand(Role.PROVISIONING), replace(anchors(), v2g=()), NOW)


def test_signatures_of_responses() -> None:
    good = delivered()
    bare = msgspec.structs.replace(good, Header=msgspec.structs.replace(good.Header, Signature=None))
    data = good.SignedInstallationData
    swapped = msgspec.structs.replace(
        good, SignedInstallationData=msgspec.structs.replace(data, DHPublicKey=delivered().SignedInstallationData.DHPublicKey)
    )
    other = delivered(Hand(hand(Role.CPS).chain, ALGORITHMS["secp521r1"].generate()))
    for wrong, flaw in ((bare, Flaw.MISSING), (swapped, Flaw.DIGEST), (other, Flaw.SIGNATURE)):
        with pytest.raises(SignatureError) as caught:
            accept(wrong, hand(Role.PROVISIONING), anchors(), NOW)
        assert caught.value.flaw is flaw


def test_a_key_wrapped_for_another_car_does_not_open() -> None:
    bench = Bench(hierarchy(), Role.PROVISIONING, NOW)
    another = bench.again(bench.leaf, key=ALGORITHMS["secp521r1"].generate())
    with pytest.raises(EnvelopeError, match="another car"):
        accept(delivered(asker=Hand(another.chain, another.key)), hand(Role.PROVISIONING), anchors(), NOW)


def test_a_key_that_is_not_the_contracts_is_not_taken() -> None:
    ours, other = contract(), contract()
    with pytest.raises(EnvelopeError, match="not the key"):
        accept(service(Hand(ours.chain, other.key)).answer(request(), NOW), hand(Role.PROVISIONING), anchors(), NOW)


def test_a_contract_of_nobody_is_not_taken() -> None:
    bench = Bench(hierarchy(), Role.CONTRACT, NOW)
    wrong = next(one for one in VARIANTS if one.name == "expired").chain(bench)
    expired = Hand(tuple(x509.load_der_x509_certificate(one) for one in wrong), bench.leaf.key)
    with pytest.raises(CertificateError):
        accept(service(expired).answer(request(), NOW), hand(Role.PROVISIONING), anchors(), NOW)


# --- the envelope alone ---


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CURVES), st.integers(0, 226), st.integers(1, 255))
def test_any_changed_octet_is_seen(curve: str, at: int, mask: int) -> None:
    ours, car = CONTRACTS[curve], hand(Role.PROVISIONING, curve)
    octets = bytearray(SEALED[curve].public_key + SEALED[curve].encrypted)
    octets[at % len(octets)] ^= mask
    changed = replace(SEALED[curve], public_key=bytes(octets[:133]), encrypted=bytes(octets[133:]))
    with pytest.raises(EnvelopeError):
        unseal(changed, car.key, ours.chain[0], car.chain[0])


CONTRACTS = {curve: contract(curve) for curve in CURVES}
SEALED = {
    curve: seal(CONTRACTS[curve].key, CONTRACTS[curve].chain[0], hand(Role.PROVISIONING, curve).chain[0], secrets.token_bytes)
    for curve in CURVES
}


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["SECP521", "X448"]), st.binary(max_size=133), st.binary(max_size=94))
def test_any_octets_are_a_key_or_an_error(agreement: Any, public_key: bytes, encrypted: bytes) -> None:
    for curve in CURVES:
        car = hand(Role.PROVISIONING, curve)
        with pytest.raises(EnvelopeError):
            unseal(Sealed(agreement, public_key, encrypted), car.key, CONTRACTS[curve].chain[0], car.chain[0])


@pytest.mark.parametrize(
    ("name", "value"),
    [("KDF_OTHER_INFO", b"\x01\x55\x56"), ("AAD_FIELDS", ("pcid", "ski")), ("IV_FIRST", False), ("X448_PUBLIC_FIRST", False)],
)
@pytest.mark.parametrize("curve", CURVES)
def test_every_open_point_is_one_constant(name: str, value: object, curve: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other reading works as well once both ends have it; and, padding aside, the two readings do not understand each other."""
    car, ours = hand(Role.PROVISIONING, curve), CONTRACTS[curve]
    monkeypatch.setattr(envelope, name, value)
    sealed = seal(ours.key, ours.chain[0], car.chain[0], secrets.token_bytes)
    assert belongs(unseal(sealed, car.key, ours.chain[0], car.chain[0]), ours.chain[0].public_key())
    monkeypatch.undo()
    if name != "X448_PUBLIC_FIRST":
        with pytest.raises(EnvelopeError):
            unseal(sealed, car.key, ours.chain[0], car.chain[0])


def test_the_additional_data_binds_the_envelope_to_car_and_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "AAD_FIELDS", ("pcid", "ski"))
    car, ours = hand(Role.PROVISIONING), CONTRACTS["secp521r1"]
    sealed = seal(ours.key, ours.chain[0], car.chain[0], secrets.token_bytes)
    with pytest.raises(EnvelopeError, match="does not open"):
        unseal(sealed, car.key, contract().chain[0], car.chain[0])


@given(st.binary(min_size=57, max_size=57))
@settings(max_examples=40, deadline=None)
def test_the_x448_key_of_an_ed448_key_is_the_same_point(seed: bytes) -> None:
    key = ed448.Ed448PrivateKey.from_private_bytes(seed)
    derived = agreement_key(key).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert agreement_public_key(key.public_key()).public_bytes(Encoding.Raw, PublicFormat.Raw) == derived
    other = x448.X448PrivateKey.generate()
    assert other.exchange(agreement_public_key(key.public_key())) == agreement_key(key).exchange(other.public_key())


def test_the_identity_has_no_x448_counterpart() -> None:
    identity = ed448.Ed448PublicKey.from_public_bytes(b"\x01" + bytes(56))
    with pytest.raises(ValueError, match="no X448"):
        agreement_public_key(identity)


def test_an_ed448_key_that_does_not_fit_says_so() -> None:
    key = ed448.Ed448PrivateKey.from_private_bytes(bytes(56) + b"\x01")
    with pytest.raises(EnvelopeError, match="new_contract_key"):
        seal(key, contract("ed448", key=key).chain[0], hand(Role.PROVISIONING, "ed448").chain[0], secrets.token_bytes)


# --- -2 ---


def pair2() -> tuple[Hand, Hand, Hand]:
    return hand(Role.PROVISIONING, "secp256r1"), hand(Role.CONTRACT, "secp256r1"), hand(Role.CPS, "secp256r1")


@pytest.mark.parametrize("kind", [msg_body.CertificateInstallationRes, msg_body.CertificateUpdateRes])
def test_a_contract_of_minus_2_reaches_its_car(kind: Any) -> None:
    car, ours, cps = pair2()
    trusted = anchors("secp256r1")
    if kind is msg_body.CertificateInstallationRes:
        asked, signature = provisioning2.ask_installation(car, trusted.v2g)
        proof = provisioning2.judge_request(asked, signature, trusted, NOW, subs=car.chain[1:])
        asker = car
    else:
        update, signature = provisioning2.ask_update(ours, "DEV2GC00000001G", trusted.v2g)
        proof = provisioning2.judge_request(update, signature, trusted, NOW)
        asker = ours
    body, signed = provisioning2.deliver(kind, proof.leaf, ours, cps, entropy=secrets.token_bytes)
    installed = provisioning2.accept(body, signed, asker, trusted, NOW)
    assert installed.emaid == "DEV2GC00000001G"
    assert belongs(installed.key, ours.chain[0].public_key())
    assert len(signed.SignedInfo.Reference) == 4


def test_three_of_four_references_are_not_enough() -> None:
    car, ours, cps = pair2()
    body, _ = provisioning2.deliver(msg_body.CertificateInstallationRes, car.chain[0], ours, cps, entropy=secrets.token_bytes)
    parts = provisioning2.signed_parts(body)
    for left_out in range(4):
        signature = xmldsig.sign(parts[:left_out] + parts[left_out + 1 :], cps.key, schema_set("iso2"))
        with pytest.raises(SignatureError) as caught:
            provisioning2.accept(body, signature, car, anchors("secp256r1"), NOW)
        assert caught.value.flaw is Flaw.REFERENCES


def test_a_changed_emaid_of_minus_2_is_seen() -> None:
    car, ours, cps = pair2()
    body, signature = provisioning2.deliver(msg_body.CertificateInstallationRes, car.chain[0], ours, cps, entropy=secrets.token_bytes)
    changed = msgspec.structs.replace(body, eMAID=EMAIDType(Id="id4", value="DEV2GC00000002D"))
    with pytest.raises(SignatureError):
        provisioning2.accept(changed, signature, car, anchors("secp256r1"), NOW)


def test_requests_of_minus_2_have_their_codes() -> None:
    car, ours, _ = pair2()
    trusted = anchors("secp256r1")
    body, signature = provisioning2.ask_installation(Hand(car.chain, ours.key), trusted.v2g)
    with pytest.raises(SignatureError) as wrong_key:
        provisioning2.judge_request(body, signature, trusted, NOW, subs=car.chain[1:])
    body, signature = provisioning2.ask_installation(car, trusted.v2g)
    with pytest.raises(CertificateError) as no_subs:
        provisioning2.judge_request(body, signature, trusted, NOW)
    with pytest.raises(CertificateError) as ended:
        provisioning2.judge_request(body, signature, trusted, NOW.replace(year=2070), subs=car.chain[1:])
    codes = [provisioning2.code_of(caught.value) for caught in (wrong_key, no_subs, ended)]
    assert codes == [Code2.FAILED_SignatureError, Code2.FAILED_CertChainError, Code2.FAILED_CertificateExpired]


def test_a_foreign_provisioning_service_of_minus_2_is_understood() -> None:
    """Its signature over four elements, the relaxed grammar of eMAID among them. (Its key is for a car whose key is not kept.)"""
    message: Any = decode(bytes.fromhex(FOREIGN["installation2"]), schema_set("iso2"))
    body = message.Body.BodyElement
    root = x509.load_der_x509_certificate(bytes.fromhex(FOREIGN["v2g"]))
    chain = provisioning2.octets_of(body.SAProvisioningCertificateChain)
    public: Any = verify(chain, Role.CPS, Anchors(v2g=(root,)), NOW, rules=provisioning2.ISO2).leaf.public_key()
    verified = xmldsig.verify(message.Header.Signature, provisioning2.signed_parts(body), public, schema_set("iso2"), suites=xmldsig.ISO2)
    assert verified.grammar == "xmldsig"


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=65), st.binary(max_size=48))
def test_any_octets_are_a_key_of_minus_2_or_an_error(public_key: bytes, encrypted: bytes) -> None:
    car, ours, _ = pair2()
    key: Any = car.key
    with pytest.raises(EnvelopeError):
        unseal2(public_key, encrypted, key, ours.chain[0])


def test_the_cipher_of_minus_2_is_ecdh_concatkdf_cbc() -> None:
    car, ours, _ = pair2()
    key: Any = car.key
    public: Any = key.public_key()
    secret: Any = ours.key
    public_key, encrypted = seal2(secret, public, secrets.token_bytes)
    assert (len(public_key), len(encrypted)) == (65, 48)
    assert belongs(unseal2(public_key, encrypted, key, ours.chain[0]), ours.chain[0].public_key())
