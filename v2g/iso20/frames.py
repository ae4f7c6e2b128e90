"""Messages to V2GTP frames and back: which schema set a message belongs to, and which payload type announces it."""

from functools import cache
from typing import Any

from v2g.exi.codec import Bounds, Reading, encode, read, receive, root
from v2g.exi.errors import DecodeError
from v2g.exi.schema import Type
from v2g.iso20.limits import BOUNDS, LIMITS, limit_of
from v2g.messages import MODULES, acdp, common_messages, schema_set
from v2g.session.errors import FramingError
from v2g.session.generation import MAIN
from v2g.session.v2gtp import PAYLOADS, PayloadType, frame

SETS: dict[int, str] = {each: row.schema_sets[0] for each, row in PAYLOADS.items() if row.schema_sets}
_MAIN_STREAM = {  # by module, named and not imported: a session loads what it speaks
    MODULES[row.schema_sets[0]][0]: each for each, row in PAYLOADS.items() if row.stream == MAIN
}
MODE_FIELDS = ("AC_CPDReqEnergyTransferMode", "AC_CPDResEnergyTransferMode", "CLReqControlMode", "CLResControlMode")
_SIDE_STREAMS = {row.stream: each for each, row in PAYLOADS.items() if row.schema_sets and row.stream != MAIN}
_ASIDE = {  # what never runs on the main stream
    common_messages.MeteringConfirmationReq: PayloadType.METERING_CONFIRMATION,
    common_messages.MeteringConfirmationRes: PayloadType.METERING_CONFIRMATION,
    common_messages.VehicleCheckInReq: PayloadType.PARKING_STATUS,
    common_messages.VehicleCheckInRes: PayloadType.PARKING_STATUS,
    common_messages.VehicleCheckOutReq: PayloadType.PARKING_STATUS,
    common_messages.VehicleCheckOutRes: PayloadType.PARKING_STATUS,
    acdp.ACDP_SystemStatusReq: PayloadType.ACDP_SYSTEM_STATUS,
    acdp.ACDP_SystemStatusRes: PayloadType.ACDP_SYSTEM_STATUS,
}


@cache
def payload_type_of(message: Any, stream: str = MAIN) -> PayloadType:
    """The payload type that carries a message class on a stream; a message that never runs on the main stream has its own type."""
    own, side = _ASIDE.get(message), _SIDE_STREAMS.get(stream)
    if own is not None:
        return own
    main = _MAIN_STREAM[message.__module__.rpartition(".")[2]]
    return side if side is not None and SETS[side] == SETS[main] else main


def payload_type_for(message: Type, stream: str = MAIN) -> PayloadType:
    """The payload type that carries a message: an amendment of AC has no messages of its own, but modes in those of AC, and a type."""
    kind: Any = type(message)
    for field in _modes(kind):
        mode: Any = getattr(message, field)
        of: Any = type(mode)
        if mode is not None and (amended := _amended(of)) is not None:
            return amended
    return payload_type_of(kind, stream)


@cache
def _modes(message: Any) -> tuple[str, ...]:
    """The fields of a class of messages that hold a mode."""
    return tuple(field for field in MODE_FIELDS if field in message.__struct_fields__)


@cache
def _amended(mode: Any) -> PayloadType | None:
    """The payload type of the amendment that a mode is of; None for one of AC or DC themselves."""
    return _MAIN_STREAM.get(mode.__module__.rpartition(".")[2])


def exi(message: Type) -> bytes:
    """A message as EXI octets, encoded by the schema set of its payload type. Raises EncodeError."""
    return encode(message, schema_set(SETS[payload_type_for(message)]))


def framed(message: Type, stream: str = MAIN) -> bytes:
    """A message as a whole V2GTP frame of a stream, header and EXI. Raises EncodeError."""
    return frame(payload_type_for(message, stream), exi(message))


def message(payload_type: int, payload: bytes, expected: str = "") -> Type:
    """The message in a frame; `expected` overrides the schema set that the payload type announces.

    For octets that are ours, without the limits of `read_bounded`. Raises DecodeError, or FramingError for a payload type without messages.
    """
    return reading(payload_type, payload, expected).message


def reading(payload_type: int, payload: bytes, expected: str = "") -> Reading:
    """The message in a frame and what was tolerated in it; `expected` overrides the schema set that the payload type announces.

    For octets that are ours, such as those of a trace: there are no limits. Raises DecodeError for octets that are no message,
    FramingError for a payload type that carries none.
    """
    return read(payload, schema_set(expected or schema_set_of(payload_type)))


def read_bounded(payload_type: int, payload: bytes, expected: str = "", bounds: Bounds = BOUNDS) -> Reading:
    """The message in a frame that a stranger sent, and what was tolerated in it: within the limits of `LIMITS` and `bounds`.

    Raises DecodeError for anything beyond a limit and for octets that are no message of a session, with the name of the message as its
    path; FramingError for a payload type that carries none.
    """
    schemas = schema_set(expected or schema_set_of(payload_type))
    element = root(payload, schemas)
    if element.type not in LIMITS:
        raise DecodeError("no message of a session", 8, (element.name,))
    limit = limit_of(element.type, schemas.name)
    if len(payload) > limit.octets:
        raise DecodeError(f"{len(payload)} octets, it has at most {limit.octets}", 8, (element.name,))
    return receive(payload, schemas, bounds, limit.items)


def schema_set_of(payload_type: int) -> str:
    """The schema set that a payload type announces. Raises FramingError for one that carries no message."""
    found = SETS.get(payload_type)
    if found is None:
        raise FramingError(
            f"payload type 0x{payload_type:04X} carries no message of a session; known are {', '.join(f'0x{each:04X}' for each in SETS)}"
        )
    return found
