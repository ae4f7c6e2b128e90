"""What must hold of a station's session, judged by its events alone: frames as they came and went, facts as they were told, wants.

Nothing of the session's own reckoning is read, so that no rule is tested against itself. Powers are W, positive into the car.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from secc import station as words
from secc.neutral.bounds import POWER, SHARE
from secc.neutral.keeping import ENDED, ENDED_BY_LIMIT, ENDED_BY_OUTLET
from secc.neutral.output import PRE_CHARGE_CURRENT, SAME, SAME_POWER
from tests.machines import Plan, Span, mode_of
from v2g.energy.der import GridControl
from v2g.iso20.phases import total
from v2g.iso20.rational import number, optional
from v2g.iso20.sequence import CHARGE_LOOPS, response_to
from v2g.iso20.services import SERVICES
from v2g.messages import wpt
from v2g.messages.common_messages import (
    AuthorizationRes,
    PowerDeliveryReq,
    PowerDeliveryRes,
    ScheduleExchangeRes,
    SessionStopRes,
    chargeProgressType,
)
from v2g.messages.common_types import processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import Event, FrameReceived, FrameSent

LOOPS = tuple(response_to(request) for request in CHARGE_LOOPS)
BEGUN = (Code.OK, Code.OK_PowerToleranceConfirmed, Code.WARNING_PowerToleranceNotConfirmed)  # power flows after these
ROUNDED = 0.001  # share of a number that its rounding on the wire may take or give
CAR_LIMITS = {
    "charge_power": "EVMaximumChargePower",
    "discharge_power": "EVMaximumDischargePower",
    "charge_current": "EVMaximumChargeCurrent",
    "discharge_current": "EVMaximumDischargeCurrent",
    "voltage": "EVMaximumVoltage",
}
UNLIMITED = words.Limits(**dict.fromkeys(CAR_LIMITS, math.inf))


@dataclass(frozen=True, slots=True)
class Told(Event):
    """What the station told its session, whatever that made of it."""

    fact: words.Fact


@dataclass
class Reserve:
    """What a car has said last of the energy that it keeps for itself."""

    said: dict[str, float] = field(default_factory=dict)

    def heard(self, loop: Any) -> None:
        mode, display = mode_of(loop), getattr(loop, "DisplayParameters", None)
        for name in ("EVMinimumEnergyRequest", "EVMinimumV2XEnergyRequest", "EVMaximumV2XEnergyRequest"):
            if (value := optional(getattr(mode, name, None))) is not None:
                self.said[name] = value
        for name in ("PresentSOC", "MinimumSOC"):
            if display is not None and (value := getattr(display, name)) is not None:
                self.said[name] = value

    @property
    def reached(self) -> bool:
        """Whether nothing may be taken out of the car any more."""
        said = self.said
        if said.get("EVMinimumEnergyRequest", -1.0) >= 0 or said.get("EVMinimumV2XEnergyRequest", -1.0) >= 0:
            return True
        return said.get("EVMaximumV2XEnergyRequest", 1.0) < 0 or said.get("PresentSOC", 100) < said.get("MinimumSOC", 0)


class Witness:
    """Sees every event of one session, in order, and asserts. `wall` gives the epoch (s) of a session time."""

    def __init__(self, limits: words.Limits, wall: Callable[[float], float]):
        self.built, self.limits, self._wall = limits, limits, wall
        self.closed = self.testing = self.opening = False  # as the hardware was told
        self.powered = False  # between PowerStarted and PowerStopped
        self.authorized = self.delivering = self.standing = False  # as the car was told
        self.output: words.SetOutput | None = None
        self.power: float | None = None
        self.measured = words.OutputMeasured(0.0, 0.0)
        self.service, self.control = "DC", "Scheduled"
        self.car, self.reserve = UNLIMITED, Reserve()
        self.setpoint: float | None = None
        self.grid = GridControl()
        self.shown: Plan | None = None  # last, on whatever stream
        self.bound: list[tuple[Plan, int | None]] = []  # what may bind now
        self.field: dict[str, bool] = {}  # WPT: what the vehicle over the ground device was last said to be
        self.free = True  # WPT: nothing lies on it
        self.beyond: dict[str, float] = {}  # whose limit is passed, and since when
        self.asked: dict[type, Any] = {}  # the latest request of a class
        self.waiting: set[type] = set()  # responses that are owed

    @property
    def live(self) -> bool:
        """A car may find voltage here."""
        return self.closed or self.testing

    def see(self, event: Event) -> None:
        match event:
            case Told(fact=fact):
                self._told(fact)
            case FrameReceived(message=request) if request is not None:
                self.asked[type(request)] = request
                self.waiting.add(response_to(type(request)))
                self._heard(request)
            case FrameSent(message=response):
                self.waiting.discard(type(response))
                self._answered(response, event.at)
            case _:
                self._wanted(event)

    # --- what is told and said ---

    def _told(self, fact: object) -> None:
        match fact:
            case words.ContactorIs(closed=False):
                self.closed = self.testing = False
            case words.LimitsChanged(limits=limits):
                self.limits = limits
            case words.SetpointChanged(power=power):
                self.setpoint = power
            case words.GridControlChanged(control=control):
                self.grid = control
            case words.OutputMeasured():
                self.measured = fact
            case words.AlignmentIs(found=alignment):
                self.field["aligned"] = alignment.aligned
            case words.PositionIs(position=position):
                self.field["in its place"] = position.reachable
            case words.AssociationLost():
                self.field["this session's"] = False
            case words.GroundDeviceIs(condition=condition):
                self.free = condition == "NoIssue"

    def _heard(self, request: Any) -> None:
        if isinstance(request, CHARGE_LOOPS):
            self._limited(mode_of(request))
            self.reserve.heard(request)
        elif type(request).__name__.endswith("ChargeParameterDiscoveryReq"):
            most = optional(getattr(request, "EVPCMaxReceivablePower", None))
            self.car = UNLIMITED if most is None else replace(UNLIMITED, charge_power=most)
            self._limited(mode_of(request))

    def _limited(self, mode: Any) -> None:
        stated = {name: abs(value) for name, said in CAR_LIMITS.items() if (value := total(mode, said)) is not None}
        self.car = replace(self.car, **stated)

    def _answered(self, response: Any, at: float) -> None:
        code = getattr(response, "ResponseCode", None)
        if code is None or code.value.startswith("FAILED"):
            return
        if isinstance(response, AuthorizationRes) and code.value.startswith("OK"):
            self.authorized |= response.EVSEProcessing is processingType.Finished
        elif isinstance(response, ScheduleExchangeRes) and response.EVSEProcessing is processingType.Finished:
            shown = response.Scheduled_SEResControlMode
            self.shown = None if shown is None else Plan.of(shown)
        elif isinstance(response, PowerDeliveryRes):
            self._delivered(self.asked[PowerDeliveryReq], code)
        elif isinstance(response, SessionStopRes):
            self.reserve, self.bound, self.shown, self.delivering = Reserve(), [], None, False
        elif isinstance(response, LOOPS):
            self._commanded(at)
            self._flows(self.asked[next(request for request in CHARGE_LOOPS if response_to(request) is type(response))], at)

    def _delivered(self, asked: PowerDeliveryReq, code: Code) -> None:
        progress, profile = asked.ChargeProgress, asked.EVPowerProfile
        self.beyond.clear()
        if profile is not None and asked.EVProcessing is processingType.Finished and code in BEGUN:
            self.delivering, self.standing = True, False
            chosen = profile.Scheduled_EVPPTControlMode
            binds = [] if self.shown is None else [(self.shown, None if chosen is None else chosen.SelectedScheduleTupleID)]
            self.bound = binds + (self.bound[:1] if asked.ChargeProgress is chargeProgressType.Start else [])
        elif code is Code.OK and progress is chargeProgressType.ScheduleRenegotiation:
            self.bound = []
        elif code is Code.OK and progress in (chargeProgressType.Stop, chargeProgressType.Standby):
            self.delivering, self.standing = False, progress is chargeProgressType.Standby

    # --- what the hardware is told ---

    def _wanted(self, event: Event) -> None:
        match event:
            case words.ServiceSelected(service=service, control=control):
                self.service, self.control = service, control
            case words.CloseContactor() | words.CheckIsolation() | words.CheckAlignment():
                assert self.authorized, f"{type(event).__name__} before authorization"
                self.closed, self.testing, self.opening = self.closed or isinstance(event, words.CloseContactor), True, False
                if isinstance(event, words.CheckAlignment):
                    self.field.pop("aligned", None)
            case words.OpenContactor():
                self.closed, self.testing, self.opening = False, False, True
                self.output = self.power = None
            case words.SetOutput(current=current):
                assert self.delivering or abs(current) <= PRE_CHARGE_CURRENT, f"{current:g} A outside PowerDelivery"
                assert not (self.opening and current), f"{current:g} A from an outlet that is told to open"
                self.output = event
                self.within_outlet()
            case words.SetPower(power=power):
                assert self.delivering or power == 0, f"{power:g} W outside PowerDelivery"
                assert not (self.opening and power), f"{power:g} W from an outlet that is told to open"
                self.power = power
                self.within_outlet()
            case words.PowerStarted():
                assert self.authorized, "power before authorization"
                assert not self.powered, "power started twice"
                self.powered = True
            case words.PowerStopped():
                assert self.powered, "power stopped that never started"
                self.powered = False

    # --- what holds ---

    def within_outlet(self) -> None:
        """The limits of the outlet, which hold at any time and not from the next loop on."""
        ours, output, power = self.limits.within(self.built), self.output, self.power
        if output is not None and self.delivering:
            assert output.voltage <= ours.voltage + SAME, "a voltage beyond the outlet"
            assert -ours.discharge_current - SAME <= output.current <= ours.charge_current + SAME, "a current beyond the outlet"
            power = output.power if output.current else 0.0
        if power is not None and self.delivering:
            self._spans(power, (-ours.discharge_power, ours.charge_power), "beyond the outlet")

    def over_field(self) -> None:
        """A field: only over a vehicle that is paired, aligned and in its place, with nothing between; for WPT, at any time."""
        if self.powered and self.live:
            assert self.field.get("aligned"), "power without alignment"
            wrong = [what for what, true in self.field.items() if not true]
            assert not wrong, f"power over a vehicle that is not {wrong}"
        assert self.free or not self.power, "power over what lies on the ground device"

    def _spans(self, power: float, span: Span, what: str) -> None:
        least, most = (bound * (1 + ROUNDED) + slack for bound, slack in zip(span, (-SAME_POWER, SAME_POWER), strict=True))
        assert least <= power <= most, f"a power of {power:.0f} W {what} of {span[0]:.0f} to {span[1]:.0f} W"

    def _commanded(self, at: float) -> None:
        """What is commanded once a loop is answered: within every limit that anybody has stated."""
        row, output, power = SERVICES[self.service], self.output, self.power
        if row.wireless and power is not None:
            self._spans(power, (0.0, max(number(self.asked[wpt.WPT_ChargeLoopReq].EVPCPowerRequest), 0.0)), "beyond what was asked for")
        if self.standing:
            assert power in (None, 0.0), "power in standby"
            assert output is None or output.current == 0, "current flows in standby"
            return
        if output is not None:
            assert output.voltage <= self.car.voltage + SAME, "a voltage beyond the car"
            assert -self.car.discharge_current - SAME <= output.current <= self.car.charge_current + SAME, "a current beyond the car"
            power = output.power if output.current else 0.0
        if power is None:
            return
        assert row.bidirectional or power >= 0, "a plain service discharges"
        assert not self.reserve.reached or power >= 0, f"discharge below the reserve of the car: {self.reserve.said}"
        self._spans(power, (-self.car.discharge_power, self.car.charge_power), "beyond the car")
        if self.control == "Scheduled":
            spans = [plan.at(chosen, self._wall(at)) for plan, chosen in self.bound]
            self._spans(power, (min((s[0] for s in spans), default=0.0), max((s[1] for s in spans), default=0.0)), "beyond the schedule")
        elif self.setpoint is not None:
            self._spans(power, (min(self.setpoint, 0.0), max(self.setpoint, 0.0)), "beyond the setpoint")
        if row.der and self.grid.discharge_maximum is not None:
            self._spans(power, (-self.grid.discharge_maximum, math.inf), "beyond the grid's limit")

    def _flows(self, loop: Any, at: float) -> None:
        """What is measured, or said by a car that controls the power itself: beyond a limit it is borne for its time, and no longer."""
        said = total(mode_of(loop), "EVPresentActivePower"), optional(getattr(loop, "EVPCPowerOutput", None)), self.measured.watts
        stated = [value for value in said if value is not None]
        back = SERVICES[self.service].bidirectional
        patience = ENDED if self.control == "Dynamic" else ENDED_BY_LIMIT
        for whose, ours, limit in (
            ("the outlet", self.built, ENDED_BY_OUTLET), ("its limits", self.limits.within(self.built), patience)
        ):  # fmt: skip
            most, least = ours.charge_power, -ours.discharge_power if back else 0.0
            if (max(stated) <= most * (1 + SHARE) + POWER and min(stated) >= least * (1 + SHARE) - POWER) or self.standing:
                self.beyond.pop(whose, None)
                continue
            since = self.beyond.setdefault(whose, at)
            assert at - since < limit, f"{max(stated, key=abs):.0f} W flow, beyond {whose}, for {at - since:.1f} s"
