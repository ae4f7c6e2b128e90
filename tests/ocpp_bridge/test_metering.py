"""Meter values (block J): every measurand, by the lists and intervals of the CSMS, of the operation mode, and of the clock."""

from dataclasses import replace
from typing import Any

import pytest

from ocpp_bridge.model.measurands import NAMES, Marks, Sample, Tally, meter_value, sampled
from ocpp_bridge.outlet import OutletBackend
from ocpp_bridge.wire.dialects import shape, written
from ocpp_bridge.wire.schemas import check
from ocpp_bridge.wire.times import timestamp
from secc.station import Display, EVReported, MeterRead, MeterReading, OutputMeasured, PowerStarted, PowerStopped
from tests.ocpp_bridge.ocpp_stand import LIMITS, NEEDS, WALL
from tests.ocpp_bridge.test_bridge import Played

READING = MeterReading("M", 1_000.0, 200.0, WALL)
SHOWN = Display(10.0, 80.0, 95.0, 60.0, 600.0, 900.0, complete=False, capacity=60_000.0, inlet_hot=True)
REPORT = EVReported(0.0, -5_000.0, 51.0, 9_000.0, 20_000.0, 0.0, 15_000.0, -3_000.0, -400.0, SHOWN)
FULL = Sample(
    READING, -5_400.0, 400.0, REPORT, -5_000.0, -13.5, (-1_800.0, -1_700.0, -1_900.0), LIMITS, True, True, NEEDS, setpoint_energy=-50.0
)


def values(sample: Sample, *names: str, **more: Any) -> dict[tuple[str, str], float]:
    said = sampled(sample, names or NAMES, "Sample.Periodic", more.pop("intervals", {}), **more)
    for version in ("ocpp2.1", "ocpp2.0.1"):
        event = {"eventType": "Updated", "timestamp": timestamp(WALL), "triggerReason": "Trigger", "seqNo": 0}
        event |= {"transactionInfo": {"transactionId": "t"}} | ({"meterValue": meter_value(said, WALL)} if said else {})
        check(version, "TransactionEvent", "Request", written(version, "TransactionEvent", "Request", event))
    return {(each["measurand"], each.get("phase", "")): each["value"] for each in said}


def measured(p: Played, events: list[dict] | None = None) -> dict[str, float]:
    """The last meter value that the CSMS was told."""
    of = p.events if events is None else events
    last = [event["meterValue"][-1] for event in of if "meterValue" in event][-1]
    return {each["measurand"]: each["value"] for each in last["sampledValue"] if "phase" not in each}


def write(p: Played, component: str, variable: str, value: str, instance: str = "", evse: int = 0) -> str:
    asked = {
        "component": {"name": component} | ({"evse": {"id": evse}} if evse else {}),
        "variable": {"name": variable} | ({"instance": instance} if instance else {}),
        "attributeValue": value,
    }
    return p.ask("SetVariables", {"setVariableData": [asked]})["setVariableResult"][0]["attributeStatus"]


def charging(**more: Any) -> Played:
    p = Played(**more).boot().arrive("Dynamic")
    p.bridge.take_reading(1, READING, -5_400.0, 400.0, current=-13.5)
    return p.want(PowerStarted(0.0))


# --- measurands ---


def test_every_measurand_of_v2x_has_its_value():
    said = values(FULL)
    expected = {
        "Energy.Active.Net": 800.0, "Power.Active.Setpoint": -5_000.0, "Power.Active.Residual": 400.0, "Power.Active.Export": 5_400.0,
        "Power.Import.Offered": 50_000.0, "Power.Export.Offered": 50_000.0, "Power.Import.Minimum": 0.0, "Power.Export.Minimum": 0.0,
        "Current.Export": 13.5, "Current.Import": 0.0, "Current.Import.Offered": 125.0, "Current.Export.Offered": 125.0,
        "Voltage.Maximum": 920.0, "Voltage.Minimum": 150.0, "EnergyRequest.Minimum.V2X": -3_000.0, "EnergyRequest.Maximum.V2X": 15_000.0,
        "Display.PresentSOC": 51.0, "Display.MinimumSOC": 10.0, "Display.TargetSOC": 80.0, "Display.MaximumSOC": 95.0,
        "Display.RemainingTimeToTargetSOC": 600.0, "Display.ChargingComplete": 0.0, "Display.InletHot": 1.0,
        "Display.BatteryEnergyCapacity": 60_000.0, "Power.Reactive.Export": 400.0, "Power.Reactive.Import": 0.0,
    }  # fmt: skip
    assert {name: said[name, ""] for name in expected} == expected
    assert said["Power.Active.Export", "L3"] == 1_900.0
    known = shape("ocpp2.1", "MeterValuesRequest")["properties"]["meterValue"]["items"]["properties"]["sampledValue"]["items"]
    assert set(NAMES) <= set(known["properties"]["measurand"]["enum"])


def test_what_is_not_known_is_left_out_and_nothing_is_minus_zero():
    assert values(Sample()) == {}
    assert values(Sample(power=float("nan"))) == {}
    alternating = values(replace(FULL, direct=False, gives_back=False))
    assert not [name for name, _ in alternating if name.startswith(("Current.Import.Off", "Voltage.M", "Power.Export.Off"))]
    assert ("Power.Import.Offered", "") in alternating
    for power in (0.0, -0.0):
        resting = replace(FULL, power=power, setpoint=power, current=power, phases=(power,) * 3)
        assert not [key for key, value in values(resting).items() if str(value) == "-0.0"]


def test_the_setpoint_that_is_told_is_the_one_that_was_delivered():
    """Asked for 90 kW out of the car, at an outlet that gives 50."""
    assert values(replace(FULL, setpoint=-90_000.0))["Power.Active.Setpoint", ""] == -50_000.0
    assert values(replace(FULL, setpoint=90_000.0))["Power.Active.Setpoint", ""] == 50_000.0


@pytest.mark.parametrize(
    ("power", "setpoint", "residual"), [(7_000.0, 6_000.0, 1_000.0), (-7_000.0, -6_000.0, 1_000.0), (500.0, 0.0, 500.0)]
)
def test_the_residual_is_what_flows_beyond_the_setpoint(power: float, setpoint: float, residual: float):
    assert values(replace(FULL, power=power, setpoint=setpoint))["Power.Active.Residual", ""] == residual


def test_registers_of_phases_are_told_unless_they_are_not_wanted():
    sample = replace(FULL, reading=replace(READING, phases=((400.0, 80.0), (300.0, 60.0), (300.0, 60.0))))
    said = values(sample)
    assert said["Energy.Active.Import.Register", "L1"] == 400.0
    assert said["Energy.Active.Export.Register", "L3"] == 60.0
    without = values(sample, per_phase=False)
    assert ("Energy.Active.Import.Register", "L1") not in without
    assert without["Energy.Active.Import.Register", ""] == 1_000.0
    assert without["Power.Active.Export", "L1"] == 1_800.0


def test_intervals_are_what_was_counted_since_they_were_told_last():
    marks, names = Marks(), ("Energy.Active.Import.Interval", "Energy.Active.Setpoint.Interval")
    assert marks.since(FULL, names) == {}
    later = replace(FULL, reading=replace(READING, imported=1_250.0), setpoint_energy=-80.0)
    told = marks.since(later, names)
    assert told == {"Energy.Active.Import.Interval": 250.0, "Energy.Active.Setpoint.Interval": -30.0}
    assert values(later, *names, intervals=told)["Energy.Active.Import.Interval", ""] == 250.0
    assert marks.since(later, names)["Energy.Active.Import.Interval"] == 0.0


def test_a_tally_counts_what_setpoints_ask_for():
    tally = Tally()
    assert tally.energy(100.0) == 0.0
    tally.note(-6_000.0, 100.0)
    tally.note(3_000.0, 700.0)
    assert tally.energy(1_300.0) == pytest.approx(-1_000.0 + 500.0)


# --- lists and intervals ---


def test_what_the_hardware_measures_reaches_the_samples():
    p = charging()
    assert write(p, "SampledDataCtrlr", "TxUpdatedMeasurands", "Power.Active.Import,Current.Import,Voltage") == "Accepted"
    outlet = OutletBackend(1, p.bridge, lambda: p.now, lambda: None)
    outlet.heard(MeterRead(READING))
    outlet.heard(OutputMeasured(400.0, 20.0))
    p.run(60.0)
    assert measured(p) == {"Power.Active.Import": 8_000.0, "Current.Import": 20.0, "Voltage": 400.0}
    outlet.heard(OutputMeasured(230.0, 0.0, 6_900.0, (2_300.0, 2_300.0, 2_300.0)))
    p.run(60.0)
    last = p.events[-1]["meterValue"][0]["sampledValue"]
    assert [each["value"] for each in last if each.get("phase") == "L2"] == [2_300.0]
    assert "Current.Import" not in measured(p)  # the amperes of three phases are not told by the hardware


def test_a_setpoint_beyond_the_outlet_is_told_as_delivered_through_the_bridge():
    p = charging()
    write(p, "SampledDataCtrlr", "TxUpdatedMeasurands", "Power.Active.Setpoint,Energy.Active.Setpoint.Interval")
    p.install({"startPeriod": 0, "operationMode": "CentralSetpoint", "setpoint": -90_000.0})
    p.want(EVReported(0.0, power=-50_000.0, soc=60.0))
    p.run(60.0)
    assert measured(p)["Power.Active.Setpoint"] >= -50_000.0
    p.want(EVReported(0.0, power=-50_000.0, soc=60.0))
    first = measured(p)["Power.Active.Setpoint"]
    p.run(60.0)
    assert measured(p)["Energy.Active.Setpoint.Interval"] == pytest.approx(first / 60.0, rel=0.01)


def test_an_operation_mode_has_its_own_list_and_interval():
    p = charging()
    p.install({"startPeriod": 0, "limit": 9_000.0})
    assert (
        write(p, "V2XChargingCtrlr", "TxUpdatedMeasurands", "Power.Active.Setpoint,Power.Active.Residual", "CentralSetpoint", 1)
        == "Accepted"
    )
    assert write(p, "V2XChargingCtrlr", "TxUpdatedInterval", "10", "CentralSetpoint", 1) == "Accepted"
    assert write(p, "V2XChargingCtrlr", "TxUpdatedInterval", "often", "CentralSetpoint", 1) == "Rejected"
    assert write(p, "V2XChargingCtrlr", "TxUpdatedMeasurands", "Warmth", "CentralSetpoint", 1) == "Rejected"
    p.run(5.0)
    before = len(p.events)
    p.run(20.0)
    assert len([e for e in p.events[before:] if e["triggerReason"] == "MeterValuePeriodic"]) == 0  # a minute, as for all modes
    p.install({"startPeriod": 0, "operationMode": "CentralSetpoint", "setpoint": -6_000.0})
    p.want(EVReported(0.0, power=-5_400.0, soc=60.0))
    p.run(2.0)
    before = len(p.events)
    p.run(30.0)
    periodic = [e for e in p.events[before:] if e["triggerReason"] == "MeterValuePeriodic"]
    assert len(periodic) == 3
    assert set(measured(p, periodic)) == {"Power.Active.Setpoint", "Power.Active.Residual"}
    assert write(p, "V2XChargingCtrlr", "TxUpdatedInterval", "", "CentralSetpoint", 1) == "Accepted"  # as for all modes again
    before = len(p.events)
    p.run(50.0)
    assert not [e for e in p.events[before:] if e["triggerReason"] == "MeterValuePeriodic"]


def test_samples_for_the_end_are_taken_by_their_interval_and_told_with_it():
    p = charging()
    write(p, "SampledDataCtrlr", "TxEndedInterval", "100")
    p.run(350.0)
    p.want(PowerStopped(0.0))
    p.bridge.unplug(1, p.now)
    p.run()
    ended = p.events[-1]
    assert ended["eventType"] == "Ended"
    assert [value["sampledValue"][0]["context"] for value in ended["meterValue"]] == ["Sample.Periodic"] * 3 + ["Transaction.End"]
    assert [value["timestamp"] for value in ended["meterValue"]] == sorted(value["timestamp"] for value in ended["meterValue"])


def test_a_long_stay_does_not_grow_its_end_without_bound():
    p = charging()
    write(p, "SampledDataCtrlr", "TxEndedInterval", "1")
    write(p, "SampledDataCtrlr", "TxUpdatedInterval", "0")
    p.run(1_000.0)
    assert len(p.charger.evses[1].metering.for_end) <= 100


# --- by the clock ---


def test_clock_aligned_values_come_at_the_clocks_edges_in_the_transaction():
    p = charging()
    p.run(7.0)
    assert write(p, "AlignedDataCtrlr", "Interval", "900") == "Accepted"
    assert write(p, "AlignedDataCtrlr", "Measurands", "Energy.Active.Import.Register") == "Accepted"
    write(p, "SampledDataCtrlr", "TxUpdatedInterval", "0")
    before = len(p.events)
    p.run(1_800.0)
    aligned = [event for event in p.events[before:] if event["triggerReason"] == "MeterValueClock"]
    assert [event["timestamp"] for event in aligned] == [timestamp(WALL + 900), timestamp(WALL + 1_800)]
    assert aligned[0]["meterValue"][0]["sampledValue"][0]["context"] == "Sample.Clock"
    assert p.calls("MeterValues") == []
    assert write(p, "AlignedDataCtrlr", "Interval", "0") == "Accepted"
    p.run(3_600.0)
    assert len([event for event in p.events if event["triggerReason"] == "MeterValueClock"]) == 2


def test_outside_of_transactions_the_clock_sends_MeterValues_and_those_alone_where_asked():
    p = Played(evses=2).boot()
    p.bridge.take_reading(1, READING)
    write(p, "AlignedDataCtrlr", "Interval", "600")
    p.run(600.0)
    (told,) = p.calls("MeterValues")  # of EVSE 2 no meter was read
    assert told["evseId"] == 1
    assert {each["context"] for each in told["meterValue"][0]["sampledValue"]} == {"Sample.Clock"}
    write(p, "AlignedDataCtrlr", "SendDuringIdle", "true")
    p.run(600.0)
    assert len(p.calls("MeterValues")) == 2
    p.bridge.plug_in(2, p.now)
    p.run(600.0)
    assert len(p.calls("MeterValues")) == 2
    assert not [event for event in p.events if event["triggerReason"] == "MeterValueClock"]


def test_the_main_meter_is_evse_0_upstream_where_there_is_one():
    p = Played().boot()
    write(p, "AlignedDataCtrlr", "Interval", "600")
    p.run(600.0)
    assert p.calls("MeterValues") == []
    p.charger.by_clock.main = Sample(MeterReading("MAIN", 5_000.0, 0.0, WALL), 12_000.0)
    p.run(600.0)
    (told,) = p.calls("MeterValues")
    assert told["evseId"] == 0
    said = told["meterValue"][0]["sampledValue"]
    assert {each["location"] for each in said} == {"Upstream"}
    assert {each["measurand"]: each["value"] for each in said}["Power.Active.Import"] == 12_000.0
    p.charger.by_clock.main = None
    p.run(600.0)
    assert len(p.calls("MeterValues")) == 1


def test_the_main_meter_has_measurands_and_an_interval_of_its_own_where_the_csms_sets_them():
    p = charging()
    p.charger.by_clock.main = Sample(MeterReading("MAIN", 5_000.0, 0.0, WALL), 12_000.0)
    write(p, "AlignedDataCtrlr", "Interval", "600")

    def told(seconds: float) -> list[set[str]]:
        before = len(p.calls("MeterValues"))
        said = [call for call in p.run(seconds).calls("MeterValues")[before:] if call["evseId"] == 0]
        return [{each["measurand"] for each in call["meterValue"][0]["sampledValue"]} for call in said]

    (usual,) = told(600.0)
    assert len(usual) > 1
    assert write(p, "AlignedDataCtrlr", "UpstreamMeasurands", "Power.Active.Import") == "Accepted"
    assert told(600.0) == [{"Power.Active.Import"}]  # with those of the EVSEs still
    assert write(p, "AlignedDataCtrlr", "UpstreamInterval", "200") == "Accepted"
    assert told(600.0) == [{"Power.Active.Import"}] * 3
    write(p, "AlignedDataCtrlr", "SendDuringIdle", "true")
    assert told(600.0) == []  # a car is there
    write(p, "AlignedDataCtrlr", "SendDuringIdle", "false")
    assert write(p, "AlignedDataCtrlr", "UpstreamInterval", "0") == "Accepted"
    assert told(600.0) == []
    assert write(p, "AlignedDataCtrlr", "UpstreamInterval", "") == "Accepted"
    assert write(p, "AlignedDataCtrlr", "UpstreamMeasurands", "") == "Accepted"
    assert told(600.0) == [usual]
    assert write(p, "AlignedDataCtrlr", "UpstreamMeasurands", "Whim") == "Rejected"


def test_MeterValues_are_sent_when_they_are_asked_for():
    p = charging()
    assert p.ask("TriggerMessage", {"requestedMessage": "MeterValues", "evse": {"id": 1}}) == {"status": "Accepted"}
    (told,) = p.run().calls("MeterValues")
    assert told["evseId"] == 1
    assert {each["context"] for each in told["meterValue"][0]["sampledValue"]} == {"Trigger"}


@pytest.mark.parametrize(("queued", "told"), [("false", 0), ("true", 3)])
def test_meter_values_outside_of_transactions_wait_for_the_csms_where_it_wants_all_messages(queued, told):
    p = Played().boot()
    p.bridge.take_reading(1, READING)
    write(p, "AlignedDataCtrlr", "Interval", "600")
    assert write(p, "OCPPCommCtrlr", "QueueAllMessages", queued) == "Accepted"
    p.bridge.go_offline(p.now)
    p.run(1800.0)
    before = len(p.calls("MeterValues"))
    p.boot()
    assert len(p.calls("MeterValues")) - before == told
    p.run(600.0)
    assert len(p.calls("MeterValues")) - before == told + 1
