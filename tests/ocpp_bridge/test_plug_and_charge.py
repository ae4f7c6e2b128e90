"""Contracts (C07, M01) at the level of frames: how an eMAID is spelled, what a verdict means, what is proof, what does not fit."""

import base64
import itertools
import ssl

import pytest

from ocpp_bridge.model.known_tokens import name_of
from ocpp_bridge.model.mapping import verdict
from ocpp_bridge.wire.endpoint import refuses_certificate, security_event
from pki.profiles import Role
from secc.station import (
    AuthorizationRefused,
    AuthorizationWanted,
    Authorized,
    CertificateInstallationWanted,
    CertificateReady,
    CertificateRefused,
    SessionStarted,
)
from tests.ocpp_bridge.ocpp_certificates import HIERARCHIES, OTHERS, der
from tests.ocpp_bridge.test_bridge import EVCCID, Played
from v2g.reasons import Reason

CONTRACT = HIERARCHIES["secp521r1"]
CHAIN = tuple(der(one) for one in CONTRACT[Role.CONTRACT].chain)
ROOT = der(CONTRACT[Role.MO_ROOT].certificate)
STATUSES = ("Accepted", "Blocked", "ConcurrentTx", "Expired", "Invalid", "NoCredit", "NotAllowedTypeEVSE", "NotAtThisLocation",
            "NotAtThisTime", "Unknown")  # fmt: skip
CERTIFICATES = ("Accepted", "SignatureError", "CertificateExpired", "CertificateRevoked", "NoCertificateAvailable", "CertChainError",
                "ContractCancelled")  # fmt: skip
SPELLINGS = ("DEV2GC00000001G", "de-v2g-c00000001-g", "DE*V2G*C00000001", "DEV2GC00000001")


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_an_emaid_is_known_however_it_is_spelled(spelled):
    names = {name_of({"idToken": text, "type": kind}) for text in (spelled, "DEV2GC00000001G") for kind in ("eMAID", "EMAID")}
    assert len(names) == 1
    assert name_of({"idToken": spelled, "type": "Central"}) != next(iter(names))
    assert name_of({"idToken": "DEV2GC00000002D", "type": "eMAID"}) not in names


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_a_contract_of_the_cache_charges_offline_however_the_car_spells_it(spelled):
    played = Played().boot()
    played.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "PnC", EVCCID, SPELLINGS[0]))
    assert any(isinstance(fact, Authorized) for fact in played.told)
    played.gone_and_alone()
    played.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "PnC", EVCCID, spelled))
    assert any(isinstance(fact, Authorized) for fact in played.told)


@pytest.mark.parametrize(("status", "certificate"), tuple(itertools.product(STATUSES, CERTIFICATES)))
def test_only_accepted_twice_lets_a_contract_charge(status, certificate):
    fact = verdict({"idTokenInfo": {"status": status}, "certificateStatus": certificate}, contract=True, evse=1)
    assert isinstance(fact, Authorized) == ((status, certificate) == ("Accepted", "Accepted"))
    if isinstance(fact, AuthorizationRefused):
        assert status in fact.reason
        assert certificate in fact.reason
        own = {"CertificateExpired": Reason.CERTIFICATE_EXPIRED, "CertificateRevoked": Reason.CERTIFICATE_REVOKED}
        assert certificate not in own or fact.kind is own[certificate]


def asked(**settings: str) -> dict:
    """The Authorize for the contract, by a station with these variables of ISO15118Ctrlr."""
    played = Played(roots=() if settings.pop("roots", "true") == "false" else (ROOT,)).boot()
    for name, value in settings.items():
        played.charger.variables[f"ISO15118Ctrlr.{name}"] = value
    played.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "PnC", EVCCID, SPELLINGS[0], CHAIN))
    return played.calls("Authorize")[-1]


def test_a_contract_is_proved_by_hash_data_else_by_its_chain_if_the_csms_may_validate_it():
    hashes = asked()["iso15118CertificateHashData"]
    assert [one["serialNumber"] for one in hashes] == [f"{one.serial_number:x}" for one in CONTRACT[Role.CONTRACT].chain]
    whole = asked(roots="false")
    assert "iso15118CertificateHashData" not in whole
    assert whole["certificate"].count("BEGIN CERTIFICATE") == len(CHAIN)


def installing(exi: bytes = b"\x80\x01", **want) -> tuple[Played, CertificateInstallationWanted]:
    played = Played()
    played.answers["Get15118EVCertificate"] = {
        "status": "Accepted", "exiResponse": base64.b64encode(b"contract").decode(), "remainingContracts": 2,
    }  # fmt: skip
    played.boot()
    wanted = CertificateInstallationWanted(0.0, exi, "urn:iso:std:iso:15118:-20:CommonMessages", **want)
    played.want(SessionStarted(0.0, bytes(8), EVCCID), wanted)
    return played, wanted


def test_several_contracts_are_asked_for_and_told_with_how_many_remain():
    played, _ = installing(maximum_chains=3, prioritized_emaids=tuple(f"DEV2GC{n:09}" for n in range(10)))
    [payload] = played.calls("Get15118EVCertificate")
    assert base64.b64decode(payload["exiRequest"]) == b"\x80\x01"
    assert (payload["action"], payload["maximumContractCertificateChains"], len(payload["prioritizedEMAIDs"])) == ("Install", 3, 8)
    ready = next(fact for fact in played.told if isinstance(fact, CertificateReady))
    assert (ready.exi, ready.remaining) == (b"contract", 2)


def test_a_request_that_does_not_fit_is_refused_with_its_reason():
    played, _ = installing(bytes(8_251), maximum_chains=1)  # 11,004 characters of base64
    assert not played.calls("Get15118EVCertificate")
    refused = next(fact for fact in played.told if isinstance(fact, CertificateRefused))
    assert "11004 characters" in refused.reason


def test_why_a_csms_cannot_be_asked_for_a_contract_is_said():
    played, _ = installing(maximum_chains=1)
    played.charger.variables["ISO15118Ctrlr.ContractCertificateInstallationEnabled"] = "false"
    again = CertificateInstallationWanted(0.0, b"x", "urn:iso:std:iso:15118:-20:CommonMessages", 1)
    played.want(again)
    assert "ContractCertificateInstallationEnabled" in played.told[-1].reason
    played.charger.variables["ISO15118Ctrlr.ContractCertificateInstallationEnabled"] = "true"
    played.bridge.go_offline(played.now)
    played.want(again)
    assert "not there" in played.told[-1].reason


@pytest.mark.parametrize(
    ("reason", "event"),
    [
        ("UNSUPPORTED_PROTOCOL", "InvalidTLSVersion"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "InvalidTLSVersion"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "InvalidTLSCipherSuite"),
        ("WRONG_CIPHER_RETURNED", "InvalidTLSCipherSuite"),
        ("TLSV1_ALERT_UNKNOWN_CA", None),
    ],
)
def test_a_failed_handshake_is_the_security_event_of_its_cause(reason, event):
    error = ssl.SSLError(1, f"[SSL: {reason}] {reason.lower().replace('_', ' ')}")
    error.reason = reason
    found = security_event(error)
    assert (found[0] if found else None) == event
    wrapped = ConnectionError("closed")
    wrapped.__cause__ = error
    assert refuses_certificate(wrapped, None) == ("ALERT" in reason and "VERSION" not in reason)
    assert refuses_certificate(OSError(), 403)
    assert not refuses_certificate(OSError(), 503)


def test_a_contract_of_a_root_that_is_not_here_is_sent_whole():
    played = Played(roots=(der(OTHERS[Role.MO_ROOT].certificate),)).boot()
    played.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "PnC", EVCCID, SPELLINGS[0], CHAIN))
    assert played.calls("Authorize")
