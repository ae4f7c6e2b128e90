"""Messages of ISO 15118-2 to the payload of a frame and back: wrapped in V2G_Message, whose header has SessionID and signature."""

from typing import Final

from v2g.iso2.limits import BOUNDS, CAR_BOUNDS, LIMITS, REQUEST, RESPONSE
from v2g.messages.iso2.msg_body import BodyBaseType, BodyType
from v2g.messages.iso2.msg_def import V2G_Message
from v2g.messages.iso2.msg_header import MessageHeaderType
from v2g.session.envelope import Envelope

SET: Final = "iso2"
ENVELOPE: Final = Envelope(
    generation="ISO 15118-2",
    schema_set=SET,
    whole=V2G_Message,
    header=MessageHeaderType,
    body=BodyType,
    element=BodyBaseType,
    limits=LIMITS,
    bounds=BOUNDS,
    car_bounds=CAR_BOUNDS,
    request=REQUEST,
    response=RESPONSE,
)
write, read = ENVELOPE.write, ENVELOPE.read
