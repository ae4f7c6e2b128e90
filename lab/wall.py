"""The wall clock of a command: the machine's own, or one that is set and runs faster, the same for every party of a simulation."""

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from lab.parser import number
from v2g.session.clock import Clock

LATEST = 4_102_444_800  # s since the epoch: the year 2100, beyond which no certificate and no clock of a car is good


def add_options(group: Any) -> None:
    """The options that set the clock; the scale belongs to each command, because its file may say it too."""
    group.add_argument(
        "--epoch", type=number(0, most=LATEST), metavar="S", help="epoch seconds at which the wall clock starts (default: now)"
    )
    group.add_argument("--epoch-at", type=number(), metavar="M", help="monotonic second at which it shows them (default: the start)")


def wall_of(clock: Clock) -> Callable[[], float]:
    """The time that a clock shows, whenever it is asked (epoch s)."""
    return lambda: clock.wall(time.monotonic())


def judging_at(options: argparse.Namespace, clock: Clock) -> str | None:
    """The time at which certificates are judged, where it is not the machine's; people are told, because it decides what is valid."""
    if options.epoch is None and clock.scale == 1:
        return None
    return datetime.fromtimestamp(wall_of(clock)(), UTC).isoformat(timespec="seconds")


def clock_of(options: argparse.Namespace, scale: float) -> Clock:
    """The clock that the options set. Monotonic seconds are the same in all processes of a host, so parties started apart can agree."""
    started = time.monotonic() if options.epoch_at is None else options.epoch_at
    return Clock(time.time() if options.epoch is None else options.epoch, started, scale)


class _Local(tzinfo):
    """The zone of this machine (`TZ`, or as it is set up) with the offset of each instant, not that of now: clocks change."""

    def utcoffset(self, at: datetime | None) -> timedelta | None:
        """What clocks here are ahead of UTC at that time."""
        return None if at is None else at.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, at: datetime | None) -> timedelta | None:
        """Not known; nothing needs it."""
        return None

    def tzname(self, at: datetime | None) -> str | None:
        """As the system abbreviates it."""
        return None if at is None else at.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, at: datetime) -> datetime:
        """What clocks here show at that time; `fold` tells the second of two alike."""
        shown = at.replace(tzinfo=UTC).astimezone()
        plain = shown.replace(tzinfo=None)
        return plain.replace(tzinfo=self, fold=int(plain.astimezone().utcoffset() != shown.utcoffset()))


LOCAL = _Local()
