"""`v2g pki crl`: write the revocation list of an authority."""

import argparse
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from pki.files import replace as replace_file
from pki.keys import ALGORITHMS
from pki.profiles import PROFILES, Role
from v2gkit.cli.pki.answer import WELL, curable, examples, json_option, now, office_of, say

EPILOG = examples("""\
  v2g pki crl --store certs --role mo-sub2 --out mo-sub2.crl""")


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g pki crl`."""
    json_option(parser)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--role", required=True, choices=[role.value for role in PROFILES if PROFILES[role].authority])
    parser.add_argument("--curve", choices=list(ALGORITHMS))
    parser.add_argument("--out", type=Path, help="PEM; default: crl/ROLE-NAME.pem in the store, where verifiers look")


@curable
def run(options: argparse.Namespace) -> int:
    """Write the list; the exit code."""
    office = office_of(options.store)
    authority = office.store.credential(Role(options.role), options.curve)
    made = office.crl(authority, now())
    path = options.out or office.store.path / "crl" / f"{authority.role.value}-{authority.name}.pem"
    replace_file(path, made.public_bytes(Encoding.PEM))
    say(options, f"{path}: {len(made)} revoked, until {made.next_update_utc:%Y-%m-%d}", list=str(path), revoked=len(made))
    return WELL
