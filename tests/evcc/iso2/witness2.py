"""What must hold of a car of ISO 15118-2: what its messages say, for the watch over it (`tests/evcc/watch.py`)."""

from collections.abc import Callable
from typing import Any, ClassVar

from evcc.car import Car
from tests.evcc.watch import Watch
from v2g.energy.series import Series
from v2g.iso2.physical import number, optional
from v2g.iso2.sequence import CHARGE_LOOPS
from v2g.messages.iso2 import msg_body as b
from v2g.messages.iso2 import msg_data_types as t

LIMITS = {  # of a station of DC
    "charge_power": "EVSEMaximumPowerLimit",
    "charge_current": "EVSEMaximumCurrentLimit",
    "voltage": "EVSEMaximumVoltageLimit",
}
OWN = {  # of a car of DC, as each loop repeats them
    "charge_power": "EVMaximumPowerLimit",
    "charge_current": "EVMaximumCurrentLimit",
    "voltage": "EVMaximumVoltageLimit",
}
REPEATED = 0.95  # share of a scheduled power above which a stated limit may be that schedule, rounded
DANGEROUS = (t.DC_EVSEStatusCodeType.EVSE_EmergencyShutdown, t.DC_EVSEStatusCodeType.EVSE_Malfunction)


class Witness2(Watch):
    """A watch that reads ISO 15118-2, which charges and no more."""

    loops: ClassVar = CHARGE_LOOPS

    def __init__(self, car: Car[Any], reserve: float, wall: Callable[[float], float]):
        super().__init__(car, reserve, wall)
        self.isolated = False  # the cable was checked, and found sound
        self.stops = self.danger = ""  # why the car must end power, or must be open at once
        self.volts, self.phases = 230.0, 3  # of AC
        self.scheduled: list[tuple[float, float]] = []  # W that begin at an epoch s
        self.promised: list[Series] = []  # the last two profiles
        self.allowed = [float("inf")] * 2  # AC: W that the station has let the car take, the last two times
        self.counted = 0.0  # wall time to which energy was counted

    # --- what the station says ---

    def heard(self, response: Any, at: float) -> None:
        match response:
            case b.AuthorizationRes(EVSEProcessing=t.EVSEProcessingType.Finished):
                self.authorized = True
            case b.ChargeParameterDiscoveryRes(EVSEChargeParameter=said, SASchedules=t.SAScheduleListType() as listed):
                self._offered(said, listed, at)
            case b.CableCheckRes(EVSEProcessing=processing, DC_EVSEStatus=status):
                sound = status.EVSEIsolationStatus not in (t.isolationLevelType.Invalid, t.isolationLevelType.Fault)
                self.isolated = sound and processing is t.EVSEProcessingType.Finished
            case b.PowerDeliveryRes():
                self._delivered(at)
            case b.CurrentDemandRes():
                self._limited(response)
                self.measured = number(response.EVSEPresentVoltage), number(response.EVSEPresentCurrent)
            case b.ChargingStatusRes():
                if (current := optional(response.EVSEMaxCurrent)) is not None:
                    self.allowed = [self.allowed[-1], abs(current) * self.volts * self.phases]
        self._status(response)

    def _status(self, response: Any) -> None:
        said = next((getattr(response, name) for name in response.__struct_fields__ if name.endswith("EVSEStatus")), None)
        if said is None:
            return
        if getattr(said, "EVSEStatusCode", None) in DANGEROUS or getattr(said, "RCD", False):
            self.danger = "danger"
        if getattr(said, "EVSEIsolationStatus", None) is t.isolationLevelType.Fault:
            self.danger = "a fault of the isolation"
        if said.EVSENotification is t.EVSENotificationType.StopCharging:
            self.stops = "StopCharging" if self.delivering else ""  # before power begins it is said again with the answer to Start

    def _offered(self, said: Any, listed: t.SAScheduleListType, at: float) -> None:
        wall = float(int(self._wall(at)))
        entries = listed.SAScheduleTuple[0].PMaxSchedule.PMaxScheduleEntry
        self.scheduled = [(wall + entry.TimeInterval.start, abs(number(entry.PMax))) for entry in entries]
        if isinstance(said, t.DC_EVSEChargeParameterType):
            self._limited(said)
        elif isinstance(said, t.AC_EVSEChargeParameterType):
            self.volts = number(said.EVSENominalVoltage)
            self.allowed = [self.allowed[-1], abs(number(said.EVSEMaxCurrent)) * self.volts * self.phases]

    def _limited(self, said: Any) -> None:
        self.stated |= {name: abs(value) for name, field in LIMITS.items() if (value := optional(getattr(said, field))) is not None}

    def _delivered(self, at: float) -> None:
        match self.asked[b.PowerDeliveryReq].ChargeProgress:
            case t.chargeProgressType.Start:
                self.delivering, self.counted = True, self._wall(at)
                choice = self._car.known.choice
                assert choice is not None
                self.promised = [*self.promised[-1:], choice.powers]
            case _:
                self.delivering, self.flowed, self.isolated, self.measured = False, True, False, None
                self.stops = ""

    # --- what the car does ---

    def may_close(self) -> None:
        assert isinstance(self.last, b.PreChargeRes), f"contactors close on {type(self.last).__name__}"
        assert self.isolated, "contactors close on a cable that was not found sound"
        self.matched(number(self.last.EVSEPresentVoltage))

    def judge(self, asked: Any, at: float) -> None:
        """No request of the loop goes beyond inlet, station or profile, and none comes once the station has said stop."""
        assert not self.stops, f"{type(asked).__name__} after {self.stops}"
        if not isinstance(asked, b.CurrentDemandReq):
            return
        own, amperes, volts = self.inlet, number(asked.EVTargetCurrent), number(asked.EVTargetVoltage)
        self.within(amperes, 0.0, own.charge_current, "A, more than the inlet takes")
        self.within(volts, 0.0, own.voltage, "V, more than the inlet takes")
        self.within(amperes, 0.0, self.most("charge_current"), "A, more than the station says")
        self.within(volts, 0.0, self.most("voltage"), "V, more than the station says")
        self.within(amperes * volts, 0.0, own.charge_power, "W, more than the inlet takes")
        wall = self._wall(at)
        self.within(amperes * volts, 0.0, self._stated(wall), "W in, more than the station says")
        self.within(amperes * volts, 0.0, max((self.promised[-1].at(wall) or 0.0), 0.0), "W: more in than the profile says")
        for name, field in OWN.items():
            self.within(optional(getattr(asked, field)) or 0.0, 0.0, getattr(own, name), f"is said as {field}, more than the inlet takes")

    def _stated(self, wall: float) -> float:
        """A power that the station has stated; none where that may only repeat its schedule, which changes by itself."""
        stated = self.most("charge_power")
        begun = [watts for start, watts in self.scheduled if start <= wall] or [0.0]
        return float("inf") if stated >= REPEATED * min(begun[-2:]) else stated

    def took(self, power: float) -> None:
        """What a car of AC takes it does not say: it is counted, and must be within what it was let, and within its profile."""
        super().took(power)
        wall = self._wall(self._car.now)
        if power and not self._car.known.service.row.dc:
            self.within(power, 0.0, self.inlet.charge_power, "W, more than the inlet takes")
            self.within(power, 0.0, max(self.allowed) * (1 + 1e-9), "W in, more than the station lets it take")
            planned = [most for plan in self.promised for most in self._planned(plan, self.counted, wall)]
            self.within(power, 0.0, max(planned, default=0.0), "W: more in than the profile says")
        self.counted = wall

    @staticmethod
    def _planned(plan: Series, since: float, until: float) -> list[float]:
        """The powers of a profile between two times (epoch s)."""
        return [power for start, end, power in plan.spans() if start <= until and end >= since]

    def borne(self) -> None:
        on = self.closed or (self.delivering and self.pilot != "B")
        assert not (self.danger and on), f"the station tells of {self.danger} by {type(self.last).__name__}, and the car goes on"
        super().borne()
