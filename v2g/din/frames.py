"""Messages of DIN SPEC 70121 to the payload of a frame and back: wrapped in V2G_Message, whose header has the SessionID."""

from typing import Final

from v2g.din.limits import BOUNDS, CAR_BOUNDS, LIMITS, REQUEST, RESPONSE
from v2g.messages.din.msg_def import BodyBaseType, BodyType, V2G_Message
from v2g.messages.din.msg_header import MessageHeaderType
from v2g.session.envelope import Envelope

SET: Final = "din"
ENVELOPE: Final = Envelope(
    generation="DIN SPEC 70121",
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
