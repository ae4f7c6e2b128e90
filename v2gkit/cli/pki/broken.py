"""`v2g pki broken`: chains that are wrong on purpose, each with the verdict a verifier must reach."""

import argparse
from pathlib import Path

from pki.keys import ALGORITHMS
from pki.profiles import Role
from v2gkit.authorities.broken import ROLES
from v2gkit.authorities.broken_files import write
from v2gkit.cli.pki.answer import WELL, curable, examples, json_option, now, say

EPILOG = examples("""\
  v2g pki broken lab-chains
  v2g pki broken lab-chains --role contract --curve ed448""")


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g pki broken`."""
    json_option(parser)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--role", action="append", choices=[role.value for role in ROLES], help="repeatable; default all")
    parser.add_argument("--curve", default="secp521r1", choices=list(ALGORITHMS))


@curable
def run(options: argparse.Namespace) -> int:
    """Write the broken chains to files; returns the exit code."""
    rows = write(options.directory, options.curve, [Role(name) for name in options.role or ()] or ROLES, now())
    say(options, f"{options.directory}/broken: {len(rows)} chains, verdicts in verdicts.json", chains=len(rows))
    return WELL
