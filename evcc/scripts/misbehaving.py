"""Cars that break the rules, each in a few lines: what a station must bear. Every script behaves until the point of its name.

They return the response code that they got, or "silence" when the station rather closed.
"""

from typing import Any

import msgspec

from evcc.car import Car
from evcc.script import Part, Raw, Script, Wait, ask
from evcc.scripts.charge import charge
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
    """Behave until the next request would be of that class; the request, unsent."""
    well = script(car)
    step = next(well)
    while not isinstance(step, kind):
        step = well.send((yield step))
    return step


def sent(what: Type | bytes) -> Part[str]:
    """The response code that something sent raw is answered with."""
    response: Any = yield Raw(what)
    return str(response.ResponseCode.value)


def stranger(car: Car, kind: type[Type] = AuthorizationReq, session_id: bytes = b"\xff" * 8) -> Part[str]:
    """Speak with another session's id."""
    request = yield from upto(car, kind)
    return (yield from sent(car.stamped(request, SessionID=session_id)))


def hasty(car: Car, instead: type[Type] = ServiceDiscoveryReq, of: type[Type] = AuthorizationReq) -> Part[str]:
    """Send one request where another is due."""
    yield from upto(car, of)
    return (yield from sent(car.stamped(ask(instead))))


def unasked_service(car: Car) -> Part[str]:
    """Select a service that was not offered."""
    yield from upto(car, ServiceSelectionReq)
    chosen = SelectedServiceType(ServiceID=60_000, ParameterSetID=1)
    return (yield from sent(car.stamped(ask(ServiceSelectionReq, SelectedEnergyTransferService=chosen))))


def one_way(car: Car) -> Part[str]:
    """Tell the limits of a car that only charges after a bidirectional service was selected."""
    request = yield from upto(car, dc.DC_ChargeParameterDiscoveryReq)
    told = request.DC_CPDReqEnergyTransferMode
    plain = {name: getattr(told, name) for name in dc.DC_CPDReqEnergyTransferModeType.__struct_fields__}
    wrong = msgspec.structs.replace(request, DC_CPDReqEnergyTransferMode=dc.DC_CPDReqEnergyTransferModeType(**plain))
    return (yield from sent(car.stamped(wrong)))


def greedy(car: Car) -> Part[str]:
    """Promise ten times the power that was offered."""
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
    """Hold the connection and say nothing any more."""
    yield from upto(car, kind)
    yield Wait(seconds)
    return "silence"


def babbling(car: Car, octets: bytes = b"\x80" + b"\xff" * 40, kind: type[Type] = SessionSetupReq) -> Part[str]:
    """Send a frame that is no message."""
    yield from upto(car, kind)
    return (yield from sent(frame(PayloadType.COMMON, octets)))


def unframed(car: Car, octets: bytes = b"GET / HTTP/1.1\r\n\r\n", kind: type[Type] = SessionSetupReq) -> Part[str]:
    """Send octets that are no frame."""
    yield from upto(car, kind)
    return (yield from sent(octets))
