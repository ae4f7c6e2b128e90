"""A station of ISO 15118-2 for the car's tests: one short answer per request, each of which a test may replace.

It is not our SECC, so that no rule is tested against itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from evcc.car import Car, Wish
from evcc.engine import EvccSession
from evcc.ev import Ev
from evcc.generations import NAMED, conducts_named
from evcc.goal import Goal
from evcc.opening import usual
from evcc.script import Script
from v2g.exi.derive import least
from v2g.iso2.generation import ISO2
from v2g.iso2.physical import A, V, W, physical
from v2g.iso2.sequence import response_to
from v2g.messages.app_protocol import responseCodeType as SapCode
from v2g.messages.app_protocol import supportedAppProtocolRes
from v2g.messages.iso2 import msg_data_types as t
from v2g.session.clock import Clock
from v2g.session.endpoint import Event, Noted
from v2g.session.link import Link
from v2g.session.tls import TlsFacts
from v2g.session.v2gtp import FrameReader, frame

Code, Processing, Option = t.responseCodeType, t.EVSEProcessingType, t.paymentOptionType
SESSION = bytes.fromhex("0102030405060708")
EPOCH = 1_800_000_000.0
STEPS = 20_000  # of a session in virtual time: more than any test takes
Answer = Callable[[Any, "Station2"], Any]


@dataclass
class Station2:
    """`answers` override the standard ones by the name of the request without Req; None as an answer is silence.

    An answer is a message, or a message with the signature of its envelope.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    modes: tuple[t.EnergyTransferModeType, ...] = tuple(t.EnergyTransferModeType)
    ways: tuple[Option, ...] = (Option.ExternalPayment,)
    added: tuple[int, ...] = ()  # value-added services
    tuples: tuple[Any, ...] = ()
    status: dict[str, Any] = field(default_factory=dict)  # of the EVSEStatus in every response
    volts: float = 0.0
    loops: int = 0
    latency: float = 0.01  # s
    session_id: bytes = SESSION
    requests: list[Any] = field(default_factory=list)
    envelope: Any = None  # the signature of the last request
    envelopes: dict[str, Any] = field(default_factory=dict)  # by the name of the request
    reader: FrameReader = field(default_factory=lambda: FrameReader(2**20))

    def hear(self, octets: bytes) -> bytes:
        """Answer whole frames."""
        self.reader.feed(octets)
        out = b""
        while (heard := self.reader.next()) is not None:
            read = ISO2.read(heard.payload_type, heard.payload, by_car=False)
            request: Any = read.reading.message
            self.requests.append(request)
            name = type(request).__name__.removesuffix("Req")
            self.envelope = self.envelopes[name] = read.signature
            answer = self.answers.get(name, STANDARD.get(name, ok))
            said = answer(request, self)
            response, signature = said if isinstance(said, tuple) else (said, None)
            if response is not None:
                sent = ISO2.write(response, self.session_id, "main", signature)
                out += frame(sent[0], sent[2])
        return out

    def names(self) -> list[str]:
        """What the car asked, without the `Req`."""
        return [type(request).__name__.removesuffix("Req") for request in self.requests]

    def of(self, kind: type[Any]) -> list[Any]:
        """The requests of a class."""
        return [request for request in self.requests if type(request) is kind]


def ok(request: Any, station: Station2, **fields: Any) -> Any:
    """The paired response, OK unless `ResponseCode` is given, least where nothing is said."""
    return least(response_to(type(request)), **{"ResponseCode": Code.OK, **fields})


def code(which: Code) -> Answer:
    """Always this response code."""
    return lambda request, station: ok(request, station, ResponseCode=which)


def silence(request: Any, station: Station2) -> None:
    """No answer."""


def dc(station: Station2) -> t.DC_EVSEStatusType:
    """The status of a station of DC."""
    said = {
        "NotificationMaxDelay": 0,
        "EVSENotification": t.EVSENotificationType.None_,
        "EVSEStatusCode": t.DC_EVSEStatusCodeType.EVSE_Ready,
    }
    return t.DC_EVSEStatusType(**{**said, **station.status})


def ac(station: Station2) -> t.AC_EVSEStatusType:
    """The status of a station of AC."""
    said = {"NotificationMaxDelay": 0, "EVSENotification": t.EVSENotificationType.None_, "RCD": False}
    return t.AC_EVSEStatusType(**{**said, **station.status})


def tuple_of(power: float = 20_000.0, number: int = 1, tariff: Any = None, duration: int = 86_400) -> t.SAScheduleTupleType:
    """A schedule of one step."""
    entry = t.PMaxScheduleEntryType(TimeInterval=t.RelativeTimeIntervalType(start=0, duration=duration), PMax=physical(power, W))
    return t.SAScheduleTupleType(SAScheduleTupleID=number, PMaxSchedule=t.PMaxScheduleType(PMaxScheduleEntry=(entry,)), SalesTariff=tariff)


def _sap(request: Any, station: Station2) -> Any:
    return supportedAppProtocolRes(ResponseCode=SapCode.OK_SuccessfulNegotiation, SchemaID=request.AppProtocol[0].SchemaID)


def _setup(request: Any, station: Station2) -> Any:
    return ok(request, station, ResponseCode=Code.OK_NewSessionEstablished, EVSEID="DE*V2G*E1")


def _discovery(request: Any, station: Station2) -> Any:
    modes = t.SupportedEnergyTransferModeType(EnergyTransferMode=station.modes)
    charge = t.ChargeServiceType(
        ServiceID=1, ServiceCategory=t.serviceCategoryType.EVCharging, FreeService=False, SupportedEnergyTransferMode=modes
    )
    category = t.serviceCategoryType.OtherCustom
    listed = tuple(t.ServiceType(ServiceID=number, ServiceCategory=category, FreeService=True) for number in station.added)
    return ok(
        request,
        station,
        PaymentOptionList=t.PaymentOptionListType(PaymentOption=station.ways),
        ChargeService=charge,
        ServiceList=t.ServiceListType(Service=listed) if listed else None,
    )


def _detail(request: Any, station: Station2) -> Any:
    words = {2: (("Service", "Installation"), ("Service", "Update")), 3: (("Protocol", "http"), ("Protocol", "https"))}
    sets = tuple(
        t.ParameterSetType(ParameterSetID=number, Parameter=(t.ParameterType(Name=name, stringValue=value),))
        for number, (name, value) in enumerate(words.get(request.ServiceID, ()), 1)
    )
    listed = t.ServiceParameterListType(ParameterSet=sets) if sets else None
    return ok(request, station, ServiceID=request.ServiceID, ServiceParameterList=listed)


def _parameters(request: Any, station: Station2) -> Any:
    if request.RequestedEnergyTransferMode.value.startswith("AC"):
        limits: Any = t.AC_EVSEChargeParameterType(
            AC_EVSEStatus=ac(station), EVSENominalVoltage=physical(230.0, V), EVSEMaxCurrent=physical(32.0, A)
        )
    else:
        limits = t.DC_EVSEChargeParameterType(
            DC_EVSEStatus=dc(station),
            EVSEMaximumCurrentLimit=physical(200.0, A),
            EVSEMaximumPowerLimit=physical(50_000.0, W),
            EVSEMaximumVoltageLimit=physical(920.0, V),
            EVSEMinimumCurrentLimit=physical(0.0, A),
            EVSEMinimumVoltageLimit=physical(150.0, V),
            EVSEPeakCurrentRipple=physical(0.5, A),
        )
    schedules = t.SAScheduleListType(SAScheduleTuple=station.tuples or (tuple_of(),))
    return ok(request, station, EVSEProcessing=Processing.Finished, SASchedules=schedules, EVSEChargeParameter=limits)


def _cable(request: Any, station: Station2) -> Any:
    status = msgspec.structs.replace(dc(station), EVSEIsolationStatus=t.isolationLevelType.Valid)
    return ok(request, station, EVSEProcessing=Processing.Finished, DC_EVSEStatus=status)


def _pre_charge(request: Any, station: Station2) -> Any:
    station.volts = request.EVTargetVoltage.Value * 10.0**request.EVTargetVoltage.Multiplier
    return ok(request, station, DC_EVSEStatus=dc(station), EVSEPresentVoltage=request.EVTargetVoltage)


def _power(request: Any, station: Station2) -> Any:
    return ok(request, station, EVSEStatus=ac(station) if request.EVPowerDeliveryParameter is None else dc(station))


def _demand(request: Any, station: Station2) -> Any:
    station.loops += 1
    return ok(
        request,
        station,
        DC_EVSEStatus=dc(station),
        EVSEPresentVoltage=request.EVTargetVoltage,
        EVSEPresentCurrent=request.EVTargetCurrent,
        EVSECurrentLimitAchieved=False,
        EVSEVoltageLimitAchieved=False,
        EVSEPowerLimitAchieved=False,
        EVSEID="DE*V2G*E1",
        SAScheduleTupleID=1,
    )


def _status(request: Any, station: Station2) -> Any:
    station.loops += 1
    return ok(request, station, AC_EVSEStatus=ac(station), EVSEID="DE*V2G*E1", SAScheduleTupleID=1)


def _welding(request: Any, station: Station2) -> Any:
    return ok(request, station, DC_EVSEStatus=dc(station), EVSEPresentVoltage=physical(0.0, V))


def _authorized(request: Any, station: Station2) -> Any:
    return ok(request, station, EVSEProcessing=Processing.Finished)


STANDARD: dict[str, Answer] = {
    "supportedAppProtocol": _sap, "SessionSetup": _setup, "ServiceDiscovery": _discovery, "ServiceDetail": _detail,
    "Authorization": _authorized, "ChargeParameterDiscovery": _parameters, "CableCheck": _cable, "PreCharge": _pre_charge,
    "PowerDelivery": _power, "CurrentDemand": _demand, "ChargingStatus": _status, "WeldingDetection": _welding,
}  # fmt: skip


def plain_link(tls: bool = False) -> Link:
    """A link with TLS 1.2, or without."""
    facts = TlsFacts("iso2", "TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "secp256r1", None, None, (), (b"station",), object())
    return Link(("::1", 1), ("::1", 2), facts if tls else None, 0.0)


def car2(service: str = "DC", tls: bool = False, **wish: Any) -> Car[Any]:
    """A car that pays by external means and leaves after three loops, unless `wish` says otherwise."""
    wishes = Wish(**{"services": (service,), "authorizations": ("EIM",), "loops": 3, **wish})
    return Car(Ev(energy=30_000), Goal(target_soc=60, minimum_soc=20), wishes, Clock(EPOCH, 0.0, 1.0), link=plain_link(tls))


@dataclass
class Met:
    """A session of a car with a scripted station, in virtual time, run to its end."""

    station: Station2
    car: Car[Any]
    script: Script = field(default_factory=lambda: usual(conducts_named(["2"])))
    now: float = 0.0
    seen: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = EvccSession(self.script, self.car, self.now, NAMED["2"])
        for _ in range(STEPS):
            if not self._moves():
                self.seen += self.session.events()
                return
        raise AssertionError("the session does not end")

    def _moves(self) -> bool:
        if octets := self.session.octets_to_send():
            answer = self.station.hear(octets)
            if answer:
                self.now += self.station.latency
                self.session.receive(answer, self.now)
            return True
        if self.session.ended or (due := self.session.deadline()) is None:
            return False
        self.now = max(self.now, due)
        self.session.tick(self.now)
        return True

    @property
    def error(self) -> Any:
        """Why it ended; None where it ended well."""
        assert self.session.ended is not None
        return self.session.ended.error

    def noted(self, topic: str) -> list[dict[str, Any]]:
        """The facts of the notes on a topic."""
        return [dict(event.facts) for event in self.seen if isinstance(event, Noted) and event.topic == topic]


def changed(answer: Answer, **fields: Any) -> Answer:
    """An answer with other fields."""
    return lambda request, station: msgspec.structs.replace(answer(request, station), **fields)


def after(count: int, then: Answer, first: Answer) -> Answer:
    """`first` for so many requests, then `then`."""
    told = [0]

    def answer(request: Any, station: Station2) -> Any:
        told[0] += 1
        return (first if told[0] <= count else then)(request, station)

    return answer


__all__ = [
    "STANDARD",
    "Answer",
    "Code",
    "Met",
    "Option",
    "Processing",
    "Station2",
    "after",
    "car2",
    "changed",
    "code",
    "ok",
    "replace",
    "silence",
    "tuple_of",
]
