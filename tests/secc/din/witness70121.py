"""What must hold of a station's session of DIN SPEC 70121: what its messages say, for the watch over it (`tests/secc/watch.py`)."""

from dataclasses import replace
from typing import Any, ClassVar

from secc import station as words
from secc.neutral.keeping import ENDED_BY_LIMIT
from tests.secc.watch import UNLIMITED, Watch
from v2g.din.generation import DIN
from v2g.din.physical import number, optional
from v2g.messages.din.msg_body import (
    ChargeParameterDiscoveryReq,
    ContractAuthenticationRes,
    CurrentDemandReq,
    CurrentDemandRes,
    PowerDeliveryReq,
    PowerDeliveryRes,
    SessionStopRes,
)
from v2g.messages.din.msg_data_types import EVSEProcessingType


class Witness70121(Watch):
    """A watch that reads DIN SPEC 70121: direct current into the car, led by the limits of each response, and by no schedule."""

    responses: ClassVar = DIN.responses
    setpoint: float | None = None  # W

    def told(self, fact: object) -> None:
        super().told(fact)
        if isinstance(fact, words.SetpointChanged):
            self.setpoint = fact.power

    def heard(self, request: Any) -> None:
        if isinstance(request, ChargeParameterDiscoveryReq):
            said = request.EVChargeParameter
            self.car = replace(UNLIMITED, voltage=number(said.EVMaximumVoltageLimit), charge_current=number(said.EVMaximumCurrentLimit))
            if power := optional(said.EVMaximumPowerLimit):  # some cars say 0 W where they say nothing
                self.car = replace(self.car, charge_power=power)
        elif isinstance(request, CurrentDemandReq):
            stated = {
                "charge_power": optional(request.EVMaximumPowerLimit),
                "charge_current": optional(request.EVMaximumCurrentLimit),
                "voltage": optional(request.EVMaximumVoltageLimit),
            }
            self.car = replace(self.car, **{name: max(value, 0.0) for name, value in stated.items() if value is not None})

    def answered(self, response: Any, at: float) -> None:
        match response:
            case ContractAuthenticationRes(EVSEProcessing=EVSEProcessingType.Finished):
                self.authorized = True
            case PowerDeliveryRes():
                self.beyond.clear()
                self.delivering = self.asked[PowerDeliveryReq].ReadyToChargeState
            case SessionStopRes():
                self.delivering = False
            case CurrentDemandRes():
                self._looped(response, at)

    def _looped(self, response: CurrentDemandRes, at: float) -> None:
        """What is commanded is within every limit that anybody has stated, and what is stated within what the outlet can and is set to."""
        ours = self.limits.within(self.built)
        most = ours.charge_power if self.setpoint is None else min(max(self.setpoint, 0.0), ours.charge_power)
        if (power := self.commanded()) is not None:
            assert power >= 0, "a plain service discharges"
            self.within_car(power)
            self.spans(power, (0.0, most), "beyond the setpoint")
        if (stated := optional(response.EVSEMaximumPowerLimit)) is not None:
            self.spans(stated, (0.0, most), "is promised, beyond the setpoint")
        for name, can in (("EVSEMaximumCurrentLimit", ours.charge_current), ("EVSEMaximumVoltageLimit", ours.voltage)):
            said = optional(getattr(response, name))
            assert said is None or 0 <= said <= can, f"{name} says {said:g}, the outlet can {can:g}"
        self.borne([self.measured.watts], at, False, ENDED_BY_LIMIT)


def shut_down(answer: Any) -> Any:
    """The DC_EVSEStatus of a response; None where it has none."""
    return next((getattr(answer, name) for name in ("DC_EVSEStatus", "EVSEStatus") if hasattr(answer, name)), None)
