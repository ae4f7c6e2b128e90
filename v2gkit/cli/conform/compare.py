"""`v2g conform compare`: two runs side by side: what became worse, what became better."""

import argparse
from pathlib import Path

from v2gkit.output import complain, put

WELL, WORSE, USAGE = 0, 1, 2
EPILOG = """examples:
  v2g conform compare results-1.4 results-1.5                        firmware 1.5 beside 1.4
  v2g conform compare before after --out compared.html               the same as one page

A case is worse in B where it failed there and did not in A, or came to no verdict any more. Robustness and pace are told and count for
nothing in the exit code.

exit codes: 0 B is not worse, 1 it is, 2 one of them cannot be read
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g conform compare`."""
    parser.add_argument("one", type=Path, metavar="A", help="a folder that --out wrote, or its results.jsonl")
    parser.add_argument("other", type=Path, metavar="B", help="another one, of a later run")
    parser.add_argument("--out", type=Path, metavar="PAGE", help="the comparison as one HTML page")


def run(options: argparse.Namespace) -> int:
    """Tell what changed; the exit code."""
    from v2gkit.conform import results
    from v2gkit.conform.report.comparison import compared, comparison, lines, worse

    try:
        pairs = compared(results.read(options.one), results.read(options.other))
        if options.out:
            page = comparison(pairs, results.campaign(options.one), results.campaign(options.other))
            options.out.write_text(page, encoding="utf-8")
    except ValueError as error:
        complain(f"v2g conform compare: {error}")
        return USAGE
    for line in lines(pairs):
        put(line)
    if options.out:
        put(options.out)
    return WORSE if worse(pairs) else WELL
