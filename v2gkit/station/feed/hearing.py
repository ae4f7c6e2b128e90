"""Takes what is told beside the cars to who follows it: a charge point under a CSMS, or the yard of a station without."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ocpp_bridge.smart.feeds import Limit
from v2gkit.station.feed import words

Reply = Callable[[bytes], None]


class Orders(Protocol):
    """Who leads the batteries of a site."""

    def heard(self, name: str, soc: float, power: float, reply: Reply | None) -> None:
        """Take what a battery says of itself (%, W), and send its orders by `reply` from now on. ValueError for one that is not there."""


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

    def take_override(self, evse: int, activated: bool) -> None:
        """Let the car at an EVSE charge in peak hours, or no more. ValueError where no default hours are kept."""

    def take_priority(self, evse: int, activated: bool) -> bool:
        """Note that somebody at an EVSE asks for priority, or no more."""

    def standing(self, evse: int) -> Mapping[str, Any]:
        """How an EVSE is at this moment: the fields of `words.Outlet` but its name."""


class Hearing:
    """Hears for who follows. `numbers` are those of its EVSEs by their id; `orders` takes what batteries say, where there are any."""

    def __init__(self, follower: Follower, numbers: Mapping[str, int], orders: "Orders | None" = None) -> None:
        self._follower, self._numbers, self._orders = follower, dict(numbers), orders

    def hear(self, word: words.Told, reply: Reply | None = None) -> words.State | None:
        """Let the cars follow what was told; what answers it, if anything does. `reply` sends lines back to who told it, later.

        Raises ValueError for an EVSE or a battery that is not there, and for a limit that cannot be meant.
        """
        match word:
            case words.Report(id=id_):
                outlets = (words.Outlet(evse, **self._follower.standing(number)) for evse, number in self._numbers.items())
                return words.State(id_, tuple(outlets))
            case words.Battery(name, soc, power):
                if self._orders is None:
                    raise ValueError(f"no battery is {name!r}; there is none in [site]")
                self._orders.heard(name, soc, power, reply)
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
            case words.Override(evse, activated):
                self._follower.take_override(self._number(evse), activated)
            case words.Priority(evse, activated):
                self._follower.take_priority(self._number(evse), activated)
        return None

    def _number(self, evse: str | None) -> int:
        if evse is None:
            return 0
        if evse not in self._numbers:
            raise ValueError(f"no outlet is {evse!r}; there are {', '.join(self._numbers)}")
        return self._numbers[evse]
