"""A car and a station's surroundings in virtual time: scripted requests in, decoded responses and wants out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from secc import station as words
from secc.engine import SeccSession
from secc.outlet import Outlet
from v2g.energy.offer import Offer, Tuple
from v2g.energy.series import Series
from v2g.exi.derive import least
from v2g.exi.schema import Type
from v2g.iso20 import frames
from v2g.iso20.modes import ac_modes
from v2g.iso20.rational import rational
from v2g.iso20.sequence import State
from v2g.iso20.services import PROTOCOLS, SERVICES
from v2g.messages import ac, acdp, common_messages, dc, wpt
from v2g.messages.app_protocol import AppProtocolType, supportedAppProtocolReq
from v2g.messages.common_messages import (
    AuthorizationReq,
    AuthorizationSetupReq,
    Dynamic_EVPPTControlModeType,
    Dynamic_SEReqControlModeType,
    EIM_AReqAuthorizationModeType,
    EVPowerProfileEntryListType,
    EVPowerProfileType,
    PowerDeliveryReq,
    PowerScheduleEntryType,
    Scheduled_EVPPTControlModeType,
    Scheduled_SEReqControlModeType,
    ScheduleExchangeReq,
    SelectedServiceListType,
    SelectedServiceType,
    ServiceDetailReq,
    ServiceDiscoveryReq,
    ServiceSelectionReq,
    SessionSetupReq,
    SessionStopReq,
    VehicleCheckInReq,
    VehicleCheckOutReq,
    authorizationType,
    chargeProgressType,
    chargingSessionType,
    evCheckInStatusType,
    evCheckOutStatusType,
    parkingMethodType,
)
from v2g.messages.common_types import MessageHeaderType, RationalNumberType, processingType
from v2g.session.clock import Clock
from v2g.session.endpoint import Event, Noted
from v2g.session.errors import StationFailed
from v2g.session.v2gtp import FrameReader

EPOCH = 1_790_000_000.0
LIMITS = words.Limits(
    charge_power=50_000, discharge_power=30_000, charge_current=125, discharge_current=75, voltage=920, voltage_minimum=150
)


def secure(leaf: bytes = b"vehicle") -> Any:
    """TLS 1.3 with both sides authenticated, as a session is told of it."""
    from v2g.session.tls import TlsFacts

    return TlsFacts(
        profile="conformance", version="TLSv1.3", suite="TLS_AES_256_GCM_SHA384", group="secp521r1", own_scheme=None, peer_scheme=None,
        own_chain=(), peer_chain=(leaf,), verified=object(), certificate_requested=True,
    )  # fmt: skip


def outlet(**changes: Any) -> Outlet:
    return Outlet(**{"services": tuple(SERVICES), "limits": LIMITS, **changes})


def r(value: float) -> RationalNumberType:
    return rational(value)


POLLS = 100  # more than any answer of a scripted station takes: a step that goes on is a failure, not a test that hangs
STILL = 100  # ticks in a row at which no time passes


def polled(ask: Callable[[], Any]) -> Any:
    """Ask until the answer is Finished."""
    for _ in range(POLLS):
        if (answer := ask()).EVSEProcessing is processingType.Finished:
            return answer
    raise AssertionError(f"{type(answer).__name__} is Ongoing for ever")


@dataclass
class Scripted:
    """One session with a scripted car. `auto` says which wants are granted at once.

    A session never raises; here what it caught does, unless the test says that something is `broken`.
    """

    outlet: Outlet = field(default_factory=outlet)
    auto: bool = True
    now: float = 1000.0
    epoch: float = EPOCH  # wall time is this and `now`
    given: dict[str, Any] = field(default_factory=dict)
    broken: bool = False

    def __post_init__(self) -> None:
        self.drawn = 0
        options: dict[str, Any] = {"entropy": self.entropy, "tls": secure(), **self.given}
        self.session = SeccSession(self.outlet, Clock(self.epoch, 0.0), self.now, **options)
        self.reader = FrameReader()
        self.id = bytes(8)
        self.happened: list[Event] = []

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

    def header(self, signature: Any = None) -> MessageHeaderType:
        return MessageHeaderType(SessionID=self.id, TimeStamp=int(self.wall), Signature=signature)

    def send(self, request: Type, payload_type: int | None = None) -> None:
        from v2g.session.v2gtp import frame

        kind = frames.payload_type_for(request) if payload_type is None else payload_type
        self.octets(frame(kind, frames.exi(request)))

    def octets(self, octets: bytes) -> None:
        self.session.receive(octets, self.now)
        self.settle()

    def answers(self) -> list[Any]:
        self.reader.feed(self.session.octets_to_send())
        found = []
        while (got := self.reader.next()) is not None:
            found.append(frames.message(got.payload_type, got.payload))
            self._explained(found[-1])
        return found

    def _explained(self, response: Any) -> None:
        """Every WARNING and every end before its time says why: in whatever test it happens."""
        code = getattr(response, "ResponseCode", None)
        if code is not None and code.value.startswith("WARNING"):
            said = [e.objection for e in self.happened if isinstance(e, words.Objected) and e.code == code.value]
            assert said, f"{type(response).__name__} is a {code.value} and nobody said why"
            assert said[-1].reason
            assert said[-1].requirement is None or said[-1].requirement not in said[-1].reason
        if self.session.ended is not None and self.session.ended.error is not None:
            (ended,) = [e for e in self.happened if isinstance(e, Noted) and e.topic == "ended"]
            assert ended.facts["why"] == self.session.ended.reason
            assert ended.facts["requirement"] == self.session.ended.requirement
            assert self.session.ended.reason

    def ask(self, cls: type[Type], on: int | None = None, **fields: Any) -> Any:
        """Send a request of that class, on its own payload type or another, and return the one response."""
        named = {} if cls is supportedAppProtocolReq else {"Header": self.header()}
        self.send(cls(**{**named, **fields}), on)
        (answer,) = self.answers()
        if cls is SessionSetupReq:
            self.id = answer.Header.SessionID
        return answer

    def wait(self, seconds: float) -> None:
        """Let time pass; the session is ticked at its deadlines."""
        end, still = self.now + seconds, 0
        while (due := self.session.deadline()) is not None and due <= end:
            still = still + 1 if due <= self.now else 0
            assert still < STILL, f"nothing comes of the deadline at {due} s"
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
        fresh = self.session.events()
        self.happened += fresh
        for event in fresh:
            if self.auto and (fact := self.grant(event)) is not None:
                self.session.tell(fact, self.now)
        if fresh and self.auto:
            self.happened += self.session.events()

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
            case words.ConnectDevice():
                return words.DeviceIs("EndPosition")
            case words.DisconnectDevice():
                return words.DeviceIs("Home")
            case words.PairVehicle(observed=observed):
                return words.PairingIs(words.Paired(True), observed)
            case words.CheckAlignment(current=current):
                return words.AlignmentIs(words.Alignment(True, 50.0, current))
            case words.CheckInReported(arrival=arrival):
                return words.PlaceIs(words.ParkingPlace(7, 8, 0, occupied=arrival.status == "Completed"))
            case words.CheckOutReported():
                return words.CheckedOut()
            case words.OpenContactor():
                return words.ContactorIs(False)
        return None

    def offer(self, needs: Any) -> Offer:
        """One hour of charging, one of discharging where the car can, one of charging."""
        start = float(int(self.wall))
        hours = [11_000.0, 0.0, 7_000.0], [0.0, -9_000.0, 0.0]
        charging, discharging = (Series.from_pairs([(start + 3600 * i, v) for i, v in enumerate(each)], start + 3 * 3600) for each in hours)
        prices = Series.from_pairs([(start + 3600 * i, v) for i, v in enumerate((0.1, 0.4, 0.2))], start + 3 * 3600)
        both = needs.bidirectional
        return Offer((Tuple(1, charging, discharging if both else None, prices, prices if both else None),), departure=needs.departure)

    def wants(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.happened if isinstance(event, kind)]

    # --- requests ---

    def sap(self, schema_set: str = "dc") -> Any:
        protocol = PROTOCOLS[schema_set]
        entry = AppProtocolType(ProtocolNamespace=protocol.namespace, VersionNumberMajor=1, VersionNumberMinor=0, SchemaID=7, Priority=1)
        return self.ask(supportedAppProtocolReq, AppProtocol=(entry,))

    def setup(self, service: str = "DC") -> Any:
        self.sap(SERVICES[service].schema_set)
        return self.ask(SessionSetupReq, EVCCID="WMIV1234567890ABCDEX")

    def authorize(self) -> Any:
        return self.ask(
            AuthorizationReq,
            SelectedAuthorizationService=authorizationType.EIM,
            EIM_AReqAuthorizationMode=EIM_AReqAuthorizationModeType(),
        )

    def authorized(self, service: str = "DC") -> None:
        self.setup(service)
        self.ask(AuthorizationSetupReq)
        polled(self.authorize)

    def select(self, service: str = "DC", parameter_set: int = 1) -> Any:
        self.ask(ServiceDiscoveryReq)
        self.ask(ServiceDetailReq, ServiceID=SERVICES[service].id)
        return self.choose(service, parameter_set)

    def choose(self, service: str, parameter_set: int = 1, parking: tuple[int, ...] = ()) -> Any:
        beside = tuple(SelectedServiceType(ServiceID=66, ParameterSetID=number) for number in parking)
        added = SelectedServiceListType(SelectedService=beside) if beside else None
        chosen = SelectedServiceType(ServiceID=SERVICES[service].id, ParameterSetID=parameter_set)
        return self.ask(ServiceSelectionReq, SelectedEnergyTransferService=chosen, SelectedVASList=added)

    def parameters(self, service: str = "DC", **changes: Any) -> Any:
        bidirectional = SERVICES[service].bidirectional
        if self.session.context.state is State.ACDP_POSITIONING:
            self.docked()
        if SERVICES[service].wireless:
            if self.session.context.state is State.WPT_SETUP:
                self.placed()
            return self.wireless_parameters(**changes)
        if SERVICES[service].dc:
            fields = {
                "EVMaximumChargePower": r(60e3), "EVMinimumChargePower": r(0), "EVMaximumChargeCurrent": r(150),
                "EVMinimumChargeCurrent": r(0), "EVMaximumVoltage": r(450), "EVMinimumVoltage": r(300),
            }  # fmt: skip
            back = {
                "EVMaximumDischargePower": r(40e3), "EVMinimumDischargePower": r(0), "EVMaximumDischargeCurrent": r(100),
                "EVMinimumDischargeCurrent": r(0),
            }  # fmt: skip
            mode = dc.BPT_DC_CPDReqEnergyTransferModeType if bidirectional else dc.DC_CPDReqEnergyTransferModeType
            made = mode(**{**fields, **(back if bidirectional else {}), **changes})
            return self.ask(dc.DC_ChargeParameterDiscoveryReq, DC_CPDReqEnergyTransferMode=made)
        fields = {"EVMaximumChargePower": r(11e3), "EVMinimumChargePower": r(0)}
        back = {"EVMaximumDischargePower": r(11e3), "EVMinimumDischargePower": r(0)}
        given = {**fields, **(back if bidirectional else {}), **changes}
        return self.ask(ac.AC_ChargeParameterDiscoveryReq, AC_CPDReqEnergyTransferMode=least(ac_modes(SERVICES[service]).asks, **given))

    def exchange(self, control: str = "Scheduled", points: int = 1024, on: int | None = None, **changes: Any) -> Any:
        energies = {"EVTargetEnergyRequest": r(30e3), "EVMaximumEnergyRequest": r(40e3), "EVMinimumEnergyRequest": r(-20e3)}
        if control == "Scheduled":
            mode: dict[str, Any] = {
                "Scheduled_SEReqControlMode": Scheduled_SEReqControlModeType(**{"DepartureTime": 3 * 3600, **energies, **changes})
            }
        else:
            mode = {"Dynamic_SEReqControlMode": Dynamic_SEReqControlModeType(**{"DepartureTime": 3 * 3600, **energies, **changes})}
        return self.ask(ScheduleExchangeReq, on, MaximumSupportingPoints=points, **mode)

    def scheduled(self, control: str = "Scheduled") -> Any:
        return polled(lambda: self.exchange(control))

    def profile(self, control: str = "Scheduled", power: float = 5_000.0, tuple_id: int = 1, **changes: Any) -> EVPowerProfileType:
        """The first hour at that power, then nothing."""
        entries = (PowerScheduleEntryType(Duration=3600, Power=r(power)), PowerScheduleEntryType(Duration=2 * 3600, Power=r(0)))
        mode: dict[str, Any] = (
            {"Scheduled_EVPPTControlMode": Scheduled_EVPPTControlModeType(SelectedScheduleTupleID=tuple_id)}
            if control == "Scheduled"
            else {"Dynamic_EVPPTControlMode": Dynamic_EVPPTControlModeType()}
        )
        made = {"TimeAnchor": int(self.wall), "EVPowerProfileEntries": EVPowerProfileEntryListType(EVPowerProfileEntry=entries)}
        return EVPowerProfileType(**{**made, **mode, **changes})

    def power(self, progress: str, **fields: Any) -> PowerDeliveryReq:
        given = {"EVProcessing": processingType.Finished, "ChargeProgress": chargeProgressType[progress], **fields}
        return PowerDeliveryReq(Header=self.header(), **given)

    def deliver(self, progress: str, **fields: Any) -> Any:
        self.send(self.power(progress, **fields))
        (answer,) = self.answers()
        return answer

    def start(self, control: str = "Scheduled") -> Any:
        return self.deliver("Start", EVPowerProfile=self.profile(control))

    def loop(self, service: str = "DC", control: str = "Scheduled", meter: bool = False, **changes: Any) -> Any:
        if SERVICES[service].wireless:
            return self.field_loop(meter=meter, **changes)
        row, energy = SERVICES[service], "DC" if SERVICES[service].dc else "AC"
        module: Any = dc if energy == "DC" else ac
        prefix = "BPT_" if row.bidirectional else ""
        mode_class: Any = getattr(dc, f"{prefix}{control}_DC_CLReqControlModeType") if row.dc else ac_modes(row).loop[control][0]  # type: ignore[index]
        given = self.loop_fields(energy, control, bool(prefix))
        if row.der and control == "Scheduled":
            given |= {"EVMaximumDischargePower": r(11e3), "EVMinimumDischargePower": r(0)}
        mode = least(mode_class, **{**given, **changes})
        fields = {"MeterInfoRequested": meter, "CLReqControlMode": mode}
        if energy == "DC":
            fields["EVPresentVoltage"] = r(400)
        return self.ask(getattr(module, f"{energy}_ChargeLoopReq"), **fields)

    @staticmethod
    def loop_fields(energy: str, control: str, bidirectional: bool) -> dict[str, Any]:
        if control == "Scheduled":
            return {"EVTargetCurrent": r(12), "EVTargetVoltage": r(400)} if energy == "DC" else {"EVPresentActivePower": r(5000)}
        fields = {"EVTargetEnergyRequest": r(30e3), "EVMaximumEnergyRequest": r(40e3), "EVMinimumEnergyRequest": r(-20e3)}
        fields |= {"EVMaximumChargePower": r(60e3), "EVMinimumChargePower": r(0)}
        if energy == "DC":
            fields |= {"EVMaximumChargeCurrent": r(150), "EVMaximumVoltage": r(450), "EVMinimumVoltage": r(300)}
        else:
            fields |= {"EVPresentActivePower": r(0), "EVPresentReactivePower": r(0)}
        if bidirectional:
            fields |= {"EVMaximumDischargePower": r(40e3), "EVMinimumDischargePower": r(0)}
            fields |= {"EVMaximumDischargeCurrent": r(100)} if energy == "DC" else {}
        return fields

    def cable_check(self) -> Any:
        return self.ask(dc.DC_CableCheckReq)

    def isolated(self) -> Any:
        return polled(self.cable_check)

    def pre_charge(self, processing: str = "Ongoing", target: float = 400.0, present: float = 0.0) -> Any:
        return self.ask(dc.DC_PreChargeReq, EVProcessing=processingType[processing], EVPresentVoltage=r(present), EVTargetVoltage=r(target))

    def stop(self, how: str = "Terminate") -> Any:
        return self.ask(SessionStopReq, ChargingSession=chargingSessionType[how])

    def welding(self, processing: str = "Ongoing") -> Any:
        return self.ask(dc.DC_WeldingDetectionReq, EVProcessing=processingType[processing])

    def positioning(self, moving: bool = False) -> Any:
        return self.ask(acdp.ACDP_VehiclePositioningReq, EVMobilityStatus=moving, EVPositioningSupport=False)

    def connect(self, state: str = "State_B") -> Any:
        return self.ask(acdp.ACDP_ConnectReq, EVElectricalChargingDeviceStatus=acdp.electricalChargingDeviceStatusType(state))

    def disconnect(self, state: str = "State_B") -> Any:
        return self.ask(acdp.ACDP_DisconnectReq, EVElectricalChargingDeviceStatus=acdp.electricalChargingDeviceStatusType(state))

    def check_in(self, status: str = "CheckIn", method: str = "Manual", **said: Any) -> Any:
        fields = {"EVCheckInStatus": evCheckInStatusType(status), "ParkingMethod": parkingMethodType(method), **said}
        return self.ask(VehicleCheckInReq, **fields)

    def check_out(self, status: str = "CheckOut", time: int = 1_790_003_600) -> Any:
        return self.ask(VehicleCheckOutReq, EVCheckOutStatus=evCheckOutStatusType(status), CheckOutTime=time)

    def parks(self, service: str = "DC", parking: tuple[int, ...] = (1, 2)) -> None:
        """Authorized, and a service selected with ParkingStatus."""
        self.authorized(service)
        self.ask(ServiceDiscoveryReq)
        for each in (SERVICES[service].id, 66):
            self.ask(ServiceDetailReq, ServiceID=each)
        self.choose(service, parking=parking)

    def docked(self) -> None:
        """The vehicle stands under the device, and that is down."""
        self.tell(words.PositionIs(words.Position(reachable=True)))
        polled(self.positioning)
        polled(self.connect)

    # --- WPT ---

    def wpt_setup(self, processing: str = "Finished", **changes: Any) -> Any:
        methods = {
            "EVDeviceFinePositioningMethodList": wpt.WPT_FinePositioningMethodListType(
                WPT_FinePositioningMethod=(wpt.WPT_FinePositioningMethodType.Manual,)
            ),
            "EVDevicePairingMethodList": wpt.WPT_PairingMethodListType(
                WPT_PairingMethod=(wpt.WPT_PairingMethodType.External_confirmation,)
            ),
            "EVDeviceAlignmentCheckMethodList": wpt.WPT_AlignmentCheckMethodListType(
                WPT_AlignmentCheckMethod=(wpt.WPT_AlignmentCheckMethodType.PowerCheck,)
            ),
        }
        fields = {"EVProcessing": processingType[processing], "NaturalOffset": 0, **methods, **changes}
        return self.ask(wpt.WPT_FinePositioningSetupReq, **fields)

    def _step(self, kind: type[Type], processing: str, result: str, **said: Any) -> Any:
        fields = {"EVProcessing": processingType[processing], "EVResultCode": wpt.WPT_EVResultType[f"EVResult{result}"], **said}
        return self.ask(kind, **fields)

    def fine_positioning(self, processing: str = "Finished", result: str = "Success") -> Any:
        return self._step(wpt.WPT_FinePositioningReq, processing, result)

    def pairing(self, processing: str = "Finished", result: str = "Unknown", code: int | None = None) -> Any:
        return self._step(wpt.WPT_PairingReq, processing, result, ObservedIDCode=code)

    def alignment(self, processing: str = "Finished", result: str = "Success", current: float | None = None) -> Any:
        return self._step(wpt.WPT_AlignmentCheckReq, processing, result, TargetCoilCurrent=None if current is None else r(current))

    def placed(self) -> None:
        """The vehicle stands over the ground device and is paired with it."""
        self.wpt_setup()
        self.tell(words.PositionIs(words.Position(reachable=True)))
        polled(self.fine_positioning)
        polled(self.pairing)

    def aligned(self) -> Any:
        return polled(self.alignment)

    def wireless_parameters(self, **changes: Any) -> Any:
        fields = {
            "EVPCMaxReceivablePower": r(11e3), "SDMaxGroundClearence": 250, "SDMinGroundClearence": 150, "EVPCNaturalFrequency": r(85e3),
            "EVPCDeviceLocalControl": False,
        }  # fmt: skip
        return self.ask(wpt.WPT_ChargeParameterDiscoveryReq, **{**fields, **changes})

    def field_loop(self, asked: float = 5e3, output: float = 0.0, meter: bool = False, **changes: Any) -> Any:
        fields = {
            "MeterInfoRequested": meter, "EVPCPowerRequest": r(asked), "EVPCPowerOutput": r(output),
            "EVPCChargeDiagnostics": wpt.WPT_EVPCChargeDiagnosticsType.EVPCNoIssue,
        }  # fmt: skip
        return self.ask(wpt.WPT_ChargeLoopReq, **{**fields, **changes})

    # --- journeys ---

    def ready(self, service: str = "DC", control: str = "Scheduled") -> None:
        """Everything up to the point where power can start."""
        self.authorized(service)
        self.select(service, 1 if control == "Scheduled" else 2)
        self.parameters(service)
        self.scheduled(control)
        if SERVICES[service].dc:
            self.isolated()
            self.pre_charge()
            self.pre_charge("Finished")
        if SERVICES[service].wireless:
            self.aligned()

    def charging(self, service: str = "DC", control: str = "Scheduled") -> None:
        """Everything up to the charge loop, with one loop."""
        self.ready(service, control)
        self.start(control)
        self.loop(service, control)


__all__ = ["EPOCH", "LIMITS", "Scripted", "common_messages", "outlet", "r", "secure"]
