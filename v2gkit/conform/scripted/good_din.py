"""The good answer to each request of DIN SPEC 70121: what a station that is in order says, shortest form (pure).

It is made from the messages' declarations alone, as those of the other generations are: no rule of our own station is asked.
"""

from typing import Any

from v2g.din.generation import DIN as GENERATION
from v2g.din.physical import A, V, W, number, physical
from v2g.din.services import CHARGING, OFFERED, PROTOCOL
from v2g.exi.derive import least
from v2g.messages.din import msg_body
from v2g.messages.din import msg_data_types as types
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.negotiated import negotiated
from v2gkit.conform.scripted.speech import Answer, Speech, name_of

Code, Processing, Status = types.responseCodeType, types.EVSEProcessingType, types.DC_EVSEStatusCodeType
DAY = 86_400  # s that a schedule holds
POWER = 30_000  # W, of a schedule, whose entries are short integers
EVSE_ID = bytes(1)  # the station says none
LIMITS = {
    "EVSEMaximumCurrentLimit": physical(150, A),
    "EVSEMaximumPowerLimit": physical(60e3, W),
    "EVSEMaximumVoltageLimit": physical(500, V),
    "EVSEMinimumCurrentLimit": physical(0, A),
    "EVSEMinimumVoltageLimit": physical(150, V),
    "EVSEPeakCurrentRipple": physical(1, A),
}


def ok(request: Any, desk: Desk, **fields: Any) -> Any:
    """The paired response, OK unless `ResponseCode` is given, least where nothing is said."""
    return least(GENERATION.responses[type(request)], **{"ResponseCode": Code.OK, **fields})


def good(request: Any, desk: Desk) -> Any:
    """The good answer to a request of any kind."""
    answer: Answer = GOOD.get(name_of(type(request)), ok)
    return answer(request, desk)


def other(request: Any, desk: Desk) -> Any:
    """An OK response that answers another request."""
    if isinstance(request, msg_body.ServicePaymentSelectionReq):
        return msg_body.SessionStopRes(ResponseCode=Code.OK)
    return msg_body.ServicePaymentSelectionRes(ResponseCode=Code.OK)


def status(
    code: types.DC_EVSEStatusCodeType = Status.EVSE_Ready, isolation: types.isolationLevelType = types.isolationLevelType.Valid
) -> types.DC_EVSEStatusType:
    """DC_EVSEStatus: ready and isolated, unless something else is given."""
    return types.DC_EVSEStatusType(
        EVSEIsolationStatus=isolation, EVSEStatusCode=code, NotificationMaxDelay=0, EVSENotification=types.EVSENotificationType.None_
    )


def _said(desk: Desk) -> Any:
    return desk.status() or status()


def _sap(request: Any, desk: Desk) -> Any:
    return negotiated(request, (PROTOCOL.namespace,))


def _setup(request: Any, desk: Desk) -> Any:
    return ok(request, desk, ResponseCode=Code.OK_NewSessionEstablished, EVSEID=EVSE_ID, DateTimeNow=desk.now())


def _discovery(request: Any, desk: Desk) -> Any:
    tag = types.ServiceTagType(ServiceID=CHARGING, ServiceCategory=types.serviceCategoryType.EVCharging)
    charging = types.ServiceChargeType(ServiceTag=tag, FreeService=True, EnergyTransferType=OFFERED)
    options = types.PaymentOptionsType(PaymentOption=(types.paymentOptionType.ExternalPayment,))
    return ok(request, desk, PaymentOptions=options, ChargeService=charging)


def _finished(request: Any, desk: Desk) -> Any:
    return ok(request, desk, EVSEProcessing=Processing.Finished)


def schedule(watts: int = POWER) -> types.SAScheduleListType:
    """One schedule of a day."""
    entry = types.PMaxScheduleEntryType(TimeInterval=types.RelativeTimeIntervalType(start=0, duration=DAY), PMax=watts)
    powers = types.PMaxScheduleType(PMaxScheduleID=1, PMaxScheduleEntry=(entry,))
    return types.SAScheduleListType(SAScheduleTuple=(types.SAScheduleTupleType(SAScheduleTupleID=1, PMaxSchedule=powers),))


def _parameters(request: Any, desk: Desk) -> Any:
    limits: Any = {**LIMITS, **desk.play.limits}
    said = types.DC_EVSEChargeParameterType(DC_EVSEStatus=_said(desk), **limits)
    return ok(request, desk, EVSEProcessing=Processing.Finished, SASchedules=schedule(), EVSEChargeParameter=said)


def _cable_check(request: Any, desk: Desk) -> Any:
    return ok(request, desk, DC_EVSEStatus=_said(desk), EVSEProcessing=Processing.Finished)


def _pre_charge(request: Any, desk: Desk) -> Any:
    desk.voltage = number(request.EVTargetVoltage)
    return ok(request, desk, DC_EVSEStatus=_said(desk), EVSEPresentVoltage=request.EVTargetVoltage)


def _power(request: Any, desk: Desk) -> Any:
    return ok(request, desk, EVSEStatus=_said(desk))


def _demand(request: Any, desk: Desk) -> Any:
    desk.loops += 1
    return ok(
        request,
        desk,
        DC_EVSEStatus=_said(desk),
        EVSEPresentVoltage=request.EVTargetVoltage,
        EVSEPresentCurrent=request.EVTargetCurrent,
    )


def _welding(request: Any, desk: Desk) -> Any:
    return ok(request, desk, DC_EVSEStatus=_said(desk), EVSEPresentVoltage=physical(0, V))


GOOD: dict[str, Answer] = {
    "supportedAppProtocolReq": _sap,
    "SessionSetupReq": _setup,
    "ServiceDiscoveryReq": _discovery,
    "ContractAuthenticationReq": _finished,
    "ChargeParameterDiscoveryReq": _parameters,
    "CableCheckReq": _cable_check,
    "PreChargeReq": _pre_charge,
    "PowerDeliveryReq": _power,
    "CurrentDemandReq": _demand,
    "WeldingDetectionReq": _welding,
}
DIN = Speech(
    GENERATION,
    good,
    other,
    (
        "SessionSetup",
        "ServiceDiscovery",
        "ServicePaymentSelection",
        "ContractAuthentication",
        "ChargeParameterDiscovery",
        "CableCheck",
        "PreCharge",
        "PowerDelivery",
        "CurrentDemand",
        "WeldingDetection",
        "SessionStop",
    ),
)
