"""A clock of tests: it stands until it is told to go on."""

from v2g.session.clock import Clock

EPOCH = 1_800_000_000.0  # epoch s: 2027-01-15 08:00 UTC, when certificates that were made today are still valid


class VirtualClock:
    """Monotonic seconds (`now`) and epoch seconds (`wall`), which stand until `advance`; `scale` wall seconds go by in each."""

    def __init__(self, epoch: float = EPOCH, scale: float = 1.0):
        self.now = 0.0
        self.clock = Clock(epoch, 0.0, scale)

    @property
    def wall(self) -> float:
        """The time on the wall (epoch s)."""
        return self.clock.wall(self.now)

    def advance(self, seconds: float) -> float:
        """Go on by so many seconds of the session; the new `now`. Raises ValueError for less than 0: no session goes back in time."""
        if seconds < 0:
            raise ValueError(f"{seconds:g} s is back in time; give 0 or more")
        self.now += seconds
        return self.now

    def until(self, due: float | None) -> float:
        """Go on to a deadline of a session, as `Endpoint.deadline()` gives it; None or one that is over changes nothing. The new `now`."""
        self.now = max(self.now, self.now if due is None else due)
        return self.now
