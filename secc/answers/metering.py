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
    if known.intent.of(Ask.MeteringConfirmation) is None and not known.meters_shown:
        raise SequenceError("a metering confirmation came that nobody asked for", "V2G20-1083")
    signed, invalid = request.SignedMeteringData, Code.FAILED_MeteringSignatureNotValid
    if signed.SessionID != known.session_id:
        raise Refused(invalid, f"the signed SessionID is {signed.SessionID.hex()}", None)
    if signed.MeterInfo not in known.meters_shown:
        raise Refused(invalid, "the signed MeterInfo is none that was shown since it was asked for", None)
    if known.verifier is None:
        raise Refused(invalid, "there is nobody to verify it", None)
    if (wrong := known.verifier.metering(request, known.agreement.contract)) is not None:
        raise Refused(wrong.code, wrong.reason, wrong.requirement)
    confirmed = MeteringConfirmed(known.now, encode_fragment(signed, schema_set("common")), True)
    response = MeteringConfirmationRes(Header=known.header, ResponseCode=Code.OK)
    return Reply(
        response, known.state, replace(known, meters_shown=(), intent=known.intent.without(Ask.MeteringConfirmation)), (confirmed,)
    )
