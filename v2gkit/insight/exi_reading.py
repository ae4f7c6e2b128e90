"""Decodes octets given in any form: the EXI documents in them, each with its schema set and what was tolerated, or why it is none."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from v2g.exi import derive, lexical
from v2g.exi import json as exi_json
from v2g.exi.codec import Reading, read_first
from v2g.exi.dialect import SCHEMA, Dialect
from v2g.exi.errors import EncodeError, ExiError
from v2g.exi.reading import Mode
from v2g.messages import schema_set
from v2gkit.insight import exi_guess, octet_forms
from v2gkit.insight.octet_forms import Document

MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Question:
    """How octets are to be decoded. `set` None: the likeliest schema set. Of several dialects the first that fits is taken."""

    set: str | None = None
    phase: exi_guess.Phase | None = None
    fragment: bool = False
    mode: Mode = "conformance"
    dialects: tuple[Dialect, ...] = (SCHEMA,)


@dataclass(frozen=True, slots=True)
class Answer:
    """The message decoded from one document, with its schema set and what was tolerated."""

    octets: bytes  # of the document that was read
    set: str
    reading: Reading
    sure: str
    findings: tuple[str, ...]

    @property
    def message(self) -> dict[str, Any]:
        """The message as JSON-able dictionaries, including values that were tolerated."""
        return exi_json.plain(self.reading.message, schema_set(self.set), self.reading.name, lenient=True)

    def xml(self, *, pretty: bool = False) -> str:
        """The message as XML, including values that were tolerated. Raises ExiError for characters that XML cannot carry."""
        from v2g.exi.xml import to_xml

        try:
            return to_xml(self.reading.message, schema_set(self.set), self.reading.name, pretty=pretty, lenient=True)
        except EncodeError as error:
            raise ExiError(f"{error}: --json shows it") from None


def documents(given: bytes) -> list[Document]:
    """The EXI documents in octets or text of any form. Raises ExiError where there are none."""
    return [document for piece in octet_forms.pieces(given) for document in octet_forms.frames(piece.octets)]


def answer(document: Document, question: Question) -> Answer:
    """Decode one document. Where its frame announces a wrong length and that much is no message, all octets are tried. Raises ExiError."""
    try:
        octets, (name, reading, sure) = document.octets, _read(document.octets, document.payload_type, question)
    except ExiError as error:
        if not document.instead:
            raise ExiError(f"{error}; {document.remark}" if document.remark else str(error)) from None
        try:
            octets, (name, reading, sure) = document.instead, _read(document.instead, document.payload_type, question)
        except ExiError:
            raise ExiError(f"{error}; {document.remark}") from None
    odd = (document.remark,) if document.remark else ()
    return Answer(octets, name, reading, sure, (*odd, *map(str, reading.findings), *unwritable(reading)))


def _read(octets: bytes, payload_type: int | None, question: Question) -> tuple[str, Reading, str]:
    """The set, the reading in it, and how sure the set is."""
    if question.set is None:
        found = exi_guess.guess(octets, payload_type, question.phase, fragment=question.fragment, mode=question.mode)
        return found.set, found.reading, found.sure
    exi_guess.candidates(payload_type, question.phase)
    sets = [schema_set(question.set, dialect) for dialect in question.dialects]
    return question.set, read_first(octets, sets, fragment=question.fragment, mode=question.mode), "certain: given"


def unwritable(reading: Reading) -> Iterator[str]:
    """The paths of strings with characters that XML cannot carry, such as the NUL in names of some stations."""
    for path, _, value in derive.walk(reading.message, (reading.name.local,)):
        if isinstance(value, str) and (odd := sorted(set(lexical.UNWRITABLE.findall(value)))):
            yield f"{'/'.join(path)}: holds {', '.join(f'U+{ord(c):04X}' for c in odd)}, which XML cannot carry"
