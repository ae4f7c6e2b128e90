"""The beginning of a session of ISO 15118-2: what a car can offer, and SessionSetup."""

from typing import Any

from evcc.early.setup import NEW_SESSION, charging, evcc_id
from evcc.iso2.known import Car
from evcc.opening import negotiation
from evcc.script import Part
from v2g.iso2.services import PROTOCOL
from v2g.messages.iso2.msg_body import SessionSetupReq
from v2g.messages.iso2.msg_data_types import responseCodeType
from v2g.session.errors import PeerMisbehaved
from v2g.session.sap import Protocol


def speakable(car: Car) -> tuple[Protocol, ...]:
    """The protocol, where one of the wanted services charges by a mode of -2; it is spoken on any link."""
    return (PROTOCOL,) if charging(car.wish.services) else ()


def opening(car: Car) -> Part[None]:
    """Negotiate the protocol and set up the session: the paused one where the station still has it, else a new one."""
    yield from negotiation(car, speakable(car))
    wanted = car.memory.session_id if car.memory else NEW_SESSION
    car.session_id = wanted
    response: Any = yield SessionSetupReq(EVCCID=evcc_id(car.wish.evccid))
    car.evse_id = response.EVSEID
    if response.EVSETimeStamp is not None:
        car.agree(response.EVSETimeStamp)
    joined = response.ResponseCode is responseCodeType.OK_OldSessionJoined
    if joined and (car.session_id != wanted or car.memory is None):
        raise PeerMisbehaved("the station joined a session that the car did not ask for", None)
    car.memory = None
