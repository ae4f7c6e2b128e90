"""`v2g exi explain`: the bit stream event by event."""

import argparse
import json

from v2gkit.cli.exi import given
from v2gkit.insight.exi_steps import steps_of
from v2gkit.insight.octet_forms import Document
from v2gkit.output import complain, put

EPILOG = f"""examples:
  v2g exi explain --set dc 802c...               the bit stream, event by event
  v2g exi explain --json message.exi             the same for machines: bit, width, depth, what, value of each step

{given.EXIT_CODES}
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g exi explain`."""
    given.message_options(parser)
    given.phase_option(parser)
    given.dialect_option(parser)
    given.mode_options(parser)


@given.curable
def run(options: argparse.Namespace) -> int:
    """Show the steps of each message as far as it was understood; the exit code, 1 when one is not whole."""
    question = given.question(options)

    def show(document: Document) -> int:
        found = steps_of(document, question)
        put(json.dumps(found.as_dict()) if options.json else "\n".join(found.table()))
        if found.remark:
            complain(f"v2g exi: {found.remark}")
        return given.WELL if found.whole else given.NEGATIVE

    return given.each_of(given.octets(options.message), options, show)
