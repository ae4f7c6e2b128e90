"""The progress of a session in one line: what it does, state of charge, power, energy both ways, time left."""

from collections.abc import Callable
from typing import Any

from v2g.iso20.rational import number
from v2g.messages import ac, dc, wpt
from v2g.session.endpoint import Event, FrameReceived, FrameSent
from v2g.session.link import Connected, Disconnected, Observer

REQUESTS = (dc.DC_ChargeLoopReq, ac.AC_ChargeLoopReq, wpt.WPT_ChargeLoopReq)
RESPONSES = (dc.DC_ChargeLoopRes, ac.AC_ChargeLoopRes, wpt.WPT_ChargeLoopRes)
SMALL = 50.0  # W below which a car rests


class Progress(Observer):
    """Keeps the progress of one connection, at station or car; `wall` gives the wall time (epoch s) that its battery sees."""

    def __init__(self, name: str, wall: Callable[[float], float]):
        self.name, self._wall = name, wall
        self.phase, self.soc, self.power = "", None, 0.0  # soc in %, power in W, + into the car
        self.target: int | None = None  # %
        self.charged = self.discharged = 0.0  # Wh
        self.left: float | None = None  # s of wall time
        self.over = False
        self._last: float | None = None
        self._departs: float | None = None  # epoch s

    soc: int | None

    def event(self, event: Event) -> None:
        """Take an event of the connection into the progress."""
        match event:
            case Connected():
                self.phase = "connected"
            case FrameSent(message=message) | FrameReceived(message=message) if message is not None:
                self._follow(message, self._wall(event.at))
            case Disconnected():
                self.over = True

    def _follow(self, message: Any, wall: float) -> None:
        if isinstance(message, REQUESTS):
            self._asked(message, wall)
        elif isinstance(message, RESPONSES):
            self._answered(message, wall)
        else:
            mode = getattr(message, "Scheduled_SEReqControlMode", None) or getattr(message, "Dynamic_SEReqControlMode", None)
            self._leaves(mode, wall)
            self.phase = type(message).__name__.removesuffix("Req").removesuffix("Res")
            self._last = None

    def _leaves(self, mode: Any, wall: float) -> None:
        """Keep when the car wants to leave, where this says it: seconds from now on."""
        if (rest := getattr(mode, "DepartureTime", None)) is not None:
            self._departs = wall + rest

    def _asked(self, request: Any, wall: float) -> None:
        if (display := request.DisplayParameters) is not None:
            self.soc = display.PresentSOC if display.PresentSOC is not None else self.soc
            self.target = display.TargetSOC if display.TargetSOC is not None else self.target
            self.left = display.RemainingTimeToTargetSOC
        mode = getattr(request, "CLReqControlMode", None)
        self._leaves(mode, wall)
        if self.left is None and self._departs is not None:
            self.left = max(self._departs - wall, 0.0)
        present = getattr(mode, "EVPresentActivePower", None)
        if present is not None:
            self.power = number(present)

    def _answered(self, response: Any, wall: float) -> None:
        """Energy is what flowed since the last answer, unless a meter tells it."""
        if isinstance(response, dc.DC_ChargeLoopRes):
            self.power = number(response.EVSEPresentVoltage) * number(response.EVSEPresentCurrent)
        flowed = self.power
        if isinstance(response, wpt.WPT_ChargeLoopRes):
            self.power = number(response.EVPCPowerRequest)  # from now on
        moved = flowed * (wall - self._last) / 3600 if self._last is not None else 0.0
        self._last = wall
        self.charged, self.discharged = self.charged + max(moved, 0.0), self.discharged + max(-moved, 0.0)
        if (meter := response.MeterInfo) is not None:
            self.charged, self.discharged = meter.ChargedEnergyReadingWh, meter.BPT_DischargedEnergyReadingWh or 0.0
        self.phase = "rests" if abs(self.power) < SMALL else "charges" if self.power > 0 else "discharges"

    @property
    def parts(self) -> list[str]:
        """The parts of the line, the most important first."""
        parts = [self.name, self.phase]
        if self.soc is not None:
            parts.append(f"{self.soc} %" + (f" of {self.target} %" if self.target is not None else ""))
        if self._last is not None:
            parts.append(f"{self.power / 1000:+.1f} kW")
            parts.append(f"{self.charged / 1000:.2f} kWh in, {self.discharged / 1000:.2f} out")
        if self.left is not None:
            parts.append(f"{int(self.left) // 3600}:{int(self.left) % 3600 // 60:02} h left")
        return [part for part in parts if part]
