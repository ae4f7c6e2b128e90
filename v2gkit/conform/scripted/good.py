"""The good answer to each request: what a station that is in order says, shortest form (pure).

It is made from the tables of the standard and the messages' declarations alone. No rule of our own station is asked, so that a foreign car
is judged by the standard, and our own car not by its brother.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from v2g.exi.derive import least
from v2g.iso20.generation import ISO20 as GENERATION
from v2g.iso20.pricing import POWER_ALGORITHM
from v2g.iso20.rational import number, rational
from v2g.iso20.sequence import response_to
from v2g.iso20.services import BY_ID, SERVICES
from v2g.messages import ac, dc
from v2g.messages import common_messages as cm
from v2g.messages.common_types import MeterInfoType, processingType, responseCodeType
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.negotiated import negotiated
from v2gkit.conform.scripted.speech import Speech

Code, Processing = responseCodeType, processingType
Answer = Callable[[Any, Desk], Any]
HOURS = 8 * 3600  # s that a schedule holds
POWER = 40e3  # W, of a schedule; also what a Dynamic target may be at the most
DC_LIMITS = {
    "EVSEMaximumChargePower": rational(60e3),
    "EVSEMinimumChargePower": rational(0),
    "EVSEMaximumChargeCurrent": rational(150),
    "EVSEMinimumChargeCurrent": rational(0),
    "EVSEMaximumVoltage": rational(500),
    "EVSEMinimumVoltage": rational(150),
}
DC_BACK = {
    "EVSEMaximumDischargePower": rational(30e3),
    "EVSEMinimumDischargePower": rational(0),
    "EVSEMaximumDischargeCurrent": rational(100),
    "EVSEMinimumDischargeCurrent": rational(0),
}
AC_LIMITS = {"EVSEMaximumChargePower": rational(22e3), "EVSEMinimumChargePower": rational(0), "EVSENominalFrequency": rational(50)}
AC_BACK = {"EVSEMaximumDischargePower": rational(11e3), "EVSEMinimumDischargePower": rational(0)}


def ok(request: Any, desk: Desk, **fields: Any) -> Any:
    """The paired response, OK unless `ResponseCode` is given, least where nothing is said."""
    return least(response_to(type(request)), **{"Header": desk.header(), "ResponseCode": Code.OK, **fields})


def other(request: Any, desk: Desk) -> Any:
    """An OK response that answers another request."""
    if not isinstance(request, cm.ServiceSelectionReq):
        return least(cm.ServiceSelectionRes, Header=desk.header(), ResponseCode=Code.OK)
    return least(
        cm.AuthorizationSetupRes,
        Header=desk.header(),
        ResponseCode=Code.OK,
        AuthorizationServices=(cm.authorizationType.EIM,),
        EIM_ASResAuthorizationMode=cm.EIM_ASResAuthorizationModeType(),
    )


def code(which: responseCodeType, **fields: Any) -> Answer:
    """The good answer with this response code, and with other fields where given."""

    def answer(request: Any, desk: Desk) -> Any:
        return msgspec.structs.replace(good(request, desk), ResponseCode=which, **fields)

    return answer


def ongoing(request: Any, desk: Desk) -> Any:
    """The good answer of any generation, not finished yet."""
    answer = desk.good(request)
    return msgspec.structs.replace(answer, EVSEProcessing=type(answer.EVSEProcessing).Ongoing)


def finished(request: Any, desk: Desk) -> Any:
    """The OK response of a phase that is finished at once."""
    return ok(request, desk, EVSEProcessing=Processing.Finished)


def good(request: Any, desk: Desk) -> Any:
    """The good answer to a request of any kind."""
    return GOOD.get(type(request).__name__, ok)(request, desk)


# --- negotiation, setup, authorization, services ---


def _sap(request: Any, desk: Desk) -> Any:
    return negotiated(request, {SERVICES[name].protocol.namespace for name in desk.play.services})


def _setup(request: Any, desk: Desk) -> Any:
    old = request.Header.SessionID
    if desk.joins(old):
        desk.session_id = old
        return ok(request, desk, ResponseCode=Code.OK_OldSessionJoined, EVSEID=desk.play.evse_id)
    return ok(request, desk, ResponseCode=Code.OK_NewSessionEstablished, EVSEID=desk.play.evse_id)


def _authorization_setup(request: Any, desk: Desk) -> Any:
    ways = desk.play.ways
    if "PnC" in ways:
        mode: dict[str, Any] = {"PnC_ASResAuthorizationMode": cm.PnC_ASResAuthorizationModeType(GenChallenge=desk.play.challenge)}
    else:
        mode = {"EIM_ASResAuthorizationMode": cm.EIM_ASResAuthorizationModeType()}
    offered = tuple(map(cm.authorizationType, ways))
    return ok(request, desk, AuthorizationServices=offered, CertificateInstallationService=desk.play.installs is not None, **mode)


def _installation(request: Any, desk: Desk) -> Any:
    if desk.play.installs is None:
        return ok(request, desk, ResponseCode=Code.FAILED_SequenceError)
    made = desk.play.installs(request)
    header = msgspec.structs.replace(desk.header(), Signature=made.Header.Signature)
    return msgspec.structs.replace(made, Header=header)


def _discovery(request: Any, desk: Desk) -> Any:
    offered = tuple(cm.ServiceType(ServiceID=SERVICES[name].id, FreeService=True) for name in desk.play.services)
    return ok(request, desk, ServiceRenegotiationSupported=True, EnergyTransferServiceList=cm.ServiceListType(Service=offered))


def parameter_set(number: int, **values: int) -> cm.ParameterSetType:
    """A parameter set of a service with values of type int."""
    return cm.ParameterSetType(ParameterSetID=number, Parameter=tuple(cm.ParameterType(Name=n, intValue=v) for n, v in values.items()))


def parameters(service: str, control: int) -> dict[str, Any]:
    """What a parameter set of a service says, for Scheduled (1) or Dynamic (2) control."""
    row = SERVICES[service]
    said = {"Connector": row.connector_of(3), "ControlMode": control, "MobilityNeedsMode": 1, "Pricing": 1}
    more = {"EVSENominalVoltage": 230, "BPTChannel": 1, "GeneratorMode": 1, "GridCodeIslandingDetectionMethod": 1}
    return {name: value for name, value in (said | more).items() if name in row.parameters or name in ("ControlMode", "MobilityNeedsMode")}


def _detail(request: Any, desk: Desk) -> Any:
    row = BY_ID.get(request.ServiceID)
    if row is None or row.name not in desk.play.services:
        return ok(request, desk, ResponseCode=Code.FAILED_ServiceIDInvalid, ServiceID=request.ServiceID)
    sets = tuple(parameter_set(3 + 2 * control, **parameters(row.name, control)) for control in desk.play.controls)
    return ok(request, desk, ServiceID=request.ServiceID, ServiceParameterList=cm.ServiceParameterListType(ParameterSet=sets))


# --- parameters and schedules ---


def mode_for(mode: Any) -> Any:
    """The type that answers a mode of a request: of its module, and of its name with Res."""
    return getattr(sys.modules[type(mode).__module__], type(mode).__name__.replace("Req", "Res"))


def _parameters_dc(request: Any, desk: Desk) -> Any:
    kind = mode_for(request.DC_CPDReqEnergyTransferMode)
    limits = DC_LIMITS | (DC_BACK if kind is dc.BPT_DC_CPDResEnergyTransferModeType else {}) | dict(desk.play.limits)
    return ok(request, desk, DC_CPDResEnergyTransferMode=kind(**limits))


def _parameters_ac(request: Any, desk: Desk) -> Any:
    kind = mode_for(request.AC_CPDReqEnergyTransferMode)
    limits = AC_LIMITS | (AC_BACK if kind is ac.BPT_AC_CPDResEnergyTransferModeType else {}) | dict(desk.play.limits)
    return ok(request, desk, AC_CPDResEnergyTransferMode=kind(**limits))


def power_schedule(anchor: int, *entries: tuple[int, float]) -> cm.PowerScheduleType:
    """A power schedule from entries of (s, W)."""
    steps = tuple(cm.PowerScheduleEntryType(Duration=seconds, Power=rational(watt)) for seconds, watt in entries)
    return cm.PowerScheduleType(TimeAnchor=anchor, PowerScheduleEntries=cm.PowerScheduleEntryListType(PowerScheduleEntry=steps))


def prices(anchor: int, stacks: int = 1, rules: int = 1, fee: float = 0.30, identifier: str | None = None) -> cm.AbsolutePriceScheduleType:
    """A price schedule of so many stacks, each of so many rules, at one fee per kWh."""
    rule = tuple(cm.PriceRuleType(EnergyFee=rational(fee), PowerRangeStart=rational(1000 * number)) for number in range(rules))
    stack = tuple(cm.PriceRuleStackType(Duration=max(60, HOURS // stacks), PriceRule=rule) for _ in range(stacks))
    return least(
        cm.AbsolutePriceScheduleType,
        Id=identifier,
        TimeAnchor=anchor,
        PriceScheduleID=1,
        Currency="EUR",
        Language="en",
        PriceAlgorithm=POWER_ALGORITHM,
        PriceRuleStacks=cm.PriceRuleStackListType(PriceRuleStack=stack),
    )


def schedule_tuple(number: int, charge: cm.PowerScheduleType, prices: Any = None) -> cm.ScheduleTupleType:
    """A schedule tuple for charging, with prices where given."""
    return cm.ScheduleTupleType(
        ScheduleTupleID=number, ChargingSchedule=cm.ChargingScheduleType(PowerSchedule=charge, AbsolutePriceSchedule=prices)
    )


def _schedule(request: Any, desk: Desk) -> Any:
    said: dict[str, Any] = {"EVSEProcessing": Processing.Finished}
    if request.Dynamic_SEReqControlMode is not None:
        return ok(request, desk, **said, Dynamic_SEResControlMode=cm.Dynamic_SEResControlModeType())
    tuples = (schedule_tuple(3, power_schedule(desk.now(), (HOURS, POWER)), prices(desk.now())),)  # some cars want prices
    return ok(request, desk, **said, Scheduled_SEResControlMode=cm.Scheduled_SEResControlModeType(ScheduleTuple=tuples))


# --- power ---


def _pre_charge(request: Any, desk: Desk) -> Any:
    desk.voltage = number(request.EVTargetVoltage)
    return ok(request, desk, EVSEPresentVoltage=request.EVTargetVoltage)


def meter(desk: Desk) -> MeterInfoType:
    """What the meter shows."""
    return MeterInfoType(MeterID="METER-1", ChargedEnergyReadingWh=1000 + desk.loops, MeterSignature=bytes(64))


def _loop_dc(request: Any, desk: Desk) -> Any:
    desk.loops += 1
    asked, kind = request.CLReqControlMode, mode_for(request.CLReqControlMode)
    limits: dict[str, Any] = {}
    if hasattr(asked, "EVTargetCurrent"):
        desk.current, desk.voltage = number(asked.EVTargetCurrent), number(asked.EVTargetVoltage)
    else:
        desk.voltage = number(request.EVPresentVoltage) or desk.voltage
        back = -abs(number(getattr(asked, "EVMaximumDischargePower", rational(0))))
        power = min(max(desk.play.setpoint, back), number(asked.EVMaximumChargePower))
        desk.current = power / desk.voltage if desk.voltage else 0.0
        limits = {name: DC_LIMITS[name] for name in ("EVSEMaximumChargePower", "EVSEMaximumChargeCurrent", "EVSEMaximumVoltage")}
        limits |= {"EVSEMinimumChargePower": rational(0)}
        if "EVSEMaximumDischargePower" in kind.__struct_fields__:
            limits |= DC_BACK
    return ok(
        request,
        desk,
        EVSEStatus=desk.status(),
        MeterInfo=meter(desk) if request.MeterInfoRequested else None,
        EVSEPresentCurrent=rational(desk.current),
        EVSEPresentVoltage=rational(desk.voltage),
        CLResControlMode=least(kind, **{name: value for name, value in limits.items() if name in kind.__struct_fields__}),
    )


def _loop_ac(request: Any, desk: Desk) -> Any:
    desk.loops += 1
    kind = mode_for(request.CLReqControlMode)
    target = {"EVSETargetActivePower": rational(desk.play.setpoint)} if "Dynamic" in kind.__name__ else {}
    info = meter(desk) if request.MeterInfoRequested else None
    return ok(request, desk, EVSEStatus=desk.status(), MeterInfo=info, CLResControlMode=least(kind, **target))


GOOD: dict[str, Answer] = {
    "supportedAppProtocolReq": _sap,
    "SessionSetupReq": _setup,
    "AuthorizationSetupReq": _authorization_setup,
    "CertificateInstallationReq": _installation,
    "AuthorizationReq": finished,
    "ServiceDiscoveryReq": _discovery,
    "ServiceDetailReq": _detail,
    "DC_ChargeParameterDiscoveryReq": _parameters_dc,
    "AC_ChargeParameterDiscoveryReq": _parameters_ac,
    "ScheduleExchangeReq": _schedule,
    "DC_CableCheckReq": finished,
    "DC_PreChargeReq": _pre_charge,
    "DC_ChargeLoopReq": _loop_dc,
    "AC_ChargeLoopReq": _loop_ac,
    "PowerDeliveryReq": partial(ok),
}
ISO20 = Speech(
    GENERATION,
    good,
    other,
    (
        "SessionSetup",
        "AuthorizationSetup",
        "Authorization",
        "ServiceDiscovery",
        "ServiceDetail",
        "ServiceSelection",
        "DC_ChargeParameterDiscovery",
        "ScheduleExchange",
        "DC_CableCheck",
        "DC_PreCharge",
        "PowerDelivery",
        "DC_ChargeLoop",
        "DC_WeldingDetection",
        "SessionStop",
    ),
)
