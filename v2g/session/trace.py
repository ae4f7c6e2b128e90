"""The trace of a session: one JSON object per line, complete enough that report and replay need nothing else (pure).

Every record has `type`, `connection` (its number at this server, so that one file may hold many), `at` (s of a monotonic clock, for gaps)
and `epoch` (s since 1970, for people). What else it has stands in `RECORDS`, per type; a field may be added in a later version, none
changes its meaning. Octets are hexadecimal, names of roots are DER, a decoded message is in the shape of `v2g.exi.json`. Keys never get
here: what protects a connection goes to its own key log.
"""

import base64
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, Final

import msgspec

from v2g.exi.errors import EncodeError
from v2g.exi.json import plain
from v2g.exi.schema import Type
from v2g.legible import legible
from v2g.messages import schema_set
from v2g.session.endpoint import Event, FrameReceived, FrameSent, Noted, Relaxed, StateEntered, StationSaid
from v2g.session.generation import Generation, Timing
from v2g.session.link import Connected, Disconnected, HandshakeFailed, Observer, Secured, Unprotected
from v2g.session.tls import TlsFacts

VERSION: Final = 1
# Elements of a message that is written out. A frame of the car may have 27,000, and to spell them takes half a second of the loop on which
# other cars are answered; a ScheduleExchangeRes of three tuples with 24 steps and prices both ways has 900.
SHOWN: Final = 2000
Record = dict[str, Any]
_ENCODER: Final = msgspec.json.Encoder()  # a third of the time of Python's own, on the loop that serves cars

RECORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "trace": {
        "version": "of this schema",
        "side": "secc or evcc: whose eyes these are",
        "about": "what the caller wants to be found here: names, versions, configuration",
    },
    "connected": {"local": "host, port", "peer": "host, port"},
    "plain": {"requirement": "that plain TCP sets aside"},
    "tls": {
        "profile": "row of the TLS profiles",
        "version": "TLSv1.3 or TLSv1.2",
        "suite": "of the connection",
        "group": "of the key exchange",
        "own_scheme": "with which this side proved its key, null: it showed none",
        "peer_scheme": "with which the peer proved its own",
        "own_chain": "certificates (DER) that this side showed, leaf first",
        "peer_chain": "certificates (DER) that the peer showed, in its order",
        "server_name": "that the car asked for",
        "certificate_requested": "whether the station demanded the car's certificate",
        "authorities_named": "names of roots (DER) that this side named",
        "authorities_named_by_peer": "names of roots (DER) that the peer named",
        "staples": "OCSP responses (DER) of the station's chain, one place per certificate, null where there is none",
        "staples_asked_for": "whether the car asked for OCSP responses",
        "resumed": "whether an older connection was resumed",
        "judged_at": "epoch s of the wall clock at which the peer's certificates were judged, 0: it showed none",
        "duration": "s from the first octet to the last of the handshake",
        "octets_received": "in the handshake",
        "octets_sent": "in the handshake",
        "limits": "what the standard asks and the TLS library cannot do",
    },
    "handshake-failed": {
        "reason": "in words",
        "by": "us or peer",
        "alert": "the TLS alert, null: none",
        "requirement": "that the peer's certificates broke, null: none or not known",
    },
    "frame": {
        "direction": "received or sent",
        "payload_type": "of V2GTP, 0x....",
        "set": "schema set of the message",
        "octets": "length of the EXI document",
        "exi": "the EXI document",
        "name": "of the message, null: it could not be decoded",
        "message": "decoded, null: it could not be, it has more than 2000 elements (the octets say it all), or decoding is switched off",
        "findings": "what was tolerated in the octets received, in words",
        "gap": "s since the frame before it in the other direction, null: there was none",
        "timer": "that ran on this side while the frame was waited for, empty: none",
        "limit": "s that the timer allowed, null: none",
        "performance": "s that the standard gives the sender for this gap (a limit to be kept, not a timeout), null: none",
        "margin": "s of them that were left; negative: it took longer; null: no gap or no limit",
    },
    "state": {"state": "what the station waits for now", "timer": "that runs for it", "limit": "s that it allows, null: none"},
    "relaxed": {"relaxation": "what a profile let pass", "requirement": "that it relaxes"},
    "note": {"topic": "stable name", "facts": "what is to be known"},
    "fact": {"name": "of what the station told its session", "facts": "its content, without what is as it mostly is"},
    "event": {"name": "of what the session wants or did", "facts": "its content"},
    "ocpp": {
        "direction": "sent to the CSMS, or received from it",
        "kind": "call, result, error, or send: a message that is not answered",
        "action": "of the call, also with its answer; empty: nobody knows the call",
        "id": "of the call, also with its answer",
        "payload": "without passwords; of an error code, text and details; null: it has more than 100000 octets",
        "evse": "id of the outlet that it is about, empty: it names none",
    },
    "end": {
        "how": "in one word: Terminate, Pause, ...",
        "well": "whether both sides finished what they began",
        "error": "why not, null: well",
        "requirement": "that was broken, null: none or not known",
        "asked": "why the station wanted the session to end, empty: it did not",
        "closed_by": "us or peer",
        "clean": "whether the connection was closed in order",
        "reason": "for closing it",
    },
}


@dataclass(frozen=True, slots=True)
class OcppFrame(Event):
    """A frame between the station and its CSMS while a session was open: no part of the session, but the reason for much of it.

    The fields are those of the record `ocpp`.
    """

    direction: str
    kind: str
    action: str
    id: str
    payload: Mapping[str, Any] | None
    evse: str = ""


def _elements(message: Type, most: int) -> int:
    """How many elements of complex type a message has; counting stops soon beyond `most`."""
    found, waiting = 0, [message]
    while waiting and found <= most:
        one = waiting.pop()
        found += 1
        for name in one.__struct_fields__:
            value = getattr(one, name)
            if isinstance(value, Type):
                waiting.append(value)
            elif isinstance(value, tuple):
                waiting += [each for each in value[: most + 1] if isinstance(each, Type)]
    return found


def line(record: Record) -> str:
    """A record as one line of JSON, with its end of line."""
    try:
        text = _ENCODER.encode(record).decode()
    except (TypeError, ValueError, OverflowError):  # half a surrogate, or a number of more than 64 bits: seldom, and Python's own takes it
        text = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
    return legible(text) + "\n"


class Trace:
    """Turns the events of one connection into records.

    `wall` gives epoch seconds for the session's monotonic ones. Without `decoded` frames are kept as octets alone, which costs a tenth:
    they can be decoded later, whenever somebody asks. The times of messages are those of `generations`.
    """

    def __init__(
        self,
        side: str,
        wall: Callable[[float], float],
        generations: Sequence[Generation],
        *,
        connection: int = 0,
        decoded: bool = True,
    ):
        self._times = {
            message: (request, each.timing(request))
            for each in reversed(generations)
            for request, response in each.responses.items()
            for message in (request, response)
        }
        self._side, self._wall, self._connection, self._decoded = side, wall, connection, decoded
        self._timer: tuple[str, float | None] = ("", None)
        self._answered: Timing | None = None  # of the request that was answered last: the car's time for the next one depends on it
        self._failed: str | None = None  # the requirement for which the handshake failed

    def opening(self, at: float, about: Mapping[str, Any] | None = None) -> Record:
        """The first record of a trace: version of the format, side, and what the caller tells `about` the station or car."""
        return self._record("trace", at, {"version": VERSION, "side": self._side, "about": dict(about or {})})

    def record(self, event: Event) -> Record:
        """The record of an event, of whatever class."""
        make = _MAKERS.get(type(event))
        if make is not None:
            kind, body = make(event)
        elif isinstance(event, FrameReceived | FrameSent):
            kind, body = "frame", _frame(*self._facts(event))
            body["message"] = self._shown(event.message, event.schema_set) if event.message is not None else None
        else:
            facts = {name: _simple(getattr(event, name)) for name in _names(type(event)) if name != "at"}
            kind, body = "event", {"name": type(event).__name__, "facts": facts}
        if isinstance(event, HandshakeFailed):
            self._failed = event.requirement
        elif isinstance(event, Disconnected) and event.ended is None:
            body["requirement"] = self._failed
        if isinstance(event, StateEntered) and event.timer:
            self._timer = (event.timer, event.limit)
        return self._record(kind, event.at, body)

    def _record(self, kind: str, at: float, body: Record) -> Record:
        return {"type": kind, "connection": self._connection, "at": at, "epoch": self._wall(at), **body}

    def brief(self, event: FrameReceived | FrameSent) -> tuple[Any, ...]:
        """The record of a frame, without the decoded message, as few values, of which another process makes the record (`full`)."""
        return (self._connection, event.at, self._wall(event.at), *self._facts(event))

    def _facts(self, event: FrameReceived | FrameSent) -> tuple[Any, ...]:
        """The arguments of `_frame`."""
        received, message, gap = isinstance(event, FrameReceived), event.message, event.since_previous
        timer, limit = self._timer if received else ("", None)
        if not received and self._side == "evcc":
            times = self._times.get(type(message)) if message is not None else None
            self._timer = ("V2G_EVCC_Msg_Timeout", times[1].msg_timeout if times is not None else None)
        name = None if message is None else type(message).__name__
        findings = event.findings if isinstance(event, FrameReceived) else ()
        return (received, event.payload_type, event.schema_set, event.exi, name, findings, gap, timer, limit, self._allowed(message))

    def _allowed(self, message: Type | None) -> float | None:
        """The performance time (s) of whoever sent this message: a station's to answer, a car's to go on after an answer."""
        times = None if message is None else self._times.get(type(message))
        if times is not None and times[0] is not type(message):
            self._answered = times[1]
            return times[1].secc_performance
        return None if self._answered is None else self._answered.evcc_performance

    def _shown(self, message: Type, name: str) -> Any:
        if not self._decoded or _elements(message, SHOWN) > SHOWN:
            return None
        try:
            return plain(message, schema_set(name))
        except (EncodeError, KeyError):
            return None  # a car of a test may send what the schema does not know; the octets are in the record


def full(brief: Sequence[Any]) -> Record:
    """The record of a frame from what `Trace.brief` made of it, the octets in base64. Raises TypeError or ValueError for anything else."""
    connection, at, epoch, received, payload_type, schema_set, exi, *rest = brief
    body = _frame(received, payload_type, schema_set, base64.b64decode(exi), *rest)
    return {"type": "frame", "connection": connection, "at": at, "epoch": epoch, **body}


def _frame(
    received: bool,
    payload_type: int,
    schema_set: str,
    exi: bytes,
    name: str | None,
    findings: Sequence[str],
    gap: float | None,
    timer: str,
    limit: float | None,
    allowed: float | None,
) -> Record:
    """The body of a frame's record, without its message."""
    return {
        "direction": "received" if received else "sent",
        "payload_type": f"0x{payload_type:04X}",
        "set": schema_set,
        "octets": len(exi),
        "exi": exi.hex(),
        "name": name,
        "message": None,
        "findings": list(findings),
        "gap": None if gap is None else round(gap, 6),
        "timer": timer,
        "limit": limit,
        "performance": allowed,
        "margin": None if gap is None or allowed is None else round(allowed - gap, 6),
    }


def _tls(facts: TlsFacts) -> Record:
    body = {f.name: _simple(getattr(facts, f.name)) for f in fields(facts)}
    return {name: body[name] for name in RECORDS["tls"]}


def _end(event: Disconnected) -> Record:
    ended = event.ended
    return {
        "how": ended.how if ended else "no session",
        "well": ended.well if ended else False,
        "error": str(ended.error) if ended and ended.error else None if ended else event.reason,
        "requirement": ended.requirement if ended else None,
        "asked": ended.asked if ended else "",
        "closed_by": event.by,
        "clean": event.clean,
        "reason": event.reason,
    }


_MAKERS: Final[Mapping[type[Event], Callable[[Any], tuple[str, Record]]]] = {
    Connected: lambda e: ("connected", {"local": list(e.local), "peer": list(e.peer)}),
    Unprotected: lambda e: ("plain", {"requirement": e.requirement}),
    Secured: lambda e: ("tls", _tls(e.facts)),
    HandshakeFailed: lambda e: ("handshake-failed", {"reason": e.reason, "by": e.by, "alert": e.alert, "requirement": e.requirement}),
    StateEntered: lambda e: ("state", {"state": e.state, "timer": e.timer, "limit": e.limit}),
    Relaxed: lambda e: ("relaxed", {"relaxation": e.relaxation, "requirement": e.requirement}),
    Noted: lambda e: ("note", {"topic": e.topic, "facts": _simple(e.facts)}),
    StationSaid: lambda e: ("fact", {"name": type(e.fact).__name__, "facts": _short(e.fact)}),
    Disconnected: lambda e: ("end", _end(e)),
    OcppFrame: lambda e: ("ocpp", {name: getattr(e, name) for name in RECORDS["ocpp"]}),
}


def _simple(value: Any) -> Any:
    """Any value of an event as JSON has it."""
    if type(value) in _PLAIN or (type(value) is float and math.isfinite(value)):  # most are: a match would take ten times as long
        return value
    match value:
        case float() if not math.isfinite(value):  # no limit: JSON has no number for it, and a reader makes one of its name
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case None | bool() | int() | float() | str():
            return value.value if isinstance(value, Enum) else value
        case Enum():
            return value.value
        case bytes():
            return value.hex()
        case Mapping():
            return {str(k): _simple(v) for k, v in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_simple(v) for v in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _simple(getattr(value, name)) for name in _names(type(value))}
    return str(value)


_PLAIN: Final = frozenset({str, int, bool, type(None)})


def _names(kind: type[Any]) -> tuple[str, ...]:
    """The names of the fields of a dataclass; looked up once, because events come often."""
    if kind not in _NAMES:
        _NAMES[kind] = tuple(each.name for each in fields(kind))
    return _NAMES[kind]


_NAMES: Final[dict[type[Any], tuple[str, ...]]] = {}


def _short(value: Any) -> Any:
    """`_simple`, without fields that have their default: facts come often."""
    defaults = _DEFAULTS.get(type(value))
    if defaults is None and is_dataclass(value) and not isinstance(value, type):
        defaults = _DEFAULTS[type(value)] = tuple((each.name, each.default) for each in fields(value))
    if defaults is not None:
        return {name: _short(said) for name, default in defaults if (said := getattr(value, name)) != default}
    return [_short(each) for each in value] if isinstance(value, tuple) else _simple(value)


_DEFAULTS: Final[dict[type[Any], tuple[tuple[str, Any], ...]]] = {}


class TraceWriter(Observer):
    """Writes the trace of one connection as it happens. `write` takes a line; a trace that is cut off is readable up to there."""

    def __init__(self, trace: Trace, write: Callable[[str], object], about: Mapping[str, Any] | None = None):
        self._trace, self._write, self._about = trace, write, about
        self._opened = False

    def event(self, event: Event) -> None:
        """Write one event as a line; before the first, the opening record."""
        if not self._opened:
            self._opened = True
            self._write(line(self._trace.opening(event.at, self._about)))
        self._write(line(self._trace.record(event)))
