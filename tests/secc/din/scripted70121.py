"""A car that speaks DIN SPEC 70121 and a station's surroundings in virtual time: scripted requests in, decoded responses and wants out."""

from dataclasses import dataclass, field
from typing import Any

from secc import station as words
from secc.engine import SeccSession
from secc.outlet import Outlet
from tests.secc.scripted import EPOCH, LIMITS
from v2g.din.generation import DIN
from v2g.din.physical import A, V, W, Wh, physical
from v2g.energy.offer import Offer, Tuple
from v2g.energy.series import Series
from v2g.exi.schema import Type
from v2g.messages.app_protocol import AppProtocolType, supportedAppProtocolReq
from v2g.messages.din import msg_body as b
from v2g.messages.din import msg_data_types as t
from v2g.session.clock import Clock
from v2g.session.endpoint import Event, Noted
from v2g.session.errors import StationFailed
from v2g.session.v2gtp import FrameReader, frame

NAMESPACE = "urn:din:70121:2012:MsgDef"
EVCCID = bytes.fromhex("0011AABBCCDD")


def outlet(**changes: Any) -> Outlet:
    return Outlet(**{"services": ("DC",), "limits": LIMITS, **changes})


@dataclass
class Scripted:
    """One session with a scripted car on plain TCP. `auto` says whether wants are granted at once."""

    outlet: Outlet = field(default_factory=outlet)
    auto: bool = True
    now: float = 1000.0
    given: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.drawn = 0
        options: dict[str, Any] = {"entropy": self.entropy, **self.given}
        self.session = SeccSession(self.outlet, Clock(EPOCH, 0.0), self.now, **options)
        self.reader = FrameReader()
        self.id = bytes(8)
        self.happened: list[Event] = []
        self.heard: Any = None  # the last answer, with its envelope

    def entropy(self, length: int) -> bytes:
        self.drawn += 1
        return bytes([self.drawn]) * length

    # --- the wire ---

    def send(self, request: Type) -> list[Any]:
        sent = DIN.write(request, self.id, "main", None)
        return self.octets(frame(sent.payload_type, sent.exi))

    def octets(self, octets: bytes) -> list[Any]:
        self.session.receive(octets, self.now)
        self.settle()
        return self.answers()

    def answers(self) -> list[Any]:
        self.reader.feed(self.session.octets_to_send())
        found = []
        while (got := self.reader.next()) is not None:
            self.heard = DIN.read(got.payload_type, got.payload, by_car=True)
            found.append(self.heard.reading.message)
        if self.session.ended is not None and self.session.ended.error is not None:
            (ended,) = [e for e in self.happened if isinstance(e, Noted) and e.topic == "ended"]
            assert ended.facts["why"] == self.session.ended.reason
        return found

    def ask(self, cls: type[Type], **fields: Any) -> Any:
        """Send a request of that class and return the one response."""
        (answer,) = self.send(cls(**fields))
        if cls is b.SessionSetupReq:
            self.id = self.heard.session_id
        return answer

    def wait(self, seconds: float) -> list[Any]:
        """Let time pass; the session is ticked at its deadlines. Gives what it answers meanwhile."""
        end = self.now + seconds
        while (due := self.session.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.session.tick(self.now)
            self.settle()
        self.now = end
        return self.answers()

    # --- the surroundings ---

    def tell(self, *facts: words.Fact) -> list[Any]:
        for fact in facts:
            self.session.tell(fact, self.now)
        self.settle()
        return self.answers()

    def settle(self) -> None:
        error = self.session.ended.error if self.session.ended is not None else None
        if isinstance(error, StationFailed) and error.__cause__ is not None:
            raise error.__cause__
        while fresh := self.session.events():
            self.happened += fresh
            for event in fresh:
                if self.auto and (fact := self.grant(event)) is not None:
                    self.session.tell(fact, self.now)

    def grant(self, event: Event) -> words.Fact | None:
        match event:
            case words.AuthorizationWanted():
                return words.Authorized()
            case words.NeedsChanged():
                series = Series.constant(float(int(EPOCH + self.now)), 86_400.0, self.outlet.limits.charge_power)
                return words.ScheduleReady(Offer((Tuple(1, series),)))
            case words.CheckIsolation():
                return words.IsolationMeasured(True)
            case words.SetOutput(voltage=voltage, current=current):
                return words.OutputMeasured(voltage, current)
            case words.CloseContactor():
                return words.ContactorIs(True)
            case words.OpenContactor():
                return words.ContactorIs(False)
        return None

    def wants(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.happened if isinstance(event, kind)]

    # --- requests ---

    def sap(self, *namespaces: str) -> Any:
        entries = tuple(
            AppProtocolType(ProtocolNamespace=name, VersionNumberMajor=2, VersionNumberMinor=0, SchemaID=number, Priority=number)
            for number, name in enumerate(namespaces or (NAMESPACE,), 1)
        )
        return self.ask(supportedAppProtocolReq, AppProtocol=entries)

    def setup(self) -> Any:
        self.sap()
        return self.ask(b.SessionSetupReq, EVCCID=EVCCID)

    def pay(self, option: str = "ExternalPayment", services: tuple[int, ...] = (1,)) -> Any:
        chosen = tuple(t.SelectedServiceType(ServiceID=each) for each in services)
        listed = t.SelectedServiceListType(SelectedService=chosen)
        return self.ask(b.ServicePaymentSelectionReq, SelectedPaymentOption=t.paymentOptionType(option), SelectedServiceList=listed)

    def authorized(self) -> None:
        self.setup()
        self.ask(b.ServiceDiscoveryReq)
        self.pay()
        self.ask(b.ContractAuthenticationReq)
        assert self.ask(b.ContractAuthenticationReq).EVSEProcessing is t.EVSEProcessingType.Finished

    def parameters(self, mode: str = "DC_extended", **changes: Any) -> Any:
        fields = {
            "DC_EVStatus": self.ev(), "EVMaximumCurrentLimit": physical(150, A), "EVMaximumVoltageLimit": physical(450, V),
            "EVMaximumPowerLimit": physical(60e3, W), "EVEnergyRequest": physical(30e3, Wh),
        }  # fmt: skip
        asked = {"EVRequestedEnergyTransferType": t.EVRequestedEnergyTransferType(mode)}
        said = t.DC_EVChargeParameterType(**{**fields, **changes})
        return self.ask(b.ChargeParameterDiscoveryReq, EVChargeParameter=said, **asked)

    def scheduled(self, **changes: Any) -> Any:
        for _ in range(10):
            if (answer := self.parameters(**changes)).EVSEProcessing is t.EVSEProcessingType.Finished:
                return answer
        raise AssertionError("ChargeParameterDiscoveryRes is Ongoing for ever")

    def ev(self, error: str = "NO_ERROR", soc: int = 40) -> t.DC_EVStatusType:
        return t.DC_EVStatusType(EVReady=True, EVErrorCode=t.DC_EVErrorCodeType(error), EVRESSSOC=soc)

    def cable_check(self) -> Any:
        return self.ask(b.CableCheckReq, DC_EVStatus=self.ev())

    def pre_charge(self, voltage: float = 400.0) -> Any:
        wanted = {"EVTargetVoltage": physical(voltage, V), "EVTargetCurrent": physical(1, A)}
        return self.ask(b.PreChargeReq, DC_EVStatus=self.ev(), **wanted)

    def ready(self) -> None:
        """To the point where power may begin."""
        self.authorized()
        self.scheduled()
        self.cable_check()
        assert self.cable_check().EVSEProcessing is t.EVSEProcessingType.Finished
        self.pre_charge()
        self.pre_charge()

    def deliver(self, ready: bool = True, profile: Any = None, error: str = "NO_ERROR") -> Any:
        said = t.DC_EVPowerDeliveryParameterType(DC_EVStatus=self.ev(error), ChargingComplete=False)
        return self.ask(b.PowerDeliveryReq, ReadyToChargeState=ready, ChargingProfile=profile, EVPowerDeliveryParameter=said)

    def charging(self) -> Any:
        self.ready()
        return self.deliver()

    def demand(self, current: float = 100.0, voltage: float = 400.0, error: str = "NO_ERROR") -> Any:
        wanted = {"EVTargetVoltage": physical(voltage, V), "EVTargetCurrent": physical(current, A)}
        return self.ask(b.CurrentDemandReq, DC_EVStatus=self.ev(error), ChargingComplete=False, **wanted)

    def welding(self) -> Any:
        return self.ask(b.WeldingDetectionReq, DC_EVStatus=self.ev())

    def stop(self) -> Any:
        return self.ask(b.SessionStopType)
