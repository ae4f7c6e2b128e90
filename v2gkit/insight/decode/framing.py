"""V2GTP frames out of what one end sent, also where the stream has lost its rhythm: then the next header that can be one is searched.

cutter = Cutter(limit)
for found in cutter.feed(octets): ...   # Frame or Astray
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from v2g.session.v2gtp import HEADER_LENGTH, INVERSE_VERSION, STREAM_TYPES, VERSION, Frame

_BEGINNING: Final = bytes((VERSION, INVERSE_VERSION))
_EXI: Final = 0x80  # with which every EXI document begins


class Astray(NamedTuple):
    """Octets that are no frame, in words; `octets` of them were passed over."""

    reason: str
    octets: int


class Cutter:
    """Cuts a stream into frames of at most `limit` octets of payload."""

    def __init__(self, limit: int, adrift: bool = False):
        self._limit = limit
        self._buffer = bytearray()
        self._adrift = adrift  # where a frame begins is not known
        self._skipped = 0
        self._reason = "the beginning is missing" if adrift else ""
        self._header: tuple[int, int] | None = None  # of the frame that is not whole: payload type, length

    def feed(self, octets: bytes) -> Iterator[Frame | Astray]:
        """The frames that are whole now, and what was no frame."""
        self._buffer += octets
        at = 0
        while len(self._buffer) - at >= HEADER_LENGTH:
            if self._adrift:
                begin = self._found(at)
                if begin is None:
                    keep = max(at, len(self._buffer) - HEADER_LENGTH)
                    self._skipped, at = self._skipped + keep - at, keep
                    break
                self._skipped, at, self._adrift = self._skipped + begin - at, begin, False
                if self._skipped:
                    yield self._astray()
            payload_type, length = self._said(at)
            if self._buffer[at : at + 2] != _BEGINNING or length > self._limit:
                self._lose(self._wrong(at, payload_type, length))
                self._skipped, at = self._skipped + 1, at + 1
                continue
            if len(self._buffer) - at < HEADER_LENGTH + length:
                break
            yield Frame(payload_type, bytes(self._buffer[at + HEADER_LENGTH : at + HEADER_LENGTH + length]))
            at += HEADER_LENGTH + length
        del self._buffer[:at]

    def lost(self, octets: int) -> None:
        """Go on after a gap: `octets` of the stream are missing."""
        self._skipped += len(self._buffer)
        self._buffer.clear()
        self._lose(f"{octets} octets before it are missing in the capture")

    def end(self) -> Iterator[Astray]:
        """What is left when the stream is over and is no frame."""
        if self._adrift or not self._buffer:
            self._skipped += len(self._buffer)
            if self._skipped:
                yield self._astray()
        elif len(self._buffer) < HEADER_LENGTH:
            yield Astray(f"the stream ends within a V2GTP header, after {len(self._buffer)} of {HEADER_LENGTH} octets", len(self._buffer))
        else:
            length, there = self._said(0)[1], len(self._buffer) - HEADER_LENGTH
            yield Astray(f"the stream ends within a frame: its header announces {length} octets, {there} came", len(self._buffer))
        self._buffer.clear()
        self._skipped = 0

    def _said(self, at: int) -> tuple[int, int]:
        """Payload type and length of the header there."""
        return int.from_bytes(self._buffer[at + 2 : at + 4], "big"), int.from_bytes(self._buffer[at + 4 : at + 8], "big")

    def _wrong(self, at: int, payload_type: int, length: int) -> str:
        if self._buffer[at : at + 2] != _BEGINNING:
            return f"0x{self._buffer[at : at + HEADER_LENGTH].hex()} is no V2GTP header, which begins with 0x{_BEGINNING.hex()}"
        return f"a V2GTP header of type 0x{payload_type:04X} announces {length} octets, at most {self._limit} are read"

    def _lose(self, reason: str) -> None:
        self._reason = self._reason if self._adrift else reason
        self._adrift = True

    def _astray(self) -> Astray:
        found = Astray(self._reason, self._skipped)
        self._skipped = 0
        return found

    def _found(self, at: int) -> int | None:
        """Where a frame may begin: a header with a known type and a length that may be, then EXI."""
        while (at := self._buffer.find(_BEGINNING, at)) >= 0 and at + HEADER_LENGTH < len(self._buffer):
            payload_type, length = self._said(at)
            if payload_type in STREAM_TYPES and 0 < length <= self._limit and self._buffer[at + HEADER_LENGTH] == _EXI:
                return at
            at += 1
        return None
