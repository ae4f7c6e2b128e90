"""`v2g report`: one self-contained HTML page from a trace, with a verdict for every connection in it."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from v2gkit.output import complain, put

WELL, USAGE = 0, 2
EPILOG = """example:
  v2g report demo-output/trace.jsonl --output session.html
  v2g report demo-output/trace.jsonl --json | jq .grid

exit codes: 0 written, 2 the trace cannot be read
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g report`."""
    parser.add_argument("trace", type=Path, help="the trace, JSON Lines")
    parser.add_argument("--output", type=Path, help="the page (default: beside the trace)")
    parser.add_argument("--json", action="store_true", help="no page: what it would show, one JSON object per connection")


def run(options: argparse.Namespace) -> int:
    """Write the page; the exit code, 2 when the trace cannot be read."""
    from v2gkit.insight.report.page import page
    from v2gkit.insight.report.reading import stories

    try:
        told = stories(options.trace)
        if options.json:
            for story in told:
                put(json.dumps(asdict(story)))
            return WELL
        target = options.output or options.trace.with_suffix(".html")
        target.write_text(page(*told))
    except (ValueError, KeyError) as error:
        complain(f"v2g report: {error}")
        return USAGE
    put(target)
    return WELL
