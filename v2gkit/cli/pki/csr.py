"""`v2g pki csr`: make a key and a certificate request for a role."""

import argparse
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki.files import replace as replace_file
from pki.keys import ALGORITHMS
from pki.plan import Names
from pki.profiles import PROFILES, Role
from pki.request import request
from pki.store import KEY_MODE, read_key
from v2gkit.cli.pki.answer import WELL, curable, examples, json_option, say

EPILOG = examples("""\
  v2g pki csr new --role secc --name DEABCE0042 --key new.key.pem
  v2g pki csr new --role vehicle --name WMIABC0001 --curve ed448""")


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g pki csr`."""
    json_option(parser)
    parser.add_argument("stem", type=Path, help="STEM.csr.pem and STEM.key.pem are written")
    parser.add_argument("--role", required=True, choices=[role.value for role in PROFILES if not PROFILES[role].authority])
    parser.add_argument("--name", required=True, help="EVSE id, EVCCID, PCID or eMAID: the common name")
    parser.add_argument("--organization", default="v2gkit")
    parser.add_argument("--curve", default="secp521r1", choices=list(ALGORITHMS))
    parser.add_argument("--key", type=Path, help="use this key file (PEM) instead of a new one")


@curable
def run(options: argparse.Namespace) -> int:
    """Write the request, and a key unless there is one; the exit code."""
    key = read_key(options.key) if options.key else ALGORITHMS[options.curve].generate()
    slots = {"evse_id": options.name, "evccid": options.name, "pcid": options.name, "emaid": options.name}
    csr = request(PROFILES[Role(options.role)], Names(organization=options.organization, **slots), key)
    if not options.key:
        replace_file(_beside(options.stem, "key"), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), KEY_MODE)
    path = _beside(options.stem, "csr")
    replace_file(path, csr.public_bytes(Encoding.PEM))
    say(options, f"{path}: {csr.subject.rfc4514_string()}", request=str(path), subject=csr.subject.rfc4514_string())
    return WELL


def _beside(stem: Path, kind: str) -> Path:
    return stem.with_name(f"{stem.name}.{kind}.pem")
