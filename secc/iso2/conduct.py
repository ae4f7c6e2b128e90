"""The functions by which the station's engine speaks ISO 15118-2, gathered in one `Conduct`."""

from dataclasses import replace
from typing import Any

from pki.tariff import sales_tariffs
from secc.conduct import Conduct, Ending, Replied, Say, Surroundings
from secc.iso2.answers import ANSWERS
from secc.iso2.ev_status import heard, telling
from secc.iso2.notices import ac_status, dc_status
from secc.iso2.phases import PHASES
from secc.iso2.requests import admit, decode
from secc.iso2.selection import modes
from secc.iso2.setup import proof
from secc.iso2.verifier import PkiVerifier, contract_chain
from secc.neutral.context import NO_SESSION, Agreement, Context, Given, Moment, Pending, Reply, Step
from secc.neutral.ending import account, over
from secc.neutral.facts import learn
from secc.neutral.report import StationReport
from secc.neutral.supervision import FAULT_ANSWER, due, supervise
from secc.pause import PausedSession
from secc.reception import REFUSAL, REQUEST
from secc.record import Remembered, SessionGiven, Witnessed, drawing
from v2g.exi.derive import least
from v2g.exi.schema import Type
from v2g.iso2.generation import ISO2
from v2g.iso2.refusals import code_of
from v2g.iso2.sequence import CHARGE_LOOPS, State
from v2g.iso2.services import PROTOCOL
from v2g.messages.app_protocol import supportedAppProtocolReq, supportedAppProtocolRes
from v2g.messages.iso2.msg_body import (
    MeteringReceiptReq,
    PowerDeliveryReq,
    SessionSetupReq,
    SessionStopReq,
    WeldingDetectionReq,
)
from v2g.messages.iso2.msg_data_types import EVSEStatusType, chargeProgressType
from v2g.reasons import Reason
from v2g.session.endpoint import Event
from v2g.session.errors import PeerIncompatible, PeerMisbehaved, Refused, StationFailed
from v2g.session.generation import Incoming
from v2g.session.sap import Protocol, offered

GENERATION = "2"  # by which an outlet names it
LOOPS = (*CHARGE_LOOPS, WeldingDetectionReq, MeteringReceiptReq)
BEFORE_POWER = frozenset(ISO2.responses) - {REQUEST, SessionStopReq, PowerDeliveryReq, *LOOPS}  # refused once the station stops


def beginning(around: Surroundings, say: Say, now: float) -> tuple[Context, Event]:
    """The context of a fresh session, and its event for the trace. Any connection carries this generation, where the outlet speaks it."""
    given = Given(
        outlet=around.outlet,
        entropy=drawing(around.entropy, say),
        verifier=None if around.verifier is None else Witnessed(around.verifier, say),
        prices=around.prices,
        tls=around.tls,
        chain=around.chain,
        negotiable=(PROTOCOL.schema_set,) if GENERATION in around.outlet.generations else (),
        phases=PHASES,
    )
    signs = (around.verifier is not None, around.prices is not None)
    record = SessionGiven(now, around.outlet, given.negotiable, False, False, *signs, tls=around.version)
    return Context(given, StationReport(limits=around.outlet.limits), step=Step(state=State.SUPPORTED_APP_PROTOCOL)), record


def protocols(known: Context) -> tuple[Protocol, ...]:
    """The protocol, where it may be selected: the outlet must have something to offer by it."""
    return (PROTOCOL,) if known.given.negotiable and modes(known) else ()


def settle(known: Context, request: supportedAppProtocolReq, response: supportedAppProtocolRes, protocol: Protocol | None) -> Reply:
    """The reply that carries the negotiation's response, and leads to SessionSetup or, without a protocol, to the end."""
    if protocol is None:
        return Reply(response, State.ENDED, known)
    return Reply(response, State.SESSION_SETUP, known.with_session(schema_set=protocol.schema_set, offered=offered(request)))


def welcome(known: Context, insecure: bool, now: float) -> tuple[Event, ...] | PeerIncompatible:
    """Nothing is let pass of a connection, which this generation may have without TLS; the reason why there is no session."""
    return () if known.session.schema_set else PeerIncompatible("no protocol in common", "V2G2-172")


def at_moment(known: Context, now: float, wall: float, received: float, exi: bytes) -> Context:
    """The context at a moment: `now` and `received` in session time (s), `wall` in epoch s, `exi` the octets of the request."""
    return replace(known, moment=Moment(now=now, wall=wall, received=received, exi=exi))


def answer(request: Type, known: Context) -> Reply | Pending:
    """The answer to a request, by the function for its class. Raises PeerMisbehaved or StationFailed where a fault or a stop forbids it."""
    stops = isinstance(request, SessionStopReq) or getattr(request, "ChargeProgress", None) is chargeProgressType.Stop
    if known.session.fault is not None and not (known.session.fault.may_stop and stops):
        raise known.session.fault.error
    known, told = heard(request, known)
    if known.stopping and type(request) in BEFORE_POWER and not known.delivering:
        raise Refused(Reason.OTHER, known.stopping, None)
    return telling(told, ANSWERS[type(request)](request, known))


def resumption(request: Type, known: Context) -> tuple[bytes, bytes] | None:
    """The SessionID that a car wants to come back to, and what ties it to that car; None for a request that does not."""
    if not isinstance(request, SessionSetupReq) or known.step.told == NO_SESSION:
        return None
    return known.step.told, proof(request.EVCCID.hex().upper())


def recall(known: Context, former: PausedSession, say: Say) -> Context:
    """The context with the paused session of this car, which it may join."""
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
    """The context after an answer: the next state, since when the car polls in it, and when it last had a charge loop."""
    assert isinstance(reply, Reply)
    stays, after = reply.then is known.state, reply.known
    loops = request in CHARGE_LOOPS or (after.delivering and not known.delivering)
    since = now if known.step.polled is None else known.step.polled
    after = after.with_service(looped=now) if loops else after
    return replace(after, step=Step(state=reply.then, polled=since if stays else None)).with_session(fault=None)


def refusal(request: type[Type], refused: PeerMisbehaved | StationFailed, known: Context) -> Type | None:
    """The smallest valid response to `request` with the FAILED code of `refused`; None: there is no such response.

    Its status, where it has one, says how the outlet is, and StopCharging after a fault or a stop.
    """
    if request is REQUEST:
        return REFUSAL
    response = ISO2.responses.get(request)
    if response is None:
        return None
    selection, fields = known.agreement.selection, response.__struct_fields__
    given: dict[str, Any] = {"ResponseCode": code_of(refused.kind)}
    if "AC_EVSEStatus" in fields:
        given["AC_EVSEStatus"] = ac_status(known)
    if "DC_EVSEStatus" in fields:
        given["DC_EVSEStatus"] = dc_status(known, ready=False)
    if "EVSEStatus" in fields:
        given["EVSEStatus"] = dc_status(known, ready=False) if selection is not None and selection.dc else ac_status(known)
    assert all(isinstance(value, EVSEStatusType) for name, value in given.items() if name.endswith("Status"))
    return least(response, **given)


def undecodable(path: tuple[str, ...], reason: str) -> tuple[type[Type], PeerMisbehaved] | None:
    """The request class that undecodable octets began as, and the error to answer it with; None where no request can be told."""
    named = (ISO2.request_named(name) for name in path[:3])
    request = next((each for each in named if each is not None), None)
    return None if request is None else (request, PeerMisbehaved(reason, None))


def same(before: Context, after: Context) -> bool:
    """Whether two contexts differ in nothing but the time."""
    return replace(before, moment=after.moment) == after


def signatures(sent: Incoming) -> tuple[Any, ...]:
    """The signature under the tariffs of a response, None where there was no key; empty where they were not to be signed."""
    wanted = any(each.Id is not None for each in sales_tariffs(sent.reading.message))
    return (sent.signature,) if wanted else ()


def _next_look(known: Context) -> float | None:
    bound = due(known)
    return None if bound is None else bound[0]


CONDUCT = Conduct(
    generation=ISO2,
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
    silent="V2G2-443",
)
