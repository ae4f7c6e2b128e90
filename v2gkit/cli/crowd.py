"""`v2g ev --fleet`: the options of many cars at once, and how they are run."""

import argparse
import asyncio
import contextlib
from dataclasses import replace
from typing import Any

from evcc.config import Config
from evcc.scenario import Scenario
from v2g.session.clock import Clock
from v2g.settings.strict import ConfigError
from v2gkit.cli import leave
from v2gkit.cli.parser import number, whole
from v2gkit.cli.screen import Screen
from v2gkit.insight.witness import Live, witnesses
from v2gkit.lab.fleet import Fleet, addresses, members_of, telling
from v2gkit.output import complain


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a fleet: how many cars, and when they arrive."""
    fleet = parser.add_argument_group("many cars")
    fleet.add_argument(
        "--fleet", type=whole(1), metavar="N", help="so many cars at once, to each --connect in turn; HOST:FIRST-LAST is a range of ports"
    )
    fleet.add_argument("--spread", type=number(0), default=0.0, metavar="S", help="they arrive within so many seconds (default: at once)")
    fleet.add_argument("--seed", type=whole(0), default=0, metavar="N", help="decides their batteries (default: 0)")


async def driven(
    config: Config, options: argparse.Namespace, screen: Screen, clock: Clock, visit: str | Scenario, show: Live | None = None
) -> dict[str, Any]:
    """Drive a fleet as the options say; returns its result as plain values. Raises ConfigError. `show` gets lines for a live viewer."""
    if config.iface or config.slac:
        raise ConfigError("a fleet goes to addresses: give --connect HOST:PORT, again for more, or HOST:FIRST-LAST")
    places = addresses(options.connect or [str(config.connect)])
    fleet = Fleet(members_of([replace(config, connect=None)], options.fleet, places, clock, options.seed, visit), clock, options.spread)
    screen.more = lambda: fleet.parts
    with witnesses(leave.files_of(options), "evcc", clock.wall, leave.warn, show) as watch:
        line = None if options.quiet or screen.moving else asyncio.create_task(telling(fleet, complain))
        try:
            return await fleet.drive(watch(), screen.follow)
        finally:
            if line is not None:
                line.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await line


def summary(said: dict[str, Any]) -> str:
    """The result of a fleet in one line for people."""
    parts = [f"{said['well']} of {said['fleet']} cars well"]
    if said["reasons"]:
        reason, count = next(iter(said["reasons"].items()))
        parts.append(f"{said['refused']} refused, most often ({count}x): {reason}")
    parts.append(f"charged {said['energy_charged'] / 1000:.2f} kWh, discharged {said['energy_discharged'] / 1000:.2f} kWh")
    if said["answers"]:
        parts.append(f"{said['answers']} answers, p50 {said['p50_ms']:g} ms, p99 {said['p99_ms']:g} ms")
    return ", ".join([*parts, f"{said['seconds']} s"])
