"""Between messages and V2GTP frames: which schema set a message belongs to, and which payload type announces it."""

from v2g.exi.codec import Bounds, Reading, encode, read, receive, root
from v2g.exi.errors import DecodeError
from v2g.exi.schema import Type
from v2g.messages import common_messages, schema_set
from v2g.session.errors import FramingError
from v2g.session.limits import BOUNDS, LIMITS
from v2g.session.v2gtp import PayloadType, frame

SETS: dict[PayloadType, str] = {
    PayloadType.EXI: "app",  # SupportedAppProtocol, and every message of -2 and DIN
    PayloadType.COMMON: "common",
    PayloadType.AC: "ac",
    PayloadType.DC: "dc",
    PayloadType.ACDP: "acdp",
    PayloadType.WPT: "wpt",
    PayloadType.AC_DER_IEC: "ac_der_iec",
    PayloadType.AC_DER_SAE: "ac_der_sae",
    PayloadType.SCHEDULE_RENEGOTIATION: "common",  # side streams of the same session
    PayloadType.METERING_CONFIRMATION: "common",
    PayloadType.ACDP_SYSTEM_STATUS: "acdp",
    PayloadType.PARKING_STATUS: "common",
}
_MAIN_STREAM = {  # by module, named and not imported: a session loads what it speaks
    "app_protocol": PayloadType.EXI,
    "common_messages": PayloadType.COMMON,
    "ac": PayloadType.AC,
    "dc": PayloadType.DC,
    "acdp": PayloadType.ACDP,
    "wpt": PayloadType.WPT,
    "ac_der_iec": PayloadType.AC_DER_IEC,
    "ac_der_sae": PayloadType.AC_DER_SAE,
}
_SIDE_STREAMS = {
    common_messages.MeteringConfirmationReq: PayloadType.METERING_CONFIRMATION,
    common_messages.MeteringConfirmationRes: PayloadType.METERING_CONFIRMATION,
}


def payload_type_of(message: type[Type]) -> PayloadType:
    """The payload type that carries a message class: its side stream if it has one of its own, else the main stream of its schema set."""
    return _SIDE_STREAMS.get(message) or _MAIN_STREAM[message.__module__.rpartition(".")[2]]


def exi(message: Type) -> bytes:
    """A message as the EXI document that its payload type announces."""
    return encode(message, schema_set(SETS[payload_type_of(type(message))]))


def framed(message: Type) -> bytes:
    """A message as a whole V2GTP frame."""
    return frame(payload_type_of(type(message)), exi(message))


def message(payload_type: int, payload: bytes, expected: str = "") -> Type:
    """The message of a frame, whatever was tolerated in it: see `reading`."""
    return reading(payload_type, payload, expected).message


def reading(payload_type: int, payload: bytes, expected: str = "") -> Reading:
    """The message of a frame and what was tolerated in it; `expected` overrides the set that the payload type announces.

    For octets that are ours, as those of a trace. Raises DecodeError for octets that are no message, FramingError for a payload type that
    carries none.
    """
    return read(payload, schema_set(expected or announced(payload_type)))


def received(payload_type: int, payload: bytes, expected: str = "", bounds: Bounds = BOUNDS) -> Reading:
    """As `reading`, for what a stranger sent: a message of a session, within the limits of its name. The name is the path of a refusal."""
    schemas = schema_set(expected or announced(payload_type))
    element = root(payload, schemas)
    limit = LIMITS.get(element.type)
    if limit is None:
        raise DecodeError("no message of a session", 8, (element.name,))
    if len(payload) > limit.octets:
        raise DecodeError(f"{len(payload)} octets, it has at most {limit.octets}", 8, (element.name,))
    return receive(payload, schemas, bounds, limit.items)


def announced(payload_type: int) -> str:
    """The schema set that a payload type announces. Raises FramingError for one that carries no message."""
    if payload_type not in SETS:
        raise FramingError(
            f"payload type 0x{payload_type:04X} carries no message of a session; known are 0x8001 to 0x8006 and side streams"
        )
    return SETS[PayloadType(payload_type)]
