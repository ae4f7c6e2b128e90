"""The usual session: negotiate, choose, charge, leave. There is no pause and no other schedule: a car that wants one leaves."""

from collections.abc import Callable
from typing import Any

from evcc.din.known import Car
from evcc.din.selection import choosing
from evcc.din.words import WORDS
from evcc.early.charge import in_order, visit
from evcc.early.delivery import Leave, due
from evcc.early.setup import NEW_SESSION, charging, evcc_id
from evcc.opening import negotiation
from evcc.script import Limit, Part
from v2g.din.services import PROTOCOL
from v2g.din.timing import EVCC_READY_TO_CHARGE_TIMEOUT
from v2g.messages.din.msg_body import SessionSetupReq
from v2g.messages.din.msg_data_types import responseCodeType
from v2g.session.errors import PeerMisbehaved
from v2g.session.sap import Protocol

READY_TO_CHARGE = "V2G_EVCC_ReadyToCharge_Timeout"


def speakable(car: Car) -> tuple[Protocol, ...]:
    """The protocol, for a car that wants direct current and pays outside, where there is no TLS: the standard has none."""
    wants = charging(car.wish.services, ("dc",)) and "EIM" in car.wish.authorizations
    return (PROTOCOL,) if wants and (car.link is None or car.link.tls is None) else ()


def charge(car: Car, leave: Callable[[Car], Leave] = due) -> Part[str]:
    """A whole session; returns how it ended ("Terminate")."""
    began = car.now
    yield from opening(car)
    ready = Limit(READY_TO_CHARGE, EVCC_READY_TO_CHARGE_TIMEOUT - (car.now - began))
    return (yield from in_order(car, WORDS, visit(car, WORDS, choosing, lambda car: unpaused(car, leave(car)), ready=ready)))


def opening(car: Car) -> Part[None]:
    """Negotiate the protocol and set up a session. Raises PeerMisbehaved where the station joins one that is over."""
    yield from negotiation(car, speakable(car))
    car.session_id = NEW_SESSION
    response: Any = yield SessionSetupReq(EVCCID=evcc_id(car.wish.evccid))
    car.evse_id = evse_id(response.EVSEID)
    if response.DateTimeNow is not None:
        car.agree(response.DateTimeNow)
    if response.ResponseCode is responseCodeType.OK_OldSessionJoined:
        raise PeerMisbehaved("the station joined a session that the car did not ask for", None)


def unpaused(car: Car, why: Leave) -> Leave:
    """How the charge loop is left where a session cannot pause: for good."""
    if why == "Pause":
        car.note("no pause", why="DIN SPEC 70121 has none: the session ends")
        return "Terminate"
    return why


def evse_id(octets: bytes) -> str:
    """The EVSEID for people: text where a station has put that into its octets, else hex."""
    text = octets.decode("ascii", "replace").rstrip("\0")
    return text if text and text.isascii() and text.isprintable() else octets.hex()
