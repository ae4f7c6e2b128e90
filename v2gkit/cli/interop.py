"""`v2g interop`: a foreign car against our station, and our car against a foreign station, for every cell of a matrix.

Every session runs in processes of its own, over the network; the foreign side reports by itself what it saw. See `docs/interop.md`.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path

from v2gkit.cli.parser import whole
from v2gkit.output import complain, put
from v2gkit.peers import ecog_setup
from v2gkit.peers.bench import Bench
from v2gkit.peers.matrix import cells_with, matrix, run_all
from v2gkit.peers.table import shown, write_into

JOBS = os.cpu_count() or 1  # a session is two processes that wait for each other half of the time

WELL, NEGATIVE, USAGE = 0, 1, 2
EPILOG = """examples:
  v2g interop                            the whole matrix; prints the table, writes interop.json beside the peer
  v2g interop --only car DC_BPT pnc      the cells that have all these words
  v2g interop --alone                    the foreign car against the foreign station: can this machine run the peer at all?
  v2g interop --readme README.md         write the table between the markers of a document
  v2g interop --list

exit codes: 0 every cell went well, 1 one did not, 2 wrong usage, or this machine cannot run the peer (says what is missing)
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g interop`."""
    parser.add_argument("--home", type=Path, default=Path(".interop"), help="where the peer lives (default: .interop)")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="only the cells that have all these words")
    parser.add_argument("--alone", action="store_true", help="the foreign car against the foreign station, without us")
    parser.add_argument(
        "--jobs", type=whole(1), default=JOBS, metavar="N", help=f"cells at a time (default: one for each processor, here {JOBS})"
    )
    parser.add_argument("--loops", type=whole(1), default=10, help="charge loops per session (default: 10)")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="write the table between the markers of this document")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="where both sides' logs go (default: logs/ beside the peer)")
    parser.add_argument("--list", action="store_true", help="list the cells and run none")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(options: argparse.Namespace) -> int:
    """Run the cells that the options choose; returns the exit code."""
    try:
        cells = cells_with(matrix(options.alone), options.only)
    except ValueError as error:
        complain(f"v2g interop: {error}")
        return USAGE
    if options.list:
        put("\n".join(str(cell) for cell in cells))
        return WELL
    try:
        peer = ecog_setup.install(options.home)
    except ecog_setup.PeerMissing as missing:
        complain(f"v2g interop: {missing}")
        return USAGE
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="interop.") as scratch:
        bench = Bench(peer, Path(scratch), options.logs or peer.home / "logs", loops=options.loops)
        seen = asyncio.run(run_all(bench, cells, max(1, options.jobs), _silent if options.json else _told))
    report = {
        "peer": f"iso15118 {ecog_setup.VERSION}",
        "seconds": round(time.monotonic() - started, 1),
        "failed": sum(not one.ok for one in seen),
        "cells": [one.as_dict() for one in seen],
    }
    (peer.home / "interop.json").write_text(json.dumps(report, indent=1) + "\n")
    table = shown(seen)
    put(json.dumps(report, indent=1) if options.json else table)
    if options.readme:
        write_into(options.readme, table)
    return NEGATIVE if any(not one.ok for one in seen) else WELL


def _told(line: str) -> None:
    complain(line, flush=True)


def _silent(line: str) -> None:
    """What machines read is told at the end."""
