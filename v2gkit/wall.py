"""Wall clocks for commands: the machine's, or one that is set and runs faster, shared by all processes of a simulation."""

import mmap
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from v2g.session.clock import Clock

MOMENT = struct.Struct("=dd")  # a monotonic second, as the processes of one host share it, and the scale from then on; 0: not yet


@dataclass(frozen=True, slots=True)
class SharedClock(Clock):
    """A clock that runs in real time until `let_go`, then up to `scale` times as fast, in every process that shares `moment`.

    A slow machine takes its time until power flows; at a scale of thousands that would be most of a day.
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
        """The monotonic time (s) at which the wall clock shows `wall` (epoch s), by its present speed."""
        (since, scale), real = self._gone(), self.started + wall - self.epoch
        return since + (real - since) / scale if since and real > since else real

    def _gone(self) -> tuple[float, float]:
        since, scale = MOMENT.unpack_from(self.moment)
        return since, scale


def shared_clock(path: Path, epoch: float, started: float, scale: float) -> SharedClock:
    """The clock that shares its moment by a file of 16 octets. OSError or ValueError when there is no such file."""
    with path.open("r+b") as file:
        return SharedClock(epoch, started, scale, mmap.mmap(file.fileno(), MOMENT.size))


def wall_of(clock: Clock) -> Callable[[], float]:
    """A function that gives the wall time (epoch s) of a clock at the moment of the call."""
    return lambda: clock.wall(time.monotonic())


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
