"""The functions by which the station's engine speaks ISO 15118-20, gathered in one `Conduct`."""

from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from pki.certificate import facts
from pki.profiles import Role
from pki.tariff import price_schedules
from pki.verify import VerifiedChain
from secc.conduct import Conduct, Ending, Replied, Say, Surroundings
from secc.foreseen import Foreseen
from secc.iso20.answers import ANSWERS
from secc.iso20.authorization import foresee
from secc.iso20.notices import header
from secc.iso20.objections import warning
from secc.iso20.phases import PHASES
from secc.iso20.requests import admit, decode
from secc.iso20.verifier import PkiVerifier, contract_chain
from secc.neutral.context import Agreement, Context, Given, Moment, Pending, Reply, Step
from secc.neutral.ending import account, over
from secc.neutral.facts import learn
from secc.neutral.replaced import replaced
from secc.neutral.report import StationReport
from secc.neutral.supervision import FAULT_ANSWER, due, supervise
from secc.pause import PausedSession
from secc.reception import REFUSAL, REQUEST
from secc.record import Remembered, SessionGiven, Witnessed, drawing
from secc.station import Objected
from v2g.exi.derive import least
from v2g.exi.schema import Type
from v2g.iso20.generation import ISO20
from v2g.iso20.modes import ac_modes
from v2g.iso20.refusals import code_of
from v2g.iso20.sequence import CHARGE_LOOPS, State
from v2g.iso20.services import PROTOCOLS, SERVICES, schema_sets
from v2g.messages import ac, dc
from v2g.messages.app_protocol import supportedAppProtocolReq, supportedAppProtocolRes
from v2g.messages.common_messages import (
    MeteringConfirmationReq,
    PowerDeliveryReq,
    ScheduleExchangeRes,
    SessionSetupReq,
    SessionStopReq,
    chargeProgressType,
)
from v2g.messages.common_types import EVSEStatusType, evseNotificationType
from v2g.reasons import Reason
from v2g.session.endpoint import Event
from v2g.session.errors import PeerIncompatible, PeerMisbehaved, Refused, StationFailed, UnknownSession
from v2g.session.generation import Incoming
from v2g.session.profiles import LOOSE_CERTIFICATES, PROVISIONING_AS_VEHICLE, WITHOUT_TLS, Deviation
from v2g.session.sap import Protocol, offered

GENERATION = "20"  # by which an outlet names it
LOOPS = (*CHARGE_LOOPS, dc.DC_WeldingDetectionReq, MeteringConfirmationReq)
BEFORE_POWER = frozenset(ISO20.responses) - {REQUEST, SessionStopReq, PowerDeliveryReq, *LOOPS}  # refused once the station stops


def beginning(around: Surroundings, say: Say, now: float) -> tuple[Context, Event]:
    """The context of a fresh session, and its event for the trace.

    ISO 15118-20 is negotiable only on TLS 1.3 with both sides authenticated [V2G20-2356], or where a bench allows it without.
    """
    secure = around.tls is not None and around.tls.carries_20
    spoken = GENERATION in around.outlet.generations and (secure or around.insecure)
    sets = schema_sets(around.outlet.services) if spoken else ()
    verified = None if around.tls is None else around.tls.verified
    proved = around.identity or (verified.common_name if isinstance(verified, VerifiedChain) else "")
    given = Given(
        outlet=around.outlet,
        entropy=drawing(around.entropy, say),
        verifier=None if around.verifier is None else Witnessed(around.verifier, say),
        foreseen=around.verifier if isinstance(around.verifier, Foreseen) else None,
        prices=around.prices,
        tls=around.tls,
        proved=proved,
        chain=around.chain or _chain(verified),
        negotiable=sets,
        let_pass=around.let_pass or _let_pass(verified),
        phases=PHASES,
    )
    certificate = around.tls is not None and bool(around.tls.peer_chain)
    bench = not secure and around.insecure
    signs = (around.verifier is not None, around.prices is not None)
    passed = tuple(deviation.name for deviation in given.let_pass)
    record = SessionGiven(now, around.outlet, sets, bench, certificate, *signs, proved, passed, around.version)
    return Context(given, StationReport(limits=around.outlet.limits), step=Step(state=State.SUPPORTED_APP_PROTOCOL)), record


def protocols(known: Context) -> tuple[Protocol, ...]:
    """The protocols that may be selected on this connection."""
    return tuple(PROTOCOLS[name] for name in known.given.negotiable)


def settle(known: Context, request: supportedAppProtocolReq, response: supportedAppProtocolRes, protocol: Protocol | None) -> Reply:
    """The reply that carries the negotiation's response, and leads to SessionSetup or, without a protocol, to the end."""
    if protocol is None:
        return Reply(response, State.ENDED, known)
    return Reply(response, State.SESSION_SETUP, known.with_session(schema_set=protocol.schema_set, offered=offered(request)))


def welcome(known: Context, insecure: bool, now: float) -> tuple[Event, ...] | PeerIncompatible:
    """The deviations of the connection that were let pass, once it carries this generation; else the reason why there is no session."""
    tls = known.given.tls
    if not known.session.schema_set:
        if known.given.negotiable:
            return PeerIncompatible("no protocol in common", "V2G20-169")
        return PeerIncompatible("this connection is not TLS 1.3 with both sides authenticated", "V2G20-2356")
    bench = (WITHOUT_TLS.used(now),) if insecure and not (tls is not None and tls.carries_20) else ()
    return (*bench, *(deviation.used(now) for deviation in known.given.let_pass))


def _chain(verified: object) -> tuple[bytes, ...]:
    """The certificates of a car as they were verified, leaf first, the root last; empty where nothing was."""
    shown = (*verified.chain, verified.anchor) if isinstance(verified, VerifiedChain) else ()
    return tuple(each.public_bytes(Encoding.DER) for each in shown)


def _let_pass(verified: object) -> tuple[Deviation, ...]:
    """The deviations of the car's certificates, which TLS has let pass."""
    if not isinstance(verified, VerifiedChain):
        return ()
    role = () if verified.role is Role.VEHICLE else (PROVISIONING_AS_VEHICLE,)
    return (*role, *((LOOSE_CERTIFICATES,) if any(facts(one).lapses for one in verified.chain) else ()))


def at_moment(known: Context, now: float, wall: float, received: float, exi: bytes) -> Context:
    """The context at a moment: `now` and `received` in session time (s), `wall` in epoch s, `exi` the octets of the request."""
    moment: Context = replaced(known, {"moment": Moment(now=now, wall=wall, received=received, exi=exi)})
    return moment


def answer(request: Type, known: Context) -> Reply | Pending:
    """The answer to a request, by the function for its class. Raises PeerMisbehaved or StationFailed where a fault or a stop forbids it."""
    stops = isinstance(request, SessionStopReq) or getattr(request, "ChargeProgress", None) is chargeProgressType.Stop
    if known.session.fault is not None and not (known.session.fault.may_stop and stops):
        raise known.session.fault.error
    aside = ISO20.beside(known.state, type(request)) is not None  # what crosses the end of power is no way to it
    if known.stopping and type(request) in BEFORE_POWER and not known.delivering and not aside:
        raise Refused(Reason.OTHER, known.stopping, None)
    found = ANSWERS[type(request)](request, known)
    if isinstance(found, Reply) and found.objection is not None:
        objected = Objected(known.now, type(request).__name__, warning(found.objection).value, found.objection)
        found = replace(found, wants=(*found.wants, objected))
    return found


def resumption(request: Type, known: Context) -> tuple[bytes, bytes] | None:
    """The SessionID that a car wants to resume and its certificate (DER); None for a request that does not resume."""
    tls = known.given.tls
    if not isinstance(request, SessionSetupReq) or tls is None or not tls.peer_chain:
        return None
    return request.Header.SessionID, tls.peer_chain[0]


def recall(known: Context, former: PausedSession, say: Say) -> Context:
    """The context with the paused session of this car, which it may resume."""
    say(lambda now: Remembered.of(now, former))
    return replace(known, moment=replace(known.moment, former=former))


def waits(reply: Replied) -> float | None:
    """The time (session time, s) until which the answer waits for a fact; None: it is there."""
    return reply.until if isinstance(reply, Pending) else None


def ending(reply: Replied) -> Ending:
    """The response of a reply, the state it leads to, and how the session ends where it does."""
    assert isinstance(reply, Reply)
    return Ending(reply.response, reply.then, reply.how, reply.paused, reply.joined, reply.signature)


def advance(known: Context, reply: Replied, request: type[Type], now: float) -> Context:
    """The context after an answer: the next state, since when the car polls in it, and when it last had a charge loop.

    What is asked beside the main stream begins no poll.
    """
    assert isinstance(reply, Reply)
    stays, after = reply.then is known.state, reply.known
    loops = request in CHARGE_LOOPS or (after.delivering and not known.delivering)
    begun = None if ISO20.beside(known.state, request) is not None else now
    since = begun if known.step.polled is None else known.step.polled
    after = after.with_service(looped=now) if loops else after
    moved: Context = replaced(after, {"step": Step(state=reply.then, polled=since if stays else None)})
    return moved.with_session(fault=None)


def refusal(request: type[Type], refused: PeerMisbehaved | StationFailed, known: Context) -> Type | None:
    """The smallest valid response to `request` with the FAILED code of `refused`; None: there is no such response.

    After a fault or a stop its EVSEStatus, where it has one, says Terminate.
    """
    if request is REQUEST:
        return REFUSAL
    response = ISO20.responses.get(request)
    if response is None:
        return None
    given: dict[str, Any] = {"Header": header(known), "ResponseCode": code_of(refused.kind)}
    given |= _in_kind(response, known)
    if "EVSEStatus" in response.__struct_fields__ and (known.session.fault is not None or known.stopping):
        given["EVSEStatus"] = EVSEStatusType(NotificationMaxDelay=0, EVSENotification=evseNotificationType.Terminate)
    return least(response, **given)


def _in_kind(response: type[Type], known: Context) -> dict[str, Any]:
    """The mode of a refusal in a session of an amendment: without it the response would be one of AC, under AC's payload type."""
    row = next((row for row in SERVICES.values() if row.der and row.schema_set == known.session.schema_set), None)
    if row is None:
        return {}
    modes, selection = ac_modes(row), known.agreement.selection
    says = {
        ac.AC_ChargeParameterDiscoveryRes: ("AC_CPDResEnergyTransferMode", modes.says),
        ac.AC_ChargeLoopRes: ("CLResControlMode", modes.loop[selection.control if selection else "Scheduled"][1]),
    }.get(response)
    return {} if says is None else {says[0]: least(says[1])}


def undecodable(path: tuple[str, ...], reason: str) -> tuple[type[Type], PeerMisbehaved] | None:
    """The request class that undecodable octets began as, and the error to answer it with; None where no request can be told."""
    request = ISO20.request_named(path[0]) if path else None
    if request is None:
        return None
    if path[1:3] == ("Header", "SessionID"):
        return request, UnknownSession(reason, "V2G20-460")
    return request, PeerMisbehaved(reason, None)


def same(before: Context, after: Context) -> bool:
    """Whether two contexts differ in nothing but the time."""
    return bool(replaced(before, {"moment": after.moment}) == after)


def signatures(heard: Incoming) -> tuple[Any, ...]:
    """The signature under the prices of a schedule, None where there was no key; empty where they were not to be signed."""
    response = heard.reading.message
    if not isinstance(response, ScheduleExchangeRes) or all(each.Id is None for each in price_schedules(response)):
        return ()
    return (response.Header.Signature,)


def _next_look(known: Context) -> float | None:
    bound = due(known)
    return None if bound is None else bound[0]


CONDUCT = Conduct(
    generation=ISO20,
    beginning=beginning,
    protocols=protocols,
    settle=settle,
    welcome=welcome,
    decode=decode,
    admit=admit,
    at_moment=at_moment,
    resumption=resumption,
    recall=recall,
    answer=answer,
    waits=waits,
    ending=ending,
    advance=advance,
    refusal=refusal,
    undecodable=undecodable,
    learn=learn,
    supervise=supervise,
    due=_next_look,
    over=lambda known, now: over(known, State.ENDED, now),
    state=lambda known: known.state,
    fault=lambda known: known.session.fault,
    session_id=lambda known: known.session.id,
    same=same,
    account=account,
    stop_reason=lambda known: known.stopping,
    agreement=Agreement,
    verifier=PkiVerifier,
    contract_chain=contract_chain,
    signatures=signatures,
    fault_answer=FAULT_ANSWER,
    silent="V2G20-443",
    signing=frozenset({State.AUTHORIZATION}),
    foresee=foresee,
)
