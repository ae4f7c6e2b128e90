"""What a CSMS sees, as the viewer shows it: a connection for each transaction, its frames, its numbers."""

import json
from datetime import UTC, datetime
from typing import Any
from unittest.mock import ANY

from v2gkit.insight.live.desk import Desk
from v2gkit.insight.live.reading import Reading


class Csms:
    """Plays frames of stations to a desk, and reads what the viewer would show."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.desk = Desk(self.written.append, lambda at: 1_800_000_000.0 + at)
        self.reading = Reading("v2g csms")
        self.count = 0

    def called(self, station: str, action: str, payload: dict[str, Any], direction: str = "in") -> list[dict[str, Any]]:
        self.count += 1
        self.desk.frame(station, direction, json.dumps([2, str(self.count), action, payload]))
        self.desk.frame(station, "out" if direction == "in" else "in", json.dumps([3, str(self.count), {"status": "Accepted"}]))
        lines, self.written = self.written[:], []
        self.desk._write = self.written.append
        return [line for text in lines for line in self.reading.lines(text.encode())]

    def event(self, station: str, kind: str, evse: int | None = None, **more: Any) -> list[dict[str, Any]]:
        info = {"transactionId": f"T-{station}-{more.pop('of', 1)}", **more.pop("info", {})}
        payload = {"eventType": kind, "triggerReason": "x", "seqNo": self.count, "transactionInfo": info, **more}
        return self.called(station, "TransactionEvent", payload | ({"evse": {"id": evse}} if evse else {}))


def sampled(second: int, **values: float) -> dict[str, Any]:
    names = {"into": "Power.Active.Import", "out": "Power.Active.Export", "soc": "SoC"}
    stamp = datetime.fromtimestamp(1_800_000_000 + second, UTC).isoformat().replace("+00:00", "Z")
    said = [{"measurand": names[name], "value": value} for name, value in values.items()]
    return {"meterValue": [{"timestamp": stamp, "sampledValue": said}]}


def of(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["t"] == kind]


def test_each_transaction_has_a_connection_and_the_station_one_for_the_rest() -> None:
    csms = Csms()
    boot = csms.called("CS-1", "BootNotification", {"reason": "PowerUp"})
    one = csms.event("CS-1", "Started", 1)
    two = csms.event("CS-1", "Started", 2, of=2)
    rest = csms.called("CS-1", "Heartbeat", {})
    later = csms.event("CS-1", "Updated")
    other = csms.event("CS-2", "Started", 1)
    outlets = {line["c"]: line["outlet"] for line in of([*boot, *one, *two, *rest, *later, *other], "connection")}
    assert list(outlets.values()) == ["CS-1", "CS-1 / EVSE 1", "CS-1 / EVSE 2", "CS-2 / EVSE 1"]
    assert {line["c"] for line in of(rest, "mark")} == {line["c"] for line in of(boot, "connection")}
    assert {line["c"] for line in of(later, "mark")} == {line["c"] for line in of(one, "connection")}
    marks = [(line["lane"], line["to"], line["name"], line["call"]) for line in of(one, "mark")]
    assert marks == [("station", "csms", "TransactionEvent", "call"), ("csms", "station", "TransactionEvent", "result")]


def test_power_soc_and_who_limits() -> None:
    csms = Csms()
    csms.event("CS-1", "Started", 1)
    profile = {
        "id": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile", "chargingProfileKind": "Absolute",
        "chargingSchedule": [{"id": 1, "chargingRateUnit": "W", "startSchedule": "2027-01-15T08:00:00Z", "chargingSchedulePeriod": [
            {"startPeriod": 0, "operationMode": "CentralSetpoint", "setpoint": -5000.0}]}],
    }  # fmt: skip
    (asked,) = of(csms.called("CS-1", "SetChargingProfile", {"evseId": 1, "chargingProfile": profile}, "out"), "series")
    assert (asked["role"], asked["points"][0][1]) == ("asked", -5000.0)
    told = {
        line["role"]: line["points"] for line in of(csms.event("CS-1", "Updated", **sampled(100, into=0.0, out=4990.0, soc=55.5)), "series")
    }
    assert told == {"power": [[1_800_000_100.0, -4990.0]], "soc": [[1_800_000_100.0, 55.5]], "limited-by": [[ANY, "csms"]]}
    told = {line["role"]: line["points"][-1][1] for line in of(csms.event("CS-1", "Updated", **sampled(101, into=1000.0)), "series")}
    assert told == {"power": 1000.0, "limited-by": "car"}
    suspended = csms.event("CS-1", "Updated", info={"chargingState": "SuspendedEVSE"}, **sampled(102, into=0.0))
    assert {line["role"]: line["points"][-1][1] for line in of(suspended, "series")} == {"power": 0.0, "limited-by": "station"}


def test_how_a_transaction_ended_is_its_verdict() -> None:
    csms = Csms()
    csms.event("CS-1", "Started", 1)
    (well,) = of(csms.event("CS-1", "Ended", info={"stoppedReason": "EVDisconnected"}), "verdict")
    assert (well["well"], well["ended"]) == (True, "EVDisconnected")
    csms.event("CS-1", "Started", 1, of=2)
    (bad,) = of(csms.event("CS-1", "Ended", of=2, info={"stoppedReason": "GroundFault"}), "verdict")
    assert (bad["well"], bad["c"] != well["c"]) == (False, True)
    assert "GroundFault" in bad["reason"]


def test_whatever_a_station_says_is_shown_and_ends_nothing() -> None:
    csms = Csms()
    csms.event("CS-1", "Started", 1)
    for odd in ([1], [{"timestamp": "never", "sampledValue": [{"measurand": "SoC", "value": "x"}]}], [{"sampledValue": None}], "x", {}):
        assert {line["name"] for line in of(csms.event("CS-1", "Updated", meterValue=odd), "mark")} >= {"TransactionEvent"}
    assert of(csms.called("CS-1", "NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": [1]}), "mark")
    assert of(csms.event("CS-1", "Updated", **sampled(100, into=5.0)), "series")
