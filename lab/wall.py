"""The wall clock of a command: the machine's own, or one that is set and runs faster, the same for every party of a simulation."""

import argparse
import time
from typing import Any

from v2g.session.clock import Clock


def add_options(group: Any) -> None:
    """The options that set the clock; the scale belongs to each command, because its file may say it too."""
    group.add_argument("--epoch", type=float, metavar="S", help="epoch seconds at which the wall clock starts (default: now)")
    group.add_argument("--epoch-at", type=float, metavar="M", help="monotonic second at which it shows them (default: the start)")


def clock_of(options: argparse.Namespace, scale: float) -> Clock:
    """The clock that the options set. Monotonic seconds are the same in all processes of a host, so parties started apart can agree."""
    started = time.monotonic() if options.epoch_at is None else options.epoch_at
    return Clock(time.time() if options.epoch is None else options.epoch, started, scale)
