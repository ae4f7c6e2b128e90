"""The wall clock of a command: the machine's own, or one that is set and runs faster, the same for every party of a simulation."""

import argparse
import mmap
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from lab.parser import number
from v2g.session.clock import Clock

LATEST = 4_102_444_800  # s since the epoch: the year 2100, beyond which no certificate and no clock of a car is good
MOMENT = struct.Struct("=dd")  # a monotonic second, as the processes of one host share it, and the scale from then on; 0: not yet


@dataclass(frozen=True, slots=True)
class Held(Clock):
    """Runs as in reality until it is let go, and at most `scale` times as fast from then on, in every process that holds `moment`.

    A party takes as long to start and to agree as its machine is slow; at a scale of thousands that would be most of a day.
    """

    moment: "mmap.mmap | bytearray" = field(default_factory=lambda: bytearray(MOMENT.size))

    def let_go(self, now: float, scale: float | None = None) -> None:
        """Run fast from now on (monotonic s), this much where it is given, unless it does already."""
        if not self._gone()[0]:
            MOMENT.pack_into(self.moment, 0, now, self.scale if scale is None else min(scale, self.scale))

    def wall(self, now: float) -> float:
        """The wall time (epoch s) at `now` (monotonic s)."""
        since, scale = self._gone()
        real = min(now, since) if since else now
        return self.epoch + (real - self.started) + scale * (now - real)

    def now(self, wall: float) -> float:
        """The monotonic time at which the wall clock shows `wall`; as if it were never let go, until it is."""
        (since, scale), real = self._gone(), self.started + wall - self.epoch
        return since + (real - since) / scale if since and real > since else real

    def _gone(self) -> tuple[float, float]:
        since, scale = MOMENT.unpack_from(self.moment)
        return since, scale


def held(path: Path, epoch: float, started: float, scale: float) -> Held:
    """The clock that is let go by a file of 16 octets. OSError or ValueError when there is no such file."""
    with path.open("r+b") as file:
        return Held(epoch, started, scale, mmap.mmap(file.fileno(), MOMENT.size))


def add_options(group: Any) -> None:
    """The options that set the clock; the scale belongs to each command, because its file may say it too."""
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
    epoch = time.time() if options.epoch is None else options.epoch
    return Clock(epoch, started, scale) if options.hold is None else held(options.hold, epoch, started, scale)


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
