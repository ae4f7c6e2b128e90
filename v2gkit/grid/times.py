"""Instants (RFC 3339) and durations (ISO 8601) as OpenADR writes them, and as this side writes them back."""

import re
from datetime import UTC, datetime
from typing import Final

NOW: Final = "0001-01-01"  # a start that begins so is now, or follows on (3.1 Definition)
ENDLESS: Final = 100 * 365 * 86_400.0  # s; P9999Y is said for "without end"
SECONDS: Final = (365 * 86_400.0, 30 * 86_400.0, 7 * 86_400.0, 86_400.0, 3_600.0, 60.0, 1.0)  # of Y, M, W, D, H, M, S: no calendar here
DURATION: Final = re.compile(
    r"(-?)P(?=[\dT])(?:(\d{1,6})Y)?(?:(\d{1,6})M)?(?:(\d{1,6})W)?(?:(\d{1,7})D)?"
    r"(?:T(?=\d)(?:(\d{1,8})H)?(?:(\d{1,9})M)?(?:(\d{1,10}(?:\.\d{1,9})?)S)?)?"
)


def instant(text: str) -> float | None:
    """Epoch s of a dateTime; None for the one that means now. ValueError for another text, and for one without its offset from UTC."""
    if text.startswith((NOW, "0000-")):
        return None
    if len(text) > 40:
        raise ValueError(f"a dateTime of {len(text)} characters")
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no offset from UTC; RFC 3339 wants Z or one")
    return at.timestamp()


def seconds(text: str) -> float:
    """The length of a duration in s, infinite where it is a century or more; a year has 365 days and a month 30. ValueError."""
    found = DURATION.fullmatch(text) if len(text) <= 80 else None
    if found is None:
        raise ValueError(f"{text[:40]!r} is no duration; PT15M is one")
    total = sum(float(part) * length for part, length in zip(found.groups()[1:], SECONDS, strict=True) if part)
    if total >= ENDLESS:
        return float("inf")
    return -total if found[1] else total


def written(at: float) -> str:
    """An instant (epoch s) as a dateTime in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
