"""A car that speaks DIN SPEC 70121 and a station's surroundings in virtual time: scripted requests in, decoded responses and wants out."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from secc import station as words
from secc.outlet import Outlet
from tests.secc.older import Older
from tests.secc.scripted import LIMITS
from v2g.din.generation import DIN
from v2g.din.physical import A, V, W, Wh, physical
from v2g.messages.app_protocol import AppProtocolType, supportedAppProtocolReq
from v2g.messages.din import msg_body as b
from v2g.messages.din import msg_data_types as t

NAMESPACE = "urn:din:70121:2012:MsgDef"
EVCCID = bytes.fromhex("0011AABBCCDD")


def outlet(**changes: Any) -> Outlet:
    return Outlet(**{"services": ("DC",), "limits": LIMITS, **changes})


@dataclass
class Scripted(Older):
    """One session with a scripted car of DIN SPEC 70121. `reads`: what is answered is given by what was done, else by `answers`."""

    generation: ClassVar = DIN
    types, discovering, selecting, authorizing = t, b.ServiceDiscoveryReq, b.ServicePaymentSelectionReq, b.ContractAuthenticationReq
    outlet: Outlet = field(default_factory=outlet)
    reads: ClassVar = True

    def wait(self, seconds: float) -> list[Any]:  # type: ignore[override]
        super().wait(seconds)
        return self.answers() if self.reads else []

    def tell(self, *facts: words.Fact) -> list[Any]:  # type: ignore[override]
        super().tell(*facts)
        return self.answers() if self.reads else []

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
