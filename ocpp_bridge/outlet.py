"""The `secc.station.Backend` of one EVSE, which decides by the bridge to the CSMS."""

from collections.abc import Callable
from typing import Final, Protocol

from ocpp_bridge.blocks import fares
from ocpp_bridge.bridge import Bridge
from ocpp_bridge.wire.schemas import Payload
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
    StopAsked,
    Tell,
    Want,
)

HELD: Final = "Somebody is paying for this outlet on a web page."


class Outcome(Protocol):
    """How a session ended (`Ended` of the session layer)."""

    @property
    def how(self) -> str:
        """Terminate, Pause, or the kind of failure."""

    @property
    def well(self) -> bool:
        """Whether both sides finished what they began."""

    @property
    def reason(self) -> str | None:
        """Why the session did not end well, in words; None where it did."""

    @property
    def requirement(self) -> str | None:
        """The id of the requirement that was broken, where one is known."""


class OutletBackend:
    """Passes the events of sessions and hardware to the bridge, and its decisions to the session. Nothing here waits for the CSMS."""

    def __init__(self, evse: int, bridge: Bridge, now: Callable[[], float], wake: Callable[[], None]) -> None:
        self.evse = evse
        self._bridge, self._now, self._wake = bridge, now, wake
        self._tell: Tell | None = None
        self._reading: MeterReading | None = None
        self._output = OutputMeasured(0.0, 0.0)
        self._pilot = False  # whether the hardware tells when a car comes and goes

    # --- secc.station.Backend ---

    def began(self, tell: Tell) -> None:
        """Called when a session begins; `tell` passes facts to it."""
        self._tell, self._reading = tell, None
        self._bridge.expect(self.evse)

    def heard(self, event: object) -> None:
        """Called with every want of the session and every fact of the hardware."""
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
                self._bridge.take_limits(self.evse, limits, now)
            case Authorized():
                self._bridge.admit(self.evse, now)
            case OutOfService(reason):
                self._bridge.out_of_service(self.evse, reason, now)
            case PilotIs(state):
                self._pilot = True
                (self._bridge.unplug if state == "A" else self._bridge.plug_in)(self.evse, now)
            case StopAsked():
                self._bridge.stop_asked(self.evse)
            case EmergencyStop() | IsolationMeasured(sound=False):
                self._bridge.hazard(self.evse, type(event).__name__)
            case _:
                return
        self._wake()

    def ended(self, ended: Outcome) -> None:
        """Called when the session is over. Where no pilot is observed, the car is taken to have left with it."""
        self._tell = None
        said = {"reason": ended.reason, "requirement": ended.requirement}
        self._bridge.end_session(self.evse, self._now(), how=ended.how, well=ended.well, **said)
        if not self._pilot and ended.how != "Pause":
            self._bridge.unplug(self.evse, self._now())
        self._wake()

    # --- from the bridge, and from people ---

    def tell(self, fact: Fact) -> None:
        """Pass a fact to the session, if there still is one."""
        if self._tell is not None:
            self._tell(fact)

    @property
    def display(self) -> tuple[str, ...]:
        """The texts that are to be shown to people here now, in turn: the CSMS's, what the driver's charge costs, whether the EVSE is held
        for a payment; empty: none. A change is a line in the log.
        """
        charger, place = self._bridge.charger, self._bridge.charger.evses[self.evse]
        texts = (*(each["message"]["content"] for each in place.shown), *fares.texts(charger, place))
        return (*texts, HELD) if self.evse in charger.payments.held else texts

    def presented(self, token: str, kind: str = "ISO14443") -> None:
        """Take a token that someone showed (a card) or entered (a code); `kind` is OCPP's idToken type."""
        shown: Payload = {"idToken": token, "type": kind}
        self._bridge.take_token(self.evse, shown, self._now())
        self._wake()

    def _metered(self) -> None:
        out = self._output
        if self._reading is not None:
            first = self._bridge.take_reading(
                self.evse,
                self._reading,
                out.watts,
                out.voltage or None,
                current=out.current if out.power is None else None,
                phases=out.phases,
            )
            if first:
                self._wake()
