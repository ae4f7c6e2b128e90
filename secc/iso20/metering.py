"""MeteringConfirmation: the car signs a meter reading that it was shown."""

from secc.intent import Wish
from secc.iso20.notices import header
from secc.neutral.context import Context, Reply
from secc.station import MeteringConfirmed
from v2g.exi.codec import encode_fragment
from v2g.messages import schema_set
from v2g.messages.common_messages import MeteringConfirmationReq, MeteringConfirmationRes
from v2g.messages.common_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.session.errors import Refused, SequenceError


def metering_confirmation(request: MeteringConfirmationReq, known: Context) -> Reply:
    """Accept a signed meter reading. Raises Refused unless it was asked for [V2G20-1083], was shown, and the contract's key signed it."""
    if known.session.intent.of(Wish.METERING) is None and not known.service.meters_shown:
        raise SequenceError("a metering confirmation came that nobody asked for", "V2G20-1083")
    signed, invalid = request.SignedMeteringData, Reason.METER_SIGNATURE
    if signed.SessionID != known.session.id:
        raise Refused(invalid, f"the signed SessionID is {signed.SessionID.hex()}", None)
    if signed.MeterInfo not in known.service.meters_shown:
        raise Refused(invalid, "the signed MeterInfo is none that was shown since it was asked for", "V2G20-1083")
    if signed.Receipt is not None and signed.Receipt not in known.service.receipts_shown:
        raise Refused(invalid, "the signed Receipt is none that was shown since it was asked for", None)
    if known.given.verifier is None:
        raise Refused(invalid, "there is nobody to verify it", None)
    known.given.verifier.metering(request, known.agreement.contract)
    confirmed = MeteringConfirmed(known.now, encode_fragment(signed, schema_set("common")), True)
    response = MeteringConfirmationRes(Header=header(known), ResponseCode=Code.OK)
    return Reply(
        response,
        known.state,
        known.with_service(meters_shown=(), receipts_shown=()).with_session(intent=known.session.intent.without(Wish.METERING)),
        (confirmed,),
    )
