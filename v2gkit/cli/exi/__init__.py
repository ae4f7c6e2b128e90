"""`v2g exi`: EXI messages on the command line."""

import argparse

from v2gkit.cli.parser import Command, add_commands

COMMANDS = {
    "decode": Command("v2gkit.cli.exi.decode", "octets to XML, or JSON with --json"),
    "encode": Command("v2gkit.cli.exi.encode", "XML to octets"),
    "explain": Command("v2gkit.cli.exi.explain", "the bit stream event by event"),
    "json": Command("v2gkit.cli.exi.json", "octets to JSON, or JSON to octets"),
    "describe": Command("v2gkit.cli.exi.describe", "what a type consists of"),
}
EPILOG = """examples (each command has more under --help):
  v2g exi decode 8000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040
  v2g exi encode --set dc message.xml            XML in, hex out
  v2g exi explain --set dc 802c...               the bit stream, event by event
  v2g exi json --set dc 802c...                  JSON of a message; given JSON, the message
  v2g exi describe DC_ChargeLoopReq              what a type consists of

exit codes: 0 well, 1 no message, 2 wrong usage
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Add the commands of `v2g exi`."""
    add_commands(parser, COMMANDS)
