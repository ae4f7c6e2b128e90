"""The station's side of one session: octets and facts in, octets and wants out.

    frame -> message -> session id -> row -> stream -> answer -> successor -> frame

Order is the table in `v2g.session.sequence`, content the functions in `secc.answers`; this engine adds what holds for every request:
identity, time, refusals, and that an outlet is safe before anything else once a session is over. A session never raises at its shell: it
ends with a value. What the station must do is among its events (`secc.station.Want`), what became true is told to it (`tell`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pki.profiles import Role
from pki.verify import VerifiedChain
from secc.answers import ANSWERS
from secc.context import Context, PausedSession, Pending, PriceSigner, Reply, Verifier
from secc.facts import told
from secc.outlet import Outlet
from secc.pause import PausedSessions
from secc.services import SCHEMA_SETS
from secc.station import Fact, OpenContactor, PowerStopped
from v2g.exi.derive import least
from v2g.exi.errors import DecodeError
from v2g.exi.schema import Type
from v2g.messages import ac, dc
from v2g.messages.app_protocol import responseCodeType as sapCodeType
from v2g.messages.app_protocol import supportedAppProtocolReq, supportedAppProtocolRes
from v2g.messages.common_messages import (
    CertificateInstallationReq,
    MeteringConfirmationReq,
    PowerDeliveryReq,
    SessionSetupReq,
    SessionStopReq,
)
from v2g.messages.common_types import V2GRequestType, responseCodeType
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
    SequenceError,
    SessionError,
    StationFailed,
    TimedOut,
    UnknownSession,
)
from v2g.session.profiles import PRE_CHARGE_UNFINISHED, PROVISIONING_AS_VEHICLE
from v2g.session.sequence import REQUESTS, State, admitted, response_to, row
from v2g.session.timing import SECC_COMMUNICATION_SETUP_TIMEOUT, SECC_TCP_CLOSE, timing
from v2g.session.tls import TlsFacts
from v2g.session.v2gtp import FrameReader, PayloadType, frame

PRE_CHARGE_MATCH = 20.0  # V between output and target at which contactors may close [IEC 61851-23]
LOOPS = (ac.AC_ChargeLoopReq, dc.DC_ChargeLoopReq, dc.DC_WeldingDetectionReq, MeteringConfirmationReq)
_BY_NAME = {request.__name__: request for request in REQUESTS}
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
        self._reader = FrameReader()
        self._out: list[bytes] = []
        self._events: list[Event] = []
        self._parked: _Parked | None = None
        self._closing = ""  # how the session ended, once it waits for the car to close
        self._timer: _Timer | None = None
        self._arm(SETUP, SECC_COMMUNICATION_SETUP_TIMEOUT, now, "supportedAppProtocolReq")
        self.heard: float | None = None  # when the last request came
        self._spoke: float | None = None

    # --- the six verbs, and one more ---

    def receive(self, octets: bytes, now: float) -> None:
        if self.ended is None and not octets:
            how, error = (self._closing, None) if self._closing else ("closed by the car", ConnectionLost("the car closed the connection"))
            self._end(how, error, now)
        elif self.ended is None:
            self._reader.feed(octets)
            self._work(now)

    def tick(self, now: float) -> None:
        if self.ended is not None:
            return
        if self._parked is not None:
            if now >= self._parked.until:
                self._resume(now)
        elif self._timer is not None and now >= self._timer.due:
            timer = self._timer
            if self._closing:
                self._end(self._closing, None, now)
            else:
                self._end("timed out", TimedOut(timer.name, timer.limit, f"no {timer.what}", "V2G20-443"), now)

    def deadline(self) -> float | None:
        if self.ended is not None:
            return None
        return self._parked.until if self._parked is not None else self._timer.due if self._timer is not None else None

    def octets_to_send(self) -> bytes:
        octets, self._out = b"".join(self._out), []
        return octets

    def events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def tell(self, fact: Fact, now: float) -> None:
        """Take something that became true. An answer that waited for it is given at once."""
        if self.ended is not None:
            return
        self.context = told(fact, replace(self.context, now=now, wall=self._clock.wall(now)))
        if self._parked is not None:
            self._resume(now)

    def abort(self, reason: str, now: float) -> None:
        """End at once, without a word to the car: the hardware failed, or the station shuts down."""
        if self.ended is None:
            self._end("aborted", StationFailed(reason), now)

    # --- a request ---

    def _work(self, now: float) -> None:
        """Answer whole frames in their order, until one must wait or the session is over."""
        while self.ended is None and self._parked is None and not self._closing:
            try:
                received = self._reader.next()
            except FramingError as error:
                self._end("no frame", error, now)
                return
            if received is None:
                return
            self._take(received.payload_type, received.payload, now)

    def _take(self, payload_type: int, exi: bytes, now: float) -> None:
        since = None if self._spoke is None else now - self._spoke
        self.heard = now
        try:
            name, request = self._decoded(payload_type, exi, now)
        except (DecodeError, FramingError) as error:
            self._events.append(FrameReceived(now, payload_type, "", exi, None, since))
            self._undecodable(error, now)
            return
        self._events.append(FrameReceived(now, payload_type, name, exi, request, since))
        try:
            self._admit(request, payload_type, now)
            self._answer(_Parked(request, now, exi, now), now)
        except PeerMisbehaved as refusal:
            self._refuse(type(request), refusal, now)

    def _decoded(self, payload_type: int, exi: bytes, now: float) -> tuple[str, Type]:
        """The message and its schema set. One public car frames its CertificateInstallationReq like -2: let in, and said aloud."""
        if payload_type == PayloadType.EXI and self.context.schema_set:
            try:
                request = frames.message(payload_type, exi, "common")
            except DecodeError:
                request = None
            if isinstance(request, CertificateInstallationReq):
                self._events.append(Relaxed(now, "CertificateInstallationReq under payload type 0x8001", "Table 12"))
                return "common", request
        message = frames.message(payload_type, exi)
        return frames.SETS[PayloadType(payload_type)], message

    def _admit(self, request: Type, payload_type: int, now: float) -> None:
        """Whether this request may be answered here: whose it is, whether it is its turn, on which stream it came."""
        kind, known = type(request), self.context
        if kind not in _BY_NAME.values():
            raise PeerMisbehaved(f"{kind.__name__} is no request that a station answers")
        started = known.state not in (State.SUPPORTED_APP_PROTOCOL, State.SESSION_SETUP)
        if started and isinstance(request, V2GRequestType) and kind is not SessionSetupReq and request.Header.SessionID != known.session_id:
            raise UnknownSession(f"{kind.__name__} has SessionID {request.Header.SessionID.hex()}", "V2G20-460")
        if row(known.state, kind) is None and not self._indulged(kind, now):
            allowed = ", ".join(r.__name__ for r in admitted(known.state)) or "nothing"
            raise SequenceError(f"{kind.__name__} came, expected is {allowed}", "V2G20-459")
        expected = frames.payload_type_of(kind)
        tolerated = kind is CertificateInstallationReq and payload_type == PayloadType.EXI
        if payload_type != expected and not tolerated:
            raise SequenceError(f"{kind.__name__} came under payload type 0x{payload_type:04X}, its own is 0x{expected:04X}")

    def _indulged(self, request: type[Type], now: float) -> bool:
        """Whether the profile lets a car start power that never called its pre-charge finished."""
        known = self.context
        matched = abs(known.output.voltage - known.target_voltage) <= PRE_CHARGE_MATCH
        early = known.state is State.DC_PRE_CHARGE and request is PowerDeliveryReq
        if not (early and matched and known.outlet.puts_up_with(PRE_CHARGE_UNFINISHED)):
            return False
        self._events.append(Relaxed(now, PRE_CHARGE_UNFINISHED.name, PRE_CHARGE_UNFINISHED.requirement))
        self.context = replace(known, state=State.DC_START)
        return True

    def _answer(self, asked: _Parked, now: float) -> None:
        request, known = asked.request, self.context
        former: PausedSession | None = None
        wall = self._clock.wall(now)
        if isinstance(request, SessionSetupReq) and known.tls is not None and known.tls.peer_chain:
            former = self._paused.take(request.Header.SessionID, known.tls.peer_chain[0], wall)
        if known.stopping and type(request) in BEFORE_POWER:
            raise Refused(responseCodeType.FAILED, known.stopping)
        seen = replace(known, now=now, wall=wall, received=asked.received, exi=asked.exi, former=former)
        answer = ANSWERS[type(request)](request, seen)
        self._events += answer.wants
        if isinstance(answer, Pending):
            self.context, self._parked, self._timer = answer.known, replace(asked, until=answer.until), None
            return
        self._parked = None
        allowed = row(known.state, type(request))
        if allowed is None or answer.then not in allowed.then:
            raise Misuse(
                f"the answer to {type(request).__name__} in {known.state.value} leads to {answer.then.value}, which its row does not name"
            )
        self.context = replace(answer.known, state=answer.then, former=None)
        self._send(answer.response, now)
        self._move(type(request), answer, now)

    def _resume(self, now: float) -> None:
        """Try the answer that waited once more, then what came in the meantime."""
        assert self._parked is not None
        parked = self._parked
        try:
            self._answer(parked, now)
        except PeerMisbehaved as refusal:
            self._parked = None
            self._refuse(type(parked.request), refusal, now)
        if self._parked is None:
            self._work(now)

    def _move(self, request: type[Type], answer: Reply, now: float) -> None:
        """What follows a response: another state and its timer, or the end."""
        if answer.paused is not None:
            self._paused.keep(answer.paused)
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
        if tls is not None and isinstance(tls.verified, VerifiedChain) and tls.verified.role is not Role.VEHICLE:
            self._events.append(Relaxed(now, PROVISIONING_AS_VEHICLE.name, PROVISIONING_AS_VEHICLE.requirement))

    # --- the end ---

    def _undecodable(self, error: DecodeError | FramingError, now: float) -> None:
        """Octets that are no message: the paired response where it is clear what they wanted to be, and the end."""
        request = _BY_NAME.get(error.path[0]) if isinstance(error, DecodeError) and error.path else None
        if request is None or isinstance(error, FramingError):
            self._end("undecodable", error if isinstance(error, FramingError) else FramingError(str(error)), now)
        elif error.path[1:3] == ("Header", "SessionID"):
            self._refuse(request, UnknownSession(str(error), "V2G20-460"), now)
        else:
            self._refuse(request, PeerMisbehaved(str(error)), now)

    def _refuse(self, request: type[Type], refusal: PeerMisbehaved, now: float) -> None:
        """The smallest valid response with a FAILED code; it ends the session (-20, 8.6)."""
        self.context = replace(self.context, now=now, wall=self._clock.wall(now))
        if request is supportedAppProtocolReq:
            self._send(supportedAppProtocolRes(ResponseCode=sapCodeType.Failed_NoNegotiation), now)
        elif request in _BY_NAME.values():
            given: dict[str, Any] = {"Header": self.context.header, "ResponseCode": refusal.code}
            self._send(least(response_to(request), **given), now)
        self._end("refused", refusal, now)

    def _end(self, how: str, error: SessionError | None, now: float) -> None:
        known = self.context
        if known.energised:
            self._events.append(OpenContactor(now))
        if known.delivering:
            self._events.append(PowerStopped(now))
        self.context = replace(known, state=State.ENDED, delivering=False, contactor_wanted=False)
        self._parked = self._timer = None
        why = {} if error is None else {"why": str(error), "requirement": error.requirement}
        meter = {} if known.meter is None else {"charged": known.meter.charged, "discharged": known.meter.discharged}  # Wh
        self._events.append(Noted(now, "ended", {"how": how, **why, **meter}))
        self.ended = Ended(how, error)

    def _arm(self, name: str, limit: float, now: float, what: str) -> None:
        self._timer = _Timer(name, limit, now + limit, what)

    def _send(self, message: Type, now: float) -> None:
        payload_type = frames.payload_type_of(type(message))
        exi = frames.exi(message)
        self._out.append(frame(payload_type, exi))
        since = None if self.heard is None else now - self.heard
        self._events.append(FrameSent(now, payload_type, frames.SETS[payload_type], exi, message, since))
        self._spoke = now
