"""What the station asks of a car (stop, pause, renegotiate ...), as one value that keeps several wishes and shows the most urgent.

A wish is kept from when it was first asked until the car has followed it; a stop is kept until the session is over.
"""

from dataclasses import dataclass
from enum import Enum


class Wish(Enum):
    """What a station may ask of a car, most urgent first; a table of each generation says how it is asked, and whether it can be."""

    STOP = "a stop"
    PAUSE = "a pause"
    POWER = "power again, after a standby"
    SERVICE = "another service"
    SCHEDULE = "another schedule"
    METERING = "the signature under a meter reading"


PRIORITY = tuple(Wish)


@dataclass(frozen=True, slots=True)
class Notice:
    """One wish, with the time since when it is asked (session time, s), the seconds the car has to follow it, and the reason."""

    wish: Wish
    since: float
    delay: float = 0.0
    reason: str = ""

    def remaining(self, now: float) -> int:
        """The whole seconds that are left of the delay at `now` (session time, s) [V2G20-3318]."""
        return max(0, round(self.delay - (now - self.since)))


@dataclass(frozen=True, slots=True)
class Intent:
    """The wishes that the car has not followed yet, the most urgent first; at most one of a kind."""

    asked: tuple[Notice, ...] = ()

    @property
    def notice(self) -> Notice | None:
        """The most urgent wish, which the car is shown; None where there is none."""
        return self.asked[0] if self.asked else None

    @property
    def stopping(self) -> str:
        """The reason why the session is to end; empty while it may go on."""
        notice = self.of(Wish.STOP)
        return "" if notice is None else notice.reason or "the station ends the session"

    def of(self, wish: Wish) -> Notice | None:
        """The notice of a wish of that kind; None where none is kept."""
        return next((notice for notice in self.asked if notice.wish is wish), None)

    def ask(self, notice: Notice) -> "Intent":
        """The intent with one more wish. A wish that was asked before keeps its time: asking again gives no new delay."""
        if self.of(notice.wish) is not None:
            return self
        return Intent(tuple(sorted((*self.asked, notice), key=lambda each: PRIORITY.index(each.wish))))

    def without(self, *followed: Wish) -> "Intent":
        """The intent after the car has followed these wishes. A stop is never removed."""
        return Intent(tuple(n for n in self.asked if n.wish is Wish.STOP or n.wish not in followed))
