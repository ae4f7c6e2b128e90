"""`v2g grid`: listen to the meters and the grid operators of a site, tell what holds, and steer its stations."""

import argparse
import asyncio
import contextlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from v2g.address import public_url
from v2gkit.cli import log
from v2gkit.cli.clock import add_clock_options, clock_of
from v2gkit.cli.parser import number, whole
from v2gkit.output import complain, put

WELL, USAGE = 0, 2
EPILOG = """examples:
  v2g grid grid.toml --check                        what the file says, and nothing else
  v2g grid grid.toml                                the story of every signal, and what holds
  v2g grid grid.toml --json                         one object for each thing that happened
  v2g grid grid.toml --station site.sock            a station keeps to what holds ([feed] socket of its configuration)
  v2g grid grid.toml --station a.sock --station b.sock     two of them, half each
  v2g grid grid.toml --station site.sock --outlets 4       of four outlets, which a setpoint is for together
  v2g grid grid.toml --station site.sock            where a device has a `pack`: that battery of the station is led by it
  v2g csms --grid grid.toml                         a CSMS steers its stations by it

exit codes: 0 it was stopped or its time was over, 2 wrong usage or configuration
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g grid`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="TOML: the site, its connection and every source of signals")
    parser.add_argument("--check", action="store_true", help="read the file, say what it means, and stop")
    parser.add_argument(
        "--station", type=Path, action="append", default=[], metavar="SOCKET", help="tell this station's feed; again for more"
    )
    parser.add_argument(
        "--outlets", type=whole(1), metavar="N", default=1, help="of each station: a setpoint is shared by them (default: 1)"
    )
    parser.add_argument("--seconds", type=number(above=0), metavar="S", help="stop after so many seconds (default: when it is told to)")
    parser.add_argument("--json", action="store_true", help="the story as JSON Lines")
    add_clock_options(parser)
    log.add_options(parser, "error")


def run(options: argparse.Namespace) -> int:
    """Listen until stopped; the exit code."""
    from v2gkit.grid import declared

    try:
        grid = declared.read(options.file)
        if options.check:
            return _checked(grid)
        grid.demand_stations(len(options.station))
        return asyncio.run(_listened(options, grid))
    except ValueError as error:
        complain(f"v2g grid: {error}")
        return USAGE
    except KeyboardInterrupt:
        return WELL


def _checked(grid: Any) -> int:
    for device in grid.modbus:
        reads = "SunSpec" if device.sunspec else f"{len(device.register)} registers"
        reads += f", the battery {device.pack} of the station, which it is ordered by" if device.pack else ""
        put(f"{device.name}: {device.role} at {device.address}, unit {device.unit}, {reads}, every {device.every:g} s")
    for maker in grid.vendor:
        limited = "" if maker.limit is None else f", limited to {maker.limit.share:g} of what holds"
        put(f"{maker.name}: {maker.role} behind {public_url(maker.status.url)}, every {maker.every:g} s{limited}")
    for vtn in grid.openadr:
        put(f"{vtn.name}: VEN {vtn.ven} of {vtn.url}, program {vtn.program or 'any'}, every {vtn.every:g} s")
    for older in grid.openadr2:
        put(f"{older.name}: VEN {older.ven} of {older.url} (OpenADR 2.0b), every {older.every:g} s")
    for cem in grid.s2:
        put(f"{cem.name}: resource manager {cem.resource} at {public_url(cem.url)} (S2), up to {cem.import_limit:g} W")
    for utility in grid.sep2:
        put(f"{utility.name}: DER of {public_url(utility.url)} (IEEE 2030.5), up to {utility.import_limit:g} W")
    for capacity in grid.oscp:
        put(f"{capacity.name}: flexibility provider of the group {capacity.group} (OSCP 2.0), called at {grid.serving.listen}")
    for source, promise in grid.promises.items():
        falls = ((name, getattr(promise, f"fallback_{name}")) for name in ("import", "export"))
        silent = ", ".join(f"{name} {'as it was last' if power is None else f'at most {power:g} W'}" for name, power in falls)
        put(f"{source}: silent for {promise.patience:g} s, {silent}")
    return WELL


async def _listened(options: argparse.Namespace, grid: Any) -> int:
    from v2g.tasks import Tasks
    from v2gkit.cli.reached import site_of
    from v2gkit.grid.lines import sentence
    from v2gkit.grid.shell.running import Listening
    from v2gkit.grid.shell.station import Feeding

    loop = asyncio.get_running_loop()
    clock = clock_of(options, 1.0)

    def say(line: dict[str, Any]) -> None:
        text = f"{datetime.fromtimestamp(line['at']):%H:%M:%S} {sentence(line)}"
        put(json.dumps(line, ensure_ascii=False) if options.json else text, flush=True)

    def heed(held: Any, signals: Any) -> None:
        for feed in feeds:
            feed.heed(held)

    listening = Listening(grid, lambda: clock.wall(loop.time()), say, heed)
    feeds = [Feeding(path, len(options.station), options.outlets, listening.storages.values()) for path in options.station]
    site = site_of(grid, listening)
    async with Tasks("v2g.grid") as tasks:
        if site is not None:
            tasks.keep("web server", site.run)
        for feed, path in zip(feeds, options.station, strict=True):
            tasks.keep(f"station at {path}", feed.run)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(options.seconds):
                await listening.run()
    return WELL
