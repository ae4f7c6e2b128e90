"""The functions by which the station's engine speaks a generation whose messages come in an envelope, gathered in one `Conduct`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any

from secc.claims import Trust, Verifier
from secc.conduct import Conduct, Ending, Replied, Say, Surroundings
from secc.enveloped.ev_status import heard, telling
from secc.enveloped.requests import admit, decode
from secc.enveloped.words import Words
from secc.foreseen import Foreseen
from secc.neutral.context import Agreement, Context, Given, Moment, Pending, Reply, Step
from secc.neutral.ending import account, over
from secc.neutral.facts import learn
from secc.neutral.phases import Phases
from secc.neutral.report import StationReport
from secc.neutral.supervision import FAULT_ANSWER, due, supervise
from secc.pause import PausedSession
from secc.reception import REFUSAL, REQUEST
from secc.record import Remembered, SessionGiven, Witnessed, drawing
from v2g.exi.derive import least
from v2g.exi.schema import Type
from v2g.messages.app_protocol import supportedAppProtocolReq, supportedAppProtocolRes
from v2g.reasons import Reason
from v2g.session.endpoint import Event
from v2g.session.errors import PeerIncompatible, PeerMisbehaved, Refused, StationFailed
from v2g.session.generation import Incoming
from v2g.session.sap import Protocol, offered

Answers = Mapping[type[Type], Callable[..., Reply | Pending]]
Statuses = Callable[[Context, tuple[str, ...]], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What each of these generations does by itself: `statuses` gives those of a response's fields that say how the outlet is."""

    carries: Callable[[Surroundings], bool]  # whether a connection may have it
    offers: Callable[[Context], bool]  # whether the outlet has anything to offer by it
    statuses: Statuses
    resumption: Callable[[Type, Context], tuple[bytes, bytes] | None]
    verifier: Callable[[Trust], Verifier]
    contract_chain: Callable[[Type], tuple[bytes, ...]]
    signatures: Callable[[Incoming], tuple[Any, ...]]
    signing: frozenset[Enum] = frozenset()
    foresee: Callable[..., None] = lambda heard, known, wall: None


def conduct_of(words: Words, answers: Answers, phases: Phases, own: Own) -> Conduct:
    """The conduct of the generation with these words and answers, and what it does by itself."""
    return Conduct(
        generation=words.generation,
        beginning=partial(_beginning, words, phases, own.carries),
        protocols=lambda known: (words.protocol,) if known.given.negotiable and own.offers(known) else (),
        settle=partial(_settle, words),
        welcome=partial(_welcome, words),
        decode=partial(decode, words),
        admit=partial(admit, words),
        at_moment=_at_moment,
        resumption=own.resumption,
        recall=_recall,
        answer=partial(_answer, words, answers),
        waits=_waits,
        ending=_ending,
        advance=partial(_advance, words),
        refusal=partial(_refusal, words, own.statuses),
        undecodable=partial(_undecodable, words),
        learn=learn,
        supervise=supervise,
        due=_next_look,
        over=lambda known, now: over(known, words.generation.over, now),
        state=lambda known: known.state,
        fault=lambda known: known.session.fault,
        session_id=lambda known: known.session.id,
        same=lambda before, after: replace(before, moment=after.moment) == after,
        account=account,
        stop_reason=lambda known: known.stopping,
        agreement=Agreement,
        verifier=own.verifier,
        contract_chain=own.contract_chain,
        signatures=own.signatures,
        fault_answer=FAULT_ANSWER,
        silent=words.silent,
        signing=own.signing,
        foresee=own.foresee,
    )


def _beginning(
    words: Words, phases: Phases, carries: Callable[[Surroundings], bool], around: Surroundings, say: Say, now: float
) -> tuple[Context, Event]:
    """The context of a fresh session, and its event for the trace."""
    spoken = words.name in around.outlet.generations and carries(around)
    given = Given(
        outlet=around.outlet,
        entropy=drawing(around.entropy, say),
        verifier=None if around.verifier is None else Witnessed(around.verifier, say),
        foreseen=around.verifier if isinstance(around.verifier, Foreseen) else None,
        prices=around.prices,
        tls=around.tls,
        chain=around.chain,
        negotiable=(words.protocol.schema_set,) if spoken else (),
        phases=phases,
    )
    signs = (around.verifier is not None, around.prices is not None)
    record = SessionGiven(now, around.outlet, given.negotiable, False, False, *signs, tls=around.version)
    return Context(given, StationReport(limits=around.outlet.limits), step=Step(state=words.generation.first)), record


def _settle(
    words: Words, known: Context, request: supportedAppProtocolReq, response: supportedAppProtocolRes, protocol: Protocol | None
) -> Reply:
    """The reply that carries the negotiation's response, and leads to SessionSetup or, without a protocol, to the end."""
    if protocol is None:
        return Reply(response, words.generation.over, known)
    return Reply(response, words.state.SESSION_SETUP, known.with_session(schema_set=protocol.schema_set, offered=offered(request)))


def _welcome(words: Words, known: Context, insecure: bool, now: float) -> tuple[Event, ...] | PeerIncompatible:
    """Nothing is let pass of a connection, which these generations may have without TLS; the reason why there is no session."""
    return () if known.session.schema_set else PeerIncompatible("no protocol in common", words.not_negotiated)


def _at_moment(known: Context, now: float, wall: float, received: float, exi: bytes) -> Context:
    """The context at a moment: `now` and `received` in session time (s), `wall` in epoch s, `exi` the octets of the request."""
    return replace(known, moment=Moment(now=now, wall=wall, received=received, exi=exi))


def _recall(known: Context, former: PausedSession, say: Say) -> Context:
    """The context with the paused session of this car, which it may join."""
    say(lambda now: Remembered.of(now, former))
    return replace(known, moment=replace(known.moment, former=former))


def _answer(words: Words, answers: Answers, request: Type, known: Context) -> Reply | Pending:
    """The answer to a request, by the function for its class. Raises PeerMisbehaved or StationFailed where a fault or a stop forbids it."""
    stops = isinstance(request, words.stop) or words.ends_power(request)
    if known.session.fault is not None and not (known.session.fault.may_stop and stops):
        raise known.session.fault.error
    known, told = heard(words, request, known)
    before_power = type(request) not in (REQUEST, words.stop, *words.after_start)
    if known.stopping and before_power and not known.delivering:
        raise Refused(Reason.OTHER, known.stopping, None)
    return telling(told, answers[type(request)](request, known))


def _waits(reply: Replied) -> float | None:
    """The time (session time, s) until which the answer waits for a fact; None: it is there."""
    return reply.until if isinstance(reply, Pending) else None


def _ending(reply: Replied) -> Ending:
    """The response of a reply, the state it leads to, and how the session ends where it does."""
    assert isinstance(reply, Reply)
    return Ending(reply.response, reply.then, reply.how, reply.paused, reply.joined, reply.signature)


def _advance(words: Words, known: Context, reply: Replied, request: type[Type], now: float) -> Context:
    """The context after an answer: the next state, since when the car polls in it, and when it last had a charge loop."""
    assert isinstance(reply, Reply)
    stays, after = reply.then is known.state, reply.known
    loops = request in words.generation.loops or (after.delivering and not known.delivering)
    since = now if known.step.polled is None else known.step.polled
    after = after.with_service(looped=now) if loops else after
    return replace(after, step=Step(state=reply.then, polled=since if stays else None)).with_session(fault=None)


def _refusal(
    words: Words,
    statuses: Statuses,
    request: type[Type],
    refused: PeerMisbehaved | StationFailed,
    known: Context,
) -> Type | None:
    """The smallest valid response to `request` with the FAILED code of `refused`; None: there is no such response.

    Its status, where it has one, says how the outlet is, and what the station asks after a fault or a stop.
    """
    if request is REQUEST:
        return REFUSAL
    response = words.generation.responses.get(request)
    if response is None:
        return None
    return least(response, ResponseCode=words.code(refused.kind), **statuses(known, response.__struct_fields__))


def _undecodable(words: Words, path: tuple[str, ...], reason: str) -> tuple[type[Type], PeerMisbehaved] | None:
    """The request class that undecodable octets began as, and the error to answer it with; None where no request can be told."""
    named = (words.generation.request_named(name) for name in path[:3])
    request = next((each for each in named if each is not None), None)
    return None if request is None else (request, PeerMisbehaved(reason, None))


def _next_look(known: Context) -> float | None:
    bound = due(known)
    return None if bound is None else bound[0]
