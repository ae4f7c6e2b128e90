"""Takes what is told beside the cars to the yard of a station without CSMS: meters, limits, setpoints, priority."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from ocpp_bridge.smart.feeds import Limit
from secc.yard import Yard
from v2g.energy.fleet.room import PATIENCE
from v2g.energy.series import Series
from v2g.energy.signal import Kind, Rank, Signal

NAMES: Final = {Kind.IMPORT_CAP: "charge", Kind.EXPORT_CAP: "discharge"}
FULL: Final = 50.0  # Wh that nobody misses
FOREVER: Final = 3e8  # s, ten years: until it is taken back


class Told:
    """Takes what is told beside the cars to a yard: meters, limits of the operator or an energy management, setpoints for cars."""

    def __init__(self, yard: Yard, evses: list[str], wall: Callable[[], float]):
        self._yard, self._evses, self._wall = yard, evses, wall
        self._limits: dict[tuple[str, int], tuple[Signal, ...]] = {}
        self._setpoints: dict[int, Signal] = {}

    def take_frequency(self, hertz: float) -> None:
        """Nothing here follows the frequency."""

    def take_upstream(self, power: float, at: str = "") -> None:
        """Take the power (W) at a connection. Raises ValueError for one where no meter is foreseen."""
        self._yard.meter(power, at)

    def take_setpoint(self, evse: int, power: float | None, lasts: float = 60.0) -> None:
        """Let a car (0: each) draw a power (W, signed) for `lasts` s."""
        if power is None:
            self._setpoints.pop(evse, None)
        else:
            self._setpoints[evse] = Signal("feed:setpoint", Kind.SETPOINT, Series.constant(self._wall(), lasts, power), Rank.COMMITMENT)
        self._tell()

    def take_limit(self, limit: Limit) -> None:
        """Let a limit hold until it is taken back, for an EVSE or for what the whole site draws and gives."""
        caps = ((Kind.IMPORT_CAP, limit.charge), (Kind.EXPORT_CAP, limit.discharge))
        told = [(kind, Series.constant(self._wall(), FOREVER, power)) for kind, power in caps if power is not None]
        self._limits[limit.source, limit.evse] = tuple(Signal(f"feed:{limit.source}", kind, power) for kind, power in told)
        self._tell()

    def drop_limit(self, source: str, evse: int = 0, *, generation: bool = False) -> None:
        """Take back the limit of a source."""
        self._limits.pop((source, evse), None)
        self._tell()

    def take_priority(self, evse: int, activated: bool) -> bool:
        """Serve the car at an EVSE before those of the same rank, or no more."""
        name = self._evses[evse - 1]
        self._yard.spots[name].urgent = activated
        self._yard.plan()
        return True

    def standing(self, evse: int) -> Mapping[str, Any]:
        """How the outlet of an EVSE is: its power (W), the limits told here, what its car needs; without what nobody knows."""
        spot, wall = self._yard.spots[self._evses[evse - 1]], self._wall()
        found: dict[str, Any] = {"here": spot.needs is not None, **self._caps(evse)}
        if not spot.powered:
            found["power"] = 0.0
        elif spot.measured is not None and wall - spot.measured.at <= PATIENCE:
            found["power"] = spot.measured.power
        if spot.meter is not None:
            found |= {"imported": spot.meter.imported, "exported": spot.meter.exported}
        if (needs := spot.needs) is not None:
            full, missing = needs.ceiling <= FULL, max(needs.target, 0.0)
            found |= {"most": 0.0 if full else needs.charge_maximum, "departure": needs.departure}
            found |= {"missing": missing} if math.isfinite(missing) else {}
            if needs.bidirectional and needs.lower < -FULL:
                found["give"] = needs.discharge_maximum
        return found

    def _caps(self, evse: int) -> dict[str, float]:
        """The least of the limits told for an EVSE or for the station, W of both directions."""
        found: dict[str, float] = {}
        for (_, number), signals in self._limits.items():
            for signal in signals if number in (0, evse) else ():
                name, power = NAMES[signal.kind], signal.power.steps[0].value
                found[name] = min(found.get(name, power), power)
        return found

    def take_override(self, evse: int, activated: bool) -> None:
        """Let the car at an EVSE charge in peak hours, and without delays, or no more."""
        self._yard.spots[self._evses[evse - 1]].override(activated)

    def _tell(self) -> None:
        for number, name in enumerate(self._evses, 1):
            own = [signal for (_, evse), signals in self._limits.items() if evse == number for signal in signals]
            own += [signal for evse, signal in self._setpoints.items() if evse in (0, number)]
            self._yard.spots[name].signals = tuple(own)
        self._yard.follow([signal for (_, evse), signals in self._limits.items() if evse == 0 for signal in signals])
