"""`v2g exi json`: octets to JSON, or JSON to octets."""

import argparse
import json

from v2gkit.cli.exi import given
from v2gkit.insight.exi_reading import answer
from v2gkit.insight.exi_writing import is_message, octets_of_json
from v2gkit.insight.octet_forms import Document
from v2gkit.output import complain, put

EPILOG = f"""examples:
  v2g exi json --set dc 802c...                  JSON of a message
  v2g exi json --set dc message.json             given JSON, the message in hex

{given.EXIT_CODES}
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g exi json`."""
    given.message_options(parser)
    given.phase_option(parser)


@given.curable
def run(options: argparse.Namespace) -> int:
    """Show each message as JSON, or the octets of the JSON that was given; the exit code."""
    question, octets = given.question(options), given.octets(options.message)

    def show(document: Document) -> int:
        told = answer(document, question)
        put(json.dumps(told.message, indent=2, ensure_ascii=False))
        for finding in told.findings:
            complain(f"v2g exi: {finding}")
        return given.WELL

    if not is_message(octets):
        return given.each_of(octets, options, show)
    if not options.set:
        raise given.UsageError("--set is needed to encode JSON")
    put(octets_of_json(octets, options.set, fragment=options.fragment).hex())
    return given.WELL
