"""Times in OCPP's form (RFC 3339) to and from epoch seconds."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The wall clock of a station: epoch seconds as a function of the shell's monotonic seconds, and back."""

    def wall(self, now: float) -> float:
        """The wall time (epoch s) at `now` (monotonic s)."""

    def now(self, wall: float) -> float:
        """The monotonic time at which the wall clock shows `wall`."""


def epoch(text: str) -> float:
    """The epoch seconds of an RFC 3339 time. Raises ValueError for text that is none, or has no offset."""
    moment = datetime.fromisoformat(text.upper())
    if moment.tzinfo is None:
        raise ValueError(f"{text} names no offset from UTC; append Z or +hh:mm")
    return moment.timestamp()


def timestamp(seconds: float) -> str:
    """Epoch seconds as RFC 3339 text in UTC with milliseconds. Raises ValueError outside the years 1 to 9999."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, OSError) as error:
        raise ValueError(f"{seconds} is no time that can be written: {error}") from None
