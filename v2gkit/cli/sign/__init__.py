"""`v2g sign`: look into a signature."""

import argparse

from v2gkit.cli.parser import Command, add_commands

COMMANDS = {"explain": Command("v2gkit.cli.sign.explain", "one signed message, step by step")}
EPILOG = """example:
  v2g sign explain authorization.exi --store certs

exit codes: 0 well, 1 the verdict is negative, 2 wrong usage, file or plan
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Add the commands of `v2g sign`."""
    add_commands(parser, COMMANDS)
