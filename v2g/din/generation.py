"""`DIN`, the one value by which the engines read the tables of DIN SPEC 70121."""

from enum import Enum
from typing import Final

from v2g.din import frames
from v2g.din.limits import ANY_OTHER, answer_limit, state_limit
from v2g.din.sequence import CHARGE_LOOPS, REQUESTS, ROWS, State, response_to
from v2g.din.timing import (
    EVCC_COMMUNICATION_SETUP_TIMEOUT,
    SECC_COMMUNICATION_SETUP_TIMEOUT,
    SECC_ONGOING_TIMEOUT,
    SECC_TCP_CLOSE,
    timing,
)
from v2g.exi.schema import Type
from v2g.messages.din.msg_body import PowerDeliveryReq, SessionSetupReq
from v2g.messages.din.msg_data_types import EVSEProcessingType, responseCodeType
from v2g.session.bounds import FRAMES_AT_ONCE
from v2g.session.generation import MAIN, Generation


def stays(request: Type, response: Type) -> bool:
    """Whether the station waits in the same state after `response`: it says Ongoing [V2G-DC-418], or the loop goes on."""
    if isinstance(request, CHARGE_LOOPS):
        return True
    return getattr(response, "EVSEProcessing", EVSEProcessingType.Finished) is not EVSEProcessingType.Finished


def leads(request: Type, state: Enum) -> bool:
    """Whether a request leads to this state where its row names several, by what it says."""
    if isinstance(request, PowerDeliveryReq):
        return state is (State.DC_LOOP if request.ReadyToChargeState else State.DC_WELDING)
    return True


DIN: Final = Generation(
    name="DIN SPEC 70121",
    first=State.SUPPORTED_APP_PROTOCOL,
    over=State.ENDED,
    rows=ROWS,
    responses={request: response_to(request) for request in REQUESTS},
    timing=timing,
    station_setup=SECC_COMMUNICATION_SETUP_TIMEOUT,
    car_setup=EVCC_COMMUNICATION_SETUP_TIMEOUT,
    ongoing=SECC_ONGOING_TIMEOUT,
    close=SECC_TCP_CLOSE,
    state_limit=lambda state: state_limit(State(state)),
    answer_limit=answer_limit,
    other_limit=ANY_OTHER.octets,
    at_once=FRAMES_AT_ONCE,
    write=frames.write,
    read=frames.read,
    stream=lambda payload_type: MAIN,
    begins=SessionSetupReq,
    codes=responseCodeType,
    loops=CHARGE_LOOPS,
    stays=stays,
    leads=leads,
)
