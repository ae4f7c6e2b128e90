"""`v2g pki renew`: renew a station's certificate by EST; a station that runs takes it for its next session."""

import argparse
from pathlib import Path

from pki.certificate import facts
from pki.errors import StoreError
from pki.store import Store
from v2gkit.authorities import est
from v2gkit.cli.pki.answer import WELL, curable, examples, json_option, now, say
from v2gkit.private import password

EPILOG = examples("""\
  v2g pki renew --store certs --url https://[::1]:8443 --user DEABCE0042 --password-file secret.txt
  V2G_EST_PASSWORD=... v2g pki renew --store certs --url https://[::1]:8443""")


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g pki renew`."""
    json_option(parser)
    parser.add_argument("--store", type=Path, required=True, help="the station's")
    parser.add_argument("--url", required=True)
    parser.add_argument("--user", metavar="NAME", help="default: the name in the certificate; NAME:PASSWORD shows in the process list")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="its first line (default: of V2G_EST_PASSWORD)")
    parser.add_argument("--name", help="which secc credential; default the first")


@curable
def run(options: argparse.Namespace) -> int:
    """Renew the station's certificate; returns the exit code."""
    store = Store(options.store)
    user, _, given = (options.user or "").partition(":")
    user = user or store.secc.common_name
    try:
        known = password(given or None, options.password_file, "V2G_EST_PASSWORD")
    except ValueError as error:
        raise StoreError(str(error)) from None
    if known is None:
        raise StoreError("no password: give --password-file FILE, or set V2G_EST_PASSWORD")
    renewed = est.renew(store, options.url, (user, known), now(), name=options.name)
    until = facts(renewed.leaf).not_after
    say(
        options,
        f"{renewed.chain_path}: {renewed.common_name} until {until:%Y-%m-%d}",
        chain=str(renewed.chain_path),
        until=until.isoformat(),
    )
    return WELL
