"""`v2g pki revoke`: revoke a certificate, for the responder and the revocation lists of its authority."""

import argparse
from pathlib import Path

from cryptography import x509

from pki.store import read_chain
from v2gkit.cli.pki.answer import WELL, curable, examples, json_option, now, office_of, say

REASONS = [flag.value for flag in x509.ReasonFlags if flag is not x509.ReasonFlags.remove_from_crl]


EPILOG = examples("""\
  v2g pki revoke certs/contract/DEV2GC00000001G-secp521r1.chain.pem --store certs --reason keyCompromise""")


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g pki revoke`."""
    json_option(parser)
    parser.add_argument("certificate", type=Path, help="PEM; the first certificate in it")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--reason", default="unspecified", choices=REASONS)


@curable
def run(options: argparse.Namespace) -> int:
    """Record the revocation of the certificate; returns the exit code."""
    certificate = read_chain(options.certificate)[0]
    authority = office_of(options.store).revoke(certificate, now(), options.reason)
    name, serial = certificate.subject.rfc4514_string(), f"{certificate.serial_number:x}"
    say(options, f"{authority.role.value} {authority.name} has revoked {name}, serial {serial}", serial=serial, authority=authority.name)
    return WELL
