"""`v2g exi encode`: XML to octets."""

import argparse

from v2gkit.cli.exi import given
from v2gkit.insight.exi_lines import encode_request
from v2gkit.insight.exi_writing import octets_of_xml
from v2gkit.output import put

EPILOG = f"""examples:
  v2g exi encode --set dc message.xml            XML in, hex out
  v2g exi encode --jsonl < lines > exi           many at once: {{"id", "set", "xml", "fragment"}} -> {{"id", "exi"}}

{given.LINES}
{given.EXIT_CODES}
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g exi encode`."""
    given.message_options(parser)
    given.lines_option(parser)
    given.dialect_option(parser)


@given.curable
def run(options: argparse.Namespace) -> int:
    """Print the octets in hex; the exit code."""
    if options.jsonl:
        return given.stream(encode_request)
    dialect = given.DIALECTS[options.dialect]
    put(octets_of_xml(given.octets(options.message), options.set, dialect, fragment=options.fragment).hex())
    return given.WELL
