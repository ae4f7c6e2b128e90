"""The history of a CSMS, in both databases: nothing that was acknowledged is lost, nothing is there twice, one bad row costs no other."""

import asyncio
import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select

from secc.station import MeterReading
from tests.ocpp_bridge.ocpp_stand import stand
from tests.ocpp_bridge.test_monitoring import POWER
from tests.v2gkit.csms.stores import postgres
from v2gkit.cli.main import main
from v2gkit.csms.hearing import HANDLERS
from v2gkit.csms.retention import thrown_away
from v2gkit.csms.server import Csms
from v2gkit.csms.stations import TRANSACTIONS, Station
from v2gkit.csms.steering import Strategy, needs_of
from v2gkit.csms.store.ages import STEP, ages_of
from v2gkit.csms.store.keeper import Store
from v2gkit.csms.store.rows import Said, profile_row, rows_of
from v2gkit.csms.store.tables import CONNECTIONS, EVENTS, METADATA, SAMPLES
from v2gkit.sql.keeper import shown
from v2gkit.sql.words import Row, StoreFault

ROOT = Path(__file__).parents[3]


def event(number: int, kind: str = "Updated", transaction: str = "t", **more) -> dict:
    """A TransactionEvent with two registers and a power."""
    values = {"Energy.Active.Import.Register": 1000.0 + number, "Energy.Active.Export.Register": 500.0, "Power.Active.Import": 3600.0}
    sampled = [{"measurand": name, "value": value} for name, value in values.items()]
    moment = f"2026-03-01T{12 + number // 3600 % 10:02}:{number // 60 % 60:02}:{number % 60:02}Z"
    told = {"eventType": kind, "triggerReason": "MeterValuePeriodic", "seqNo": number, "timestamp": moment}
    meter = [{"timestamp": moment, "sampledValue": sampled}]
    return told | {"transactionInfo": {"transactionId": transaction}, "evse": {"id": 1}, "meterValue": meter} | more


async def tell(csms: Csms, station: Station, action: str, payload: dict) -> dict:
    return await csms._asked(station, action, payload)


async def count(store: Store, table) -> int:
    return await store.read(lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one())


async def events_that_come_twice_are_one(store: Store) -> None:
    csms, station = Csms(Strategy("none"), archive=store), Station("CS-1")
    for number in (0, 1, 2, 2, 1, 3):
        await tell(csms, station, "TransactionEvent", event(number))
    assert station.transactions["t"].energy == {"imported": 3.0, "exported": 0.0}
    later, again = Csms(Strategy("none"), archive=store), Station("CS-1")  # as after a restart
    await later._taken_up(again)
    assert again.running(1) is again.transactions["t"]
    await tell(later, again, "TransactionEvent", event(2))
    await tell(later, again, "TransactionEvent", event(9, "Ended"))
    assert again.transactions["t"].energy == {"imported": 9.0, "exported": 0.0}
    assert await count(store, EVENTS) == 5
    assert await count(store, SAMPLES) == 15
    row = await store.transaction("CS-1", "t")
    assert row["ended"] is not None
    assert (row["import_first"], row["import_last"], row["power"]) == (1000.0, 1009.0, 0.0)
    last = Station("CS-1")
    await later._taken_up(last)
    assert not last.transactions  # it has ended
    await tell(Csms(Strategy("none"), archive=store), last, "TransactionEvent", event(9, "Ended"))
    assert (await store.transaction("CS-1", "t"))["import_first"] == 1000.0  # one that is repeated erases nothing


async def what_is_old_goes_and_nothing_of_what_runs(store: Store) -> None:
    """1,200 events of a transaction that ended long ago, in steps; those of one that runs stay, however old."""
    day, now = 86_400.0, 1_800_000_000.0
    long_ago = now - 40 * day
    ends = {"old": long_ago, "runs": None, "new": now - day}
    rows = [Row("transactions", {"station": "CS-1", "id": id_, "began": long_ago, "ended": ended}) for id_, ended in ends.items()]
    for id_, count_ in (("old", 1200), ("runs", 3), ("new", 3), ("nobody's", 3)):
        for number in range(count_):
            key = {"station": "CS-1", "transaction": id_, "seq_no": number}
            rows += [Row("events", key | {"received": long_ago}), Row("samples", key | {"place": 0, "at": long_ago, "value": 1.0})]
        rows.append(profile_row("CS-1", "needs", {"transaction": id_}, {}, long_ago))
    rows += [Row("story", {"station": "CS-1", "at": at, "topic": "t", "text": ""}) for at in (long_ago, now)]
    rows += [Row("connections", {"id": id_, "ended": ended}) for id_, ended in (("1", long_ago), ("2", None))]
    rows += [Row("stations", {"id": "CS-1", "first_seen": long_ago, "last_seen": long_ago})]
    await store.keep(rows)
    steps = []

    class Counted:
        async def work(self, work):
            steps.append(await store.work(work))
            return steps[-1]

    assert await thrown_away(Counted(), ages_of(["30", "samples=50"]), lambda: now) == sum(steps)
    assert max(steps) == STEP
    kept = [
        tuple(row)
        for row in await store.read(lambda c: c.execute(select(EVENTS.c.transaction, func.count()).group_by("transaction")).all())
    ]
    assert sorted(kept) == [("new", 3), ("runs", 3)]
    assert await count(store, SAMPLES) == 1209  # 50 days are not over
    assert await count(store, METADATA.tables["profiles"]) == 2
    assert {row["id"] for row in await store.open_transactions("CS-1")} == {"runs"}
    assert await store.transaction("CS-1", "old") is None
    assert [await count(store, METADATA.tables[name]) for name in ("story", "connections", "stations")] == [1, 1, 1]
    assert await thrown_away(store, ages_of(["samples=30"]), lambda: now) == 1203
    assert await thrown_away(store, ages_of(["1"]), lambda: now - 40 * day) == 0


async def what_leads_a_running_transaction_is_recalled(store: Store) -> None:
    """After a restart the needs of its car are known, and its profile, whose id is nobody else's."""
    csms, station = Csms(Strategy("none"), archive=store), Station("CS-1")
    await tell(csms, station, "TransactionEvent", event(0, "Started"))
    needs = {"requestedEnergyTransfer": "DC_BPT", "v2xChargingParameters": {"maxChargePower": 11000, "maxDischargePower": 8000}}
    await tell(csms, station, "NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": needs})
    made = {"id": 7, "chargingProfileKind": "Dynamic", "chargingSchedule": []}
    about = {"transaction": "t", "evse": 1, "id": 7}
    await store.keep([profile_row("CS-1", "sent", about | {"status": "Accepted"}, made, 1.0)])
    await store.keep([profile_row("CS-1", "sent", about | {"status": "Rejected"}, made | {"id": 8}, 2.0)])
    later, again = Csms(Strategy("none"), archive=store), Station("CS-1")
    await later._taken_up(again)
    tx = again.running(1)
    assert tx is not None
    assert tx.needs[-1]["chargingNeeds"] == needs
    assert needs_of(tx.needs[-1]).discharge_maximum == 8000
    assert tx.profile == made
    assert next(again.profile_ids) == 8


@pytest.mark.parametrize("given", ["0", "-1", "soon", "stations=3", "events=", "=3", "inf", "nan"])
def test_an_age_that_cannot_be_meant_is_refused(given):
    with pytest.raises(ValueError, match="--keep"):
        ages_of([given])


async def a_row_that_cannot_be_written_costs_no_other(store: Store) -> None:
    """300 writers at once, every hundredth with what no column holds: the others are kept, and each hundredth is told why."""

    def rows(number: int) -> list[Row]:
        wrong = {"seq_no": 1 << 70} if number % 100 == 0 else {"seq_no": 0}
        return [Row("events", {"station": f"S{number}", "transaction": "t", "payload": "{}", **wrong})]

    before = store.commits
    told = await asyncio.gather(*(store.keep(rows(number)) for number in range(300)), return_exceptions=True)
    assert [isinstance(said, StoreFault) for said in told] == [number % 100 == 0 for number in range(300)]
    assert await count(store, EVENTS) == 297
    assert store.commits - before < 100  # halves of halves, not one for each


async def what_is_not_stored_is_not_acknowledged(store: Store) -> None:
    from ocpp_bridge.wire.rpc import Refusal

    csms, station = Csms(Strategy("none"), archive=store), Station("CS-1")
    with pytest.raises(Refusal, match="not be stored"):
        await tell(csms, station, "TransactionEvent", event(0) | {"seqNo": 1 << 70})


WRITER = """
import asyncio, sys
from tests.v2gkit.csms.test_store import event, tell
from v2gkit.csms.retention import thrown_away
from v2gkit.csms.server import Csms
from v2gkit.csms.stations import Station
from v2gkit.csms.steering import Strategy, needs_of
from v2gkit.csms.store.ages import STEP, ages_of
from v2gkit.csms.store.keeper import Store
async def main():
    csms = Csms(Strategy("none"), archive=Store(sys.argv[1]))
    async def one(name):
        station = Station(name)
        for number in range(10**6):
            await tell(csms, station, "TransactionEvent", event(number))
            print(name, number, flush=True)
    await asyncio.gather(*(one(f"S{n}") for n in range(8)))
asyncio.run(main())
"""


async def what_was_acknowledged_survives_a_kill(store: Store) -> None:
    run = [sys.executable, "-c", WRITER, store.url]
    pipe = asyncio.subprocess.PIPE
    writer = await asyncio.create_subprocess_exec(*run, cwd=ROOT, stdout=pipe, env={**os.environ, "PYTHONPATH": str(ROOT)})
    heard = [await writer.stdout.readline() for _ in range(200)]
    os.kill(writer.pid, signal.SIGKILL)
    heard += (await writer.communicate())[0].splitlines()
    acknowledged = {(line[0].decode(), int(line[1])) for line in map(bytes.split, heard) if len(line) == 2}
    found = await store.read(lambda connection: {tuple(row) for row in connection.execute(select(EVENTS.c.station, EVENTS.c.seq_no))})
    assert len(acknowledged) >= 195
    assert acknowledged <= found


SCENES = (
    events_that_come_twice_are_one,
    a_row_that_cannot_be_written_costs_no_other,
    what_is_not_stored_is_not_acknowledged,
    what_was_acknowledged_survives_a_kill,
    what_is_old_goes_and_nothing_of_what_runs,
    what_leads_a_running_transaction_is_recalled,
)


def played(scene, url: str) -> None:
    """Play a scene on an empty store at a URL."""
    store = Store(url)
    with store._engine.begin() as connection:
        for table in METADATA.sorted_tables:
            connection.execute(table.delete())
    asyncio.run(asyncio.wait_for(scene(store), 300))
    store.close()


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_in_sqlite(scene, tmp_path):
    played(scene, f"sqlite:///{tmp_path / 'csms.sqlite'}")


def test_in_postgresql():
    """All of them in one server: to start it costs more than they do."""
    with postgres() as url:
        for scene in SCENES:
            played(scene, url)


def calls_of(work) -> int:
    """How many functions a piece of work calls, of Python and of C."""
    count = 0

    def noted(frame, what, argument) -> None:
        nonlocal count
        count += what in ("call", "c_call")

    sys.setprofile(noted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_an_event_costs_the_same_after_10_000_events():
    csms, station = Csms(Strategy("none")), Station("CS-1")

    def hear(numbers: range, kept: bool = True) -> None:
        for number in numbers:
            told = event(number)
            answer = HANDLERS["TransactionEvent"](csms, station, told)
            kept and rows_of("TransactionEvent", Said(station, told, answer, 0.0))

    hear(range(100))
    early = calls_of(lambda: hear(range(100, 200)))
    hear(range(200, 10_000), kept=False)
    assert calls_of(lambda: hear(range(10_000, 10_100))) <= 1.02 * early


def test_a_station_fills_no_memory():
    csms, station = Csms(Strategy("none")), Station("CS-1")
    csms._recollection._room = 100_000
    for number in range(2_000):
        HANDLERS["TransactionEvent"](csms, station, event(number % 7, transaction=f"t{number}"))
        HANDLERS["TransactionEvent"](csms, station, event(number * 3))
    assert len(station.transactions) == TRANSACTIONS
    assert sum(len(str(kept)) for tx in station.transactions.values() for kept in tx.events) < 300_000
    assert len(station.transactions["t1999"].events) == 1
    alive = station.transaction("alive")
    assert station.transactions["alive"] is alive


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [(["--store", "mysql://x"], "give sqlite:///FILE or postgresql"), (["--store", "sqlite:////no/such/folder/x"], "cannot be opened")],
)
def test_a_store_that_cannot_be_had_is_said(arguments, reason, capsys):
    assert main(["csms", "--port", "0", *arguments]) == 2
    assert reason in capsys.readouterr().err


def test_a_store_of_other_tables_is_refused_and_a_password_is_not_shown(tmp_path):
    url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    first = Store(url)
    with first._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE about SET value = '999'")
    first.close()
    with pytest.raises(StoreFault, match="version 999"):
        Store(url)
    assert "secret" not in shown("postgresql://user:secret@host/x")


def test_the_command_keeps_its_history_in_the_folder_of_its_state(tmp_path):
    """Two runs of the command with one folder: what the first heard, the second counts on."""
    from tests.ocpp_bridge.ocpp_stand import stand

    async def run() -> list[str]:
        command = [
            sys.executable,
            "-m",
            "v2gkit",
            "csms",
            "--port",
            "0",
            "--json",
            "--stdin",
            "--strategy",
            "none",
            "--state",
            str(tmp_path),
        ]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)

        async def line(true) -> dict:
            while not true(said := json.loads(await asyncio.wait_for(process.stdout.readline(), 300))):
                pass
            return said

        port = (await line(lambda said: said.get("topic") == "listening"))["port"]
        async with stand(port=port) as s:
            await line(lambda said: said.get("topic") == "status")
            s.arrive()
            await line(lambda said: said.get("topic") == "transaction")
        process.stdin.write(b"quit\n")
        assert await asyncio.wait_for(process.wait(), 300) == 0
        store = Store(f"sqlite:///{tmp_path / 'csms.sqlite'}")
        found = await store.read(lambda connection: list(connection.execute(select(CONNECTIONS.c.id)).scalars()))
        store.close()
        return found

    assert len(asyncio.run(asyncio.wait_for(run(), 300))) == 1
    assert len(asyncio.run(asyncio.wait_for(run(), 300))) == 2


def test_what_a_station_streams_is_kept(tmp_path):
    from websockets.asyncio.client import connect

    async def scene() -> None:
        store = Store(f"sqlite:///{tmp_path / 'csms.sqlite'}")
        csms = Csms(Strategy("none"), archive=store)
        server = await csms.serve()
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/CS-1", subprotocols=["ocpp2.1"]) as station:
            boot = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}
            data = [{"t": 0.5, "v": "230.1"}, {"t": 1, "v": "no number"}, {"t": 2.5, "v": "229"}]
            stream = {"id": 7, "pending": 0, "basetime": "2026-03-01T12:00:00Z", "data": data}
            await station.send(json.dumps([2, "1", "BootNotification", boot]))
            await station.recv()
            await station.send(json.dumps([6, "2", "NotifyPeriodicEventStream", stream]))
            await station.send(json.dumps([2, "3", "Heartbeat", {}]))
            await station.recv()
        await store.keep([Row("about", {"name": "after", "value": ""})])
        wanted = select(SAMPLES.c.measurand, SAMPLES.c.value, SAMPLES.c.at)
        found = await store.read(lambda connection: [tuple(row) for row in connection.execute(wanted)])
        assert found == [("stream 7", 230.1, 1772366400.5), ("stream 7", 229.0, 1772366402.5)]
        server.close()
        store.close()

    asyncio.run(asyncio.wait_for(scene(), 300))


def test_the_stream_of_a_station_arrives_over_its_socket(tmp_path):
    """A monitor that the CSMS sets with a stream: the station asks to open it, and its SENDs are rows of the history."""

    async def scene() -> None:
        store = Store(f"sqlite:///{tmp_path / 'csms.sqlite'}")
        csms = Csms(Strategy("none"), archive=store)
        async with stand(csms) as s:
            await s.until(lambda: csms.stations and csms.stations["CS-1"].status == "Accepted")
            s.point.bridge.take_reading(1, MeterReading("M1", 0.0, 0.0, 0.0), 4200.0)
            asked = POWER | {"type": "Periodic", "value": 1, "severity": 4, "periodicEventStream": {"interval": 5, "values": 2}}
            (made,) = (await csms.call("CS-1", "SetVariableMonitoring", {"setMonitoringData": [asked]}))["setMonitoringResult"]
            assert made["status"] == "Accepted"
            wanted = select(SAMPLES.c.station, SAMPLES.c.measurand, SAMPLES.c.value)
            found: list[tuple] = []
            while len(found) < 2:
                found = await store.read(lambda connection: [tuple(row) for row in connection.execute(wanted)])
                await asyncio.sleep(0.05)
            assert set(found) == {("CS-1", f"stream {made['id']}", 4200.0)}
            assert [call["constantStreamData"]["id"] for call in s.frames.calls("OpenPeriodicEventStream")] == [made["id"]]
        store.close()

    asyncio.run(asyncio.wait_for(scene(), 300))


def test_processes_that_begin_at_once_share_one_store(tmp_path):
    with ThreadPoolExecutor(8) as threads:
        for number in range(3):
            for store in threads.map(Store, [f"sqlite:///{tmp_path / f'{number}.sqlite'}"] * 8):
                store.close()
