"""What a transaction of OCPP says in numbers, as view lines: power, state of charge, who limits (pure)."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

Line = dict[str, Any]
NEAR: Final = 0.05  # of what was asked, within which power is called what was asked: meters and ramps are no better
IDLE: Final = 50.0  # W below which nothing flows
SUSPENDED: Final = {"SuspendedEV": "car", "SuspendedEVSE": "station"}


class Metering:
    """The numbers of one transaction."""

    def __init__(self) -> None:
        self._asked: list[list[float]] = []  # (epoch s, W) of the profile that the CSMS sent
        self._state = self._word = self.title = ""

    def asked(self, line: Line) -> None:
        """Note a curve of what the CSMS asked for."""
        if line.get("t") == "series" and line.get("role") == "asked":
            self._asked = [point for point in line["points"] if len(point) == 2]

    def frame(self, record: Mapping[str, Any]) -> Iterator[Line]:
        """The lines of series for one frame."""
        payload = record.get("payload")
        if record.get("kind") != "call" or not isinstance(payload, Mapping):
            return
        if record.get("action") == "NotifyEVChargingNeeds":
            needs = payload.get("chargingNeeds") or {}
            self.title = ", ".join(str(needs[name]) for name in ("requestedEnergyTransfer", "controlMode") if name in needs)
        if record.get("action") not in ("TransactionEvent", "MeterValues"):
            return
        info = payload.get("transactionInfo") or {}
        self._state = info.get("chargingState", self._state)
        points: dict[str, list[list[float]]] = {"power": [], "soc": []}
        for value in payload.get("meterValue") or ():
            at = datetime.fromisoformat(str(value["timestamp"]).replace("Z", "+00:00")).timestamp()
            said = {one.get("measurand"): float(one["value"]) * 10 ** one.get("unitOfMeasure", {}).get("multiplier", 0)
                    for one in value["sampledValue"] if "phase" not in one}  # fmt: skip
            if (power := _power(said)) is not None:
                points["power"].append([at, round(power, 1)])
            if "SoC" in said:
                points["soc"].append([at, said["SoC"]])
        if payload.get("eventType") == "Ended":
            points["power"].append([float(record["epoch"]), 0.0])
        if points["power"]:
            yield {"t": "series", "name": "power", "label": "Power", "unit": "W", "role": "power", "step": True, "points": points["power"]}
            yield from self._limited(*points["power"][-1])
        if points["soc"]:
            yield {
                "t": "series",
                "name": "soc",
                "label": "State of charge",
                "unit": "%",
                "role": "soc",
                "step": True,
                "points": points["soc"],
            }

    def _limited(self, at: float, power: float) -> Iterator[Line]:
        word = SUSPENDED.get(self._state, "") or self._by(at, power)
        if word != self._word:
            self._word = word
            yield {"t": "series", "name": "limited-by", "label": "Limited by", "unit": "", "role": "limited-by", "step": True,
                   "points": [[at, word]]}  # fmt: skip

    def _by(self, at: float, power: float) -> str:
        """Who limits the power: the CSMS where it is what it asked for; else the car or its station, which a CSMS cannot tell apart."""
        place = bisect_right(self._asked, at, key=lambda point: point[0]) - 1
        if place < 0:
            return "" if abs(power) < IDLE else "station"
        wanted = self._asked[place][1]
        return "csms" if abs(power - wanted) <= max(NEAR * abs(wanted), IDLE) else "car"


def _power(said: Mapping[Any, float]) -> float | None:
    """Power (W, + into the car) of the values of one sample."""
    ways = [said[name] * sign for name, sign in (("Power.Active.Import", 1), ("Power.Active.Export", -1)) if name in said]
    return sum(ways) if ways else None
