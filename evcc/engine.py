"""The car's end of a session: runs a script, checks every response, keeps every timer.

    session = EvccSession(charge, Car(Ev(), link=link), now)
    session.octets_to_send() ─▶ station ─▶ session.receive(octets, now); session.tick(now) at session.deadline()
    session.ended.how                                     # "Terminate" or "Pause"; "Error" with session.ended.error otherwise

The order of messages is not in here: the script decides, and the table of its generation says whether it may. A response is accepted
when it is the paired one, on the right payload type, with this session's id, not FAILED, and in time. Anything else ends the session, and
the script gets the reason as an exception.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evcc.car import Car, Timer
from evcc.conduct import Conduct
from evcc.generations import CONDUCTS
from evcc.script import Adopt, Aside, Limit, Raw, Script, Signed, Step, Wait
from v2g.exi.errors import DecodeError, EncodeError
from v2g.exi.schema import Type
from v2g.session.endpoint import Ended, Event, FrameReceived, FrameSent, Noted, StateEntered
from v2g.session.errors import (
    ConnectionLost,
    FramingError,
    Misuse,
    PeerFailed,
    PeerMisbehaved,
    SessionError,
    Stopped,
    TimedOut,
    UnknownSession,
)
from v2g.session.generation import MAIN
from v2g.session.v2gtp import AHEAD, CAR_RECEIVES, Frame, FrameReader, frame

SETUP = "V2G_EVCC_CommunicationSetup_Timeout"
MSG_TIMEOUT = "V2G_EVCC_Msg_Timeout"
PILOT_FAILURES = {"A": "unplugged", "E": "no voltage", "F": "the station is not available"}
Move = Callable[[], Step]  # lets the script go on to its next step


@dataclass(frozen=True, slots=True)
class Expectation:
    """The answer that a stream waits for: to `request` (None: any message), until `due` (session time, s)."""

    request: Type | None
    sent: float
    due: float
    within: float
    payload_type: int = 0
    stream: str = MAIN
    heard: Callable[[Type], None] | None = None  # is given the answer of a side stream


class EvccSession:
    """One session of a car, as an `Endpoint`. `now` (monotonic s) is when the connection stood; `conduct` has the tables it obeys,
    until the script adopts another."""

    def __init__(self, script: Script, car: Car[Any], now: float = 0.0, conduct: Conduct = CONDUCTS[0]):
        self.car = car
        self._began = now
        self.ended: Ended | None = None
        self._reader = FrameReader(CAR_RECEIVES, ahead=AHEAD)
        self._out = bytearray()
        self._events: list[Event] = []
        self._expects: dict[str, Expectation] = {}  # by stream
        self._resume_at: float | None = None
        self._heard_at: float | None = None  # the last response
        self._inbox: deque[Type] = deque()  # what came unasked while a script speaks raw
        self._raw = False
        car.now, car.protocol = now, None
        self._take(conduct)
        self._states = frozenset({conduct.generation.first})
        self._script = script(car)
        self._resume(lambda: next(self._script))

    # --- the six verbs ---

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets of the stream; b"" says that the station closed it."""
        self.car.now = now
        if self.ended:
            return
        if not octets:
            self._end("Error", ConnectionLost("the station closed the connection" + self._waiting_for()))
            return
        self._reader.limit = self._most()
        self._reader.feed(octets)
        try:
            while not self.ended and (heard := self._reader.next()) is not None:
                self._hear(heard)
                self._reader.limit = self._most()
        except FramingError as error:
            self._end("Error", error)

    def lost(self, error: SessionError, now: float) -> None:
        """Hear that the connection is gone although the station did not close it in order."""
        self.car.now = now
        if not self.ended:
            cut = ConnectionLost(error.reason + self._waiting_for()) if isinstance(error, ConnectionLost) else error
            self._end("Error", cut)

    def tick(self, now: float) -> None:
        """Act on every timer that is due at `now` (monotonic s), the earliest first."""
        self.car.now = now
        while not self.ended and (due := self.deadline()) is not None and due <= now:
            timer = next((timer for timer in self.car.timers if timer.due == due), None)
            if self._resume_at == due:
                self._resume_at = None
                self._resume(self._send(None))
            elif timer is not None:
                self.car.drop(timer)
                limit = timer.limit
                self._throw(TimedOut(limit.timer, limit.seconds, "it is not finished" + self._waiting_for(), limit.requirement))
            else:
                late = next(expects for expects in self._expects.values() if expects.due == due)
                del self._expects[late.stream]
                self._throw(TimedOut(MSG_TIMEOUT, late.within, f"no answer to {_name(late.request)}", self._cites.late))

    def deadline(self) -> float | None:
        """The time (monotonic s) at which `tick` must be called at the latest; None: nothing waits for a time."""
        if self.ended:
            return None
        dues = [timer.due for timer in self.car.timers]
        if self._resume_at is not None:
            dues.append(self._resume_at)
        dues += [expects.due for expects in self._expects.values()]
        return min(dues, default=None)

    def octets_to_send(self) -> bytes:
        """Take the octets that must be written now."""
        octets, self._out = bytes(self._out), bytearray()
        return octets

    def events(self) -> list[Event]:
        """Take what happened since the last call."""
        self._events += self.car.noted
        self.car.noted.clear()
        events, self._events = self._events, []
        return events

    def stop(self, reason: str) -> None:
        """Note that the driver wants to leave: the car stops in order, under power at the next charge loop."""
        self.car.stop_asked = reason

    def abort(self, reason: str, now: float) -> None:
        """End the session now, in whatever state: contactors open, nothing more is sent."""
        self.car.now = now
        if not self.ended:
            self._end("Error", Stopped(reason))

    def pilot(self, state: str, now: float) -> None:
        """Take the state of the control pilot as the car sees it: A (unplugged), E or F (station failed) end the session at once."""
        self.car.now = now
        if not self.ended and state in PILOT_FAILURES:
            self._end("Error", PeerMisbehaved(f"the control pilot went to state {state}: {PILOT_FAILURES[state]}", None))

    # --- the script ---

    def _take(self, conduct: Conduct) -> None:
        """Obey a generation's tables and its time for the setup, which counts from the connection; begin what is known anew."""
        generation = conduct.generation
        self._order, self._cites = generation, conduct.cites
        self._setup = Timer(Limit(SETUP, generation.car_setup), self._began + generation.car_setup)
        self.car.timers.append(self._setup)
        self.car.known = conduct.beginning()

    def _adopt(self, conduct: Conduct) -> None:
        """Go over to the generation that was negotiated, where it stands after its own negotiation."""
        if (generation := conduct.generation) is not self._order:
            self.car.drop(self._setup)
            self._take(conduct)
            rows = [generation.rows[generation.first, request] for request in generation.accepted(generation.first)]
            self._states = frozenset(state for row in rows for state in row.then)

    def _resume(self, move: Move | None) -> None:
        """Let the script go on until it must wait."""
        while move is not None and not self.ended:
            try:
                step = move()
            except StopIteration as end:
                self._end(str(end.value), None)
            except SessionError as error:
                self._end("Error", error)
            except (ValueError, ArithmeticError) as error:  # only what the station said can be beyond what a script works with
                self._end("Error", PeerMisbehaved(f"what the station said cannot be worked with: {error}", None))
            except Exception as error:  # a bug of a script is no reason to leave contactors closed
                self._end("Error", Misuse(f"the script failed: {error!r}"))
            else:
                self._gather()
                move = self._performed(step)

    def _send(self, value: object) -> Move:
        return lambda: self._script.send(value)

    def _throw(self, error: SessionError) -> None:
        self._resume(lambda: self._script.throw(error))

    def _performed(self, step: Step) -> Move | None:
        """Do what the script says; how it goes on at once, None when something has to come first."""
        try:
            match step:
                case Wait(seconds):
                    self._resume_at = self.car.now + seconds
                case Raw():
                    return self._written_raw(step)
                case Signed(request, signature):
                    self._ask(request, MAIN, signature=signature)
                case Adopt(conduct):
                    self._adopt(conduct)
                    return self._send(None)
                case Aside(request, heard):
                    stream = next((row.stream for state in self._states if (row := self._order.beside(state, type(request)))), "")
                    free = stream not in self._expects
                    if free:
                        self._ask(request, stream, heard)
                    return self._send(free)
                case _:
                    self._ask(step, MAIN)
        except SessionError as error:
            fault = error
            return lambda: self._script.throw(fault)
        return None

    def _ask(self, request: Type, stream: str, heard: Callable[[Type], None] | None = None, signature: Any = None) -> None:
        """Send a request, and expect its response on its stream. Raises Misuse for one that may not be sent."""
        rows = [row for state in self._states if (row := self._order.row(state, type(request))) is not None]
        if not any(row.stream == stream for row in rows):
            states = " or ".join(sorted(state.value for state in self._states))
            aside = "" if stream == MAIN else " on a side stream"
            raise Misuse(f"the script sends {_name(request)}{aside} where the station waits for {states}", self._cites.order)
        request = self.car.stamped(request)
        within = self._order.timing(type(request)).msg_timeout
        due = self.car.now + within
        payload_type = self._written(request, stream, signature)
        self._expects[stream] = Expectation(request, self.car.now, due, within, payload_type, stream, heard)

    def _written(self, request: Type, stream: str = MAIN, signature: Any = None) -> int:
        """Frame a request; the payload type that carries it."""
        try:
            payload_type, name, exi = self._order.write(request, self.car.session_id, stream, signature)
        except EncodeError as error:
            raise Misuse(f"the script's {_name(request)} is no valid message: {error}") from None
        since = None if self._heard_at is None else self.car.now - self._heard_at
        self._out += frame(payload_type, exi)
        self._events.append(FrameSent(self.car.now, payload_type, name, exi, request, since))
        return payload_type

    def _written_raw(self, step: Raw) -> Move | None:
        self._raw = True
        if isinstance(step.what, bytes):
            self._out += step.what
            self._events.append(Noted(self.car.now, "raw octets sent", {"octets": step.what[:64].hex(), "length": len(step.what)}))
        else:
            self._written(step.what)
        if not step.answered:
            return self._send(None)
        if self._inbox:
            return self._send(self._inbox.popleft())
        self._expects[MAIN] = Expectation(None, self.car.now, self.car.now + step.within, step.within)
        return None

    # --- responses ---

    def _hear(self, heard: Frame) -> None:
        stream, now = self._order.stream(heard.payload_type), self.car.now
        expects = self._expects.get(MAIN if self._raw and stream not in self._expects else stream)
        since = None if expects is None else now - expects.sent
        asked = None if expects is None or expects.request is None else type(expects.request)
        try:
            name, reading, told, signature = self._order.read(heard.payload_type, heard.payload, by_car=True, asked=asked)
        except (DecodeError, FramingError) as error:
            self._events.append(FrameReceived(now, heard.payload_type, "", heard.payload, None, since))
            undecodable = PeerMisbehaved(f"a frame of type 0x{heard.payload_type:04X} is no message: {error}", None)
            self._end("Error", error if isinstance(error, FramingError) else undecodable)
            return
        response, findings = reading.message, tuple(str(finding) for finding in reading.findings)
        self._events.append(FrameReceived(now, heard.payload_type, name, heard.payload, response, since, findings))
        if expects is None:
            self._unasked(response)
            return
        del self._expects[expects.stream]
        try:
            self._judge(expects, heard.payload_type, response, told)
        except SessionError as error:
            self._throw(error)
            return
        if expects.stream == MAIN:
            self._heard_at, self.car.envelope = now, signature
            self._resume(self._send(response))
        elif expects.heard is not None:
            expects.heard(response)

    def _most(self) -> int:
        """Octets of the largest frame that may come now: a script that speaks raw takes any."""
        asked = [expects.request for expects in self._expects.values() if expects.request is not None]
        most = [self._order.answer_limit(type(request)) for request in asked]
        return CAR_RECEIVES if self._raw else max(most, default=self._order.other_limit)

    def _unasked(self, response: Type) -> None:
        if not self._raw:
            self._throw(PeerMisbehaved(f"the station sent {type(response).__name__} unasked", None))
        else:
            self._inbox.append(response)

    def _judge(self, expects: Expectation, payload_type: int, response: Type, told: bytes | None) -> None:
        """Raise what is wrong with a response; the code first, for it says why everything else may be wrong."""
        request = expects.request
        if request is None:
            return
        paired = self._order.responses[type(request)]
        failure = self._order.failure(response)
        if type(response) is paired and failure is not None:
            raise PeerFailed(failure, f"the station refuses {_name(request)} and ends the session", None)
        if type(response) is not paired or payload_type != expects.payload_type:
            raise PeerMisbehaved(f"the station answers {_name(request)} with {type(response).__name__} on 0x{payload_type:04X}", None)
        if type(request) is self._order.begins:
            if not any(told or b""):
                raise UnknownSession("the station's new session has the SessionID 0", self._cites.nameless)
            self.car.session_id = told or b""
            self.car.drop(self._setup)
        elif told is not None and told != self.car.session_id:
            own = self.car.session_id.hex()
            raise UnknownSession(f"{type(response).__name__} is of session {told.hex()}, this one is {own}", self._cites.session)
        if expects.stream == MAIN:  # no other moves the sequence on
            self._succeed(request, response)

    def _succeed(self, request: Type, response: Type) -> None:
        """The states that the station may be in now."""
        rows = [found for state in self._states if (found := self._order.row(state, type(request)))]
        stays = self._order.stays(request, response)
        led = frozenset(state for row in rows for state in row.then)
        after = frozenset(row.state for row in rows) if stays else frozenset(s for s in led if self._order.leads(request, s)) or led
        if after != self._states:
            self._states = after
            self._events.append(StateEntered(self.car.now, " or ".join(state.value for state in type(self._order.first) if state in after)))

    # --- the end ---

    def _end(self, how: str, error: SessionError | None) -> None:
        if error is not None:
            self._script.close()
        self.car.make_safe(error is not None)  # however it ended
        self._gather()
        self._expects.clear()
        self._resume_at = None
        self.car.timers.clear()
        self.ended = Ended(how, error)

    def _gather(self) -> None:
        self._events += self.car.noted
        self.car.noted.clear()

    def _waiting_for(self) -> str:
        expects = self._expects.get(MAIN)
        return "" if expects is None else f"; waiting for the answer to {_name(expects.request)}"


def _name(request: Type | None) -> str:
    return "what was sent raw" if request is None else type(request).__name__
