"""`v2g conform report`: junit.xml and report.html anew, from the results in a folder."""

import argparse
from pathlib import Path

from v2gkit.output import complain, put

WELL, USAGE = 0, 2
EPILOG = """examples:
  v2g conform report results                     results/junit.xml, results/report.html, a viewer for each case that did not pass
  v2g conform report --schema                    the JSON schema of a line of results.jsonl

Every run writes them by itself: this is for results that were filtered, put together from several runs, or made by another version.

exit codes: 0 written, 2 there are no results
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g conform report`."""
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="with a results.jsonl in it (default: this folder)")
    parser.add_argument("--schema", action="store_true", help="print the schema of a line of results.jsonl, and leave")


def run(options: argparse.Namespace) -> int:
    """Write both files; the exit code."""
    from v2gkit.conform.published import publish
    from v2gkit.conform.results import schema_text

    if options.schema:
        put(schema_text())
        return WELL
    try:
        put(publish(options.folder or Path()))
    except ValueError as error:
        complain(f"v2g conform report: {error}")
        return USAGE
    return WELL
