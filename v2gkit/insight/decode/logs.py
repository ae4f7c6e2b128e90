"""Octets in text (a log, hex, a dump) or as they are, as the records of sessions: each message a frame, with the time of its line.

Who sent a message is told by its name. Another negotiation begins another session.
"""

import re
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from v2g.exi.errors import ExiError
from v2g.session.trace import Record
from v2g.session.v2gtp import frame
from v2gkit.insight import exi_guess, octet_forms
from v2gkit.insight.decode import discovery
from v2gkit.insight.decode.meaning import Meaning, type_of
from v2gkit.insight.decode.telling import Sessions, Telling
from v2gkit.insight.octet_forms import Document, Piece

# Text is kept while it is read, and hex takes thirty times as much beside it: 1 GB for so many octets. A log of 400,000 messages has them.
LARGEST: Final = 32 * 1024 * 1024  # octets
_STAMP: Final = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?(?!\d)")
_EPOCH: Final = re.compile(r"(?<![\w.])(1\d{9}\.\d{1,9})(?![\w.])")


def records_of_text(path: Path, decoded: bool = True) -> Iterator[Record]:
    """The records of the messages in a file that is no capture; `decoded`: spelled out. Raises ValueError where there are none."""
    with path.open("rb") as file:
        given = file.read(LARGEST + 1)
    if len(given) > LARGEST:
        raise ValueError(f"{path} has more than {LARGEST} octets, which is too long for text; give the part with the session, or a capture")
    try:
        pieces = octet_forms.pieces(given)
    except ExiError as error:
        raise ValueError(f"{path}: {error}") from None
    yield from _Log(path, pieces, decoded).records()


def stamped(line: str) -> float | None:
    """The time that stands in a line of a log (epoch s), as UTC where it names no zone; None where none does."""
    if found := _STAMP.search(line):
        day, time, parts, zone = found.groups()
        try:
            at = datetime.fromisoformat(f"{day}T{time}{'+00:00' if zone in (None, 'Z') else zone}")
        except ValueError:
            return None
        return at.astimezone(UTC).timestamp() + float(f"0.{parts or 0}")
    return float(found[1]) if (found := _EPOCH.search(line)) else None


class _Log:
    """The messages of one file, while they are told."""

    def __init__(self, path: Path, pieces: tuple[Piece, ...], decoded: bool):
        self._path, self._pieces = path, pieces
        times = [stamped(piece.line) for piece in pieces]
        self._times = [each for each in times if each is not None] if all(each is not None for each in times) else []
        self._first = self._times[0] if self._times else 0.0
        self._sessions = Sessions(lambda at: self._first + at, timed=bool(self._times), decoded=decoded)
        self._telling: Telling | None = None
        self._at = 0.0

    def records(self) -> Iterator[Record]:
        """The records; each session begins with its opening."""
        for place, piece in enumerate(self._pieces):
            if self._times:
                self._at = max(self._at, round(self._times[place] - self._first, 9))
            try:
                documents = octet_forms.frames(piece.octets)
            except ExiError as error:
                yield from self._note("framing", {"reason": str(error), "octets": len(piece.octets)})
                continue
            for document in documents:
                yield from self._document(document)
        if self._telling is not None:
            yield self._telling.end(self._at, "peer", False, "the file ends")

    def _session(self) -> Generator[Record, None, Telling]:
        """Begin a session where none has begun; the value of the generator is the one that goes on."""
        if self._telling is None:
            self._telling = self._sessions.another()
            yield self._telling.opening(self._at, {"file": self._path.name, "form": self._pieces[0].form, "timed": bool(self._times)})
        return self._telling

    def _note(self, topic: str, facts: dict[str, object]) -> Iterator[Record]:
        telling = yield from self._session()
        yield telling.note(self._at, topic, facts)

    def _document(self, document: Document) -> Iterator[Record]:
        if document.payload_type in exi_guess.SDP:
            yield from self._note(discovery.TOPIC, discovery.said(frame(document.payload_type or 0, document.octets))[0])
            return
        telling = yield from self._session()
        octets, meaning = _understood(telling, document)
        if meaning.name == "supportedAppProtocolReq" and telling.frames:
            yield telling.end(self._at, "peer", False, "another session begins in the file")
            self._telling = None
            telling = yield from self._session()
            octets, meaning = _understood(telling, document)
        kind = type_of(meaning.set) if document.payload_type is None else document.payload_type
        yield telling.frame(None, kind, octets, self._at, meaning)


def _understood(telling: Telling, document: Document) -> tuple[bytes, Meaning]:
    """The octets of a document that were read, and their meaning: all that are there where its frame announces a length that is wrong."""
    octets, meaning = document.octets, telling.interpreter.read(document.payload_type, document.octets)
    if meaning.error and document.instead:
        again = telling.interpreter.read(document.payload_type, document.instead)
        octets, meaning = (octets, meaning) if again.error else (document.instead, again)
    return octets, meaning._replace(findings=(document.remark, *meaning.findings)) if document.remark else meaning
