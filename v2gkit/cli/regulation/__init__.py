"""`v2g regulation`: rules of law as checks of a station, its traces and its books."""

import argparse

from v2gkit.cli.parser import Command, add_commands

COMMANDS = {"check": Command("v2gkit.cli.regulation.check", "every rule of a law, with what was found of it")}
EPILOG = """example:
  v2g regulation check --profile afir --config station.toml

exit codes: 0 no rule is broken, 1 one is, 2 wrong usage or a file that cannot
be read
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Add the commands of `v2g regulation`."""
    add_commands(parser, COMMANDS)
