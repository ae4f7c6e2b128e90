"""Monitors of variables: when one has something to say about a value that changes, and when by the clock alone.

Pure: a monitor is given values and times, and gives the events that they make. `ocpp_bridge.blocks.monitoring` takes its orders from the
CSMS, and sends what it says.
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from ocpp_bridge.model.variables import NUMBER, REAL, Key, Row
from ocpp_bridge.wire.schemas import Payload

THRESHOLDS, DELTAS, PERIODICS = (
    ("UpperThreshold", "LowerThreshold"),
    ("Delta", "TargetDelta", "TargetDeltaRelative"),
    ("Periodic", "PeriodicClockAligned"),
)
CRITERIA: Final = {"ThresholdMonitoring": THRESHOLDS, "DeltaMonitoring": DELTAS, "PeriodicMonitoring": PERIODICS}
MOST: Final = 200  # monitors of the CSMS: each is a comparison a second, 200 take 0.2 ms of it. One more is refused
LEAST_PERIOD: Final = 1.0  # s
LEAST_SEVERE: Final = 9  # severities are 0 (danger) to 9 (debugging)
HARD_WIRED, CUSTOM = "HardWiredMonitor", "CustomMonitor"


@dataclass(slots=True)
class Monitor:
    """One monitor, with what it has told of its variable so far."""

    id: int
    key: Key
    type: str
    value: float  # the limit, the difference, or s
    severity: int
    transaction: bool = False  # it looks only while a transaction runs
    kind: str = CUSTOM
    stream: Payload | None = None  # interval (s) and number of values, where its events go by a periodic event stream
    beyond: bool = False  # the threshold, or distance from the target, is exceeded
    reference: str | None = None  # the value last told, for Delta; None: it has not looked yet
    due: float | None = None  # epoch s, when it speaks next by the clock

    @property
    def settings(self) -> dict[str, Any]:
        """What makes it up, JSON-able; `of_settings` reads it."""
        said = asdict(self)
        return {name: said[name] for name in ("id", "key", "type", "value", "severity", "transaction", "stream")}

    def look(self, value: str, target: str, wall: float) -> list[Payload]:
        """The beginnings of events (trigger, actualValue, cleared) that a value makes at a time (epoch s); `target`: its Target, if any."""
        if self.type in PERIODICS:
            return self._by_the_clock(value, wall)
        if self.type == "Delta":
            return self._delta(value)
        number, aim = _number(value), _number(target)
        if number is None or (self.type.startswith("Target") and aim is None):
            return []
        beyond = self._beyond(number, aim or 0.0)
        if beyond == self.beyond:
            return []
        self.beyond = beyond
        trigger = "Delta" if self.type.startswith("Target") else "Alerting"
        return [{"trigger": trigger, "actualValue": value} | ({} if beyond else {"cleared": True})]

    def begin(self, value: str, wall: float) -> None:
        """Note the value and the time (epoch s) from which differences and periods count."""
        self.reference, self.due = value, self._next(wall) if self.type in PERIODICS else None

    def rest(self) -> None:
        """Forget what it saw: the transaction in which it looks is over, or has not begun."""
        self.beyond, self.reference, self.due = False, None, None

    def _beyond(self, number: float, aim: float) -> bool:
        if self.type == "UpperThreshold":
            return number > self.value
        if self.type == "LowerThreshold":
            return number < self.value
        return abs(number - aim) > self.value * (abs(aim) if self.type == "TargetDeltaRelative" else 1.0)

    def _delta(self, value: str) -> list[Payload]:
        before, self.reference = self.reference, value if self.reference is None else self.reference
        if before is None or value == before:
            return []
        old, new = _number(before), _number(value)
        if old is not None and new is not None and abs(new - old) < self.value:
            return []
        self.reference = value
        return [{"trigger": "Delta", "actualValue": value}]

    def _by_the_clock(self, value: str, wall: float) -> list[Payload]:
        due, self.due = self.due, self._next(wall)
        if due is None or wall < due:
            self.due = self.due if due is None else min(due, self.due)  # a clock that was set back waits no longer than a period
            return []
        self.due = due + self.value if due + self.value > wall else self.due  # no drift by late looks
        return [{"trigger": "Periodic", "actualValue": value}]

    def _next(self, wall: float) -> float:
        return (math.floor(wall / self.value) + 1) * self.value if self.type == "PeriodicClockAligned" else wall + self.value


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def of_settings(said: dict[str, Any]) -> Monitor:
    """The monitor of kept settings."""
    return Monitor(**said | {"key": tuple(said["key"])})


def objection(row: Row, asked: Payload) -> tuple[str, str, str] | None:
    """Why a variable takes no such monitor: status, reason code, words. None: it does."""
    type_, value, numeric = asked["type"], asked["value"], row.type in (NUMBER, REAL)
    if row.secret or (type_ in THRESHOLDS and not numeric) or (type_.startswith("Target") and "Target" not in row.attributes):
        return "UnsupportedMonitorType", "UnsupportedParam", f"{row.component}.{row.variable} takes no monitor of type {type_}"
    if asked["severity"] > LEAST_SEVERE:
        return "Rejected", "ValueOutOfRange", f"the severity is {asked['severity']}: give 0 to {LEAST_SEVERE}"
    if type_ in PERIODICS and value < LEAST_PERIOD:
        return "Rejected", "ValueTooLow", f"the period is {value:g} s: give {LEAST_PERIOD:g} s at least"
    if type_ in DELTAS and (value < 0 or (numeric and value == 0)):
        return "Rejected", "ValueTooLow", f"the difference is {value:g}: give more than 0"
    stream = asked.get("periodicEventStream")
    if stream is not None and not (stream.get("interval") or stream.get("values")):
        return "Rejected", "MissingParam", "the stream has neither an interval nor a number of values: give one above 0"
    return None


@dataclass(slots=True)
class Monitors:
    """All monitors of a station by id, and how severe an event must be to be told."""

    held: dict[int, Monitor] = field(default_factory=dict)
    level: int = LEAST_SEVERE  # events of this severity and of lower numbers are told
    seen: object = None  # what there was to see at the last look
    looked: float = -math.inf  # monotonic s
    last: int = 0  # id

    def number(self) -> int:
        """The next id that no monitor has."""
        self.last = max([self.last, *self.held]) + 1
        return self.last

    def twin(self, key: Key, asked: Payload) -> Monitor | None:
        """The monitor that is the same but for its value, under another id; None: there is none."""
        alike = (each for each in self.held.values() if (each.key, each.type, each.severity) == (key, asked["type"], asked["severity"]))
        return next((each for each in alike if each.id != asked.get("id")), None)

    @property
    def custom(self) -> list[Monitor]:
        """The monitors that the CSMS has set, and may clear."""
        return [each for each in self.held.values() if each.kind == CUSTOM]

    def next_due(self) -> float | None:
        """When the next one speaks by the clock (epoch s)."""
        return min((each.due for each in self.held.values() if each.due is not None), default=None)


def of_criteria(monitors: Iterable[Monitor], criteria: Iterable[str]) -> list[Monitor]:
    """The monitors that fit one of the criteria of GetMonitoringReport; without criteria all."""
    types = {type_ for one in criteria for type_ in CRITERIA[one]}
    return [each for each in monitors if not types or each.type in types]
