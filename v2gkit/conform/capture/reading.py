"""What a record of a frame holds for a judge: the message itself, its body where it has an envelope, its session id and its code."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from v2g.exi.codec import read
from v2g.exi.dialect import DIALECTS
from v2g.exi.errors import DecodeError
from v2g.exi.schema import Type
from v2g.generations import GENERATIONS
from v2g.messages import schema_set
from v2g.session.generation import Generation
from v2gkit.insight.decode.meaning import type_of
from v2gkit.insight.decode.telling import code_of

STANDARDS: Final = {"iso2": "ISO 15118-2", "din": "DIN SPEC 70121"}  # schema set -> whose sessions have it from beginning to end


class Said(NamedTuple):
    """One message of a recording: number of its frame in the file, when (s since the connection), by whom, and what."""

    frame: int
    at: float
    by_car: bool
    payload_type: int
    set: str
    name: str
    body: Type
    session_id: bytes | None
    stamp: int | None  # of the header, epoch s

    @property
    def asks(self) -> bool:
        """Whether it is a request."""
        return self.name.endswith("Req")

    @property
    def code(self) -> str:
        """The response code, empty: it has none."""
        return code_of(self.body)


def said(record: Mapping[str, Any], frame: int, at: float, by_car: bool) -> Said | None:
    """The message in a frame's record; None where its octets are none."""
    if record["name"] is None:
        return None
    message = _message(str(record["exi"]), str(record["set"]))
    if message is None:
        return None
    header: Any = getattr(message, "Header", None)
    envelope: Any = getattr(message, "Body", None)
    body = message if envelope is None or envelope.BodyElement is None else envelope.BodyElement
    kind = _number(record["payload_type"]) or type_of(str(record["set"]))
    session = None if header is None else header.SessionID
    return Said(frame, at, by_car, kind, str(record["set"]), str(record["name"]), body, session, getattr(header, "TimeStamp", None))


def generation_of(body: Type) -> Generation | None:
    """The generation that has a message in its tables; None where none of ours has."""
    return next((each for each in GENERATIONS if type(body) in each.responses or each.times(type(body)) is not None), None)


def _message(exi: str, name: str) -> Type | None:
    for dialect in DIALECTS:
        try:
            return read(bytes.fromhex(exi), schema_set(name, dialect), mode="interop").message
        except (DecodeError, KeyError, ValueError):
            continue
    return None


def _number(payload_type: object) -> int:
    try:
        return int(str(payload_type), 16)
    except ValueError:
        return 0
