"""The certificates of the foreign peer: made by us, laid out and locked as it expects, trusted by both."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pki.keys import belongs, key_name
from pki.profiles import INTEROP, Role
from pki.store import Store
from pki.verify import verify
from v2gkit.peers.ecog_setup import CHAINS, PASSWORD, STEMS, Peer, equip


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    made = Peer(tmp_path_factory.mktemp("peer"))
    equip(made)
    return made


@pytest.mark.parametrize("role", STEMS)
def test_each_certificate_lies_beside_its_locked_key(peer: Peer, role: Role) -> None:
    folder, stem = peer.pki() / "iso15118_2", STEMS[role]
    der = x509.load_der_x509_certificate((folder / "certs" / f"{stem}Cert.der").read_bytes())
    assert x509.load_pem_x509_certificate((folder / "certs" / f"{stem}Cert.pem").read_bytes()) == der
    path = folder / "private_keys" / f"{stem}.key"
    password = (folder / "private_keys" / f"{stem}Password.txt").read_text()
    assert password == PASSWORD
    assert path.stat().st_mode & 0o077 == 0
    key = load_pem_private_key(path.read_bytes(), password.encode())
    assert belongs(key, der.public_key())  # type: ignore[arg-type]
    assert key_name(key) == "secp256r1"
    with pytest.raises(TypeError):
        load_pem_private_key(path.read_bytes(), None)


@pytest.mark.parametrize("role", CHAINS)
def test_our_anchors_reach_its_chains(peer: Peer, role: Role) -> None:
    chain = x509.load_pem_x509_certificates((peer.pki() / "iso15118_2" / "certs" / CHAINS[role]).read_bytes())
    assert verify(chain, role, Store(peer.certificates).anchors, datetime.now(UTC), rules=INTEROP).leaf == chain[0]


def test_a_car_without_contract_has_no_key_to_sign_with(peer: Peer) -> None:
    keys = {path.name for path in (peer.pki(contract=False) / "iso15118_2" / "private_keys").iterdir()}
    assert "contractLeaf.key" not in keys
    assert "oemLeaf.key" in keys
    assert (peer.pki(contract=False) / "iso15118_2" / "certs" / "contractLeafCert.der").exists()


def test_fresh_certificates_stay_and_stale_ones_are_made_anew(peer: Peer) -> None:
    before = Store(peer.certificates).secc.leaf
    equip(peer)
    assert Store(peer.certificates).secc.leaf == before
    (peer.home / ".certificates").unlink()
    equip(peer)
    assert Store(peer.certificates).secc.leaf != before


def test_each_run_has_an_environment_of_its_own(peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    given = peer.environment("AC_BPT", True, "EIM,PNC", contract=False)
    assert "PYTHONPATH" not in given  # its interpreter must not find our packages
    assert given["PROTOCOLS"] == "ISO_15118_20_AC"
    assert given["ENABLE_TLS_1_3"] == "True"
    assert given["PKI_PATH"].endswith("pki-eim/")
