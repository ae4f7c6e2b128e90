"""The beginning of a session of ISO 15118-20: the protocols that the car offers, and SessionSetup."""

import hmac
from typing import Any

from evcc.iso20.known import Car, Memory, forget
from evcc.iso20.requests import ask
from evcc.opening import negotiation
from evcc.script import Part
from v2g.iso20.services import PROTOCOLS, schema_sets
from v2g.messages.common_messages import SessionSetupReq
from v2g.messages.common_types import responseCodeType
from v2g.session.errors import PeerIncompatible, PeerMisbehaved
from v2g.session.sap import Protocol

NEW_SESSION = bytes(8)  # [V2G20-2106]


def opening(car: Car) -> Part[bool]:
    """Negotiate the protocol and set up the session. True when a paused one was resumed: ChargeParameterDiscovery is next [V2G20-1032]."""
    yield from negotiation(car, speakable(car))
    if car.memory is not None and not _same_station(car):
        forget(car)
        raise PeerMisbehaved("another station than the one that paused the session answers for it", "V2G20-2539")
    wanted = car.memory.session_id if car.memory else NEW_SESSION
    car.session_id = wanted
    response: Any = yield ask(SessionSetupReq, EVCCID=car.wish.evccid)
    car.session_id, car.evse_id = response.Header.SessionID, response.EVSEID
    car.agree(response.Header.TimeStamp)
    return _joined(car, response.ResponseCode, wanted)


def speakable(car: Car) -> tuple[Protocol, ...]:
    """The protocols of the wanted services; none of -20 on a link that may not carry it, unless a bench allows it [V2G20-1237]."""
    wanted = tuple(PROTOCOLS[name] for name in schema_sets(car.wish.services))
    if car.secure:
        return wanted
    if not car.wish.bench_plain:
        return tuple(protocol for protocol in wanted if not protocol.secure)
    car.note("bench override", what="ISO 15118-20 without TLS 1.3", requirement="V2G20-1237")
    return wanted


def _same_station(car: Car) -> bool:
    """Compared in constant time; a link without a station certificate joins only what was paused on one [V2G20-2539]."""
    assert car.memory is not None
    return hmac.compare_digest(car.memory.station or b"", car.station or b"")


def _joined(car: Car, code: responseCodeType, wanted: bytes) -> bool:
    kept: Memory | None = car.memory
    if code is responseCodeType.OK_OldSessionJoined:
        if kept is None or car.session_id != wanted:
            raise PeerMisbehaved("the station joined a session that the car did not ask for", "V2G20-2622")
        car.authorization, car.known.selected, car.known.renegotiable = kept.authorization, kept.selection, kept.renegotiable
        car.known.parking = kept.parking
        if car.protocol is None or kept.selection.row.schema_set != car.protocol.schema_set:
            raise PeerIncompatible(f"the paused session was {kept.selection.service}, which the negotiated protocol does not carry", None)
        return True
    forget(car)  # a new session, wanted or not: nothing of an old one holds [V2G20-2615]
    if car.session_id == wanted:
        raise PeerMisbehaved(f"a new session has the SessionID {wanted.hex()} of the request", "V2G20-2621")
    return False
