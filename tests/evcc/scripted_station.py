"""A station for the car's tests: one short answer per request, each of which a test may replace.

It is not our SECC, so that no rule is tested against itself.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from evcc.car import Car
from evcc.engine import EvccSession
from evcc.iso20.charge import charge
from evcc.script import Script
from v2g.energy.der import GridControl
from v2g.exi.codec import encode
from v2g.exi.derive import least
from v2g.iso20.der_sae import Base, changes, settings
from v2g.iso20.frames import SETS, message, payload_type_for
from v2g.iso20.generation import ISO20
from v2g.iso20.rational import number, rational
from v2g.iso20.sequence import response_to
from v2g.iso20.services import BY_ID, SERVICES
from v2g.messages import ac, acdp, app_protocol, dc, schema_set, wpt
from v2g.messages import common_messages as cm
from v2g.messages.ac_der_sae import GridLimitsType
from v2g.messages.common_types import (
    EVSEStatusType,
    MessageHeaderType,
    MeterInfoType,
    evseNotificationType,
    processingType,
    responseCodeType,
)
from v2g.session.v2gtp import FrameReader, frame

Code, Processing = responseCodeType, processingType
SESSION = bytes.fromhex("0102030405060708")
EPOCH = 1_700_000_000
STEPS = 50_000  # of a session in virtual time: more than any test takes
Answer = Callable[[Any, "Station"], Any]


@dataclass
class Station:
    """`answers` override the standard ones by the name of the request; None as an answer is silence. `loops` counts charge loops."""

    answers: dict[str, Answer] = field(default_factory=dict)
    authorizations: tuple[str, ...] = ("EIM",)
    services: tuple[str, ...] = tuple(SERVICES)
    tuples: tuple[Any, ...] = ()
    notify: dict[int, str] = field(default_factory=dict)  # loop -> EVSENotification
    setpoint: float = 5_000.0  # W, Dynamic control
    voltage: float = 0.0
    current: float = 0.0
    loops: int = 0
    session_id: bytes = SESSION
    requests: list[Any] = field(default_factory=list)
    payload_types: list[int] = field(default_factory=list)
    reader: FrameReader = field(default_factory=lambda: FrameReader(2**20))

    def hear(self, octets: bytes) -> bytes:
        """Answer whole frames."""
        self.reader.feed(octets)
        out = b""
        while (heard := self.reader.next()) is not None:
            request = message(heard.payload_type, heard.payload)
            self.requests.append(request)
            self.payload_types.append(heard.payload_type)
            answer = self.answers.get(type(request).__name__, STANDARD.get(type(request).__name__, plain))
            response = answer(request, self)
            if isinstance(response, bytes):
                out += response
            elif response is not None:
                kind = payload_type_for(response, ISO20.stream(heard.payload_type))
                out += frame(kind, encode(response, schema_set(SETS[kind])))
        return out

    @property
    def header(self) -> MessageHeaderType:
        """What every response begins with."""
        return MessageHeaderType(SessionID=self.session_id, TimeStamp=EPOCH)

    def names(self) -> list[str]:
        """What the car asked, without the `Req`."""
        return [type(request).__name__.removesuffix("Req") for request in self.requests]

    def of(self, kind: type) -> list[Any]:
        """The requests of a class."""
        return [request for request in self.requests if type(request) is kind]


def ok(request: Any, station: Station, **fields: Any) -> Any:
    """The paired response, OK unless `ResponseCode` is given, least where nothing is said."""
    return least(response_to(type(request)), **{"Header": station.header, "ResponseCode": Code.OK, **fields})


def plain(request: Any, station: Station) -> Any:
    """OK and nothing else."""
    return ok(request, station)


def code(which: responseCodeType) -> Answer:
    """Always this response code."""
    return lambda request, station: ok(request, station, ResponseCode=which)


def silence(request: Any, station: Station) -> None:
    """No answer."""


def ongoing(request: Any, station: Station) -> Any:
    """Never finished."""
    return ok(request, station, EVSEProcessing=Processing.Ongoing)


def times(count: int, first: Answer, then: Answer) -> Answer:
    """One answer so many times, then another."""
    left = [count]

    def answer(request: Any, station: Station) -> Any:
        left[0] -= 1
        return (first if left[0] >= 0 else then)(request, station)

    return answer


def finished(request: Any, station: Station) -> Any:
    """At once."""
    return ok(request, station, EVSEProcessing=Processing.Finished)


def sap(request: Any, station: Station) -> Any:
    """The best of what the car offers."""
    best = min(request.AppProtocol, key=lambda entry: entry.Priority)
    return app_protocol.supportedAppProtocolRes(ResponseCode=app_protocol.responseCodeType.OK_SuccessfulNegotiation, SchemaID=best.SchemaID)


def setup(request: Any, station: Station) -> Any:
    return ok(request, station, ResponseCode=Code.OK_NewSessionEstablished, EVSEID="DE*TST*E1")


def authorization_setup(request: Any, station: Station) -> Any:
    offered = tuple(cm.authorizationType(name) for name in station.authorizations)
    if "PnC" in station.authorizations:
        mode = {"PnC_ASResAuthorizationMode": cm.PnC_ASResAuthorizationModeType(GenChallenge=bytes(range(16)))}
    else:
        mode = {"EIM_ASResAuthorizationMode": cm.EIM_ASResAuthorizationModeType()}
    return ok(request, station, AuthorizationServices=offered, **mode)


def agreed(station: Station) -> str:
    """The namespace that `sap` has chosen."""
    offers = [entry for request in station.of(app_protocol.supportedAppProtocolReq) for entry in request.AppProtocol]
    return min(offers, key=lambda entry: entry.Priority).ProtocolNamespace if offers else ""


def discovery(request: Any, station: Station) -> Any:
    fitting = sorted(station.services, key=lambda name: SERVICES[name].protocol.namespace != agreed(station))[:8]  # a list holds eight
    offered = tuple(cm.ServiceType(ServiceID=SERVICES[name].id, FreeService=True) for name in station.services if name in fitting)
    return ok(request, station, ServiceRenegotiationSupported=True, EnergyTransferServiceList=cm.ServiceListType(Service=offered))


def parameter_set(number: int, **values: int) -> cm.ParameterSetType:
    return cm.ParameterSetType(ParameterSetID=number, Parameter=tuple(cm.ParameterType(Name=n, intValue=v) for n, v in values.items()))


def detail(request: Any, station: Station) -> Any:
    plug = BY_ID[request.ServiceID].connector_of(3)
    sets = (
        parameter_set(7, Pricing=1, ControlMode=2, MobilityNeedsMode=1, Connector=plug),
        parameter_set(9, Connector=plug, MobilityNeedsMode=1, ControlMode=1, Pricing=1),
    )
    return ok(request, station, ServiceID=request.ServiceID, ServiceParameterList=cm.ServiceParameterListType(ParameterSet=sets))


def parameters_dc(request: Any, station: Station) -> Any:
    limits = {
        "EVSEMaximumChargePower": rational(60e3),
        "EVSEMinimumChargePower": rational(0),
        "EVSEMaximumChargeCurrent": rational(150),
        "EVSEMinimumChargeCurrent": rational(0),
        "EVSEMaximumVoltage": rational(500),
        "EVSEMinimumVoltage": rational(150),
    }
    if type(request.DC_CPDReqEnergyTransferMode) is dc.DC_CPDReqEnergyTransferModeType:
        return ok(request, station, DC_CPDResEnergyTransferMode=dc.DC_CPDResEnergyTransferModeType(**limits))
    back = {
        "EVSEMaximumDischargePower": rational(-30e3),  # stations differ in the sign
        "EVSEMinimumDischargePower": rational(0),
        "EVSEMaximumDischargeCurrent": rational(-100),
        "EVSEMinimumDischargeCurrent": rational(0),
    }
    return ok(request, station, DC_CPDResEnergyTransferMode=dc.BPT_DC_CPDResEnergyTransferModeType(**limits, **back))


def in_kind(mode: Any) -> Any:
    """The type that answers a mode: of the same module, and of the name with Res."""
    return getattr(sys.modules[type(mode).__module__], type(mode).__name__.replace("Req", "Res"))


def unasked() -> Any:
    """Everything that SAE wants to be said of a grid that asks nothing: what is least of it would be no curve."""
    return settings(GridControl(), Base())["DERControlCPDRes"]


def parameters_ac(request: Any, station: Station) -> Any:
    limits = {"EVSEMaximumChargePower": rational(22e3), "EVSEMinimumChargePower": rational(0), "EVSENominalFrequency": rational(50)}
    if type(request.AC_CPDReqEnergyTransferMode) is ac.AC_CPDReqEnergyTransferModeType:
        return ok(request, station, AC_CPDResEnergyTransferMode=ac.AC_CPDResEnergyTransferModeType(**limits))
    back = {"EVSEMaximumDischargePower": rational(11e3)}
    if (kind := in_kind(request.AC_CPDReqEnergyTransferMode)) is not ac.BPT_AC_CPDResEnergyTransferModeType:
        grid = {"GridLimits": least(GridLimitsType, GridNominalFrequency=rational(50), GridNominalVoltage=rational(230))}
        more = grid | {"DERControlCPDRes": unasked()} if "GridLimits" in kind.__struct_fields__ else {}
        return ok(request, station, AC_CPDResEnergyTransferMode=least(kind, **limits, **back, **more))
    back |= {"EVSEMinimumDischargePower": rational(0)}
    return ok(request, station, AC_CPDResEnergyTransferMode=ac.BPT_AC_CPDResEnergyTransferModeType(**limits, **back))


def power_schedule(anchor: int, *entries: tuple[int, float]) -> cm.PowerScheduleType:
    steps = tuple(cm.PowerScheduleEntryType(Duration=seconds, Power=rational(watt)) for seconds, watt in entries)
    return cm.PowerScheduleType(TimeAnchor=anchor, PowerScheduleEntries=cm.PowerScheduleEntryListType(PowerScheduleEntry=steps))


def prices(anchor: int, *entries: tuple[int, float]) -> cm.AbsolutePriceScheduleType:
    stacks = tuple(
        cm.PriceRuleStackType(Duration=seconds, PriceRule=(cm.PriceRuleType(EnergyFee=rational(price), PowerRangeStart=rational(0)),))
        for seconds, price in entries
    )
    return least(
        cm.AbsolutePriceScheduleType,
        TimeAnchor=anchor,
        Currency="EUR",
        PriceAlgorithm="urn:iso:std:iso:15118:-20:PriceAlgorithm:1-Power",
        PriceRuleStacks=cm.PriceRuleStackListType(PriceRuleStack=stacks),
    )


def schedule_tuple(number: int, charge: Any, buy: Any = None, discharge: Any = None, sell: Any = None) -> cm.ScheduleTupleType:
    return cm.ScheduleTupleType(
        ScheduleTupleID=number,
        ChargingSchedule=cm.ChargingScheduleType(PowerSchedule=charge, AbsolutePriceSchedule=buy),
        DischargingSchedule=discharge and cm.ChargingScheduleType(PowerSchedule=discharge, AbsolutePriceSchedule=sell),
    )


def schedule(request: Any, station: Station) -> Any:
    if request.Dynamic_SEReqControlMode:
        return ok(request, station, EVSEProcessing=Processing.Finished, Dynamic_SEResControlMode=cm.Dynamic_SEResControlModeType())
    tuples = station.tuples or (schedule_tuple(3, power_schedule(request.Header.TimeStamp, (8 * 3600, 40e3))),)
    return ok(
        request,
        station,
        EVSEProcessing=Processing.Finished,
        Scheduled_SEResControlMode=cm.Scheduled_SEResControlModeType(ScheduleTuple=tuples),
    )


def positioned(request: Any, station: Station) -> Any:
    """The vehicle is where it should be."""
    return ok(request, station, EVSEProcessing=Processing.Finished, EVInChargePosition=True)


def moved(place: str, request: Any, station: Station) -> Any:
    """The device is there, and tells the state of the pilot that it was told."""
    return ok(
        request,
        station,
        EVSEProcessing=Processing.Finished,
        EVSEMechanicalChargingDeviceStatus=acdp.mechanicalChargingDeviceStatusType(place),
        EVSEElectricalChargingDeviceStatus=request.EVElectricalChargingDeviceStatus,
    )


def well(request: Any, station: Station, **said: Any) -> Any:
    """Everything is as it should be, but for what is said."""
    status = {
        "EVSEMechanicalChargingDeviceStatus": acdp.mechanicalChargingDeviceStatusType.EndPosition,
        "EVSEReadyToCharge": True,
        "EVSEIsolationStatus": acdp.isolationStatusType.Safe,
        "EVInChargePosition": True,
        "EVAssociationStatus": True,
    }
    return ok(request, station, **{**status, **said})


def methods(request: Any, station: Station) -> Any:
    """The methods that the vehicle has."""
    return ok(
        request,
        station,
        PrimaryDeviceFinePositioningMethodList=request.EVDeviceFinePositioningMethodList,
        PrimaryDevicePairingMethodList=request.EVDevicePairingMethodList,
        PrimaryDeviceAlignmentCheckMethodList=request.EVDeviceAlignmentCheckMethodList,
    )


def parameters_wpt(request: Any, station: Station, **said: Any) -> Any:
    limits: dict[str, Any] = {
        "SDMinOutputPower": rational(500),
        "SDMaxOutputPower": rational(11e3),
        "SDMaxGroundClearanceSupport": 210,
        "SDMinGroundClearanceSupport": 140,
    }
    return ok(request, station, **{**limits, **said})


def field_loop(request: Any, station: Station, **said: Any) -> Any:
    """It gives what is asked for, up to its setpoint, but for what is said."""
    station.loops += 1
    given = min(number(request.EVPCPowerRequest), station.setpoint)
    fields = {
        "EVSEStatus": status(station),
        "MeterInfo": meter(station),
        "EVPCPowerRequest": rational(given),
        "SPCMaxOutputPowerLimit": rational(11e3),
        "SPCMinOutputPowerLimit": rational(500),
        "SPCChargeDiagnostics": wpt.WPT_SPCChargeDiagnosticsType.SPCNoIssue,
    }
    return ok(request, station, **{**fields, **said})


def pre_charge(request: Any, station: Station) -> Any:
    station.voltage = number(request.EVTargetVoltage)
    return ok(request, station, EVSEPresentVoltage=request.EVTargetVoltage)


def status(station: Station) -> EVSEStatusType | None:
    name = station.notify.get(station.loops)
    return EVSEStatusType(NotificationMaxDelay=60, EVSENotification=evseNotificationType(name)) if name else None


def meter(station: Station) -> MeterInfoType:
    return MeterInfoType(MeterID="M1", ChargedEnergyReadingWh=1000 + station.loops, MeterSignature=bytes(64))


def mode_of(request: Any) -> Any:
    return in_kind(request.CLReqControlMode)


def loop_dc(request: Any, station: Station) -> Any:
    station.loops += 1
    asked, kind = request.CLReqControlMode, mode_of(request)
    if hasattr(asked, "EVTargetCurrent"):
        station.current, station.voltage = number(asked.EVTargetCurrent), number(asked.EVTargetVoltage)
        limits = {}
    else:
        station.voltage = number(request.EVPresentVoltage)
        most, least_ = number(asked.EVMaximumChargePower), -number(getattr(asked, "EVMaximumDischargePower", rational(0)))
        station.current = min(max(station.setpoint, least_), most) / station.voltage
        limits = {"EVSEMaximumChargePower": rational(60e3), "EVSEMaximumChargeCurrent": rational(150), "EVSEMaximumVoltage": rational(500)}
        if "BPT" in kind.__name__:
            limits |= {"EVSEMaximumDischargePower": rational(30e3), "EVSEMaximumDischargeCurrent": rational(100)}
    return ok(
        request,
        station,
        EVSEStatus=status(station),
        MeterInfo=meter(station) if request.MeterInfoRequested else None,
        EVSEPresentCurrent=rational(station.current),
        EVSEPresentVoltage=rational(station.voltage),
        CLResControlMode=least(kind, **limits),
    )


def loop_ac(request: Any, station: Station) -> Any:
    station.loops += 1
    kind = mode_of(request)
    target: dict[str, Any] = {"EVSETargetActivePower": rational(station.setpoint)} if "Dynamic" in kind.__name__ else {}
    if "DERControlCLRes" in kind.__struct_fields__:
        target |= changes(GridControl(), Base(), whole=False)
    elif "DSOQSetpoint" in kind.__struct_fields__:
        target |= {"EVSEMaximumChargePower": rational(22e3), "EVSEMaximumDischargePower": rational(11e3)}
    return ok(request, station, EVSEStatus=status(station), MeterInfo=meter(station), CLResControlMode=least(kind, **target))


STANDARD: dict[str, Answer] = {
    "supportedAppProtocolReq": sap,
    "SessionSetupReq": setup,
    "AuthorizationSetupReq": authorization_setup,
    "AuthorizationReq": lambda q, s: (ongoing if len(s.of(cm.AuthorizationReq)) == 1 else finished)(q, s),
    "ServiceDiscoveryReq": discovery,
    "ServiceDetailReq": detail,
    "DC_ChargeParameterDiscoveryReq": parameters_dc,
    "AC_ChargeParameterDiscoveryReq": parameters_ac,
    "ScheduleExchangeReq": schedule,
    "ACDP_VehiclePositioningReq": positioned,
    "ACDP_ConnectReq": partial(moved, "EndPosition"),
    "ACDP_DisconnectReq": partial(moved, "Home"),
    "ACDP_SystemStatusReq": well,
    "WPT_FinePositioningSetupReq": methods,
    "WPT_FinePositioningReq": finished,
    "WPT_PairingReq": finished,
    "WPT_ChargeParameterDiscoveryReq": parameters_wpt,
    "WPT_AlignmentCheckReq": finished,
    "WPT_ChargeLoopReq": field_loop,
    "DC_CableCheckReq": finished,
    "DC_PreChargeReq": pre_charge,
    "DC_ChargeLoopReq": loop_dc,
    "AC_ChargeLoopReq": loop_ac,
}


def restamped(message: Any, **header: Any) -> Any:
    """The message with another header."""
    return msgspec.structs.replace(message, Header=msgspec.structs.replace(message.Header, **header))


def going(session: EvccSession) -> Iterator[None]:
    """The steps of a session until it has ended; one that does not end is a failure, not a test that hangs."""
    for _ in range(STEPS):
        if session.ended is not None:
            return
        yield
    raise AssertionError(f"the session has not ended after {STEPS} steps")


def run(car: Car, station: Station, script: Script = charge, latency: float = 0.005, until: float = 1e6) -> EvccSession:
    """A session in virtual time: octets arrive after `latency`, timers fire when they are due."""
    now = car.now
    session = EvccSession(script, car, now)
    for _ in going(session):
        if now >= until:
            break
        octets = session.octets_to_send()
        answer = station.hear(octets) if octets else b""
        if answer:
            now += latency
            session.receive(answer, now)
        else:
            due = session.deadline()
            assert due is not None, "the session waits for nothing"
            now = max(now, due)
            session.tick(now)
    return session
