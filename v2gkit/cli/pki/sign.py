"""`v2g pki sign`: sign a certificate request by an authority of a store."""

import argparse
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from pki.certificate import facts
from pki.errors import StoreError
from pki.files import replace as replace_file
from pki.keys import key_name
from pki.profiles import PROFILES, Role
from pki.request import read_request
from v2gkit.cli import parser as kinds
from v2gkit.cli.pki.answer import WELL, curable, examples, json_option, now, office_of, say
from v2gkit.output import put

EPILOG = examples("""\
  v2g pki sign new.csr.pem --role secc --store certs --out new.chain.pem
  v2g pki sign new.csr.pem --role contract --store certs --by mo-sub2 --days 30""")


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g pki sign`."""
    json_option(parser)
    parser.add_argument("request", type=Path)
    parser.add_argument("--role", required=True, choices=[role.value for role in PROFILES if not PROFILES[role].authority])
    parser.add_argument("--store", type=Path, required=True, help="whose authority signs")
    parser.add_argument("--by", choices=[role.value for role in PROFILES if PROFILES[role].authority], help="default: the row of the role")
    parser.add_argument("--days", type=kinds.whole(1, 36_500), help="validity; default: the row of the role")
    parser.add_argument("--out", type=Path, help="the chain, PEM; default standard output")


@curable
def run(options: argparse.Namespace) -> int:
    """Sign the request; the exit code."""
    office, role = office_of(options.store), Role(options.role)
    csr = read_request(options.request.read_bytes())
    issuer = Role(options.by) if options.by else PROFILES[role].issuer
    if issuer is None:
        raise StoreError(f"{role.value} certificates are issued by any authority; name one with --by")
    authority = office.store.credential(issuer, key_name(csr.public_key()))
    chain = office.sign(csr, role, authority, now(), validity=timedelta(days=options.days) if options.days else None)
    pem = b"".join(one.public_bytes(Encoding.PEM) for one in chain)
    if options.out:
        replace_file(options.out, pem)
        fact = facts(chain[0])
        say(options, f"{options.out}: {fact.name} until {fact.not_after:%Y-%m-%d}", chain=str(options.out), subject=fact.name)
    else:
        put(pem.decode(), end="")
    return WELL
