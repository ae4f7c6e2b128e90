"""SECC discovery: the four datagrams by which a car finds the station, and what each side believes of them (pure).

The car asks ff02::1, UDP port 15118, on the charging link: with or without TLS? A station answers with the address, port and security it
really has. Nothing here is authenticated: whoever answers first may lie, so the car checks what it can and leaves identity to TLS.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv6Address
from typing import Any, Final, TypeVar

from v2g.session.errors import FramingError
from v2g.session.v2gtp import PayloadType, frame, unframe

PORT: Final = 15118
GROUP: Final = "ff02::1"  # all nodes of the link
RETRY: Final = 0.25  # s that a car waits for an answer before it asks again
ATTEMPTS: Final = 50  # after which it gives up


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
    """What a car asks by SDP over WLAN: `pairing` is the P2PS/PPD bit field, `ev_id` and `evse_id` are ASCII, empty where unknown."""

    security: Security = Security.TLS
    transport: Transport = Transport.TCP
    pairing: int = 0
    coupling: int = 0
    ev_id: str = ""
    evse_id: str = ""


@dataclass(frozen=True, slots=True)
class WirelessResponse:
    """The station's answer to a `WirelessRequest`: where to connect and how, and at which EVSE the car stands."""

    address: IPv6Address
    port: int
    security: Security = Security.TLS
    transport: Transport = Transport.TCP
    diagnosis: Diagnosis = Diagnosis.FINISHED
    coupling: int = 0
    evse_id: str = ""


Message = Request | Response | WirelessRequest | WirelessResponse
M = TypeVar("M", Request, Response, WirelessRequest, WirelessResponse)


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
        if not text.isascii() or len(text) > length:
            raise ValueError(f"SDP {name} {text!r} must be at most {length} ASCII characters")
        return text.encode().ljust(length, b"\0")

    def unpack(octets: bytes) -> str:
        if not octets.isascii():
            raise FramingError(f"SDP {name} {octets.hex()} is not ASCII")
        return octets.rstrip(b"\0 ").decode()

    return _Part(name, length, pack, unpack)


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


def answer(request: Request, station: Response) -> Response | None:
    """The station's answer: `station` as it is, whatever security the car asked for; None to a request for UDP.

    A car that asked for TLS and is answered "none" must not speak -20 there [V2G20-1805]; one that asked for none may still use TLS.
    """
    return station if request.transport is Transport.TCP else None


def unusable(response: Response, request: Request, *, loopback: bool = False) -> str | None:
    """Why a car must not connect to where `response` points; None: it may. `loopback` allows ::1, for a bench on one machine."""
    address = response.address
    if response.port == 0:
        return "port 0"
    if response.transport is not Transport.TCP:
        return f"transport {response.transport.name}, asked was TCP"
    if not (address.is_link_local or (loopback and address.is_loopback)):
        return f"address {address} is not link-local (fe80::/10)"
    if request.security is Security.TLS and response.security is not Security.TLS:
        return "no TLS, although TLS was asked for: a downgrade [V2G20-1237]"
    return None
