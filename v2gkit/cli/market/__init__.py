"""`v2g market`: the flexibility market on one machine."""

import argparse

from v2gkit.cli.parser import Command, add_commands

COMMANDS = {
    "demo": Command("v2gkit.cli.market.demo", "a day of a market in two minutes: call, dispatch, lost link, bills"),
    "offers": Command("v2gkit.cli.market.offers", "what a site could sell: when, at which cost and certainty"),
}
EPILOG = """examples:
  v2g market demo                    ten stations, two tenants, a day in two minutes
  v2g market offers --site site.toml --visits visits.jsonl    what could be sold tomorrow

exit codes: 0 every promise was kept, or something can be offered; 1 not so;
2 wrong usage
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Add the commands of `v2g market`."""
    add_commands(parser, COMMANDS)
