"""Monitors of variables, their events and their streams, in virtual time."""

import pytest

from ocpp_bridge.bridge import Bridge
from ocpp_bridge.model.monitors import MOST, Monitor
from secc.station import MeterReading
from tests.ocpp_bridge.ocpp_stand import WALL, charger
from tests.ocpp_bridge.test_bridge import Played
from tests.ocpp_bridge.test_device_model import named

EVSE = {"id": 1}
POWER = named("EVSE", "Power", "", EVSE)
STATE = named("EVSE", "AvailabilityState", "", EVSE)


def monitor(p: Played, place: dict, kind: str, value: float, severity: int = 4, **more) -> dict:
    asked = place | {"type": kind, "value": value, "severity": severity} | more
    return p.ask("SetVariableMonitoring", {"setMonitoringData": [asked]})["setMonitoringResult"][0]


def events(p: Played) -> list[dict]:
    return [event for call in p.calls("NotifyEvent") for event in call["eventData"] if "variableMonitoringId" in event]


def draw(p: Played, power: float) -> None:
    p.bridge.take_reading(1, MeterReading("M1", 0.0, 0.0, WALL), power)
    p.run(1.5)


def test_a_threshold_tells_when_it_is_exceeded_and_when_that_is_over():
    p = Played().boot()
    said = monitor(p, POWER, "UpperThreshold", 5000, 2)
    assert said["status"] == "Accepted"
    for power in (4000.0, 6000.0, 7000.0, 3000.0, 2000.0):
        draw(p, power)
    above, below = events(p)
    assert (above["trigger"], above["actualValue"], above["severity"], above["variableMonitoringId"]) == ("Alerting", "6000", 2, said["id"])
    assert "cleared" not in above
    assert (below["actualValue"], below["cleared"]) == ("3000", True)
    assert above["eventNotificationType"] == "CustomMonitor"
    assert [event["eventId"] for event in (above, below)] == sorted({above["eventId"], below["eventId"]})


def test_a_threshold_that_is_exceeded_when_it_is_set_speaks_with_the_next_look():
    p = Played().boot()
    draw(p, 100.0)
    monitor(p, POWER, "LowerThreshold", 5000)
    draw(p, 90.0)
    draw(p, 6000.0)
    assert [event.get("cleared") for event in events(p)] == [None, True]


def test_a_delta_counts_from_the_value_that_was_told_last():
    p = Played().boot()
    monitor(p, POWER, "Delta", 1000)
    for power in (600.0, 900.0, 1200.0, 1900.0, 2300.0):
        draw(p, power)
    assert [event["actualValue"] for event in events(p)] == ["1200", "2300"]
    assert {event["trigger"] for event in events(p)} == {"Delta"}


def test_a_delta_of_words_tells_every_change_with_its_transaction():
    p = Played().boot()
    monitor(p, STATE, "Delta", 1)
    p.bridge.plug_in(1, p.now)
    p.run(2.0)
    (event,) = events(p)
    assert (event["actualValue"], event["transactionId"]) == ("Occupied", p.tx)


def test_a_distance_from_the_target_is_told():
    p = Played().boot()
    monitor(p, POWER, "TargetDelta", 500)
    monitor(p, POWER, "TargetDeltaRelative", 0.5)
    p.charger.variables.attribute(("EVSE", "Power", "", 1), "Target", "5000")
    for power in (4800.0, 4000.0, 2000.0, 5000.0):
        draw(p, power)
    assert [(event["actualValue"], event.get("cleared", False)) for event in events(p)] == [
        ("4000", False), ("2000", False), ("5000", True), ("5000", True),
    ]  # fmt: skip


def test_monitors_by_the_clock():
    p = Played().boot()
    monitor(p, STATE, "Periodic", 10)
    monitor(p, named("ChargingStation", "AvailabilityState"), "PeriodicClockAligned", 60)
    p.run(150.5)
    found = events(p)
    assert len([event for event in found if event["component"]["name"] == "EVSE"]) == 15
    aligned = [event["timestamp"][14:19] for event in found if event["component"]["name"] == "ChargingStation"]
    assert aligned == ["01:00", "02:00"]


def test_a_monitor_of_transactions_looks_only_in_one():
    p = Played().boot()
    monitor(p, POWER, "Periodic", 5, transaction=True)
    p.run(60.0)
    assert not events(p)
    p.bridge.plug_in(1, p.now)
    p.run(20.0)
    assert len(events(p)) in (3, 4)
    p.bridge.unplug(1, p.now)
    told = len(events(p))
    p.run(60.0)
    assert len(events(p)) == told


def test_what_cannot_be_monitored_is_refused_with_its_reason():
    p = Played().boot()
    for place, kind, value, severity, more, status in (
        (named("Toaster", "Heat"), "Delta", 1, 4, {}, "UnknownComponent"),
        (named("TxCtrlr", "Heat"), "Delta", 1, 4, {}, "UnknownVariable"),
        (STATE, "UpperThreshold", 1, 4, {}, "UnsupportedMonitorType"),
        (named("SecurityCtrlr", "BasicAuthPassword"), "Delta", 1, 4, {}, "UnsupportedMonitorType"),
        (named("EVSE", "SupplyPhases", "", EVSE), "TargetDelta", 1, 4, {}, "UnsupportedMonitorType"),
        (POWER, "Delta", 0, 4, {}, "Rejected"),
        (POWER, "Periodic", 0.5, 4, {}, "Rejected"),
        (POWER, "Delta", 5, 10, {}, "Rejected"),
        (POWER, "Delta", 5, 4, {"id": 99}, "Rejected"),
        (POWER, "Periodic", 5, 4, {"periodicEventStream": {}}, "Rejected"),
    ):
        said = monitor(p, place, kind, value, severity, **more)
        assert said["status"] == status, (place, kind)
        assert status.startswith("Unknown") or said["statusInfo"]["additionalInfo"]
    assert monitor(p, POWER, "Delta", 5)["status"] == "Accepted"
    assert monitor(p, POWER, "Delta", 7)["status"] == "Duplicate"
    assert p.charger.monitors.custom[0].value == 5


def test_a_monitor_is_replaced_by_its_id_and_cleared_by_it():
    p = Played().boot()
    first = monitor(p, POWER, "UpperThreshold", 5000)["id"]
    assert monitor(p, POWER, "UpperThreshold", 1000, id=first) | {} == monitor(p, POWER, "UpperThreshold", 1000, id=first)
    draw(p, 2000.0)
    assert [event["variableMonitoringId"] for event in events(p)] == [first]
    hard_wired = next(each.id for each in p.charger.monitors.held.values() if each.kind == "HardWiredMonitor")
    said = p.ask("ClearVariableMonitoring", {"id": [first, 999, hard_wired]})["clearMonitoringResult"]
    assert [(each["id"], each["status"]) for each in said] == [(first, "Accepted"), (999, "NotFound"), (hard_wired, "Rejected")]
    assert monitor(p, named("EVSE", "Problem", "", EVSE), "Delta", 1, 3, id=hard_wired)["status"] == "Rejected"
    draw(p, 100.0)
    draw(p, 2000.0)
    assert len(events(p)) == 1


def test_a_fault_of_an_outlet_is_told_by_the_monitor_that_nobody_can_clear():
    p = Played().boot()
    p.ask("SetMonitoringBase", {"monitoringBase": "HardWiredOnly"})
    p.bridge.out_of_service(1, "a fan is broken", p.now)
    p.run(2.0)
    (event,) = events(p)
    assert (event["actualValue"], event["severity"], event["eventNotificationType"]) == ("true", 3, "HardWiredMonitor")
    assert (event["component"]["name"], event["variable"]["name"]) == ("EVSE", "Problem")


def test_level_base_and_monitors_survive_a_restart():
    p = Played().boot()
    number = monitor(p, POWER, "UpperThreshold", 5000, 4)["id"]
    gone = monitor(p, POWER, "LowerThreshold", 5, 4)["id"]
    p.ask("ClearVariableMonitoring", {"id": [gone]})
    assert p.ask("SetMonitoringLevel", {"severity": 12})["status"] == "Rejected"
    assert p.ask("SetMonitoringLevel", {"severity": 3})["status"] == "Accepted"
    draw(p, 9000.0)
    assert not events(p)  # severity 4 is not told at level 3
    kept = {name: value for name, value in p.bridge.changes().items() if value is not None}
    again = Bridge(charger())
    again.restore(kept)
    assert [each.id for each in again.charger.monitors.custom] == [number]
    assert again.charger.monitors.level == 3
    assert p.ask("SetMonitoringBase", {"monitoringBase": "FactoryDefault"})["status"] == "Accepted"
    assert not p.charger.monitors.custom
    assert p.bridge.changes()[f"monitor/{number}"] is None


def test_reports_of_monitors():
    p = Played().boot()
    asked = {"requestId": 5, "monitoringCriteria": ["PeriodicMonitoring"]}
    assert p.ask("GetMonitoringReport", asked)["status"] == "EmptyResultSet"
    monitor(p, POWER, "Periodic", 600)
    monitor(p, POWER, "UpperThreshold", 600)
    assert p.ask("GetMonitoringReport", asked)["status"] == "Accepted"
    (page,) = p.calls("NotifyMonitoringReport")
    (found,) = page["monitor"]
    assert found["variableMonitoring"][0]["type"] == "Periodic"
    assert not page["tbc"]
    assert p.ask("GetMonitoringReport", {"requestId": 6, "componentVariable": [POWER]})["status"] == "Accepted"
    assert len(p.calls("NotifyMonitoringReport")[-1]["monitor"]) == 2


def test_the_number_of_monitors_is_bounded_and_so_is_what_they_say():
    p = Played().boot()
    settable = [key for key, row in p.charger.variables.rows.items() if not row.secret and key[3] == 0]
    wanted = [(key, severity) for severity in range(4) for key in settable]
    answers = [monitor(p, named(*key[:3]), "Periodic", 1, severity)["status"] for key, severity in wanted]
    assert answers.count("Accepted") == MOST
    assert set(answers[-5:]) == {"Rejected"}
    p.bridge.go_offline(p.now)
    p.run(120.0)
    assert len(p.charger.outbox.waiting) <= 500
    assert any("not told" in note for note in p.bridge.notes())


def test_only_what_is_severe_waits_while_the_csms_is_away():
    p = Played().boot()
    monitor(p, POWER, "UpperThreshold", 5000, 1)
    monitor(p, POWER, "UpperThreshold", 5000, 8)
    p.bridge.go_offline(p.now)
    draw(p, 6000.0)
    p.boot()
    assert [event["severity"] for event in events(p)] == [1]


def test_monitoring_can_be_switched_off():
    p = Played().boot()
    monitor(p, STATE, "Periodic", 5)
    p.ask("SetVariables", {"setVariableData": [named("MonitoringCtrlr", "Enabled") | {"attributeValue": "false"}]})
    p.run(60.0)
    assert not events(p)


def test_a_clock_that_is_set_back_delays_no_monitor_by_more_than_its_period():
    one = Monitor(1, ("A", "B", "", 0), "Periodic", 10.0, 4)
    assert one.look("x", "", 1000.0) == []
    assert one.look("x", "", 100.0) == []
    assert one.look("x", "", 110.0)


# --- streams ---


def streamed(p: Played) -> list[dict]:
    p.messages = getattr(p, "messages", []) + p.bridge.sends()
    return [payload for action, payload in p.messages if action == "NotifyPeriodicEventStream"]


@pytest.fixture
def stream():
    p = Played()
    p.answers["OpenPeriodicEventStream"] = {"status": "Accepted"}
    p.boot()
    p.number = monitor(p, STATE, "Periodic", 2, periodicEventStream={"interval": 10, "values": 4})["id"]
    return p


def test_a_stream_is_opened_and_its_values_come_in_bundles(stream):
    (asked,) = stream.calls("OpenPeriodicEventStream")
    described = {"id": stream.number, "variableMonitoringId": stream.number, "params": {"interval": 10, "values": 4}}
    assert asked == {"constantStreamData": described}
    stream.run(30.0)
    bundles = streamed(stream)
    assert [len(each["data"]) for each in bundles] == [4, 4, 4]  # four values are there before ten seconds are
    assert [value["t"] for value in bundles[0]["data"]] == [0.0, 2.0, 4.0, 6.0]
    assert {value["v"] for value in bundles[0]["data"]} == {"Available"}
    assert not events(stream)
    assert stream.ask("GetPeriodicEventStream", {}) == {"constantStreamData": [described]}


def test_a_stream_is_told_at_another_pace_and_closed_with_its_monitor(stream):
    assert stream.ask("AdjustPeriodicEventStream", {"id": 99, "params": {"interval": 4}})["status"] == "Rejected"
    assert stream.ask("AdjustPeriodicEventStream", {"id": stream.number, "params": {}})["status"] == "Rejected"
    assert stream.ask("AdjustPeriodicEventStream", {"id": stream.number, "params": {"interval": 20}})["status"] == "Accepted"
    stream.run(45.0)
    assert len(streamed(stream)[0]["data"]) == 11
    assert stream.bridge.changes()[f"monitor/{stream.number}"]["stream"] == {"interval": 20}
    stream.ask("ClearVariableMonitoring", {"id": [stream.number]})
    assert stream.calls("ClosePeriodicEventStream") == [{"id": stream.number}]
    assert stream.ask("GetPeriodicEventStream", {}) == {}


@pytest.mark.parametrize("answer", [{"status": "Rejected"}, "NotSupported"])
def test_where_the_csms_takes_no_stream_the_events_come_one_by_one(answer):
    p = Played()
    p.answers["OpenPeriodicEventStream"] = answer
    p.boot()
    monitor(p, STATE, "Periodic", 2, periodicEventStream={"interval": 10})
    p.run(10.0)
    assert not streamed(p)
    assert len(events(p)) >= 4


def test_a_stream_is_opened_again_after_a_reconnect_and_holds_a_bounded_number(stream):
    stream.bridge.go_offline(stream.now)
    stream.run(4000.0)
    assert len(stream.charger.streams[stream.number].values) == 1000
    stream.boot()
    assert len(stream.calls("OpenPeriodicEventStream")) == 2
    stream.run(10.0)
    told = streamed(stream)
    assert told[0]["pending"] == 1000 - 200
    assert sum(len(each["data"]) for each in told) >= 1000
