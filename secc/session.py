"""The station's side of one session: octets and facts in, octets and wants out.

    frame -> message -> session id -> row -> stream -> answer -> successor -> frame

Order is the table in `v2g.session.sequence`, content the functions in `secc.answers`; this engine adds what holds for every request:
identity, time, refusals, and that an outlet is safe before anything else once a session is over. A session never raises at its shell: it
ends with a value. What the station must do is among its events (`secc.station.Want`), what became true is told to it (`tell`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pki.certificate import facts
from pki.profiles import Role
from pki.verify import VerifiedChain
from secc.answers import ANSWERS
from secc.context import Context, Fault, PausedSession, Pending, PriceSigner, Reply, Verifier
from secc.facts import told
from secc.outlet import Outlet
from secc.pause import PausedSessions
from secc.requests import BY_NAME, admit, decoded
from secc.services import SCHEMA_SETS
from secc.station import Fact, Objected, OpenContactor, PowerStopped, SetOutput
from secc.supervision import FAULT_ANSWER, due, hazard
from v2g.exi.derive import least
from v2g.exi.errors import DecodeError
from v2g.exi.schema import Type
from v2g.messages import ac, dc
from v2g.messages.app_protocol import responseCodeType as sapCodeType
from v2g.messages.app_protocol import supportedAppProtocolReq, supportedAppProtocolRes
from v2g.messages.common_messages import (
    MeteringConfirmationReq,
    PowerDeliveryReq,
    SessionSetupReq,
    SessionStopReq,
    chargeProgressType,
)
from v2g.messages.common_types import EVSEStatusType, evseNotificationType, responseCodeType
from v2g.session import frames
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended, Event, FrameReceived, FrameSent, Noted, Relaxed, StateEntered
from v2g.session.errors import (
    ConnectionLost,
    FramingError,
    Misuse,
    PeerIncompatible,
    PeerMisbehaved,
    Refused,
    SessionError,
    StationFailed,
    TimedOut,
    UnknownSession,
)
from v2g.session.limits import FRAMES_AT_ONCE, state_limit
from v2g.session.profiles import LOOSE_CERTIFICATES, PROVISIONING_AS_VEHICLE
from v2g.session.sequence import REQUESTS, State, admitted, response_to, row
from v2g.session.timing import SECC_COMMUNICATION_SETUP_TIMEOUT, SECC_TCP_CLOSE, timing
from v2g.session.tls import TlsFacts
from v2g.session.v2gtp import AHEAD, FrameReader, PayloadType, frame

CHARGE_LOOPS = (ac.AC_ChargeLoopReq, dc.DC_ChargeLoopReq)
LOOPS = (*CHARGE_LOOPS, dc.DC_WeldingDetectionReq, MeteringConfirmationReq)
BEFORE_POWER = frozenset(REQUESTS) - {supportedAppProtocolReq, SessionStopReq, PowerDeliveryReq, *LOOPS}  # refused once the station stops
SETUP, SEQUENCE, CLOSE = "V2G_SECC_CommunicationSetup_Timeout", "V2G_SECC_Sequence_Timeout", "TCP close after SessionStop"


@dataclass(frozen=True, slots=True)
class _Timer:
    name: str
    limit: float  # s
    due: float
    what: str  # that was waited for


@dataclass(frozen=True, slots=True)
class _Parked:
    """A request whose answer waits for a fact."""

    request: Type
    received: float
    exi: bytes
    until: float


class SeccSession:
    """One session. `entropy(n)` gives n octets from the system's generator; without a `verifier` of what the car signs PnC is not offered.

    -20 is spoken only on TLS 1.3 with both sides authenticated [V2G20-2356]; `insecure` is the bench override, and is said in the events.
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
        paused: PausedSessions | None = None,
        insecure: bool = False,
    ):
        self.ended: Ended | None = None
        secure = tls is not None and tls.carries_20
        sets = tuple(dict.fromkeys(SCHEMA_SETS[service] for service in outlet.services)) if secure or insecure else ()
        self.context = Context(outlet, entropy, verifier, prices, tls, sets, limits=outlet.limits)
        self._clock, self._paused = clock, PausedSessions() if paused is None else paused
        self._relaxes = not secure and insecure
        self._reader = FrameReader(state_limit(State.SUPPORTED_APP_PROTOCOL), ahead=AHEAD)
        self._out: list[bytes] = []
        self._events: list[Event] = []
        self._parked: _Parked | None = None
        self._closing = ""  # how the session ended, once it waits for the car to close
        self._timer: _Timer | None = None
        self._arm(SETUP, SECC_COMMUNICATION_SETUP_TIMEOUT, now, "supportedAppProtocolReq")
        self.heard: float | None = None  # when the last request came
        self._spoke: float | None = None
        self._answering: type[Type] | None = None  # the request that has no answer yet

    # --- the six verbs, and one more ---

    def receive(self, octets: bytes, now: float) -> None:
        self._guarded(lambda: self._receive(octets, now), now)

    def tick(self, now: float) -> None:
        self._guarded(lambda: self._tick(now), now)

    def deadline(self) -> float | None:
        if self.ended is not None:
            return None
        dues = [self._parked.until] if self._parked is not None else [self._timer.due] if self._timer is not None else []
        bound = self._bound()
        return min([*dues, bound[0]] if bound is not None else dues, default=None)

    def octets_to_send(self) -> bytes:
        octets, self._out = b"".join(self._out), []
        return octets

    def events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def tell(self, fact: Fact, now: float) -> None:
        """Take something that became true. An answer that waited for it is given at once."""
        self._guarded(lambda: self._told(fact, now), now)

    def abort(self, reason: str, now: float) -> None:
        """End at once, without a word to the car: the hardware failed, or the station shuts down."""
        if self.ended is None:
            self._end("aborted", StationFailed(reason, None), now)

    # --- what the verbs do, between the guard without and the supervision at the end ---

    def _guarded(self, step: Callable[[], None], now: float) -> None:
        """Run a step and look at what it led to. What raises is a bug of ours or a value that no message holds: the session ends safely."""
        try:
            if self.ended is None:
                step()
            self._supervise(now)
        except Exception as error:
            self._broken(error, now)

    def _receive(self, octets: bytes, now: float) -> None:
        if not octets:
            how, error = (self._closing, None) if self._closing else ("closed by the car", ConnectionLost("the car closed the connection"))
            self._end(how, error, now)
        else:
            self._reader.feed(octets)
            self._work(now)

    def _tick(self, now: float) -> None:
        if self._parked is not None:
            if now >= self._parked.until:
                self._resume(now)
        elif self._timer is not None and now >= self._timer.due:
            timer, fault = self._timer, self.context.fault
            if self._closing:
                self._end(self._closing, None, now)
            elif fault is not None:
                self._end(_blamed(fault.error), fault.error, now)
            else:
                self._end("timed out", TimedOut(timer.name, timer.limit, f"no {timer.what}", "V2G20-443"), now)

    def _told(self, fact: Fact, now: float) -> None:
        self.context = told(fact, replace(self.context, now=now, wall=self._clock.wall(now)))
        self._supervise(now)
        if self._parked is not None:
            self._resume(now)

    # --- supervision ---

    def _bound(self) -> tuple[float, Fault] | None:
        """When supervision must look again, and what it will find then."""
        return None if self._closing or self.context.fault is not None else due(self.context)

    def _supervise(self, now: float) -> None:
        """End what must not be and what has lasted too long, in whatever state the session is."""
        known = self.context
        if self.ended is not None or (known.fault is not None and not known.fault.may_stop):
            return
        bound = self._bound()
        fault = hazard(known) or (bound[1] if bound is not None and now >= bound[0] else None)
        if fault is not None and (known.fault is None or not fault.may_stop):
            self._fail(fault, now)

    def _fail(self, fault: Fault, now: float) -> None:
        """Take the power away at once; the car hears why with its next answer, for which it has a moment."""
        known = self.context
        self._events.append(Noted(now, "fault", {"why": fault.error.reason, "requirement": fault.error.requirement}))
        selection = known.agreement.selection
        if fault.may_stop and selection is not None and selection.dc:
            self._events.append(SetOutput(now, 0.0, 0.0))  # the contactor is left for the welding detection
            self.context = replace(known, fault=fault, output_wanted=None)
        else:
            self._events += [OpenContactor(now)] if known.live else []
            self._events += [PowerStopped(now)] if known.delivering and not fault.may_stop else []
            self.context = replace(known, fault=fault, delivering=known.delivering and fault.may_stop, contactor_wanted=False)
        if self._closing:
            self._end(_blamed(fault.error), fault.error, now)
        elif self._parked is not None:
            self._resume(now)
        elif self._timer is not None:
            self._timer = replace(self._timer, due=min(self._timer.due, now + FAULT_ANSWER))

    # --- a request ---

    def _work(self, now: float) -> None:
        """Answer whole frames in their order, until one must wait or the session is over."""
        taken = 0
        while self.ended is None and self._parked is None and not self._closing:
            self._reader.limit = state_limit(self.context.state)
            try:
                received = self._reader.next()
            except FramingError as error:
                self._end("no frame", error, now)
                return
            if received is None:
                return
            taken += 1
            if taken > FRAMES_AT_ONCE:
                self._end(
                    "no frame", FramingError(f"more than {FRAMES_AT_ONCE} requests at once; each waits for the answer before it", None), now
                )
                return
            self._take(received.payload_type, received.payload, now)

    def _take(self, payload_type: int, exi: bytes, now: float) -> None:
        since = None if self._spoke is None else now - self._spoke
        self.heard = now
        try:
            name, reading, relaxed = decoded(payload_type, exi, self.context, now)
        except (DecodeError, FramingError) as error:
            self._events.append(FrameReceived(now, payload_type, "", exi, None, since))
            self._undecodable(error, now)
            return
        request, findings = reading.message, tuple(str(finding) for finding in reading.findings)
        self._events += [*relaxed, FrameReceived(now, payload_type, name, exi, request, since, findings)]
        self._answering = type(request)
        try:
            self.context, indulged = admit(request, payload_type, self.context, now)
            self._events += indulged
            self._answer(_Parked(request, now, exi, now), now)
        except (PeerMisbehaved, StationFailed) as refusal:
            self._refuse(type(request), refusal, now)

    def _answer(self, asked: _Parked, now: float) -> None:
        request, known = asked.request, self.context
        stops = isinstance(request, SessionStopReq) or getattr(request, "ChargeProgress", None) is chargeProgressType.Stop
        if known.fault is not None and not (known.fault.may_stop and stops):
            raise known.fault.error
        former: PausedSession | None = None
        wall = self._clock.wall(now)
        if isinstance(request, SessionSetupReq) and known.tls is not None and known.tls.peer_chain:
            former = self._paused.look(request.Header.SessionID, known.tls.peer_chain[0], wall)
        if known.stopping and type(request) in BEFORE_POWER and not known.delivering:
            raise Refused(responseCodeType.FAILED, known.stopping, None)
        seen = replace(known, now=now, wall=wall, received=asked.received, exi=asked.exi, former=former)
        answer = ANSWERS[type(request)](request, seen)
        self._events += answer.wants
        if isinstance(answer, Reply) and answer.objection is not None:
            self._events.append(Objected(now, type(request).__name__, answer.objection))
        if isinstance(answer, Pending):
            self.context, self._parked, self._timer = answer.known, replace(asked, until=answer.until), None
            return
        self._parked = None
        allowed = row(known.state, type(request))
        if allowed is None or answer.then not in allowed.then:
            raise Misuse(
                f"the answer to {type(request).__name__} in {known.state.value} leads to {answer.then.value}, which its row does not name"
            )
        self.context = _moved(known, answer, type(request), now)
        self._send(answer.response, now)
        self._move(type(request), answer, now)

    def _resume(self, now: float) -> None:
        """Try the answer that waited once more, then what came in the meantime."""
        assert self._parked is not None
        parked = self._parked
        try:
            self._answer(parked, now)
        except (PeerMisbehaved, StationFailed) as refusal:
            self._parked = None
            self._refuse(type(parked.request), refusal, now)
        if self._parked is None:
            self._work(now)

    def _move(self, request: type[Type], answer: Reply, now: float) -> None:
        """What follows a response: another state and its timer, or the end."""
        if answer.paused is not None:
            self._paused.keep(answer.paused)
        if answer.joined is not None:
            self._paused.drop(answer.joined)
        if request is supportedAppProtocolReq:
            self._negotiated(now)
        if self.ended is not None:
            return
        if answer.then is State.ENDED:
            self._closing = answer.how
            self._arm(CLOSE, SECC_TCP_CLOSE, now, "close")  # [V2G20-1643]
            self._events.append(StateEntered(now, answer.then.value, CLOSE, SECC_TCP_CLOSE))
            return
        if (
            frames.payload_type_of(request) < PayloadType.SCHEDULE_RENEGOTIATION or self._timer is None
        ):  # side streams do not touch the loop's timer
            limit = timing(request).sequence_timeout
            expected = " or ".join(r.__name__ for r in admitted(answer.then))
            self._arm(SEQUENCE, limit, now, expected)
            self._events.append(StateEntered(now, answer.then.value, SEQUENCE, limit))

    def _negotiated(self, now: float) -> None:
        if not self.context.schema_set:
            why = "no protocol in common" if self.context.negotiable else "this connection is not TLS 1.3 with both sides authenticated"
            self._end("not negotiated", PeerIncompatible(why, None if self.context.negotiable else "V2G20-2356"), now)
            return
        if self._relaxes:
            self._events.append(Relaxed(now, "ISO 15118-20 without TLS 1.3 (bench override)", "V2G20-2356"))
        tls = self.context.tls
        if tls is None or not isinstance(tls.verified, VerifiedChain):
            return
        if tls.verified.role is not Role.VEHICLE:
            self._events.append(Relaxed(now, PROVISIONING_AS_VEHICLE.name, PROVISIONING_AS_VEHICLE.requirement))
        if any(facts(one).lapses for one in tls.verified.chain):
            self._events.append(Relaxed(now, LOOSE_CERTIFICATES.name, LOOSE_CERTIFICATES.requirement))

    # --- the end ---

    def _undecodable(self, error: DecodeError | FramingError, now: float) -> None:
        """Octets that are no message: the paired response where it is clear what they wanted to be, and the end."""
        request = BY_NAME.get(error.path[0]) if isinstance(error, DecodeError) and error.path else None
        if request is None or isinstance(error, FramingError):
            self._end("undecodable", error if isinstance(error, FramingError) else FramingError(str(error)), now)
        elif error.path[1:3] == ("Header", "SessionID"):
            self._refuse(request, UnknownSession(str(error), "V2G20-460"), now)
        else:
            self._refuse(request, PeerMisbehaved(str(error), None), now)

    def _refuse(self, request: type[Type], refusal: PeerMisbehaved | StationFailed, now: float) -> None:
        """The smallest valid response with a FAILED code; it ends the session (-20, 8.6). Where there is EVSEStatus, it says Terminate."""
        self.context = replace(self.context, now=now, wall=self._clock.wall(now))
        if request is supportedAppProtocolReq:
            self._send(supportedAppProtocolRes(ResponseCode=sapCodeType.Failed_NoNegotiation), now)
        elif request in BY_NAME.values():
            given: dict[str, Any] = {"Header": self.context.header, "ResponseCode": refusal.code}
            if "EVSEStatus" in response_to(request).__struct_fields__ and (self.context.fault is not None or self.context.stopping):
                given["EVSEStatus"] = EVSEStatusType(NotificationMaxDelay=0, EVSENotification=evseNotificationType.Terminate)
            self._send(least(response_to(request), **given), now)
        self._end(_blamed(refusal), refusal, now)

    def _broken(self, error: Exception, now: float) -> None:
        """Something raised: the car is answered FAILED if it waits for an answer, and the outlet made safe in any case."""
        failed = StationFailed(f"internal error: {type(error).__name__}: {error}", None)
        failed.__cause__ = error
        waiting, self._parked = self._answering, None
        if self.ended is not None:
            return
        try:
            self._refuse(waiting, failed, now) if waiting is not None else self._end(_blamed(failed), failed, now)
        except Exception as again:
            failed.add_note(f"and then {type(again).__name__}: {again}")
            self._end(_blamed(failed), failed, now)

    def _end(self, how: str, error: SessionError | None, now: float) -> None:
        known = self.context
        if known.live:
            self._events.append(OpenContactor(now))
        if known.delivering:
            self._events.append(PowerStopped(now))
        self.context = replace(known, state=State.ENDED, delivering=False, contactor_wanted=False)
        self._parked = self._timer = None
        why = {} if error is None else {"why": error.reason, "requirement": error.requirement}
        self.ended = Ended(how, error)
        self._events.append(Noted(now, "ended", {"how": how, **why, **_energies(known)}))

    def _arm(self, name: str, limit: float, now: float, what: str) -> None:
        self._timer = _Timer(name, limit, now + limit, what)

    def _send(self, message: Type, now: float) -> None:
        payload_type = frames.payload_type_of(type(message))
        exi = frames.exi(message)
        self._out.append(frame(payload_type, exi))
        since = None if self.heard is None else now - self.heard
        self._events.append(FrameSent(now, payload_type, frames.SETS[payload_type], exi, message, since))
        self._spoke, self._answering = now, None


def _moved(known: Context, answer: Reply, request: type[Type], now: float) -> Context:
    """The context after an answer: its state, and since when the car polls in it or has had a loop."""
    stays, after = answer.then is known.state, answer.known
    loops = request in CHARGE_LOOPS or (after.delivering and not known.delivering)
    return replace(
        after,
        state=answer.then,
        former=None,
        polled=(now if known.polled is None else known.polled) if stays else None,
        looped=now if loops else after.looped,
        fault=None,
    )


def _blamed(error: SessionError) -> str:
    """How a session ends that had to: refused for what the car did, failed for what is ours."""
    return "failed" if isinstance(error, StationFailed) else "refused"


def _energies(known: Context) -> dict[str, int]:
    """Wh of the session, where a meter says something that is a number."""
    try:
        return {} if known.meter is None else {"charged": known.meter.charged, "discharged": known.meter.discharged}
    except (ValueError, OverflowError):
        return {}
