"""A car that speaks ISO 15118-2 and a station's surroundings in virtual time: scripted requests in, decoded responses and wants out."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from secc.outlet import Outlet
from tests.secc.older import Older
from tests.secc.scripted import LIMITS
from v2g.iso2.generation import ISO2
from v2g.iso2.physical import A, V, W, Wh, physical
from v2g.messages.app_protocol import AppProtocolType, supportedAppProtocolReq
from v2g.messages.iso2 import msg_body as b
from v2g.messages.iso2 import msg_data_types as t
from v2g.session.tls import TlsFacts

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
class Scripted2(Older):
    """One session with a scripted car of ISO 15118-2."""

    generation: ClassVar = ISO2
    types, discovering, selecting, authorizing = t, b.ServiceDiscoveryReq, b.PaymentServiceSelectionReq, b.AuthorizationReq
    outlet: Outlet = field(default_factory=outlet)

    # --- requests ---

    def sap(self, namespace: str = NAMESPACE) -> Any:
        entry = AppProtocolType(ProtocolNamespace=namespace, VersionNumberMajor=2, VersionNumberMinor=0, SchemaID=3, Priority=1)
        return self.ask(supportedAppProtocolReq, AppProtocol=(entry,))

    def setup(self) -> Any:
        self.sap()
        return self.ask(b.SessionSetupReq, EVCCID=EVCCID)

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
