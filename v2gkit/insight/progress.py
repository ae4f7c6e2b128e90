"""The progress of a session: what it does, its stay, state of charge, power, energy both ways, and how it ended."""

from collections.abc import Callable
from typing import Any

from v2g.exi.schema import Type
from v2g.iso20.rational import number
from v2g.messages.common_types import MeterInfoType
from v2g.services import SERVICES
from v2g.session.endpoint import Event, FrameReceived, FrameSent
from v2g.session.link import Connected, Disconnected, HandshakeFailed, Observer
from v2gkit.insight.readings.table import REQUESTS, RESPONSES, reading_of

DONE = ("DC_WeldingDetection", "WeldingDetection", "SessionStop")  # phases in which no power flows any more
SMALL = 50.0  # W below which a car rests


class Progress(Observer):
    """Keeps the progress of one connection, at station or car. `wall` gives the wall time (epoch s) that its battery sees."""

    def __init__(self, name: str, wall: Callable[[float], float]):
        self.name, self._wall = name, wall
        self.parted: Callable[[Progress], None] | None = None  # called when the connection is over
        self.phase, self.soc, self.power = "", None, 0.0  # soc in %, power in W, + into the car
        self.peer = self.service = self.control = self.authorization = ""
        self.target: int | None = None  # %
        self.charged = self.discharged = 0.0  # Wh
        self.left: float | None = None  # s of wall time
        self.looped = False  # whether it came to a charge loop, so that there is power to show
        self.over, self.well, self.dropped = False, True, False
        self.how = self.asked = ""  # how it ended, in a word; why the station wanted it to, empty: it did not
        self.reason = self.requirement = ""  # why it did not end well, in words; the requirement that was broken, if one is known
        self._began: float | None = None  # monotonic s: a car sets its clock by the station's, and this moves with it
        self._now = 0.0  # monotonic s, of the last event
        self._last: float | None = None
        self._departs: float | None = None  # epoch s
        self._most: dict[bool, float] = {}  # W that the car (True) and the station (False) said they can
        self._peak = 0.0  # W, seen

    soc: int | None

    def event(self, event: Event) -> None:
        """Take an event of the connection into the progress."""
        self._now = event.at
        if self._began is None:
            self._began = event.at
        match event:
            case Connected():
                self.phase = "connected"
            case FrameSent(message=message) | FrameReceived(message=message) if message is not None:
                self._follow(message, self._wall(event.at))
                if isinstance(event, FrameReceived):
                    self._introduced(message)
            case HandshakeFailed(reason=reason, requirement=requirement):
                self.well, self.reason, self.requirement = False, reason, requirement or ""
            case Disconnected():
                self._leave(event)

    def _leave(self, last: Disconnected) -> None:
        """Keep how it ended: as the session says, or where there was none, as the connection does."""
        self.over, self.dropped, self.power = True, last.dropped, 0.0
        if (ended := last.ended) is not None:
            self.well, self.how = ended.well, ended.how
            self.asked, self.requirement = ended.asked, ended.requirement or ""
            self.reason = "" if ended.well else ended.reason or ended.how
        elif self.well:
            self.well, self.reason = False, last.reason or f"no session, closed by {last.by}"
        if self.parted is not None:
            self.parted(self)

    def _introduced(self, message: Any) -> None:
        """Keep who the peer says it is."""
        self.peer = reading_of(message).peer(message) or self.peer

    def _follow(self, message: Any, wall: float) -> None:
        if isinstance(message, REQUESTS):
            self._asked(message, wall)
        elif isinstance(message, RESPONSES):
            self._answered(message, wall)
        else:
            self._agreed(message)
            mode = getattr(message, "Scheduled_SEReqControlMode", None) or getattr(message, "Dynamic_SEReqControlMode", None)
            self._leaves(mode, wall)
            self.phase = type(message).__name__.removesuffix("Req").removesuffix("Res").removesuffix("Type")
            self._last = None
            if self.phase in DONE:
                self.power = 0.0

    def _agreed(self, message: Any) -> None:
        """Keep what car and station agree upon before the charge loop."""
        chosen = reading_of(message).choices(message)
        if chosen.service:
            begun = (name for name in SERVICES if f"{chosen.service}_".startswith(f"{name}_"))  # an energy transfer of an older generation
            self.service = max(begun, key=len, default="")  # begins with the name of the service that it stands for
        self.control, self.authorization = chosen.control or self.control, chosen.authorization or self.authorization
        if not chosen.service and "ChargeParameterDiscovery" in (name := type(message).__name__):
            self._most[name.endswith("Req")] = _limit(message)

    def _leaves(self, mode: Any, wall: float) -> None:
        """Keep when the car wants to leave, where this says it: seconds from now on."""
        if (rest := getattr(mode, "DepartureTime", None)) is not None:
            self._departs = wall + rest

    def _asked(self, request: Any, wall: float) -> None:
        if (held := reading_of(request).soc(request)) is not None:
            self.soc = round(held)
        if (display := getattr(request, "DisplayParameters", None)) is not None:
            self.target = display.TargetSOC if display.TargetSOC is not None else self.target
            self.left = display.RemainingTimeToTargetSOC
        mode = getattr(request, "CLReqControlMode", None)
        self._leaves(mode, wall)
        if self._departs is not None:  # which is the end of the stay, whenever the battery is full
            self.left = max(self._departs - wall, 0.0)
        present = getattr(mode, "EVPresentActivePower", None)
        if present is not None:
            self.power = number(present)

    def _answered(self, response: Any, wall: float) -> None:
        """Energy is what flowed since the last answer, unless a meter tells it."""
        power, since = reading_of(response).flow(None, response)
        before = self.power
        self.power = before if power is None else power  # what a car states was in its request
        flowed = before if since == "given" else self.power
        moved = flowed * (wall - self._last) / 3600 if self._last is not None else 0.0
        self._last, self.looped, self._peak = wall, True, max(self._peak, abs(self.power))
        self.charged, self.discharged = self.charged + max(moved, 0.0), self.discharged + max(-moved, 0.0)
        if isinstance(meter := getattr(response, "MeterInfo", None), MeterInfoType):
            self.charged, self.discharged = meter.ChargedEnergyReadingWh, meter.BPT_DischargedEnergyReadingWh or 0.0
        self.phase = "rests" if abs(self.power) < SMALL else "charges" if self.power > 0 else "discharges"

    @property
    def stayed(self) -> float:
        """Wall time (s) since the connection stood."""
        return 0.0 if self._began is None else max(self._wall(self._now) - self._wall(self._began), 0.0)

    @property
    def stay(self) -> float | None:
        """Wall time (s) of the whole stay, until the car leaves or else is full; None while nobody has said."""
        if self._departs is not None and self._began is not None:
            return max(self._departs - self._wall(self._began), self.stayed)
        return None if self.left is None else self.stayed + self.left

    @property
    def most(self) -> float:
        """The power (W) that fills a bar: what both ends said they can, or more where more was seen."""
        said = [power for power in self._most.values() if power > 0]
        return max(min(said, default=0.0), self._peak, SMALL)


def _limit(message: Type) -> float:
    """The most power (W), of all phases together, that a message on charge parameters states for its sender; 0: none."""
    most = 0.0
    for name in message.__struct_fields__:
        if isinstance(part := getattr(message, name), Type):
            for way in ("ChargePower", "DischargePower"):
                stated = [getattr(part, each) for each in part.__struct_fields__ if f"Maximum{way}" in each]
                most = max(most, sum(number(each) for each in stated if each is not None))
    return most
