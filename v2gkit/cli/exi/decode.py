"""`v2g exi decode`: octets to XML, or JSON with --json."""

import argparse
import json

from v2g.legible import in_xml
from v2gkit.cli.exi import given
from v2gkit.insight.exi_lines import decode_request
from v2gkit.insight.exi_reading import answer
from v2gkit.insight.octet_forms import Document
from v2gkit.output import complain, put

EPILOG = f"""examples:
  v2g exi decode 8000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040
  v2g exi decode --set dc message.exi            a file; - is standard input. Octets, hex, xxd and hexdump -C, base64, arrays of C,
                                                 lines of a log or a trace, V2GTP frames: one message or many
  v2g exi decode --mode interop 809a...          show what real cars send though no schema has it, each with a finding
  v2g exi decode --set acdp --either 8004...     in whatever dialect it fits
  v2g exi decode --jsonl < lines > xml           many at once: {{"id", "set", "exi", "fragment", "mode"}} -> {{"id", "root", "xml"}}

{given.LINES}
{given.EXIT_CODES}
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g exi decode`."""
    given.message_options(parser)
    given.lines_option(parser)
    given.phase_option(parser)
    given.dialect_option(parser)
    parser.add_argument("--either", action="store_true", help="try the other dialects if this one does not fit, and say which did")
    given.mode_options(parser)


@given.curable
def run(options: argparse.Namespace) -> int:
    """Show each message; the exit code."""
    question = given.question(options)
    if options.jsonl:
        return given.stream(lambda request: decode_request(request, question, as_json=options.json))

    def show(document: Document) -> int:
        told = answer(document, question)
        if options.json:
            facts = {"set": told.set, "sure": told.sure, "root": told.reading.name.local, "findings": told.findings}
            put(json.dumps({**facts, "message": told.message}))
            return given.WELL
        notes = told.findings if options.set else (f"set {told.set}, {told.sure}", *told.findings)
        try:
            put(in_xml(told.xml(pretty=True)), end="")
        finally:
            for note in notes:
                complain(f"v2g exi: {note}")
        return given.WELL

    return given.each_of(given.octets(options.message), options, show)
