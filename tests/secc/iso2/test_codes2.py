"""Every response code of ISO 15118-2 in every message that a station gives it in: one row, one way to get it."""

from collections.abc import Callable
from typing import Any

import pytest

from pki import signature as xmldsig
from pki.errors import CertificateError, Kind
from pki.profiles import ISO2 as RULES
from pki.profiles import Role
from pki.provisioning2 import ask_installation, ask_update, deliver
from secc import station as words
from secc.claims import Trust
from secc.pause import PausedSessions
from tests.pki.sample_pki import anchors, hierarchy
from tests.secc.iso2.scripted2 import EVCCID, Scripted2, outlet
from tests.secc.iso2.test_contract2 import AC, CURVE, Hand, authorize, authorized, contract_car, details, emaid, metered, receipt
from v2g.exi.derive import least
from v2g.iso2.generation import ISO2
from v2g.iso2.physical import A, W, physical
from v2g.iso2.refusals import CODES, reason_of
from v2g.iso2.sequence import RESPONSES, response_to
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.iso2 import msg_body as b
from v2g.messages.iso2 import msg_data_types as t
from v2g.messages.iso2.msg_data_types import responseCodeType as Code
from v2g.reasons import Reason

NEARLY_OVER = 730.0 - 10.0  # days of a contract's two years
STOP = words.StopAsked("the site needs its power")


def discovered(car: Scripted2 | None = None) -> Scripted2:
    car = car or Scripted2()
    car.setup()
    car.ask(b.ServiceDiscoveryReq)
    return car


def stopped(work: Callable[[Scripted2], Any], car: Scripted2) -> Any:
    """The answer to what a car does after the station was told to stop."""
    car.tell(STOP)
    return work(car)


def joined() -> Any:
    paused = PausedSessions()
    car = Scripted2(given={"paused": paused})
    car.charging(AC)
    car.deliver("Stop")
    car.stop("Pause")
    again = Scripted2(given={"paused": paused})
    again.sap()
    again.id = car.id
    return again.ask(b.SessionSetupReq, EVCCID=EVCCID)


def busy() -> Any:
    car = Scripted2()
    car.sap()
    car.tell(words.OutOfService("the fuse is blown"))
    return car.ask(b.SessionSetupReq, EVCCID=EVCCID)


def selecting(option: str = "ExternalPayment", services: tuple[int, ...] = (1,), **offer: Any) -> Any:
    return discovered(Scripted2(outlet(**offer))).pay(option, services)


def shown(**trust: Any) -> Any:
    """PaymentDetails at a station with that trust."""
    return details(contract_car(trust=Trust(anchors(CURVE), rules=RULES, suites=xmldsig.ISO2, **trust)))


def revoked(*_: Any) -> Any:
    raise CertificateError(Kind.REVOKED, "the contract is on a list")


def decided(kind: Reason) -> Any:
    """Authorization that the backend refuses."""
    car = contract_car()
    car.auto = False
    challenge = details(car).GenChallenge
    authorize(car, challenge)
    car.tell(words.AuthorizationRefused(kind, "so it is"))
    return authorize(car, challenge)


def signed(key: Any = None, challenge: bytes | None = None) -> Any:
    car = contract_car()
    issued = details(car).GenChallenge
    return authorize(car, challenge or issued, key)


def installing(outcome: words.Fact | None, update: bool = False) -> Any:
    """The answer to a request for a contract to which the backend says so; None: nothing in time."""
    car = contract_car()
    roots = [hierarchy(CURVE)[Role.V2G_ROOT].certificate]
    hand: Any = Hand(Role.CONTRACT if update else Role.PROVISIONING)
    request: Any
    request, car.signature = ask_update(hand, emaid(), roots) if update else ask_installation(hand, roots)
    car.send(request)
    if outcome is None:
        car.wait(4.4)
    else:
        car.tell(outcome)
    (answer,) = car.answers()
    return answer


def denied(kind: Reason, update: bool = False) -> Any:
    return installing(words.CertificateRefused(kind, "no"), update)


def delivered(update: bool = False) -> Any:
    asker = hierarchy(CURVE)[Role.CONTRACT if update else Role.PROVISIONING].chain[0]
    kind: Any = b.CertificateUpdateRes if update else b.CertificateInstallationRes
    held: Any = (Hand(Role.CONTRACT), Hand(Role.CPS))
    body, signature = deliver(kind, asker, *held, entropy=lambda n: bytes(range(n)))
    return installing(words.CertificateReady(ISO2.write(body, bytes(8), "main", signature).exi), update)


def parameters(mode: str = "DC_extended", at: Scripted2 | None = None, **changes: Any) -> Any:
    car = at or Scripted2()
    car.authorized()
    return car.parameters(mode, **changes)


def profiled(watts: float) -> Any:
    car = Scripted2()
    car.ready()
    entry = t.ProfileEntryType(ChargingProfileEntryStart=0, ChargingProfileEntryMaxPower=physical(watts, W))
    return car.deliver(profile=t.ChargingProfileType(ProfileEntry=(entry,)))


def stuck() -> Any:
    """The contactor does not close."""
    car = Scripted2()
    car.ready(AC)
    car.auto = False
    car.send(b.PowerDeliveryReq(ChargeProgress=t.chargeProgressType.Start, SAScheduleTupleID=1))
    car.wait(5.0)
    (answer,) = car.answers()
    return answer


def after(work: str, how: str = "DC_extended", facts: tuple[words.Fact, ...] = (), **arguments: Any) -> Any:
    """What a car hears that charges in this mode and does this, after these facts."""
    car = Scripted2()
    car.charging(how)
    car.tell(*facts)
    return getattr(car, work)(**arguments)


def checking(sound: bool) -> Any:
    class Checked(Scripted2):
        def grant(self, event: Any) -> Any:
            return words.IsolationMeasured(sound) if isinstance(event, words.CheckIsolation) else super().grant(event)

    car = Checked()
    car.authorized()
    car.scheduled()
    car.cable_check()
    return car.cable_check()


def pre_charging(facts: tuple[words.Fact, ...] = ()) -> Any:
    car = Scripted2()
    car.authorized()
    car.scheduled()
    car.cable_check()
    car.cable_check()
    car.tell(*facts)
    return car.pre_charge()


def welding(pilot: Any) -> Any:
    car = Scripted2()
    car.charging()
    car.deliver("Stop")
    car.tell(words.PilotIs(pilot))
    given = car.send(b.WeldingDetectionReq(DC_EVStatus=car.ev()))
    if not given:  # a pilot may follow late
        car.wait(1.45)
        given = car.answers()
    (answer,) = given
    return answer


def receipting(genuine: bool) -> Any:
    car, info = metered()
    return receipt(car, info, None if genuine else hierarchy(CURVE)[Role.PROVISIONING].key)


def ending(how: str, **offer: Any) -> Any:
    car = Scripted2(outlet(**offer))
    car.charging(AC)
    car.deliver("Stop")
    return car.stop(how)


EMERGENCY = (words.EmergencyStop("button"),)
REFUSED = {  # what a backend, or the provisioning service behind it, says of a request for a contract
    Reason.SIGNATURE: Code.FAILED_SignatureError,
    Reason.CERTIFICATE_EXPIRED: Code.FAILED_CertificateExpired,
    Reason.CERTIFICATE_NOT_YET_VALID: Code.FAILED_CertificateExpired,
    Reason.CERTIFICATE_REVOKED: Code.FAILED_CertificateRevoked,
    Reason.WRONG_CERTIFICATE: Code.FAILED_CertChainError,
    Reason.NO_CERTIFICATE: Code.FAILED_NoCertificateAvailable,
    Reason.NO_CONTRACT: Code.FAILED_NoCertificateAvailable,
    Reason.CONTRACT_REFUSED: Code.FAILED_ContractCanceled,
    Reason.OTHER: Code.FAILED,
}
ROWS: list[tuple[type[Any], Code, Callable[[], Any]]] = [
    (b.SessionSetupRes, Code.OK_NewSessionEstablished, lambda: Scripted2().setup()),
    (b.SessionSetupRes, Code.OK_OldSessionJoined, joined),
    (b.SessionSetupRes, Code.FAILED, busy),
    (b.ServiceDiscoveryRes, Code.OK, lambda: (car := Scripted2()).setup() and car.ask(b.ServiceDiscoveryReq)),
    (b.ServiceDiscoveryRes, Code.FAILED, lambda: (car := Scripted2()).setup() and stopped(lambda c: c.ask(b.ServiceDiscoveryReq), car)),
    (b.ServiceDetailRes, Code.OK, lambda: discovered().ask(b.ServiceDetailReq, ServiceID=1)),
    (b.ServiceDetailRes, Code.FAILED_ServiceIDInvalid, lambda: discovered().ask(b.ServiceDetailReq, ServiceID=9)),
    (b.ServiceDetailRes, Code.FAILED, lambda: stopped(lambda c: c.ask(b.ServiceDetailReq, ServiceID=1), discovered())),
    (b.PaymentServiceSelectionRes, Code.OK, selecting),
    (b.PaymentServiceSelectionRes, Code.FAILED_PaymentSelectionInvalid, lambda: selecting("Contract")),
    (b.PaymentServiceSelectionRes, Code.FAILED_ServiceSelectionInvalid, lambda: selecting(services=(1, 3))),
    (b.PaymentServiceSelectionRes, Code.FAILED_NoChargeServiceSelected, lambda: selecting(services=(3,), internet=("http",))),
    (b.PaymentServiceSelectionRes, Code.FAILED, lambda: stopped(lambda c: c.pay(), discovered())),
    (b.CertificateInstallationRes, Code.OK, delivered),
    (b.CertificateInstallationRes, Code.FAILED_NoCertificateAvailable, lambda: installing(None)),
    *((b.CertificateInstallationRes, code, lambda kind=kind: denied(kind)) for kind, code in REFUSED.items()),
    (b.CertificateUpdateRes, Code.OK, lambda: delivered(update=True)),
    (b.CertificateUpdateRes, Code.FAILED_NoCertificateAvailable, lambda: installing(None, update=True)),
    *((b.CertificateUpdateRes, code, lambda kind=kind: denied(kind, True)) for kind, code in REFUSED.items()),
    (b.PaymentDetailsRes, Code.OK, lambda: details(contract_car())),
    (b.PaymentDetailsRes, Code.OK_CertificateExpiresSoon, lambda: details(contract_car(NEARLY_OVER / 365.0))),
    (b.PaymentDetailsRes, Code.FAILED_CertificateExpired, lambda: details(contract_car(50.0))),
    (b.PaymentDetailsRes, Code.FAILED_CertificateRevoked, lambda: shown(status=revoked)),
    (b.PaymentDetailsRes, Code.FAILED_CertChainError, lambda: details(contract_car(), eMAID="DEABC1234567890")),
    (b.PaymentDetailsRes, Code.FAILED_CertificateNotAllowedAtThisEVSE, lambda: shown(providers=("DEXYZ",))),
    (b.PaymentDetailsRes, Code.FAILED, lambda: stopped(details, contract_car())),
    (b.AuthorizationRes, Code.OK, signed),
    (b.AuthorizationRes, Code.FAILED_ChallengeInvalid, lambda: signed(challenge=bytes(16))),
    (b.AuthorizationRes, Code.FAILED_SignatureError, lambda: signed(hierarchy(CURVE)[Role.PROVISIONING].key)),
    (b.AuthorizationRes, Code.FAILED_ContractCanceled, lambda: decided(Reason.CONTRACT_REFUSED)),
    (b.AuthorizationRes, Code.FAILED_CertificateExpired, lambda: decided(Reason.CERTIFICATE_EXPIRED)),
    (b.AuthorizationRes, Code.FAILED_CertificateRevoked, lambda: decided(Reason.CERTIFICATE_REVOKED)),
    (b.AuthorizationRes, Code.FAILED_CertChainError, lambda: decided(Reason.WRONG_CERTIFICATE)),
    (b.AuthorizationRes, Code.FAILED_NoCertificateAvailable, lambda: decided(Reason.NO_CERTIFICATE)),
    (b.AuthorizationRes, Code.FAILED_CertificateNotAllowedAtThisEVSE, lambda: decided(Reason.UNKNOWN_PROVIDER)),
    (b.AuthorizationRes, Code.FAILED, lambda: decided(Reason.OTHER)),
    (b.ChargeParameterDiscoveryRes, Code.OK, parameters),
    (b.ChargeParameterDiscoveryRes, Code.FAILED_WrongEnergyTransferMode, lambda: parameters(AC, Scripted2(outlet(services=("DC",))))),
    (b.ChargeParameterDiscoveryRes, Code.FAILED_WrongChargeParameter, lambda: parameters(EVMaximumCurrentLimit=physical(0, A))),
    (b.ChargeParameterDiscoveryRes, Code.FAILED, lambda: stopped(lambda c: c.parameters(AC), authorized())),
    (b.CableCheckRes, Code.OK, lambda: checking(sound=True)),
    (b.CableCheckRes, Code.FAILED, lambda: checking(sound=False)),
    (b.PreChargeRes, Code.OK, pre_charging),
    (b.PreChargeRes, Code.FAILED, lambda: pre_charging(EMERGENCY)),
    (b.PowerDeliveryRes, Code.OK, lambda: Scripted2().charging()),
    (b.PowerDeliveryRes, Code.FAILED_TariffSelectionInvalid, lambda: (car := Scripted2()).ready() or car.deliver(tuple_id=77)),
    (b.PowerDeliveryRes, Code.FAILED_ChargingProfileInvalid, lambda: profiled(90_000.0)),
    (b.PowerDeliveryRes, Code.FAILED_PowerDeliveryNotApplied, lambda: (car := Scripted2()).ready() or stopped(lambda c: c.deliver(), car)),
    (b.PowerDeliveryRes, Code.FAILED_ContactorError, stuck),
    (b.PowerDeliveryRes, Code.FAILED, lambda: after("deliver", AC, EMERGENCY, progress="Renegotiate")),
    (b.ChargingStatusRes, Code.OK, lambda: after("loop", AC, mode=AC)),
    (b.ChargingStatusRes, Code.FAILED, lambda: after("loop", AC, EMERGENCY, mode=AC)),
    (b.CurrentDemandRes, Code.OK, lambda: after("loop")),
    (b.CurrentDemandRes, Code.FAILED, lambda: after("loop", facts=EMERGENCY)),
    (b.CurrentDemandRes, Code.FAILED_ContactorError, lambda: after("loop", facts=(words.ContactorIs(False),))),
    (b.MeteringReceiptRes, Code.OK, lambda: receipting(genuine=True)),
    (b.MeteringReceiptRes, Code.FAILED_MeteringSignatureNotValid, lambda: receipting(genuine=False)),
    (b.WeldingDetectionRes, Code.OK, lambda: welding("B")),
    (b.WeldingDetectionRes, Code.FAILED, lambda: welding("C")),
    (b.SessionStopRes, Code.OK, lambda: ending("Terminate")),
    (b.SessionStopRes, Code.FAILED, lambda: ending("Pause", pause=False)),
]


@pytest.mark.parametrize(("response", "code", "work"), ROWS, ids=lambda x: getattr(x, "__name__", getattr(x, "value", "")))
def test_a_response_has_its_code(response: type[Any], code: Code, work: Callable[[], Any]) -> None:
    answer = work()
    assert type(answer) is response
    assert answer.ResponseCode is code


def test_every_response_and_every_code_has_a_row() -> None:
    assert {response for response, _, _ in ROWS} == set(RESPONSES) - {response_to(supportedAppProtocolReq)}
    elsewhere = {Code.FAILED_SequenceError, Code.FAILED_UnknownSession}  # of every message in every state: test_station2
    assert {code for _, code, _ in ROWS} == set(Code) - elsewhere
    for response in {response for response, _, _ in ROWS}:
        codes = {code for each, code, _ in ROWS if each is response}
        assert any(code.value.startswith("OK") for code in codes)
        assert any(code.value.startswith("FAILED") for code in codes)


def test_a_provisioning_service_s_code_is_passed_on_as_it_is() -> None:
    for code in CODES.values():
        body = least(b.CertificateInstallationRes, ResponseCode=code)
        answer = installing(words.CertificateReady(ISO2.write(body, bytes(8), "main", None).exi))
        assert answer.ResponseCode is code, reason_of(code)
