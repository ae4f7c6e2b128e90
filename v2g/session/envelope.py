"""The envelope V2G_Message, in which messages of ISO 15118-2 and DIN SPEC 70121 come: a header with SessionID and signature, one body.

Each of the two has classes of its own for it. The protocol negotiation comes without envelope, under the same payload type.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from v2g.exi.codec import Bounds, encode, receive, root
from v2g.exi.errors import DecodeError
from v2g.exi.schema import Type
from v2g.messages import schema_set
from v2g.session.bounds import Limit, demand_octets, read_negotiation
from v2g.session.errors import FramingError
from v2g.session.generation import MAIN, Incoming, Outgoing
from v2g.session.v2gtp import PayloadType

NEGOTIATION = "app"


@dataclass(frozen=True, slots=True)
class Envelope:
    """The envelope of one generation: its classes, its schema set, and the limits of what is in it.

    `limits` has each message of the generation; `request` and `response` are the largest of them, within which octets are looked at before
    it is known which message they are. A station reads by `bounds`, a car by `car_bounds`.
    """

    generation: str
    schema_set: str
    whole: type[Type]
    header: type[Type]
    body: type[Type]
    element: type[Type]  # what every message in a body is
    limits: Mapping[type[Type], Limit]
    bounds: Bounds
    car_bounds: Bounds
    request: Limit
    response: Limit

    def write(self, message: Type, session_id: bytes = b"", stream: str = MAIN, signature: Any = None) -> Outgoing:
        """A message, encoded: in the envelope with the SessionID and a signature over its parts, where there is one. Raises EncodeError."""
        if not isinstance(message, self.element):
            return Outgoing(PayloadType.EXI, NEGOTIATION, encode(message, schema_set(NEGOTIATION)))
        whole = self.whole(Header=self.header(SessionID=session_id, Signature=signature), Body=self.body(BodyElement=message))
        return Outgoing(PayloadType.EXI, self.schema_set, encode(whole, schema_set(self.schema_set)))

    def read(self, payload_type: int, exi: bytes, *, by_car: bool = False, asked: type[Type] | None = None) -> Incoming:
        """The message in a frame's payload, out of its envelope; `by_car` allows the larger bounds of a car.

        Raises DecodeError for octets that are no message within the limits, FramingError for another payload type.
        """
        if payload_type != PayloadType.EXI:
            raise FramingError(f"payload type 0x{payload_type:04X} came, every message of {self.generation} has 0x{PayloadType.EXI:04X}")
        bounds, most = (self.car_bounds, self.response) if by_car else (self.bounds, self.request)
        if not self._wrapped(exi):
            return Incoming(NEGOTIATION, read_negotiation(exi, schema_set(NEGOTIATION), bounds), None)
        demand_octets(exi, most, self.whole.__name__)
        reading = receive(exi, schema_set(self.schema_set), bounds, most.items)
        whole: Any = reading.message
        message = whole.Body.BodyElement
        if type(message) not in self.limits:
            raise DecodeError("there is no message in it", 8 * len(exi), (self.whole.__name__, "Body"))
        demand_octets(exi, self.limits[type(message)], type(message).__name__)
        found = msgspec.structs.replace(reading, message=message)
        return Incoming(self.schema_set, found, whole.Header.SessionID, whole.Header.Signature)

    def _wrapped(self, exi: bytes) -> bool:
        """Whether octets begin as this envelope."""
        try:
            return root(exi, schema_set(self.schema_set)).type is self.whole
        except DecodeError:
            return False
