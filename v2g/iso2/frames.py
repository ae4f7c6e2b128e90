"""Messages of ISO 15118-2 to the payload of a frame and back: wrapped in V2G_Message, whose header has SessionID and signature.

The protocol negotiation comes without envelope, under the same payload type.
"""

from typing import Any, Final

import msgspec

from v2g.exi.codec import encode, receive, root
from v2g.exi.errors import DecodeError
from v2g.exi.schema import Type
from v2g.iso2.limits import BOUNDS, CAR_BOUNDS, LIMITS, REQUEST, RESPONSE
from v2g.messages import schema_set
from v2g.messages.iso2.msg_body import BodyBaseType, BodyType
from v2g.messages.iso2.msg_def import V2G_Message
from v2g.messages.iso2.msg_header import MessageHeaderType
from v2g.session.bounds import demand_octets, read_negotiation
from v2g.session.errors import FramingError
from v2g.session.generation import MAIN, Incoming, Outgoing
from v2g.session.v2gtp import PayloadType

SET: Final = "iso2"
NEGOTIATION: Final = "app"


def write(message: Type, session_id: bytes = b"", stream: str = MAIN, signature: Any = None) -> Outgoing:
    """A message, encoded: in an envelope with the SessionID and a signature over its parts, where there is one. Raises EncodeError."""
    if not isinstance(message, BodyBaseType):
        return Outgoing(PayloadType.EXI, NEGOTIATION, encode(message, schema_set(NEGOTIATION)))
    header = MessageHeaderType(SessionID=session_id, Signature=signature)
    whole = V2G_Message(Header=header, Body=BodyType(BodyElement=message))
    return Outgoing(PayloadType.EXI, SET, encode(whole, schema_set(SET)))


def read(payload_type: int, exi: bytes, *, by_car: bool = False, asked: type[Type] | None = None) -> Incoming:
    """The message in a frame's payload, out of its envelope; `by_car` allows the larger bounds of a car.

    Raises DecodeError for octets that are no message within the limits, FramingError for another payload type.
    """
    if payload_type != PayloadType.EXI:
        raise FramingError(f"payload type 0x{payload_type:04X} came, every message of ISO 15118-2 has 0x{PayloadType.EXI:04X}")
    bounds, most = (CAR_BOUNDS, RESPONSE) if by_car else (BOUNDS, REQUEST)
    if not _wrapped(exi):
        return Incoming(NEGOTIATION, read_negotiation(exi, schema_set(NEGOTIATION), bounds), None)
    demand_octets(exi, most, V2G_Message.__name__)
    reading = receive(exi, schema_set(SET), bounds, most.items)
    whole: Any = reading.message
    body = whole.Body.BodyElement
    path = (V2G_Message.__name__, "Body")
    if type(body) not in LIMITS:
        raise DecodeError("there is no message in it", 8 * len(exi), path)
    demand_octets(exi, LIMITS[type(body)], type(body).__name__)
    return Incoming(SET, msgspec.structs.replace(reading, message=body), whole.Header.SessionID, whole.Header.Signature)


def _wrapped(exi: bytes) -> bool:
    """Whether octets begin as an envelope of this generation."""
    try:
        return root(exi, schema_set(SET)).type is V2G_Message
    except DecodeError:
        return False
