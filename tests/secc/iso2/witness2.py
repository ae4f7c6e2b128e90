"""What must hold of a station's session of ISO 15118-2: what its messages say, for the watch over it (`tests/secc/watch.py`)."""

from dataclasses import replace
from typing import Any, ClassVar

from secc.neutral.keeping import ENDED_BY_LIMIT
from tests.machines import Plan
from tests.secc.watch import UNLIMITED, Watch
from v2g.iso2.generation import ISO2
from v2g.iso2.physical import number, optional
from v2g.iso2.services import MODES
from v2g.messages.iso2.msg_body import (
    AuthorizationRes,
    ChargeParameterDiscoveryReq,
    ChargeParameterDiscoveryRes,
    ChargingStatusRes,
    CurrentDemandReq,
    CurrentDemandRes,
    PowerDeliveryReq,
    PowerDeliveryRes,
    SessionStopRes,
)
from v2g.messages.iso2.msg_data_types import DC_EVChargeParameterType, EVSEProcessingType, SAScheduleListType, chargeProgressType

VOLTS = 230.0  # of a phase
DAY = 86_400.0  # s; for which the last entry of a schedule holds that says no duration


def shown(said: SAScheduleListType, at: float) -> Plan:
    """The schedules of a list, whose times are relative to `at` (epoch s)."""
    return Plan({each.SAScheduleTupleID: (_spans(each.PMaxSchedule.PMaxScheduleEntry, at), []) for each in said.SAScheduleTuple})


def _spans(entries: tuple[Any, ...], at: float) -> list[tuple[float, float, float]]:
    starts = [at + entry.TimeInterval.start for entry in entries]
    ends = [*starts[1:], starts[-1] + float(entries[-1].TimeInterval.duration or DAY)]
    return [(start, end, number(entry.PMax)) for start, end, entry in zip(starts, ends, entries, strict=True)]


class Witness2(Watch):
    """A watch that reads ISO 15118-2, which charges and no more."""

    responses: ClassVar = ISO2.responses
    phases = 3  # of the mode that the car has asked for

    # --- what is said ---

    def heard(self, request: Any) -> None:
        if isinstance(request, ChargeParameterDiscoveryReq):
            said = request.EVChargeParameter
            if isinstance(said, DC_EVChargeParameterType):
                self.car = replace(UNLIMITED, voltage=number(said.EVMaximumVoltageLimit), charge_current=number(said.EVMaximumCurrentLimit))
                if power := optional(said.EVMaximumPowerLimit):  # some cars say 0 W where they say nothing
                    self.car = replace(self.car, charge_power=power)
            else:
                self.phases = MODES[request.RequestedEnergyTransferMode].phases
                self.car = replace(UNLIMITED, charge_power=number(said.EVMaxCurrent) * VOLTS * self.phases)
        elif isinstance(request, CurrentDemandReq):
            said = {
                "charge_power": optional(request.EVMaximumPowerLimit),
                "charge_current": optional(request.EVMaximumCurrentLimit),
                "voltage": optional(request.EVMaximumVoltageLimit),
            }
            self.car = replace(self.car, **{name: max(value, 0.0) for name, value in said.items() if value is not None})

    def answered(self, response: Any, at: float) -> None:
        match response:
            case AuthorizationRes(EVSEProcessing=EVSEProcessingType.Finished):
                self.authorized = True
            case ChargeParameterDiscoveryRes(SASchedules=schedules) if schedules is not None:
                self.shown = shown(schedules, float(int(self._wall(at))))
            case PowerDeliveryRes():
                self._delivered(self.asked[PowerDeliveryReq])
            case SessionStopRes():
                self.bound, self.shown, self.delivering = [], None, False
            case ChargingStatusRes():
                self._looped(at)
                if (current := optional(response.EVSEMaxCurrent)) is not None:
                    self._promised(current * VOLTS * self.phases, at)
            case CurrentDemandRes():
                self._looped(at)
                self._within_own(response)
                if (power := optional(response.EVSEMaximumPowerLimit)) is not None:
                    self._promised(power, at)

    def _delivered(self, asked: PowerDeliveryReq) -> None:
        self.beyond.clear()
        match asked.ChargeProgress:
            case chargeProgressType.Start:
                self.delivering = True
                self.bound = [] if self.shown is None else [(self.shown, asked.SAScheduleTupleID)]
            case chargeProgressType.Stop:
                self.delivering = False
            case chargeProgressType.Renegotiate:
                self.bound = []
                self.delivering = self.service == "AC"
                assert self.service == "AC" or not self.live, "the outlet is live while a car of DC renegotiates"
                assert not self.power, "power flows while a schedule is renegotiated"

    # --- what holds ---

    def _looped(self, at: float) -> None:
        """Once a loop is answered: what is commanded is within every limit that anybody has stated, what flows is borne for its time."""
        if (power := self.commanded()) is not None:
            assert power >= 0, "a plain service discharges"
            self.within_car(power)
            self.spans(power, self.scheduled(at), "beyond the schedule")
        self.borne([self.measured.watts], at, False, ENDED_BY_LIMIT)

    def _promised(self, power: float, at: float) -> None:
        """A car takes what it is told: in AC nothing else bounds it."""
        ours = self.limits.within(self.built)
        self.spans(power, (0.0, ours.charge_power), "is promised, beyond the outlet")
        self.spans(power, self.scheduled(at), "is promised, beyond the schedule")

    def _within_own(self, response: CurrentDemandRes) -> None:
        """What a response states as the station's limits is no more than they are."""
        ours = self.limits.within(self.built)
        for name, most in (("EVSEMaximumCurrentLimit", ours.charge_current), ("EVSEMaximumVoltageLimit", ours.voltage)):
            stated = optional(getattr(response, name))
            assert stated is None or 0 <= stated <= most, f"{name} says {stated:g}, the outlet can {most:g}"


def stopped(answer: Any) -> Any:
    """The EVSEStatus of a response; None where it has none."""
    return next((getattr(answer, name) for name in answer.__struct_fields__ if name.endswith("EVSEStatus")), None)
