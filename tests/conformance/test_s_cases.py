"""Cases of the station that no other test has for its subject; each name begins with the id of its case."""

import secrets
from collections import Counter
from typing import Any

import msgspec
import pytest

from secc import station as words
from tests.pki import test_provisioning as provisioning
from tests.pki.sample_pki import NOW
from tests.secc.scripted import Scripted, outlet, r
from tests.secc.test_authorization import pnc
from tests.secc.test_parameters import selected
from tests.secc.test_services import AC, DC, DIN, entry, negotiated
from tests.v2g.session.test_limits import filled
from v2g.exi.codec import encode, read
from v2g.iso20 import frames
from v2g.iso20.rational import number
from v2g.iso20.services import SERVICES
from v2g.iso20.timing import SECC_ONGOING_TIMEOUT
from v2g.messages import dc, schema_set
from v2g.messages.app_protocol import responseCodeType as sapCodeType
from v2g.messages.common_messages import (
    AuthorizationSetupReq,
    CertificateInstallationReq,
    CertificateInstallationRes,
    ScheduleExchangeReq,
    ScheduleExchangeRes,
    SessionSetupReq,
)
from v2g.messages.common_types import DisplayParametersType, processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.errors import FramingError, PeerIncompatible
from v2g.session.v2gtp import PayloadType, frame

MANY = 300  # sessions


def test_s_tp_10_the_largest_installation_is_answered() -> None:
    """No buffer decides: the longest request of AuthorizationSetup's state, whatever becomes of its certificates, has its response."""
    car = pnc(certificate_installation=True)
    car.ask(AuthorizationSetupReq)
    request, octets = filled(CertificateInstallationReq)
    assert len(octets) > 7_000
    car.send(msgspec.structs.replace(request, Header=car.header()))
    (response,) = car.answers()
    assert type(response) is CertificateInstallationRes
    assert response.ResponseCode is Code.WARNING_CertificateValidationError  # whole, and made of nothing
    assert car.session.ended is None


@pytest.mark.parametrize("many", [1, 20])
def test_s_sap_05_unknown_protocols_alone_are_refused(many: int) -> None:
    car = Scripted()
    response = negotiated(car, *(entry(DIN, number, number) for number in range(1, many + 1)))
    assert (response.ResponseCode, response.SchemaID) == (sapCodeType.Failed_NoNegotiation, None)
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, PeerIncompatible)


@pytest.mark.parametrize(
    ("entries", "taken"),
    [
        ((entry(DC, 1, 1), entry(AC, 2, 1)), 1),  # one priority twice: the first of them
        ((entry(AC, 2, 1), entry(DC, 1, 1)), 2),
        ((entry(DC, 5, 1), entry(AC, 5, 2)), 5),  # one id twice
        ((entry(DC, 255, 1),), 255),
        ((entry(DC, 0, 1),), 0),
    ],
)
def test_s_sap_08_twice_the_same_is_answered_the_same_way_each_time(entries: Any, taken: int) -> None:
    for _ in range(3):
        response = negotiated(Scripted(), *entries)
        assert (response.ResponseCode, response.SchemaID) == (sapCodeType.OK_SuccessfulNegotiation, taken)


def even(drawn: list[bytes]) -> bool:
    """Whether each bit is set about half the time, and no octet much more often than others (both beyond six deviations)."""
    bits = [sum(each[place // 8] >> place % 8 & 1 for each in drawn) for place in range(8 * len(drawn[0]))]
    octets = Counter(octet for each in drawn for octet in each)
    return all(abs(set_ - len(drawn) / 2) < 3 * len(drawn) ** 0.5 for set_ in bits) and max(octets.values()) < 40 * len(drawn[0]) / 8


def test_s_ssu_02_ids_are_drawn_whole_and_none_comes_twice() -> None:
    """With the generator of the system, as an outlet gives it: the id is what was drawn, not what a clock or a counter makes of it."""
    drawn: list[bytes] = []

    def entropy(length: int) -> bytes:
        drawn.append(secrets.token_bytes(length))
        return drawn[-1]

    ids = [Scripted(given={"entropy": entropy}).setup().Header.SessionID for _ in range(MANY)]
    assert len(set(ids)) == MANY
    assert set(ids) <= set(drawn)
    assert all(len(each) == 8 for each in ids)
    assert even(ids)
    assert not even([bytes([48 + n % 10]) * 8 for n in range(MANY)]), "digits would have passed"


def test_s_ssu_05_an_unknown_session_is_a_new_one() -> None:
    car = Scripted()
    car.sap()
    car.id = unknown = b"\x5a" * 8
    response = car.ask(SessionSetupReq, EVCCID="WMIV1234567890ABCDEX")
    assert response.ResponseCode is Code.OK_NewSessionEstablished
    assert response.Header.SessionID not in {unknown, bytes(8)}


def test_s_aus_03_challenges_are_drawn_whole_and_none_comes_twice() -> None:
    found = []
    for _ in range(MANY):
        car = pnc(given={"entropy": secrets.token_bytes})
        found.append(car.ask(AuthorizationSetupReq).PnC_ASResAuthorizationMode.GenChallenge)
    assert len(set(found)) == MANY
    assert all(len(each) == 16 for each in found)
    assert even(found)


@pytest.mark.parametrize("offered", [True, False])
def test_s_aus_05_an_installation_is_announced_where_it_is_offered(offered: bool) -> None:
    assert pnc(certificate_installation=offered).ask(AuthorizationSetupReq).CertificateInstallationService is offered


def test_s_aut_02_half_a_minute_of_polls_is_ongoing() -> None:
    car = Scripted(auto=False)
    car.setup()
    car.ask(AuthorizationSetupReq)
    assert SECC_ONGOING_TIMEOUT > 30
    for _ in range(120):
        response = car.authorize()
        assert (response.ResponseCode, response.EVSEProcessing) == (Code.OK, processingType.Ongoing)
        car.wait(0.25)
    car.tell(words.Authorized())
    assert car.authorize().EVSEProcessing is processingType.Finished


@pytest.mark.parametrize("service", ["MCS", "MCS_BPT"])
def test_s_cpd_06_a_megawatt_survives_the_numbers_of_the_wire(service: str) -> None:
    great = words.Limits(
        charge_power=3.75e6, discharge_power=3.75e6, charge_current=3000, discharge_current=3000, voltage=1250, voltage_minimum=200
    )
    car = Scripted(outlet(limits=great))
    car.authorized(service)
    car.select(service)
    response = car.parameters(
        service, EVMaximumChargePower=r(3.75e6), EVMaximumChargeCurrent=r(3000), EVMaximumVoltage=r(1250), EVMinimumVoltage=r(300)
    )
    assert response.ResponseCode is Code.OK
    mode = response.DC_CPDResEnergyTransferMode
    assert [number(getattr(mode, f"EVSEMaximum{name}")) for name in ("ChargePower", "ChargeCurrent", "Voltage")] == [3.75e6, 3000, 1250]


def test_s_sch_06_the_longest_energy_offer_is_answered() -> None:
    """1024 hours of power and price: a request of more than a hundred thousand octets, answered like any other."""
    car = selected("DC_BPT")
    car.parameters("DC_BPT")
    request, octets = filled(ScheduleExchangeReq)
    assert len(octets) > 50_000
    car.send(msgspec.structs.replace(request, Header=car.header()))
    (response,) = car.answers()
    assert type(response) is ScheduleExchangeRes
    assert response.ResponseCode is Code.OK


@pytest.mark.parametrize("soc", [None, 0, 100])
def test_s_lop_11_a_state_of_charge_is_shown_or_not(soc: int | None) -> None:
    car = Scripted()
    car.charging()
    mode = dc.Scheduled_DC_CLReqControlModeType(EVTargetCurrent=r(12), EVTargetVoltage=r(400))
    shown = None if soc is None else DisplayParametersType(PresentSOC=soc, MinimumSOC=soc, TargetSOC=soc, MaximumSOC=soc)
    response = car.ask(
        dc.DC_ChargeLoopReq, MeterInfoRequested=False, CLReqControlMode=mode, EVPresentVoltage=r(400), DisplayParameters=shown
    )
    assert response.ResponseCode is Code.OK


@pytest.mark.parametrize("header", [b"$EXI\x80", b"\xa0", b"\x81", b"\x90"], ids=["cookie", "options", "version 2", "preview"])
def test_s_exi_01_another_header_is_no_message(header: bytes) -> None:
    car = Scripted()
    car.sap()
    octets = frames.exi(SessionSetupReq(Header=car.header(), EVCCID="WMIV1234567890ABCDEX"))
    assert octets[:1] == b"\x80"
    car.octets(frame(PayloadType.COMMON, header + octets[1:]))
    assert not [each for each in car.answers() if each.ResponseCode.value.startswith("OK")]
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, FramingError)


def test_a_refused_installation_holds_nobodys_credential() -> None:
    """[V2G20-736] Valid by the schema, which demands chains and a key, and empty where they would be."""
    refused = provisioning.service().answer(provisioning.request(), NOW)
    assert refused.ResponseCode is Code.WARNING_NoContractMatchingPCIDFound
    octets = encode(refused, schema_set("common"))
    data = read(octets, schema_set("common")).message.SignedInstallationData
    assert refused.CPSCertificateChain.Certificate == data.ContractCertificateChain.Certificate == b""
    keys = (data.SECP521_EncryptedPrivateKey, data.X448_EncryptedPrivateKey, data.TPM_EncryptedPrivateKey)
    assert not any(key and any(key) for key in keys), "nothing but zeros where the schema wants a length"


def before_the_grid(service: str) -> Scripted:
    car = Scripted()
    car.authorized(service)
    car.select(service)
    return car


@pytest.mark.parametrize("service", [name for name, row in SERVICES.items() if row.der])
def test_a_car_states_parameters_until_it_has_taken_over_what_the_grid_asks(service: str) -> None:
    """[V2G20-3150] asks again and again while it is at it; [V2G20-3151] a schedule comes after that, and never before."""
    car = before_the_grid(service)
    for _ in range(3):
        assert car.parameters(service, EVProcessing=processingType.Ongoing).ResponseCode is Code.OK
    assert car.exchange().ResponseCode is Code.FAILED_SequenceError
    assert car.session.ended is not None
    assert car.session.ended.requirement == "V2G20-3151"
    done = before_the_grid(service)
    done.parameters(service, EVProcessing=processingType.Ongoing)
    assert done.parameters(service, EVProcessing=processingType.Finished).ResponseCode is Code.OK
    assert done.exchange().ResponseCode is Code.OK


@pytest.mark.parametrize("service", [name for name, row in SERVICES.items() if row.der])
def test_parameters_do_not_come_again_behind_the_schedule_for_them(service: str) -> None:
    """[V2G20-3151] the other way round."""
    car = before_the_grid(service)
    car.parameters(service, EVProcessing=processingType.Finished)
    car.exchange()
    assert car.parameters(service, EVProcessing=processingType.Finished).ResponseCode is Code.FAILED_SequenceError
    assert car.session.ended is not None
    assert car.session.ended.requirement == "V2G20-3151"
