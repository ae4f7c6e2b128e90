"""`ISO2`, the one value by which the engines read the tables of ISO 15118-2."""

from enum import Enum
from typing import Final

from v2g.exi.schema import Type
from v2g.iso2 import frames
from v2g.iso2.limits import ANY_OTHER, answer_limit, state_limit
from v2g.iso2.sequence import CHARGE_LOOPS, RECEIPTS, REQUESTS, ROWS, State, response_to
from v2g.iso2.services import MODES
from v2g.iso2.timing import (
    EVCC_COMMUNICATION_SETUP_TIMEOUT,
    SECC_COMMUNICATION_SETUP_TIMEOUT,
    SECC_ONGOING_TIMEOUT,
    SECC_TCP_CLOSE,
    timing,
)
from v2g.messages.iso2.msg_body import (
    ChargeParameterDiscoveryReq,
    PaymentServiceSelectionReq,
    PowerDeliveryReq,
    SessionSetupReq,
)
from v2g.messages.iso2.msg_data_types import EVSEProcessingType, chargeProgressType, paymentOptionType, responseCodeType
from v2g.session.bounds import FRAMES_AT_ONCE
from v2g.session.generation import MAIN, Generation

S = State
PROGRESS: Final = {
    chargeProgressType.Start: (S.AC_LOOP, S.DC_LOOP),
    chargeProgressType.Stop: (S.SESSION_STOP, S.DC_WELDING),
    chargeProgressType.Renegotiate: (S.PARAMETERS,),
}
PAYMENT: Final = {paymentOptionType.Contract: S.CONTRACT, paymentOptionType.ExternalPayment: S.AUTHORIZATION}


def stays(request: Type, response: Type) -> bool:
    """Whether the station waits in the same state after `response`: it says Ongoing, or a loop goes on without a receipt."""
    if isinstance(request, CHARGE_LOOPS):
        return not getattr(response, "ReceiptRequired", None)
    return getattr(response, "EVSEProcessing", EVSEProcessingType.Finished) is not EVSEProcessingType.Finished


def leads(request: Type, state: Enum) -> bool:
    """Whether a request leads to this state where its row names several, by what it says."""
    match request:
        case PowerDeliveryReq(ChargeProgress=progress):
            return state in PROGRESS[progress]
        case PaymentServiceSelectionReq(SelectedPaymentOption=option):
            return state is PAYMENT[option]
        case ChargeParameterDiscoveryReq(RequestedEnergyTransferMode=mode):
            return state is (S.DC_CABLE_CHECK if MODES[mode].dc else S.AC_START)
    return state in RECEIPTS or not isinstance(request, CHARGE_LOOPS)


ISO2: Final = Generation(
    name="ISO 15118-2",
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
