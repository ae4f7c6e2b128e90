"""SessionSetup and SessionStop: how a session begins and ends."""

from secc.iso2.notices import evse_id
from secc.neutral.beginning import demand_free, fresh_id
from secc.neutral.contactor import wait_for_contactor
from secc.neutral.context import Agreement, Context, Pending, Reply
from secc.pause import PausedSession, binding
from secc.station import PowerStopped, SessionStarted, Vehicle
from v2g.iso2.generation import ISO2
from v2g.iso2.sequence import State
from v2g.iso2.services import PROTOCOL
from v2g.messages.iso2.msg_body import SessionSetupReq, SessionSetupRes, SessionStopReq, SessionStopRes
from v2g.messages.iso2.msg_data_types import chargingSessionType
from v2g.messages.iso2.msg_data_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.session.endpoint import Event
from v2g.session.errors import Refused


def session_setup(request: SessionSetupReq, known: Context) -> Reply:
    """Begin a new session, or join a paused one for the car that paused it; what it selects and how it authorizes is said anew."""
    demand_free(known)
    evccid = request.EVCCID.hex().upper()
    former = known.moment.former
    if former is not None and former.evse_id == known.outlet.evse_id:
        agreed: Agreement = former.agreement
        kept = Agreement(evccid=evccid, tuple_id=agreed.tuple_id, tab=agreed.tab, cost=agreed.cost)
        joined, code = known.with_session(id=former.session_id, agreement=kept), Code.OK_OldSessionJoined
    else:
        former = None
        joined = known.with_session(id=fresh_id(known), agreement=Agreement(evccid=evccid))
        code = Code.OK_NewSessionEstablished
    response = SessionSetupRes(ResponseCode=code, EVSEID=evse_id(known), EVSETimeStamp=int(known.wall))
    vehicle = Vehicle(known.given.chain, known.session.offered, PROTOCOL.spelt)
    wants = (SessionStarted(known.now, joined.session.id, evccid, former is not None, vehicle),)
    return Reply(response, State.SERVICE_DISCOVERY, joined, wants, joined=former)


def session_stop(request: SessionStopReq, known: Context) -> Reply | Pending:
    """Answer SessionStopReq: end, or pause. The outlet is safe before the answer leaves."""
    pauses = request.ChargingSession is chargingSessionType.Pause
    reply = _pause(known) if pauses else Reply(_stopped(), State.ENDED, _released(known), _safe(known), how="Terminate")
    return wait_for_contactor(known, False) if known.energised and known.station.contactor is not False else reply


def _pause(known: Context) -> Reply:
    if known.stopping:
        raise Refused(Reason.NO_PAUSE, f"there will be nothing to come back to: {known.stopping}", None)
    if not known.outlet.pause or known.agreement.selection is None:
        why = "this outlet does not pause" if not known.outlet.pause else "there is nothing to come back to before a mode is chosen"
        raise Refused(Reason.NO_PAUSE, why, None)
    until = known.wall + known.outlet.pause_limit
    bound = binding(known.session.id, proof(known.agreement.evccid))
    kept = PausedSession(known.session.id, bound, ISO2.name, known.agreement, until, known.outlet.evse_id)
    return Reply(_stopped(), State.ENDED, _released(known), _safe(known), how="Pause", paused=kept)


def proof(evccid: str) -> bytes:
    """What ties a paused session to its car: no certificate is shown, so it is the car's id beside a SessionID that nobody else was told.

    Whoever comes back goes through selection and authorization again: nothing but the schedule's number and the bill is inherited.
    """
    return evccid.encode()


def _stopped() -> SessionStopRes:
    return SessionStopRes(ResponseCode=Code.OK)


def _safe(known: Context) -> tuple[Event, ...]:
    return (PowerStopped(known.now),) if known.delivering else ()


def _released(known: Context) -> Context:
    return known.with_service(delivering=False, isolation_asked=None).with_station(contactor_wanted=False)
