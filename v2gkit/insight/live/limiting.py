"""Who limits a transaction of OCPP, as far as its CSMS can tell: from what it asked for, what flows, and what the station says (pure)."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Any, Final

Line = dict[str, Any]
NEAR: Final = 0.05  # of what was asked, within which power is called what was asked: meters and ramps are no better
IDLE: Final = 50.0  # W below which nothing flows
SUSPENDED: Final = {"SuspendedEV": "car", "SuspendedEVSE": "station"}


class Limiting:
    """What is known of one transaction; `title` is what the car wants, empty: it was not told."""

    def __init__(self) -> None:
        self.title = ""
        self._asked: list[list[float]] = []  # (epoch s, W) of the profile that the CSMS sent
        self._power: float | None = None  # W, + into the car
        self._state = self._word = ""

    def note(self, line: Line) -> None:
        """Note a curve of what the CSMS asked for, or of the power."""
        if line.get("t") == "series" and line.get("points"):
            if line["role"] == "asked":
                self._asked = line["points"]
            elif line["role"] == "power":
                self._power = line["points"][-1][1]

    def frame(self, record: Mapping[str, Any]) -> Iterator[Line]:
        """The lines that follow from one frame, whose own were noted before."""
        payload = record.get("payload")
        if record.get("kind") != "call" or not isinstance(payload, Mapping):
            return
        at = round(float(record["epoch"]), 3)
        if record.get("action") == "NotifyEVChargingNeeds":
            needs = payload["chargingNeeds"]
            self.title = ", ".join(str(needs[name]) for name in ("requestedEnergyTransfer", "controlMode") if name in needs)
        elif record.get("action") == "TransactionEvent":
            self._state = payload["transactionInfo"].get("chargingState", self._state)
            if payload["eventType"] == "Ended" and self._power:
                self._power = 0.0
                yield {
                    "t": "series",
                    "name": "power",
                    "label": "Power by the meter",
                    "unit": "W",
                    "role": "power",
                    "step": True,
                    "points": [[at, 0.0]],
                }
        if self._power is not None and (word := SUSPENDED.get(self._state) or self._by(at, self._power)) != self._word:
            self._word = word
            yield {
                "t": "series",
                "name": "limited-by",
                "label": "Limited by",
                "unit": "",
                "role": "limited-by",
                "step": True,
                "points": [[at, word]],
            }

    def _by(self, at: float, power: float) -> str:
        """The CSMS where it gets what it asked for; else the car or its station, which a CSMS cannot tell apart: the car, mostly."""
        place = bisect_right(self._asked, at, key=lambda point: point[0]) - 1
        if place < 0:
            return "" if abs(power) < IDLE else "station"
        wanted = self._asked[place][1]
        return "csms" if abs(power - wanted) <= max(NEAR * abs(wanted), IDLE) else "car"
