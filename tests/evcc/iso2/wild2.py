"""The station of ISO 15118-2 that a car's machine meets: it answers honestly, and a twist may change what it says before that is sent.

It is not our SECC, so that no rule is tested against itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from v2g.exi.derive import least
from v2g.iso2.generation import ISO2
from v2g.iso2.physical import A, V, W, number, physical
from v2g.iso2.sequence import response_to
from v2g.messages import app_protocol
from v2g.messages.iso2 import msg_data_types as t
from v2g.session.v2gtp import FrameReader, frame

SESSION = bytes.fromhex("0102030405060708")
EPOCH = 1_700_000_000
MODES = (t.EnergyTransferModeType.AC_three_phase_core, t.EnergyTransferModeType.DC_extended)
Code, Processing = t.responseCodeType, t.EVSEProcessingType
Answer = Callable[[Any, "Honest2"], Any]


@dataclass(frozen=True)
class Stranger:
    """A message under another SessionID."""

    message: Any


@dataclass
class Honest2:
    """`notify` says what it asks for in which charge loop, `watts` are entries (start s, W) of its schedule, `amperes` what AC gives."""

    notify: dict[int, str] = field(default_factory=dict)
    watts: tuple[tuple[int, float], ...] = ((0, 20e3),)
    amperes: float = 16.0
    limits: tuple[float, float, float] = (60e3, 150.0, 500.0)  # W, A, V of DC
    receipts: bool = False
    voltage: float = 0.0
    current: float = 0.0
    isolation: t.isolationLevelType = t.isolationLevelType.Valid
    loops: int = 0
    requests: list[Any] = field(default_factory=list)
    reader: FrameReader = field(default_factory=lambda: FrameReader(2**20))

    def answer(self, octets: bytes, twist: Callable[[Any], Any] = lambda said: said) -> bytes:
        """What it says to these requests. A twist gives a message, octets, nothing, or several of them."""
        out = b""
        self.reader.feed(octets)
        while (heard := self.reader.next()) is not None:
            request = ISO2.read(heard.payload_type, heard.payload, by_car=True).reading.message
            self.requests.append(request)
            said = twist(self.meant(request))
            for each in said if isinstance(said, tuple) else (said,):
                out += each if isinstance(each, bytes) else b"" if each is None else written(each)
        return out

    def meant(self, request: Any) -> Any:
        """The answer before it is twisted."""
        return STANDARD.get(type(request).__name__, plain)(request, self)

    def status(self, dc: bool) -> Any:
        """EVSEStatus, which says what is asked for in this loop."""
        asked = {"NotificationMaxDelay": 60, "EVSENotification": t.EVSENotificationType(self.notify.get(self.loops, "None"))}
        if not dc:
            return t.AC_EVSEStatusType(RCD=False, **asked)
        code = t.DC_EVSEStatusCodeType.EVSE_Ready
        return t.DC_EVSEStatusType(EVSEIsolationStatus=self.isolation, EVSEStatusCode=code, **asked)


def written(said: Any) -> bytes:
    """A message in its frame."""
    message, session = (said.message, b"\x66" * 8) if isinstance(said, Stranger) else (said, SESSION)
    sent = ISO2.write(message, session, "main", None)
    return frame(sent.payload_type, sent.exi)


def ok(request: Any, station: Honest2, **fields: Any) -> Any:
    """The paired response: OK, and least where nothing is said."""
    kind = response_to(type(request))
    said = {"ResponseCode": Code.OK, **fields}
    if "DC_EVSEStatus" in kind.__struct_fields__:
        said["DC_EVSEStatus"] = station.status(dc=True)
    return least(kind, **said)


def plain(request: Any, station: Honest2) -> Any:
    return ok(request, station)


def sap(request: Any, station: Honest2) -> Any:
    best = min(request.AppProtocol, key=lambda entry: entry.Priority)
    return app_protocol.supportedAppProtocolRes(ResponseCode=app_protocol.responseCodeType.OK_SuccessfulNegotiation, SchemaID=best.SchemaID)


def setup(request: Any, station: Honest2) -> Any:
    return ok(request, station, ResponseCode=Code.OK_NewSessionEstablished, EVSEID="DE*TST*E1")


def discovery(request: Any, station: Honest2) -> Any:
    charging = t.ChargeServiceType(
        ServiceID=1,
        ServiceCategory=t.serviceCategoryType.EVCharging,
        FreeService=True,
        SupportedEnergyTransferMode=t.SupportedEnergyTransferModeType(EnergyTransferMode=MODES),
    )
    options = t.PaymentOptionListType(PaymentOption=(t.paymentOptionType.ExternalPayment,))
    return ok(request, station, PaymentOptionList=options, ChargeService=charging)


def finished(request: Any, station: Honest2) -> Any:
    return ok(request, station, EVSEProcessing=Processing.Finished)


def parameters(request: Any, station: Honest2) -> Any:
    entries = tuple(
        t.PMaxScheduleEntryType(
            TimeInterval=t.RelativeTimeIntervalType(start=start, duration=36_000 if start == station.watts[-1][0] else None),
            PMax=physical(watts, W),
        )
        for start, watts in station.watts
    )
    schedule = t.SAScheduleTupleType(SAScheduleTupleID=3, PMaxSchedule=t.PMaxScheduleType(PMaxScheduleEntry=entries))
    dc = isinstance(request.EVChargeParameter, t.DC_EVChargeParameterType)
    power, current, voltage = station.limits
    said: Any = (
        t.DC_EVSEChargeParameterType(
            DC_EVSEStatus=station.status(dc=True),
            EVSEMaximumCurrentLimit=physical(current, A),
            EVSEMaximumPowerLimit=physical(power, W),
            EVSEMaximumVoltageLimit=physical(voltage, V),
            EVSEMinimumCurrentLimit=physical(0, A),
            EVSEMinimumVoltageLimit=physical(150, V),
            EVSEPeakCurrentRipple=physical(1, A),
        )
        if dc
        else t.AC_EVSEChargeParameterType(
            AC_EVSEStatus=station.status(dc=False), EVSENominalVoltage=physical(230, V), EVSEMaxCurrent=physical(station.amperes, A)
        )
    )
    listed = t.SAScheduleListType(SAScheduleTuple=(schedule,))
    return ok(request, station, EVSEProcessing=Processing.Finished, SASchedules=listed, EVSEChargeParameter=said)


def delivered(request: Any, station: Honest2) -> Any:
    return ok(request, station, EVSEStatus=station.status(dc=request.EVPowerDeliveryParameter is not None))


def pre_charge(request: Any, station: Honest2) -> Any:
    station.voltage = number(request.EVTargetVoltage)
    return ok(request, station, EVSEPresentVoltage=physical(station.voltage, V))


def demand(request: Any, station: Honest2) -> Any:
    station.loops += 1
    station.voltage, station.current = number(request.EVTargetVoltage), number(request.EVTargetCurrent)
    names = ("EVSEMaximumPowerLimit", "EVSEMaximumCurrentLimit", "EVSEMaximumVoltageLimit")
    limits = {name: physical(value, unit) for name, value, unit in zip(names, station.limits, (W, A, V), strict=True)}
    measured = {"EVSEPresentVoltage": physical(station.voltage, V), "EVSEPresentCurrent": physical(station.current, A)}
    return ok(request, station, SAScheduleTupleID=3, **limits, **measured, **metered(station))


def charging_status(request: Any, station: Honest2) -> Any:
    station.loops += 1
    current = physical(station.amperes, A)
    return ok(request, station, SAScheduleTupleID=3, EVSEMaxCurrent=current, AC_EVSEStatus=station.status(dc=False), **metered(station))


def metered(station: Honest2) -> dict[str, Any]:
    return {"MeterInfo": t.MeterInfoType(MeterID="M1", MeterReading=1000 + station.loops), "ReceiptRequired": station.receipts}


def receipt(request: Any, station: Honest2) -> Any:
    return ok(request, station, EVSEStatus=station.status(dc=station.voltage > 0))


def welding(request: Any, station: Honest2) -> Any:
    station.voltage = 0.0
    return ok(request, station, EVSEPresentVoltage=physical(0, V))


STANDARD: dict[str, Answer] = {
    "supportedAppProtocolReq": sap,
    "SessionSetupReq": setup,
    "ServiceDiscoveryReq": discovery,
    "AuthorizationReq": finished,
    "ChargeParameterDiscoveryReq": parameters,
    "CableCheckReq": finished,
    "PreChargeReq": pre_charge,
    "PowerDeliveryReq": delivered,
    "CurrentDemandReq": demand,
    "ChargingStatusReq": charging_status,
    "MeteringReceiptReq": receipt,
    "WeldingDetectionReq": welding,
}
