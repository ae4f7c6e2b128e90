"""What to ask of a maker's API next, and when: a limit that is new goes first, and all of it no faster than is allowed. Sans-I/O."""

from collections import deque
from dataclasses import dataclass
from math import inf
from typing import Final, Literal

from v2gkit.grid.vendor.declared import Limit, Vendor

MINUTE: Final = 60.0  # s
LONGEST: Final = 60.0  # s between two attempts after a fault
Ask = Literal["limit", "status"]


@dataclass(frozen=True, slots=True)
class Next:
    """What is due and when (epoch s)."""

    what: Ask
    at: float


class Pace:
    """The order of the requests of one device."""

    def __init__(self, vendor: Vendor, now: float) -> None:
        self._vendor = vendor
        self._sent: deque[float] = deque()  # of the last minute
        self._status_at = now
        self._limit_at = inf
        self._wait = 0.0
        self._wanted: float | None = None  # units
        self._known = False  # whether a limit is wanted
        self._not_before = 0.0  # epoch s; what the server wants

    @property
    def wanted(self) -> float | None:
        """The limit that the device has to have (units); None: it has to be off."""
        return self._wanted

    def want(self, limit: Limit, cap: float, now: float) -> None:
        """Let the device keep to its share of a cap (W) of the site: at once where that is news."""
        units = limit.units(cap)
        if not self._known or units != self._wanted:
            self._wanted, self._known, self._limit_at = units, True, now

    def next(self, now: float) -> Next:
        """What comes next. A request that the minute has no room for waits until it has."""
        what: Ask = "limit" if self._limit_at <= max(now, self._status_at) else "status"
        due = self._limit_at if what == "limit" else self._status_at
        while self._sent and self._sent[0] <= now - MINUTE:
            self._sent.popleft()
        room = now if len(self._sent) < self._vendor.requests else self._sent[0] + MINUTE
        return Next(what, max(due, room, now, self._not_before))

    def asked(self, now: float) -> None:
        """Note that a request was sent."""
        self._sent.append(now)

    def well(self, what: Ask, told: float | None, now: float) -> None:
        """Note an answer; `told` is the limit that was told, which may not be the wanted one any more."""
        self._wait = 0.0
        if what == "status":
            self._status_at = now + self._vendor.every
        elif told == self._wanted:
            assert self._vendor.limit is not None
            self._limit_at = now + self._vendor.limit.repeat

    def failed(self, what: Ask, now: float, after: float | None = None) -> None:
        """Note a fault; `after` is for how many s the server wants no request."""
        self._wait = min(max(2 * self._wait, self._vendor.every), LONGEST)
        wait = max(self._wait, min(after or 0.0, 60 * LONGEST))
        if what == "status":
            self._status_at = now + wait
        else:
            self._limit_at = now + wait
        if after:
            self._not_before = now + wait

    def disobeyed(self, now: float) -> None:
        """Note that the device does not keep to its limit: tell it again."""
        self._limit_at = min(self._limit_at, now)
