"""A station of ISO 15118-2 or DIN SPEC 70121 for the car's tests: one short answer per request, each of which a test may replace.

It is not our SECC, so that no rule is tested against itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from evcc.car import Car, Wish
from evcc.conduct import Conduct
from evcc.din.conduct import CONDUCT as DIN
from evcc.engine import EvccSession
from evcc.ev import Ev
from evcc.goal import Goal
from evcc.iso2.conduct import CONDUCT as ISO2
from evcc.opening import usual
from evcc.script import Script
from v2g.exi.derive import least
from v2g.messages import app_protocol
from v2g.messages.din import msg_body as body_din
from v2g.messages.din import msg_data_types as types_din
from v2g.messages.iso2 import msg_body as body2
from v2g.messages.iso2 import msg_data_types as types2
from v2g.session.clock import Clock
from v2g.session.v2gtp import FrameReader, frame

EPOCH = 1_700_000_000.0
SESSION = bytes.fromhex("0102030405060708")
LATENCY = 0.005  # s
BOTH = {"2": (ISO2, body2, types2), "DIN": (DIN, body_din, types_din)}
Answer = Callable[[Any, "Station"], Any]


@dataclass
class Station:
    """`answers` override the standard ones by the name of the request; None as an answer is silence. `loops` counts charge loops."""

    name: str
    answers: dict[str, Answer] = field(default_factory=dict)
    limit: float = 60e3  # W
    pmax: tuple[tuple[int, int], ...] = ((0, 20_000),)  # start (s), W
    loops: int = 0
    voltage: float = 0.0
    current: float = 0.0
    requests: list[Any] = field(default_factory=list)
    reader: FrameReader = field(default_factory=lambda: FrameReader(2**20))

    def __post_init__(self) -> None:
        self.conduct, self.body, self.types = BOTH[self.name]
        self.generation = self.conduct.generation

    def hear(self, octets: bytes) -> bytes:
        """Answer whole frames."""
        self.reader.feed(octets)
        out = b""
        while (heard := self.reader.next()) is not None:
            request = self.generation.read(heard.payload_type, heard.payload).reading.message
            self.requests.append(request)
            name = type(request).__name__
            answer = self.answers.get(name) or getattr(type(self), f"on_{name}", type(self).ok)
            response = answer(request, self) if name in self.answers else answer(self, request)
            if response is not None:
                sent = self.generation.write(response, SESSION, "main", None)
                out += frame(sent.payload_type, sent.exi)
        return out

    def names(self) -> list[str]:
        """What the car asked, without the `Req`."""
        return [type(request).__name__.removesuffix("Req") for request in self.requests]

    def of(self, name: str) -> list[Any]:
        """The requests of that name."""
        return [request for request in self.requests if type(request).__name__ == name]

    def ok(self, request: Any, **fields: Any) -> Any:
        """The paired response: OK, finished and a sound status unless something else is said."""
        kind = self.generation.responses[type(request)]
        known = {"ResponseCode": self.types.responseCodeType.OK, "EVSEProcessing": self.types.EVSEProcessingType.Finished}
        known |= {"DC_EVSEStatus": self.status(), "EVSEStatus": self.status()}
        given = {name: value for name, value in known.items() if name in kind.__struct_fields__}
        return least(kind, **{**given, **fields})

    def status(self, code: str = "EVSE_Ready", isolation: str = "Valid", asks: str = "None") -> Any:
        types = self.types
        return types.DC_EVSEStatusType(
            EVSEIsolationStatus=types.isolationLevelType(isolation),
            EVSEStatusCode=types.DC_EVSEStatusCodeType(code),
            NotificationMaxDelay=0,
            EVSENotification=types.EVSENotificationType(asks),
        )

    def says(self, value: float, unit: str) -> Any:
        """A physical value, to a tenth."""
        whole = round(value * 10)
        number, power = (whole, -1) if abs(whole) < 2**15 else (round(value / 10), 1)
        return self.types.PhysicalValueType(Multiplier=power, Unit=self.types.unitSymbolType(unit), Value=number)

    # --- the answers ---

    def on_supportedAppProtocolReq(self, request: Any) -> Any:
        code = app_protocol.responseCodeType.OK_SuccessfulNegotiation
        return app_protocol.supportedAppProtocolRes(ResponseCode=code, SchemaID=request.AppProtocol[0].SchemaID)

    def on_SessionSetupReq(self, request: Any) -> Any:
        return self.ok(request, ResponseCode=self.types.responseCodeType.OK_NewSessionEstablished)

    def on_ServiceDiscoveryReq(self, request: Any) -> Any:
        types, way = self.types, (self.types.paymentOptionType.ExternalPayment,)
        if self.name == "2":
            modes = types.SupportedEnergyTransferModeType(EnergyTransferMode=(types.EnergyTransferModeType.DC_extended,))
            service = least(types.ChargeServiceType, ServiceID=1, SupportedEnergyTransferMode=modes)
            return self.ok(request, PaymentOptionList=types.PaymentOptionListType(PaymentOption=way), ChargeService=service)
        tag = types.ServiceTagType(ServiceID=1, ServiceCategory=types.serviceCategoryType.EVCharging)
        offered = types.EVSESupportedEnergyTransferType.DC_extended
        service = types.ServiceChargeType(ServiceTag=tag, FreeService=True, EnergyTransferType=offered)
        return self.ok(request, PaymentOptions=types.PaymentOptionsType(PaymentOption=way), ChargeService=service)

    def on_ChargeParameterDiscoveryReq(self, request: Any) -> Any:
        types, says = self.types, self.says
        watts = (lambda power: says(power, "W")) if self.name == "2" else int
        ends = [start for start, _ in self.pmax[1:]] + [self.pmax[-1][0] + 86_400]
        entries = tuple(
            types.PMaxScheduleEntryType(TimeInterval=types.RelativeTimeIntervalType(start=start, duration=end - start), PMax=watts(power))
            for (start, power), end in zip(self.pmax, ends, strict=True)
        )
        schedule = least(types.PMaxScheduleType, PMaxScheduleEntry=entries)
        offered = types.SAScheduleListType(SAScheduleTuple=(types.SAScheduleTupleType(SAScheduleTupleID=3, PMaxSchedule=schedule),))
        parameter = types.DC_EVSEChargeParameterType(
            DC_EVSEStatus=self.status(),
            EVSEMaximumCurrentLimit=says(150, "A"),
            EVSEMaximumPowerLimit=says(self.limit, "W"),
            EVSEMaximumVoltageLimit=says(500, "V"),
            EVSEMinimumCurrentLimit=says(0, "A"),
            EVSEMinimumVoltageLimit=says(150, "V"),
            EVSEPeakCurrentRipple=says(1, "A"),
        )
        return self.ok(request, SASchedules=offered, EVSEChargeParameter=parameter)

    def on_PreChargeReq(self, request: Any) -> Any:
        self.voltage = number(request.EVTargetVoltage)
        return self.ok(request, EVSEPresentVoltage=self.says(self.voltage, "V"))

    def on_CurrentDemandReq(self, request: Any, **fields: Any) -> Any:
        self.loops += 1
        self.voltage, self.current = number(request.EVTargetVoltage), number(request.EVTargetCurrent)
        measured = {"EVSEPresentVoltage": self.says(self.voltage, "V"), "EVSEPresentCurrent": self.says(self.current, "A")}
        return self.ok(request, **{**measured, **fields})

    def on_WeldingDetectionReq(self, request: Any) -> Any:
        return self.ok(request, EVSEPresentVoltage=self.says(0, "V"))


def number(value: Any) -> float:
    """The float of a physical value."""
    return float(value.Value * 10.0**value.Multiplier)


def car(**wish: Any) -> Car[Any]:
    """A car that wants direct current and pays outside."""
    wishes = Wish(**{"services": ("DC",), "authorizations": ("EIM",), "loops": 6, **wish})  # type: ignore[arg-type]
    return Car(Ev(energy=30_000), Goal(target_soc=80, minimum_soc=20), wishes, Clock(EPOCH, 0.0))


def run(visitor: Car[Any], station: Station, script: Script | None = None) -> EvccSession:
    """A session in virtual time, of the usual script or another: octets arrive after `LATENCY`, timers fire when they are due."""
    conduct: Conduct = station.conduct
    now = 0.0
    session = EvccSession(script or usual([conduct]), visitor, now)
    for _ in range(50_000):
        if session.ended is not None:
            return session
        octets = session.octets_to_send()
        if octets and (answer := station.hear(octets)):
            now += LATENCY
            session.receive(answer, now)
            continue
        due = session.deadline()
        assert due is not None, "the session waits for nothing"
        now = max(now, due)
        session.tick(now)
    raise AssertionError("the session does not end")
