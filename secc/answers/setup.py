"""SupportedAppProtocol, SessionSetup and SessionStop: how a session begins and ends."""

from dataclasses import replace

from secc.answers.contactor import waiting
from secc.context import NO_SESSION, Agreement, Context, PausedSession, Pending, Reply
from secc.intent import PRIORITY
from secc.pause import binding
from secc.services import SCHEMA_SETS, selections
from secc.station import PowerStopped, SessionStarted
from v2g.legible import legible, unsafe
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.common_messages import SessionSetupReq, SessionSetupRes, SessionStopReq, SessionStopRes, chargingSessionType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import Event, Relaxed
from v2g.session.errors import Refused
from v2g.session.profiles import EVCCID_UNSEEN
from v2g.session.sap import PROTOCOLS, select
from v2g.session.sequence import State


def supported_app_protocol(request: supportedAppProtocolReq, known: Context) -> Reply:
    """The energy protocol that the car ranks first among what may be spoken here."""
    response, protocol = select(request, tuple(PROTOCOLS[name] for name in known.negotiable))
    if protocol is None:
        return Reply(response, State.ENDED, known)
    return Reply(response, State.SESSION_SETUP, replace(known, schema_set=protocol.schema_set))


def session_setup(request: SessionSetupReq, known: Context) -> Reply:
    """A new session, or a paused one for the car that paused it, never for another [V2G20-2626] [V2G20-2627]."""
    if known.unserviceable:
        raise Refused(Code.FAILED, f"the outlet is out of service: {known.unserviceable}", None)
    if known.taken:
        raise Refused(Code.FAILED, "another session has the outlet", None)
    odd = _unseen(request.EVCCID, known)
    former = known.former if known.former is not None and resumable(known.former, known) else None
    if former is not None:
        selection = former.agreement.selected
        joined = replace(known, session_id=former.session_id, agreement=former.agreement)
        code, then = Code.OK_OldSessionJoined, State.DC_PARAMETERS if selection.dc else State.AC_PARAMETERS  # [V2G20-1032]
    else:
        joined = replace(known, session_id=_fresh(known), agreement=Agreement(evccid=request.EVCCID))
        code, then = Code.OK_NewSessionEstablished, State.AUTHORIZATION_SETUP
    response = SessionSetupRes(Header=joined.header, ResponseCode=code, EVSEID=known.outlet.evse_id)
    started = SessionStarted(known.now, joined.session_id, request.EVCCID, code is Code.OK_OldSessionJoined)
    return Reply(response, then, joined, (*odd, started), joined=former)


def _unseen(evccid: str, known: Context) -> tuple[Event, ...]:
    """What is put up with of an EVCCID. Raises Refused for one that acts on whoever reads it: an escape, a line, a turn of direction."""
    if not any(map(unsafe, evccid)):
        return ()
    if not known.outlet.puts_up_with(EVCCID_UNSEEN):
        reason = f"EVCCID {legible(evccid)[:80]} holds characters that cannot be seen"
        raise Refused(Code.FAILED, reason, EVCCID_UNSEEN.requirement)
    return (Relaxed(known.now, EVCCID_UNSEEN.name, EVCCID_UNSEEN.requirement),)


def resumable(former: PausedSession, known: Context) -> bool:
    """Whether what the car had selected is still offered, here: an outlet answers for what its own hardware can do [V2G20-1644]."""
    selection, outlet = former.agreement.selection, known.outlet
    if selection is None or former.evse_id != outlet.evse_id or selection.service not in outlet.services:
        return False
    offered = selections(selection.service, outlet).get(selection.parameter_set)
    return offered == selection and SCHEMA_SETS[selection.service] == known.schema_set


def _fresh(known: Context) -> bytes:
    """Eight random octets that are not all zero [V2G20-2106] [V2G20-2621]."""
    while (session_id := known.entropy(len(NO_SESSION))) == NO_SESSION:
        pass
    return session_id


def session_stop(request: SessionStopReq, known: Context) -> Reply | Pending:
    """The end, a pause or a way back to the services; the outlet is safe before the answer leaves."""
    ways = {chargingSessionType.Pause: _pause, chargingSessionType.ServiceRenegotiation: _renegotiate}
    reply = ways.get(request.ChargingSession, _terminate)(known)
    return waiting(known, False) if known.energised and known.contactor is not False else reply


def _terminate(known: Context) -> Reply:
    return Reply(_stopped(known), State.ENDED, _released(known), _safe(known), how="Terminate")


def _pause(known: Context) -> Reply:
    if known.stopping:
        raise Refused(Code.FAILED_PauseNotAllowed, f"there will be nothing to come back to: {known.stopping}", None)
    if not known.outlet.pause or known.agreement.selection is None:
        why = "this outlet does not pause" if not known.outlet.pause else "there is nothing to come back to before a service is selected"
        raise Refused(Code.FAILED_PauseNotAllowed, why, None)
    leaf = known.tls.peer_chain[0] if known.tls is not None and known.tls.peer_chain else b""
    until = known.wall + known.outlet.pause_limit
    kept = PausedSession(known.session_id, binding(known.session_id, leaf), known.agreement, until, known.outlet.evse_id)
    return Reply(_stopped(known), State.ENDED, _released(known), _safe(known), how="Pause", paused=kept if leaf else None)


def _renegotiate(known: Context) -> Reply:
    """Back to the services on the same connection, authorization kept, selection gone [V2G20-1477]."""
    if not known.outlet.service_renegotiation:
        raise Refused(Code.FAILED_NoServiceRenegotiationSupported, "ServiceRenegotiationSupported was false", "V2G20-1644")
    if known.stopping:
        raise Refused(Code.FAILED, f"the session is to end, not to go on with other services: {known.stopping}", None)
    if known.agreement.authorization is None:
        raise Refused(Code.FAILED_NoServiceRenegotiationSupported, "there are no services before authorization", None)
    agreement = replace(known.agreement, selection=None, tuple_id=None)
    followed = known.intent.without(*PRIORITY)
    again = replace(known, **known.anew(), agreement=agreement, intent=followed)
    return Reply(_stopped(known), State.SERVICE_DISCOVERY, again, _safe(known))


def _stopped(known: Context) -> SessionStopRes:
    return SessionStopRes(Header=known.header, ResponseCode=Code.OK)


def _safe(known: Context) -> tuple[Event, ...]:
    return (PowerStopped(known.now),) if known.delivering else ()


def _released(known: Context) -> Context:
    return replace(known, delivering=False, contactor_wanted=False, isolation_asked=None)
