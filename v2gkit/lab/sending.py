"""Messages that somebody wrote or edited, sent to a station: one after the other as they are, or in the place of a car's own.

    messages = prepared(Path("edited.json").read_bytes(), "edited.json")
    Sending(messages, now, wall)          # an `Endpoint`: sends each when the one before it was answered
    replacing(script, messages)           # a script: an ordinary session in which these stand for the car's own

Session ids and time stamps become those of the session that is going on, unless they are to be kept.
"""

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evcc.script import Part, Script
from v2g.exi.codec import decode, encode
from v2g.exi.errors import DecodeError, EncodeError, ExiError
from v2g.exi.json import from_json
from v2g.exi.schema import Type
from v2g.messages import MODULES, schema_set
from v2g.session.endpoint import Ended, Event, FrameReceived, FrameSent, Noted
from v2g.session.errors import FramingError, SessionError, TimedOut
from v2g.session.v2gtp import AHEAD, CAR_RECEIVES, FrameReader, frame
from v2gkit.insight.decode.meaning import Interpreter, type_of
from v2gkit.insight.exi_reading import documents
from v2gkit.insight.exi_writing import octets_of_xml

WITHIN: Final = 5.0  # s that an answer is waited for: the longest message timeout of the standard
MOST: Final = 10_000  # messages of one file


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message that is ready to be sent: its set, the payload type of its frame, its octets; `message` None: octets that are none."""

    set: str
    payload_type: int
    exi: bytes
    message: Type | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        body = getattr(getattr(self.message, "Body", None), "BodyElement", None) or self.message
        return "octets that are no message" if body is None else type(body).__name__.removesuffix("Type")

    def of_session(self, session_id: bytes, now: int) -> "Prepared":
        """With the session id (empty: none is known yet) and the time stamp (epoch s) of a session; what has no header stays as it is."""
        header: Any = getattr(self.message, "Header", None)
        if self.message is None or header is None:
            return self
        fresh = {"SessionID": session_id} if session_id else {}
        stamped = _with(header, **fresh, **({"TimeStamp": now} if hasattr(header, "TimeStamp") else {}))
        message = _with(self.message, Header=stamped)
        return Prepared(self.set, self.payload_type, encode(message, schema_set(self.set)), message)


def _with(value: Any, **changes: Any) -> Any:
    return type(value)(**{name: changes.get(name, getattr(value, name)) for name in value.__struct_fields__})


# --- what was written ---


def prepared(given: bytes, source: str, name: str | None = None, payload_type: int | None = None) -> list[Prepared]:
    """The messages in a file: XML, JSON (one, an array, or lines, also those of `v2g decode --jsonl`), or octets in any form.

    `name` is their schema set, `payload_type` that of their frames, where they are not to be what follows. Raises ValueError.
    """
    begin = given.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    try:
        if begin == b"<":
            found = [_of_xml(given, name)]
        elif begin in (b"{", b"["):
            found = [each for one in _objects(given) for each in _of_object(one, name)]
        else:
            found = [_of_octets(each.octets, name, each.payload_type) for each in documents(given)]
    except ExiError as error:
        raise ValueError(f"{source}: {error}") from None
    if not found or len(found) > MOST:
        raise ValueError(f"{source} holds {len(found)} messages of a car; give 1 to {MOST}")
    return [each if payload_type is None else Prepared(each.set, payload_type, each.exi, each.message) for each in found]


def _objects(given: bytes) -> Iterator[Any]:
    """The objects in JSON: one, those of an array, or one a line."""
    try:
        whole = json.loads(given)
    except (ValueError, RecursionError) as error:
        lines = [line for line in given.splitlines() if line.strip()]
        if len(lines) < 2:
            raise EncodeError(f"not JSON: {error}") from None
        for number, line in enumerate(lines, 1):
            try:
                yield json.loads(line)
            except (ValueError, RecursionError) as wrong:
                raise EncodeError(f"line {number} is no JSON: {wrong}") from None
    else:
        yield from whole if isinstance(whole, list) else [whole]


def _of_object(one: Any, name: str | None) -> Iterator[Prepared]:
    """The message of an object: a message by itself, one with its set, or a line of `v2g decode --jsonl`, of which a car's are taken."""
    if not isinstance(one, dict):
        raise EncodeError("an object is expected: a message, or a line of v2g decode --jsonl")
    if "exi" in one:
        if one.get("from") != "station":
            kind = str(one.get("type") or "")
            try:
                octets, number = bytes.fromhex(str(one["exi"])), int(kind, 16) if kind else None
            except ValueError as error:
                raise EncodeError(f"a line with exi that is no hex, or a type that is no number: {error}") from None
            yield _of_octets(octets, str(one.get("set") or "") or name, number)
        return
    wrapped = one.get("message")
    name = str(one.get("set") or "") or name
    text = json.dumps(wrapped if isinstance(wrapped, dict) else one).encode()
    yield _first(lambda each: from_json(text, schema_set(each))[0], name)


def _of_xml(given: bytes, name: str | None) -> Prepared:
    return _first(lambda each: decode(octets_of_xml(given, each), schema_set(each)), name)


def _first(read: Callable[[str], Type], name: str | None) -> Prepared:
    """The message in its set, or in the first that has it. Raises EncodeError: of several sets that of the one which understood most."""
    if name is not None and name not in MODULES:
        raise EncodeError(f"there is no schema set {name!r}; there are {', '.join(MODULES)}")
    refusals = []
    for each in [name] if name else MODULES:
        try:
            message = read(each)
            return Prepared(each, type_of(each), encode(message, schema_set(each)), message)
        except EncodeError as error:
            refusals.append(error)
    raise max(refusals, key=lambda error: len(error.path))


def _of_octets(octets: bytes, name: str | None, payload_type: int | None) -> Prepared:
    """Octets as they are; what they say where they are a message, so that its session id can be that of the session."""
    if name is None:
        found = Interpreter().read(payload_type, octets)
        name, message = found.set, None if found.findings else found.message
    else:
        try:
            message = decode(octets, schema_set(name))
        except (DecodeError, KeyError):
            message = None
    return Prepared(name, type_of(name) if payload_type is None else payload_type, octets, message)


# --- as they are ---


class Sending:
    """Sends messages in their order, each when the one before it was answered, as an `Endpoint`.

    `now` is monotonic s, `wall` gives epoch s for it, `within` (s) is how long an answer is waited for. With `kept` session ids and time
    stamps are sent as they were written.
    """

    def __init__(
        self, messages: Sequence[Prepared], now: float, wall: Callable[[float], float], within: float = WITHIN, kept: bool = False
    ):
        self.ended: Ended | None = None
        self.answered = 0
        self._waiting = list(messages)
        self._wall, self._within, self._kept = wall, within, kept
        self._reader = FrameReader(CAR_RECEIVES, ahead=AHEAD)
        self._interpreter = Interpreter()
        self._session_id = b""
        self._out, self._events = bytearray(), list[Event]()
        self._due = 0.0
        self._asked = ""
        self._next(now)

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets of the stream; b"" says that the station closed it."""
        if self.ended:
            return
        if not octets:
            self._end("closed", SessionError(f"the station closed the connection; {len(self._waiting)} messages were not sent"))
            return
        self._reader.feed(octets)
        try:
            while not self.ended and (heard := self._reader.next()) is not None:
                self._hear(heard.payload_type, heard.payload, now)
        except FramingError as error:
            self._end("broken", error)

    def lost(self, error: SessionError, now: float) -> None:
        """Hear that the connection is gone although the station did not close it in order."""
        if not self.ended:
            self._end("lost", error)

    def tick(self, now: float) -> None:
        """End where no answer came in time."""
        if not self.ended and now >= self._due:
            self._end("silence", TimedOut("waiting", self._within, f"no answer to {self._asked}", None))

    def deadline(self) -> float | None:
        """When an answer must be there (monotonic s)."""
        return None if self.ended else self._due

    def octets_to_send(self) -> bytes:
        """Take the octets that must be written now."""
        octets, self._out = bytes(self._out), bytearray()
        return octets

    def events(self) -> list[Event]:
        """Take what happened since the last call."""
        events, self._events = self._events, []
        return events

    def _hear(self, payload_type: int, payload: bytes, now: float) -> None:
        found = self._interpreter.read(payload_type, payload)
        self._events.append(FrameReceived(now, payload_type, found.set, payload, found.message, findings=found.findings))
        header: Any = getattr(found.message, "Header", None)
        if header is not None and str(found.name).startswith("SessionSetup"):
            self._session_id = header.SessionID
        self.answered += 1
        self._next(now)

    def _next(self, now: float) -> None:
        """Send what comes next; the end where nothing does."""
        if not self._waiting:
            self._end("sent", None)
            return
        one = self._waiting.pop(0)
        if not self._kept:
            one = one.of_session(self._session_id, int(self._wall(now)))
        self._interpreter.read(one.payload_type, one.exi)  # what a car offers says what is spoken
        self._out += frame(one.payload_type, one.exi)
        if one.message is None:
            facts = {"type": f"0x{one.payload_type:04X}", "octets": one.exi[:64].hex(), "length": len(one.exi)}
            self._events.append(Noted(now, "raw octets sent", facts))
        else:
            self._events.append(FrameSent(now, one.payload_type, one.set, one.exi, one.message))
        self._due, self._asked = now + self._within, one.name

    def _end(self, how: str, error: SessionError | None) -> None:
        self.ended = Ended(how, error)


# --- in the place of a car's own ---


def replacing(script: Script, messages: Sequence[Prepared], used: Callable[[str], object] = lambda name: None) -> Script:
    """A script that does what `script` does, with each of the messages in place of its first request of that kind; the car stamps them.

    `used` is told the name of each as it is sent.
    """

    def played(car: Any) -> Part[str]:
        waiting = [each.message for each in messages if each.message is not None]
        inner: Generator[Any, Any, str] = script(car)

        def changed(step: Any) -> Any:
            for number, message in enumerate(waiting):
                if type(message) is type(step):
                    used(type(message).__name__)
                    return waiting.pop(number)
            return step

        try:
            step = next(inner)
            while True:
                try:
                    answer = yield changed(step)
                except SessionError as error:
                    step = inner.throw(error)
                else:
                    step = inner.send(answer)
        except StopIteration as end:
            return str(end.value)
        finally:
            inner.close()

    return played
