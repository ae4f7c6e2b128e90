"""When a CSMS is told of the meter: with a transaction's first reading, and as often as it asks, by a clock whose speed changes."""

from dataclasses import replace

from ocpp_bridge.outlet import OutletBackend
from secc.station import MeterRead, MeterReading, PowerStarted, PowerStopped, SessionStarted
from tests.ocpp_bridge.ocpp_stand import WALL
from tests.ocpp_bridge.test_bridge import EVCCID, Played
from v2gkit.csms.stations import Transaction
from v2gkit.wall import SharedClock

REGISTER = "Energy.Active.Import.Register"
SCALE = 3600.0  # an hour each second
READING = MeterReading("M", 1000.0, 0.0, WALL)


def registers(p: Played) -> list[float]:
    """The registers of import that the CSMS was told, in order."""
    return [v["value"] for e in p.events for m in e.get("meterValue", []) for v in m["sampledValue"] if v["measurand"] == REGISTER]


def test_the_first_reading_of_a_transaction_is_told_at_once_and_once():
    p = Played().boot()
    wakes: list[float] = []
    outlet = OutletBackend(1, p.bridge, lambda: p.now, lambda: wakes.append(p.now))
    p.want(SessionStarted(0.0, bytes(8), EVCCID))
    assert p.events[-1]["eventType"] == "Started"
    assert registers(p) == []
    outlet.heard(MeterRead(READING))
    assert len(wakes) == 1  # the pump sleeps until something is due
    p.run()
    assert registers(p) == [1000.0]
    assert {v["context"] for v in p.events[-1]["meterValue"][0]["sampledValue"]} == {"Transaction.Begin"}
    outlet.heard(MeterRead(replace(READING, imported=1001.0)))
    assert len(wakes) == 1
    p.run(59.0)
    assert registers(p) == [1000.0]
    p.run(1.0)
    assert registers(p) == [1000.0, 1001.0]


def test_a_transaction_that_begins_with_a_reading_tells_it_as_it_begins():
    p = Played().boot()
    p.bridge.take_reading(1, READING)
    p.want(SessionStarted(0.0, bytes(8), EVCCID))
    p.run(1.0)
    assert registers(p) == [1000.0]
    assert p.events[0]["eventType"] == "Started"


def test_a_csms_that_wants_no_samples_hears_the_first_reading_all_the_same():
    p = Played().boot()
    p.charger.variables["SampledDataCtrlr.TxUpdatedInterval"] = "0"
    p.want(SessionStarted(0.0, bytes(8), EVCCID))
    p.bridge.take_reading(1, READING)
    p.run(1000.0)
    assert registers(p) == [1000.0]


def test_a_transaction_shorter_than_a_sample_has_its_energy():
    p = Played().boot().arrive()
    p.bridge.take_reading(1, READING)
    p.want(PowerStarted(0.0))
    p.run(10.0)
    p.bridge.take_reading(1, replace(READING, imported=2500.0))
    tx = p.tx
    p.want(PowerStopped(0.0))
    p.bridge.end_session(1, p.now, how="Terminate", well=True)
    p.bridge.unplug(1, p.now)
    p.run()
    told = Transaction(tx, 1, p.events)
    assert p.events[-1]["eventType"] == "Ended"
    assert told.energy["imported"] == 1500.0


def test_samples_are_due_by_the_wall_clock_whatever_speed_it_has_by_then():
    clock = SharedClock(WALL, 0.0, SCALE)
    p = Played().boot()
    p.charger.clock = clock
    p.charger.variables["SampledDataCtrlr.TxUpdatedInterval"] = "3600"
    p.want(SessionStarted(0.0, bytes(8), EVCCID))
    p.bridge.take_reading(1, READING)
    p.run(20.0)  # twenty seconds, as the clock is held
    assert len(registers(p)) == 1
    clock.let_go(p.now)
    p.run(4.5)  # four and a half hours
    assert len(registers(p)) == 1 + 4
    p.run(4.5)
    assert len(registers(p)) == 1 + 9


def test_a_wall_clock_that_runs_very_fast_makes_no_flood_of_samples():
    p = Played().boot()
    p.charger.clock = SharedClock(WALL, 0.0, 1e4)
    p.want(SessionStarted(0.0, bytes(8), EVCCID))
    p.bridge.take_reading(1, READING)
    p.charger.clock.let_go(p.now)
    p.run(5.1)
    assert len(registers(p)) <= 1 + 11  # each half second of reality at most
