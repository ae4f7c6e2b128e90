"""`ISO20`, the one value by which the engines read the tables of ISO 15118-20."""

from collections.abc import Callable
from enum import Enum
from typing import Any, Final, cast

from v2g.exi.schema import Type
from v2g.iso20 import frames
from v2g.iso20.limits import ANY_OTHER, CAR_BOUNDS, answer_limit, state_limit
from v2g.iso20.sequence import CHARGE_LOOPS, REQUESTS, ROWS, STANDBY, State, response_to
from v2g.iso20.timing import (
    EVCC_COMMUNICATION_SETUP_TIMEOUT,
    SECC_COMMUNICATION_SETUP_TIMEOUT,
    SECC_ONGOING_TIMEOUT,
    SECC_TCP_CLOSE,
    timing,
)
from v2g.messages.common_messages import AuthorizationReq, PowerDeliveryReq, SessionSetupReq, chargeProgressType
from v2g.messages.common_types import processingType, responseCodeType
from v2g.messages.wpt import WPT_AlignmentCheckReq, WPT_FinePositioningReq, WPT_FinePositioningSetupReq, WPT_PairingReq
from v2g.session.bounds import FRAMES_AT_ONCE
from v2g.session.generation import MAIN, Generation, Incoming, Outgoing
from v2g.session.v2gtp import PAYLOADS

BOTH_FINISH: Final = (WPT_FinePositioningSetupReq, WPT_FinePositioningReq, WPT_PairingReq, WPT_AlignmentCheckReq)  # steps of WPT


def write(message: Type, session_id: bytes = b"", stream: str = MAIN, signature: Any = None) -> Outgoing:
    """A message, encoded for the payload type of its class on a stream. Raises EncodeError.

    SessionID and signature stand in the message's own header: what is given of them beside it is not looked at.
    """
    payload_type = frames.payload_type_for(message, stream)
    return Outgoing(payload_type, frames.SETS[payload_type], frames.exi(message))


def read(payload_type: int, exi: bytes, *, by_car: bool = False, asked: type[Type] | None = None) -> Incoming:
    """The message in a frame's payload; `by_car` allows the larger bounds of a car.

    Raises DecodeError for octets that are no message within the limits, FramingError for a payload type that carries no message.
    """
    reading = frames.read_bounded(payload_type, exi, bounds=CAR_BOUNDS) if by_car else frames.read_bounded(payload_type, exi)
    return Incoming(frames.schema_set_of(payload_type), reading, session_id(reading.message))


_STREAMS: Final[dict[int, str]] = {each: row.stream for each, row in PAYLOADS.items() if row.schema_sets}


def stream(payload_type: int) -> str:
    """The name of the stream that a payload type runs on; "main" for a payload type that carries no message of a session."""
    return _STREAMS.get(payload_type, MAIN)


def session_id(message: Type) -> bytes | None:
    """The SessionID in the header of a message; None for a message of the protocol negotiation, which has no header."""
    header: Any = getattr(message, "Header", None)
    return None if header is None else header.SessionID


def stays(request: Type, response: Type) -> bool:
    """Whether the station waits in the same state after `response`: it says Ongoing, or refuses an authorization or a standby.

    A step of WPT goes on for as long as either side says so.
    """
    if isinstance(request, BOTH_FINISH) and request.EVProcessing is not processingType.Finished:
        return True
    ongoing = getattr(response, "EVSEProcessing", processingType.Finished) is not processingType.Finished
    code: Any = getattr(response, "ResponseCode", None)
    standby = isinstance(request, PowerDeliveryReq) and request.ChargeProgress is chargeProgressType.Standby
    if standby and code is responseCodeType.WARNING_StandbyNotAllowed:
        return True
    return ongoing or (isinstance(request, AuthorizationReq) and code.value.startswith("WARNING"))


def leads(request: Type, state: Enum) -> bool:
    """Whether a request asks for this state where its row names several: a standby is asked for by name."""
    asks = getattr(request, "ChargeProgress", None)
    return asks is None or (asks is chargeProgressType.Standby) == (state in STANDBY)


ISO20: Final = Generation(
    name="ISO 15118-20",
    first=State.SUPPORTED_APP_PROTOCOL,
    over=State.ENDED,
    rows=ROWS,
    responses={request: response_to(request) for request in REQUESTS},
    timing=timing,
    station_setup=SECC_COMMUNICATION_SETUP_TIMEOUT,
    car_setup=EVCC_COMMUNICATION_SETUP_TIMEOUT,
    ongoing=SECC_ONGOING_TIMEOUT,
    close=SECC_TCP_CLOSE,
    state_limit=cast(Callable[[Enum], int], state_limit),  # of its own states, as every table here
    answer_limit=answer_limit,
    other_limit=ANY_OTHER.octets,
    at_once=FRAMES_AT_ONCE,
    write=write,
    read=read,
    stream=stream,
    begins=SessionSetupReq,
    codes=responseCodeType,
    loops=CHARGE_LOOPS,
    stays=stays,
    leads=leads,
)
