"""The file in which a charge point keeps what its CSMS has not heard yet. A shell."""

import os
from pathlib import Path
from typing import Final

from ocpp_bridge.wire.journal import compacted, undelivered
from ocpp_bridge.wire.outbox import Call
from pki.files import replace
from v2g.legible import logger

LOG = logger("v2g.ocpp")
JOURNAL_MAXIMUM: Final = 4_000_000  # octets that a journal grows before it is compacted: some days of events


class Journal:
    """The file of the journal (`ocpp_bridge.wire.journal`). Its methods block on the disk: call them off the event loop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._room = JOURNAL_MAXIMUM

    def read(self, wall: float) -> list[Call]:
        """The calls that a former run left undelivered; a file that is no journal is moved aside. `wall` is epoch s."""
        try:
            return undelivered(self.path.read_bytes(), wall) if self.path.exists() else []
        except ValueError as error:
            aside = self.path.rename(self.path.with_suffix(".unreadable"))
            LOG.error("%s: %s; it was moved to %s", self.path, error, aside)
            return []

    def begin(self, octets: bytes) -> None:
        """Write the file anew with these octets."""
        replace(self.path, octets, 0o600)
        self._room = JOURNAL_MAXIMUM + len(octets)

    def append(self, octets: bytes) -> None:
        """Append lines; a file that grew by `JOURNAL_MAXIMUM` is written anew without calls that are over."""
        if not octets:
            return
        with self.path.open("ab", buffering=0) as out:
            before = os.fstat(out.fileno()).st_size
            try:
                size = before + _all_written(out.fileno(), octets)
                os.fsync(out.fileno())
            except OSError:
                os.truncate(out.fileno(), before)  # half a line would spoil the next, and the whole is tried again
                raise
        if size > self._room:
            self.begin(compacted(self.path.read_bytes()))


def _all_written(file: int, octets: bytes) -> int:
    at = 0
    while at < len(octets):
        at += os.write(file, octets[at:])
    return at
