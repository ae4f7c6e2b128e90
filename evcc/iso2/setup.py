"""The beginning of a session of ISO 15118-2: what a car can offer, and SessionSetup."""

import hashlib
from typing import Any

from evcc.iso2.known import Car
from evcc.opening import negotiation
from evcc.script import Part
from v2g.iso2.services import PROTOCOL
from v2g.messages.iso2.msg_body import SessionSetupReq
from v2g.messages.iso2.msg_data_types import responseCodeType
from v2g.services import SERVICES
from v2g.session.errors import PeerMisbehaved
from v2g.session.sap import Protocol

NEW_SESSION = bytes(8)
EVCCID = 6  # octets: a MAC address
LOCAL = 0x02  # the bit of a MAC address that nobody has registered


def speakable(car: Car) -> tuple[Protocol, ...]:
    """The protocol, where one of the wanted services charges by a mode of -2; it is spoken on any link."""
    return (PROTOCOL,) if charging(car.wish.services) else ()


def charging(services: tuple[str, ...]) -> tuple[str, ...]:
    """The services among `services` that a mode of -2 charges by: none that gives back, and no plug but that of AC or of DC."""
    return tuple(name for name in services if SERVICES[name].plug in ("ac", "dc") and not SERVICES[name].bidirectional)


def evcc_id(name: str) -> bytes:
    """The EVCCID of a car: the MAC address that its name spells in hex, else one of local administration made from its name."""
    spelt = name.replace(":", "").replace("-", "")
    try:
        if len(spelt) == 2 * EVCCID:
            return bytes.fromhex(spelt)
    except ValueError:
        pass
    made = hashlib.sha256(name.encode()).digest()[:EVCCID]
    return bytes([(made[0] | LOCAL) & 0xFE]) + made[1:]


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
