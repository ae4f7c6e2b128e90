"""What must hold of a car of ISO 15118-20: what its messages say, for the watch over it (`tests/evcc/watch.py`)."""

from collections.abc import Callable
from typing import Any, ClassVar

from evcc.car import Car
from tests.evcc.watch import TOLERATED, Watch
from tests.machines import Plan, mode_of
from v2g.iso20.phases import total
from v2g.iso20.rational import number
from v2g.iso20.sequence import CHARGE_LOOPS, response_to
from v2g.messages import dc, wpt
from v2g.messages.common_messages import (
    AuthorizationRes,
    PowerDeliveryReq,
    PowerDeliveryRes,
    ScheduleExchangeRes,
    SessionStopRes,
    chargeProgressType,
)
from v2g.messages.common_types import RationalNumberType, processingType
from v2g.messages.common_types import responseCodeType as Code

REPEATED = 0.95  # share of a scheduled power above which a stated limit may be that schedule, rounded
RESPONSES = tuple(response_to(request) for request in CHARGE_LOOPS)
STATED = {
    "charge_power": "EVSEMaximumChargePower",
    "discharge_power": "EVSEMaximumDischargePower",
    "charge_current": "EVSEMaximumChargeCurrent",
    "discharge_current": "EVSEMaximumDischargeCurrent",
    "voltage": "EVSEMaximumVoltage",
}


class Witness(Watch):
    """A watch that reads ISO 15118-20."""

    loops: ClassVar = CHARGE_LOOPS

    def __init__(self, car: Car[Any], reserve: float, wall: Callable[[float], float]):
        super().__init__(car, reserve, wall)
        self.since = 0.0  # when the station's limits were stated
        self.setpoint: float | None = None
        self.shown: list[Plan] = []  # schedules; the last two may bind
        self.given: float | None = None  # W, of a field

    # --- what the station says ---

    def heard(self, response: Any, at: float) -> None:
        if isinstance(response, AuthorizationRes) and response.ResponseCode.value.startswith("OK"):
            self.authorized |= response.EVSEProcessing is processingType.Finished
        elif isinstance(response, ScheduleExchangeRes) and response.Scheduled_SEResControlMode is not None:
            self.shown = [*self.shown[-1:], Plan.of(response.Scheduled_SEResControlMode)]
        elif isinstance(response, PowerDeliveryRes):
            self._delivered(response.ResponseCode)
        elif isinstance(response, SessionStopRes):
            self.stated.clear()
        elif isinstance(response, RESPONSES):
            self._limited(mode_of(response), at)
            self.setpoint = total(mode_of(response), "EVSETargetActivePower")
            if isinstance(response, wpt.WPT_ChargeLoopRes):
                self.given = number(response.EVPCPowerRequest)
                self.stated["charge_power"] = abs(number(response.SPCMaxOutputPowerLimit))
            if isinstance(response, dc.DC_ChargeLoopRes):
                self.measured = number(response.EVSEPresentVoltage), number(response.EVSEPresentCurrent)
        elif type(response).__name__.endswith("ChargeParameterDiscoveryRes"):
            self._limited(mode_of(response), at)

    def _limited(self, mode: Any, at: float) -> None:
        self.stated |= {name: abs(value) for name, said in STATED.items() if (value := total(mode, said)) is not None}
        self.since = at

    def _delivered(self, code: Code) -> None:
        asked = self.asked[PowerDeliveryReq].ChargeProgress
        if asked is chargeProgressType.Start:
            self.delivering = True
        elif asked is chargeProgressType.Stop:
            self.delivering, self.flowed = False, True

    # --- what the car does ---

    def may_close(self) -> None:
        if self._car.known.service.row.wireless:
            assert isinstance(self.last, wpt.WPT_AlignmentCheckRes), f"contactors close on {type(self.last).__name__}"
            assert self.last.EVSEProcessing is processingType.Finished, "contactors close on an alignment that is still checked"
            return
        assert isinstance(self.last, dc.DC_PreChargeRes), f"contactors close on {type(self.last).__name__}"
        self.matched(number(self.last.EVSEPresentVoltage))

    def borne(self) -> None:
        if self.closed and self.given is not None:
            most = TOLERATED * self.inlet.charge_power + 500.0
            assert -1e3 <= self.given <= most, f"{self.given:.0f} W are given and the contactors are closed"
        super().borne()

    def judge(self, asked: Any, at: float) -> None:
        """No request of the loop goes beyond inlet, station, profile or reserve."""
        own, known = self.inlet, self._car.known
        mode = mode_of(asked)
        said = {name: number(value) for name in mode.__struct_fields__ if isinstance(value := getattr(mode, name), RationalNumberType)}
        for name in ("EVPresentActivePower", "EVMaximumChargePower", "EVMaximumDischargePower"):
            if (power := total(mode, name)) is not None:
                said[name] = power
        both, back = known.service.bidirectional, abs(said.get("EVMaximumDischargePower", 0.0))
        powers = [said[name] for name in ("EVMaximumChargePower", "EVPresentActivePower", "EVPCPowerRequest") if name in said] + [-back]
        if "EVTargetCurrent" in said:
            amperes, volts = said["EVTargetCurrent"], said["EVTargetVoltage"]
            self.within(amperes, -own.discharge_current, own.charge_current, "A, more than the inlet takes")
            self.within(volts, 0.0, own.voltage, "V, more than the inlet takes")
            self.within(amperes, -self.most("discharge_current"), self.most("charge_current"), "A, more than the station says")
            self.within(volts, 0.0, self.most("voltage"), "V, more than the station says")
            powers.append(amperes * volts)
        self.within(abs(said.get("EVMaximumChargeCurrent", 0.0)), 0.0, own.charge_current, "A, more than the inlet takes")
        self.within(abs(said.get("EVMaximumDischargeCurrent", 0.0)), 0.0, own.discharge_current, "A, more than the inlet gives")
        least, most = min(powers), max(powers)
        self.within(least, -own.discharge_power if both else 0.0, own.charge_power, "W, more than the inlet gives")
        self.within(most, -own.discharge_power, own.charge_power, "W, more than the inlet takes")
        self.within(least, -self._allowed("discharge_power", at), most, "W out, more than the station says")
        self.within(most, least, self._allowed("charge_power", at), "W in, more than the station says")
        if least < 0:
            assert self._car.ev.soc > self._reserve, "a discharge at the reserve"
        flows = said.get("EVPresentActivePower")
        if known.service.row.der and flows is not None:  # what it may feed is the grid's to ask for, whatever its schedule
            least, most = min(flows, 0.0), max(flows, 0.0)
        self._as_promised(least, most, at)
        if self.setpoint is not None and flows is not None and not known.service.row.der:
            self.within(flows, min(self.setpoint, 0.0), max(self.setpoint, 0.0), "W flow, more than the station wants")

    def _as_promised(self, least: float, most: float, at: float) -> None:
        known, wall = self._car.known, self._wall(at)
        assert known.choice is not None
        if known.service.control == "Scheduled":
            promised = known.choice.at(wall)
            self.within(least, min(promised, 0.0), most, "W: more out than the profile says")
            self.within(most, least, max(promised, 0.0), "W: more in than the profile says")
        else:
            self.within(most, least, max(known.choice.powers.values), "W: more in than the profile says")

    def _allowed(self, name: str, at: float) -> float:
        """A power that the station has stated; none where that may only repeat a schedule, which changes by itself."""
        stated, walls = self.most(name), (self._wall(self.since), self._wall(at))
        into = name == "charge_power"
        scheduled = [abs(plan.at(None, wall)[into]) for plan in self.shown for wall in walls]
        return float("inf") if scheduled and stated >= REPEATED * min(scheduled) else stated
