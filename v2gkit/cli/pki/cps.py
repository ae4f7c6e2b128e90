"""`v2g pki cps`: a certificate provisioning service: hands the contracts of a store to cars that ask."""

import argparse

from pki import signature as xmldsig
from pki.profiles import INTEROP, ISO20
from pki.store import Store
from v2gkit.authorities import cps
from v2gkit.cli.pki.answer import curable, examples, json_option
from v2gkit.cli.pki.serving import place, serve

EPILOG = examples("""\
  v2g pki cps --store certs --port 8889
  v2g pki cps --store certs --pcid WMIV2GKIT000000001 --profile interop""")


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g pki cps`."""
    json_option(parser)
    place(parser, 8889)
    parser.add_argument("--pcid", action="append", default=[], help="a car that has contracts here; default every car it trusts")
    parser.add_argument("--profile", default="conformance", choices=["conformance", "interop"])


@curable
def run(options: argparse.Namespace) -> int:
    """Serve until stopped; the exit code."""
    rules, suites = (INTEROP, xmldsig.INTEROP) if options.profile == "interop" else (ISO20, xmldsig.ISO20)
    serving = cps.service(Store(options.store), options.pcid, rules, suites)
    return serve(cps.routes(serving), options, "/installation")
