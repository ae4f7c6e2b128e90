"""OCPP-J: frames, and the exchange of them over one connection. No socket, no clock.

    [2, id, action, payload]        CALL             answered by 3 or 4
    [3, id, payload]                CALLRESULT
    [4, id, code, text, details]    CALLERROR
    [5, id, code, text, details]    CALLRESULTERROR  2.1: our CALLRESULT could not be used; nothing follows
    [6, id, action, payload]        SEND             2.1: never answered

An `Exchange` keeps one CALL of ours open at a time and sends the others in the order they were made; it answers the peer's CALLs meanwhile,
so that two sides which call each other never wait for each other. Every frame is validated against the official schema, in both directions.
"""

import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from ocpp_bridge.wire.schemas import SENDS, Direction, Payload, PayloadFault, Version, actions, check

CALL, CALLRESULT, CALLERROR, CALLRESULTERROR, SEND = range(2, 7)
SHAPES: Final = {CALL: (str, dict), CALLRESULT: (dict,), CALLERROR: (str, str, dict), CALLRESULTERROR: (str, str, dict), SEND: (str, dict)}
SINCE_21: Final = (CALLRESULTERROR, SEND)
ID_LENGTH: Final = 36
TEXT_LENGTH: Final = 255
NO_ID: Final = "-1"  # answers a frame whose id cannot be read
OPEN_LIMIT: Final = 32  # CALLs of the peer in work: it may have one open, but its timeout may be shorter than our answer takes
SPELLING_201: Final = {"OccurrenceConstraintViolation": "OccurenceConstraintViolation"}  # as 2.0.1 writes it

# codes of our own, never on the wire
TIMEOUT, CONNECTION_LOST = "Timeout", "ConnectionLost"


class Refusal(Exception):
    """Raised by a handler to answer a CALL with the CALLERROR `code`."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(text)
        self.code = code


class FrameFault(Exception):
    """A text is no OCPP frame. `id` and `code` are for the CALLERROR to answer; an empty code means that no answer is allowed."""

    def __init__(self, id_: str, code: str, text: str) -> None:
        super().__init__(text)
        self.id = id_
        self.code = code


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame that was read: type, id, and the fields that follow the id."""

    type: int
    id: str
    fields: tuple[Any, ...]


# --- what an exchange tells its owner ---


@dataclass(frozen=True, slots=True)
class Asked:
    """A CALL of the peer came: answer it by `Exchange.answer` or `Exchange.refuse`."""

    id: str
    action: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class Streamed:
    """A SEND of the peer came, which has no answer."""

    action: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class Answered:
    """The result of one of our CALLs came."""

    id: str
    action: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class Failed:
    """One of our CALLs has no result: `code` is the peer's, `TIMEOUT`, `CONNECTION_LOST`, or that of the fault in the result."""

    id: str
    action: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """A frame came that has no effect; `reason` is for the log."""

    reason: str


Happening = Asked | Streamed | Answered | Failed | Ignored


def read(text: str | bytes, version: Version) -> Frame:
    """Read one frame. Raises `FrameFault`, and nothing else, for anything that is none."""
    if isinstance(text, bytes):
        raise FrameFault(NO_ID, "RpcFrameworkError", "OCPP frames are text, this one is binary")
    try:
        parts = msgspec.json.decode(text)
    except (ValueError, RecursionError) as fault:  # msgspec's errors are ValueErrors
        raise FrameFault(NO_ID, "RpcFrameworkError", f"not JSON: {fault}") from None
    if not isinstance(parts, list) or not parts or type(parts[0]) is not int:
        raise FrameFault(NO_ID, "RpcFrameworkError", "a frame is an array that begins with its message type")
    kind = parts[0]
    id_ = parts[1] if len(parts) > 1 and isinstance(parts[1], str) and 0 < len(parts[1]) <= ID_LENGTH else NO_ID
    if kind not in SHAPES or (kind in SINCE_21 and version != "ocpp2.1"):
        code = "" if version == "ocpp2.1" else "MessageTypeNotSupported"
        raise FrameFault(id_, code, f"message type {kind} is unknown to {version}")
    code = "RpcFrameworkError" if kind == CALL else ""  # an answer to an answer could go on for ever
    if id_ == NO_ID and not (kind == CALLERROR and parts[1:2] == [NO_ID]):
        raise FrameFault(NO_ID, code, f"the message id is a string of 1 to {ID_LENGTH} characters")
    fields, shape = tuple(parts[2:]), SHAPES[kind]
    if len(fields) != len(shape) or not all(isinstance(field, type_) for field, type_ in zip(fields, shape, strict=True)):
        wanted = ", ".join({dict: "object", str: "string"}[type_] for type_ in shape)
        raise FrameFault(id_, code, f"message type {kind} is followed by id, {wanted}")
    return Frame(kind, id_, fields)


@dataclass(slots=True)
class _Call:
    id: str
    action: str
    text: str
    timeout: float  # s after it was sent
    due: float = 0.0


class Exchange:
    """The frames of one connection, seen from one side. `entropy(n)` gives n random octets for message ids.

    `supported` are the actions this side answers: another known one is refused as NotSupported, an unknown one as NotImplemented.
    """

    def __init__(self, version: Version, entropy: Callable[[int], bytes], supported: frozenset[str]) -> None:
        self.version = version
        self._entropy = entropy
        self._supported = supported
        self._frames: deque[str] = deque()
        self._waiting: deque[_Call] = deque()
        self._open: _Call | None = None
        self._asked: dict[str, str] = {}  # id -> action of the peer's CALLs in work

    # --- ours ---

    def call(self, action: str, payload: Payload, timeout: float) -> str:
        """Queue a CALL; returns its id. Raises `PayloadFault` if the payload breaks the schema."""
        call = _Call(self._id(), action, "", timeout)
        call.text = self._written(CALL, call.id, action, "Request", payload)
        self._waiting.append(call)
        return call.id

    def send(self, action: str, payload: Payload) -> None:
        """Queue a SEND (2.1 only), which goes before CALLs that wait. Raises `PayloadFault` if the payload breaks the schema."""
        if self.version != "ocpp2.1":
            raise PayloadFault("MessageTypeNotSupported", f"{self.version} has no SEND, which {action} needs")
        self._frames.append(self._written(SEND, self._id(), action, "", payload))

    def answer(self, id_: str, payload: Payload) -> None:
        """Answer a CALL of the peer. Raises `PayloadFault`, and then the CALL is still open, if the payload breaks the schema."""
        action = self._asked.get(id_)
        if action is None:
            return  # asked on a connection that is gone
        check(self.version, action, "Response", payload)
        del self._asked[id_]
        self._write(CALLRESULT, id_, payload)

    def refuse(self, id_: str, code: str, text: str) -> None:
        """Answer a CALL of the peer with an error."""
        if self._asked.pop(id_, None) is not None:
            self._error(CALLERROR, id_, code, text)

    def frames(self, now: float) -> list[str]:
        """Take the frames that must be written now, in this order."""
        if self._open is None and self._waiting:
            self._open = self._waiting.popleft()
            self._open.due = now + self._open.timeout
            self._frames.append(self._open.text)
        taken = list(self._frames)
        self._frames.clear()
        return taken

    # --- time ---

    def deadline(self) -> float | None:
        """The time (monotonic s) at which `tick` must be called at the latest; None: no CALL is open."""
        return self._open.due if self._open else None

    def tick(self, now: float) -> list[Happening]:
        """Give up a CALL whose answer did not come in time; returns its `Failed`."""
        if self._open is None or now < self._open.due:
            return []
        late, self._open = self._open, None
        return [Failed(late.id, late.action, TIMEOUT, f"{late.action} was not answered within {late.timeout:g} s")]

    def lost(self) -> list[Happening]:
        """Note that the connection is lost: returns a `Failed` for every CALL without answer, in order."""
        calls = [*([self._open] if self._open else []), *self._waiting]
        self._open = None
        self._waiting.clear()
        self._frames.clear()
        self._asked.clear()
        return [Failed(call.id, call.action, CONNECTION_LOST, "the connection was lost") for call in calls]

    # --- the peer's ---

    def receive(self, text: str | bytes) -> list[Happening]:
        """Take one frame, and return what it means. Faulty frames are answered as OCPP-J prescribes."""
        try:
            frame = read(text, self.version)
        except FrameFault as fault:
            if fault.code:
                self._error(CALLERROR, fault.id, fault.code, str(fault))
            return [Ignored(str(fault))]
        readers = {CALL: self._read_call, CALLRESULT: self._read_result, SEND: self._read_send}
        return [readers.get(frame.type, self._read_error)(frame)]

    def _read_call(self, frame: Frame) -> Happening:
        action, payload = frame.fields
        if frame.id in self._asked:  # a retry of what is still in work gets the same answer
            return Ignored(f"{action} {frame.id} is still in work")
        try:
            self._admit(action)
            check(self.version, action, "Request", payload)
        except (Refusal, PayloadFault) as fault:
            self._error(CALLERROR, frame.id, fault.code, str(fault))
            return Ignored(str(fault))
        self._asked[frame.id] = action
        return Asked(frame.id, action, payload)

    def _admit(self, action: str) -> None:
        if action not in actions(self.version) or action in SENDS:
            raise Refusal("NotImplemented", f"{action[:50]} is no action of {self.version}")
        if action not in self._supported:
            raise Refusal("NotSupported", f"{action} is not supported here")
        if len(self._asked) >= OPEN_LIMIT:
            raise Refusal("GenericError", f"{OPEN_LIMIT} calls wait for their answer already")

    def _read_result(self, frame: Frame) -> Happening:
        call = self._settled(frame.id)
        if call is None:
            return Ignored(f"a result for {frame.id}, which is not open")
        try:
            check(self.version, call.action, "Response", frame.fields[0])
        except PayloadFault as fault:
            if self.version == "ocpp2.1":
                self._error(CALLRESULTERROR, frame.id, fault.code, str(fault))
            return Failed(call.id, call.action, fault.code, str(fault))
        return Answered(call.id, call.action, frame.fields[0])

    def _read_error(self, frame: Frame) -> Happening:
        code, text, _ = frame.fields
        if frame.type == CALLRESULTERROR:
            return Ignored(f"the peer could not use our answer {frame.id}: {code} {text}")
        # An error without a readable id can only be meant for the one CALL that is open.
        call = self._settled(self._open.id if frame.id == NO_ID and self._open else frame.id)
        return Failed(call.id, call.action, code, text) if call else Ignored(f"error {code} for {frame.id}, which is not open: {text}")

    def _read_send(self, frame: Frame) -> Happening:
        action, payload = frame.fields
        if action not in SENDS:
            return Ignored(f"{action[:50]} cannot be sent without an answer")
        try:
            check(self.version, action, "", payload)
        except PayloadFault as fault:
            return Ignored(str(fault))
        return Streamed(action, payload)

    def _settled(self, id_: str) -> _Call | None:
        if self._open is None or self._open.id != id_:
            return None
        call, self._open = self._open, None
        return call

    # --- writing ---

    def _id(self) -> str:
        return str(uuid.UUID(bytes=self._entropy(16), version=4))

    def _written(self, kind: int, id_: str, action: str, direction: Direction, payload: Payload) -> str:
        if action not in actions(self.version):
            raise PayloadFault("NotImplemented", f"{action} is no action of {self.version}")
        check(self.version, action, direction, payload)
        return msgspec.json.encode([kind, id_, action, payload]).decode()

    def _write(self, *parts: Any) -> None:
        self._frames.append(msgspec.json.encode(parts).decode())

    def _error(self, kind: int, id_: str, code: str, text: str) -> None:
        if self.version == "ocpp2.0.1":
            code = SPELLING_201.get(code, code)
        self._write(kind, id_, code, text[:TEXT_LENGTH], {})
