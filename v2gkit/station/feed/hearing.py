"""Takes what is told beside the cars to who follows it: a charge point under a CSMS, or the yard of a station without."""

from collections.abc import Mapping
from typing import Protocol

from ocpp_bridge.smart.feeds import Limit
from v2gkit.station.feed import words


class Follower(Protocol):
    """Who takes what is told: a `ChargePoint`, or `Told` of `v2gkit.station.site`."""

    def take_frequency(self, hertz: float) -> None:
        """Take the frequency of the grid (Hz)."""

    def take_upstream(self, power: float, at: str = "") -> None:
        """Take the power (W) at the upstream meter, or at that of a feeder. Raises ValueError where there is none."""

    def take_setpoint(self, evse: int, power: float | None, lasts: float = 60.0) -> None:
        """Take a setpoint (W) for an EVSE (0: each), for `lasts` s."""

    def take_limit(self, limit: Limit) -> None:
        """Let a limit from elsewhere hold (W)."""

    def drop_limit(self, source: str, evse: int = 0, *, generation: bool = False) -> None:
        """Take back the limit of a source for an EVSE (0: the station)."""

    def take_priority(self, evse: int, activated: bool) -> bool:
        """Note that somebody at an EVSE asks for priority, or no more."""


class Hearing:
    """Hears for who follows. `numbers` are those of its EVSEs by their id."""

    def __init__(self, follower: Follower, numbers: Mapping[str, int]) -> None:
        self._follower, self._numbers = follower, dict(numbers)

    def hear(self, word: words.Told) -> None:
        """Let the cars follow what was told. Raises ValueError for an EVSE that is not there, and for a limit that cannot be meant."""
        match word:
            case words.Frequency(hertz):
                self._follower.take_frequency(hertz)
            case words.Upstream(power, at):
                self._follower.take_upstream(power, at or "")
            case words.Setpoint(power, evse, lasts):
                self._follower.take_setpoint(self._number(evse), power, lasts)
            case words.Limit(charge=None, discharge=None):
                self._follower.drop_limit(word.source, self._number(word.evse), generation=word.generation)
            case words.Limit(source, evse, charge, discharge, critical, generation):
                self._follower.take_limit(Limit(source, self._number(evse), charge, discharge, critical, generation))
            case words.Priority(evse, activated):
                self._follower.take_priority(self._number(evse), activated)

    def _number(self, evse: str | None) -> int:
        if evse is None:
            return 0
        if evse not in self._numbers:
            raise ValueError(f"no outlet is {evse!r}; there are {', '.join(self._numbers)}")
        return self._numbers[evse]
