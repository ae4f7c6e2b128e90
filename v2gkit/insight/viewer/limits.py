"""The limits of power in a session, whose they are, and which of them binds."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from v2g.iso20.rational import number
from v2gkit.insight.report.story import Steps

REST: Final = 50.0  # W below which a car rests
NEAR: Final = 0.97  # of a limit, from which on it binds: what is measured is never quite what was set
_LABELS: Final = {"car": "Limit of the car", "station": "Limit of the station", "csms": "Limit set for the outlet"}
_NAMES: Final = {"car": "limit car", "station": "limit station", "csms": "limit outlet"}
WAYS: Final = ("charging", "discharging")
_FIELDS: Final = {
    "car": ("EVMaximumChargePower", "EVMaximumDischargePower"),
    "station": ("EVSEMaximumChargePower", "EVSEMaximumDischargePower"),
}


class Limits:
    """The limits (W, magnitudes) as they are now. `plan` is the profile of the car."""

    def __init__(self) -> None:
        self._now: dict[tuple[str, str], float] = {}  # (whose, way) -> W
        self.plan: Steps = ()

    def car(self, mode: Any) -> None:
        """Take the limits that a car states."""
        self._take("car", mode)

    def station(self, mode: Any) -> None:
        """Take the limits that a station states."""
        self._take("station", mode)

    def outlet(self, limits: Mapping[str, Any]) -> None:
        """Take the limits that were set for the outlet."""
        for way, key in zip(WAYS, ("charge_power", "discharge_power"), strict=True):
            if limits.get(key) is not None:
                self._now["csms", way] = abs(float(limits[key]))  # infinite: there is none

    def _take(self, whose: str, mode: Any) -> None:
        for way, field in zip(WAYS, _FIELDS[whose], strict=True):
            phases = [getattr(mode, f"{field}{phase}", None) for phase in ("", "_L2", "_L3")]
            said = [number(each) for each in phases if each is not None]
            if said:
                self._now[whose, way] = abs(sum(said))

    def stated(self) -> Iterator[tuple[str, str, float]]:
        """Name, label and value (W, below zero for discharging) of each."""
        for (whose, way), value in self._now.items():
            if not math.isfinite(value):
                continue
            yield f"{_NAMES[whose]} {way}", f"{_LABELS[whose]}, {way}", -value if way == "discharging" else value

    def word(self, power: float, now: float, request: Any, response: Any) -> str:
        """What keeps the power (W) from being larger: full, csms, schedule, station or car."""
        planned = next((value for a, b, value in self.plan if a <= now < b), None)
        if abs(power) < REST:
            return self._resting(planned, request)
        way = "charging" if power > 0 else "discharging"
        named = {whose: self._now.get((whose, way)) for whose in ("csms", "station", "car")}
        bounds = {"csms": named["csms"], "schedule": None if planned is None else abs(planned), **named}
        binding = [(limit, whose) for whose, limit in bounds.items() if limit is not None and abs(power) >= NEAR * limit > 0]
        if binding:
            return min(binding, key=lambda each: each[0])[1]
        achieved = any(getattr(response, f"EVSE{what}LimitAchieved", False) for what in ("Power", "Current", "Voltage"))
        return "station" if achieved else "car"

    def _resting(self, planned: float | None, request: Any) -> str:
        display = getattr(request, "DisplayParameters", None)
        target, present = getattr(display, "TargetSOC", None), getattr(display, "PresentSOC", None)
        if getattr(display, "ChargingComplete", False) or (target is not None and (present or 0) >= target):
            return "full"
        if self._now.get(("csms", "charging")) == 0 and self._now.get(("csms", "discharging"), 0.0) == 0:
            return "csms"
        return "schedule" if planned is not None and abs(planned) < REST else "car"
