"""What capacity.toml says: which flexibility provider a capacity provider of the laboratory calls, and what it forecasts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from v2g.settings import strict
from v2gkit.grid.oscp.words import Forecast as Type
from v2gkit.grid.oscp.words import ForecastedBlock, Phase, Unit, UpdateGroupCapacityForecast
from v2gkit.grid.secrecy import demand_secret
from v2gkit.grid.times import seconds, written


@dataclass(frozen=True, slots=True)
class Forecast:
    """Capacities, one after the other from the beginning on, each for the duration `each`."""

    type: Type
    capacity: tuple[float, ...]
    unit: Unit = "KW"
    phase: Phase = "ALL"
    each: str = "PT15M"
    group: str | None = None  # None: that of the provider

    def __post_init__(self) -> None:
        if not (self.capacity and all(0 <= value < 1e9 for value in self.capacity)):
            raise ValueError(f"capacity is {self.capacity}; give one or more numbers, 0 or more")
        if not 1 <= seconds(self.each) <= 366 * 86_400:
            raise ValueError(f"each is {self.each}; give a second to a year, as PT15M")

    def message(self, group: str, now: float) -> UpdateGroupCapacityForecast:
        """The forecast as it is told, from `now` (epoch s) on."""
        return UpdateGroupCapacityForecast(group_id=self.group or group, type=self.type, forecasted_blocks=list(self._blocks(now)))

    def _blocks(self, now: float) -> Iterator[ForecastedBlock]:
        length = seconds(self.each)
        for number, value in enumerate(self.capacity):
            start = written(now + number * length)
            end = written(now + (number + 1) * length)
            yield ForecastedBlock(capacity=value, phase=self.phase, unit=self.unit, start_time=start, end_time=end)


@dataclass(frozen=True, slots=True)
class Capacity:
    """A capacity provider of the laboratory."""

    url: str  # of the flexibility provider, as http://localhost:8071/dso/oscp/fp/2.0
    token_file: str  # with the token that the flexibility provider's owner gave
    group: str
    forecast: tuple[Forecast, ...] = ()
    heartbeat: float = 5.0  # s between two heartbeats that it wants
    roots: str | None = None  # PEM; None: the system's

    def __post_init__(self) -> None:
        demand_secret(self.url, "the tokens")
        if not (self.group and 1 <= self.heartbeat <= 3_600):
            raise ValueError(f"group {self.group!r}, heartbeat {self.heartbeat} s; give a group_id, and 1 to 3600 s")


def read(path: Path) -> Capacity:
    """The settings of a file. Raises ConfigError, which names file, key, value and cure; OSError."""
    return strict.read(Capacity, strict.text_of(path), path)
