"""Keys in a hardware module: SoftHSM2 stands in for one. Everything a key in memory does here, but for TLS."""

import secrets
import subprocess
from dataclasses import replace
from pathlib import Path
from shutil import copytree, which

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki import signature as xmldsig
from pki.authorization import Accepted, judge
from pki.chains import contract_chain
from pki.envelope import new_contract_key, seal, unseal
from pki.errors import StoreError
from pki.issue import Names, issue
from pki.keys import ALGORITHMS, belongs, sign, verify
from pki.profiles import PROFILES, Role
from pki.request import request
from pki.status import Responder, check
from pki.store import Store, create
from pki.token import TokenKey, address, new_token_key, token_key
from pki.verify import verify as verify_chain
from tests.pki.sample_pki import NOW, anchors, hierarchy
from v2g.messages import schema_set
from v2g.messages.common_messages import PnC_AReqAuthorizationModeType
from v2gkit.authorities.broken import Bench

MODULE = next((path for path in ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm.so") if Path(path).exists()), "")
PIN = "4711"

pytest.importorskip("pkcs11")
pytestmark = pytest.mark.skipif(not (MODULE and which("softhsm2-util")), reason="SoftHSM2 is not installed")


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A fresh token; the module reads where it lies from the environment when it is first loaded."""
    place = tmp_path_factory.mktemp("softhsm")
    (place / "tokens").mkdir()
    (place / "conf").write_text(f"directories.tokendir = {place}/tokens\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SOFTHSM2_CONF", str(place / "conf"))
        label = f"v2gkit-{secrets.token_hex(4)}"
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", PIN], check=True, capture_output=True
        )
        yield label


def uri(token: str, name: str) -> str:
    return f"pkcs11:token={token};object={name}?module-path={MODULE}"


@pytest.fixture(scope="module")
def key(token: str) -> TokenKey:
    return new_token_key(uri(token, "p521"), "secp521r1", PIN)


@pytest.mark.parametrize("curve", ["secp521r1", "secp256r1"])
def test_a_key_made_inside_signs_as_any_other(token: str, curve: str) -> None:
    made = new_token_key(uri(token, f"made-{curve}"), curve, PIN)
    assert made.curve.name == curve
    signature = sign(made, b"octets")
    assert len(signature) == ALGORITHMS[curve].signature_length
    assert verify(made.public_key(), signature, b"octets")
    assert not verify(made.public_key(), signature, b"others")


def test_it_is_found_again_and_never_comes_out(token: str, key: TokenKey) -> None:
    again = token_key(uri(token, "p521"), PIN)
    assert belongs(again, key.public_key())
    with pytest.raises(StoreError, match="does not leave"):
        again.private_numbers()
    with pytest.raises(StoreError, match="does not leave"):
        again.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_a_contract_in_hardware_authorizes(key: TokenKey) -> None:
    bench = Bench(hierarchy(), Role.CONTRACT, NOW)
    contract = bench.again(bench.leaf, key=key)
    mode = PnC_AReqAuthorizationModeType(Id="id1", GenChallenge=bytes(16), ContractCertificateChain=contract_chain(contract.chain))
    found = judge(mode, xmldsig.sign([mode], key, schema_set("common")), bytes(16), anchors(), NOW)
    assert isinstance(found, Accepted)


def test_a_provisioning_key_in_hardware_opens_envelopes(key: TokenKey) -> None:
    bench = Bench(hierarchy(), Role.PROVISIONING, NOW)
    car = bench.again(bench.leaf, key=key)
    secret = new_contract_key("secp521r1")
    contract = Bench(hierarchy(), Role.CONTRACT, NOW).again(hierarchy()[Role.CONTRACT], key=secret).certificate
    for _ in range(4):  # a shared secret with leading zeros is as long as any
        sealed = seal(secret, contract, car.certificate, secrets.token_bytes)
        assert belongs(unseal(sealed, key, contract, car.certificate), contract.public_key())


def test_an_authority_in_hardware_issues_and_answers(key: TokenKey) -> None:
    bench = Bench(hierarchy(), Role.SECC, NOW)
    sub2 = bench.again(bench.sub2, key=key)
    leaf = bench.again(bench.leaf, issuer=sub2)
    assert verify_chain(leaf.chain, Role.SECC, anchors(), NOW)
    own = Responder(sub2.certificate, sub2.certificate, key, lambda serial: "good")
    assert check(own.staple(leaf.certificate, NOW), leaf.certificate, sub2.certificate, NOW)
    assert request(PROFILES[Role.SECC], Names(), key).is_signature_valid
    assert issue(PROFILES[Role.V2G_ROOT], None, Names(), key.public_key(), NOW, key=key)


def test_a_store_points_to_the_key(token: str, key: TokenKey, tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.write_text(PIN)
    bench = Bench(hierarchy(), Role.CONTRACT, NOW)
    contract = bench.again(bench.leaf, key=key)
    store = create(tmp_path / "car", [])
    pointing = TokenKey(key._handle, key.public_key(), replace(key.place, pin_source=str(pin)))
    saved = store.save(Role.CONTRACT, "hsm", contract.chain, pointing)
    assert saved.key_path.read_text().startswith("pkcs11:")
    assert PIN not in saved.key_path.read_text()
    loaded = Store(store.path).contract
    assert isinstance(loaded.key, TokenKey)
    assert verify(key.public_key(), sign(loaded.key, b"x"), b"x")
    pin.unlink()
    with pytest.raises(StoreError, match="PIN"):
        _ = Store(copytree(store.path, tmp_path / "again")).contract


@pytest.mark.parametrize(
    "wrong", ["", "file:/etc/passwd", "pkcs11:object=a?module-path=/x", "pkcs11:token=a;object=b", "pkcs11:token=a?module-path=/x"]
)
def test_an_address_is_complete_or_an_error(wrong: str) -> None:
    with pytest.raises(StoreError, match="no PKCS #11 URI"):
        address(wrong)


def test_what_is_not_there_is_named(token: str, tmp_path: Path) -> None:
    for missing in (uri(token, "nobody"), uri("nowhere", "p521"), f"pkcs11:token=a;object=b?module-path={tmp_path}/none.so"):
        with pytest.raises(StoreError, match="pkcs11:token"):
            token_key(missing, PIN)
    with pytest.raises(StoreError):
        new_token_key(uri(token, "x"), "secp521r1", "wrong")
