"""Plug & Charge of ISO 15118-2: the contract, the challenge, receipts and certificates, with signatures that are made and verified."""

from typing import Any

import pytest

from pki import signature as xmldsig
from pki.certificate import facts
from pki.chains import chain2
from pki.profiles import ISO2 as RULES
from pki.profiles import Role
from pki.provisioning2 import accept, ask_installation, ask_update, deliver
from pki.provisioning_service2 import ProvisioningService2
from secc import station as words
from secc.claims import Trust
from secc.trust import Verifiers
from tests.pki.sample_pki import NOW, anchors, hierarchy
from tests.secc.aside import where  # noqa: F401
from tests.secc.iso2.scripted2 import Scripted2, outlet, tls12
from tests.secc.scripted import EPOCH
from v2g.iso2.generation import ISO2
from v2g.iso2.sequence import State
from v2g.messages import schema_set
from v2g.messages.iso2 import msg_body as b
from v2g.messages.iso2.msg_data_types import responseCodeType as Code
from v2g.reasons import Reason

CURVE = "secp256r1"
AC = "AC_three_phase_core"
EARLIER = NOW.timestamp() - EPOCH  # s from the time of a scripted station to that of the certificates


class Hand:
    """A chain with its key, as a store would give it."""

    def __init__(self, role: Role):
        one = hierarchy(CURVE)[role]
        self.chain, self.key = one.chain, one.key


def contract_car(years: float = 0.0, trust: Trust | None = None, **changes: Any) -> Scripted2:
    """A car on TLS 1.2 that has selected Contract, at a station that knows its roots, or trusts as `trust` says."""
    verifier = Verifiers(trust or Trust(anchors(CURVE), rules=RULES, suites=xmldsig.ISO2))
    place = outlet(authorizations=("EIM", "PnC"), certificate_installation=True, **changes)
    car = Scripted2(place, now=EARLIER + years * 365 * 86_400.0, given={"tls": tls12(), "verifier": verifier})
    car.setup()
    car.offered = car.ask(b.ServiceDiscoveryReq)  # type: ignore[attr-defined]
    car.pay("Contract")
    return car


def emaid() -> str:
    return str(facts(hierarchy(CURVE)[Role.CONTRACT].chain[0]).common_name)


def details(car: Scripted2, **changes: Any) -> Any:
    said = {"eMAID": emaid().replace("-", "")[:15], "ContractSignatureCertChain": chain2(hierarchy(CURVE)[Role.CONTRACT].chain)}
    return car.ask(b.PaymentDetailsReq, **{**said, **changes})


def authorize(car: Scripted2, challenge: bytes, key: Any = None) -> Any:
    request = b.AuthorizationReq(Id="id1", GenChallenge=challenge)
    car.signature = xmldsig.sign([request], key or hierarchy(CURVE)[Role.CONTRACT].key, schema_set("iso2"))
    (answer,) = car.send(request)
    return answer


def authorized() -> Scripted2:
    car = contract_car()
    challenge = details(car).GenChallenge
    authorize(car, challenge)
    assert authorize(car, challenge).ResponseCode is Code.OK
    assert car.session.context.state is State.PARAMETERS
    return car


def test_a_contract_is_offered_on_tls_alone() -> None:
    options = contract_car().offered.PaymentOptionList.PaymentOption  # type: ignore[attr-defined]
    assert [option.value for option in options] == ["ExternalPayment", "Contract"]
    plain = Scripted2(outlet(authorizations=("EIM", "PnC")))
    plain.setup()
    assert [option.value for option in plain.ask(b.ServiceDiscoveryReq).PaymentOptionList.PaymentOption] == ["ExternalPayment"]


def test_a_contract_and_its_signed_challenge_give_leave_to_charge() -> None:
    car = authorized()
    (wanted,) = car.wants(words.AuthorizationWanted)
    assert (wanted.authorization, wanted.emaid) == ("PnC", car.session.context.agreement.emaid)
    assert len(wanted.chain) == len(hierarchy(CURVE)[Role.CONTRACT].chain)
    assert car.scheduled(AC).ResponseCode is Code.OK
    assert car.deliver().ResponseCode is Code.OK


def test_a_wrong_contract_challenge_or_signature_is_refused_by_its_code() -> None:
    assert details(contract_car(), eMAID="DEABC1234567890").ResponseCode is Code.FAILED_CertChainError
    wrong = contract_car()
    details(wrong)
    assert authorize(wrong, bytes(16)).ResponseCode is Code.FAILED_ChallengeInvalid
    forged = contract_car()
    challenge = details(forged).GenChallenge
    assert authorize(forged, challenge, hierarchy(CURVE)[Role.PROVISIONING].key).ResponseCode is Code.FAILED_SignatureError
    unsigned = contract_car()
    (answer,) = unsigned.send(b.AuthorizationReq(Id="id1", GenChallenge=details(unsigned).GenChallenge))
    assert answer.ResponseCode is Code.FAILED_SignatureError
    old = contract_car(years=50.0)
    assert details(old).ResponseCode is Code.FAILED_CertificateExpired
    early = contract_car(years=-5.0)  # [V2G2-824]
    assert details(early).ResponseCode is Code.FAILED_CertificateExpired


@pytest.mark.parametrize(("central", "code"), [(False, Code.FAILED_CertChainError), (True, Code.OK)])
def test_a_contract_of_another_root_is_for_the_backend_that_says_it_judges_those(central: bool, code: Code) -> None:
    stranger = Trust(anchors("secp521r1"), rules=RULES, suites=xmldsig.ISO2, central=central)
    car = contract_car(trust=stranger)
    answer = details(car)
    assert answer.ResponseCode is code
    if central:
        authorize(car, answer.GenChallenge)
        (wanted,) = car.wants(words.AuthorizationWanted)
        assert wanted.emaid == emaid().replace("-", "")
        assert len(wanted.chain) == len(hierarchy(CURVE)[Role.CONTRACT].chain)
    old = contract_car(years=50.0, trust=stranger)
    assert details(old).ResponseCode is (Code.FAILED_CertificateExpired if central else code)  # what can be judged here is


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (Reason.CONTRACT_REFUSED, Code.FAILED_ContractCanceled),
        (Reason.CERTIFICATE_REVOKED, Code.FAILED_CertificateRevoked),
        (Reason.UNKNOWN_PROVIDER, Code.FAILED_CertificateNotAllowedAtThisEVSE),
    ],
)
def test_what_a_backend_says_of_a_contract_reaches_the_car(kind: Reason, code: Code) -> None:
    car = contract_car()
    car.auto = False
    challenge = details(car).GenChallenge
    authorize(car, challenge)
    car.tell(words.AuthorizationRefused(kind, "so it is"))
    assert authorize(car, challenge).ResponseCode is code


def receipt(car: Scripted2, shown: Any, key: Any = None, **changes: Any) -> Any:
    request = b.MeteringReceiptReq(**{"Id": "id1", "SessionID": car.id, "SAScheduleTupleID": 1, "MeterInfo": shown, **changes})
    car.signature = xmldsig.sign([request], key or hierarchy(CURVE)[Role.CONTRACT].key, schema_set("iso2"))
    (answer,) = car.send(request)
    return answer


def metered() -> Any:
    car = authorized()
    car.scheduled(AC)
    car.deliver()
    car.tell(words.MeterRead(words.MeterReading("M1", 1_250.0, 0.0, car.wall)), words.MeteringConfirmationAsked())
    answer = car.loop(AC)
    assert answer.ReceiptRequired
    assert car.session.context.state is State.AC_RECEIPT
    return car, answer.MeterInfo


def test_a_receipt_is_asked_for_signed_and_verified() -> None:
    car, shown = metered()
    assert receipt(car, shown).ResponseCode is Code.OK
    (confirmed,) = car.wants(words.MeteringConfirmed)
    assert confirmed.valid
    assert car.loop(AC).ReceiptRequired is False
    forged, shown = metered()
    assert receipt(forged, shown, hierarchy(CURVE)[Role.PROVISIONING].key).ResponseCode is Code.FAILED_MeteringSignatureNotValid
    other, shown = metered()
    changed = type(shown)(MeterID="M1", MeterReading=shown.MeterReading + 1)
    assert receipt(other, changed).ResponseCode is Code.FAILED_MeteringSignatureNotValid


def test_a_car_that_owes_a_receipt_may_end_its_power() -> None:
    car, _ = metered()
    assert car.deliver("Stop").ResponseCode is Code.OK


def test_a_request_for_a_contract_waits_for_the_backend_and_carries_its_signature() -> None:
    car = contract_car()
    request, car.signature = ask_installation(Hand(Role.PROVISIONING), [hierarchy(CURVE)[Role.V2G_ROOT].certificate])  # type: ignore[arg-type]
    assert car.send(request) == []
    (wanted,) = car.wants(words.CertificateInstallationWanted)
    assert (wanted.update, wanted.maximum_chains) == (False, None)
    assert wanted.namespace == "urn:iso:15118:2:2013:MsgDef"
    assert ISO2.read(0x8001, wanted.exi).reading.message == request
    asker = hierarchy(CURVE)[Role.PROVISIONING].chain[0]
    body, signature = deliver(
        b.CertificateInstallationRes,
        asker,
        Hand(Role.CONTRACT),
        Hand(Role.CPS),
        entropy=lambda n: bytes(range(n)),  # type: ignore[arg-type]
    )
    car.tell(words.CertificateReady(ISO2.write(body, bytes(8), "main", signature).exi))
    (answer,) = car.answers()
    assert answer == body
    assert car.heard.signature == signature
    assert car.heard.session_id == car.id
    assert details(car).ResponseCode is Code.OK


def test_a_contract_is_renewed_as_an_update() -> None:
    car = contract_car()
    held = Hand(Role.CONTRACT)
    request, car.signature = ask_update(held, facts(held.chain[0]).common_name, [hierarchy(CURVE)[Role.V2G_ROOT].certificate])  # type: ignore[arg-type]
    assert car.send(request) == []
    (wanted,) = car.wants(words.CertificateInstallationWanted)
    assert (wanted.update, wanted.maximum_chains) == (True, None)
    asker = hierarchy(CURVE)[Role.CONTRACT].chain[0]
    body, signature = deliver(
        b.CertificateUpdateRes,
        asker,
        held,
        Hand(Role.CPS),
        entropy=lambda n: bytes(range(n)),  # type: ignore[arg-type]
    )
    car.tell(words.CertificateReady(ISO2.write(body, bytes(8), "main", signature).exi))
    (answer,) = car.answers()
    assert answer == body
    assert car.heard.signature == signature


def test_a_contract_that_does_not_come_is_refused_before_the_car_gives_up() -> None:
    car = contract_car()
    request, car.signature = ask_installation(Hand(Role.PROVISIONING), [hierarchy(CURVE)[Role.V2G_ROOT].certificate])  # type: ignore[arg-type]
    assert car.send(request) == []
    began = car.now
    car.wait(4.4)
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.FAILED_NoCertificateAvailable
    assert car.now - began < 4.5


@pytest.mark.parametrize("update", [False, True])
def test_a_provisioning_service_of_our_own_answers_a_car_through_the_station(update: bool) -> None:
    held: Any = [Hand(Role.CONTRACT)]
    given: dict[str, Any] = {"cps": Hand(Role.CPS), "anchors": anchors(CURVE), "subs": Hand(Role.PROVISIONING).chain[1:]}
    service = ProvisioningService2(contracts=lambda _: held, renewed=lambda _: held, entropy=lambda n: bytes(range(n)), **given)
    car = contract_car()
    roots = [hierarchy(CURVE)[Role.V2G_ROOT].certificate]
    hand: Any = Hand(Role.CONTRACT if update else Role.PROVISIONING)
    request: Any
    request, car.signature = ask_update(hand, emaid(), roots) if update else ask_installation(hand, roots)
    car.send(request)
    (wanted,) = car.wants(words.CertificateInstallationWanted)
    car.tell(words.CertificateReady(service.answer_exi(wanted.exi, NOW)))
    (answer,) = car.answers()
    taken = accept(answer, car.heard.signature, hand, anchors(CURVE), NOW)
    assert taken.emaid == emaid()
    assert car.heard.session_id == car.id
    assert details(car).ResponseCode is Code.OK
