"""The options that set the wall clock of a command, and the clock made from them."""

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from v2g.session.clock import Clock
from v2gkit.cli.parser import number
from v2gkit.wall import shared_clock, wall_of

LATEST = 4_102_444_800  # s since the epoch: the year 2100, beyond which no certificate and no clock of a car is good


def add_clock_options(group: Any) -> None:
    """Add the options that set the clock, but for the scale, which each command adds, because its configuration file has it too."""
    group.add_argument(
        "--epoch", type=number(0, most=LATEST), metavar="S", help="epoch seconds at which the wall clock starts (default: now)"
    )
    group.add_argument("--epoch-at", type=number(), metavar="M", help="monotonic second at which it shows them (default: the start)")
    group.add_argument(
        "--hold",
        type=Path,
        metavar="FILE",
        help="run as in reality until this file holds two floats of 8 octets: the monotonic second of the change, the scale from then on",
    )


def judging_at(options: argparse.Namespace, clock: Clock) -> str | None:
    """The time at which certificates are judged, as text for people, where it is not the machine's; None: it is."""
    if options.epoch is None and clock.scale == 1:
        return None
    return datetime.fromtimestamp(wall_of(clock)(), UTC).isoformat(timespec="seconds")


def clock_of(options: argparse.Namespace, scale: float) -> Clock:
    """The clock that the options set. Processes of one machine share its monotonic seconds, so that their clocks agree."""
    started = time.monotonic() if options.epoch_at is None else options.epoch_at
    epoch = time.time() if options.epoch is None else options.epoch
    return Clock(epoch, started, scale) if options.hold is None else shared_clock(options.hold, epoch, started, scale)
