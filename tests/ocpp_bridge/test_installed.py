"""Roots that a CSMS installs, deletes and lists (M03, M04, M05), at the level of frames."""

import hashlib
import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ocpp_bridge.model.safe import ROOTS_MAXIMUM
from pki.profiles import Role
from pki.store import Store
from tests.ocpp_bridge.ocpp_certificates import HIERARCHIES, OTHERS, Ca, Certified, pem

V2G = HIERARCHIES["secp521r1"]
OTHER = {"V2GRootCertificate": Role.V2G_ROOT, "MORootCertificate": Role.MO_ROOT, "OEMRootCertificate": Role.OEM_ROOT}
FAMILY = {"V2GRootCertificate": "v2g", "MORootCertificate": "mo", "OEMRootCertificate": "oem"}


def install(played: Certified, use: str, text: str) -> dict:
    return played.ask("InstallCertificate", {"certificateType": use, "certificate": text})


def listed(played: Certified, *types: str) -> list[dict]:
    answer = played.ask("GetInstalledCertificateIds", {"certificateType": list(types)} if types else {})
    assert (answer["status"] == "Accepted") == ("certificateHashDataChain" in answer)
    return answer.get("certificateHashDataChain", [])


def delete(played: Certified, hash_data: dict) -> dict:
    return played.ask("DeleteCertificate", {"certificateHashData": hash_data})


def named(certificate, issuer, algorithm: str = "SHA256") -> dict:
    """CertificateHashData by the letter of RFC 6960, made here from the DER: the key is the content of its BIT STRING."""
    digest = getattr(hashlib, algorithm.lower())
    form = (Encoding.X962, PublicFormat.UncompressedPoint)
    return {
        "hashAlgorithm": algorithm,
        "issuerNameHash": digest(issuer.subject.public_bytes()).hexdigest(),
        "issuerKeyHash": digest(issuer.public_key().public_bytes(*form)).hexdigest(),
        "serialNumber": f"{certificate.serial_number:x}",
    }


@pytest.mark.parametrize("use", OTHER)
def test_a_root_for_cars_is_trusted_in_the_store_listed_and_deleted(tmp_path, use):
    played = Certified(tmp_path).boot()
    root = OTHERS[OTHER[use]].certificate
    assert install(played, use, pem(root)) == {"status": "Accepted"}
    assert root in getattr(Store(tmp_path / "pki").anchors, FAMILY[use])
    assert install(played, use, pem(root)) == {"status": "Accepted"}  # twice is once
    ours = [one["certificateHashData"] for one in listed(played, use)]
    assert named(root, root) in ours
    assert len(ours) == 2
    assert played.charger.variables["SecurityCtrlr.CertificateEntries"] == "5"  # three of the plan, the new one, the station's chain
    if use == "MORootCertificate":
        assert root.public_bytes(Encoding.DER) in played.charger.roots  # by which contracts are named
    spelled = named(root, root, "SHA512")
    spelled = {name: value.upper() for name, value in spelled.items()} | {"serialNumber": spelled["serialNumber"].zfill(40)}
    assert delete(played, spelled) == {"status": "Accepted"}
    assert root not in getattr(Store(tmp_path / "pki").anchors, FAMILY[use])
    assert named(root, root) not in [one["certificateHashData"] for one in listed(played)]
    assert delete(played, spelled) == {"status": "NotFound"}


def test_the_hash_data_of_the_stations_chain_is_that_of_openssl(tmp_path):
    played = Certified(tmp_path).boot()
    [chain] = listed(played, "V2GCertificateChain")
    leaf, sub2, sub1 = played.store.secc.chain
    root = V2G[Role.V2G_ROOT].certificate
    assert chain["certificateHashData"] == named(leaf, sub2)
    assert chain["childCertificateHashData"] == [named(sub2, sub1), named(sub1, root)]
    for name, certificate in (("leaf", leaf), ("issuer", sub2)):
        (tmp_path / f"{name}.pem").write_text(pem(certificate))
    command = ["openssl", "ocsp", "-sha256", "-issuer", tmp_path / "issuer.pem", "-cert", tmp_path / "leaf.pem", "-req_text"]
    said = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, check=True).stdout.lower().replace("\n", " ")
    assert all(chain["certificateHashData"][name] in said for name in ("issuerNameHash", "issuerKeyHash", "serialNumber"))


def test_no_certificate_of_a_type_is_not_found(tmp_path):
    played = Certified(tmp_path).boot()
    assert played.ask("GetInstalledCertificateIds", {"certificateType": ["ManufacturerRootCertificate"]}) == {"status": "NotFound"}


WRONG = {
    "no PEM": lambda ca: "hello",
    "a leaf": lambda ca: pem(V2G[Role.SECC].certificate),
    "a sub-CA": lambda ca: pem(V2G[Role.CPO_SUB1].certificate),
    "two": lambda ca: ca.pem * 2,
    "ended": lambda ca: Ca(ca.folder / "old", days=-0.0001).pem,
    "cut off": lambda ca: ca.pem[:200],
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("use", ["V2GRootCertificate", "CSMSRootCertificate"])
def test_what_is_no_root_is_rejected_and_written_nowhere(tmp_path, wrong, use):
    played = Certified(tmp_path).boot().leap(1.0)
    answer = install(played, use, WRONG[wrong](Ca(tmp_path / "ca")))
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", "InvalidCertificate")
    assert len(answer["statusInfo"]["additionalInfo"]) > 10
    assert len(listed(played)) == 4


def test_the_last_csms_root_and_what_is_in_use_stay(tmp_path):
    first, second = Ca(tmp_path / "first", "First"), Ca(tmp_path / "second", "Second")
    played = Certified(tmp_path).boot()
    hashes = {name: named(ca.certificate, ca.certificate) for name, ca in (("first", first), ("second", second))}
    assert install(played, "CSMSRootCertificate", first.pem) == {"status": "Accepted"}
    answer = delete(played, hashes["first"])
    assert answer["status"] == "Failed"
    assert "last CSMS root" in answer["statusInfo"]["additionalInfo"]
    assert install(played, "CSMSRootCertificate", second.pem) == {"status": "Accepted"}
    assert delete(played, hashes["first"]) == {"status": "Accepted"}
    assert played.charger.safe.cabinet.roots() == (second.certificate.public_bytes(Encoding.DER),)
    leaf, sub2, _ = played.store.secc.chain
    assert "cars are served by it" in delete(played, named(leaf, sub2))["statusInfo"]["additionalInfo"]
    root = V2G[Role.V2G_ROOT].certificate
    assert "ends at it" in delete(played, named(root, root))["statusInfo"]["additionalInfo"]
    assert len(Store(tmp_path / "pki").anchors.v2g) == 1


def test_a_configured_csms_root_is_not_deleted(tmp_path):
    ca, other = Ca(tmp_path / "ca"), Ca(tmp_path / "other", "Other")
    played = Certified(tmp_path, trust=ca.root).boot()
    assert install(played, "CSMSRootCertificate", other.pem) == {"status": "Accepted"}
    answer = delete(played, named(ca.certificate, ca.certificate))
    assert "configuration" in answer["statusInfo"]["additionalInfo"]
    assert ca.root.exists()


def test_with_the_additional_check_a_csms_root_comes_from_the_one_before_which_stays_as_fallback(tmp_path):
    first = Ca(tmp_path / "first", "First")
    second = Ca(tmp_path / "second", "Second", by=first)
    third = Ca(tmp_path / "third", "Third", by=second)
    played = Certified(tmp_path).boot()
    played.charger.variables["SecurityCtrlr.AdditionalRootCertificateCheck"] = "true"
    assert install(played, "CSMSRootCertificate", first.pem) == {"status": "Accepted"}  # there is none before
    answer = install(played, "CSMSRootCertificate", Ca(tmp_path / "stranger", "Stranger").pem)
    assert "not signed by" in answer["statusInfo"]["additionalInfo"]
    assert install(played, "CSMSRootCertificate", second.pem) == {"status": "Accepted"}
    assert len(listed(played, "CSMSRootCertificate")) == 2
    assert install(played, "CSMSRootCertificate", third.pem) == {"status": "Accepted"}
    serials = {one["certificateHashData"]["serialNumber"] for one in listed(played, "CSMSRootCertificate")}
    assert serials == {f"{one.certificate.serial_number:x}" for one in (second, third)}


def test_the_number_of_roots_has_a_limit_and_what_cannot_be_kept_is_said(tmp_path):
    played = Certified(tmp_path).boot()
    ca = Ca(tmp_path / "ca")
    played.broken = True
    answer = install(played, "ManufacturerRootCertificate", ca.pem)
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Failed", "OutOfStorage")
    played.broken = False
    played.charger.safe.holdings = played.charger.safe.holdings.having("ManufacturerRootCertificate", (b"",) * (ROOTS_MAXIMUM - 3))
    answer = install(played, "ManufacturerRootCertificate", ca.pem)
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Failed", "OutOfStorage")
    assert str(ROOTS_MAXIMUM) in answer["statusInfo"]["additionalInfo"]


def test_a_station_without_folders_says_so(tmp_path):
    played = Certified(tmp_path).boot()
    played.charger.safe.cabinet = None
    answer = install(played, "V2GRootCertificate", pem(OTHERS[Role.V2G_ROOT].certificate))
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Failed", "OutOfStorage")
    assert delete(played, named(*[OTHERS[Role.V2G_ROOT].certificate] * 2)) == {"status": "NotFound"}
