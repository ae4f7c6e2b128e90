"""MeteringConfirmation: the car signs what the meter showed it."""

from dataclasses import replace

from secc.context import Context, Reply
from secc.station import MeteringConfirmed
from v2g.exi.codec import encode_fragment
from v2g.messages import schema_set
from v2g.messages.common_messages import MeteringConfirmationReq, MeteringConfirmationRes
from v2g.messages.common_types import evseNotificationType as Ask
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.errors import Refused, SequenceError


def metering_confirmation(request: MeteringConfirmationReq, known: Context) -> Reply:
    """Only when it was asked for [V2G20-1083], only over what was shown, only by the holder of the contract."""
    if known.intent.of(Ask.MeteringConfirmation) is None:
        raise SequenceError("a metering confirmation came that nobody asked for", "V2G20-1083")
    signed, wrong = request.SignedMeteringData, None
    if signed.SessionID != known.session_id:
        wrong = f"the signed SessionID is {signed.SessionID.hex()}"
    elif signed.MeterInfo != known.meter_shown:
        wrong = "the signed MeterInfo is not the one that was shown"
    elif known.verifier is None:
        wrong = "there is nobody to verify it"
    else:
        wrong = known.verifier.metering(request, known.agreement.contract)
    if wrong is not None:
        raise Refused(Code.FAILED_MeteringSignatureNotValid, wrong)
    confirmed = MeteringConfirmed(known.now, encode_fragment(signed, schema_set("common")), True)
    response = MeteringConfirmationRes(Header=known.header, ResponseCode=Code.OK)
    return Reply(response, known.state, replace(known, intent=known.intent.without(Ask.MeteringConfirmation)), (confirmed,))
