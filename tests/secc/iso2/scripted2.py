"""A car that speaks ISO 15118-2 and a station's surroundings in virtual time: scripted requests in, decoded responses and wants out."""

from dataclasses import dataclass, field, replace
from typing import Any

from secc import station as words
from secc.engine import SeccSession
from secc.outlet import Outlet
from tests.secc.scripted import EPOCH, LIMITS
from v2g.energy.offer import Offer, Tuple
from v2g.energy.series import Series
from v2g.exi.schema import Type
from v2g.iso2.generation import ISO2
from v2g.iso2.physical import A, V, W, Wh, physical
from v2g.messages.app_protocol import AppProtocolType, supportedAppProtocolReq
from v2g.messages.iso2 import msg_body as b
from v2g.messages.iso2 import msg_data_types as t
from v2g.session.clock import Clock
from v2g.session.endpoint import Event, Noted
from v2g.session.errors import StationFailed
from v2g.session.tls import TlsFacts
from v2g.session.v2gtp import FrameReader, frame

NAMESPACE = "urn:iso:15118:2:2013:MsgDef"
EVCCID = bytes.fromhex("0011AABBCCDD")


def tls12() -> TlsFacts:
    """TLS 1.2 without a certificate of the car, as a session is told of it."""
    return TlsFacts(
        profile="conformance", version="TLSv1.2", suite="ECDHE-ECDSA-AES128-SHA256", group="secp256r1", own_scheme=None, peer_scheme=None,
        own_chain=(), peer_chain=(), verified=None, certificate_requested=False,
    )  # fmt: skip


def outlet(**changes: Any) -> Outlet:
    return Outlet(**{"services": ("DC", "AC"), "limits": replace(LIMITS, phases=3), **changes})


@dataclass
class Scripted2:
    """One session with a scripted car, on plain TCP unless `given` says otherwise. `auto` says which wants are granted at once."""

    outlet: Outlet = field(default_factory=outlet)
    auto: bool = True
    now: float = 1000.0
    tuple_id: int = 1  # of the schedule that the backend offers
    given: dict[str, Any] = field(default_factory=dict)
    epoch: float = EPOCH  # wall time is this and `now`
    broken: bool = False  # what a session caught is expected

    def __post_init__(self) -> None:
        self.drawn = 0
        options: dict[str, Any] = {"entropy": self.entropy, **self.given}
        self.session = SeccSession(self.outlet, Clock(self.epoch, 0.0), self.now, **options)
        self.reader = FrameReader()
        self.id = bytes(8)
        self.happened: list[Event] = []
        self.signature: Any = None
        self.heard: Any = None  # the last answer, with its envelope

    def entropy(self, length: int) -> bytes:
        self.drawn += 1
        return bytes([self.drawn]) * length

    @property
    def wall(self) -> float:
        return self.epoch + self.now

    def jump(self, seconds: float) -> None:
        """Let the wall clock run ahead of the protocol's."""
        self.epoch += seconds
        self.session._clock = Clock(self.epoch, 0.0)

    # --- the wire ---

    def send(self, request: Type) -> list[Any]:
        sent = ISO2.write(request, self.id, "main", self.signature)
        self.signature = None
        return self.octets(frame(sent.payload_type, sent.exi))

    def octets(self, octets: bytes) -> list[Any]:
        self.session.receive(octets, self.now)
        self.settle()
        return self.answers()

    def answers(self) -> list[Any]:
        self.reader.feed(self.session.octets_to_send())
        found = []
        while (got := self.reader.next()) is not None:
            self.heard = ISO2.read(got.payload_type, got.payload, by_car=True)
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

    def wait(self, seconds: float) -> None:
        """Let time pass; the session is ticked at its deadlines."""
        end = self.now + seconds
        while (due := self.session.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.session.tick(self.now)
            self.settle()
        self.now = end

    # --- the surroundings ---

    def tell(self, *facts: words.Fact) -> None:
        for fact in facts:
            self.session.tell(fact, self.now)
        self.settle()

    def settle(self) -> None:
        error = self.session.ended.error if self.session.ended is not None else None
        if isinstance(error, StationFailed) and error.__cause__ is not None and not self.broken:
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
            case words.NeedsChanged(needs=needs):
                return words.ScheduleReady(self.offer(needs))
            case words.CheckIsolation():
                return words.IsolationMeasured(True)
            case words.SetOutput(voltage=voltage, current=current):
                return words.OutputMeasured(voltage, current)
            case words.CloseContactor():
                return words.ContactorIs(True)
            case words.OpenContactor():
                return words.ContactorIs(False)
        return None

    def offer(self, needs: Any) -> Offer:
        """A day at what the outlet can."""
        start = float(int(self.wall))
        return Offer((Tuple(self.tuple_id, Series.constant(start, 86_400.0, self.outlet.limits.charge_power)),), departure=needs.departure)

    def wants(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.happened if isinstance(event, kind)]

    # --- requests ---

    def sap(self, namespace: str = NAMESPACE) -> Any:
        entry = AppProtocolType(ProtocolNamespace=namespace, VersionNumberMajor=2, VersionNumberMinor=0, SchemaID=3, Priority=1)
        return self.ask(supportedAppProtocolReq, AppProtocol=(entry,))

    def setup(self) -> Any:
        self.sap()
        return self.ask(b.SessionSetupReq, EVCCID=EVCCID)

    def pay(self, option: str = "ExternalPayment", services: tuple[int, ...] = (1,)) -> Any:
        chosen = tuple(t.SelectedServiceType(ServiceID=each) for each in services)
        listed = t.SelectedServiceListType(SelectedService=chosen)
        return self.ask(b.PaymentServiceSelectionReq, SelectedPaymentOption=t.paymentOptionType(option), SelectedServiceList=listed)

    def authorized(self) -> None:
        self.setup()
        self.ask(b.ServiceDiscoveryReq)
        self.pay()
        self.ask(b.AuthorizationReq)
        assert self.ask(b.AuthorizationReq).EVSEProcessing is t.EVSEProcessingType.Finished

    def parameters(self, mode: str = "DC_extended", entries: int | None = None, **changes: Any) -> Any:
        if mode.startswith("DC"):
            fields = {
                "DC_EVStatus": self.ev(), "EVMaximumCurrentLimit": physical(150, A), "EVMaximumVoltageLimit": physical(450, V),
                "EVMaximumPowerLimit": physical(60e3, W), "EVEnergyRequest": physical(30e3, Wh),
            }  # fmt: skip
            said: Any = t.DC_EVChargeParameterType(**{**fields, **changes})
        else:
            fields = {
                "EAmount": physical(20e3, Wh), "EVMaxVoltage": physical(400, V), "EVMaxCurrent": physical(16, A),
                "EVMinCurrent": physical(6, A),
            }  # fmt: skip
            said = t.AC_EVChargeParameterType(**{**fields, **changes})
        asked = {"RequestedEnergyTransferMode": t.EnergyTransferModeType(mode), "EVChargeParameter": said}
        return self.ask(b.ChargeParameterDiscoveryReq, MaxEntriesSAScheduleTuple=entries, **asked)

    def scheduled(self, mode: str = "DC_extended", **changes: Any) -> Any:
        for _ in range(10):
            if (answer := self.parameters(mode, **changes)).EVSEProcessing is t.EVSEProcessingType.Finished:
                return answer
        raise AssertionError("ChargeParameterDiscoveryRes is Ongoing for ever")

    def ev(self, soc: int = 40) -> t.DC_EVStatusType:
        return t.DC_EVStatusType(EVReady=True, EVErrorCode=t.DC_EVErrorCodeType.NO_ERROR, EVRESSSOC=soc)

    def cable_check(self) -> Any:
        return self.ask(b.CableCheckReq, DC_EVStatus=self.ev())

    def pre_charge(self, voltage: float = 400.0) -> Any:
        wanted = {"EVTargetVoltage": physical(voltage, V), "EVTargetCurrent": physical(1, A)}
        return self.ask(b.PreChargeReq, DC_EVStatus=self.ev(), **wanted)

    def ready(self, mode: str = "DC_extended") -> None:
        """To the point where power may begin."""
        self.authorized()
        self.scheduled(mode)
        if mode.startswith("DC"):
            self.checked()

    def checked(self) -> None:
        self.cable_check()
        assert self.cable_check().EVSEProcessing is t.EVSEProcessingType.Finished
        self.pre_charge()
        self.pre_charge()

    def deliver(self, progress: str = "Start", tuple_id: int = 1, profile: Any = None) -> Any:
        return self.ask(
            b.PowerDeliveryReq, ChargeProgress=t.chargeProgressType(progress), SAScheduleTupleID=tuple_id, ChargingProfile=profile
        )

    def charging(self, mode: str = "DC_extended") -> Any:
        self.ready(mode)
        return self.deliver()

    def loop(self, mode: str = "DC_extended", current: float = 20.0, voltage: float = 400.0, **changes: Any) -> Any:
        if not mode.startswith("DC"):
            return self.ask(b.ChargingStatusReq)
        wanted = {"EVTargetCurrent": physical(current, A), "EVTargetVoltage": physical(voltage, V), **changes}
        return self.ask(b.CurrentDemandReq, DC_EVStatus=self.ev(), ChargingComplete=False, **wanted)

    def stop(self, how: str = "Terminate") -> Any:
        return self.ask(b.SessionStopReq, ChargingSession=t.chargingSessionType(how))
