"""What is told beside the cars: by meters of grid and house, by an energy management or a grid operator, by people at the station."""

from typing import Any, Protocol

from ocpp_bridge.blocks import extension
from ocpp_bridge.blocks.extension import Heard
from ocpp_bridge.charger import Charger
from ocpp_bridge.smart import external
from ocpp_bridge.smart.feeds import Limit


class Neighbourhood:
    """The part of a bridge that hears them; `now` is monotonic s."""

    charger: Charger

    def take_frequency(self, hertz: float, now: float) -> None:
        """Take the frequency of the grid (Hz), told again and again, more often than each 3 s: cars in LocalFrequency follow it."""
        external.take_frequency(self.charger, hertz, now)

    def take_upstream(self, power: float, now: float) -> None:
        """Take the power (W, + from the grid) at the meter before the station and its neighbours, told again more often than each 10 s."""
        external.take_upstream(self.charger, power, now)

    def take_setpoint(self, evse: int, power: float | None, now: float, lasts: float = 60.0) -> None:
        """Take what the site's energy management wants of a car (W, signed; EVSE 0: each) for `lasts` s: ExternalSetpoint follows it."""
        external.take_setpoint(self.charger, evse, power, now, lasts)

    def take_limit(self, limit: Limit, now: float) -> None:
        """Take a limit of the energy management or the grid operator, which holds until `drop_limit`. ValueError for what is no limit."""
        external.take_limit(self.charger, limit, now)

    def drop_limit(self, source: str, evse: int, now: float, *, generation: bool = False) -> None:
        """Take back a limit that `take_limit` took."""
        external.drop_limit(self.charger, source, evse, now, generation=generation)

    def take_priority(self, evse: int, activated: bool, now: float) -> bool:
        """Note that somebody at the station asks for priority, or no more; False where no profile of the CSMS gives any."""
        return external.ask_priority(self.charger, self.charger.evses[evse], activated, now)

    def standing(self, evse: int) -> dict[str, Any]:
        """How an EVSE is: whether a transaction runs, its power (W, + into the car), the least of the limits from elsewhere (W)."""
        return external.standing(self.charger, self.charger.evses[evse])

    def transfer(self, vendor: str, message: str, data: Any, heard: Heard) -> None:
        """Send data of a vendor to the CSMS; `heard` is told status and data of its answer. ValueError for what cannot be sent."""
        extension.transfer(self.charger, vendor, message, data, heard)


class Shell(Protocol):
    """What runs a bridge."""

    @property
    def bridge(self) -> Neighbourhood:
        """The bridge that it runs."""

    def now(self) -> float:
        """The monotonic time (s) of the bridge."""

    def wake(self) -> None:
        """Look at the bridge at once."""


class Teller:
    """The part of a shell by which they tell it."""

    def take_frequency(self: Shell, hertz: float) -> None:
        """Take the frequency of the grid (Hz), again and again: after 3 s of silence cars in LocalFrequency go on by the fallback."""
        self.bridge.take_frequency(hertz, self.now())
        self.wake()

    def take_upstream(self: Shell, power: float, at: str = "") -> None:
        """Take the power (W, + from the grid) at the upstream meter, again and again: after 10 s of silence nobody balances by it."""
        if at:
            raise ValueError(f"no meter is foreseen at {at!r}; under a CSMS a station has one, upstream of it")
        self.bridge.take_upstream(power, self.now())
        self.wake()

    def take_setpoint(self: Shell, evse: int, power: float | None, lasts: float = 60.0) -> None:
        """Take the setpoint (W, signed) of an energy management for an EVSE (0: each), for `lasts` s; None: there is none any more."""
        self.bridge.take_setpoint(evse, power, self.now(), lasts)
        self.wake()

    def take_limit(self: Shell, limit: Limit) -> None:
        """Let a limit of an energy management or grid operator hold until `drop_limit`. ValueError for what is no limit."""
        self.bridge.take_limit(limit, self.now())
        self.wake()

    def drop_limit(self: Shell, source: str, evse: int = 0, *, generation: bool = False) -> None:
        """Take back the limit of a source for an EVSE (0: the station)."""
        self.bridge.drop_limit(source, evse, self.now(), generation=generation)
        self.wake()

    def take_priority(self: Shell, evse: int, activated: bool) -> bool:
        """Note that somebody at the station asks for priority, or no more; False where no profile of the CSMS gives any."""
        taken = self.bridge.take_priority(evse, activated, self.now())
        self.wake()
        return taken

    def standing(self: Shell, evse: int) -> dict[str, Any]:
        """How an EVSE is: whether a transaction runs, its power (W, + into the car), the least of the limits from elsewhere (W)."""
        return self.bridge.standing(evse)

    def take_override(self: Shell, evse: int, activated: bool) -> None:
        """Refuse it: default hours are kept where cars are planned for. Raises ValueError."""
        raise ValueError("the CSMS says when cars charge here; override its default hours there")

    def transfer(self: Shell, vendor: str, message: str, data: Any, heard: Heard) -> None:
        """Send data of a vendor to the CSMS; `heard` is told status and data of its answer. ValueError for what cannot be sent."""
        self.bridge.transfer(vendor, message, data, heard)
        self.wake()
