"""`v2g report`: the viewer in one self-contained HTML page, with a verdict for every connection."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from v2gkit.output import complain, put

WELL, USAGE = 0, 2
EPILOG = """examples:
  v2g report demo-output                         everything there: both traces, and what the CSMS logged
  v2g report demo-output/trace.jsonl --out session.html
  v2g report session.pcap --keys keys.log        a capture, with the key log of one end
  v2g report demo-output/trace.jsonl --json | jq .grid

exit codes: 0 written, 2 there is nothing that can be read
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g report`."""
    parser.add_argument("trace", type=Path, metavar="FILE", help="a trace (JSON Lines), a folder with traces, or a capture")
    parser.add_argument("--out", "--output", type=Path, dest="output", metavar="PAGE", help="the page (default: beside what is read)")
    parser.add_argument("--keys", type=Path, metavar="KEYLOG", help="secrets of TLS, for a capture that has none inside")
    parser.add_argument("--json", action="store_true", help="no page: what it would show, one JSON object per connection")


def run(options: argparse.Namespace) -> int:
    """Write the page; the exit code, 2 when there is nothing that can be read."""
    from v2gkit.insight.viewer.report import of_sources
    from v2gkit.insight.viewer.sources import opened

    try:
        sources = opened(options.trace, options.keys)
        if options.json:
            for story in sources.stories():
                put(json.dumps(asdict(story)))
            return WELL
        target = options.output or (options.trace / "report.html" if options.trace.is_dir() else options.trace.with_suffix(".html"))
        target.write_text(of_sources(sources), encoding="utf-8")
    except (ValueError, KeyError) as error:
        complain(f"v2g report: {error}")
        return USAGE
    put(target)
    return WELL
