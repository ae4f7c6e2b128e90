"""One EVSE of the bridge as its driver sees it: a `secc.station.Backend`."""

from collections.abc import Callable
from typing import Protocol

from ocpp_bridge.bridge import Bridge
from ocpp_bridge.schemas import Payload
from secc.station import (
    Authorized,
    EmergencyStop,
    Fact,
    IsolationMeasured,
    LimitsChanged,
    MeterRead,
    MeterReading,
    OutOfService,
    OutputMeasured,
    PilotIs,
    Tell,
    Want,
)


class Outcome(Protocol):
    """How a session ended (`Ended` of the session layer)."""

    @property
    def how(self) -> str:
        """Terminate, Pause, or what went wrong."""

    @property
    def well(self) -> bool:
        """Whether both sides finished what they began."""

    @property
    def reason(self) -> str | None:
        """Why not, in words."""

    @property
    def requirement(self) -> str | None:
        """The requirement that was broken, where one is known."""


class OutletBackend:
    """Hears sessions and hardware for the bridge and tells what it has decided. Nothing here waits for the CSMS."""

    def __init__(self, evse: int, bridge: Bridge, now: Callable[[], float], wake: Callable[[], None]) -> None:
        self.evse = evse
        self._bridge, self._now, self._wake = bridge, now, wake
        self._tell: Tell | None = None
        self._reading: MeterReading | None = None
        self._output = OutputMeasured(0.0, 0.0)
        self._pilot = False  # whether the hardware tells when a car comes and goes

    # --- secc.station.Backend ---

    def began(self, tell: Tell) -> None:
        """A session has its first car."""
        self._tell = tell

    def heard(self, event: object) -> None:
        """A want of the session, or a fact of the hardware."""
        now = self._now()
        match event:
            case Want():
                self._bridge.want(self.evse, event, now)
            case MeterRead(reading):
                self._reading = reading
                self._metered()
                return
            case OutputMeasured():
                self._output = event
                self._metered()
                return
            case LimitsChanged(limits):
                self._bridge.limited(self.evse, limits, now)
            case Authorized():
                self._bridge.admitted(self.evse, now)
            case OutOfService(reason):
                self._bridge.out_of_service(self.evse, reason, now)
            case PilotIs(state):
                self._pilot = True
                (self._bridge.unplugged if state == "A" else self._bridge.plugged)(self.evse, now)
            case EmergencyStop() | IsolationMeasured(sound=False):
                self._bridge.hazard(self.evse, type(event).__name__)
            case _:
                return
        self._wake()

    def ended(self, ended: Outcome) -> None:
        """The session is over. Where no pilot tells, the car is taken to have left with it."""
        self._tell = None
        said = {"reason": ended.reason, "requirement": ended.requirement}
        self._bridge.session_ended(self.evse, self._now(), how=ended.how, well=ended.well, **said)
        if not self._pilot and ended.how != "Pause":
            self._bridge.unplugged(self.evse, self._now())
        self._wake()

    # --- from the bridge, and from people ---

    def tell(self, fact: Fact) -> None:
        """Tell the session, if there still is one."""
        if self._tell is not None:
            self._tell(fact)

    def presented(self, token: str, kind: str = "ISO14443") -> None:
        """Someone showed a card, or entered a code."""
        shown: Payload = {"idToken": token, "type": kind}
        self._bridge.presented(self.evse, shown, self._now())
        self._wake()

    def _metered(self) -> None:
        if self._reading is not None:
            self._bridge.metered(self.evse, self._reading, self._output.watts, self._output.voltage or None)
