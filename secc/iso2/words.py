"""The words of ISO 15118-2 for what it has in common with DIN SPEC 70121."""

from typing import Final

from secc.enveloped.words import Words
from secc.intent import Wish
from v2g.exi.schema import Type
from v2g.iso2.generation import ISO2
from v2g.iso2.physical import physical
from v2g.iso2.refusals import code_of
from v2g.iso2.sequence import CHARGE_LOOPS, State
from v2g.iso2.services import PROTOCOL
from v2g.messages.iso2 import msg_body, msg_data_types
from v2g.messages.iso2.msg_body import MeteringReceiptReq, PowerDeliveryReq, SessionStopReq, WeldingDetectionReq
from v2g.messages.iso2.msg_data_types import EVSENotificationType, chargeProgressType


def ends_power(request: Type) -> bool:
    """Whether a request is PowerDelivery(Stop)."""
    return isinstance(request, PowerDeliveryReq) and request.ChargeProgress is chargeProgressType.Stop


WORDS: Final = Words(
    generation=ISO2,
    name="2",
    protocol=PROTOCOL,
    state=State,
    body=msg_body,
    types=msg_data_types,
    physical=physical,
    code=code_of,
    stop=SessionStopReq,
    ends_power=ends_power,
    after_start=(PowerDeliveryReq, *CHARGE_LOOPS, WeldingDetectionReq, MeteringReceiptReq),
    # of the others this generation has no word: a signature is asked for by ReceiptRequired, a pause is the car's
    notifications={
        Wish.STOP: EVSENotificationType.StopCharging,
        Wish.PAUSE: EVSENotificationType.StopCharging,
        Wish.SCHEDULE: EVSENotificationType.ReNegotiation,
    },
    shuts_down=(Wish.STOP,),
    out_of_turn="V2G2-538",
    unknown_session="V2G2-460",
    wrong_parameters="V2G2-477",
    pilot_after_power="V2G2-920",
    not_negotiated="V2G2-172",
    silent="V2G2-443",
)
