"""Discovery in a capture: the datagrams by which a car asked for the station, as facts of a note."""

from collections.abc import Callable
from typing import Any, Final

from v2g.session import sdp
from v2g.session.errors import FramingError
from v2g.session.v2gtp import PayloadType
from v2gkit.insight.decode.packets import Datagram

TOPIC: Final = "discovery"
_SHOWN: Final = 128  # octets of a datagram; the longest of the standard has 78
_CLASSES: Final[dict[int, Callable[[bytes], sdp.Message]]] = {
    PayloadType.SDP_REQUEST: lambda octets: sdp.decode(sdp.Request, octets),
    PayloadType.SDP_RESPONSE: lambda octets: sdp.decode(sdp.Response, octets),
    PayloadType.SDP_WIRELESS_REQUEST: lambda octets: sdp.decode(sdp.WirelessRequest, octets),
    PayloadType.SDP_WIRELESS_RESPONSE: lambda octets: sdp.decode(sdp.WirelessResponse, octets),
}


def heard(datagram: Datagram) -> tuple[dict[str, Any], tuple[str, int] | None] | None:
    """The facts of a datagram of discovery, and where it says that the station listens; None for another datagram."""
    if datagram.payload[:2] != b"\x01\xfe" or sdp.PORT not in (datagram.source.port, datagram.target.port):
        return None
    facts, where = said(datagram.payload)
    return {"source": list(datagram.source), **facts}, where


def said(octets: bytes) -> tuple[dict[str, Any], tuple[str, int] | None]:
    """The facts of a V2GTP frame of discovery, and where it says that the station listens; an error where it is none."""
    kind = int.from_bytes(octets[2:4], "big")
    facts: dict[str, Any] = {"payload_type": f"0x{kind:04X}", "octets": octets[:_SHOWN].hex()}
    read = _CLASSES.get(kind)
    if read is None:
        return {**facts, "error": f"payload type 0x{kind:04X} is none of discovery"}, None
    try:
        message = read(octets)
    except (FramingError, ValueError) as error:
        return {**facts, "error": str(error)}, None
    facts |= {"name": type(message).__name__, "security": message.security.name, "transport": message.transport.name}
    if isinstance(message, sdp.Response | sdp.WirelessResponse):
        return {**facts, "address": str(message.address), "port": message.port}, (str(message.address), message.port)
    return facts, None
