"""Judges recorded sessions: records of a capture or trace in, breaches out, and for each connection and rule how often it was looked at.

    judge = Judge()
    for record in records(path, keys):
        breaches = judge.record(record)
    judge.sessions                       # what was judged in each connection, and what could not be, with the reason

A breach names the side that broke the rule, and the frame. What the recording does not say (moments, the beginning) is not judged.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from v2g.messages.app_protocol import supportedAppProtocolReq, supportedAppProtocolRes
from v2g.session.generation import MAIN, Generation
from v2g.session.tls import TlsFacts, relaxations
from v2gkit.conform.capture.choices import Choices
from v2gkit.conform.capture.course import Course
from v2gkit.conform.capture.reading import STANDARDS, Said, generation_of, said
from v2gkit.conform.capture.rules import RULES, Needs
from v2gkit.conform.capture.times import Times
from v2gkit.insight.decode.lines import TROUBLES, Lines

NEWEST: Final = ("common", "ac", "dc", "acdp", "wpt", "ac_der_iec", "ac_der_sae")
SETUP: Final = "SessionSetup"
_LOST: Final = ("capture gap", "secrets missing", "unreadable", "TLS records")  # after which it is not known what came between
_WAITING: Final = 64  # requests that are remembered of a car that waits for no answer
_MOST: Final = 1000  # breaches of one rule in one connection that are told one by one; the others are counted


class Breach(NamedTuple):
    """A rule that was broken: by whom, with which frame of the file (0: none), s since the connection began."""

    rule: str
    requirement: str
    connection: int
    frame: int
    at: float
    by: str
    expected: str
    seen: str


class Asked(NamedTuple):
    """A request that waits for its answer, and what is wrong with it: a foreign session id, or that it is out of sequence."""

    said: Said
    foreign: bool
    astray: bool


@dataclass(slots=True)
class Session:
    """What is known of one connection while it is judged."""

    number: int
    began: float
    timed: bool
    whole: bool
    set: str = ""  # of the messages after the negotiation
    course: Course | None = None
    id: bytes | None = None
    pending: dict[str, list[Asked]] = field(default_factory=dict)  # by stream: requests that wait for an answer
    judged: Counter[str] = field(default_factory=Counter)  # rule -> how often it was looked at
    broken: Counter[str] = field(default_factory=Counter)  # rule -> how often it was broken
    failed: str = ""  # the response that ended the session
    offered: dict[int, str] = field(default_factory=dict)
    stamps: dict[bool, int] = field(default_factory=dict)
    choices: Choices = field(default_factory=Choices)
    times: Times = field(default_factory=Times)
    frames: int = 0
    tls: bool | None = None  # None: not said
    unread: bool = False  # a request may have come that nobody could read

    def adrift(self) -> None:
        """From here on any state is possible, and no time is measured over it."""
        self.times.adrift()
        if self.course is not None:
            self.course.adrift()

    @property
    def standard(self) -> str:
        """The standard that is spoken, as people call it; empty where that is not known."""
        return "ISO 15118-20" if self.set in NEWEST else STANDARDS.get(self.set, "")

    def lacks(self, rule: str) -> str:
        """Why a rule could not be judged here; empty where it could."""
        needs = RULES[rule].needs
        if needs in (Needs.TIMES, Needs.MOMENTS) and not self.timed:
            return "the file holds no moments"
        if needs in (Needs.TABLE, Needs.TIMES) and self.set and self.course is None:
            return f"there is no table of {self.standard or 'its messages'} here yet"
        if needs in (Needs.TLS, Needs.ISO20) and self.set not in NEWEST:
            return f"{self.standard or 'what was spoken'} is not ISO 15118-20"
        if needs is Needs.TLS and not self.judged[rule]:
            return "no handshake was read"
        return "" if self.judged[rule] else "nothing of it came"


class Judge:
    """Judges the records of one file, in their order."""

    def __init__(self) -> None:
        self.sessions: dict[int, Session] = {}
        self._lines = Lines()
        self._frames = 0

    def record(self, record: Mapping[str, Any]) -> list[Breach]:
        """The breaches that a record shows."""
        line = next(self._lines.frame(dict(record)), None)
        number = int(record["connection"])
        if record["type"] == "trace":
            about = record.get("about") or {}
            self.sessions[number] = Session(number, float(record["at"]), about.get("timed", True) is not False, "beginning" not in about)
            return []
        session = self.sessions.setdefault(number, Session(number, float(record["at"]), True, False))
        at = float(record["at"]) - session.began
        match record["type"]:
            case "frame" if line is not None:
                return _Step(session, line["frame"], at, line["from"]).frame(record)
            case "tls":
                session.tls = record.get("version") == "TLSv1.3"
                return _Step(session, 0, at, "").tls(record)
            case "plain":
                session.tls = False
            case "note":
                return _Step(session, 0, at, "").note(record)
        return []


class _Step:
    """One record of a session."""

    def __init__(self, session: Session, frame: int, at: float, by: str):
        self._session, self._frame, self._at, self._by = session, frame, at, by
        self._found: list[Breach] = []

    def _hold(self, rule: str, holds: bool, expected: str, seen: str | Callable[[], str], by: str = "", requirement: str = "") -> bool:
        """Note that a rule was looked at, and the breach where it does not hold."""
        session = self._session
        session.judged[rule] += 1
        if not holds:
            session.broken[rule] += 1
            if session.broken[rule] <= _MOST:
                told = seen if isinstance(seen, str) else seen()
                name = requirement or (RULES[rule].requirement if session.set in (*NEWEST, "app", "") else "")
                self._found.append(Breach(rule, name, session.number, self._frame, round(self._at, 6), by or self._by, expected, told))
        return holds

    # --- what is no message ---

    def tls(self, record: Mapping[str, Any]) -> list[Breach]:
        """Judge a handshake, of which -20 pins what was agreed upon."""
        names = TlsFacts.__dataclass_fields__
        facts = TlsFacts(**{name: record.get(name, field.default) for name, field in names.items()})
        self._session.judged["C-TLS-02"] += 1
        for each in relaxations(facts):
            self._hold("C-TLS-02", False, "what ISO 15118-20 pins", each.what, "station", each.requirement)
        return self._found

    def note(self, record: Mapping[str, Any]) -> list[Breach]:
        """Judge what was noted of the stream; after what is missing, nothing is known of the state."""
        session, topic, facts = self._session, record["topic"], record.get("facts") or {}
        if topic == "framing" and session.whole:
            by = str(facts.get("from", "")).removeprefix("the ")
            self._hold("C-TP-01", False, "a V2GTP frame", str(facts.get("reason", "")), by)
        if topic in _LOST and topic in TROUBLES:
            session.pending.clear()
            session.unread = True
            session.adrift()
        return self._found

    def _unread(self) -> None:
        """A frame that is no message may have been a request or the answer to one: nothing is concluded from that it is missing."""
        session = self._session
        if self._by == "car":
            session.unread = True
        else:
            session.pending.get(MAIN, [None])[:1] = []
        session.adrift()

    # --- messages ---

    def frame(self, record: Mapping[str, Any]) -> list[Breach]:
        """Judge one frame."""
        session = self._session
        session.frames += 1
        session.judged["C-TP-01"] += 1
        error = str(record.get("error") or "it could not be decoded")
        if not self._hold("C-EXI-01", record["name"] is not None, "a message", error):
            self._unread()
            return self._found
        message = said(record, self._frame, self._at, self._by == "car")
        if message is None:
            return self._found
        self._spoken(message)
        findings = [str(each) for each in record["findings"]]
        self._hold("C-EXI-02", not findings, f"a {message.name} as its schema has it", lambda: "; ".join(findings))
        self._stamped(message)
        if message.asks:
            self._request(message)
        else:
            self._response(message)
        return self._found

    def _spoken(self, message: Said) -> None:
        """Find out what is spoken, and by which table it is judged."""
        session = self._session
        generation = generation_of(message.body)
        if message.set != "app" and not session.set:
            session.set = message.set
            if message.set in NEWEST and session.tls is not None:
                self._hold("C-TLS-01", session.tls, "TLS 1.3 below ISO 15118-20", "a session without it", "both")
        if generation is None:
            session.course = None
        elif session.course is None or session.course.generation is not generation:
            begun = session.course is not None
            session.course = Course(generation, begun)
            if not begun and message.set != "app":
                session.course.adrift()

    def _stamped(self, message: Said) -> None:
        """The time stamps of one side, in whole seconds."""
        if message.stamp is None:
            return
        before = self._session.stamps.get(message.by_car)
        self._session.stamps[message.by_car] = message.stamp
        if before is not None:
            seen = f"{message.name} is stamped {before - message.stamp} s before the message before it"
            self._hold("C-CLOCK-01", message.stamp >= before, "a time stamp that is not before the last one", seen)

    def _stream(self, message: Said) -> str:
        """The stream on which a message runs; where no table says it, there is one."""
        generation = self._session.course.generation if self._session.course is not None else None
        try:
            return MAIN if generation is None else generation.stream(message.payload_type)
        except ValueError:
            return MAIN

    def _request(self, request: Said) -> None:
        session, stream = self._session, self._stream(request)
        waiting = session.pending.setdefault(stream, [])
        first = waiting[-1].said if waiting else None
        expected = f"the response to {first.name} of frame {first.frame} first" if first is not None else ""
        self._hold("C-PAIR-03", first is None, expected, f"{request.name} before it")
        if session.set in NEWEST:
            self._hold("C-ORDER-03", not session.failed, "nothing more", lambda: f"{request.name} after {session.failed}")
        if session.timed and session.course is not None and stream == MAIN:
            for rule, limit, took in session.times.asked(session.course.generation, request):
                self._late(rule, limit, took, request.name)
        if isinstance(request.body, supportedAppProtocolReq):
            session.offered = {each.SchemaID: each.ProtocolNamespace for each in request.body.AppProtocol}
        for rule, expected, seen in session.choices.request(request.body):
            self._hold(rule, not seen, expected, seen)
        foreign = self._foreign(request)
        waiting.append(Asked(request, foreign, not foreign and first is None and self._astray(request, stream)))
        del waiting[:-_WAITING]

    def _foreign(self, request: Said) -> bool:
        """Whether a request bears an id that is none of its session."""
        known = self._session.id
        if known is None or request.session_id is None or request.name.startswith(SETUP):
            return False
        return not self._hold("C-ID-02", request.session_id == known, f"the id {known.hex()}", _id_in(request))

    def _astray(self, request: Said, stream: str) -> bool:
        """Whether a request is out of sequence."""
        session, kind = self._session, type(request.body)
        if session.course is None or session.failed or kind not in session.course.generation.responses:
            return False
        expected = " or ".join(session.course.expected()) or "nothing: the session is over"
        return not self._hold("C-ORDER-01", session.course.accepts(kind, stream), expected, request.name)

    def _response(self, response: Said) -> None:
        session, stream = self._session, self._stream(response)
        waiting = session.pending.get(stream) or []
        self._known_id(response)
        if not waiting:
            known = (session.whole or session.judged["C-PAIR-01"]) and not session.unread  # else the question may stand before it
            session.unread = False
            if known:
                self._hold("C-PAIR-02", False, "a request first", f"{response.name}, which nothing asked for")
            session.adrift()
            return
        session.judged["C-PAIR-02"] += 1
        asked = self._answered(waiting, response)
        request, paired = asked.said, _paired(asked.said)
        well = response.name == paired and response.payload_type == request.payload_type
        where = f"{paired} on 0x{request.payload_type:04X}"
        self._hold("C-PAIR-01", well, where, f"{response.name} on 0x{response.payload_type:04X}")
        self._negotiated(request, response)
        for wrong, rule, code in (
            (asked.foreign, "C-ID-03", "FAILED_UnknownSession"),
            (asked.astray, "C-ORDER-02", "FAILED_SequenceError"),
        ):
            if wrong:
                self._hold(rule, response.code == code, code, f"{response.code or 'no code'} in {response.name}")
        if stream == MAIN and session.course is not None:
            self._moved(session.course, request, response)
        if response.name == paired:
            session.choices.response(request.body, response.body)
        if response.code.upper().startswith("FAILED") and response.set in NEWEST:
            session.failed = session.failed or f"{response.code} in {response.name}"

    def _answered(self, waiting: list[Asked], response: Said) -> Asked:
        """The request to which a response belongs: the first that it may answer; those before it will have no answer any more."""
        place = next((place for place, each in enumerate(waiting) if _paired(each.said) == response.name), 0)
        self._session.judged["C-PAIR-04"] += 1
        for each in waiting[:place]:
            seen = f"none before {response.name} of frame {self._frame}"
            self._hold("C-PAIR-04", False, f"a response to {each.said.name} of frame {each.said.frame}", seen)
            self._session.adrift()
        asked = waiting[place]
        del waiting[: place + 1]
        return asked

    def _moved(self, course: Course, request: Said, response: Said) -> None:
        """An exchange of the main stream leads to other states; how long it took."""
        if self._session.timed:
            for rule, limit, took in self._session.times.answered(course.generation, request, response, self._session.whole):
                self._late(rule, limit, took, response.name)
        refused = course.generation.failure(response.body) is not None and self._session.set not in NEWEST  # of -2, many go on
        if course.generation.responses.get(type(request.body)) is type(response.body) and not refused:
            course.answered(request.body, response.body)
        else:
            course.adrift()

    def _late(self, rule: str, limit: float, took: float, what: str) -> None:
        """One look at a time (s) that has a limit."""
        self._hold(rule, took <= limit, f"within {limit:g} s", f"{what} after {took:.3f} s")

    # --- session ids and the negotiation ---

    def _known_id(self, response: Said) -> None:
        known = self._session.id
        if known is not None and response.session_id is not None and not response.name.startswith(SETUP):
            self._hold("C-ID-04", response.session_id == known, f"the id {known.hex()}", _id_in(response))

    def _negotiated(self, request: Said, response: Said) -> None:
        """What a station gives: a protocol of those that were offered, and an id of the session."""
        body, offered = response.body, self._session.offered
        if request.name.startswith(SETUP) and response.session_id is not None and not response.code.startswith("FAILED"):
            self._session.id = own = response.session_id
            self._hold("C-ID-01", any(own), "a session id that is not zero", f"the id 0x{own.hex()}")
        if isinstance(body, supportedAppProtocolRes) and body.SchemaID is not None and offered:
            names = ", ".join(map(str, offered))
            self._hold("C-SAP-01", body.SchemaID in offered, f"one of the offered SchemaIDs {names}", f"SchemaID {body.SchemaID}")


def _paired(request: Said) -> str:
    return request.name.removesuffix("Req") + "Res"


def _id_in(message: Said) -> str:
    return f"{message.name} of session {message.session_id.hex() or 'of no octets' if message.session_id is not None else 'none'}"


def unjudged(session: Session) -> Iterator[tuple[str, str]]:
    """The rules that were not judged in a session, each with the reason."""
    for rule in RULES:
        if reason := session.lacks(rule):
            yield rule, reason


def table_of(session: Session) -> Generation | None:
    """The generation by whose tables a session was judged; None: there is none here."""
    return None if session.course is None else session.course.generation
