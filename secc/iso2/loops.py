"""ChargingStatus, CurrentDemand and MeteringReceipt: what goes on while power flows, and the receipt that a car signs for it."""

from dataclasses import replace
from typing import Any

from secc.claims import Signed
from secc.intent import Wish
from secc.iso2.notices import ac_status, dc_status, evse_id, status
from secc.iso2.parameters import phase_current
from secc.neutral.bounds import bounds
from secc.neutral.context import Context, Reply
from secc.neutral.keeping import kept
from secc.neutral.output import LEAST_VOLTAGE, differs, output, voltage_within
from secc.station import Display, EVReported, Limits, MeteringConfirmed, Objected, SetPower
from v2g.exi.codec import encode_fragment
from v2g.iso2.physical import A, V, W, number, optional, physical
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
    known, objected = _kept(power, type(request).__name__, known)
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
    return Reply(response, then, known, (*wants, EVReported(known.now, power=power), *objected))


def current_demand(request: CurrentDemandReq, known: Context) -> Reply:
    """Command the output that the car asks for, within the limits of both ends, and say which limit was reached."""
    measured = known.station.output
    known = known.with_service(car=_limits(request, known))
    named = number(request.EVTargetVoltage)
    known = known.with_service(target_voltage=voltage_within(named, known))
    known, objected = _kept(measured.watts, type(request).__name__, known)
    allowed = bounds(known)
    present = max(measured.voltage, LEAST_VOLTAGE)
    wished = 0.0 if known.service.impaired else max(number(request.EVTargetCurrent), 0.0)
    wanted, reached = output(named, wished, allowed, known, present)
    tell = differs(known.service.output_wanted, wanted)
    known = known.with_service(output_wanted=wanted if tell else known.service.output_wanted)
    known, fields = _metered(known)
    ours = known.present_limits
    response = CurrentDemandRes(
        ResponseCode=Code.OK,
        DC_EVSEStatus=dc_status(known, ready=True),
        EVSEPresentVoltage=physical(measured.voltage, V),
        EVSEPresentCurrent=physical(measured.current, A),
        EVSECurrentLimitAchieved="current" in reached,
        EVSEVoltageLimitAchieved="voltage" in reached,
        EVSEPowerLimitAchieved="power" in reached,
        EVSEMaximumVoltageLimit=physical(ours.voltage, V, "down"),
        EVSEMaximumCurrentLimit=physical(ours.charge_current, A, "down"),
        EVSEMaximumPowerLimit=physical(allowed.charge, W, "down"),
        EVSEID=evse_id(known),
        SAScheduleTupleID=known.agreement.tuple_id or 1,
        **fields,
    )
    then = State.DC_RECEIPT if fields["ReceiptRequired"] else State.DC_LOOP
    wants: tuple[Event, ...] = (wanted,) if tell else ()
    return Reply(response, then, known, (*wants, _reported(request, measured.watts, known), *objected))


def _kept(power: float, request: str, known: Context) -> tuple[Context, tuple[Event, ...]]:
    """The context after the power was held against its bounds. A car that is beyond one is told by no code before it is refused."""
    known, objection, first = kept(power, known)
    told = () if objection is None or not first else (Objected(known.now, request, Code.OK.value, objection),)
    return known, told


def _limits(request: CurrentDemandReq, known: Context) -> Limits:
    """The limits of the car now: those that this request states, else those it stated before; below zero is nothing."""
    before = known.service.car or Limits()
    unsaid = before.charge_power >= before.voltage * before.charge_current  # a car that said 0 W goes on saying it
    power = optional(request.EVMaximumPowerLimit)
    said = {
        "charge_power": None if unsaid and power == 0 else power,
        "charge_current": optional(request.EVMaximumCurrentLimit),
        "voltage": optional(request.EVMaximumVoltageLimit),
    }
    changed: dict[str, Any] = {name: max(value, 0.0) for name, value in said.items() if value is not None}
    return replace(before, **changed)


def _reported(request: CurrentDemandReq, power: float, known: Context) -> EVReported:
    to_full, to_bulk = optional(request.RemainingTimeToFullSoC), optional(request.RemainingTimeToBulkSoC)
    display = Display(to_maximum=to_full, to_target=to_bulk, complete=request.ChargingComplete)
    return EVReported(known.now, power=power, soc=float(request.DC_EVStatus.EVRESSSOC), display=display)


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
