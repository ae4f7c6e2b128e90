"""`v2g conform explain`: what a result says: expected, seen, why it matters, what was on the wire, how to play it again."""

import argparse
from pathlib import Path

from v2gkit.output import complain, put

WELL, USAGE = 0, 2
EPILOG = """examples:
  v2g conform explain S-SSU-03 --in results              a case of the results in a folder
  v2g conform explain --in results                       everything there that did not pass
  grep S-TLS-07 results/results.jsonl | v2g conform explain -      lines of results.jsonl
  v2g conform explain "$(head -1 results/results.jsonl)"           one line as the argument

exit codes: 0 told, 2 there is no such result, or wrong usage
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g conform explain`."""
    parser.add_argument("result", nargs="?", metavar="RESULT", help="the id of a case, a line of results.jsonl, or - for such lines")
    parser.add_argument("--in", dest="folder", type=Path, metavar="DIR", help="the results that --out wrote (default: this folder)")


def run(options: argparse.Namespace) -> int:
    """Explain the results; the exit code."""
    from v2gkit.conform import explained, results
    from v2gkit.conform.published import records_in
    from v2gkit.conform.verdict import Verdict

    folder = options.folder or Path()
    given = options.result or ""
    try:
        if given == "-" or given.lstrip().startswith("{"):
            found = tuple(results.of_line(line) for line in _lines(given))
        else:
            found = results.read(folder)
            unwell = (Verdict.FAIL, Verdict.INCONCLUSIVE)
            found = tuple(each for each in found if (each.id == given.upper() if given else each.verdict in unwell))
            if given and not found:
                raise ValueError(f"{folder} has no result of {given}; its {results.RESULTS} names those that it has")
        campaign = results.campaign(folder)
    except (ValueError, OSError) as error:
        complain(f"v2g conform explain: {error}")
        return USAGE
    for number, result in enumerate(found):
        if number:
            put("")
        for line in explained.lines(result, campaign, records_in(folder, result), str(options.folder or "")):
            put(line)
    if not found:
        put("every case passed, did not apply, or was blocked")
    return WELL


def _lines(given: str) -> list[str]:
    import sys

    text = sys.stdin.read() if given == "-" else given
    found = [line for line in text.splitlines() if line.strip()]
    if not found:
        raise ValueError("standard input holds no line; give lines of results.jsonl")
    return found
