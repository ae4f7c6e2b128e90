"""The words of DIN SPEC 70121 for what it has in common with ISO 15118-2."""

from typing import Final

from secc.enveloped.words import Words
from secc.intent import Wish
from v2g.din.generation import DIN
from v2g.din.physical import physical
from v2g.din.refusals import code_of
from v2g.din.sequence import CHARGE_LOOPS, State
from v2g.din.services import PROTOCOL
from v2g.exi.schema import Type
from v2g.messages.din import msg_body, msg_data_types
from v2g.messages.din.msg_body import PowerDeliveryReq, SessionStopType, WeldingDetectionReq


def ends_power(request: Type) -> bool:
    """Whether a request is PowerDelivery with ReadyToChargeState false."""
    return isinstance(request, PowerDeliveryReq) and not request.ReadyToChargeState


WORDS: Final = Words(
    generation=DIN,
    name="DIN",
    protocol=PROTOCOL,
    state=State,
    body=msg_body,
    types=msg_data_types,
    physical=physical,
    code=code_of,
    stop=SessionStopType,
    ends_power=ends_power,
    after_start=(PowerDeliveryReq, *CHARGE_LOOPS, WeldingDetectionReq),
    notifications={},  # EVSENotification is always None [V2G-DC-500]: a car is told to stop by EVSEStatusCode
    shuts_down=(Wish.STOP, Wish.PAUSE),
    out_of_turn="V2G-DC-666",
    unknown_session="V2G-DC-391",
    wrong_parameters="V2G-DC-398",
    pilot_after_power="V2G-DC-988",
    not_negotiated="V2G-DC-436",
    silent="V2G-DC-432",
)
