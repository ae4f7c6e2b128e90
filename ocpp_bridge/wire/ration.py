"""Limits how many events of one kind a CSMS is told: per minute, and while the connection is lost; more of them are told once (pure)."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, Literal

MINUTE: Final = 60.0  # s

Verdict = Literal["told", "last", "not told"]


@dataclass(slots=True)
class Ration:
    """Allows at most `most` events within a minute, and none while `room` of them wait for the CSMS.

    The verdict on the first event beyond is "last": it is replaced by one that says that others were left out; later ones are dropped until
    events are allowed again.
    """

    most: int
    room: int
    what: str  # in words, plural
    since: float = 0.0  # monotonic s, when the minute began
    about: set[Hashable] = field(default_factory=set)  # what was told within that minute
    told: int = 0  # within that minute
    over: bool = False  # it was said that this minute had more
    full: bool = False  # it was said that the queue is full, and it has not been less since
    dropped: int = 0  # in all

    def verdict(self, about: Hashable, waiting: int, now: float) -> Verdict:
        """Whether to tell an event at `now` (s) while so many of its kind wait; events with one `about` are told once a minute."""
        if now - self.since >= MINUTE:
            self.since, self.told, self.over = now, 0, False
            self.about.clear()
        over, full = self.told >= self.most, waiting >= self.room
        self.full = self.full and full
        if about is not None and about in self.about:
            return "not told"
        if not over and not full:
            self.told += 1
            self.about.add(about)
            return "told"
        self.dropped += 1
        if (over and self.over) or (full and self.full):
            return "not told"
        self.over, self.full = over, full
        return "last"
