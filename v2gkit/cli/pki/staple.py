"""`v2g pki staple`: make or fetch the OCSP responses a station staples to its chain."""

import argparse
from datetime import timedelta
from pathlib import Path

from pki.store import Store
from v2gkit.authorities import ocsp
from v2gkit.authorities.office import Office
from v2gkit.cli.pki.answer import WELL, curable, examples, json_option, now, say

EPILOG = examples("""\
  v2g pki staple --store certs --days 7                             by the authorities in the store
  v2g pki staple --store station --fetch                            ask each certificate's responder, where it is time
  v2g pki staple --store station --fetch http://[::1]:8888/ocsp     ask this one""")


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g pki staple`."""
    json_option(parser)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--days", type=int, default=1, choices=range(1, 8), metavar="1..7", help="validity [V2G20-1021]; default 1")
    parser.add_argument("--fetch", nargs="?", const="", metavar="URL", help="ask a responder for what is missing or half gone")


@curable
def run(options: argparse.Namespace) -> int:
    """Make or fetch the responses; the exit code."""
    store = Store(options.store)
    if options.fetch is not None:
        count = ocsp.refresh(store, now(), options.fetch or None)
        say(options, f"{store.path}/responses: {count} fetched", responses=count)
        return WELL
    count = Office(store).staple(now(), timedelta(days=options.days))
    say(options, f"{store.path}/responses: {count} responses, good for {options.days} days", responses=count)
    return WELL
