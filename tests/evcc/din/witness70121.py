"""What must hold of a car of DIN SPEC 70121: what its messages say, for the watch over it (`tests/evcc/watch.py`)."""

from collections.abc import Callable
from typing import Any, ClassVar

from evcc.car import Car
from tests.evcc.watch import Watch
from v2g.din.physical import number, optional
from v2g.din.sequence import CHARGE_LOOPS
from v2g.energy.series import Series
from v2g.messages.din import msg_body as b
from v2g.messages.din import msg_data_types as t

LIMITS = {"charge_power": "EVSEMaximumPowerLimit", "charge_current": "EVSEMaximumCurrentLimit", "voltage": "EVSEMaximumVoltageLimit"}
OWN = {"charge_power": "EVMaximumPowerLimit", "charge_current": "EVMaximumCurrentLimit", "voltage": "EVMaximumVoltageLimit"}
Status = t.DC_EVSEStatusCodeType
DANGEROUS = (Status.EVSE_EmergencyShutdown, Status.EVSE_Malfunction)


class Witness70121(Watch):
    """A watch that reads DIN SPEC 70121, which charges by direct current and no more."""

    loops: ClassVar = CHARGE_LOOPS

    def __init__(self, car: Car[Any], reserve: float, wall: Callable[[float], float]):
        super().__init__(car, reserve, wall)
        self.isolated = False  # the cable was checked, and found sound
        self.stops = self.danger = ""  # why the car must end power, or must be open at once
        self.promised: Series | None = None

    # --- what the station says ---

    def heard(self, response: Any, at: float) -> None:
        match response:
            case b.ContractAuthenticationRes(EVSEProcessing=t.EVSEProcessingType.Finished):
                self.authorized = True
            case b.ChargeParameterDiscoveryRes(EVSEChargeParameter=said, SASchedules=t.SAScheduleListType()):
                self._limited(said)
            case b.CableCheckRes(EVSEProcessing=processing, DC_EVSEStatus=status):
                sound = status.EVSEIsolationStatus not in (t.isolationLevelType.Invalid, t.isolationLevelType.Fault)
                self.isolated = sound and processing is t.EVSEProcessingType.Finished
            case b.PowerDeliveryRes():
                self.delivering = self.asked[b.PowerDeliveryReq].ReadyToChargeState
                if self.delivering:
                    self.promised = self._car.known.choice.powers
                else:
                    self.flowed, self.isolated, self.measured, self.stops = True, False, None, ""
            case b.CurrentDemandRes():
                self._limited(response)
                self.measured = number(response.EVSEPresentVoltage), number(response.EVSEPresentCurrent)
        self._status(response)

    def _status(self, response: Any) -> None:
        said = next((getattr(response, name) for name in response.__struct_fields__ if name.endswith("EVSEStatus")), None)
        if said is None:
            return
        if said.EVSEStatusCode in DANGEROUS:
            self.danger = said.EVSEStatusCode.value
        if said.EVSEIsolationStatus is t.isolationLevelType.Fault:
            self.danger = "a fault of the isolation"
        if said.EVSEStatusCode is Status.EVSE_Shutdown and self.delivering:
            self.stops = "EVSE_Shutdown"

    def _limited(self, said: Any) -> None:
        self.stated |= {name: abs(value) for name, field in LIMITS.items() if (value := optional(getattr(said, field))) is not None}

    # --- what the car does ---

    def may_close(self) -> None:
        assert isinstance(self.last, b.PreChargeRes), f"contactors close on {type(self.last).__name__}"
        assert self.isolated, "contactors close on a cable that was not found sound"
        self.matched(number(self.last.EVSEPresentVoltage))

    def judge(self, asked: Any, at: float) -> None:
        """No request of the loop goes beyond inlet, station or schedule, and none comes once the station has shut down."""
        assert not self.stops, f"{type(asked).__name__} after {self.stops}"
        own, amperes, volts = self.inlet, number(asked.EVTargetCurrent), number(asked.EVTargetVoltage)
        self.within(amperes, 0.0, min(own.charge_current, self.most("charge_current")), "A, more than the inlet takes, or the station says")
        self.within(volts, 0.0, min(own.voltage, self.most("voltage")), "V, more than the inlet takes, or the station says")
        self.within(amperes * volts, 0.0, own.charge_power, "W, more than the inlet takes")
        self.within(amperes * volts, 0.0, self.most("charge_power"), "W in, more than the station says")
        planned = float("inf") if self.promised is None else max(self.promised.at(self._wall(at)) or 0.0, 0.0)
        self.within(amperes * volts, 0.0, planned, "W: more in than the profile says")
        for name, field in OWN.items():
            self.within(optional(getattr(asked, field)) or 0.0, 0.0, getattr(own, name), f"is said as {field}, more than the inlet takes")

    def borne(self) -> None:
        on = self.closed or (self.delivering and self.pilot != "B")
        assert not (self.danger and on), f"the station tells of {self.danger} by {type(self.last).__name__}, and the car goes on"
        super().borne()
