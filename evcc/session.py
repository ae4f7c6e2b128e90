"""The car's end of a session: drives a script, judges every response, keeps every timer.

    session = EvccSession(charge, Car(Ev(), link=link), now)
    session.octets_to_send() ─▶ station ─▶ session.receive(octets, now); session.tick(now) at session.deadline()
    session.ended.how                                     # "Terminate" or "Pause"; "Error" with session.ended.error otherwise

The order of messages is not in here: the script leads, and the table of `v2g.session.sequence` says whether it may. A response is taken
when it is the paired one, on the right payload type, with this session's id, not FAILED, and in time. Anything else ends the session, and
the script learns why as an exception.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evcc.car import Car, Timer
from evcc.script import Aside, Limit, Raw, Script, Step, Wait
from v2g.exi.codec import encode
from v2g.exi.errors import DecodeError, EncodeError
from v2g.exi.schema import Type
from v2g.messages import schema_set
from v2g.messages.common_messages import AuthorizationReq, SessionSetupReq
from v2g.messages.common_types import processingType
from v2g.session import frames
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
from v2g.session.frames import SETS, payload_type_of
from v2g.session.limits import ANY_OTHER, CAR_BOUNDS, LIMITS
from v2g.session.sequence import State, response_to, row
from v2g.session.timing import EVCC_COMMUNICATION_SETUP_TIMEOUT, timing
from v2g.session.v2gtp import AHEAD, CAR_RECEIVES, Frame, FrameReader, PayloadType, frame

SETUP = Limit("V2G_EVCC_CommunicationSetup_Timeout", EVCC_COMMUNICATION_SETUP_TIMEOUT)
MSG_TIMEOUT = "V2G_EVCC_Msg_Timeout"
PILOT_FAILURES = {"A": "unplugged", "E": "no voltage", "F": "the station is not available"}
Move = Callable[[], Step]  # lets the script go on to its next step


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the session waits for: the answer to `request` (None: whatever comes), until `due`."""

    request: Type | None
    sent: float
    due: float
    within: float
    payload_type: int = 0


class EvccSession:
    """One session; an `Endpoint`. `now` is the time at which the connection stood."""

    def __init__(self, script: Script, car: Car, now: float = 0.0):
        self.car = car
        self.ended: Ended | None = None
        self._reader = FrameReader(CAR_RECEIVES, ahead=AHEAD)
        self._out = bytearray()
        self._events: list[Event] = []
        self._states = frozenset({State.SUPPORTED_APP_PROTOCOL})
        self._expects: Expectation | None = None
        self._aside: Expectation | None = None  # on a side stream
        self._resume_at: float | None = None
        self._heard_at: float | None = None  # the last response
        self._inbox: deque[Type] = deque()  # what came unasked while a script speaks raw
        self._raw = False
        self._setup = Timer(SETUP, now + SETUP.seconds)
        car.now = now
        car.timers.append(self._setup)
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

    def tick(self, now: float) -> None:
        """Let timers that are due fire, the earliest first."""
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
                late = next(expects for expects in (self._expects, self._aside) if expects is not None and expects.due == due)
                self._answered(late)
                self._throw(TimedOut(MSG_TIMEOUT, late.within, f"no answer to {_name(late.request)}", "V2G20-436"))

    def deadline(self) -> float | None:
        """The time at which `tick` must be called at the latest."""
        if self.ended:
            return None
        dues = [timer.due for timer in self.car.timers]
        if self._resume_at is not None:
            dues.append(self._resume_at)
        dues += [expects.due for expects in (self._expects, self._aside) if expects is not None]
        return min(dues, default=None)

    def octets_to_send(self) -> bytes:
        """Take what must be written now."""
        octets, self._out = bytes(self._out), bytearray()
        return octets

    def events(self) -> list[Event]:
        """Take what happened since the last call."""
        self._events += self.car.noted
        self.car.noted.clear()
        events, self._events = self._events, []
        return events

    def stop(self, reason: str) -> None:
        """The driver wants to leave: at the next turn of the charge loop the car stops in order."""
        self.car.stop_asked = reason

    def abort(self, reason: str, now: float) -> None:
        """End now, whatever the state: contactors open, nothing more is said."""
        self.car.now = now
        if not self.ended:
            self._end("Error", Stopped(reason))

    def pilot(self, state: str, now: float) -> None:
        """What the car sees on the control pilot: A (unplugged), E or F (the station has failed) end the session at once."""
        self.car.now = now
        if not self.ended and state in PILOT_FAILURES:
            self._end("Error", PeerMisbehaved(f"the control pilot went to state {state}: {PILOT_FAILURES[state]}", None))

    # --- the script ---

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
                case Aside() if self._aside is not None:
                    return self._send(False)
                case Aside(request):
                    self._aside = self._asked(request)
                    return self._send(True)
                case _:
                    self._expects = self._asked(step)
        except SessionError as error:
            fault = error
            return lambda: self._script.throw(fault)
        return None

    def _asked(self, request: Type) -> Expectation:
        """Send a request; what is expected then. Raises Misuse for one that may not be sent."""
        if not any(row(state, type(request)) for state in self._states):
            states = " or ".join(sorted(state.value for state in self._states))
            raise Misuse(f"the script sends {_name(request)} where the station waits for {states}", "V2G20-459")
        request = self.car.stamped(request)
        within = timing(type(request)).msg_timeout
        return Expectation(request, self.car.now, self.car.now + within, within, self._written(request))

    def _written(self, request: Type) -> PayloadType:
        """Frame a request; the payload type that carries it."""
        payload_type = payload_type_of(type(request))
        name = SETS[payload_type]
        try:
            exi = encode(request, schema_set(name))
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
        self._expects = Expectation(None, self.car.now, self.car.now + step.within, step.within)
        return None

    # --- responses ---

    def _hear(self, heard: Frame) -> None:
        beside, now = heard.payload_type >= PayloadType.SCHEDULE_RENEGOTIATION, self.car.now
        expects = self._aside if beside and not (self._raw and self._aside is None) else self._expects
        since = None if expects is None else now - expects.sent
        try:
            reading = frames.received(heard.payload_type, heard.payload, bounds=CAR_BOUNDS)
        except (DecodeError, FramingError) as error:
            self._events.append(FrameReceived(now, heard.payload_type, "", heard.payload, None, since))
            undecodable = PeerMisbehaved(f"a frame of type 0x{heard.payload_type:04X} is no message: {error}", None)
            self._end("Error", error if isinstance(error, FramingError) else undecodable)
            return
        response, name = reading.message, SETS[PayloadType(heard.payload_type)]
        findings = tuple(str(finding) for finding in reading.findings)
        self._events.append(FrameReceived(now, heard.payload_type, name, heard.payload, response, since, findings))
        if expects is None:
            self._unasked(response)
            return
        self._answered(expects)
        try:
            self._judge(expects, heard.payload_type, response)
        except SessionError as error:
            self._throw(error)
            return
        if expects.payload_type < PayloadType.SCHEDULE_RENEGOTIATION:
            self._heard_at = now
            self._resume(self._send(response))

    def _most(self) -> int:
        """Octets of the largest frame that may come now: a script that speaks raw takes any."""
        asked = [expects.request for expects in (self._expects, self._aside) if expects is not None and expects.request is not None]
        most = [LIMITS[response_to(type(request))].octets for request in asked]
        return CAR_RECEIVES if self._raw else max(most, default=ANY_OTHER.octets)

    def _answered(self, expects: Expectation) -> None:
        """This is waited for no more."""
        if expects is self._aside:
            self._aside = None
        else:
            self._expects = None

    def _unasked(self, response: Type) -> None:
        if not self._raw:
            self._throw(PeerMisbehaved(f"the station sent {type(response).__name__} unasked", None))
        else:
            self._inbox.append(response)

    def _judge(self, expects: Expectation, payload_type: int, response: Any) -> None:
        """Raise what is wrong with a response; the code first, for it says why everything else may be wrong."""
        request = expects.request
        if request is None:
            return
        paired = response_to(type(request))
        code = getattr(response, "ResponseCode", None)
        if type(response) is paired and code is not None and code.value.startswith("FAILED"):
            raise PeerFailed(code, f"the station refuses {_name(request)} and ends the session", None)
        if type(response) is not paired or payload_type != expects.payload_type:
            raise PeerMisbehaved(f"the station answers {_name(request)} with {type(response).__name__} on 0x{payload_type:04X}", None)
        header: Any = getattr(response, "Header", None)  # supportedAppProtocolRes has none
        told = header and header.SessionID
        if isinstance(request, SessionSetupReq):
            if not any(told or b""):
                raise UnknownSession("the station's new session has the SessionID 0", "V2G20-2621")
            self.car.drop(self._setup)
        elif told is not None and told != self.car.session_id:
            own = self.car.session_id.hex()
            raise UnknownSession(f"{type(response).__name__} is of session {told.hex()}, this one is {own}", "V2G20-460")
        self._succeed(request, response)

    def _succeed(self, request: Type, response: Any) -> None:
        """The states that the station may be in now. While it says Ongoing, or warns about an authorization, it has not moved."""
        rows = [found for state in self._states if (found := row(state, type(request)))]
        ongoing = getattr(response, "EVSEProcessing", processingType.Finished) is not processingType.Finished
        warned = isinstance(request, AuthorizationReq) and response.ResponseCode.value.startswith("WARNING")
        after = frozenset(r.state for r in rows) if ongoing or warned else frozenset(state for r in rows for state in r.then)
        if after != self._states:
            self._states = after
            self._events.append(StateEntered(self.car.now, " or ".join(state.value for state in State if state in after)))

    # --- the end ---

    def _end(self, how: str, error: SessionError | None) -> None:
        if error is not None:
            self._script.close()
        self.car.make_safe(error is not None)  # however it ended
        self._gather()
        self._expects = self._aside = self._resume_at = None
        self.car.timers.clear()
        self.ended = Ended(how, error)

    def _gather(self) -> None:
        self._events += self.car.noted
        self.car.noted.clear()

    def _waiting_for(self) -> str:
        if self._expects is None:
            return ""
        return f"; waiting for the answer to {_name(self._expects.request)}"


def _name(request: Type | None) -> str:
    return "what was sent raw" if request is None else type(request).__name__
