"""`v2g interop`: the foreign car against our station, our car against the foreign station, for every cell of a matrix.

Every session runs in processes of its own, over the network; the foreign side speaks for itself about what it saw. See `docs/interop.md`.
"""

import argparse
import asyncio
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from lab.interop_bench import Bench, Cell, Seen
from lab.interop_table import shown, write_into
from lab.output import put
from lab.parser import whole
from lab.peers import ecog_setup

ROLES = ("car", "station")
SERVICES = ("DC", "DC_BPT", "AC", "AC_BPT")
CONTROLS = ("scheduled", "dynamic")
AUTHORIZATIONS = ("eim", "pnc")
TRANSPORTS = ("tcp", "tls13")
JOBS = max(1, (os.cpu_count() or 1) // 2)  # a session is two busy processes, and one that waits for a processor misses a timer

EPILOG = """examples:
  v2g interop                            the whole matrix; prints the table, writes interop.json beside the peer
  v2g interop --only car DC_BPT pnc      the cells that have all these words
  v2g interop --alone                    the foreign car against the foreign station: can this machine run the peer at all?
  v2g interop --readme README.md         write the table between the markers of a document
  v2g interop --list

exit codes: 0 every cell went well, 1 one did not, 2 wrong usage, or this machine cannot run the peer (says what is missing)
"""


def matrix(alone: bool = False) -> list[Cell]:
    """Every cell, the foreign side first. `alone` leaves our side out."""
    roles = ("both",) if alone else ROLES
    sessions = itertools.product(roles, SERVICES, CONTROLS, AUTHORIZATIONS, TRANSPORTS)
    discovered = itertools.product(roles, ("DC_BPT",), ("scheduled",), ("pnc",), TRANSPORTS, ("sdp",))
    return [Cell(*cell) for cell in itertools.chain(sessions, discovered)]


def chosen(cells: Sequence[Cell], words: Sequence[str]) -> list[Cell]:
    """The cells that have all of these words. ValueError for a word that no cell has."""
    known = {word for cell in cells for word in cell.words}
    for word in words:
        if word not in known:
            raise ValueError(f"no cell has {word!r}; words are {', '.join(sorted(known))}")
    return [cell for cell in cells if cell.words >= set(words)]


async def run_all(bench: Bench, cells: Sequence[Cell], jobs: int, quiet: bool) -> list[Seen]:
    """Every cell, `jobs` at a time; told as they end, returned in their order."""
    room = asyncio.Semaphore(jobs)

    async def one(cell: Cell) -> Seen:
        async with room:
            result = await bench.run(cell)
        if not quiet:
            print(f"{'ok  ' if result.ok else 'FAIL'} {cell}  {result.text}", file=sys.stderr, flush=True)
        return result

    return await asyncio.gather(*(one(cell) for cell in cells))


def run(options: argparse.Namespace) -> int:
    """Run what was asked for; the exit code."""
    try:
        cells = chosen(matrix(options.alone), options.only)
    except ValueError as error:
        print(f"v2g interop: {error}", file=sys.stderr)
        return 2
    if options.list:
        put("\n".join(str(cell) for cell in cells))
        return 0
    try:
        peer = ecog_setup.install(options.home)
    except ecog_setup.PeerMissing as missing:
        print(f"v2g interop: {missing}", file=sys.stderr)
        return 2
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="interop.") as scratch:
        bench = Bench(peer, Path(scratch), options.logs or peer.home / "logs", loops=options.loops)
        seen = asyncio.run(run_all(bench, cells, max(1, options.jobs), options.json))
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
    return int(any(not one.ok for one in seen))


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `v2g interop`."""
    parser = subparsers.add_parser(
        "interop",
        help="foreign car and foreign station against ours",
        description=__doc__,
        epilog=EPILOG,
    )
    parser.add_argument("--home", type=Path, default=Path(".interop"), help="where the peer lives (default: .interop)")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="only the cells that have all these words")
    parser.add_argument("--alone", action="store_true", help="the foreign car against the foreign station, without us")
    parser.add_argument(
        "--jobs", type=whole(1), default=JOBS, metavar="N", help=f"cells at a time (default: one for two processors, here {JOBS})"
    )
    parser.add_argument("--loops", type=whole(1), default=10, help="charge loops per session (default: 10)")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="write the table between the markers of this document")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="where both sides' logs go (default: logs/ beside the peer)")
    parser.add_argument("--list", action="store_true", help="list the cells and run none")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(func=run)


if __name__ == "__main__":
    from lab.cli import main

    sys.exit(main(["interop", *sys.argv[1:]]))
