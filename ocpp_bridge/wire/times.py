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


def of_clock(text: str) -> float:
    """The epoch seconds of an RFC 3339 time whose offset does not count: as if its date and time of day were UTC."""
    return datetime.fromisoformat(text.upper()).replace(tzinfo=UTC).timestamp()


def offset_of(text: str) -> float:
    """The seconds that local time is ahead of UTC by a TimeOffset such as +01:00."""
    return (-1.0 if text[0] == "-" else 1.0) * (3_600.0 * int(text[1:3]) + 60.0 * int(text[4:6]))


def timestamp(seconds: float) -> str:
    """Epoch seconds as RFC 3339 text in UTC with milliseconds. Raises ValueError outside the years 1 to 9999."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, OSError) as error:
        raise ValueError(f"{seconds} is no time that can be written: {error}") from None
