"""What must hold of a car, judged by its events alone: frames as they came and went, and what its hardware was told.

Nothing of the car's own reckoning is read but the state of its battery, so that no rule is tested against itself. Powers are W, positive
into the car.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from evcc.car import Car
from evcc.ev import Ev, Inlet
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
from v2g.session.endpoint import Event, FrameReceived, FrameSent

MATCHED = 20.0  # V between inlet and battery on which contactors may close
TOLERATED = 1.2  # share of a limit that is measured beyond it and still an instrument's error and a late loop
OFF = 5.0  # A, of an instrument that shows no current
REPEATED = 0.95  # share of a scheduled power above which a stated limit may be that schedule, rounded
RESPONSES = tuple(response_to(request) for request in CHARGE_LOOPS)
STATED = {
    "charge_power": "EVSEMaximumChargePower",
    "discharge_power": "EVSEMaximumDischargePower",
    "charge_current": "EVSEMaximumChargeCurrent",
    "discharge_current": "EVSEMaximumDischargeCurrent",
    "voltage": "EVSEMaximumVoltage",
}


@dataclass(frozen=True, slots=True)
class Did(Event):
    """What the hardware was told: `contactors` (closed), `pilot` (state), `took` (W)."""

    what: str
    value: Any


@dataclass
class Watched(Ev):
    """A simulated car that tells what it is told, and whose hardware may be broken: it raises where it is told `broken`."""

    broken: str = ""
    failed: bool = False
    say: Callable[[str, Any], None] = field(default=lambda what, value: None)

    def contactors(self, closed: bool) -> None:
        self.say("contactors", closed)
        self._breaks("close" if closed else "open")

    def pilot(self, state: str) -> None:
        self.say("pilot", state)
        self._breaks("pilot")

    def take(self, power: float, seconds: float) -> None:
        self.say("took", power)
        super().take(power, seconds)

    def _breaks(self, what: str) -> None:
        if self.broken == what:
            self.failed = True
            raise OSError(f"{what}: bus error")


class Witness:
    """Sees every event of one session, in order, and asserts. `reserve` is in %, `wall` gives the epoch (s) of a session time."""

    def __init__(self, car: Car[Any], reserve: float, wall: Callable[[float], float]):
        self._car, self._reserve, self._wall = car, reserve, wall
        self.closed, self.pilot = False, "B"
        self.authorized = self.delivering = False
        self.flowed = False  # what flowed to the end of power is still to be counted
        self.last: Any = None  # the last response that was taken
        self.asked: dict[type, Any] = {}
        self.stated: dict[str, float] = {}  # the station's limits
        self.since = 0.0  # when they were stated
        self.setpoint: float | None = None
        self.shown: list[Plan] = []  # schedules; the last two may bind

    def see(self, event: Event) -> None:
        match event:
            case FrameReceived(message=response) if response is not None:
                self.last = response
                self._heard(response, event.at)
            case FrameSent(message=request):
                self.asked[type(request)] = request
                if isinstance(request, CHARGE_LOOPS):
                    self._judge(request, event.at)
            case Did(what="contactors", value=closed):
                self._moved(closed)
            case Did(what="pilot", value=state):
                self.pilot = state
                assert self.authorized or state == "B", "the car wants power before authorization"
            case Did(what="took", value=power):
                self._took(power)

    # --- what the station says ---

    def _heard(self, response: Any, at: float) -> None:
        code = getattr(response, "ResponseCode", None)
        if code is None or code.value.startswith("FAILED"):
            return
        if isinstance(response, AuthorizationRes) and code.value.startswith("OK"):
            self.authorized |= response.EVSEProcessing is processingType.Finished
        elif isinstance(response, ScheduleExchangeRes) and response.Scheduled_SEResControlMode is not None:
            self.shown = [*self.shown[-1:], Plan.of(response.Scheduled_SEResControlMode)]
        elif isinstance(response, PowerDeliveryRes):
            self._delivered(code)
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

    measured: tuple[float, float] | None = None  # V, A
    given: float | None = None  # W, of a field

    def _moved(self, closed: bool) -> None:
        self.closed = closed
        if not closed:
            return
        assert self.authorized, "contactors close before authorization"
        if self._car.known.service.row.wireless:
            assert isinstance(self.last, wpt.WPT_AlignmentCheckRes), f"contactors close on {type(self.last).__name__}"
            assert self.last.EVSEProcessing is processingType.Finished, "contactors close on an alignment that is still checked"
            return
        assert isinstance(self.last, dc.DC_PreChargeRes), f"contactors close on {type(self.last).__name__}"
        assert abs(number(self.last.EVSEPresentVoltage) - self._car.ev.voltage()) <= MATCHED, "closed on another voltage"

    def _took(self, power: float) -> None:
        """Energy is counted from the beginning of power to its end, and once more for what flowed until then."""
        if power != 0:
            assert self.delivering or self.flowed, f"{power:.0f} W are counted outside PowerDelivery"
            own = self.inlet
            assert -TOLERATED * own.discharge_power - OFF * own.voltage <= power, f"{power:.0f} W were taken"
            assert power <= TOLERATED * own.charge_power + OFF * own.voltage, f"{power:.0f} W were taken"
        self.flowed = False if not self.delivering else self.flowed

    @property
    def inlet(self) -> Inlet:
        return self._car.ev.inlet(self._car.known.service.row.plug)

    def borne(self) -> None:
        """What is measured behind closed contactors; asked once the car has looked at it."""
        if self.closed and self.given is not None:
            most = TOLERATED * self.inlet.charge_power + 500.0
            assert -1e3 <= self.given <= most, f"{self.given:.0f} W are given and the contactors are closed"
        if self.measured is None or not self.closed:
            return
        (volts, amperes), own = self.measured, self.inlet
        back = self._car.known.service.bidirectional
        assert -0.1 * own.voltage <= volts <= 1.1 * own.voltage, f"{volts} V and the contactors are closed"
        most = own.discharge_current if back else 0.0
        assert -TOLERATED * most - OFF <= amperes <= TOLERATED * own.charge_current + OFF, f"{amperes} A and the contactors are closed"
        least = own.discharge_power if back else 0.0
        power, instrument = volts * amperes, OFF * own.voltage
        assert -TOLERATED * least - instrument <= power <= TOLERATED * own.charge_power + instrument, f"{power:.0f} W and they are closed"

    def _judge(self, asked: Any, at: float) -> None:
        """No request of the loop goes beyond inlet, station, profile or reserve, and none comes outside power."""
        assert self.delivering, f"{type(asked).__name__} outside PowerDelivery"
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
            self._within(amperes, -own.discharge_current, own.charge_current, "A, more than the inlet takes")
            self._within(volts, 0.0, own.voltage, "V, more than the inlet takes")
            self._within(amperes, -self._most("discharge_current"), self._most("charge_current"), "A, more than the station says")
            self._within(volts, 0.0, self._most("voltage"), "V, more than the station says")
            powers.append(amperes * volts)
        self._within(abs(said.get("EVMaximumChargeCurrent", 0.0)), 0.0, own.charge_current, "A, more than the inlet takes")
        self._within(abs(said.get("EVMaximumDischargeCurrent", 0.0)), 0.0, own.discharge_current, "A, more than the inlet gives")
        least, most = min(powers), max(powers)
        self._within(least, -own.discharge_power if both else 0.0, own.charge_power, "W, more than the inlet gives")
        self._within(most, -own.discharge_power, own.charge_power, "W, more than the inlet takes")
        self._within(least, -self._allowed("discharge_power", at), most, "W out, more than the station says")
        self._within(most, least, self._allowed("charge_power", at), "W in, more than the station says")
        if least < 0:
            assert self._car.ev.soc > self._reserve, "a discharge at the reserve"
        flows = said.get("EVPresentActivePower")
        if known.service.row.der and flows is not None:  # what it may feed is the grid's to ask for, whatever its schedule
            least, most = min(flows, 0.0), max(flows, 0.0)
        self._as_promised(least, most, at)
        if self.setpoint is not None and flows is not None and not known.service.row.der:
            self._within(flows, min(self.setpoint, 0.0), max(self.setpoint, 0.0), "W flow, more than the station wants")

    def _as_promised(self, least: float, most: float, at: float) -> None:
        known, wall = self._car.known, self._wall(at)
        assert known.choice is not None
        if known.service.control == "Scheduled":
            promised = known.choice.at(wall)
            self._within(least, min(promised, 0.0), most, "W: more out than the profile says")
            self._within(most, least, max(promised, 0.0), "W: more in than the profile says")
        else:
            self._within(most, least, max(known.choice.powers.values), "W: more in than the profile says")

    @staticmethod
    def _within(value: float, least: float, most: float, what: str) -> None:
        assert least - 1e-6 <= value <= most + 1e-6, f"{value:g} {what}: {least:g} to {most:g}"

    def _most(self, name: str) -> float:
        return self.stated.get(name, float("inf"))

    def _allowed(self, name: str, at: float) -> float:
        """A power that the station has stated; none where that may only repeat a schedule, which changes by itself."""
        stated, walls = self._most(name), (self._wall(self.since), self._wall(at))
        into = name == "charge_power"
        scheduled = [abs(plan.at(None, wall)[into]) for plan in self.shown for wall in walls]
        return float("inf") if scheduled and stated >= REPEATED * min(scheduled) else stated
