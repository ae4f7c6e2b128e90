"""`v2g market`: the flexibility market on one machine."""

import argparse

from v2gkit.cli.parser import Command, add_commands

COMMANDS = {"demo": Command("v2gkit.cli.market.demo", "a day of a market in two minutes: call, dispatch, lost link, bills")}
EPILOG = """examples:
  v2g market demo                    ten stations, two tenants, a day in two minutes

exit codes: 0 every promise was kept, 1 one was not, 2 wrong usage
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Add the commands of `v2g market`."""
    add_commands(parser, COMMANDS)
