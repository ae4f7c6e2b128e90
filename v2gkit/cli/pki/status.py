"""`v2g pki status`: ask an OCSP responder about a certificate."""

import argparse
from pathlib import Path

from pki.errors import StoreError
from pki.store import read_chain
from v2gkit.authorities import ocsp
from v2gkit.cli.pki.answer import WELL, curable, examples, json_option, say

EPILOG = examples("""\
  v2g pki status leaf.chain.pem
  v2g pki status leaf.chain.pem --url http://[::1]:8888/ocsp""")


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g pki status`."""
    json_option(parser)
    parser.add_argument("chain", type=Path, help="PEM: the certificate, then its issuer")
    parser.add_argument("--url", help="default: the one the certificate names")


@curable
def run(options: argparse.Namespace) -> int:
    """Ask the responder and print its answer; returns the exit code."""
    certificate, *above = read_chain(options.chain)
    if not above:
        raise StoreError(f"{options.chain} holds the certificate alone; its issuer must follow it")
    _, good = ocsp.fetch(certificate, above[0], options.url)
    until = good.next_update
    say(options, f"good until {until:%Y-%m-%d %H:%M} UTC", status="good", until=until.isoformat())
    return WELL
