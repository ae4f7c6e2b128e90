"""The record layer of TLS as a capture shows it: one end's octets cut into records, the messages of the handshake put together.

A stream that lost octets, or whose beginning is missing, is searched for the next place at which records follow each other.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
HEADER: Final = 5  # octets
LARGEST: Final = 2**14 + 2048  # octets of a record that is protected, in any version
# A message of the handshake: the longest is a Certificate, four of 1600 octets and their OCSP responses.
LARGEST_MESSAGE: Final = 64 * 1024  # octets
_BEGINNING: Final = re.compile(rb"[\x14-\x17]\x03[\x00-\x04]", re.DOTALL)
_KINDS: Final = frozenset({CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA})


class Record(NamedTuple):
    """One record: its header, as it was, and what follows."""

    header: bytes
    fragment: bytes

    @property
    def kind(self) -> int:
        """What it carries, as far as its header says."""
        return self.header[0]


def plausible(octets: bytes | bytearray, at: int = 0) -> int:
    """The length of the record whose header stands there; 0 where none does."""
    if len(octets) < at + HEADER or octets[at] not in _KINDS or octets[at + 1] != 3 or octets[at + 2] > 4:
        return 0
    length = int.from_bytes(octets[at + 3 : at + 5], "big")
    return HEADER + length if 0 < length <= LARGEST else 0


class Cutter:
    """Cuts what one end sent into records."""

    def __init__(self, adrift: bool = False):
        self._buffer = bytearray()
        self.adrift = adrift  # where a record begins is not known
        self.skipped = 0  # octets, since records were read last

    def lost(self) -> None:
        """Octets are missing: what waits is no whole record."""
        self.skipped += len(self._buffer)
        self._buffer.clear()
        self.adrift = True

    def feed(self, octets: bytes) -> Iterator[Record]:
        """The records that are whole now."""
        self._buffer += octets
        at = 0
        while len(self._buffer) - at >= HEADER:
            if self.adrift:
                begin = self._found(at)
                if begin < 0:
                    keep = max(at, len(self._buffer) - HEADER - LARGEST)
                    self.skipped += keep - at
                    at = keep
                    break
                self.skipped += begin - at
                at = begin
                self.adrift = False
            length = plausible(self._buffer, at)
            if not length:
                self.adrift = True
                continue
            if len(self._buffer) - at < length:
                break
            yield Record(bytes(self._buffer[at : at + HEADER]), bytes(self._buffer[at + HEADER : at + length]))
            at += length
        del self._buffer[:at]

    def _found(self, at: int) -> int:
        """Where a record begins that another follows, or that ends where the octets end; -1: nowhere yet."""
        for place in _BEGINNING.finditer(self._buffer, at):
            begin = place.start()
            if length := plausible(self._buffer, begin):
                after = begin + length
                if after == len(self._buffer) or plausible(self._buffer, after):
                    return begin
        return -1


class Messages:
    """Puts the messages of the handshake together from what records carried of them."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.refused = 0  # octets that a message announced which is longer than any may be; 0: none did

    def feed(self, octets: bytes) -> Iterator[bytes]:
        """The messages that are whole now, with their headers of four octets."""
        if self.refused:
            return
        self._buffer += octets
        while len(self._buffer) >= 4:
            length = 4 + int.from_bytes(self._buffer[1:4], "big")
            if length > LARGEST_MESSAGE:
                self.refused = length
                self._buffer.clear()
            if not self._buffer or len(self._buffer) < length:
                return
            message = bytes(self._buffer[:length])
            del self._buffer[:length]
            yield message

    def clear(self) -> None:
        """Octets are missing, so a message that is not whole never will be."""
        self._buffer.clear()
