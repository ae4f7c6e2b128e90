"""Reasons and response codes: one row each, a session for every code that a station may send, and nobody names one beside the table."""

import ast
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pki.profiles import Role
from pki.provisioning import ProvisioningService
from pki.verify import Anchors
from secc import station as words
from secc.claims import Trust
from secc.iso20.verifier import PkiVerifier
from tests.pki.sample_pki import NOW, anchors, hierarchy
from tests.secc import test_authorization as pnc
from tests.secc import test_metering as metering
from tests.secc.scripted import EPOCH, Scripted, outlet, polled, r
from v2g.energy.offer import Offer, Tuple
from v2g.energy.series import Series
from v2g.iso20.refusals import CODES, WARNINGS, code_of, reason_of, warning_of
from v2g.messages.common_messages import (
    AuthorizationSetupReq,
    Scheduled_EVPPTControlModeType,
    ServiceDetailReq,
    ServiceDiscoveryReq,
    powerToleranceAcceptanceType,
)
from v2g.messages.common_types import processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.session.errors import PeerMisbehaved, StationFailed

ROOT = Path(__file__).parents[2]
FAILED = {code for code in Code if code.value.startswith("FAILED")}
WARNING = {code for code in Code if code.value.startswith("WARNING")}


def _taken() -> Any:
    car = Scripted()
    car.tell(words.OutletTaken(True))
    return car.setup()


def _out_of_turn() -> Any:
    car = Scripted()
    car.sap()
    return car.ask(AuthorizationSetupReq)


def _another_session() -> Any:
    car = Scripted()
    car.authorized()
    car.id = b"another1"
    return car.ask(ServiceDiscoveryReq)


def _forged() -> Any:
    car = pnc.pnc()
    return pnc.answer(car, pnc.signed(car, pnc.challenge(car), key=hierarchy()[Role.TARIFF].key))


def _unknown_service() -> Any:
    car = Scripted()
    car.authorized()
    car.ask(ServiceDiscoveryReq)
    return car.ask(ServiceDetailReq, ServiceID=99)


def _unseen_set() -> Any:
    car = Scripted()
    car.authorized()
    return car.select("DC", 9)


def _no_energy() -> Any:
    from v2g.messages.common_messages import SelectedServiceType, ServiceSelectionReq

    car = Scripted(outlet(internet=("https",)))
    car.authorized()
    car.ask(ServiceDiscoveryReq)
    car.ask(ServiceDetailReq, ServiceID=65)
    return car.ask(ServiceSelectionReq, SelectedEnergyTransferService=SelectedServiceType(ServiceID=65, ParameterSetID=3))


def _stops(way: str, **offer: Any) -> Any:
    car = Scripted(outlet(**offer))
    car.charging()
    car.deliver("Stop")
    return car.stop(way)


def _parameters() -> Any:
    car = Scripted()
    car.authorized()
    car.select()
    return car.parameters(EVMaximumVoltage=r(0))


def _ready(service: str = "AC", **offer: Any) -> Scripted:
    car = Scripted(outlet(**offer))
    car.ready(service)
    return car


def _wrong_schedule() -> Any:
    car = _ready()
    return car.deliver("Start", EVPowerProfile=car.profile(tuple_id=9))


def _endless_renegotiation() -> Any:
    car = Scripted()
    car.charging("AC")
    car.deliver("ScheduleRenegotiation")
    car.scheduled()
    while car.session.context.session.fault is None:
        car.deliver("Start", EVProcessing=processingType.Ongoing)
        car.wait(1.0)
    return car.deliver("Stop")


def _profile_left() -> Any:
    car = Scripted()
    car.charging("AC")
    while (answer := car.loop("AC", EVPresentActivePower=r(9_000))).ResponseCode not in FAILED:
        car.wait(0.4)
        assert car.now < 1200, "a car that leaves its profile is put up with for ever"
    return answer


def _tolerant(required: bool) -> Scripted:
    """A car that was offered a power tolerance."""
    car = Scripted(outlet(tolerance_required=required))
    car.authorized("AC")
    car.select("AC")
    car.parameters("AC")
    car.auto = False
    car.exchange()
    car.tell(words.ScheduleReady(Offer((Tuple(1, Series.constant(float(int(EPOCH + car.now)), 3 * 3600, 9000.0), tolerance=200.0),))))
    polled(car.exchange)
    return car


def _intolerant() -> Any:
    return _tolerant(True).start()


def _stopping() -> Any:
    car = _ready()
    car.tell(words.StopAsked("button"))
    return car.start()


def _opened() -> Any:
    car = Scripted()
    car.charging()
    car.tell(words.ContactorIs(False))
    return car.loop()


def _another_reading() -> Any:
    car = metering.charging()
    return metering.answer(car, metering._unsigned(car, metering.asked(car)))


def _another_vehicle() -> Any:
    car = Scripted()
    car.authorized("WPT")
    car.select("WPT")
    car.wpt_setup()
    car.tell(words.PositionIs(words.Position(reachable=True)))
    car.fine_positioning()
    car.auto = False
    car.pairing()
    car.tell(words.PairingIs(words.Paired(False, reason="another vehicle stands here")))
    return car.pairing()


SCENES: dict[Code, Callable[[], Any]] = {
    Code.FAILED: _taken,
    Code.FAILED_SequenceError: _out_of_turn,
    Code.FAILED_UnknownSession: _another_session,
    Code.FAILED_SignatureError: _forged,
    Code.FAILED_ServiceIDInvalid: _unknown_service,
    Code.FAILED_ServiceSelectionInvalid: _unseen_set,
    Code.FAILED_NoEnergyTransferServiceSelected: _no_energy,
    Code.FAILED_NoServiceRenegotiationSupported: lambda: _stops("ServiceRenegotiation", service_renegotiation=False),
    Code.FAILED_WrongChargeParameter: _parameters,
    Code.FAILED_ScheduleSelectionInvalid: _wrong_schedule,
    Code.FAILED_ScheduleRenegotiation: _endless_renegotiation,
    Code.FAILED_EVPowerProfileInvalid: lambda: _ready().deliver("Start"),
    Code.FAILED_EVPowerProfileViolation: _profile_left,
    Code.FAILED_PowerToleranceNotConfirmed: _intolerant,
    Code.FAILED_PowerDeliveryNotApplied: _stopping,
    Code.FAILED_ContactorError: _opened,
    Code.FAILED_PauseNotAllowed: lambda: _stops("Pause", pause=False),
    Code.FAILED_MeteringSignatureNotValid: _another_reading,
    Code.FAILED_AssociationError: _another_vehicle,
}


# --- a no that the session survives ---


def _card() -> Any:
    car = Scripted(auto=False)
    car.setup()
    car.ask(AuthorizationSetupReq)
    car.authorize()
    car.tell(words.AuthorizationRefused(reason="this card is blocked"))
    return car.authorize()


def _contract(fact: words.Fact | None = None, year: int | None = None, **given: Any) -> Any:
    car = pnc.pnc(given=given)
    car.auto = False
    request = pnc.signed(car, pnc.challenge(car))
    if year is not None:
        car.jump((datetime(year, 6, 1, tzinfo=NOW.tzinfo) - NOW).total_seconds())
    answer = pnc.answer(car, request)
    if fact is not None:
        car.tell(fact)
        answer = pnc.answer(car, request)
    return answer


def _wrong_challenge() -> Any:
    car = pnc.pnc()
    pnc.challenge(car)
    return pnc.answer(car, pnc.signed(car, b"x" * 16))


def _not_offered() -> Any:
    car = Scripted()
    car.setup()
    car.ask(AuthorizationSetupReq)
    return pnc.answer(car, pnc.signed(car, bytes(16)))


def _installation(fact: words.Fact) -> Any:
    car = pnc.pnc(certificate_installation=True)
    car.auto = False
    car.ask(AuthorizationSetupReq)
    request = pnc.installation(car)
    pnc.answer(car, request)
    car.tell(fact)
    return pnc.answer(car, request)


def _provided() -> Any:
    """The provisioning service, not the backend, has nothing."""
    service = ProvisioningService(hierarchy()[Role.CPS], anchors(), lambda pcid: [], lambda n: bytes(range(n)))
    car = pnc.pnc(certificate_installation=True)
    car.auto = False
    car.ask(AuthorizationSetupReq)
    request = pnc.installation(car)
    pnc.answer(car, request)
    (wanted,) = car.wants(words.CertificateInstallationWanted)
    car.tell(words.CertificateReady(service.answer_exi(wanted.exi, NOW)))
    return pnc.answer(car, request)


def _renegotiating_while_stopped() -> Any:
    car = Scripted()
    car.charging()
    car.tell(words.StopAsked("button"))
    return car.deliver("ScheduleRenegotiation")


def _above_profile() -> Any:
    car = Scripted()
    car.charging("AC")
    while (answer := car.loop("AC", EVPresentActivePower=r(9_000))).ResponseCode is Code.OK:
        car.wait(0.4)
        assert car.now < 1200, "a car that leaves its profile is not warned"
    return answer


def _unconfirmed() -> Any:
    car = _tolerant(False)
    mode = Scheduled_EVPPTControlModeType(
        SelectedScheduleTupleID=1, PowerToleranceAcceptance=powerToleranceAcceptanceType.PowerToleranceNotConfirmed
    )
    car.auto = True
    return car.deliver("Start", EVPowerProfile=car.profile(Scheduled_EVPPTControlMode=mode))


def _obstructed() -> Any:
    car = Scripted()
    car.charging("WPT")
    car.tell(words.GroundDeviceIs("FODDetected"))
    return car.loop("WPT")


REFUSED = words.AuthorizationRefused
SURVIVED: dict[Code, Callable[[], Any]] = {
    Code.WARNING_AuthorizationSelectionInvalid: _not_offered,
    Code.WARNING_EIMAuthorizationFailure: _card,
    Code.WARNING_GeneralPnCAuthorizationError: lambda: _contract(REFUSED(reason="nobody pays")),
    Code.WARNING_eMSPUnknown: lambda: _contract(verifier=PkiVerifier(Trust(anchors(), providers=("DEXYZ",)))),
    Code.WARNING_ChallengeInvalid: _wrong_challenge,
    Code.WARNING_CertificateExpired: lambda: _contract(year=2036),
    Code.WARNING_CertificateNotYetValid: lambda: _contract(year=2020),
    Code.WARNING_CertificateRevoked: lambda: _contract(REFUSED(Reason.CERTIFICATE_REVOKED)),
    Code.WARNING_CertificateValidationError: lambda: _contract(verifier=PkiVerifier(Trust(Anchors()))),
    Code.WARNING_NoContractMatchingPCIDFound: lambda: _installation(words.CertificateRefused()),
    Code.WARNING_NoCertificateAvailable: lambda: _installation(words.CertificateRefused(Reason.NO_CERTIFICATE)),
    Code.WARNING_ScheduleRenegotiationFailed: _renegotiating_while_stopped,
    Code.WARNING_EVPowerProfileViolation: _above_profile,
    Code.WARNING_PowerToleranceNotConfirmed: _unconfirmed,
    Code.WARNING_StandbyNotAllowed: lambda: _ready().deliver("Standby"),
    Code.WARNING_WPT: _obstructed,
}


def test_each_reason_has_a_row_and_each_code_that_may_be_sent_a_reason() -> None:
    assert set(CODES) | set(WARNINGS) == set(Reason) - {Reason.WRONG_MODE}  # of which -20 has none
    assert set(CODES.values()) == FAILED
    assert set(WARNINGS.values()) == WARNING
    for table in (CODES, WARNINGS):
        assert len(set(table.values())) == len(table)
        assert [code for reason, code in table.items() if reason_of(code) is not reason] == []


def test_a_reason_that_only_warns_ends_a_session_with_the_plain_code_and_one_that_ends_it_warns_of_nothing() -> None:
    assert {code_of(reason) for reason in set(WARNINGS) - set(CODES)} == {Code.FAILED}
    assert {warning_of(reason) for reason in set(CODES) - set(WARNINGS)} == {None}
    assert reason_of(Code.OK) is Reason.OTHER


@pytest.mark.parametrize("code", sorted(WARNING, key=lambda code: code.value), ids=lambda code: code.value)
def test_a_session_comes_to_every_warning_that_a_station_may_send(code: Code) -> None:
    assert SURVIVED[code]().ResponseCode is code


def test_what_a_provisioning_service_warns_of_is_told_with_its_reason() -> None:
    """`Scripted` demands of every WARNING that somebody said why."""
    assert _provided().ResponseCode is Code.WARNING_NoContractMatchingPCIDFound


@pytest.mark.parametrize("fact", [words.AuthorizationRefused, words.CertificateRefused])
@pytest.mark.parametrize("reason", sorted(set(Reason) - set(WARNINGS), key=lambda reason: reason.name), ids=lambda reason: reason.name)
def test_a_backend_that_gives_a_reason_without_a_warning_ends_the_session(fact: Any, reason: Reason) -> None:
    said = fact(reason, "so it is")
    answer = _contract(said) if isinstance(said, words.AuthorizationRefused) else _installation(said)
    assert answer.ResponseCode is code_of(reason)


@pytest.mark.parametrize("code", sorted(FAILED, key=lambda code: code.value), ids=lambda code: code.value)
def test_a_session_comes_to_every_code_that_a_station_may_send(code: Code) -> None:
    assert SCENES[code]().ResponseCode is code


def named(tree: ast.AST, owners: tuple[str, ...]) -> set[str]:
    return {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id in owners}


def test_every_reason_is_given_somewhere_and_no_answer_names_a_code_of_the_table() -> None:
    given: set[str] = {kind.kind.name for kind in (PeerMisbehaved, *PeerMisbehaved.__subclasses__()) if hasattr(kind, "kind")}
    for path in sorted(path for room in ("secc", "pki", "ocpp_bridge") for path in (ROOT / room).rglob("*.py")):
        tree = ast.parse(path.read_text())
        given |= named(tree, ("Reason",))
        wrong = {name for name in named(tree, ("Code", "responseCodeType")) if name.startswith(("FAILED", "WARNING"))}
        assert not wrong or path.name in ("provisioning2.py", "provisioning_service2.py"), (
            f"{path.name} names {wrong}: give a Reason, v2g/iso20/refusals.py has the code"
        )
    assert set(Reason.__members__) - given == set()


def test_an_error_says_what_it_says_and_no_code() -> None:
    assert str(StationFailed("the contactor is closed", None, Reason.CONTACTOR)) == "the contactor is closed"
