"""The station's side of one session: octets and facts in, octets and wants out.

    frame -> message -> session id -> row -> stream -> answer -> successor -> frame

Order is the table of a generation, content its answers (`secc.conduct`); this engine adds what holds for every request: identity, time,
streams, refusals, and that an outlet is safe before anything else once a session is over. It names no message, no state and no code but the
negotiation that all generations share (`secc.reception`). A session never raises at its shell: it ends with a value. What the station must
do is among its events (`secc.station.Want`), what became true is told to it (`tell`).
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from secc import reception
from secc.claims import PriceSigner, Verifier
from secc.conduct import Conduct, Diary, Pauses, Surroundings, blamed
from secc.generations import CONDUCTS
from secc.outlet import Outlet
from secc.pending import Desk, Parked, Timer, Unread
from secc.station import Fact
from v2g.exi.errors import DecodeError
from v2g.exi.schema import Type
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended, Event, FrameReceived, FrameSent, Noted, StateEntered, StationSaid
from v2g.session.errors import ConnectionLost, FramingError, Misuse, PeerIncompatible, PeerMisbehaved, SessionError, StationFailed, TimedOut
from v2g.session.generation import MAIN
from v2g.session.profiles import Deviation
from v2g.session.tls import TlsFacts
from v2g.session.v2gtp import AHEAD, Frame, FrameReader, frame

SETUP, SEQUENCE, CLOSE = "V2G_SECC_CommunicationSetup_Timeout", "V2G_SECC_Sequence_Timeout", "TCP close after SessionStop"


class SeccSession:
    """One session. `entropy(n)` gives n octets of the system's generator; without a `verifier` for what the car signs, PnC is not offered.

    `conducts` are the generations that may be spoken, the newest first; each decides whether a connection may carry it. `insecure` allows
    ISO 15118-20 without TLS 1.3, for a bench (it is told). Frames beyond `aside` octets, with contracts `signed_aside`, go to the desk.
    """

    def __init__(
        self,
        outlet: Outlet,
        clock: Clock,
        now: float,
        *,
        entropy: Callable[[int], bytes],
        tls: TlsFacts | None = None,
        verifier: Verifier | None = None,
        prices: PriceSigner | None = None,
        paused: Pauses | None = None,
        insecure: bool = False,
        identity: str = "",
        let_pass: tuple[Deviation, ...] = (),
        chain: tuple[bytes, ...] = (),
        conducts: Sequence[Conduct] = CONDUCTS,
        aside: int | None = None,
        signed_aside: int | None = None,
    ):
        self.ended: Ended | None = None
        self._diary = Diary(now)
        self._events = self._diary.events
        around = Surroundings(outlet, entropy, verifier, prices, tls, insecure, identity, let_pass, chain)
        begun = [(conduct, *conduct.beginning(around, self._diary.say, now)) for conduct in conducts]
        (self._conduct, self.context), *self._guests = [(conduct, known) for conduct, known, _ in begun]  # until a choice, the newest
        self._events += [record for _, _, record in begun]
        self.generation = self._conduct.generation
        self._clock, self._paused, self._insecure = clock, paused, insecure
        self._reader = FrameReader(self.generation.state_limit(self.generation.first), ahead=AHEAD)
        self._out: list[bytes] = []
        self._parked: dict[str, Parked] = {}  # by stream
        self._held, self.desk = deque[Frame](), Desk(aside, signed_aside)  # frames of streams that wait; a frame for the shell to read
        self._closing = ""  # how the session ended, once it waits for the car to close
        self._timer: Timer | None = None
        self._arm(SETUP, self.generation.station_setup, now, lambda: reception.REQUEST.__name__)
        self.heard: float | None = None  # when the last request came
        self._spoke: float | None = None
        self._answering: tuple[type[Type], str] | None = None  # the request that has no answer yet, and its stream

    # --- the verbs of an endpoint, and two more ---

    def receive(self, octets: bytes, now: float) -> None:
        self._guarded(lambda: self._receive(octets, now), now)

    def lost(self, error: SessionError, now: float) -> None:
        self._guarded(lambda: self._lose(error, now), now)

    def tick(self, now: float) -> None:
        self._recorded(Noted(now, "tick"), lambda: self._tick(now), now)

    def deadline(self) -> float | None:
        if self.ended is not None:
            return None
        timers = () if self._timer is None else (self._timer.due,)
        dues = [*(parked.until for parked in self._parked.values()), *timers]
        bound = self._conduct.due(self.context)
        return min(dues if bound is None else [*dues, bound], default=None)

    def octets_to_send(self) -> bytes:
        octets, self._out = b"".join(self._out), []
        return octets

    def events(self) -> list[Event]:
        return self._diary.take()

    def tell(self, fact: Fact, now: float) -> None:
        """Take a fact from the station. An answer that waited for it is given at once."""
        self._recorded(StationSaid(now, fact), lambda: self._learn(fact, now), now)

    def was_read(self, unread: Unread, now: float) -> None:
        """Go on with a frame of the desk that the shell has read; one of a session that is over is forgotten."""
        if unread is self.desk.waits:
            self.desk.clear()
            self._guarded(lambda: self._heard(unread, now), now)
            self._guarded(lambda: self._work(now), now)

    def abort(self, reason: str, now: float) -> None:
        """End the session at once, without an answer to the car: the hardware failed, or the station shuts down."""
        if self.ended is None:
            self._events.append(Noted(now, "abort", {"why": reason}))
            self._end("aborted", StationFailed(reason, None), now)

    # --- what the verbs do, between the guard without and the supervision at the end ---

    def _recorded(self, event: Event, step: Callable[[], None], now: float) -> None:
        """Run a step that no frame began; the record names it before what came of it, if anything did."""
        before, place = self.context, len(self._events)
        self._guarded(step, now)
        if len(self._events) > place or not self._conduct.same(before, self.context):
            self._events.insert(place, event)

    def _guarded(self, step: Callable[[], None], now: float) -> None:
        """Run a step and look at what it led to. What raises is a bug of ours or a value that no message holds: the session ends safely."""
        self._diary.now = now
        try:
            if self.ended is None:
                step()
            self._supervise(now)
        except Exception as error:
            self._broken(error, now)

    def _receive(self, octets: bytes, now: float) -> None:
        if not octets:
            self._events.append(Noted(now, "end of stream"))
            self._part("closed by the car", ConnectionLost("the car closed the connection"), now)
        else:
            self._reader.feed(octets)
            self._work(now)

    def _lose(self, error: SessionError, now: float) -> None:
        self._events.append(Noted(now, "connection lost", {"why": error.reason, "requirement": error.requirement}))
        self._part("connection lost", error, now)

    def _part(self, how: str, error: SessionError, now: float) -> None:
        """The connection is gone: after SessionStop that was to come, before it the session ends by it."""
        self._end(self._closing or how, None if self._closing else error, now)

    def _tick(self, now: float) -> None:
        overdue = [parked for parked in self._parked.values() if now >= parked.until]
        for parked in overdue:
            self._resume(parked, now)
        timer, fault = self._timer, self._conduct.fault(self.context)
        if overdue or self.ended is not None or timer is None or now < timer.due:
            return
        if self._closing:
            self._end(self._closing, None, now)
        elif fault is not None:
            self._end(blamed(fault.error), fault.error, now)
        else:
            self._end("timed out", TimedOut(timer.name, timer.limit, f"no {timer.what()}", self._conduct.silent), now)

    def _learn(self, fact: Fact, now: float) -> None:
        before = self.context
        self.context, wants = self._conduct.learn(fact, self._at(before, now))
        self._guests = [(each, each.learn(fact, known)[0]) for each, known in self._guests]
        self._heed(before, wants, now)
        for parked in tuple(self._parked.values()):
            self._resume(parked, now)

    def _at(self, known: Any, now: float, received: float = 0.0, exi: bytes = b"") -> Any:
        """What is known at a moment."""
        return self._conduct.at_moment(known, now, self._clock.wall(now), received, exi)

    def _supervise(self, now: float) -> None:
        """End what must not be and what has lasted too long, in whatever state the session is."""
        if self.ended is None:
            before = self.context
            self.context, wants = self._conduct.supervise(before, now)
            self._heed(before, wants, now)

    def _heed(self, before: Any, wants: tuple[Event, ...], now: float) -> None:
        """Pass on the wants of a fault that is new; the car hears of it with its next answer, for which it has a moment."""
        self._events += wants
        fault = self._conduct.fault(self.context)
        if fault is None or fault is self._conduct.fault(before):
            return
        if self._closing:
            self._end(blamed(fault.error), fault.error, now)
            return
        for parked in tuple(self._parked.values()):
            self._resume(parked, now)
        if self._timer is not None and self.ended is None:
            self._timer = replace(self._timer, due=min(self._timer.due, now + self._conduct.fault_answer))

    # --- a request ---

    def _work(self, now: float) -> None:
        """Answer whole frames in their order. A stream whose answer waits holds its own frames back, and no other's."""
        taken = 0
        while self.ended is None and not self._closing and self.desk.waits is None:
            received = self._next(now)
            if received is None:
                return
            taken += 1
            if taken > self.generation.at_once:
                why = f"more than {self.generation.at_once} requests at once; each waits for the answer before it"
                exi, kind = received.payload.hex(), f"0x{received.payload_type:04X}"
                self._events.append(Noted(now, "too many", {"taken": taken - 1, "payload_type": kind, "exi": exi}))
                self._end("no frame", FramingError(why, None), now)
                return
            self._take(received, now)

    def _next(self, now: float) -> Frame | None:
        """The next frame whose stream does not wait, None where there is none now."""
        for held in self._held:
            if self.generation.stream(held.payload_type) not in self._parked:
                self._held.remove(held)
                return held
        while len(self._held) < self.generation.at_once:
            self._reader.limit = self.generation.state_limit(self._conduct.state(self.context))
            try:
                received = self._reader.next()
            except FramingError as error:
                self._events.append(Noted(now, "framing", self._reader.refused))
                self._end("no frame", error, now)
                return None
            if received is None or self.generation.stream(received.payload_type) not in self._parked:
                return received
            self._held.append(received)
        return None

    def _take(self, received: Frame, now: float) -> None:
        self.heard = now
        since, conduct, known = None if self._spoke is None else now - self._spoke, self._conduct, self.context
        judge, signed = partial(conduct.foresee, wall=self._clock.wall(now)), conduct.state(known) in conduct.signing
        unread = Unread(received, since, conduct.decode, known, now, judge, signed)
        if not self.desk.leaves(unread):
            self._heard(unread, now)
        elif self.generation.stream(received.payload_type) == MAIN:
            self._timer = None  # the car has spoken: what it said is being read

    def _heard(self, unread: Unread, now: float) -> None:
        (payload_type, exi), since, stream = unread.frame, unread.since, self.generation.stream(unread.frame.payload_type)
        try:
            heard, relaxed = unread.message()
        except (DecodeError, FramingError) as error:
            self._events.append(FrameReceived(now, payload_type, "", exi, None, since))
            self._undecodable(error, stream, now)
            return
        request, findings = heard.reading.message, tuple(str(finding) for finding in heard.reading.findings)
        self._events += [*relaxed, FrameReceived(now, payload_type, heard.schema_set, exi, request, since, findings)]
        self._answering = type(request), stream
        try:
            self.context, indulged = self._conduct.admit(heard, payload_type, self.context, now)
            self._events += indulged
            self._answer(Parked(request, now, exi, now, stream), now)
        except (PeerMisbehaved, StationFailed) as refusal:
            self._refuse(type(request), refusal, stream, now)

    def _answer(self, asked: Parked, now: float) -> None:
        request, known = asked.request, self.context
        kind = type(request)
        seen = self._at(known, now, asked.received, asked.exi)
        if kind is reception.REQUEST:
            self._conduct, reply = reception.choose_generation(request, [(self._conduct, seen), *self._guests])
            self.generation, self._guests = self._conduct.generation, []
            known = reply.known  # of the one that was chosen
        else:
            reply = self._conduct.answer(request, self._returned(request, seen, now))
        self._events += reply.wants
        until = self._conduct.waits(reply)
        if until is not None:
            self.context, self._parked[asked.stream] = reply.known, replace(asked, until=until)
            if asked.stream == MAIN:
                self._timer = None
            return
        self._parked.pop(asked.stream, None)
        ending, state = self._conduct.ending(reply), self._conduct.state(known)
        row = self.generation.row(state, kind)
        if row is None or ending.then not in row.then:
            raise Misuse(f"the answer to {kind.__name__} in {state.value} leads to {ending.then.value}, which its row does not name")
        self.context = self._conduct.advance(known, reply, kind, now)
        if self._paused is not None and ending.paused is not None:
            self._paused.keep(ending.paused)
        if self._paused is not None and ending.joined is not None:
            self._paused.drop(ending.joined)
        self._send(ending.response, asked.stream, now, ending.signature)
        if kind is reception.REQUEST:
            self._welcome(now)
        if self.ended is None:
            self._move(ending.then, ending.how, kind, asked.stream, now)

    def _returned(self, request: Type, known: Any, now: float) -> Any:
        """With the paused session of this car, if it comes back to one."""
        asked = self._conduct.resumption(request, known)
        former = None if asked is None or self._paused is None else self._paused.look(*asked, self.generation.name, self._clock.wall(now))
        return known if former is None else self._conduct.recall(known, former, self._diary.say)

    def _resume(self, parked: Parked, now: float) -> None:
        """Try the answer that waited once more, then what came in the meantime."""
        if self._parked.get(parked.stream) is not parked or self.ended is not None:
            return
        try:
            self._answer(parked, now)
        except (PeerMisbehaved, StationFailed) as refusal:
            self._parked.pop(parked.stream, None)
            self._refuse(type(parked.request), refusal, parked.stream, now)
        if parked.stream not in self._parked:
            self._work(now)

    def _move(self, then: Any, how: str, request: type[Type], stream: str, now: float) -> None:
        """What follows a response: another state and its timer, or the wait for the car to close."""
        if then is self.generation.over:
            self._closing = how
            self._arm(CLOSE, self.generation.close, now, lambda: "close")
            self._events.append(StateEntered(now, then.value, CLOSE, self.generation.close))
        elif request is reception.REQUEST and self._timer is not None:  # the setup ends with a session, not before
            self._timer = replace(self._timer, what=lambda: self.generation.begins.__name__)
            self._events.append(StateEntered(now, then.value, SETUP, round(self._timer.due - now, 3)))
        elif stream == MAIN or (
            self._timer is None and MAIN not in self._parked and self.desk.waits is None
        ):  # a side stream does not touch the time of the main one
            limit = self.generation.timing(request).sequence_timeout
            self._arm(SEQUENCE, limit, now, partial(self.generation.awaited, then))
            self._events.append(StateEntered(now, then.value, SEQUENCE, limit))

    def _welcome(self, now: float) -> None:
        """What was let pass of the connection that carries the generation, or why there is none."""
        found = self._conduct.welcome(self.context, self._insecure, now)
        if isinstance(found, PeerIncompatible):
            self._end("not negotiated", found, now)
        else:
            self._events += found

    # --- the end ---

    def _undecodable(self, error: DecodeError | FramingError, stream: str, now: float) -> None:
        """Octets that are no message: the paired response where it is clear what they wanted to be, and the end."""
        found = self._conduct.undecodable(error.path, str(error)) if isinstance(error, DecodeError) else None
        if found is None:
            self._end("undecodable", error if isinstance(error, FramingError) else FramingError(str(error)), now)
        else:
            self._refuse(*found, stream, now)

    def _refuse(self, request: type[Type], refusal: PeerMisbehaved | StationFailed, stream: str, now: float) -> None:
        """The smallest valid response that says so, and the end."""
        self.context = self._at(self.context, now)
        response = self._conduct.refusal(request, refusal, self.context)
        if response is not None:
            self._send(response, stream, now)
        self._end(blamed(refusal), refusal, now)

    def _broken(self, error: Exception, now: float) -> None:
        """Something raised: the car is told if it waits for an answer, and the outlet made safe in any case."""
        failed = StationFailed(f"internal error: {type(error).__name__}: {error}", None)
        waiting = self._answering
        self._parked.clear()
        if self.ended is not None:
            return
        try:
            self._refuse(waiting[0], failed, waiting[1], now) if waiting is not None else self._end(blamed(failed), failed, now)
        except Exception as again:
            failed.add_note(f"and then {type(again).__name__}: {again}")
            self._end(blamed(failed), failed, now)
        failed.__cause__ = error  # kept with its frames: a fault of ours is to be found

    def _end(self, how: str, error: SessionError | None, now: float) -> None:
        account, asked = self._conduct.account(self.context), self._conduct.stop_reason(self.context)
        self.context, wants = self._conduct.over(self._at(self.context, now), now)
        self._events += wants
        self._parked.clear()
        self._held.clear()
        self.desk.clear()
        self._timer = None
        why = {} if error is None else {"why": error.reason, "requirement": error.requirement}
        why |= {"asked": asked} if asked else {}
        self.ended = Ended(how, error, asked)
        self._events.append(Noted(now, "ended", {"how": how, **why, **account}))

    def _arm(self, name: str, limit: float, now: float, what: Callable[[], str]) -> None:
        self._timer = Timer(name, limit, now + limit, what)

    def _send(self, message: Type, stream: str, now: float, signature: Any = None) -> None:
        payload_type, schema_set, exi = self.generation.write(message, self._conduct.session_id(self.context), stream, signature)
        self._out.append(frame(payload_type, exi))
        self._events.append(FrameSent(now, payload_type, schema_set, exi, message, None if self.heard is None else now - self.heard))
        self._spoke, self._answering = now, None
