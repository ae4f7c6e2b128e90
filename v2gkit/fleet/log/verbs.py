"""The contract of a log. Money never rests on it: a reader that misses something asks the registers and the store.

Subjects are words with dots between them, `telemetry.TENANT.SITE`; `telemetry.>` reads all that begin so. A reader is a name: it sees every
record of its subject, in order, at least once, over restarts of its process; what it does not acknowledge comes again after `AGAIN` s.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Protocol

AGAIN: Final = 30.0  # s after which what a reader did not acknowledge is given again
WINDOW: Final = 120.0  # s within which two records of one key are one
OCTETS: Final = 1 << 19  # of a record: NATS takes a megabyte by default
KEPT: Final = 3_600.0  # s for which records are kept at least, as far as there is room


SUBJECT: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


class LogFault(Exception):
    """A log did not do what it was asked; the text says why."""


class Said(NamedTuple):
    """What is to be appended. `key` makes it one with another of the same key; empty: it is one by itself."""

    subject: str
    octets: bytes
    key: str = ""


class Record(NamedTuple):
    """What was appended, and its place in the log: it grows, and is one for all readers."""

    position: int
    subject: str
    octets: bytes


class Log(Protocol):
    """Every method may raise LogFault."""

    async def append(self, many: Iterable[Said]) -> int:
        """Append records in their order; the position of the last. They are with the log when it returns."""

    async def read(self, reader: str, subject: str, most: int = 500, within: float = 1.0) -> Sequence[Record]:
        """The next records for a reader, at most so many; none where none comes within so many seconds. A new one begins at the oldest."""

    async def ack(self, reader: str, positions: Iterable[int]) -> None:
        """Let a reader be done with records that it was given."""

    async def close(self) -> None:
        """Let the log go."""


def demand_fit(said: Said) -> None:
    """Raise LogFault for a record that no log takes."""
    if len(said.octets) > OCTETS:
        raise LogFault(f"a record of {said.subject} has {len(said.octets)} octets; at most {OCTETS} are taken: say it in parts")
    if not SUBJECT.fullmatch(said.subject):
        raise LogFault(f"the subject {said.subject[:80]!r} is none; give words of letters, digits, - and _ with dots between them")


def fits(subject: str, wanted: str) -> bool:
    """Whether a subject is one of those that `wanted` names."""
    return subject == wanted or (wanted.endswith(".>") and subject.startswith(wanted[:-1])) or wanted == ">"
