"""ChargingStatus, CurrentDemand and MeteringReceipt: what goes on while power flows, and the receipt that a car signs for it."""

from typing import Any

from secc.claims import Signed
from secc.enveloped.demand import demanded, within_bounds
from secc.intent import Wish
from secc.iso2.notices import ac_status, evse_id, status
from secc.iso2.parameters import phase_current
from secc.iso2.words import WORDS
from secc.neutral.bounds import bounds
from secc.neutral.context import Context, Reply
from secc.station import EVReported, Limits, MeteringConfirmed, SetPower
from v2g.exi.codec import encode_fragment
from v2g.iso2.physical import A, physical
from v2g.iso2.sequence import State
from v2g.messages import schema_set
from v2g.messages.iso2.msg_body import (
    ChargingStatusReq,
    ChargingStatusRes,
    CurrentDemandReq,
    CurrentDemandRes,
    MeteringReceiptReq,
    MeteringReceiptRes,
)
from v2g.messages.iso2.msg_data_types import MeterInfoType
from v2g.messages.iso2.msg_data_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.session.endpoint import Event
from v2g.session.errors import Refused, SequenceError

SAME = 1.0  # W; a target that moves less is not said again to the hardware
SIGNATURE = 64  # octets of a meter's signature that there is room for


def charging_status(request: ChargingStatusReq, known: Context) -> Reply:
    """Answer with the current that the car may take: within its schedule, and the limits of this moment."""
    power = known.station.output.watts
    known, objected = within_bounds(WORDS, power, type(request).__name__, known)
    allowed, car = bounds(known), known.service.car or Limits()
    target = allowed.clamp(min(allowed.charge, car.charge_power))
    wants: tuple[Event, ...] = ()
    if known.service.setpoint_wanted is None or abs(known.service.setpoint_wanted - target) >= SAME:
        known, wants = known.with_service(setpoint_wanted=target), (SetPower(known.now, target),)
    known, fields = _metered(known)
    current = phase_current(allowed.charge, known, known.agreement.selected.phases)
    response = ChargingStatusRes(
        ResponseCode=Code.OK,
        EVSEID=evse_id(known),
        SAScheduleTupleID=known.agreement.tuple_id or 1,
        EVSEMaxCurrent=physical(current, A, "down"),
        AC_EVSEStatus=ac_status(known),
        **fields,
    )
    then = State.AC_RECEIPT if fields["ReceiptRequired"] else State.AC_LOOP
    return Reply(response, then, known, (*wants, EVReported(known.now), *objected))  # it says no power: the meter knows what flows


def current_demand(request: CurrentDemandReq, known: Context) -> Reply:
    """Command the output that the car asks for, within the limits of both ends, and say which limit was reached."""
    known, said, wants = demanded(WORDS, request, known)
    known, fields = _metered(known)
    response = CurrentDemandRes(EVSEID=evse_id(known), SAScheduleTupleID=known.agreement.tuple_id or 1, **said, **fields)
    return Reply(response, State.DC_RECEIPT if fields["ReceiptRequired"] else State.DC_LOOP, known, wants)


# --- the meter ---


def meter_info(known: Context) -> MeterInfoType | None:
    """The energy of this session as the car is shown it; None where there is no meter."""
    meter = known.station.meter
    if meter is None:
        return None
    signed = meter.signature if meter.signature is not None and len(meter.signature) <= SIGNATURE else None
    return MeterInfoType(
        MeterID=meter.meter_id[:32],
        MeterReading=meter.charged,
        SigMeterReading=signed,
        MeterStatus=meter.status,
        TMeter=int(meter.at),
    )


def _metered(known: Context) -> tuple[Context, dict[str, Any]]:
    """The meter's fields of a response; a receipt is asked for where the station wants one and there is something to sign."""
    shown = meter_info(known)
    wanted = known.session.intent.of(Wish.METERING) is not None and shown is not None and bool(known.agreement.contract)
    if wanted and shown is not None:
        known = known.with_service(meters_shown=(shown,))
    return known, {"MeterInfo": shown, "ReceiptRequired": wanted if known.agreement.contract else None}


def metering_receipt(request: MeteringReceiptReq, known: Context) -> Reply:
    """Accept a signed meter reading. Raises Refused unless it is the one that was shown, and the contract's key signed it."""
    invalid, dc = Reason.METER_SIGNATURE, known.agreement.selected.dc
    if not known.service.meters_shown:
        raise SequenceError("a receipt came that nobody asked for", "V2G2-538")
    if request.SessionID != known.session.id:
        raise Refused(invalid, f"the signed SessionID is {request.SessionID.hex()}", "V2G2-481")
    if request.MeterInfo not in known.service.meters_shown:
        raise Refused(invalid, "the signed MeterInfo is not the one that was shown", "V2G2-481")
    assert known.given.verifier is not None
    known.given.verifier.metering(Signed(request, known.step.signature), known.agreement.contract)
    confirmed = MeteringConfirmed(known.now, encode_fragment(request, schema_set("iso2")), True)
    followed = known.with_service(meters_shown=()).with_session(intent=known.session.intent.without(Wish.METERING))
    response = MeteringReceiptRes(ResponseCode=Code.OK, EVSEStatus=status(known))
    return Reply(response, State.DC_LOOP if dc else State.AC_LOOP, followed, (confirmed,))
