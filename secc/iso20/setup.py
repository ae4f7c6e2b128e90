"""SessionSetup and SessionStop: how a session begins and ends."""

from dataclasses import replace

from secc.intent import PRIORITY
from secc.iso20.notices import header
from secc.iso20.services import parameters_of, selections
from secc.neutral.beginning import demand_free, fresh_id
from secc.neutral.contactor import wait_for_contactor
from secc.neutral.context import Agreement, Context, Pending, Reply, ServiceSession
from secc.pause import PausedSession, binding
from secc.station import PowerStopped, ServiceSelected, SessionStarted, Vehicle
from v2g.iso20.generation import ISO20
from v2g.iso20.sequence import State
from v2g.iso20.services import PROTOCOLS
from v2g.legible import legible, unsafe
from v2g.messages.common_messages import SessionSetupReq, SessionSetupRes, SessionStopReq, SessionStopRes, chargingSessionType
from v2g.messages.common_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.session.endpoint import Event, Noted
from v2g.session.errors import Refused
from v2g.session.profiles import EVCCID_UNSEEN


def session_setup(request: SessionSetupReq, known: Context) -> Reply:
    """Begin a new session, or resume a paused one for the car that paused it, never for another [V2G20-2626] [V2G20-2627]."""
    demand_free(known)
    odd = (*_unseen(request.EVCCID, known), *_another(request.EVCCID, known))
    evccid = known.given.proved or request.EVCCID  # what a certificate proves is what somebody may be billed by [V2G20-2598]
    former = known.moment.former if known.moment.former is not None and resumable(known.moment.former, known) else None
    if former is not None:
        selection = former.agreement.selected
        joined = known.with_session(id=former.session_id, agreement=former.agreement)
        code, then = Code.OK_OldSessionJoined, parameters_of(selection.row)
    else:
        joined = known.with_session(id=fresh_id(known), agreement=Agreement(evccid=evccid))
        code, then = Code.OK_NewSessionEstablished, State.AUTHORIZATION_SETUP
    response = SessionSetupRes(Header=header(joined), ResponseCode=code, EVSEID=known.outlet.evse_id)
    vehicle = Vehicle(known.given.chain, known.session.offered, PROTOCOLS[known.session.schema_set].spelt)
    wants: list[Event] = [*odd, SessionStarted(known.now, joined.session.id, evccid, former is not None, vehicle)]
    if former is not None:  # a backend that was told of the pause, or did not outlive it, knows of no service any more
        wants.append(ServiceSelected(known.now, selection.service, selection.control, selection.mobility))
    return Reply(response, then, joined, tuple(wants), joined=former)


def _another(evccid: str, known: Context) -> tuple[Event, ...]:
    """The note that a car calls itself otherwise than its certificate does."""
    proved = known.given.proved
    said = {"said": legible(evccid)[:255], "certificate": legible(proved), "requirement": "V2G20-2598"}
    return (Noted(known.now, "EVCCID is not that of the vehicle certificate", said),) if proved and proved != evccid else ()


def _unseen(evccid: str, known: Context) -> tuple[Event, ...]:
    """What is put up with of an EVCCID. Raises Refused for one that acts on whoever reads it: an escape, a line, a turn of direction."""
    if not any(map(unsafe, evccid)):
        return ()
    relaxed = known.outlet.let_pass(EVCCID_UNSEEN, known.now)
    if not relaxed:
        reason = f"EVCCID {legible(evccid)[:80]} holds characters that cannot be seen"
        raise Refused(Reason.OTHER, reason, EVCCID_UNSEEN.requirement)
    return relaxed


def resumable(former: PausedSession, known: Context) -> bool:
    """Whether this outlet offers what the car had selected in the paused session, which may have been at another outlet [V2G20-1644]."""
    agreed: Agreement = former.agreement
    selection, outlet = agreed.selection, known.outlet
    if selection is None or former.evse_id != outlet.evse_id or selection.service not in outlet.services:
        return False
    offered = selections(selection.service, outlet).get(selection.parameter_set)
    return offered == selection and selection.row.schema_set == known.session.schema_set


def session_stop(request: SessionStopReq, known: Context) -> Reply | Pending:
    """Answer SessionStopReq: end, pause, or go back to the services. The outlet is safe before the answer leaves."""
    ways = {chargingSessionType.Pause: _pause, chargingSessionType.ServiceRenegotiation: _renegotiate}
    reply = ways.get(request.ChargingSession, _terminate)(known)
    return wait_for_contactor(known, False) if known.energised and known.station.contactor is not False else reply


def _terminate(known: Context) -> Reply:
    return Reply(_stopped(known), State.ENDED, _released(known), _safe(known), how="Terminate")


def _pause(known: Context) -> Reply:
    if known.stopping:
        raise Refused(Reason.NO_PAUSE, f"there will be nothing to come back to: {known.stopping}", None)
    if known.agreement.selection is not None and known.agreement.selection.row.docked:
        raise Refused(Reason.NO_PAUSE, "a device that is down on a vehicle is not left alone", None)
    if not known.outlet.pause or known.agreement.selection is None:
        why = "this outlet does not pause" if not known.outlet.pause else "there is nothing to come back to before a service is selected"
        raise Refused(Reason.NO_PAUSE, why, None)
    leaf = known.given.tls.peer_chain[0] if known.given.tls is not None and known.given.tls.peer_chain else b""
    until = known.wall + known.outlet.pause_limit
    bound = binding(known.session.id, leaf)
    kept = PausedSession(known.session.id, bound, ISO20.name, known.agreement, until, known.outlet.evse_id)
    return Reply(_stopped(known), State.ENDED, _released(known), _safe(known), how="Pause", paused=kept if leaf else None)


def _renegotiate(known: Context) -> Reply:
    """Back to the services on the same connection, authorization kept, selection gone [V2G20-1477]."""
    if not known.outlet.service_renegotiation:
        raise Refused(Reason.NO_SERVICE_RENEGOTIATION, "ServiceRenegotiationSupported was false", "V2G20-1644")
    if known.stopping:
        raise Refused(Reason.OTHER, f"the session is to end, not to go on with other services: {known.stopping}", None)
    if known.agreement.authorization is None:
        raise Refused(Reason.NO_SERVICE_RENEGOTIATION, "there are no services before authorization", "V2G20-1644")
    followed = known.session.intent.without(*PRIORITY)
    again = replace(known, service=ServiceSession()).with_session(intent=followed).with_agreement(selection=None, parking=(), tuple_id=None)
    return Reply(_stopped(known), State.SERVICE_DISCOVERY, again, _safe(known))


def _stopped(known: Context) -> SessionStopRes:
    return SessionStopRes(Header=header(known), ResponseCode=Code.OK)


def _safe(known: Context) -> tuple[Event, ...]:
    return (PowerStopped(known.now),) if known.delivering else ()


def _released(known: Context) -> Context:
    return known.with_service(delivering=False, isolation_asked=None, alignment_asked=None).with_station(contactor_wanted=False)
