"""The good answer to each request of ISO 15118-2: what a station that is in order says, shortest form (pure).

It is made from the messages' declarations alone, as that of -20 is: no rule of our own station is asked.
"""

from typing import Any

import msgspec

from v2g.exi.derive import least
from v2g.iso2.generation import ISO2 as GENERATION
from v2g.iso2.physical import A, V, W, number, physical
from v2g.iso2.services import CHARGING, MODES, PROTOCOL
from v2g.iso20.services import AC, DC
from v2g.messages.iso2 import msg_body
from v2g.messages.iso2 import msg_data_types as types
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.negotiated import negotiated
from v2gkit.conform.scripted.speech import Answer, Speech

Code, Processing, Transfer = types.responseCodeType, types.EVSEProcessingType, types.EnergyTransferModeType
DAY = 86_400  # s that a schedule holds
POWER = 40e3  # W, of a schedule
OFFERED = {  # by service: what a station of it offers
    DC.name: (Transfer.DC_extended, Transfer.DC_core),
    AC.name: (Transfer.AC_three_phase_core, Transfer.AC_single_phase_core),
}
WAYS = {"PnC": types.paymentOptionType.Contract, "EIM": types.paymentOptionType.ExternalPayment}
DC_LIMITS = {
    "EVSEMaximumCurrentLimit": physical(150, A),
    "EVSEMaximumPowerLimit": physical(60e3, W),
    "EVSEMaximumVoltageLimit": physical(500, V),
    "EVSEMinimumCurrentLimit": physical(0, A),
    "EVSEMinimumVoltageLimit": physical(150, V),
    "EVSEPeakCurrentRipple": physical(1, A),
}
AC_LIMITS = {"EVSENominalVoltage": physical(230, V), "EVSEMaxCurrent": physical(32, A)}


def ok(request: Any, desk: Desk, **fields: Any) -> Any:
    """The paired response, OK unless `ResponseCode` is given, least where nothing is said."""
    return least(GENERATION.responses[type(request)], **{"ResponseCode": Code.OK, **fields})


def good(request: Any, desk: Desk) -> Any:
    """The good answer to a request of any kind."""
    answer: Answer = GOOD.get(type(request).__name__, ok)
    return answer(request, desk)


def finished(request: Any, desk: Desk) -> Any:
    """The OK response of a phase that is finished at once."""
    return ok(request, desk, EVSEProcessing=Processing.Finished)


def other(request: Any, desk: Desk) -> Any:
    """An OK response that answers another request."""
    kind = msg_body.PaymentServiceSelectionRes
    if isinstance(request, msg_body.PaymentServiceSelectionReq):
        return msg_body.SessionStopRes(ResponseCode=Code.OK)
    return kind(ResponseCode=Code.OK)


# --- states of the station ---


def dc_status(
    code: types.DC_EVSEStatusCodeType = types.DC_EVSEStatusCodeType.EVSE_Ready,
    notification: types.EVSENotificationType = types.EVSENotificationType.None_,
    isolation: types.isolationLevelType = types.isolationLevelType.Valid,
    delay: int = 0,
) -> types.DC_EVSEStatusType:
    """DC_EVSEStatus: ready and isolated, unless something else is given."""
    return types.DC_EVSEStatusType(
        NotificationMaxDelay=delay, EVSENotification=notification, EVSEIsolationStatus=isolation, EVSEStatusCode=code
    )


def ac_status(
    notification: types.EVSENotificationType = types.EVSENotificationType.None_, *, rcd: bool = False, delay: int = 0
) -> types.AC_EVSEStatusType:
    """AC_EVSEStatus: no fault and nothing asked, unless something else is given."""
    return types.AC_EVSEStatusType(NotificationMaxDelay=delay, EVSENotification=notification, RCD=rcd)


def status(desk: Desk) -> Any:
    """The EVSEStatus of the way of charging that the car asked for, with what is notified in this loop."""
    return desk.status() or (dc_status() if desk.dc else ac_status())


# --- setup, services, authorization ---


def _sap(request: Any, desk: Desk) -> Any:
    return negotiated(request, (PROTOCOL.namespace,))


def _setup(request: Any, desk: Desk) -> Any:
    if desk.told is not None and desk.joins(desk.told):
        desk.session_id = desk.told
        return ok(request, desk, ResponseCode=Code.OK_OldSessionJoined, EVSEID=desk.play.evse_id, EVSETimeStamp=desk.now())
    return ok(request, desk, ResponseCode=Code.OK_NewSessionEstablished, EVSEID=desk.play.evse_id, EVSETimeStamp=desk.now())


def _discovery(request: Any, desk: Desk) -> Any:
    modes = tuple(mode for name in desk.play.services for mode in OFFERED[name])
    charging = types.ChargeServiceType(
        ServiceID=CHARGING,
        ServiceCategory=types.serviceCategoryType.EVCharging,
        FreeService=True,
        SupportedEnergyTransferMode=types.SupportedEnergyTransferModeType(EnergyTransferMode=modes),
    )
    options = types.PaymentOptionListType(PaymentOption=tuple(WAYS[way] for way in desk.play.ways))
    return ok(request, desk, PaymentOptionList=options, ChargeService=charging)


def _detail(request: Any, desk: Desk) -> Any:
    return ok(request, desk, ServiceID=request.ServiceID)


def _details(request: Any, desk: Desk) -> Any:
    return ok(request, desk, GenChallenge=desk.play.challenge, EVSETimeStamp=desk.now())


# --- parameters and schedules ---


def power_schedule(*entries: tuple[int, float]) -> types.PMaxScheduleType:
    """A PMaxSchedule from entries of (s, W), the first at once; the last holds for a day."""
    begins = [sum(seconds for seconds, _ in entries[:count]) for count in range(len(entries))]
    made = [
        types.PMaxScheduleEntryType(TimeInterval=types.RelativeTimeIntervalType(start=begin), PMax=physical(watt, W))
        for begin, (_, watt) in zip(begins, entries, strict=True)
    ]
    last = types.RelativeTimeIntervalType(start=begins[-1], duration=DAY)
    made[-1] = types.PMaxScheduleEntryType(TimeInterval=last, PMax=made[-1].PMax)
    return types.PMaxScheduleType(PMaxScheduleEntry=tuple(made))


def schedules(*schedules: types.PMaxScheduleType) -> types.SAScheduleListType:
    """SAScheduleTuples with the ids 1, 2, 3."""
    tuples = (types.SAScheduleTupleType(SAScheduleTupleID=number, PMaxSchedule=each) for number, each in enumerate(schedules, 1))
    return types.SAScheduleListType(SAScheduleTuple=tuple(tuples))


def _parameters(request: Any, desk: Desk) -> Any:
    desk.dc = MODES[request.RequestedEnergyTransferMode].dc
    limits: Any = {**(DC_LIMITS if desk.dc else AC_LIMITS), **desk.play.limits}
    said = (
        types.DC_EVSEChargeParameterType(DC_EVSEStatus=status(desk), **limits)
        if desk.dc
        else types.AC_EVSEChargeParameterType(AC_EVSEStatus=status(desk), **limits)
    )
    planned = schedules(power_schedule((DAY, POWER if desk.dc else 22e3)))
    return ok(request, desk, EVSEProcessing=Processing.Finished, SASchedules=planned, EVSEChargeParameter=said)


# --- power ---


def _cable_check(request: Any, desk: Desk) -> Any:
    return ok(request, desk, DC_EVSEStatus=status(desk), EVSEProcessing=Processing.Finished)


def _pre_charge(request: Any, desk: Desk) -> Any:
    desk.voltage = number(request.EVTargetVoltage)
    return ok(request, desk, DC_EVSEStatus=status(desk), EVSEPresentVoltage=request.EVTargetVoltage)


def _power(request: Any, desk: Desk) -> Any:
    return ok(request, desk, EVSEStatus=status(desk))


def meter(desk: Desk) -> types.MeterInfoType:
    """What the meter shows."""
    return types.MeterInfoType(MeterID="METER-1", MeterReading=1000 + desk.loops)


def _demand(request: Any, desk: Desk) -> Any:
    desk.loops += 1
    desk.current, desk.voltage = number(request.EVTargetCurrent), number(request.EVTargetVoltage)
    return ok(
        request,
        desk,
        DC_EVSEStatus=status(desk),
        EVSEPresentVoltage=request.EVTargetVoltage,
        EVSEPresentCurrent=request.EVTargetCurrent,
        EVSEID=desk.play.evse_id,
        SAScheduleTupleID=1,
        MeterInfo=meter(desk),
    )


def _charging(request: Any, desk: Desk) -> Any:
    desk.loops += 1
    return ok(request, desk, EVSEID=desk.play.evse_id, SAScheduleTupleID=1, MeterInfo=meter(desk), AC_EVSEStatus=status(desk))


def _welding(request: Any, desk: Desk) -> Any:
    return ok(request, desk, DC_EVSEStatus=status(desk), EVSEPresentVoltage=physical(0, V))


def receipts(request: Any, desk: Desk) -> Any:
    """The good loop response, whose reading must be confirmed."""
    return msgspec.structs.replace(good(request, desk), ReceiptRequired=True)


GOOD: dict[str, Answer] = {
    "supportedAppProtocolReq": _sap,
    "SessionSetupReq": _setup,
    "ServiceDiscoveryReq": _discovery,
    "ServiceDetailReq": _detail,
    "PaymentDetailsReq": _details,
    "AuthorizationReq": finished,
    "ChargeParameterDiscoveryReq": _parameters,
    "CableCheckReq": _cable_check,
    "PreChargeReq": _pre_charge,
    "PowerDeliveryReq": _power,
    "CurrentDemandReq": _demand,
    "ChargingStatusReq": _charging,
    "MeteringReceiptReq": _power,
    "WeldingDetectionReq": _welding,
}
ISO2 = Speech(
    GENERATION,
    good,
    other,
    (
        "SessionSetup",
        "ServiceDiscovery",
        "PaymentServiceSelection",
        "Authorization",
        "ChargeParameterDiscovery",
        "CableCheck",
        "PreCharge",
        "PowerDelivery",
        "CurrentDemand",
        "WeldingDetection",
        "SessionStop",
    ),
)
