"""`v2g market demo`: VTN, fleet, stations and cars over real sockets; a day in two minutes, and whether every promise was kept."""

import argparse
import asyncio
import json
from pathlib import Path

from v2gkit.cli import log
from v2gkit.cli.parser import number, whole
from v2gkit.output import complain, put

WELL, BROKEN, USAGE = 0, 1, 2
EPILOG = """examples:
  v2g market demo                           the story, the promises, each party's bill
  v2g market demo --json                    what came of it, as one JSON object
  v2g market demo --output market           keep all files in that folder
  v2g market demo --stations 4 --seconds 60

exit codes: 0 every promise was kept, 1 one was not, 2 wrong usage or a missing library
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g market demo`."""
    parser.add_argument("--stations", type=whole(2), default=10, metavar="N", help="default: 10, six of them of the first tenant")
    parser.add_argument("--seconds", type=number(above=0), default=110.0, metavar="S", help="that the cars stay (default: 110)")
    parser.add_argument("--output", type=Path, metavar="DIR", help="for all files (default: a folder that goes with the command)")
    parser.add_argument("--json", action="store_true", help="what came of it, as one JSON object")
    log.add_options(parser, "error")


def run(options: argparse.Namespace) -> int:
    """Play the day; the exit code."""
    from v2gkit.extras import missing

    if lacking := missing(["csms", "ocpp", "web"]):
        complain(f"v2g market demo: {lacking}")
        return USAGE
    return asyncio.run(_played(options))


async def _played(options: argparse.Namespace) -> int:
    from v2gkit.lab.market.day import Day, folder_of

    def tell(line: str) -> None:
        complain(line, flush=True)

    async with folder_of(options.output) as folder:
        try:
            judged = await Day(folder, options.stations, options.seconds, tell).play()
        except RuntimeError as error:
            complain(f"v2g market demo: {error}")
            return BROKEN
    if options.json:
        said = {"ok": judged.well, "kept": judged.kept, "broken": judged.broken, "figures": judged.figures, "bills": judged.bills}
        put(json.dumps(said, ensure_ascii=False))
        return WELL if judged.well else BROKEN
    for what in judged.kept:
        put(f"kept    {what}")
    for what in judged.broken:
        put(f"BROKEN  {what}")
    for tenant, bill in judged.bills.items():
        put(f"bill    {tenant}: " + ", ".join(f"{party} {amount:+.2f} EUR" for party, amount in bill.items()))
    return WELL if judged.well else BROKEN
