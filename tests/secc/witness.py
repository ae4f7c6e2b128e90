"""What must hold of a station's session of ISO 15118-20: what its messages say, for the watch over it (`tests/secc/watch.py`)."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from secc import station as words
from secc.neutral.keeping import ENDED, ENDED_BY_LIMIT
from tests.machines import Plan, mode_of
from tests.secc.watch import LIMITS_OF_A_CAR, UNLIMITED, Watch
from v2g.energy.der import GridControl
from v2g.iso20.generation import ISO20
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
from v2g.session.endpoint import Event

LOOPS = tuple(response_to(request) for request in CHARGE_LOOPS)
BEGUN = (Code.OK, Code.OK_PowerToleranceConfirmed, Code.WARNING_PowerToleranceNotConfirmed)  # power flows after these
NAMES = ("EVMaximumChargePower", "EVMaximumDischargePower", "EVMaximumChargeCurrent", "EVMaximumDischargeCurrent", "EVMaximumVoltage")
CAR_LIMITS = dict(zip(LIMITS_OF_A_CAR, NAMES, strict=True))


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


class Witness(Watch):
    """A watch that reads ISO 15118-20."""

    responses: ClassVar = ISO20.responses

    def __init__(self, limits: words.Limits, wall: Callable[[float], float]):
        super().__init__(limits, wall)
        self.standing = False
        self.reserve = Reserve()
        self.setpoint: float | None = None
        self.grid = GridControl()
        self.field: dict[str, bool] = {}  # WPT: what the vehicle over the ground device was last said to be
        self.free = True  # WPT: nothing lies on it

    # --- what is told and said ---

    def told(self, fact: object) -> None:
        super().told(fact)
        match fact:
            case words.SetpointChanged(power=power):
                self.setpoint = power
            case words.GridControlChanged(control=control):
                self.grid = control
            case words.AlignmentIs(found=alignment):
                self.field["aligned"] = alignment.aligned
            case words.PositionIs(position=position):
                self.field["in its place"] = position.reachable
            case words.AssociationLost():
                self.field["this session's"] = False
            case words.GroundDeviceIs(condition=condition):
                self.free = condition == "NoIssue"

    def heard(self, request: Any) -> None:
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

    def answered(self, response: Any, at: float) -> None:
        if isinstance(response, AuthorizationRes) and response.ResponseCode.value.startswith("OK"):
            self.authorized |= response.EVSEProcessing is processingType.Finished
        elif isinstance(response, ScheduleExchangeRes) and response.EVSEProcessing is processingType.Finished:
            shown = response.Scheduled_SEResControlMode
            self.shown = None if shown is None else Plan.of(shown)
        elif isinstance(response, PowerDeliveryRes):
            self._delivered(self.asked[PowerDeliveryReq], response.ResponseCode)
        elif isinstance(response, SessionStopRes):
            self.reserve, self.bound, self.shown, self.delivering = Reserve(), [], None, False
        elif isinstance(response, LOOPS):
            self._looped(at)
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

    def energised(self, event: Event) -> None:
        if isinstance(event, words.CheckAlignment):
            self.field.pop("aligned", None)

    # --- what holds ---

    def over_field(self) -> None:
        """A field: only over a vehicle that is paired, aligned and in its place, with nothing between; for WPT, at any time."""
        if self.powered and self.live:
            assert self.field.get("aligned"), "power without alignment"
            wrong = [what for what, true in self.field.items() if not true]
            assert not wrong, f"power over a vehicle that is not {wrong}"
        assert self.free or not self.power, "power over what lies on the ground device"

    def _looped(self, at: float) -> None:
        """What is commanded once a loop is answered: within every limit that anybody has stated."""
        row, output, power = SERVICES[self.service], self.output, self.power
        if row.wireless and power is not None:
            self.spans(power, (0.0, max(number(self.asked[wpt.WPT_ChargeLoopReq].EVPCPowerRequest), 0.0)), "beyond what was asked for")
        if self.standing:
            assert power in (None, 0.0), "power in standby"
            assert output is None or output.current == 0, "current flows in standby"
            return
        if (power := self.commanded()) is None:
            return
        assert row.bidirectional or power >= 0, "a plain service discharges"
        assert not self.reserve.reached or power >= 0, f"discharge below the reserve of the car: {self.reserve.said}"
        self.within_car(power)
        if self.control == "Scheduled":
            self.spans(power, self.scheduled(at), "beyond the schedule")
        elif self.setpoint is not None:
            self.spans(power, (min(self.setpoint, 0.0), max(self.setpoint, 0.0)), "beyond the setpoint")
        if row.der and self.grid.discharge_maximum is not None:
            self.spans(power, (-self.grid.discharge_maximum, math.inf), "beyond the grid's limit")

    def _flows(self, loop: Any, at: float) -> None:
        """What is measured, or said by a car that controls the power itself."""
        if self.standing:
            self.beyond.clear()
            return
        said = total(mode_of(loop), "EVPresentActivePower"), optional(getattr(loop, "EVPCPowerOutput", None)), self.measured.watts
        patience = ENDED if self.control == "Dynamic" else ENDED_BY_LIMIT
        self.borne([value for value in said if value is not None], at, SERVICES[self.service].bidirectional, patience)
