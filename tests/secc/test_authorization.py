"""AuthorizationSetup, Authorization with EIM and with contracts, CertificateInstallation."""

from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from cryptography import x509

from pki import signature as xmldsig
from pki.chains import contract_chain
from pki.identifiers import check_digit
from pki.issue import Issued, build
from pki.keys import ALGORITHMS
from pki.plan import Plan
from pki.profiles import INTEROP, ISO20, Role
from pki.provisioning import ProvisioningService, ask
from pki.verify import Anchors
from secc import station as words
from secc.claims import Trust
from secc.iso20.verifier import PkiVerifier
from tests.pki.sample_pki import NOW, anchors, hierarchy
from tests.secc.aside import where  # noqa: F401
from tests.secc.scripted import Scripted, outlet
from v2g.exi.derive import least
from v2g.messages import schema_set
from v2g.messages.common_messages import (
    AuthorizationReq,
    AuthorizationSetupReq,
    CertificateInstallationReq,
    ContractCertificateChainType,
    PnC_AReqAuthorizationModeType,
    ServiceDiscoveryReq,
    SubCertificatesType,
    authorizationType,
)
from v2g.messages.common_types import ListOfRootCertificateIDsType, MessageHeaderType, processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.messages.xmldsig import SignatureValueType
from v2g.reasons import Reason
from v2g.session.endpoint import Relaxed
from v2g.session.profiles import P256_SIGNATURES
from v2g.session.v2gtp import PayloadType
from v2gkit.authorities.broken import VARIANTS, Bench, Variant
from v2gkit.authorities.broken_form import other_half

COMMON = schema_set("common")


def pnc(service: str = "DC", **changes: Any) -> Scripted:
    """A station that takes contracts, and a car before AuthorizationSetup."""
    given = {"verifier": PkiVerifier(Trust(anchors())), **changes.pop("given", {})}
    car = Scripted(outlet(authorizations=("EIM", "PnC"), **changes), epoch=NOW.timestamp(), given=given)
    car.setup(service)
    return car


def contract(curve: str = "secp521r1") -> Issued:
    return hierarchy(curve)[Role.CONTRACT]


def signed(car: Scripted, challenge: bytes, held: Issued | None = None, key: Any = None, **changes: Any) -> AuthorizationReq:
    """A PnC request, signed; `changes` are made to the mode after it was signed."""
    held = held or contract()
    mode = PnC_AReqAuthorizationModeType(Id="id1", GenChallenge=challenge, ContractCertificateChain=contract_chain(held.chain))
    signature = xmldsig.sign([mode], key or held.key, COMMON)
    return AuthorizationReq(
        Header=car.header(signature),
        SelectedAuthorizationService=authorizationType.PnC,
        PnC_AReqAuthorizationMode=msgspec.structs.replace(mode, **changes),
    )


def challenge(car: Scripted) -> bytes:
    octets: bytes = car.ask(AuthorizationSetupReq).PnC_ASResAuthorizationMode.GenChallenge
    return octets


def answer(car: Scripted, request: Any) -> Any:
    car.send(request)
    (response,) = car.answers()
    return response


# --- setup ---


def test_eim_alone_has_no_challenge() -> None:
    car = Scripted()
    car.setup()
    setup = car.ask(AuthorizationSetupReq)
    assert setup.AuthorizationServices == (authorizationType.EIM,)
    assert setup.EIM_ASResAuthorizationMode is not None
    assert setup.PnC_ASResAuthorizationMode is None


def test_with_contracts_among_the_ways_the_mode_is_pnc_with_a_challenge_of_its_own() -> None:
    challenges = {challenge(pnc(given={"entropy": lambda n, i=i: bytes([i]) * n})) for i in range(1, 6)}
    assert len(challenges) == 5
    assert {len(c) for c in challenges} == {16}


def test_contracts_are_not_offered_where_nobody_can_verify_them() -> None:
    car = Scripted(outlet(authorizations=("EIM", "PnC")))
    car.setup()
    assert car.ask(AuthorizationSetupReq).AuthorizationServices == (authorizationType.EIM,)


def test_a_refusal_out_of_order_hands_out_no_challenge() -> None:
    car = pnc()
    response = answer(car, ServiceDiscoveryReq(Header=car.header()))
    assert response.ResponseCode is Code.FAILED_SequenceError
    car = pnc()
    challenge(car)
    again = answer(car, AuthorizationSetupReq(Header=car.header()))
    assert again.ResponseCode is Code.FAILED_SequenceError
    assert again.PnC_ASResAuthorizationMode is None


# --- EIM ---


def test_eim_is_ongoing_until_somebody_decides() -> None:
    car = Scripted(auto=False)
    car.setup()
    car.ask(AuthorizationSetupReq)
    for _ in range(100):
        assert car.authorize().EVSEProcessing is processingType.Ongoing
        car.wait(0.25)
    assert len(car.wants(words.AuthorizationWanted)) == 1
    car.tell(words.Authorized())
    response = car.authorize()
    assert (response.ResponseCode, response.EVSEProcessing) == (Code.OK, processingType.Finished)


def test_eim_refused_is_a_finished_warning_and_the_car_may_try_again() -> None:
    car = Scripted(auto=False)
    car.setup()
    car.ask(AuthorizationSetupReq)
    car.authorize()
    car.tell(words.AuthorizationRefused())
    response = car.authorize()
    assert (response.ResponseCode, response.EVSEProcessing) == (Code.WARNING_EIMAuthorizationFailure, processingType.Finished)
    assert car.authorize().EVSEProcessing is processingType.Ongoing
    assert len(car.wants(words.AuthorizationWanted)) == 2
    car.tell(words.Authorized())
    assert car.authorize().ResponseCode is Code.OK
    assert car.ask(ServiceDiscoveryReq).ResponseCode is Code.OK


def test_eim_that_nobody_decides_ends_within_the_ongoing_limit() -> None:
    car = Scripted(auto=False)
    car.setup()
    car.ask(AuthorizationSetupReq)
    response = car.authorize()
    waited = 0.0
    while response.EVSEProcessing is processingType.Ongoing:
        assert waited <= 60, "it is Ongoing for ever"
        car.wait(1.0)
        waited += 1.0
        response = car.authorize()
    assert 54 <= waited <= 60
    assert response.ResponseCode is Code.WARNING_EIMAuthorizationFailure


def test_a_card_shown_early_counts() -> None:
    car = Scripted(auto=False)
    car.setup()
    car.ask(AuthorizationSetupReq)
    car.tell(words.Authorized())
    assert car.authorize().EVSEProcessing is processingType.Finished


def test_a_way_that_was_not_offered_is_a_warning_and_no_authorization() -> None:
    car = Scripted()
    car.setup()
    car.ask(AuthorizationSetupReq)
    response = answer(car, signed(car, bytes(16)))
    assert (response.ResponseCode, response.EVSEProcessing) == (Code.WARNING_AuthorizationSelectionInvalid, processingType.Finished)
    assert car.ask(ServiceDiscoveryReq).ResponseCode is Code.FAILED_SequenceError


def test_a_selection_that_its_mode_contradicts_is_no_authorization() -> None:
    car = pnc()
    request = signed(car, challenge(car))
    crossed = msgspec.structs.replace(request, SelectedAuthorizationService=authorizationType.EIM)
    assert answer(car, crossed).ResponseCode is Code.WARNING_AuthorizationSelectionInvalid
    assert car.wants(words.AuthorizationWanted) == []


# --- contracts ---


@pytest.mark.parametrize("curve", ["secp521r1", "ed448"])
def test_a_good_contract_is_asked_about_with_its_emaid_and_chain(curve: str) -> None:
    car = pnc(given={"verifier": PkiVerifier(Trust(anchors(curve)))})
    request = signed(car, challenge(car), contract(curve))
    assert answer(car, request).EVSEProcessing is processingType.Ongoing
    (wanted,) = car.wants(words.AuthorizationWanted)
    assert wanted.authorization == "PnC"
    assert wanted.emaid == "DEV2GC00000001G"
    assert len(wanted.chain) == 3
    response = answer(car, request)
    assert (response.ResponseCode, response.EVSEProcessing) == (Code.OK, processingType.Finished)
    assert car.session.context.agreement.authorization == "PnC"


def test_polling_repeats_the_claim_and_asks_once() -> None:
    car = pnc()
    car.auto = False
    request = signed(car, challenge(car))
    for _ in range(5):
        car.wait(1.0)
        header = msgspec.structs.replace(request.Header, TimeStamp=request.Header.TimeStamp + 1)
        assert answer(car, msgspec.structs.replace(request, Header=header)).EVSEProcessing is processingType.Ongoing
    assert len(car.wants(words.AuthorizationWanted)) == 1


def turned(request: AuthorizationReq) -> AuthorizationReq:
    """The signature (r, s) of a request as (r, n-s), which anybody on the way can make of it."""
    signature = request.Header.Signature
    assert signature is not None
    value, order = signature.SignatureValue.value, ALGORITHMS["secp521r1"].order
    assert order is not None
    other = value[:66] + (order - int.from_bytes(value[66:], "big")).to_bytes(66, "big")
    signed_anew = msgspec.structs.replace(signature, SignatureValue=SignatureValueType(value=other))
    return msgspec.structs.replace(request, Header=msgspec.structs.replace(request.Header, Signature=signed_anew))


def with_chain(held: Issued, *places: int) -> Issued:
    """A contract, with some signatures of its chain in their other form."""
    one, chain = held, []
    for place, certificate in enumerate(held.chain):
        turn = place in places
        chain.append(x509.load_der_x509_certificate(other_half(certificate)) if turn else certificate)
    sub2, sub1 = (Issued(one.role, "", certificate, one.key, one.issuer) for certificate in chain[1:])
    return Issued(held.role, held.name, chain[0], held.key, replace(sub2, issuer=replace(sub1, issuer=held.issuer.issuer.issuer)))  # type: ignore[union-attr]


def test_a_claim_is_the_same_however_it_is_signed() -> None:
    """A car that signs every poll anew, and copies of one poll whose signatures were turned on the way: one question for the backend."""
    car = pnc()
    car.auto = False
    octets = challenge(car)
    first = signed(car, octets)
    copies = [signed(car, octets, with_chain(contract(), *some)) for some in ((0,), (1, 2), (0, 1, 2))]
    polls = [first, signed(car, octets), turned(first), *copies]
    assert len({str((poll.Header.Signature, poll.PnC_AReqAuthorizationMode)) for poll in polls}) == len(polls)
    for poll in polls * 3:
        car.wait(1.0)
        assert answer(car, poll).EVSEProcessing is processingType.Ongoing
    assert len(car.wants(words.AuthorizationWanted)) == 1
    said = []
    for _ in range(4):
        car.wait(10.0)
        said.append(answer(car, signed(car, octets)).ResponseCode)
    assert Code.WARNING_GeneralPnCAuthorizationError in said  # and the limit is not begun anew with each


def test_each_signature_of_a_repeated_claim_must_hold() -> None:
    car = pnc()
    car.auto = False
    octets = challenge(car)
    answer(car, signed(car, octets))
    car.tell(words.Authorized())
    forged = signed(car, octets, key=hierarchy()[Role.TARIFF].key)
    assert answer(car, forged).ResponseCode is Code.FAILED_SignatureError
    assert car.session.context.agreement.authorization is None


def test_an_installation_is_the_same_however_its_certificate_is_signed() -> None:
    car, requested = pnc(certificate_installation=True), []
    challenge(car)
    own = hierarchy()[Role.PROVISIONING]
    for held in (own, with_chain(own, 0), with_chain(own, 0, 1, 2)):
        request = installation(car, held)
        requested.append(request.OEMProvisioningCertificateChain.Certificate)
        assert answer(car, request).EVSEProcessing is processingType.Ongoing
    assert len(set(requested)) == 2
    assert len(car.wants(words.CertificateInstallationWanted)) == 1


def test_an_installation_for_no_certificate_at_all_is_judged_like_any_other() -> None:
    """Its certificate has no octets, as has that of a request that was never made."""
    car = pnc(certificate_installation=True)
    challenge(car)
    sound = installation(car)
    nothing = msgspec.structs.replace(sound.OEMProvisioningCertificateChain, Certificate=b"")
    response = answer(car, msgspec.structs.replace(sound, OEMProvisioningCertificateChain=nothing))
    assert response.ResponseCode is Code.WARNING_CertificateValidationError
    assert response.EVSEProcessing is processingType.Finished
    assert not car.wants(words.CertificateInstallationWanted)


def test_a_verdict_on_one_contract_is_none_on_another() -> None:
    car = pnc()
    car.auto = False
    octets = challenge(car)
    answer(car, signed(car, octets))
    car.tell(words.Authorized())
    car.authorize()  # the car changes its mind: another claim needs another verdict
    assert car.session.context.agreement.authorization is None
    assert len(car.wants(words.AuthorizationWanted)) == 2


def second_contract() -> Any:
    """Another contract by the same sub-CA, with a key of its own."""
    from tests.pki.test_provisioning import contract as made

    body = "DEV2GC00000002"
    return made(emaid=body + check_digit(body))


def test_a_verdict_on_one_contract_is_none_on_the_next_contract() -> None:
    """The verdict on the first is there already when the second is shown."""
    car = pnc()
    car.auto = False
    octets = challenge(car)
    answer(car, signed(car, octets))
    car.tell(words.Authorized())
    other = second_contract()
    response = answer(car, signed(car, octets, other))
    assert response.EVSEProcessing is processingType.Ongoing
    assert car.session.context.agreement.authorization is None
    first, second = car.wants(words.AuthorizationWanted)
    assert first.emaid != second.emaid
    car.tell(words.Authorized())
    answer(car, signed(car, octets, other))
    assert car.session.context.agreement.emaid == second.emaid


def test_a_wrong_challenge_is_a_warning() -> None:
    car = pnc()
    challenge(car)
    response = answer(car, signed(car, b"x" * 16))
    assert (response.ResponseCode, response.EVSEProcessing) == (Code.WARNING_ChallengeInvalid, processingType.Finished)
    assert car.wants(words.AuthorizationWanted) == []


def test_a_request_replayed_from_an_earlier_session_is_a_wrong_challenge() -> None:
    old = pnc(given={"entropy": lambda n: b"\x07" * n})
    request = signed(old, challenge(old))
    car = pnc(given={"entropy": lambda n: b"\x08" * n})
    challenge(car)
    replayed = msgspec.structs.replace(request, Header=msgspec.structs.replace(request.Header, SessionID=car.id))
    assert answer(car, replayed).ResponseCode is Code.WARNING_ChallengeInvalid


def _unsigned(car: Scripted, octets: bytes) -> AuthorizationReq:
    request = signed(car, octets)
    return msgspec.structs.replace(request, Header=car.header())


def _elsewhere(car: Scripted, octets: bytes) -> AuthorizationReq:
    return signed(car, octets, Id="id2")


def _changed(car: Scripted, octets: bytes) -> AuthorizationReq:
    return signed(car, bytes(16), GenChallenge=octets)


def _other_key(car: Scripted, octets: bytes) -> AuthorizationReq:
    return signed(car, octets, key=hierarchy()[Role.VEHICLE].key)


@pytest.mark.parametrize("forge", [_unsigned, _elsewhere, _changed, _other_key])
def test_a_signature_that_does_not_hold_ends_the_session(forge: Any) -> None:
    car = pnc()
    assert answer(car, forge(car, challenge(car))).ResponseCode is Code.FAILED_SignatureError
    assert car.session.ended is not None
    assert car.wants(words.AuthorizationWanted) == []


def test_a_contract_of_an_unknown_root_is_a_warning_and_the_car_may_try_another() -> None:
    car = pnc(given={"verifier": PkiVerifier(Trust(Anchors()))})
    assert answer(car, signed(car, challenge(car))).ResponseCode is Code.WARNING_CertificateValidationError
    assert car.authorize().ResponseCode is Code.OK


def test_a_contract_of_an_unknown_root_is_for_the_backend_to_judge_where_it_does_that() -> None:
    """[C07.FR.06] of OCPP: what can be seen without the root is looked at here."""
    car = pnc(given={"verifier": PkiVerifier(Trust(Anchors(), central=True))})
    assert answer(car, signed(car, challenge(car))).ResponseCode is Code.OK
    [wanted] = car.wants(words.AuthorizationWanted)
    assert wanted.emaid
    assert len(wanted.chain) == len(contract().chain)


@pytest.mark.parametrize(("year", "code"), [(2036, Code.WARNING_CertificateExpired), (2020, Code.WARNING_CertificateNotYetValid)])
def test_a_contract_of_an_unknown_root_that_is_out_of_its_time_is_no_case_for_the_backend(year: int, code: Code) -> None:
    car = pnc(given={"verifier": PkiVerifier(Trust(Anchors(), central=True))})
    car.jump((datetime(year, 6, 1, tzinfo=NOW.tzinfo) - NOW).total_seconds())
    assert answer(car, signed(car, challenge(car))).ResponseCode is code
    assert car.wants(words.AuthorizationWanted) == []


def test_a_contract_whose_sub_ca_did_not_sign_it_is_no_case_for_the_backend() -> None:
    car = pnc(given={"verifier": PkiVerifier(Trust(Anchors(), central=True))})
    others = build(Plan(), "secp521r1", NOW)[Role.CONTRACT].chain  # of the same names
    mixed = SimpleNamespace(chain=(contract().chain[0], *others[1:]), key=contract().key)
    assert answer(car, signed(car, challenge(car), mixed)).ResponseCode is Code.WARNING_CertificateValidationError
    assert car.wants(words.AuthorizationWanted) == []


@pytest.mark.parametrize(("year", "code"), [(2036, Code.WARNING_CertificateExpired), (2020, Code.WARNING_CertificateNotYetValid)])
def test_a_contract_out_of_its_time_is_a_warning(year: int, code: Code) -> None:
    car = pnc()
    car.jump((datetime(year, 6, 1, tzinfo=NOW.tzinfo) - NOW).total_seconds())
    assert answer(car, signed(car, challenge(car))).ResponseCode is code


@pytest.mark.parametrize("certificate", [b"", b"garbage", bytes(1600), b"\x30\x82\xff\xff"])
def test_a_certificate_of_garbage_is_refused_and_nothing_breaks(certificate: bytes) -> None:
    car = pnc()
    octets = challenge(car)
    chain = msgspec.structs.replace(contract_chain(contract().chain), Certificate=certificate)
    code = answer(car, signed(car, octets, ContractCertificateChain=chain)).ResponseCode
    assert code.value.startswith(("WARNING", "FAILED"))


def test_an_unknown_provider_is_a_warning() -> None:
    car = pnc(given={"verifier": PkiVerifier(Trust(anchors(), providers=("DEXYZ",)))})
    assert answer(car, signed(car, challenge(car))).ResponseCode is Code.WARNING_eMSPUnknown


def test_a_backend_refusal_passes_its_code_on() -> None:
    car = pnc()
    car.auto = False
    request = signed(car, challenge(car))
    answer(car, request)
    car.tell(words.AuthorizationRefused(Reason.CERTIFICATE_REVOKED))
    assert answer(car, request).ResponseCode is Code.WARNING_CertificateRevoked


def test_p256_contracts_pass_under_interop_alone_and_are_told() -> None:
    from secc.trust import RULES, SUITES

    for profile, expected in (("conformance", Code.FAILED_SignatureError), ("interop", Code.OK)):
        verifier = PkiVerifier(Trust(anchors("secp256r1"), RULES[profile], SUITES[profile]))
        car = pnc(given={"verifier": verifier}, profile=profile)
        response = answer(car, signed(car, challenge(car), contract("secp256r1")))
        assert response.ResponseCode is expected
        told = [event.relaxation for event in car.wants(Relaxed)]
        assert (P256_SIGNATURES.name in told) == (profile == "interop")


@pytest.mark.parametrize("variant", [one for one in VARIANTS if one.lapses], ids=lambda one: one.name)
def test_a_contract_that_is_not_strict_der_passes_under_interop_alone_and_is_told(variant: Variant) -> None:
    chain = variant.chain(Bench(hierarchy(), Role.CONTRACT, NOW))
    for rules, code in ((ISO20, Code.WARNING_CertificateValidationError), (INTEROP, Code.OK)):
        car = pnc(given={"verifier": PkiVerifier(Trust(anchors(), rules))})
        carried = ContractCertificateChainType(Certificate=chain[0], SubCertificates=SubCertificatesType(Certificate=chain[1:]))
        mode = PnC_AReqAuthorizationModeType(Id="id1", GenChallenge=challenge(car), ContractCertificateChain=carried)
        signature = xmldsig.sign([mode], contract().key, COMMON)
        asked = AuthorizationReq(
            Header=car.header(signature), SelectedAuthorizationService=authorizationType.PnC, PnC_AReqAuthorizationMode=mode
        )
        assert answer(car, asked).ResponseCode is code
        assert [wanted.chain for wanted in car.wants(words.AuthorizationWanted)] == [chain] * (rules is INTEROP)  # as it came
        assert [event.requirement for event in car.wants(Relaxed)] == ["RFC 5280 4.1"] * (rules is INTEROP)


def test_an_emaid_whose_check_digit_does_not_fit_is_asked_about_and_told() -> None:
    bench = Bench(hierarchy(), Role.CONTRACT, NOW)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "DEV2GC00000001A")])
    car = pnc()
    assert answer(car, signed(car, challenge(car), bench.again(contract(), subject=name))).EVSEProcessing is processingType.Ongoing
    (wanted,) = car.wants(words.AuthorizationWanted)
    assert wanted.emaid == "DEV2GC00000001A"
    assert [event.requirement for event in car.wants(Relaxed)] == ["ISO 15118-1 Annex H"]


def test_a_contract_that_ends_soon_says_so() -> None:
    car = pnc()
    leaf = contract().certificate
    car.jump((leaf.not_valid_after_utc - NOW).total_seconds() - 86_400)
    request = signed(car, challenge(car))
    answer(car, request)
    assert answer(car, request).ResponseCode is Code.OK_CertificateExpiresSoon


# --- installation ---


def installation(car: Scripted, held: Issued | None = None, key: Any = None) -> CertificateInstallationReq:
    chain, signature = ask(held or hierarchy()[Role.PROVISIONING])
    if key is not None:
        signature = xmldsig.sign([chain], key, COMMON)
    return CertificateInstallationReq(
        Header=car.header(signature),
        OEMProvisioningCertificateChain=chain,
        ListOfRootCertificateIDs=least(ListOfRootCertificateIDsType),
        MaximumContractCertificateChains=3,
    )


def test_an_installation_is_relayed_and_its_answer_comes_under_this_session() -> None:
    car = pnc(certificate_installation=True)
    assert car.ask(AuthorizationSetupReq).CertificateInstallationService is True
    request = installation(car)
    assert answer(car, request).EVSEProcessing is processingType.Ongoing
    (wanted,) = car.wants(words.CertificateInstallationWanted)
    assert wanted.namespace == "urn:iso:std:iso:15118:-20:CommonMessages"
    assert answer(car, request).EVSEProcessing is processingType.Ongoing
    service = ProvisioningService(hierarchy()[Role.CPS], anchors(), lambda pcid: [contract()], lambda n: bytes(range(n)))
    car.tell(words.CertificateReady(service.answer_exi(wanted.exi, NOW)))
    response = answer(car, request)
    assert (response.ResponseCode, response.EVSEProcessing) == (Code.OK, processingType.Finished)
    assert response.Header.SessionID == car.id
    assert response.Header.Signature is not None
    assert response.SignedInstallationData.ContractCertificateChain.Certificate == contract_chain(contract().chain).Certificate
    assert car.authorize().ResponseCode is Code.OK


def test_an_installation_may_come_framed_like_the_old_generation_and_is_told() -> None:
    car = pnc(certificate_installation=True)
    car.ask(AuthorizationSetupReq)
    car.send(installation(car), PayloadType.EXI)
    (response,) = car.answers()
    assert response.EVSEProcessing is processingType.Ongoing
    assert len(car.wants(Relaxed)) == 1


def test_an_installation_that_was_not_offered_is_out_of_sequence() -> None:
    car = pnc()
    car.ask(AuthorizationSetupReq)
    assert answer(car, installation(car)).ResponseCode is Code.FAILED_SequenceError


def test_an_installation_signed_by_another_ends_the_session() -> None:
    car = pnc(certificate_installation=True)
    car.ask(AuthorizationSetupReq)
    response = answer(car, installation(car, key=hierarchy()[Role.VEHICLE].key))
    assert response.ResponseCode is Code.FAILED_SignatureError
    assert car.session.ended is not None
    assert car.wants(words.CertificateInstallationWanted) == []


def test_a_vehicle_certificate_installs_nothing() -> None:
    car = pnc(certificate_installation=True)
    car.ask(AuthorizationSetupReq)
    response = answer(car, installation(car, hierarchy()[Role.VEHICLE]))
    assert response.ResponseCode is Code.WARNING_CertificateValidationError
    assert car.wants(words.CertificateInstallationWanted) == []


def test_an_installation_that_nobody_answers_ends_with_a_warning() -> None:
    car = pnc(certificate_installation=True)
    car.ask(AuthorizationSetupReq)
    request = installation(car)
    for _ in range(56):
        response = answer(car, request)
        car.wait(1.0)
    assert response.ResponseCode is Code.WARNING_NoCertificateAvailable


def test_a_backend_that_answers_nonsense_ends_the_session_not_the_station() -> None:
    car = pnc(certificate_installation=True)
    car.ask(AuthorizationSetupReq)
    request = installation(car)
    answer(car, request)
    car.tell(words.CertificateReady(b"\x80\xff\xff"))
    assert answer(car, request).ResponseCode is Code.FAILED
    assert car.session.ended is not None


def test_headers_are_ours() -> None:
    car = pnc()
    response = car.ask(AuthorizationSetupReq)
    assert response.Header == MessageHeaderType(SessionID=car.id, TimeStamp=int(car.wall))
    assert response.Header.SessionID != bytes(8)


# --- whom an answer is for ---


def test_a_verdict_names_the_question_that_it_answers() -> None:
    """The backend answers about the first contract when the second was asked about: by number, in whatever order."""
    car = pnc()
    car.auto = False
    octets, other = challenge(car), second_contract()
    answer(car, signed(car, octets))
    answer(car, signed(car, octets, other))
    first, second = car.wants(words.AuthorizationWanted)
    assert first.number != second.number
    car.tell(words.Authorized(about=first.number))
    assert answer(car, signed(car, octets, other)).EVSEProcessing is processingType.Ongoing
    car.tell(words.Authorized(about=second.number))
    assert answer(car, signed(car, octets, other)).EVSEProcessing is processingType.Finished
    assert car.session.context.agreement.emaid == second.emaid


def test_a_verdict_without_a_number_answers_the_oldest_question() -> None:
    car = pnc()
    car.auto = False
    octets, other = challenge(car), second_contract()
    answer(car, signed(car, octets))
    answer(car, signed(car, octets, other))
    car.tell(words.Authorized())
    assert answer(car, signed(car, octets, other)).EVSEProcessing is processingType.Ongoing
    car.tell(words.Authorized())
    assert answer(car, signed(car, octets, other)).EVSEProcessing is processingType.Finished


@pytest.mark.parametrize("numbered", [True, False])
def test_a_late_verdict_on_a_contract_is_no_card(numbered: bool) -> None:
    """Plug & Charge times out, the backend says yes at last, and the car asks again without contract: nobody has shown a card."""
    car = pnc()
    car.auto = False
    request = signed(car, challenge(car))
    answer(car, request)
    while answer(car, request).EVSEProcessing is processingType.Ongoing:
        car.now += 5.0
    (asked,) = car.wants(words.AuthorizationWanted)
    car.tell(words.Authorized(about=asked.number if numbered else None))
    assert car.authorize().EVSEProcessing is processingType.Ongoing
    assert car.authorize().EVSEProcessing is processingType.Ongoing
    assert car.session.context.agreement.authorization is None
    car.tell(words.Authorized())
    assert car.authorize().EVSEProcessing is processingType.Finished


def test_a_card_is_no_verdict_on_a_contract() -> None:
    car = pnc()
    car.auto = False
    request = signed(car, challenge(car))
    answer(car, request)
    (asked,) = car.wants(words.AuthorizationWanted)
    car.tell(words.AuthorizationRefused(about=asked.number), words.Authorized())
    assert answer(car, request).ResponseCode.value.startswith("WARNING")


def test_an_installation_is_answered_by_what_is_about_it() -> None:
    car = pnc(certificate_installation=True)
    car.auto = False
    challenge(car)
    answer(car, installation(car))
    (wanted,) = car.wants(words.CertificateInstallationWanted)
    car.tell(words.CertificateRefused(about=wanted.number + 1))
    assert answer(car, installation(car)).EVSEProcessing is processingType.Ongoing
    car.tell(words.CertificateRefused(about=wanted.number))
    assert answer(car, installation(car)).EVSEProcessing is processingType.Finished
