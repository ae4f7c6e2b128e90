"""A battery that is not there: it does what it is told as far as its state allows, and says what became of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from secc.storage import Storage

BEGIN = 50.0  # %, when a station starts


@dataclass(slots=True)
class SimulatedStorage:
    """The battery behind a `Storage`, in the time of the wall clock (epoch s)."""

    storage: Storage
    wall: Callable[[], float]
    soc: float = BEGIN
    power: float = 0.0  # W, signed, that flow now
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._at = self.wall()
        self.storage.tell, self.storage.look = self.told, self.reported
        self.storage.reports(self.soc, 0.0)

    def reported(self) -> None:
        """Say how full it is by now, and what flows."""
        pack, now = self.storage.pack, self.wall()
        hours = max(now - self._at, 0.0) / 3600.0
        stored = self.power * pack.efficiency_charge if self.power > 0 else self.power / pack.efficiency_discharge
        self.soc = min(max(self.soc + 100.0 * stored * hours / pack.capacity, 0.0), 100.0)
        self._at = now
        if not self._able(self.power):
            self.power = 0.0
        self.storage.reports(self.soc, self.power)

    def told(self, power: float) -> None:
        """Take a power (W, signed) from now on."""
        self.reported()
        pack = self.storage.pack
        wanted = min(max(power, -pack.discharge_power), pack.charge_power)
        self.power = wanted if self._able(wanted) else 0.0

    def _able(self, power: float) -> bool:
        return power < 0 < self.soc or (power > 0 and self.soc < 100.0)
