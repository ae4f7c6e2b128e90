"""The wall clock of a session: epoch seconds as a function of the shell's monotonic seconds.

    wall(now) = epoch + scale * (now - started)

Both ends of a simulated night are given the same clock. With a `scale` above 1 time stamps, schedules, departures, battery and meter run
that much faster than the protocol: the timers of the standard always count real seconds.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """`epoch` is the wall time (epoch s) at `started` (monotonic s); `scale`, wall seconds per monotonic second, is 1 in reality."""

    epoch: float = 0.0
    started: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"scale is {self.scale}; give the wall seconds that one second stands for, above 0")

    def wall(self, now: float) -> float:
        """The wall time (epoch s) at `now` (monotonic s)."""
        return self.epoch + self.scale * (now - self.started)

    def now(self, wall: float) -> float:
        """The monotonic time at which the wall clock shows `wall`: the inverse of `wall`."""
        return self.started + (wall - self.epoch) / self.scale
