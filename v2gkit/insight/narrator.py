"""Tells a session as it happens: a line for each event that matters to people."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from v2g.exi.schema import Type
from v2g.messages import common_messages
from v2g.session.clock import Clock
from v2g.session.endpoint import Event, FrameReceived, FrameSent, Relaxed
from v2g.session.link import Connected, Disconnected, HandshakeFailed, Observer, Secured, address_text
from v2gkit.insight.progress import SMALL
from v2gkit.insight.readings.table import RESPONSES, reading_of

EVERY = 2 * 3600.0  # wall s between two lines about the charge loop, where a night passes in seconds
AT_LEAST = 15.0  # s after which somebody who watches is told that it goes on
AT_MOST = 1.0  # s between two lines because the power turned: what hovers around zero turns with every loop


class Narrator(Observer):
    """Calls `tell` with each line; `clock` gives the wall time that schedules and batteries see."""

    def __init__(self, clock: Clock, tell: Callable[[str], None]):
        self._clock, self._tell = clock, tell
        self._request: Type | None = None
        self._last = ""
        self._next = 0.0  # wall s
        self._told: float | None = None  # s, the last line about the loop
        self._way = ""

    def event(self, event: Event) -> None:
        """Tell an event in a line, if it matters to people."""
        match event:
            case Connected(peer=peer):
                self._tell(f"connected  to {address_text(peer)}")
            case Secured(facts=facts):
                self._tell(f"TLS        {facts.version}, {facts.suite}, {facts.group}, both sides authenticated")
            case HandshakeFailed(reason=reason, requirement=requirement):
                self._tell(f"TLS        failed: {reason}" + (f" [{requirement}]" if requirement else ""))
            case FrameSent(message=message):
                self._request = message
            case FrameReceived(message=message) if message is not None:
                self._answered(message, event.at)
            case Relaxed(relaxation=what, requirement=requirement):
                self._tell(f"relaxed    {what} [{requirement}]")
            case Disconnected(ended=ended) if ended is not None:
                self._tell(
                    f"end        {ended.how}"
                    + (f": {ended.error}" if ended.error else "")
                    + (f", asked for: {ended.asked}" if ended.asked else "")
                )

    def _answered(self, response: Type, now: float) -> None:
        if isinstance(response, RESPONSES):
            self._looped(response, now)
            return
        self._told, self._way = None, ""
        name = type(response).__name__.removesuffix("Res")
        code: Any = getattr(response, "ResponseCode", None)
        said = f"{name:28} {code.value if code else ''}{_more(self._request, response)}"
        if said != self._last:  # a poll is one line
            self._last = said
            self._tell(f"message    {said}")

    def _looped(self, response: Any, now: float) -> None:
        """Tell of the charge loop when it begins, when the power turns, and now and then: in the time of the battery, and in real time."""
        wall, power = self._clock.wall(now), _power(self._request, response)
        way = "rests" if abs(power) < SMALL else "charges" if power > 0 else "discharges"
        since = math.inf if self._told is None else now - self._told
        if wall >= self._next or since >= AT_LEAST or (way != self._way and since >= AT_MOST):
            self._next, self._told, self._way = wall + EVERY, now, way
            self._tell(f"loop       {_loop(self._request, wall, way, power)}")


def _power(request: Type | None, response: Any) -> float:
    """The power (W) of a charge loop, + into the car."""
    return reading_of(response).flow(request, response).power or 0.0


def _loop(request: Type | None, wall: float, way: str, power: float) -> str:
    at = datetime.fromtimestamp(wall, UTC)
    held = None if request is None else reading_of(request).soc(request)
    soc = f", battery {held} %" if held is not None else ""
    return f"{at:%H:%M}  {way}{f' with {abs(power) / 1000:.1f} kW' if way != 'rests' else ''}{soc}"


def _more(request: Any, response: Any) -> str:
    """What makes this exchange worth a line of its own."""
    match request:
        case common_messages.AuthorizationReq():
            return f" ({request.SelectedAuthorizationService.value}, {response.EVSEProcessing.value})"
        case common_messages.PowerDeliveryReq():
            return f" ({request.ChargeProgress.value})"
        case common_messages.SessionStopReq():
            return f" ({request.ChargingSession.value})"
        case common_messages.ScheduleExchangeReq() if response.Scheduled_SEResControlMode is not None:
            return f" ({len(response.Scheduled_SEResControlMode.ScheduleTuple)} schedules offered, {response.EVSEProcessing.value})"
    processing = getattr(response, "EVSEProcessing", None)
    return f" ({processing.value})" if processing is not None else ""
