"""`v2g solver`: makes plans for the sites of a fleet that asks by NATS."""

import argparse
import asyncio

from v2gkit.cli import log
from v2gkit.output import complain, put

WELL, USAGE = 0, 2
EPILOG = """examples:
  v2g solver --nats nats://localhost:4222               plans for all sites; begin one for each core
  v2g solver --nats nats://localhost:4222 --shards 0-7  for half of them

It keeps nothing: kill it, begin it, begin more of them. What it had begun another one does.

exit codes: 0 it was stopped, 2 wrong usage or no server
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g solver`."""
    parser.add_argument("--nats", required=True, metavar="URL", help="the server of the fleet, with JetStream")
    parser.add_argument("--shards", metavar="N-M", help="of 0 to 15, those whose sites it plans (default: all)")
    log.add_options(parser, "warning")


def run(options: argparse.Namespace) -> int:
    """Work until stopped; the exit code."""
    from v2gkit.extras import missing

    try:
        if lacking := missing(["csms", "energy"]):
            raise ValueError(lacking)
        return asyncio.run(_worked(options))
    except ValueError as error:
        complain(f"v2g solver: {error}")
        return USAGE
    except KeyboardInterrupt:
        return WELL


async def _worked(options: argparse.Namespace) -> int:
    from v2gkit.fleet.plans.over_nats import SHARDS, work
    from v2gkit.fleet.plans.verbs import SolverFault

    shards = range(SHARDS) if options.shards is None else _shards(options.shards, SHARDS)
    try:
        await work(options.nats, shards, lambda: put(f"solving for {len(shards)} of {SHARDS} shards", flush=True))
    except SolverFault as fault:
        raise ValueError(str(fault)) from None
    return WELL


def _shards(said: str, count: int) -> range:
    first, dash, last = said.partition("-")
    if first.isdecimal() and (last or first).isdecimal() and bool(dash) == bool(last):
        found = range(int(first), int(last or first) + 1)
        if found and found[-1] < count:
            return found
    raise ValueError(f"--shards is {said[:20]!r}; give one, or two with - between them, of 0 to {count - 1}")
