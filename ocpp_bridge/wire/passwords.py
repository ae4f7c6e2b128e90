"""The passwords of a station at its CSMS: the one that is configured, and the one that the CSMS has put in its place (A01).

A CSMS sets `SecurityCtrlr.BasicAuthPassword`. Accepted means that the password is kept over a restart, and that the station connects anew
with it. Where the CSMS refuses it (HTTP 401 or 403), as one does that has not heard our answer, the one before is tried, in turns, until
the new one has worked once; then that alone is kept. A value is written to the file and the connection, and told to nobody.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from pki.files import replace
from v2g.legible import logger

LOG = logger("v2g.ocpp")
REFUSALS: Final = (401, 403)  # HTTP
LONGEST: Final = 65_536  # octets of the file; two passwords of 64 characters are 200


@dataclass(frozen=True, slots=True)
class Kept:
    """What the file holds: of which station, its passwords, the newest first."""

    station: str
    passwords: tuple[str, ...]


_decoder = msgspec.json.Decoder(Kept)


class Passwords:
    """The passwords of the station `station`, of which `given` is configured, and `file` keeps those that the CSMS sets.

    `read` and `write` block on the disk: call them off the event loop.
    """

    def __init__(self, station: str, given: str | None, file: Path | None, *, by_certificate: bool = False) -> None:
        self._station, self._given, self._file = station, given, file
        self.by_certificate = by_certificate  # the station shows a certificate at present
        self._set: tuple[str, ...] = ()  # by the CSMS, the newest first
        self._at = 0
        self.changed = False  # the newest is not in the file yet

    def __repr__(self) -> str:
        return f"Passwords({len(self._known)} of {self._station!r})"

    @property
    def _known(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._set, *((self._given,) if self._given is not None else ()))))

    @property
    def present(self) -> str | None:
        """The password to connect with next; None: there is none."""
        known = self._known
        return known[self._at % len(known)] if known else None

    def objection(self, value: str) -> tuple[str, str] | None:
        """The reason code and the words by which a CSMS is refused a new password; None, and it is taken, where it can be kept."""
        if self.by_certificate:
            return "UnsupportedParam", "the station shows its certificate here, no password"
        if self._file is None:
            return "OutOfStorage", "the station has no state folder: a new password would be lost with its next restart"
        before = (self.present,) if self.present is not None else ()
        self._set, self._at, self.changed = tuple(dict.fromkeys((value, *before, *self._set))), 0, True
        return None

    def give_up(self) -> None:
        """Go back to the password before, because the new one could not be written."""
        self._set, self.changed = self._set[1:], False

    def refused(self, status: int) -> None:
        """Note that the CSMS refused the connection with an HTTP status: the next password is tried."""
        if status in REFUSALS and len(self._known) > 1:
            self._at = (self._at + 1) % len(self._known)
            LOG.warning("the CSMS refuses the password %s; another is tried", "that it has set" if self._at == 1 else "of before")

    def worked(self) -> bool:
        """Note that the CSMS took the present password; True: those before are forgotten, and the file is to be written."""
        if self._at or len(self._set) < 2:
            return False
        self._set = self._set[:1]
        return True

    def read(self) -> None:
        """Read what the CSMS has set before. A file that cannot be read is told of, and the configured password counts."""
        if self._file is None or not self._file.exists():
            return
        try:
            with self._file.open("rb") as file:
                kept = _decoder.decode(file.read(LONGEST))
        except (OSError, ValueError) as error:
            LOG.error("%s: %s; the configured password counts", self._file, type(error).__name__)  # its words may quote the file
            return
        if kept.station == self._station:
            self._set = kept.passwords

    def write(self) -> None:
        """Write the passwords that the CSMS has set, for their owner alone. Raises OSError."""
        assert self._file is not None
        replace(self._file, msgspec.json.encode(Kept(self._station, self._set)), 0o600)
        self.changed = False
