"""`v2g conform capture`: which rules a recorded session broke."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from v2gkit.output import complain, put

if TYPE_CHECKING:
    from v2gkit.conform.capture.judge import Breach, Judge

WELL, NEGATIVE, USAGE = 0, 1, 2
EPILOG = """examples:
  v2g conform capture session.pcapng                    a capture with its secrets inside, or plain TCP
  v2g conform capture session.pcap --keys keys.log      TLS with the key log of one end
  v2g conform capture station-trace.jsonl --jsonl       a trace; a line of JSON for each breach
  v2g conform capture session.pcapng --out results      results.jsonl, junit.xml and report.html, a case for each rule

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
    parser.add_argument("--out", type=Path, metavar="DIR", help="the judgement as the results of a run, with report and trace")
    parser.add_argument("--device", default="", metavar="NAME", help="with --out: what the cover page of the report calls the device")
    parser.add_argument("--jsonl", action="store_true", help="a line of JSON for each breach")


def run(options: argparse.Namespace) -> int:
    """Judge the file and tell what was broken; the exit code."""
    from v2gkit.conform.capture.judge import Breach, Judge
    from v2gkit.conform.capture.told import grave, lines, plain
    from v2gkit.insight.decode import records

    judge, found, kept = Judge(), list[Breach](), list[dict[str, Any]]()
    try:
        for record in records(options.file, options.keys, decoded=options.out is not None):
            found += judge.record(record)
            if options.out is not None:
                kept.append(record)
    except ValueError as error:
        complain(f"v2g conform capture: {error}")
        return USAGE
    if not any(session.frames for session in judge.sessions.values()):
        complain(f"v2g conform capture: {options.file} holds no frame that can be read, so nothing can be judged")
        return USAGE
    if options.out is not None:
        put(_published(options, judge, found, kept))
    elif options.jsonl:
        for breach in found:
            put(json.dumps(plain(breach)))
    else:
        for session in judge.sessions.values():
            for line in lines(session, [breach for breach in found if breach.connection == session.number]):
                put(line)
    return NEGATIVE if grave(found) else WELL


def _published(options: argparse.Namespace, judge: "Judge", found: "list[Breach]", records: list[dict[str, Any]]) -> Path:
    """Write the results of a judgement with their trace; the path of the report."""
    import shlex
    import time

    from v2g.session.trace import line
    from v2gkit.cli.parser import version
    from v2gkit.conform.capture.told import results
    from v2gkit.conform.published import inputs, publish, versions
    from v2gkit.conform.results import EVIDENCE, RESULTS, Campaign
    from v2gkit.conform.written import row

    trace = f"{EVIDENCE}/recording.jsonl"
    (options.out / EVIDENCE).mkdir(parents=True, exist_ok=True)
    (options.out / trace).write_text("".join(map(line, records)), encoding="utf-8")
    rows = results(judge.sessions.values(), found, trace)
    (options.out / RESULTS).write_text("".join(f"{json.dumps(row(each))}\n" for each in rows), encoding="utf-8")
    given = [options.file, *([options.keys] if options.keys else [])]
    how = f"v2g conform capture {shlex.quote(str(options.file))}" + (f" --keys {shlex.quote(str(options.keys))}" if options.keys else "")
    campaign = Campaign(
        role="a recording of both sides",
        device=options.device or options.file.name,
        began=time.time(),
        how=how,
        versions=versions(version()),
        inputs=inputs(given),
    )
    return publish(options.out, campaign)
