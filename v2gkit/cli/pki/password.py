"""`v2g pki password`: put the secret of a station into a file, as a hash, for `v2g pki est` and `v2g csms`."""

import argparse
import getpass
import secrets
from pathlib import Path

from pki.errors import StoreError
from pki.files import replace as replace_file
from pki.store import KEY_MODE
from v2gkit.authorities import passwords
from v2gkit.cli.pki.answer import WELL, curable, examples, json_option, say
from v2gkit.private import password

EPILOG = examples("""\
  v2g pki password stations.txt DEABCE0042                              asks for it
  v2g pki password stations.txt DEABCE0042 --password-file secret.txt   takes it from there
  v2g pki password stations.txt DEABCE0042 --make secret.txt            makes one, and writes it there for the station
  V2G_PASSWORD=... v2g pki password stations.txt DEABCE0042""")


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g pki password`."""
    json_option(parser)
    parser.add_argument("file", type=Path)
    parser.add_argument("name", help="the station: EVSE id, or the id at the end of its OCPP address")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="its first line is the secret (default: of V2G_PASSWORD)")
    parser.add_argument("--make", type=Path, metavar="FILE", help="make a random one, and write it there")


@curable
def run(options: argparse.Namespace) -> int:
    """Write the hash of the password to the file; returns the exit code."""
    try:
        known = passwords.read(options.file) if options.file.exists() else {}
        given = secrets.token_urlsafe(24) if options.make else password(None, options.password_file, "V2G_PASSWORD")
        known[options.name] = passwords.Secret.of(getpass.getpass(f"secret of {options.name}: ") if given is None else given)
        lines = "".join(secret.line(name) for name, secret in known.items())
    except (ValueError, EOFError) as error:
        raise StoreError(str(error) or "no secret was given") from None
    if options.make:
        replace_file(options.make, f"{given}\n".encode(), KEY_MODE)
    replace_file(options.file, lines.encode(), KEY_MODE)
    made = {"secret": str(options.make)} if options.make else {}
    told = f", whose secret is in {options.make}" if options.make else ""
    say(options, f"{options.file}: {options.name}{told}", file=str(options.file), name=options.name, **made)
    return WELL
