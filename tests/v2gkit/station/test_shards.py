"""Outlets shared out among processes: what is killed costs its own sessions, opens its contactors, and begins anew."""

import asyncio
import contextlib
import datetime
import functools
import inspect
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from fuzz.soak.outlet import Telltale
from pki.issue import build
from pki.plan import Plan
from pki.profiles import Role
from secc import station as words
from secc.config import parse
from secc.lobby import Seen, Welcome
from secc.outlet import Outlet
from tests.starved import HANG, again, hear, missed
from v2g.energy.series import Series
from v2g.reasons import Reason
from v2g.session import errors
from v2g.session.endpoint import Ended, Noted
from v2g.session.link import Disconnected, Observer
from v2g.settings.strict import ConfigError
from v2gkit.station.shards import said
from v2gkit.station.shards.channel import MOST, Channel, Foreign, understood, written
from v2gkit.station.shards.doors import Door, Lines, Watching
from v2gkit.station.shards.office import demand_workable
from v2gkit.station.shards.shard import places_of

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
V2G = [sys.executable, "-m", "v2gkit"]


# --- what is said ---


@pytest.mark.parametrize(
    "error",
    [
        errors.TimedOut("V2G_SECC_Sequence_Timeout", 0.5, "no DC_ChargeLoopReq", "V2G20-443"),
        errors.Refused(Reason.CARD_REFUSED, "the card", None),
        errors.PeerUnsafe("too much", "V2G20-1", "voltage"),
        errors.StationFailed("the fuse", None, Reason.OTHER),
        errors.ConnectionLost("cut"),
        errors.SequenceError("out of turn", "V2G20-2"),
    ],
)
def test_an_error_says_the_same_in_another_process(error: errors.SessionError) -> None:
    found = understood(written(Ended("timed out", error))).error
    assert (type(found), str(found), vars(found)) == (type(error), str(error), vars(error))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_facts_wants_and_certificates_are_the_same_in_another_process() -> None:
    certificate = build(Plan(responders=False), "secp521r1", datetime.datetime.now(datetime.UTC))[Role.SECC].chain[0]
    for value in (
        words.Authorized(),
        words.EVReported(1.0, power=5.0, soc=20.5),
        words.SessionStarted(1.0, bytes(8), "WMI"),
        words.LimitsChanged(words.Limits(charge_power=22_000)),
        words.ScheduleChosen(1.0, Series.constant(0.0, 60.0, 11_000.0), tuple_id=1),
        words.AuthorizationWanted(1.0, "PnC", "WMI", "DE8AA1234567897", (b"\x30",), 7),
        Noted(1.0, "certificate", {"chain": (certificate,)}),
    ):
        assert understood(written(value)) == value


def test_every_word_of_a_session_can_be_written_by_its_fields() -> None:
    """What is no frozen dataclass with plain fields would go by a slower way, or by none."""
    kinds = [kind for _, kind in inspect.getmembers(words, inspect.isclass) if is_dataclass(kind)]
    assert len(kinds) > 60
    for kind in kinds:
        assert all(one.init and not one.kw_only for one in fields(kind)), kind


class Command:
    """What a process that was taken over would say."""

    def __reduce__(self) -> Any:
        return os.system, ("true",)


class Getting:
    def __reduce__(self) -> Any:
        return eval, ("1",)


@pytest.mark.parametrize("foreign", [Command(), Getting(), subprocess.Popen, functools.partial(print)])
def test_nothing_can_be_said_that_makes_the_other_process_run_anything(foreign: object) -> None:
    with pytest.raises(Foreign):
        understood(pickle.dumps(foreign))


def test_a_function_of_ours_is_no_value() -> None:
    with pytest.raises(Foreign):
        understood(pickle.dumps(errors.bare))


def on_a_pair(scene: Callable[[Channel, Channel, list[Any]], Any]) -> None:
    async def run() -> None:
        heard: list[Any] = []
        one, other = socket.socketpair(socket.AF_UNIX)
        async with asyncio.timeout(HANG):
            await scene(await Channel.over(one, lambda value: None), await Channel.over(other, heard.append), heard)

    asyncio.run(run())


def test_what_cannot_be_said_costs_itself_and_all_else_comes_in_order() -> None:
    async def scene(one: Channel, other: Channel, heard: list[Any]) -> None:
        for value in (said.Left(True), said.Heard(0, lambda: None), said.Heard(1, Command()), said.Left(False)):
            one.say(value)
        await one.close()
        await other.gone.wait()
        assert heard == [said.Left(True), said.Left(False)]

    on_a_pair(scene)


def test_whoever_does_not_read_is_as_good_as_gone() -> None:
    async def scene(one: Channel, other: Channel, heard: list[Any]) -> None:
        assert other._transport is not None
        other._transport.pause_reading()
        assert not one.behind
        while not one.gone.is_set():
            one.say(said.Complaint("x" * (MOST // 16)))
            await asyncio.sleep(0)
        assert "has not read" in one.why

    on_a_pair(scene)


# --- what the parent knows ---


def test_discovery_sees_an_outlet_as_its_worker_does() -> None:
    door = Door(Outlet(), "lo", None)
    assert door.welcome("fe80::1") is Welcome.NOT  # nobody serves there yet
    for seen, welcome in (
        (Seen(), Welcome.FREE),
        (Seen("broken"), Welcome.NOT),
        (Seen(holder="fe80::2"), Welcome.NOT),
        (Seen(holder="fe80::2", silent=True), Welcome.SILENT),
        (Seen(holder="fe80::1"), Welcome.BACK),
    ):
        door.seen = seen
        assert door.welcome("fe80::1") is welcome
    door.seen, door.leaving = Seen(), True
    assert door.welcome("fe80::1") is Welcome.NOT


class Watcher(Observer):
    def __init__(self, fails: bool = False):
        self.seen: list[Any] = []
        self._fails = fails

    def event(self, event: Any) -> None:
        if self._fails:
            raise OSError("disk full")
        self.seen.append(event)


def test_watchers_see_the_end_of_a_connection_whose_process_is_lost_and_one_that_fails_costs_the_others_nothing() -> None:
    good, bad = Watcher(), Watcher(fails=True)
    watching = Watching({0: [lambda *_: bad, lambda *_: good], 1: [lambda *_: good]})
    for place in (0, 1):
        watching.hear(said.Opened(place, 7 + place, ("::1", 1), ("::1", 2)))
        watching.hear(said.Happened(7 + place, Noted(1.0, "x", {})))
    watching.lost((0,), "killed", 2.0)
    last = good.seen[-1]
    assert (len(good.seen), type(last), last.ended.reason) == (3, Disconnected, "killed")
    watching.lost((0,), "killed", 3.0)
    assert len(good.seen) == 3


def test_a_session_whose_process_is_lost_has_a_last_line() -> None:
    lines: list[tuple[str, dict[str, Any]]] = []
    book = Lines(lambda event, **facts: lines.append((event, facts)))
    for number in (1, 2):
        book.say("session", {"evse": f"E{number}", "connection": number})
    book.say("ended", {"evse": "E1", "connection": 1, "ok": True})
    book.lost("killed")
    book.lost("killed again")
    assert [facts["evse"] for event, facts in lines if event == "ended"] == ["E1", "E2"]
    assert lines[-1][1] | {"ok": False, "how": "aborted", "reason": "killed", "connection": 2} == lines[-1][1]


# --- what cannot be ---

TWO = 'tls = false\n[[outlet]]\nevse_id = "DE*V2G*E1"\n[[outlet]]\nevse_id = "DE*V2G*E2"\n'


@pytest.mark.parametrize(
    ("text", "once", "cure"),
    [
        ("workers = 0\n", False, "give 1 to 64"),
        ("workers = 3\n", False, "give at most 2"),
        ('workers = 2\nlistener = "shared"\n', False, "give each outlet its own listener"),
        ("workers = 2\n", True, "leave one of them out"),
        ('workers = 2\noffer.services = ["WPT"]\n', False, "leave workers out"),
    ],
)
def test_what_workers_cannot_do_is_refused_with_its_cure(text: str, once: bool, cure: str) -> None:
    with pytest.raises(ConfigError, match=cure):
        demand_workable(parse(text + TWO), once)


def test_outlets_are_shared_out_evenly() -> None:
    assert places_of(5, 2) == [(0, 2, 4), (1, 3)]


def test_what_one_process_alone_can_do_is_refused_by_the_command(tmp_path: Path) -> None:
    (tmp_path / "station.toml").write_text("workers = 2\n" + TWO)
    command = [*V2G, "secc", "--config", str(tmp_path / "station.toml"), "--cpu"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, env=ENVIRONMENT, check=False)
    assert (done.returncode, "--cpu measures one process" in done.stderr) == (2, True), done.stderr


# --- processes ---

STATION = """
host = "::1"
port = 0
tls = false
workers = 2
[offer]
services = ["AC"]
authorizations = ["EIM"]
"""  # cars of ISO 15118-2 at AC wait 2 s for an answer, and may be silent for 60 s
OUTLET = """
[[outlet]]
[outlet.hardware]
driver = "fuzz.soak.outlet:SoakedEVSE"
options = {{ file = "{file}", place = {place}, outlets = 2 }}
"""


class Site:
    """A station of two workers with an outlet each, and its cars, all processes of their own."""

    def __init__(self, folder: Path, *arguments: str):
        self.telltale, self.trace = Telltale(folder / "telltale", 2), folder / "trace.jsonl"
        config = folder / "station.toml"
        config.write_text(STATION + "".join(OUTLET.format(file=folder / "telltale", place=place) for place in range(2)))
        self.out, self.err = folder / "out", folder / "err"
        self.cars: list[subprocess.Popen[str]] = []
        command = [*V2G, "secc", "--config", str(config), "--json", "--trace", str(self.trace), *arguments]
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err, env=ENVIRONMENT)
        self.until(lambda: len(self.lines("listening")) == 2)
        self.workers = self._children()

    def lines(self, event: str, place: int | None = None) -> list[dict[str, Any]]:
        """Its lines of an event, at an outlet."""
        found = [json.loads(line) for line in self.out.read_text().split("\n")[:-1]]
        return [one for one in found if one["event"] == event and (place is None or one.get("evse") == f"DE*V2G*E{place + 1}")]

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; an error that names a missed timer where a car was late, on a machine without time to spare."""
        end = time.monotonic() + HANG
        while not holds():
            told = "\n".join(str(one["reason"]) for one in self.lines("ended"))
            assert not missed(told), told
            assert time.monotonic() < end, f"{self.out.read_text()}\n{self.err.read_text()}"
            time.sleep(0.05)

    def _children(self) -> list[int]:
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(each) for each in listed]

    def car(self, place: int, loops: int = 100_000) -> "subprocess.Popen[str]":
        """A car at an outlet that charges for so many loops; it has power afterwards."""
        address, began = self.lines("listening", place)[-1]["address"], len(self.lines("power", place))
        command = [
            *V2G,
            "ev",
            "--connect",
            address,
            "--no-tls",
            "--json",
            "--quiet",
            "--auth",
            "eim",
            "--service",
            "AC",
            "--generation",
            "2",
        ]
        car = subprocess.Popen([*command, "--loops", str(loops)], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
        self.cars.append(car)
        self.until(lambda: len(self.lines("power", place)) > began)
        return car

    def closed(self, place: int) -> bool:
        """Whether the contactor of an outlet is closed, as its hardware says."""
        return bool(self.telltale.read(place)["closed"])

    def end(self) -> None:
        """Kill what is left."""
        self.process.kill()
        for car in self.cars:
            car.kill()
        for car in self.cars:
            hear(car.communicate(timeout=HANG)[0])
        self.process.wait(HANG)
        hear(self.out.read_text())


@contextlib.contextmanager
def site(folder: Path, *arguments: str) -> Iterator[Site]:
    made = Site(folder, *arguments)
    try:
        yield made
    finally:
        made.end()


@contextlib.contextmanager
def csms() -> Iterator[tuple[int, "Story"]]:
    """A laboratory CSMS: its port, and its story as it is told."""
    command = [*V2G, "csms", "--port", "0", "--json", "--strategy", "none"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT)
    try:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        os.set_blocking(process.stdout.fileno(), False)
        yield port, Story(process.stdout)
    finally:
        process.kill()
        process.communicate(timeout=HANG)


class Story(list[str]):
    """The lines of a program, read when they are looked for."""

    def __init__(self, stream: Any):
        super().__init__()
        self._stream = stream

    def tells(self, *texts: str) -> bool:
        """Whether a line has all of these texts."""
        self.extend(iter(self._stream.readline, ""))
        return any(all(text in line for text in texts) for line in self)


@again
def test_a_killed_worker_costs_its_own_car_and_a_killed_parent_opens_every_contactor(tmp_path: Path) -> None:
    with csms() as (port, told), site(tmp_path, "--ocpp", f"ws://127.0.0.1:{port}/ocpp") as there:
        there.car(0)
        there.car(1)
        assert there.closed(0)
        assert there.closed(1)
        there.until(lambda: told.tells("Occupied", '"evseId": 1') and told.tells("Occupied", '"evseId": 2'))

        os.kill(there.workers[0], signal.SIGKILL)
        there.until(lambda: len(there.lines("listening", 0)) == 2)  # another has begun, at the same port
        first, second = there.lines("listening", 0)
        assert first == second
        (ended,) = there.lines("ended", 0)
        assert (ended["ok"], ended["how"], "SIGKILL" in ended["reason"]) == (False, "aborted", True)
        (fell,) = there.lines("task-fell")
        assert (fell["name"], "SIGKILL" in fell["reason"]) == ("worker 1", True)
        assert not there.closed(0)  # the next has opened what the one before had closed
        there.until(lambda: told.tells("Faulted", '"evseId": 1'))
        assert there.closed(1)
        assert not there.lines("ended", 1)
        there.car(0)
        assert (there.closed(0), there.closed(1), there.lines("ended", 1)) == (True, True, [])

        there.process.kill()
        there.process.wait(HANG)
        end = time.monotonic() + HANG
        while there.closed(0) or there.closed(1):
            assert time.monotonic() < end, there.err.read_text()
            time.sleep(0.05)
        rows = [there.telltale.read(place) for place in range(2)]
        assert [row["astray"] for row in rows] == [0, 0]


@again
def test_a_station_of_workers_leaves_in_order_and_its_traces_are_whole(tmp_path: Path) -> None:
    with site(tmp_path) as there:
        cars = [there.car(place) for place in range(2)]
        there.process.terminate()
        for car in cars:
            hear(out := car.communicate(timeout=HANG)[0])
            assert json.loads(out.splitlines()[-1])["ok"], out
        assert there.process.wait(HANG) == 0, there.err.read_text()
        assert [one["ok"] for one in there.lines("ended")] == [True, True]
        assert there.lines("stopping")
        assert not [worker for worker in there.workers if Path(f"/proc/{worker}").exists()]
        records = [json.loads(line) for line in there.trace.read_text().splitlines()]
        frames = {number: [one for one in records if one.get("connection") == number and one["type"] == "frame"] for number in (1, 2)}
        assert all(len(each) > 20 for each in frames.values())
