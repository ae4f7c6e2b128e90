"""The encrypted contract key of -2 against the foreign peer's own code, both ways; it runs where the peer is installed."""

import json
import secrets
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki.envelope import seal2, unseal2
from pki.keys import belongs
from pki.profiles import Role
from tests.pki.sample_pki import hierarchy
from v2gkit.peers import ecog_setup

PEER = ecog_setup.Peer(Path(__file__).parents[2] / ".interop")
pytestmark = pytest.mark.skipif(not PEER.python.exists(), reason="the foreign peer is not installed; make interop installs it")

THEIRS = """
import json, sys
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from iso15118.shared.security import decrypt_priv_key, encrypt_priv_key

given = {name: bytes.fromhex(value) for name, value in json.load(sys.stdin).items()}
contract, car = (load_pem_private_key(given[name], None) for name in ("contract", "car"))
public, encrypted = encrypt_priv_key(given["certificate"], contract)
point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), given["public"])
opened = decrypt_priv_key(given["encrypted"], car, point)
print(json.dumps({"public": public.hex(), "encrypted": encrypted.hex(), "opened": opened.hex()}))
"""


def test_each_opens_what_the_other_sealed() -> None:
    built = hierarchy("secp256r1")
    car: Any = built[Role.PROVISIONING].key
    contract: Any = built[Role.CONTRACT].key
    public, encrypted = seal2(contract, car.public_key(), secrets.token_bytes)
    given = {"public": public, "encrypted": encrypted, "certificate": built[Role.PROVISIONING].certificate.public_bytes(Encoding.DER)}
    for name, key in (("contract", contract), ("car", car)):
        given[name] = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    asked = json.dumps({name: octets.hex() for name, octets in given.items()})
    environment = PEER.environment("AC", tls=False, authorizations="EIM,PNC")
    done = subprocess.run([PEER.python, "-c", THEIRS], input=asked, capture_output=True, text=True, check=True, env=environment)
    theirs = {name: bytes.fromhex(value) for name, value in json.loads(done.stdout.splitlines()[-1]).items()}
    assert theirs["opened"] == contract.private_numbers().private_value.to_bytes(32, "big")
    opened = unseal2(theirs["public"], theirs["encrypted"], car, built[Role.CONTRACT].certificate)
    assert belongs(opened, contract.public_key())
