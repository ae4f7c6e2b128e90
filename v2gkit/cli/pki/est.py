"""`v2g pki est`: an enrolment server (RFC 7030) for station certificates; a user is a station and gets its own name alone."""

import argparse
from pathlib import Path

from pki.errors import StoreError
from pki.store import Store
from v2gkit.authorities import est, passwords
from v2gkit.cli.pki.answer import curable, examples, json_option, now
from v2gkit.cli.pki.serving import place, serve

EPILOG = examples("""\
  v2g pki password stations.txt DEABCE0042                              write a secret into a file of such
  v2g pki est --store certs --port 8443 --passwords stations.txt
  v2g pki est --store certs --port 8443 --user DEABCE0042:secret        on a bench: the process list shows it""")


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g pki est`."""
    json_option(parser)
    place(parser, 8443)
    parser.add_argument("--passwords", type=Path, metavar="FILE", help="secrets of stations, as `v2g pki password` writes them")
    parser.add_argument("--user", action="append", default=[], metavar="NAME:PASSWORD", help="one more, where everybody may know it")


@curable
def run(options: argparse.Namespace) -> int:
    """Serve until stopped; the exit code."""
    store = Store(options.store)
    try:
        known = passwords.read(options.passwords) if options.passwords else {}
        known |= dict(map(passwords.name_and_secret, options.user))
    except ValueError as error:
        raise StoreError(str(error)) from None
    if not known:
        raise StoreError("nobody could enrol: give --passwords FILE, or --user NAME:PASSWORD")
    return serve(est.routes(store, passwords.Door(known)), options, est.BASE, est.server_tls(store, now(), options.host))
