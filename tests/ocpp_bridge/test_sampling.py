"""When a CSMS is told of the meter: with a transaction's first reading, and as often as it asks, by a clock whose speed changes."""

import asyncio
from dataclasses import replace

from evcc.car import Car, Wish
from evcc.client import Visit
from evcc.ev import AC_INLET, Battery, Ev, Inlet
from ocpp_bridge.outlet import OutletBackend
from secc.bay import Place
from secc.outlet import Outlet
from secc.server import Station, wall_clock
from secc.simulated import DC_LIMITS, Physics, SimulatedEVSE
from secc.station import MeterRead, MeterReading, PowerStarted, PowerStopped, SessionStarted
from tests.ocpp_bridge.ocpp_stand import WALL, stand
from tests.ocpp_bridge.test_bridge import EVCCID, Played
from v2gkit.csms.server import Csms
from v2gkit.csms.stations import Transaction
from v2gkit.csms.steering import Strategy
from v2gkit.wall import SharedClock

REGISTER = "Energy.Active.Import.Register"
SCALE = 3600.0  # an hour each second
READING = MeterReading("M", 1000.0, 0.0, WALL)
QUICK = Physics(contactor=0.01, isolation=0.02, volts_per_second=40_000, amperes_per_second=20_000)


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
    told = Transaction(tx, 1)
    for event in p.events:
        told.note(event, p.now)
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


# --- the station as it is: a car, the driver of its outlet, a charge point, a CSMS ---


class Metered(SimulatedEVSE):
    """An outlet whose meter may be told to hang, or to answer late (s)."""

    hangs, late = False, 0.0

    async def read_meter(self) -> MeterReading | None:
        await asyncio.sleep(1e6 if self.hangs else self.late)
        return await super().read_meter()


def story(*visits: dict) -> list[tuple[list[dict], list[dict]]]:
    """The registers of Started and of Ended that the CSMS was told, of each visit to an outlet whose meter does as the visit says."""

    async def played() -> list[tuple[list[dict], list[dict]]]:
        clock, now = wall_clock(), asyncio.get_running_loop().time
        evse = Metered(now, lambda: clock.wall(now()), asyncio.sleep, limits=DC_LIMITS, physics=QUICK)
        outlet = Outlet(services=("DC", "DC_BPT"), limits=DC_LIMITS, authorizations=("EIM",))
        async with stand(Csms(Strategy("none")), owner={"idToken": "OWNER", "type": "Local"}) as s:
            async with Station([Place(evse, outlet, s.backend)], None, clock=clock) as station:
                for visit in visits:
                    evse.hangs, evse.late = visit.get("hangs", False), visit.get("late", 0.0)
                    wish = Wish(services=("DC",), control="Dynamic", authorizations=("EIM",), loops=5, bench_plain=True)
                    ev = Ev(Battery(), Inlet(), AC_INLET, energy=0.2 * Battery().capacity)
                    result = await Visit(Car(ev, wish=wish, clock=clock, contract=None, now=now())).at(*station.addresses[0])
                    assert result.ended.well, result.ended
                    await s.until(lambda visit=visit: len(s.station.transactions) > visits.index(visit) and s.transaction.ended)
            return [(values_of(tx.events[0]), values_of(tx.events[-1])) for tx in s.station.transactions.values()]

    return asyncio.run(asyncio.wait_for(played(), 300))


def values_of(event: dict) -> list[dict]:
    return [v for m in event.get("meterValue", []) for v in m["sampledValue"] if v["measurand"] == REGISTER]


def test_started_and_ended_bear_the_registers_and_one_session_goes_on_where_another_ended():
    (first, end), (second, last) = story({}, {"late": 0.05})
    assert [v["value"] for v in first] == [0.0]
    assert first[0]["context"] == "Transaction.Begin"
    assert end[0]["value"] > 0
    assert [v["value"] for v in second] == [v["value"] for v in end]
    assert last[0]["value"] > second[0]["value"]


def test_a_meter_that_does_not_answer_delays_nobody_and_what_it_showed_to_another_is_not_told():
    (_, end), (second, last) = story({}, {"hangs": True})
    assert end[0]["value"] > 0
    assert second == last == []
