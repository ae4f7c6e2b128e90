"""Cars that break the rules, to test stations: every script behaves until the point that its name says.

Each returns the response code that it got, or "silence" when the station closed the connection without one.
"""

from typing import Any

import msgspec

from evcc.iso20.charge import charge
from evcc.iso20.known import Car
from evcc.iso20.requests import ask
from evcc.script import Part, Raw, Script, Wait
from v2g.exi.schema import Type
from v2g.messages import dc
from v2g.messages.common_messages import (
    AuthorizationReq,
    PowerDeliveryReq,
    SelectedServiceType,
    ServiceDiscoveryReq,
    ServiceSelectionReq,
    SessionSetupReq,
    SessionStopReq,
)
from v2g.session.v2gtp import PayloadType, frame


def upto(car: Car, kind: type[Type], script: Script = charge) -> Part[Any]:
    """Behave until the next request would be of class `kind`; returns that request, unsent."""
    well = script(car)
    step = next(well)
    while not isinstance(step, kind):
        step = well.send((yield step))
    return step


def sent(what: Type | bytes) -> Part[str]:
    """Send a message or octets as they are; returns the response code."""
    response: Any = yield Raw(what)
    return str(response.ResponseCode.value)


def stranger(car: Car, kind: type[Type] = AuthorizationReq, session_id: bytes = b"\xff" * 8) -> Part[str]:
    """Send a request with another session's id; returns the response code."""
    request = yield from upto(car, kind)
    return (yield from sent(car.stamped(request, SessionID=session_id)))


def hasty(car: Car, instead: type[Type] = ServiceDiscoveryReq, of: type[Type] = AuthorizationReq) -> Part[str]:
    """Send request `instead` where request `of` is due; returns the response code."""
    yield from upto(car, of)
    return (yield from sent(car.stamped(ask(instead))))


def unasked_service(car: Car) -> Part[str]:
    """Select a service that was not offered; returns the response code."""
    yield from upto(car, ServiceSelectionReq)
    chosen = SelectedServiceType(ServiceID=60_000, ParameterSetID=1)
    return (yield from sent(car.stamped(ask(ServiceSelectionReq, SelectedEnergyTransferService=chosen))))


def one_way(car: Car) -> Part[str]:
    """State the limits of a car that only charges after selecting a bidirectional service; returns the response code."""
    request = yield from upto(car, dc.DC_ChargeParameterDiscoveryReq)
    told = request.DC_CPDReqEnergyTransferMode
    plain = {name: getattr(told, name) for name in dc.DC_CPDReqEnergyTransferModeType.__struct_fields__}
    wrong = msgspec.structs.replace(request, DC_CPDReqEnergyTransferMode=dc.DC_CPDReqEnergyTransferModeType(**plain))
    return (yield from sent(car.stamped(wrong)))


def greedy(car: Car) -> Part[str]:
    """Announce a profile of ten times the power that was offered; returns the response code."""
    request = yield from upto(car, PowerDeliveryReq)
    profile = request.EVPowerProfile
    entries = tuple(
        msgspec.structs.replace(entry, Power=msgspec.structs.replace(entry.Power, Exponent=entry.Power.Exponent + 1))
        for entry in profile.EVPowerProfileEntries.EVPowerProfileEntry
    )
    more = msgspec.structs.replace(profile.EVPowerProfileEntries, EVPowerProfileEntry=entries)
    wrong = msgspec.structs.replace(request, EVPowerProfile=msgspec.structs.replace(profile, EVPowerProfileEntries=more))
    return (yield from sent(car.stamped(wrong)))


def mute(car: Car, kind: type[Type] = SessionStopReq, seconds: float = 120.0) -> Part[str]:
    """Keep the connection open and send nothing more for so many seconds."""
    yield from upto(car, kind)
    yield Wait(seconds)
    return "silence"


def babbling(car: Car, octets: bytes = b"\x80" + b"\xff" * 40, kind: type[Type] = SessionSetupReq) -> Part[str]:
    """Send a frame whose payload is no message; returns the response code."""
    yield from upto(car, kind)
    return (yield from sent(frame(PayloadType.COMMON, octets)))


def unframed(car: Car, octets: bytes = b"GET / HTTP/1.1\r\n\r\n", kind: type[Type] = SessionSetupReq) -> Part[str]:
    """Send octets that are no V2GTP frame; returns the response code."""
    yield from upto(car, kind)
    return (yield from sent(octets))
