"""`v2g exi describe`: what a type consists of."""

import argparse

from v2g.messages import MODULES
from v2gkit.cli.exi import given
from v2gkit.insight.exi_types import descriptions
from v2gkit.output import complain, put

EPILOG = f"""examples:
  v2g exi describe DC_ChargeLoopReq              in every set that has it
  v2g exi describe MessageHeaderType --set din

exit codes: {given.EXIT_CODES.removeprefix("exit codes: ").replace("no message", "no such type")}
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g exi describe`."""
    parser.add_argument("type", help="an element or type of the schema, such as DC_ChargeLoopReq")
    parser.add_argument("--set", choices=tuple(MODULES), help="schema set (default: all that have it)")


def run(options: argparse.Namespace) -> int:
    """Print the type as each set has it; the exit code."""
    found = descriptions(options.type, options.set)
    for each in found:
        put(each)
    if not found:
        complain(f"v2g exi: no type or element {options.type}")
    return given.WELL if found else given.NEGATIVE
