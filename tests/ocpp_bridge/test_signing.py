"""Certificates of the station by request (A02, A03), at the level of frames: asked for, judged, put in place, renewed."""

import itertools
import stat
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ocpp_bridge.blocks.signing import REST
from pki.profiles import Role
from pki.store import Store, create
from tests.ocpp_bridge.ocpp_certificates import NOW, OTHERS, Ca, Certified, pem
from v2gkit.authorities.office import Office

WAIT = 30.0  # s, CertSigningWaitMinimum


def triggered(played: Certified, message: str = "SignV2G20Certificate") -> Certified:
    assert played.ask("TriggerMessage", {"requestedMessage": message}) == {"status": "Accepted"}
    return played


@pytest.mark.parametrize(
    ("message", "type_", "curve"),
    [("SignV2G20Certificate", "V2G20Certificate", "secp521r1"), ("SignV2GCertificate", "V2GCertificate", "secp256r1")],
)
def test_a_certificate_for_cars_is_asked_for_signed_and_in_the_store_with_its_key(tmp_path, message, type_, curve):
    played = triggered(Certified(tmp_path, curves=(curve,)).boot(), message)
    asked = played.asked
    request = x509.load_pem_x509_csr(asked["csr"].encode())
    assert asked["certificateType"] == type_
    assert request.is_signature_valid
    assert request.public_key().curve.name == curve
    before = played.store.secc
    assert request.subject == before.leaf.subject
    issued = pem(before.chain[0])
    assert asked["hashRootCertificate"]["serialNumber"]
    assert played.signed(played.sign(curve=curve)) == {"status": "Accepted"}
    after = Store(tmp_path / "pki").secc
    assert pem(after.chain[0]) != issued
    assert (after.name, after.curve, len(after.chain)) == (before.name, curve, 3)
    assert stat.S_IMODE(after.key_path.stat().st_mode) == 0o600
    assert not list((tmp_path / "state" / "ocpp" / "asked").iterdir())
    assert played.signed(played.sign(curve=curve))["statusInfo"]["reasonCode"] == "InvalidCertificate"  # nothing is under way
    assert "PRIVATE" not in repr(played.sent) + repr(played.charger.kept)


def test_the_certificate_for_the_csms_bears_the_stations_id_and_makes_it_connect_anew(tmp_path):
    ca = Ca(tmp_path / "ca")
    played = triggered(Certified(tmp_path, trust=ca.root).boot(), "SignChargingStationCertificate")
    request = x509.load_pem_x509_csr(played.asked["csr"].encode())
    assert request.subject.rfc4514_string() == "O=v2gkit,CN=CS-1"
    assert isinstance(request.public_key(), ec.EllipticCurvePublicKey)
    assert played.signed(ca.sign(played.asked["csr"])) == {"status": "Accepted"}
    assert played.charger.safe.anew
    [(chain, key)] = played.charger.safe.cabinet.credentials()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert x509.load_pem_x509_certificate(chain.read_bytes()).public_key() == request.public_key()
    triggered(played, "SignChargingStationCertificate")
    assert played.signed(ca.sign(played.asked["csr"])) == {"status": "Accepted"}
    assert [one.name for one, _ in played.charger.safe.cabinet.credentials()] == ["station.chain.pem", "before.chain.pem"]
    played.charger.safe.cabinet.worked()
    assert [one.name for one, _ in played.charger.safe.cabinet.credentials()] == ["station.chain.pem"]


def expired(played: Certified) -> str:
    chain = played.sign(validity=timedelta(seconds=1))
    played.run(5.0)
    return chain


WRONG = {
    "another key": lambda p: pem(*p.store.secc.chain),
    "another root": lambda p: p.sign(office=Office(create(p.folder / "others", [OTHERS]))),
    "the leaf alone": lambda p: p.sign().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n",
    "no certificate": lambda p: "hello",
    "cut off": lambda p: p.sign()[:900],
    "expired": expired,
    "too many": lambda p: p.sign() * 3,
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_was_not_asked_for_is_refused_told_of_and_changes_nothing(tmp_path, wrong):
    played = triggered(Certified(tmp_path).boot())
    before = sorted(one.read_bytes() for one in (tmp_path / "pki" / "secc").iterdir())
    answer = played.signed(WRONG[wrong](played))
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", "InvalidCertificate")
    assert len(answer["statusInfo"]["additionalInfo"]) > 20
    [started, event] = played.calls("SecurityEventNotification")
    assert started["type"] == "StartupOfTheDevice"
    assert event["type"] == "InvalidChargingStationCertificate"
    assert "V2G20Certificate" in event["techInfo"]
    assert sorted(one.read_bytes() for one in (tmp_path / "pki" / "secc").iterdir()) == before
    assert played.signed(played.sign()) == {"status": "Accepted"}  # the request still stands


@pytest.mark.parametrize("how", [{"purpose": "SERVER_AUTH"}, {"days": 0}])
def test_a_certificate_of_another_purpose_or_time_is_none_for_the_csms(tmp_path, how):
    ca = Ca(tmp_path / "ca")
    played = triggered(Certified(tmp_path, trust=ca.root).boot(), "SignChargingStationCertificate")
    if "days" in how:
        played.run(2.0)
    assert played.signed(ca.sign(played.asked["csr"], **how))["status"] == "Rejected"
    other = Ca(tmp_path / "other")
    assert "no path" in played.signed(other.sign(played.asked["csr"]))["statusInfo"]["additionalInfo"]


def test_another_request_id_is_refused(tmp_path):
    played = triggered(Certified(tmp_path).boot())
    answer = played.signed(played.sign(), requestId=4711)
    assert "4711" in answer["statusInfo"]["additionalInfo"]
    asked = {"certificateChain": played.sign(), "certificateType": "V2G20Certificate"}
    assert played.ask("CertificateSigned", asked) == {"status": "Accepted"}  # as a CSMS of 2.0.1 says it, which has none


@pytest.mark.parametrize("answer", [{"status": "Accepted"}, {"status": "Rejected"}, "Timeout", "NotImplemented"])
def test_a_request_is_repeated_with_doubled_waits_and_then_rests_for_a_day(tmp_path, answer):
    played = Certified(tmp_path).boot()
    played.answers["SignCertificate"] = answer
    triggered(played)
    times = [played.now]
    while len(times) < 4:
        count = len(played.calls("SignCertificate"))
        played.run(1.0)
        times += [played.now] if len(played.calls("SignCertificate")) > count else []
    waits = [round((b - a) / WAIT) for a, b in itertools.pairwise(times)]
    assert waits == [1, 2, 4]
    assert len({call["requestId"] for call in played.calls("SignCertificate")}) == 1
    played.run(8 * WAIT + 60.0)
    assert not played.charger.safe.asked
    assert len(played.calls("SignCertificate")) == 4
    assert played.charger.safe.rests["V2G20Certificate"] > REST / 2
    assert triggered(played).asked["requestId"] != played.calls("SignCertificate")[0]["requestId"]


def test_a_certificate_is_renewed_before_it_ends_and_only_then(tmp_path):
    played = Certified(tmp_path).boot()
    days = 24 * 3600.0
    played.leap(59 * days)  # of 90
    assert not played.calls("SignCertificate")
    played.leap(2 * days)
    assert played.asked["certificateType"] == "V2G20Certificate"
    assert played.signed(played.sign()) == {"status": "Accepted"}
    count = len(played.calls("SignCertificate"))
    played.leap(50 * days)
    assert len(played.calls("SignCertificate")) == count
    assert Store(tmp_path / "pki").secc.leaf.not_valid_after_utc > NOW + timedelta(days=140)


def test_a_request_outlives_the_process_with_its_key(tmp_path):
    played = triggered(Certified(tmp_path).boot())
    chain, kept = played.sign(), dict(played.charger.kept)
    assert "sign/V2G20Certificate" in kept
    again = Certified(tmp_path / "other").restarted()
    again.folder = tmp_path
    again.restarted()
    again.bridge.restore(kept)
    again.boot().run(WAIT + 1.0)
    assert again.asked["csr"] == played.asked["csr"]
    assert again.signed(chain) == {"status": "Accepted"}
    assert "sign/V2G20Certificate" not in again.charger.kept


def test_a_full_disk_refuses_the_certificate_and_the_request_stands(tmp_path):
    played = triggered(Certified(tmp_path).boot())
    played.broken = True
    answer = played.signed(played.sign())
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", "OutOfStorage")
    played.broken = False
    assert played.signed(played.sign()) == {"status": "Accepted"}


def test_what_cannot_be_asked_for_says_why(tmp_path):
    played = Certified(tmp_path, tls=False).boot()
    answer = played.ask("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"})
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", "UnsupportedParam")
    assert "wss://" in answer["statusInfo"]["additionalInfo"]
    played.charger.variables["ISO15118Ctrlr.V2GCertificateInstallationEnabled"] = "false"
    answer = played.ask("TriggerMessage", {"requestedMessage": "SignV2G20Certificate"})
    assert answer["statusInfo"]["reasonCode"] == "NotEnabled"
    assert not played.calls("SignCertificate")
    assert played.ask("TriggerMessage", {"requestedMessage": "SignCombinedCertificate"})["status"] == "NotImplemented"


def test_many_triggers_make_one_key(tmp_path):
    played = Certified(tmp_path).boot()
    for _ in range(20):
        triggered(played)
    assert len({call["csr"] for call in played.calls("SignCertificate")}) == 1


def test_the_names_of_the_request_are_those_of_the_device_model(tmp_path):
    played = Certified(tmp_path).boot()
    for name, value in (("SeccId", "DEABCE00001"), ("OrganizationName", "Acme"), ("CountryName", "FR")):
        data = {"component": {"name": "ISO15118Ctrlr"}, "variable": {"name": name}, "attributeValue": value}
        [result] = played.ask("SetVariables", {"setVariableData": [data]})["setVariableResult"]
        assert result["attributeStatus"] == "Accepted"
    subject = x509.load_pem_x509_csr(triggered(played).asked["csr"].encode()).subject
    assert subject.rfc4514_string() == "DC=CPO,C=FR,O=Acme,CN=DEABCE00001"
    assert played.signed(played.sign())["status"] == "Accepted"
    assert Store(tmp_path / "pki").credential(Role.SECC).common_name == "DEABCE00001"
