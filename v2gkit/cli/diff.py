"""`v2g diff`: two traces or captures, aligned by state and message."""

import argparse
from pathlib import Path

from v2gkit.output import complain, put

SAME, DIFFERS, USAGE = 0, 1, 2
EPILOG = """examples:
  v2g diff yesterday.jsonl today.jsonl
  v2g diff ours.jsonl theirs.pcap --keys keys.log --out diff.html

Connections are compared in the order in which they began. Moments, session ids and random octets are not compared; messages that differ in
measured values alone are counted apart.

exit codes: 0 the same but for measured values, 1 they differ, 2 one of them cannot be read
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g diff`."""
    parser.add_argument("one", type=Path, metavar="A", help="a trace (JSON Lines), a folder with traces, or a capture")
    parser.add_argument("other", type=Path, metavar="B", help="another one")
    parser.add_argument("--out", type=Path, metavar="PAGE", help="the viewer with both, in one HTML page")
    parser.add_argument("--keys", type=Path, metavar="KEYLOG", help="secrets of TLS, for captures that have none inside")


def run(options: argparse.Namespace) -> int:
    """Tell what differs; the exit code."""
    from v2gkit.insight.viewer.report import differences, of_differences

    try:
        found, lines = differences(options.one, options.other, options.keys)
        if options.out:
            options.out.write_text(of_differences(found, lines), encoding="utf-8")
    except (ValueError, KeyError) as error:
        complain(f"v2g diff: {error}")
        return USAGE
    for each in found:
        for line in each.summary():
            put(line)
    if options.out:
        put(options.out)
    return SAME if all(each.same for each in found) else DIFFERS
