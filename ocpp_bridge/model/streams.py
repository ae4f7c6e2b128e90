"""A periodic event stream: values of one monitor that are collected and told in bundles."""

from dataclasses import dataclass, field
from typing import Final

from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import timestamp

MOST: Final = 32  # streams: each is a message a second at most
HELD: Final = 1000  # values that a stream holds, 60 KB; of more the oldest are dropped
LEAST_INTERVAL: Final = 1.0  # s between two messages of a stream, whatever was asked for
LONGEST: Final = 60.0  # s that a value waits for others where a stream is to be told by their number alone


@dataclass(slots=True)
class Stream:
    """A stream. It has the id of its monitor. `asked`, `open`, `refused`: whether the CSMS was asked to take it, and does or does not."""

    id: int
    params: Payload  # interval (s), values
    asked: bool = False
    open: bool = False
    refused: bool = False
    values: list[tuple[float, str]] = field(default_factory=list)  # epoch s, value
    told: float = 0.0  # epoch s of the last message

    def take(self, wall: float, value: str) -> None:
        """Collect a value with its time (epoch s); of more than `HELD` the oldest is dropped."""
        self.values.append((wall, value))
        del self.values[:-HELD]

    def due(self) -> float | None:
        """When its values are to be told (epoch s); None: there are none, or nobody takes them."""
        if not self.values or not self.open:
            return None
        enough = self.params.get("values") or HELD
        if len(self.values) >= enough:
            return self.told + LEAST_INTERVAL
        return max(self.told + LEAST_INTERVAL, self.values[0][0] + (self.params.get("interval") or LONGEST))

    def bundle(self, wall: float) -> Payload:
        """Take the values as NotifyPeriodicEventStream: the first 200 at most, and how many others wait."""
        chosen, self.values, self.told = self.values[:200], self.values[200:], wall
        base = chosen[0][0]
        data = [{"t": round(moment - base, 3), "v": value[:2500]} for moment, value in chosen]
        return {"id": self.id, "pending": len(self.values), "basetime": timestamp(base), "data": data}

    @property
    def described(self) -> Payload:
        """What it is, as constantStreamData."""
        return {"id": self.id, "params": self.params, "variableMonitoringId": self.id}
