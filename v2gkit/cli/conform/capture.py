"""`v2g conform capture`: which rules a recorded session broke."""

import argparse
import json
from pathlib import Path

from v2gkit.output import complain, put

WELL, NEGATIVE, USAGE = 0, 1, 2
EPILOG = """examples:
  v2g conform capture session.pcapng                    a capture with its secrets inside, or plain TCP
  v2g conform capture session.pcap --keys keys.log      TLS with the key log of one end
  v2g conform capture station-trace.jsonl --jsonl       a trace; a line of JSON for each breach

What `v2g decode` reads is judged: sequence, pairs of request and response, session ids, times, EXI, choices. What a recording does not hold
(moments, the beginning, TLS) is not judged, and neither is the sequence of a generation that has no table here: that is said. `slow` is a
time that should be kept and ends no session, `odd` what no requirement forbids in these words; neither counts as a fault.

With --jsonl each breach is {"rule", "requirement", "connection", "frame", "at", "by", "expected", "seen", "weight"}; the frame is the
number that `v2g decode --jsonl` gives it.

exit codes: 0 no rule of the standard is broken, 1 one is, 2 nothing to judge, or wrong usage
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g conform capture`."""
    parser.add_argument("file", type=Path, help="pcap or pcapng, also packed by gzip; a trace; octets in text")
    parser.add_argument("--keys", type=Path, metavar="KEYLOG", help="secrets of TLS, as SSLKEYLOGFILE and `--key-log` write them")
    parser.add_argument("--jsonl", action="store_true", help="a line of JSON for each breach")


def run(options: argparse.Namespace) -> int:
    """Judge the file and tell what was broken; the exit code."""
    from v2gkit.conform.capture.judge import Breach, Judge
    from v2gkit.conform.capture.told import grave, lines, plain
    from v2gkit.insight.decode import records

    judge, found = Judge(), list[Breach]()
    try:
        for record in records(options.file, options.keys, decoded=False):
            found += judge.record(record)
    except ValueError as error:
        complain(f"v2g conform capture: {error}")
        return USAGE
    if not any(session.frames for session in judge.sessions.values()):
        complain(f"v2g conform capture: {options.file} holds no frame that can be read, so nothing can be judged")
        return USAGE
    if options.jsonl:
        for breach in found:
            put(json.dumps(plain(breach)))
    else:
        for session in judge.sessions.values():
            for line in lines(session, [breach for breach in found if breach.connection == session.number]):
                put(line)
    return NEGATIVE if grave(found) else WELL
