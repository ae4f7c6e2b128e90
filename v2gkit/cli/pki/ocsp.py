"""`v2g pki ocsp`: serve OCSP and revocation lists for every authority of a store."""

import argparse

from pki.store import Store
from v2gkit.authorities import ocsp
from v2gkit.cli.pki.answer import curable, examples, json_option
from v2gkit.cli.pki.serving import place, serve

EPILOG = examples("""\
  v2g pki ocsp --store certs --port 8888
  openssl ocsp -url http://[::1]:8888/ocsp -issuer sub2.pem -cert leaf.pem -CAfile root.pem""")


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g pki ocsp`."""
    json_option(parser)
    place(parser, 8888)


@curable
def run(options: argparse.Namespace) -> int:
    """Serve until stopped; the exit code."""
    return serve(ocsp.routes(Store(options.store)), options, "/ocsp")
