"""What a station answers to a Plug & Charge authorization, case by case (S-PNC-01 to S-PNC-15)."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import signature as xmldsig
from pki.authorization import Accepted, Refusal, judge
from pki.certificate import facts
from pki.errors import CertificateError, Kind
from pki.issue import build
from pki.keys import ALGORITHMS
from pki.plan import Names, Plan
from pki.profiles import INTEROP, Role
from pki.verify import Anchors, verify
from tests.pki.sample_pki import NOW, anchors, hierarchy
from v2g.exi.codec import decode
from v2g.messages import schema_set
from v2g.messages.common_messages import (
    AuthorizationReq,
    ContractCertificateChainType,
    PnC_AReqAuthorizationModeType,
    SubCertificatesType,
)
from v2g.reasons import Reason
from v2gkit.authorities.broken import VARIANTS, Bench, Chain, Variant, octets

COMMON = schema_set("common")
CHALLENGE = bytes(range(16))
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


def request(chain: Chain, challenge: bytes = CHALLENGE) -> PnC_AReqAuthorizationModeType:
    subs = SubCertificatesType(Certificate=chain[1:4] or (b"",))
    certificates = ContractCertificateChainType(Certificate=chain[0], SubCertificates=subs)
    return PnC_AReqAuthorizationModeType(Id="id1", GenChallenge=challenge, ContractCertificateChain=certificates)


def verdict(
    mode: PnC_AReqAuthorizationModeType, key: Any = None, curve: str = "secp521r1", now: datetime = NOW, **given: Any
) -> Accepted | Refusal:
    signature = xmldsig.sign([mode], key or hierarchy(curve)[Role.CONTRACT].key, COMMON)
    return judge(mode, signature, CHALLENGE, anchors(curve), now, **given)


CHAIN = octets(hierarchy()[Role.CONTRACT])


@pytest.mark.parametrize("curve", ["secp521r1", "ed448"])
def test_a_genuine_contract_is_accepted(curve: str) -> None:
    found = verdict(request(octets(hierarchy(curve)[Role.CONTRACT])), curve=curve)
    assert isinstance(found, Accepted)
    assert (found.emaid, found.proof.expires_soon, found.grammar) == ("DEV2GC00000001G", False, "xmldsig")
    assert found.proof.role is Role.CONTRACT


def test_a_contract_near_its_end_is_accepted_and_told() -> None:
    end = facts(hierarchy()[Role.CONTRACT].certificate).not_after
    found = verdict(request(CHAIN), now=end - timedelta(days=2))
    assert isinstance(found, Accepted)
    assert found.proof.expires_soon


def refused(found: Accepted | Refusal) -> Reason:
    assert isinstance(found, Refusal), "a wrong request was accepted"
    assert found.reason
    return found.kind


def test_another_challenge() -> None:
    assert refused(verdict(request(CHAIN, bytes(16)))) is Reason.WRONG_CHALLENGE


def test_a_replay_of_an_earlier_session() -> None:
    mode = request(CHAIN)
    signature = xmldsig.sign([mode], hierarchy()[Role.CONTRACT].key, COMMON)
    assert isinstance(judge(mode, signature, CHALLENGE, anchors(), NOW), Accepted)
    assert refused(judge(mode, signature, bytes(reversed(CHALLENGE)), anchors(), NOW)) is Reason.WRONG_CHALLENGE


def test_another_key() -> None:
    assert refused(verdict(request(CHAIN), ALGORITHMS["secp521r1"].generate())) is Reason.SIGNATURE


def test_a_changed_body() -> None:
    signature = xmldsig.sign([request(CHAIN, bytes(16))], hierarchy()[Role.CONTRACT].key, COMMON)
    assert refused(judge(request(CHAIN), signature, CHALLENGE, anchors(), NOW)) is Reason.SIGNATURE


def test_no_signature() -> None:
    assert refused(judge(request(CHAIN), None, CHALLENGE, anchors(), NOW)) is Reason.SIGNATURE


def test_the_suite_of_minus_2_only_for_interop() -> None:
    mode = request(octets(hierarchy("secp256r1")[Role.CONTRACT]))
    assert refused(verdict(mode, curve="secp256r1")) is Reason.SIGNATURE
    relaxed = verdict(mode, curve="secp256r1", rules=INTEROP, suites=xmldsig.INTEROP)
    assert isinstance(relaxed, Accepted)
    assert relaxed.proof.warnings


IN_A_MESSAGE = [one for one in VARIANTS if Role.CONTRACT in one.roles and one.name != "oversize"]  # which no codec lets through
ANSWERS = {Kind.EXPIRED: Reason.CERTIFICATE_EXPIRED, Kind.NOT_YET_VALID: Reason.CERTIFICATE_NOT_YET_VALID}


@pytest.mark.parametrize("variant", IN_A_MESSAGE, ids=lambda one: one.name)
def test_every_broken_chain_has_its_answer(variant: Variant) -> None:
    bench = Bench(hierarchy(), Role.CONTRACT, NOW)
    chain = variant.chain(bench)[:4]
    found = verdict(request(chain), bench.leaf.key)  # whoever spoils a chain signs with the contract's own key
    if variant.verdict is None:
        assert isinstance(found, Accepted)
    elif variant.name in ("p384", "rsa1024", "other-generation", "leaf-by-leaf", "sub-as-leaf", "root-as-leaf"):
        assert refused(found) in (Reason.SIGNATURE, Reason.WRONG_CERTIFICATE)
    else:
        assert refused(found) is ANSWERS.get(variant.verdict, Reason.WRONG_CERTIFICATE)


def test_a_revoked_contract() -> None:
    def status(certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> str | None:
        return "revoked" if certificate.public_bytes(Encoding.DER) == CHAIN[0] else None

    assert refused(verdict(request(CHAIN), status=status)) is Reason.CERTIFICATE_REVOKED


def test_revocation_that_cannot_be_checked() -> None:
    def status(certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> str | None:
        raise CertificateError(Kind.STATUS_UNKNOWN, "no responder answers")

    assert refused(verdict(request(CHAIN), status=status)) is Reason.WRONG_CERTIFICATE


def test_a_provider_nobody_bills() -> None:
    assert refused(verdict(request(CHAIN), providers={"DE8AA"})) is Reason.UNKNOWN_PROVIDER
    assert isinstance(verdict(request(CHAIN), providers={"de-v2g"}), Accepted)


@pytest.mark.parametrize("emaid", ["DEV2GC0000000", "DEV2GC00000001X", "DEV2GC00000001GG", "C"])
def test_an_account_of_another_form_is_its_providers_to_judge(emaid: str) -> None:
    contract = hierarchy()[Role.CONTRACT]
    bench = Bench(hierarchy(), Role.CONTRACT, NOW)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, emaid)])
    chain = octets(bench.again(contract, subject=name))
    found = verdict(request(chain))
    assert isinstance(found, Accepted)
    assert (found.emaid, emaid[:40] in found.doubt) == (emaid, True)
    (note,) = verify(chain, Role.CONTRACT, anchors(), NOW).warnings  # what `pki verify` says is what the station thinks
    assert note.startswith(found.doubt)
    assert refused(verdict(request(chain), providers={"DE8AA"})) is Reason.UNKNOWN_PROVIDER


def test_the_vehicle_and_provisioning_certificates_are_no_contracts() -> None:
    for role in (Role.VEHICLE, Role.PROVISIONING, Role.SECC):
        one = build(Plan(under_v2g=("oem", "mo"), names=Names(evccid="DEV2GC00000001G")), "ed448", NOW)
        mode = request(octets(one[role]))
        signature = xmldsig.sign([mode], one[role].key, COMMON)
        only = Anchors(v2g=(one[Role.V2G_ROOT].certificate,))
        assert refused(judge(mode, signature, CHALLENGE, only, NOW)) is Reason.WRONG_CERTIFICATE


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=1600), st.lists(st.binary(max_size=200), min_size=1, max_size=3))
def test_garbage_for_certificates_is_refused_and_nothing_breaks(leaf: bytes, subs: list[bytes]) -> None:
    mode = request((leaf, *subs))
    genuine = xmldsig.sign([request(CHAIN)], hierarchy()[Role.CONTRACT].key, COMMON)
    assert refused(judge(mode, genuine, CHALLENGE, anchors(), NOW)) is Reason.WRONG_CERTIFICATE


def test_a_foreign_cars_request_is_accepted_under_interop() -> None:
    foreign = json.loads((Path(__file__).parent / "data/iso15118-0.31.2.json").read_text())
    received = decode(bytes.fromhex(foreign["authorization"]), COMMON)
    assert isinstance(received, AuthorizationReq)
    assert received.PnC_AReqAuthorizationMode is not None
    mo = x509.load_der_x509_certificate(bytes.fromhex(foreign["mo"]))
    judged = judge(
        received.PnC_AReqAuthorizationMode,
        received.Header.Signature,
        bytes.fromhex(foreign["challenge"]),
        Anchors(mo=(mo,)),
        NOW,
        rules=INTEROP,
        suites=xmldsig.INTEROP,
    )
    assert isinstance(judged, Accepted)
    assert judged.emaid == "DEV2GC00000001G"
