"""`v2g report`: one self-contained HTML page from a trace, with a verdict for every connection in it."""

import argparse
from pathlib import Path

from lab.output import complain, put


def run(options: argparse.Namespace) -> int:
    """Write the page; 2 when the trace cannot be read."""
    from lab.report.page import page
    from lab.report.reading import stories

    target = options.output or options.trace.with_suffix(".html")
    try:
        target.write_text(page(*stories(options.trace)))
    except (ValueError, KeyError) as error:
        complain(f"v2g report: {error}")
        return 2
    put(target)
    return 0


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `v2g report`."""
    parser = subparsers.add_parser(
        "report",
        help="an HTML page from a session's trace",
        description=__doc__,
        epilog="example:\n  v2g report demo-output/trace.jsonl --output session.html\n\nexit codes: 0 written, 2 the trace cannot be read",
    )
    parser.add_argument("trace", type=Path, help="the trace, JSON Lines")
    parser.add_argument("--output", type=Path, help="the page (default: beside the trace)")
    parser.set_defaults(func=run)
