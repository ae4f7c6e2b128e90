"""SessionSetup and SessionStop: how a session begins and ends. There is no pause: whoever comes back begins anew."""

from secc.din.notices import evse_id
from secc.neutral.beginning import demand_free, fresh_id
from secc.neutral.contactor import wait_for_contactor
from secc.neutral.context import Agreement, Context, Pending, Reply
from secc.station import PowerStopped, SessionStarted, Vehicle
from v2g.din.sequence import State
from v2g.din.services import PROTOCOL
from v2g.messages.din.msg_body import SessionSetupReq, SessionSetupRes, SessionStopRes, SessionStopType
from v2g.messages.din.msg_data_types import responseCodeType as Code
from v2g.session.endpoint import Event


def session_setup(request: SessionSetupReq, known: Context) -> Reply:
    """Begin a new session, whatever SessionID the car names: of a former one, or zeros of any length."""
    demand_free(known)
    evccid = request.EVCCID.hex().upper()
    begun = known.with_session(id=fresh_id(known), agreement=Agreement(evccid=evccid))
    response = SessionSetupRes(ResponseCode=Code.OK_NewSessionEstablished, EVSEID=evse_id(known), DateTimeNow=int(known.wall))
    vehicle = Vehicle(known.given.chain, known.session.offered, PROTOCOL.spelt)
    return Reply(response, State.SERVICE_DISCOVERY, begun, (SessionStarted(known.now, begun.session.id, evccid, False, vehicle),))


def session_stop(_: SessionStopType, known: Context) -> Reply | Pending:
    """Answer SessionStopReq, by which the session ends [V2G-DC-451]. The outlet is safe before the answer leaves."""
    if known.energised and known.station.contactor is not False:
        return wait_for_contactor(known, False)
    released = known.with_service(delivering=False, isolation_asked=None).with_station(contactor_wanted=False)
    stopped: tuple[Event, ...] = (PowerStopped(known.now),) if known.delivering else ()
    return Reply(SessionStopRes(ResponseCode=Code.OK), State.ENDED, released, stopped, how="Terminate")
