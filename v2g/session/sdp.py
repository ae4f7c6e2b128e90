"""SECC discovery: the datagrams by which a car finds the station, by cable or over WLAN, and what each side believes of them (pure).

The car asks ff02::1, UDP port 15118, on the charging link: with or without TLS? A station answers with the address, port and security it
really has. Nothing here is authenticated: whoever answers first may lie, so the car checks what it can and leaves identity to TLS.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from ipaddress import IPv6Address
from typing import Any, Final, TypeVar

from v2g.session.errors import FramingError
from v2g.session.v2gtp import PayloadType, frame, unframe

PORT: Final = 15118
GROUP: Final = "ff02::1"  # all nodes of the link
RETRY: Final = 0.25  # s that a car waits for an answer before it asks again
ATTEMPTS: Final = 50  # after which it gives up
UNKNOWN: Final = "ZZ00000"  # instead of an id of a car that has none or does not say it


class Security(IntEnum):
    """How the connection is protected, by the octet of the datagram: TLS or not at all."""

    TLS = 0x00
    NONE = 0x10


class Transport(IntEnum):
    """What carries the connection. UDP is reserved: no station of any generation offers it."""

    TCP = 0x00
    UDP = 0x10


class Diagnosis(IntEnum):
    """How far a wireless station is with finding out at which of its EVSEs the car stands."""

    ONGOING = 0x00
    FINISHED = 0x01
    FINISHED_WITHOUT_EVSE = 0x02
    ERROR = 0x10


class Coupling(IntEnum):
    """How a car that asks over WLAN means to take its energy. An octet that has no name here fits no outlet."""

    CROSS_RAIL = 0x00  # a device of the station that comes down (ACDP), by the shape of its contacts
    IN_LINE = 0x01
    DOME = 0x02
    EV_PANTOGRAPH = 0x03  # the vehicle's own device goes up
    UNDERBODY = 0x04
    SIDE = 0x05
    WPT = 0x10
    MANIPULATOR = 0x20  # below the vehicle, on the station's side
    EV_MANIPULATOR = 0x21
    ACD_SIDE = 0x30
    MANUAL = 0x40  # a cable, plugged in by hand
    NOT_SAID = 0xFF


class Pairing(IntFlag):
    """What car and infrastructure have to find out where the car stands (P2PS/PPD), a bit each."""

    PPD_ON_INFRASTRUCTURE = 0x0100
    PPD_ON_EV = 0x0200
    LF_ON_INFRASTRUCTURE = 0x0400
    LF_ON_EV = 0x0800
    CAMERA_ON_EV = 0x1000
    INFRARED = 0x2000
    DIRECTED_WLAN = 0x4000


@dataclass(frozen=True, slots=True)
class Request:
    """What a car asks by SDP: how the connection is to be protected."""

    security: Security = Security.TLS
    transport: Transport = Transport.TCP


@dataclass(frozen=True, slots=True)
class Response:
    """The station's answer: where to connect, and how."""

    address: IPv6Address
    port: int
    security: Security = Security.TLS
    transport: Transport = Transport.TCP


@dataclass(frozen=True, slots=True)
class WirelessRequest:
    """What a car asks by SDP over WLAN. `pairing` and `coupling` are those of `Pairing` and `Coupling`, or any others, which fit nobody.

    `ev_id` is what the car calls itself, at most 20 printable ASCII characters; `evse_id` is where it stands, as far as it knows (37).
    """

    security: Security = Security.TLS
    transport: Transport = Transport.TCP
    pairing: int = 0
    coupling: int = Coupling.NOT_SAID
    ev_id: str = UNKNOWN
    evse_id: str = ""

    @property
    def car(self) -> str:
        """The id that the car gives itself; empty where it says none."""
        return "" if self.ev_id == UNKNOWN else self.ev_id

    @property
    def evse(self) -> str:
        """The EVSE at which the car knows itself to stand; empty where it knows of none."""
        return "" if self.evse_id == UNKNOWN else self.evse_id


@dataclass(frozen=True, slots=True)
class WirelessResponse:
    """The station's answer to a `WirelessRequest`: at which EVSE the car stands, and where to connect and how once that is known."""

    address: IPv6Address
    port: int
    security: Security = Security.TLS
    transport: Transport = Transport.TCP
    diagnosis: Diagnosis = Diagnosis.FINISHED
    coupling: int = Coupling.NOT_SAID
    evse_id: str = ""


Message = Request | Response | WirelessRequest | WirelessResponse
M = TypeVar("M", Request, Response, WirelessRequest, WirelessResponse)
R = TypeVar("R", bound=Response | WirelessResponse)


@dataclass(frozen=True, slots=True)
class _Part:
    """One field on the wire: the attribute that holds it, its length in octets, and how it becomes octets and back."""

    name: str
    length: int
    pack: Callable[[Any], bytes]
    unpack: Callable[[bytes], Any]


def _number(name: str, length: int) -> _Part:
    return _Part(name, length, lambda value: int(value).to_bytes(length, "big"), lambda octets: int.from_bytes(octets, "big"))


def _one_of(name: str, enumeration: type[IntEnum]) -> _Part:
    def unpack(octets: bytes) -> IntEnum:
        if octets[0] not in set(enumeration):
            known = ", ".join(f"0x{member:02X}" for member in enumeration)
            raise FramingError(f"SDP {name} is 0x{octets[0]:02X}, which is reserved; known are {known}")
        return enumeration(octets[0])

    return _Part(name, 1, lambda member: bytes((member,)), unpack)


def _ascii(name: str, length: int) -> _Part:
    def pack(text: str) -> bytes:
        if not _printable(text.encode()) or len(text) > length or text != text.rstrip(" "):
            raise ValueError(f"SDP {name} {text!r} must be at most {length} printable ASCII characters, the last no blank")
        return text.encode().ljust(length, b"\0")

    def unpack(octets: bytes) -> str:
        text = octets.rstrip(b"\0 ")
        if not _printable(text):
            raise FramingError(f"SDP {name} {octets.hex()} is no printable ASCII, filled with zeros or blanks at its end")
        return text.decode()

    return _Part(name, length, pack, unpack)


def _printable(octets: bytes) -> bool:
    return all(0x20 <= octet <= 0x7E for octet in octets)


_ADDRESS = _Part("address", 16, lambda address: bytes(address.packed), IPv6Address)
_PORT = _number("port", 2)
_SECURITY = _one_of("security", Security)
_TRANSPORT = _one_of("transport", Transport)
_COUPLING = _number("coupling", 1)
_EVSE_ID = _ascii("evse_id", 37)

_LAYOUTS: dict[type[Message], tuple[PayloadType, tuple[_Part, ...]]] = {
    Request: (PayloadType.SDP_REQUEST, (_SECURITY, _TRANSPORT)),
    Response: (PayloadType.SDP_RESPONSE, (_ADDRESS, _PORT, _SECURITY, _TRANSPORT)),
    WirelessRequest: (
        PayloadType.SDP_WIRELESS_REQUEST,
        (_SECURITY, _TRANSPORT, _number("pairing", 2), _COUPLING, _ascii("ev_id", 20), _EVSE_ID),
    ),
    WirelessResponse: (
        PayloadType.SDP_WIRELESS_RESPONSE,
        (_ADDRESS, _PORT, _SECURITY, _TRANSPORT, _one_of("diagnosis", Diagnosis), _COUPLING, _EVSE_ID),
    ),
}


def encode(message: Message) -> bytes:
    """A message as a whole datagram: 10 octets for a request, 28 for a response; over WLAN 70 and 67."""
    payload_type, parts = _LAYOUTS[type(message)]
    return frame(payload_type, b"".join(part.pack(getattr(message, part.name)) for part in parts))


def decode(cls: type[M], datagram: bytes) -> M:
    """The message of class `cls` in a datagram. Raises FramingError where the datagram is anything else, whatever the octets."""
    payload_type, parts = _LAYOUTS[cls]
    payload = unframe(datagram, frozenset({int(payload_type)})).payload
    expected = sum(part.length for part in parts)
    if len(payload) != expected:
        raise FramingError(f"SDP payload 0x{payload_type:04X} has {len(payload)} octets, must have {expected}")
    values, at = {}, 0
    for part in parts:
        values[part.name] = part.unpack(payload[at : at + part.length])
        at += part.length
    return cls(**values)


def request_of(datagram: bytes, *, wireless: bool = False) -> Request | WirelessRequest:
    """The request of a car in a datagram; one over WLAN is a request only where that is spoken (`wireless`). Raises FramingError."""
    asks = int.from_bytes(datagram[2:4], "big")
    if wireless and asks == PayloadType.SDP_WIRELESS_REQUEST:
        return decode(WirelessRequest, datagram)
    return decode(Request, datagram)


def answer(request: Request | WirelessRequest, station: R, *, plain: bool = False) -> R | None:
    """The station's answer: `station` as it is, but with no TLS where the car asks for none and may do so (`plain`); None to one for UDP.

    A car that asked for TLS and is answered "none" must not speak -20 there [V2G20-1805]; one that asked for none may still use TLS.
    """
    if request.transport is not Transport.TCP:
        return None
    return replace(station, security=Security.NONE) if plain and request.security is Security.NONE else station


def unusable(response: Response | WirelessResponse, request: Request | WirelessRequest, *, loopback: bool = False) -> str | None:
    """Why a car must not connect to where `response` points; None: it may. `loopback` allows ::1, for a bench on one machine."""
    address = response.address
    if isinstance(response, WirelessResponse) and isinstance(request, WirelessRequest) and (why := _elsewhere(response, request)):
        return why
    if response.port == 0:
        return "port 0"
    if response.transport is not Transport.TCP:
        return f"transport {response.transport.name}, asked was TCP"
    if not (address.is_link_local or (loopback and address.is_loopback)):
        return f"address {address} is not link-local (fe80::/10)"
    if request.security is Security.TLS and response.security is not Security.TLS:
        return "no TLS, although TLS was asked for: a downgrade [V2G20-1237]"
    return None


def _elsewhere(response: WirelessResponse, request: WirelessRequest) -> str | None:
    """Why an answer over WLAN leads to no place for this car: a device would move where it does not stand."""
    if response.diagnosis is Diagnosis.ONGOING:
        return "word that the station has not found out yet where the car stands"
    if response.diagnosis is Diagnosis.ERROR:
        return "word that the station has no place for the car"
    if response.coupling != request.coupling:
        return f"coupling 0x{response.coupling:02X}, asked was 0x{request.coupling:02X}"
    if request.evse and response.evse_id not in ("", UNKNOWN, request.evse):
        return f"EVSE {response.evse_id}, the car stands at {request.evse}"
    return None
