"""Nothing is lost: what must outlive the process is on the disk before what rests on it is said, and is taken up after a restart."""

import asyncio
import logging
import os
import sqlite3
import stat
import time
from dataclasses import replace
from functools import partial

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ocpp_bridge.blocks import resumption
from ocpp_bridge.bridge import Bridge
from ocpp_bridge.wire.outbox import Batch, Call, Outbox
from ocpp_bridge.wire.schemas import check
from ocpp_bridge.wire.store import FORMAT, Store, StoreError
from secc.station import AuthorizationWanted, MeterReading, PowerStarted, PowerStopped, SessionStarted
from tests.ocpp_bridge.ocpp_stand import WALL, charger, stand
from tests.ocpp_bridge.test_bridge import EMAID, EVCCID, Played
from tests.ocpp_bridge.test_profiles import DEFAULT, profile
from tests.starved import HANG
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy


class Disk:
    """What a store has on its disk, by the batches that were committed."""

    def __init__(self):
        self.calls, self.values = {}, {}

    def commit(self, batch):
        if batch is not None:
            self.calls = {number: body for number, body in (self.calls | batch.calls).items() if number not in batch.over}
            self.values |= batch.values
            self.values = {name: body for name, body in self.values.items() if body is not None}

    def into(self, bridge):
        kept = [msgspec.json.decode(body) | {"number": number} for number, body in sorted(self.calls.items())]
        bridge.restore({name: msgspec.json.decode(body) for name, body in self.values.items()}, [Call(**each, kept=True) for each in kept])


class Again(Played):
    """A bridge that is killed, and one that comes after it with what the disk holds."""

    def __init__(self, **more):
        super().__init__(**more)
        self.more, self.disk = more, Disk()

    def killed(self):
        self.disk.commit(self.bridge.batch(self.now))
        fresh = Again(**self.more)
        fresh.now, fresh.disk, fresh.sent = self.now + 60.0, self.disk, self.sent
        fresh.bridge.charger.entropy = lambda n: os.urandom(n)
        self.disk.into(fresh.bridge)
        return fresh


def reading(imported: float, at: float = WALL) -> MeterReading:
    return MeterReading("M", imported, 0.0, at)


def charging(**more) -> Again:
    p = Again(**more).boot()
    p.bridge.plug_in(1, p.now)
    p.bridge.take_reading(1, reading(100.0), 7000.0, 400.0)
    p.arrive(control="Dynamic")
    p.want(PowerStarted(0.0))
    p.bridge.take_reading(1, reading(150.0, WALL + 30.0), 7000.0, 400.0)
    p.run(61.0)
    return p


def numbers(p: Played) -> list[int]:
    return [event["seqNo"] for event in p.events]


def test_a_transaction_goes_on_after_a_restart_where_its_car_is_still_there():
    p = charging()
    id_ = p.events[0]["transactionInfo"]["transactionId"]
    q = p.killed()
    q.boot()
    q.bridge.plug_in(1, q.now)
    q.arrive(control="Dynamic")
    q.bridge.unplug(1, q.now)
    q.run()
    assert {event["transactionInfo"]["transactionId"] for event in q.events} == {id_}
    assert numbers(q) == list(range(len(q.events)))
    assert "TxResumed" in [event["triggerReason"] for event in q.events]
    assert [event["eventType"] for event in q.events].count("Started") == 1
    assert q.events[-1]["eventType"] == "Ended"
    assert q.bridge.batch(q.now) is not None
    assert "transaction/1" not in q.charger.kept


@pytest.mark.parametrize("resumed", [False, True])
def test_a_session_of_its_car_takes_a_transaction_up_without_a_pilot(resumed):
    q = charging().killed()
    q.boot()
    q.want(SessionStarted(0.0, bytes(8), "another word for it" if resumed else EVCCID, resumed))
    assert q.events[-1]["triggerReason"] == "TxResumed"
    assert q.charger.evses[1].transaction.id == q.events[0]["transactionInfo"]["transactionId"]


@pytest.mark.parametrize("how", ["the cable is out", "another car", "another car at the cable", "nobody comes"])
def test_a_transaction_whose_car_is_gone_ends_with_its_last_register_and_the_time_of_it(how):
    p = charging()
    id_, before = p.events[0]["transactionInfo"]["transactionId"], len(p.events)
    q = p.killed()
    q.boot()
    match how:
        case "the cable is out":
            q.bridge.unplug(1, q.now)
        case "another car":
            q.want(SessionStarted(0.0, bytes(8), "OTHER"))
        case "another car at the cable":
            q.bridge.plug_in(1, q.now)
            q.want(SessionStarted(0.0, bytes(8), "OTHER"))
    q.run(1000.0 if how == "nobody comes" else 0.0)
    events = [event for event in q.events if event["transactionInfo"]["transactionId"] == id_]
    ended = events[-1]
    assert (ended["eventType"], ended["transactionInfo"]["stoppedReason"]) == ("Ended", "PowerLoss")
    assert [event["seqNo"] for event in events] == list(range(len(events)))
    assert len(events) > before
    registers = {v["measurand"]: v["value"] for m in ended["meterValue"] for v in m["sampledValue"]}
    assert registers["Energy.Active.Import.Register"] == 150.0
    assert ended["timestamp"] == "2026-11-22T18:00:30.000Z"
    if how.startswith("another"):
        assert q.charger.evses[1].transaction.id != id_
        assert q.events[-1]["eventType"] == "Started"


def test_profiles_outlive_the_process_and_a_tx_profile_its_transaction_no_longer():
    p = charging()
    p.install({"startPeriod": 0, "limit": 6000.0})
    ask = {"evseId": 1, "chargingProfile": profile(id=77, **DEFAULT)}
    assert p.ask("SetChargingProfile", ask)["status"] == "Accepted"
    held = dict(p.charger.profiles.held)
    q = p.killed()
    assert {id_: (one.profile, one.evse, one.updated) for id_, one in q.charger.profiles.held.items()} == {
        id_: (one.profile, one.evse, one.updated) for id_, one in held.items()
    }
    q.boot()
    q.bridge.unplug(1, q.now)
    q.run()
    assert set(q.charger.profiles.held) == {77}
    r = q.killed()
    assert set(r.charger.profiles.held) == {77}
    assert r.ask("ClearChargingProfile", {"chargingProfileId": 77})["status"] == "Accepted"
    assert not r.killed().charger.profiles.held


@pytest.mark.parametrize("there", [True, False])
def test_a_limit_of_a_transaction_waits_for_its_car_as_the_transaction_does(there):
    p = Again()
    p.answers["TransactionEvent"] = {"transactionLimit": {"maxEnergy": 9000.0}}
    p.boot()
    p.bridge.plug_in(1, p.now)
    p.arrive(control="Dynamic")
    q = p.killed()
    q.boot()
    q.run(10.0)
    (q.bridge.plug_in if there else q.bridge.unplug)(1, q.now)
    q.run(10.0)
    limit = q.charger.evses[1].limit
    assert (limit is not None and limit.values == {"maxEnergy": 9000.0}) == there


def test_being_hung_is_no_attempt_and_being_refused_is():
    p = Played().boot()
    p.answers["TransactionEvent"] = "Timeout"
    p.bridge.plug_in(1, p.now)
    p.run(86_400.0)
    assert [event["eventType"] for event in p.events][:3] == ["Started"] * 3  # again and again, and nothing else before it
    assert p.charger.outbox.kept[0].payload["eventType"] == "Started"
    assert p.charger.outbox.discarded == 0
    p.answers["TransactionEvent"] = {}
    p.run(60.0)
    assert p.charger.outbox.kept == []
    q = Played().boot()
    q.answers["TransactionEvent"] = "InternalError"
    q.bridge.plug_in(1, q.now)
    q.run(600.0)
    assert [event["eventType"] for event in q.events].count("Started") == 3
    assert q.charger.outbox.discarded >= 1


@pytest.mark.parametrize("code", ["Timeout", "NotImplemented"])
def test_a_csms_that_does_not_know_security_events_hears_of_transactions(code: str):
    p = Played().boot()
    p.answers["SecurityEventNotification"] = code
    p.bridge.alarm("InvalidCsmsCertificate", "another CSMS was there", p.now)
    p.bridge.plug_in(1, p.now)
    p.run(1.0)
    assert [event["eventType"] for event in p.events] == ["Started"]
    p.run(600.0)
    assert p.charger.outbox.kept == []
    assert p.charger.outbox.discarded == 1  # it was asked as often as a CSMS is that refuses


def test_a_notice_that_was_cut_off_is_sent_again():
    box = Outbox()
    box.put(Call("NotifyEvent", {}, kept=True))
    for _ in range(5):
        assert box.next(0.0, lambda call: True)
        assert box.settled("ConnectionLost", 0.0) is None
    box.next(0.0, lambda call: True)
    assert box.settled("Timeout", 0.0) is not None
    assert box.kept == []


def test_nothing_leaves_before_the_commit_of_what_it_rests_on():
    p = Played().boot()
    p.bridge.batch(p.now)
    p.bridge.durable(p.charger.outbox.number)
    p.bridge.plug_in(1, p.now)
    assert p.bridge.calls(p.now) == []  # neither the event nor the status behind it
    batch = p.bridge.batch(p.now)
    assert batch.calls
    assert batch.values["transaction/1"]
    p.bridge.durable(batch.number - 1)
    p.bridge.durable(batch.number)
    [call] = p.bridge.calls(p.now)
    assert call.action == "TransactionEvent"


# --- the pure part, killed anywhere ---


class Killed(RuleBasedStateMachine):
    """A bridge with a disk and a CSMS: commits come late, answers get lost, the process ends anywhere. What the CSMS has is in order."""

    @initialize()
    def begin(self):
        self.now, self.disk, self.heard, self.wh = 0.0, Disk(), {}, 0.0
        self.there = False
        self.start()

    def start(self):
        self.bridge = Bridge(charger())
        self.bridge.charger.entropy = os.urandom
        self.disk.into(self.bridge)
        self.bridge.durable(self.bridge.charger.outbox.number)
        self.bridge.charger.boot.status = "Accepted"
        self.online, self.open = False, None
        self.known = False  # whether the hardware has told of the cable

    @rule()
    def kill(self):
        self.start()

    @rule()
    def cable(self):
        self.there = not self.there if self.known else self.there
        self.known = True
        (self.bridge.plug_in if self.there else self.bridge.unplug)(1, self.now)

    @rule(car=st.sampled_from(["A", "B"]))
    def session(self, car):
        if self.there and self.known:
            self.bridge.want(1, SessionStarted(0.0, bytes(8), car), self.now)
            self.bridge.want(1, AuthorizationWanted(0.0, "PnC", car, EMAID), self.now)

    @rule()
    def power(self):
        if self.bridge.charger.evses[1].session is not None:
            self.bridge.want(1, PowerStarted(0.0), self.now)
            self.bridge.want(1, PowerStopped(0.0), self.now)

    @rule(wh=st.floats(0.0, 50.0))
    def meter(self, wh):
        self.wh += wh
        self.bridge.take_reading(1, reading(self.wh, WALL + self.now), 1.0, 400.0)
        self.bridge.tick(self.now)

    @rule(seconds=st.sampled_from([1.0, 61.0, 1000.0]))
    def wait(self, seconds):
        self.now += seconds
        self.bridge.tick(self.now)

    @rule()
    def commit(self):
        batch = self.bridge.batch(self.now)
        if batch is not None:
            self.disk.commit(batch)
            self.bridge.durable(batch.number)

    @rule()
    def link(self):
        self.open = None
        self.online = not self.online
        self.bridge.go_online("ocpp2.1", self.now) if self.online else self.bridge.go_offline(self.now)

    @rule(answered=st.booleans())
    def exchange(self, answered):
        if not self.online:
            return
        for call in self.bridge.calls(self.now):
            if call.action == "TransactionEvent":
                self.hear(call.payload)
            if answered:
                self.bridge.take_result(
                    call, {"idTokenInfo": {"status": "Accepted"}, "status": "Accepted", "currentTime": "x", "interval": 300}, self.now
                )
            else:
                self.bridge.take_failure(call, "Timeout", self.now)

    def hear(self, payload):
        check("ocpp2.1", "TransactionEvent", "Request", payload)
        heard = self.heard.setdefault(payload["transactionInfo"]["transactionId"], [])
        if payload["seqNo"] < len(heard):
            assert heard[payload["seqNo"]] == payload, "one number, two events"
            return
        assert payload["seqNo"] == len(heard), "a gap"
        assert not heard or heard[-1]["eventType"] != "Ended", "something after the end"
        assert (payload["eventType"] == "Started") == (not heard)
        heard.append(payload)

    @invariant()
    def registers_only_rise(self):
        for events in getattr(self, "heard", {}).values():
            shown = [
                v["value"]
                for event in events
                for m in event.get("meterValue", [])
                for v in m["sampledValue"]
                if v["measurand"] == "Energy.Active.Import.Register"
            ]
            assert shown == sorted(shown)

    def teardown(self):
        if not hasattr(self, "heard"):
            return
        self.start()
        self.bridge.unplug(1, self.now)
        self.commit()
        self.link()
        for _ in range(500):
            self.now += 100.0
            self.commit()
            self.exchange(True)
        for events in self.heard.values():
            assert events[-1]["eventType"] == "Ended"
        assert self.bridge.charger.outbox.kept == []


def test_a_station_that_is_killed_anywhere_loses_and_doubles_nothing():
    run_state_machine_as_test(Killed, settings=settings(max_examples=40, stateful_step_count=40, deadline=None))


# --- the file ---


def filled(path, **more) -> Store:
    store = Store(path, "CS-1")
    store.open()
    store.commit(Batch(2, {1: b'{"action":"A","evse":1,"about":"t","payload":{"x":1}}'}, (), {"profile/7": b"[1]"}))
    return store


def test_what_was_committed_is_found_and_what_is_over_is_not(tmp_path):
    path = tmp_path / "ocpp.sqlite"
    filled(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    store = Store(path, "CS-1")
    found = store.open()
    assert [(call.number, call.action, call.evse, call.about, call.payload, call.kept) for call in found.calls] == [
        (1, "A", 1, "t", {"x": 1}, True)
    ]
    assert found.values == {"profile/7": [1]}
    store.commit(Batch(3, {}, (1,), {"profile/7": None, "profile/8": b"2"}))
    store.close()
    found = Store(path, "CS-1").open()
    assert (found.calls, found.values) == ([], {"profile/8": 2})


@pytest.mark.parametrize("content", ["garbage", "a torn page", "another program", "another station", "no JSON", "empty"])
def test_a_file_that_is_no_store_of_this_station_is_moved_aside(content, tmp_path, caplog):
    path = tmp_path / "ocpp.sqlite"
    match content:
        case "garbage":
            path.write_bytes(b"no database at all" * 1000)
        case "empty":
            path.write_bytes(b"")
        case "another program":
            with sqlite3.connect(path) as base:
                base.execute("CREATE TABLE x (y)")
        case _:
            store = filled(path)
            if content == "no JSON":
                store.commit(Batch(3, {}, (), {"x": b"{"}))
            store.close()
            if content == "a torn page":
                octets = bytearray(path.read_bytes())
                octets[4096:] = os.urandom(len(octets) - 4096)
                path.write_bytes(octets)
    station = "CS-2" if content == "another station" else "CS-1"
    store = Store(path, station)
    assert (store.open().calls, store.open().values) == ([], {})
    store.commit(Batch(1, {}, (), {"a": b"1"}))
    store.close()
    assert len(list(tmp_path.glob("*.unreadable"))) == (0 if content == "empty" else 1)
    assert ("moved to" in caplog.text) == (content != "empty")
    assert Store(path, station).open().values == {"a": 1}


@pytest.mark.parametrize("what", ["newer", "folder", "read-only folder", "in use", "no folder"])
def test_a_file_that_cannot_be_used_is_refused_with_its_cure(what, tmp_path):
    path = tmp_path / "ocpp.sqlite"
    match what:
        case "newer":
            filled(path).close()
            with sqlite3.connect(path) as base:
                base.execute(f"PRAGMA user_version = {FORMAT + 1}")
        case "folder":
            path.mkdir()
        case "in use":
            held = filled(path)
            assert held
        case "no folder":
            path = tmp_path / "not there" / "ocpp.sqlite"
        case "read-only folder":
            if os.geteuid() == 0:
                pytest.skip("root may write anywhere")
            tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match=r"newer version|folder"):
        Store(path, "CS-1").open()
    assert list(tmp_path.glob("*.unreadable*")) == []


# --- the shell ---


def test_a_disk_that_fails_is_said_once_and_costs_no_session(tmp_path, monkeypatch, caplog):
    full, commit = [True], Store.commit

    def scarce(self, batch):
        if full[0]:
            raise StoreError("the disk is full")
        commit(self, batch)

    monkeypatch.setattr(Store, "commit", scarce)
    monkeypatch.setattr("ocpp_bridge.keeping.AGAIN", 0.05)

    async def scene():
        csms = Csms(Strategy("none"))
        async with stand(csms, store=tmp_path / "ocpp.sqlite") as s:
            s.arrive()
            s.pnc()
            await s.until(lambda: csms.stations and s.station.transactions and s.transaction.token)
            full[0] = False
            await s.until(lambda: "holds everything" in caplog.text)
            s.leave()
            await s.until(lambda: s.transaction.ended and not s.point.bridge.charger.outbox.kept)  # it has heard the answer, too

    with caplog.at_level(logging.WARNING, logger="v2g.ocpp"):
        asyncio.run(asyncio.wait_for(scene(), HANG))
    assert caplog.text.count("the disk is full") == 1
    assert Store(tmp_path / "ocpp.sqlite", "CS-1").open().calls == []


def test_a_store_that_cannot_be_opened_costs_no_session(tmp_path, caplog):
    async def scene():
        csms = Csms(Strategy("none"))
        async with stand(csms, store=tmp_path) as s:
            s.arrive()
            s.pnc()
            await s.until(lambda: csms.stations and s.station.transactions and s.transaction.token)
            s.leave()
            await s.until(lambda: s.transaction.ended)

    asyncio.run(asyncio.wait_for(scene(), HANG))
    assert caplog.text.count("is a folder where the station keeps a file") == 1


def test_an_answer_waits_for_the_disk_and_no_session_waits_for_either(tmp_path, monkeypatch):
    slow, commit = [False], Store.commit

    def dawdling(self, batch):
        until = time.monotonic() + HANG
        while slow[0] and time.monotonic() < until:
            time.sleep(0.01)
        commit(self, batch)

    monkeypatch.setattr(Store, "commit", dawdling)

    async def scene():
        csms = Csms(Strategy("none"))
        async with stand(csms, store=tmp_path / "ocpp.sqlite") as s:
            await s.until(lambda: csms.stations and csms.stations["CS-1"].connectors)
            slow[0] = True
            asking = asyncio.ensure_future(
                csms.call("CS-1", "SetChargingProfile", {"evseId": 1, "chargingProfile": profile(id=9, **DEFAULT)})
            )
            await s.until(lambda: 9 in s.point.bridge.charger.profiles.held)
            s.arrive()  # the loop is free
            await asyncio.sleep(0.1)
            assert not asking.done()
            assert not s.station.transactions
            slow[0] = False
            assert (await asking)["status"] == "Accepted"
            await s.until(lambda: s.station.transactions)

    asyncio.run(asyncio.wait_for(scene(), HANG))


def test_a_kept_row_has_every_field_that_a_transaction_needs_to_go_on():
    p = charging()
    row = p.charger.kept["transaction/1"]
    tx = p.charger.evses[1].transaction
    p.killed()
    restored = replace(tx)
    assert {name: row[name] for name in resumption.FIELDS} == {name: getattr(restored, name) for name in resumption.FIELDS}


def test_what_nobody_answers_is_sent_without_waiting_for_an_answer():
    stream = {"id": 1, "pending": 0, "basetime": "2026-11-22T18:00:00Z", "data": [{"t": 0.0, "v": "1"}]}

    async def scene():
        csms = Csms(Strategy("none"))
        async with stand(csms) as s:
            await s.until(lambda: csms.stations and csms.stations["CS-1"].connectors)
            for _ in range(2):
                assert s.point.bridge.charger.call("NotifyPeriodicEventStream", stream)
            s.point.wake()
            await s.until(lambda: [frame[0] for way, frame in s.frames.log if way == "out"].count(6) == 2)
            assert s.point.bridge.charger.outbox.under_way is None

    asyncio.run(asyncio.wait_for(scene(), HANG))


class _Mortal(sqlite3.Connection):
    """A connection whose process is killed before one of its statements."""

    left = 0

    def execute(self, *what):
        if _Mortal.left == 0:
            os._exit(9)
        _Mortal.left -= 1
        return super().execute(*what)

    def executescript(self, script):
        for statement in script.split(";"):
            self.execute(statement)
        return self.cursor()


def test_who_is_killed_while_it_makes_its_store_leaves_none_of_a_stranger(tmp_path, monkeypatch):
    """A fault of the kill tests, once in some ten runs: the tables were there, and not yet whose they are."""
    for statement in range(30):
        path = tmp_path / str(statement) / "ocpp.sqlite"
        path.parent.mkdir()
        if not (child := os.fork()):
            _Mortal.left = statement
            monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=_Mortal))
            Store(path, "CS-1").open()
            os._exit(0)
        killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        store = Store(path, "CS-1")
        assert store.open().calls == []
        store.close()
        assert [each.name for each in path.parent.glob("*unreadable*")] == []
        if not killed:
            break
    assert not killed
    assert statement > 10
