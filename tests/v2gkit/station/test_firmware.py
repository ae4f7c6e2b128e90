"""An outlet whose hardware is another program: a charger in C built here, killed and stopped, and lines of every kind."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secc.station import (
    Alignment,
    AlignmentIs,
    AssociationLost,
    ConnectorLock,
    ContactorIs,
    DeviceIs,
    EmergencyStop,
    Fact,
    GroundDeviceIs,
    Limits,
    Paired,
    PilotIs,
    Position,
    StopAsked,
)
from tests.starved import HANG, again, heed
from tests.v2gkit.cli.test_secc import ENVIRONMENT, ROOT, car, station, wait_for
from v2g.energy.der import Curve, GridControl
from v2g.session.endpoint import Ended
from v2gkit.station.firmware import words
from v2gkit.station.firmware.unix import Firmware

FOLDER = ROOT / "v2gkit" / "station" / "firmware"
SCHEMA = jsonschema_rs.validator_for(words.schema())
compiler = shutil.which("cc") or shutil.which("gcc")
STRICT = ("-std=c99", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror", "-O1")


# --- the charger in C ---


@pytest.fixture(scope="module")
def charger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    program = tmp_path_factory.mktemp("charger") / "charger"
    subprocess.run([compiler, *STRICT, "-o", str(program), str(FOLDER / "charger.c"), "-lm"], check=True)
    return program


@contextmanager
def running(charger: Path, path: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen([str(charger), str(path)], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def configured(folder: Path) -> tuple[Path, Path]:
    """A station's TOML and the socket that it names."""
    path = folder / "outlet.sock"
    config = folder / "station.toml"
    config.write_text(
        f'[hardware]\ndriver = "v2gkit.station.firmware.unix:Firmware"\n[hardware.options]\nsocket = "{path}"\n'
        '[offer]\nservices = ["DC", "DC_BPT", "DC_ACDP", "WPT"]\nauthorizations = ["EIM"]\n'
    )
    return config, path


def until(process: "subprocess.Popen[str]", word: str) -> str:
    """The first line that begins so."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(word):
            return line.strip()
    raise AssertionError(f"the charger never said {word}")


def awaited(path: Path, word: str, visitor: "subprocess.Popen[Any]") -> None:
    """Until a trace holds a word; a car that has gone before does not bring it any more."""
    while word not in (said := path.read_text(errors="replace") if path.exists() else ""):
        assert visitor.poll() is None, said
        time.sleep(0.05)


@again
def test_a_car_charges_at_a_charger_in_c(charger: Path, tmp_path: Path) -> None:
    config, path = configured(tmp_path)
    with station("--config", str(config), "--once") as (process, first), running(charger, path) as firmware:
        assert until(firmware, "station") == "station, contactor open"
        went = car(first["address"], "--service", "DC", "--loops", "5")
        heed(went)
        assert went["ok"], went
        lines = [json.loads(line) for line in process.communicate(timeout=300)[0].splitlines()]
        assert process.returncode == 0
        assert lines[-1]["charged"] is not None
        assert until(firmware, "close") == "close, contactor closed"
        assert until(firmware, "open") == "open, contactor open"
        assert until(firmware, "ended") == "ended, contactor open"


@again
def test_a_charger_in_c_brings_its_device_down_and_home(charger: Path, tmp_path: Path) -> None:
    config, path = configured(tmp_path)
    with station("--config", str(config), "--once") as (process, first), running(charger, path) as firmware:
        until(firmware, "station")
        went = car(first["address"], "--service", "DC_ACDP", "--loops", "3")
        heed(went)
        assert went["ok"], went
        assert [until(firmware, word) for word in ("down", "close", "open", "home", "ended")] == [
            "down, contactor open",
            "close, contactor closed",
            "open, contactor open",
            "home, contactor open",
            "ended, contactor open",
        ]
        process.communicate(timeout=300)
        assert process.returncode == 0


@again
def test_a_charger_in_c_gives_a_vehicle_a_field(charger: Path, tmp_path: Path) -> None:
    config, path = configured(tmp_path)
    with station("--config", str(config), "--once") as (process, first), running(charger, path) as firmware:
        until(firmware, "station")
        went = car(first["address"], "--service", "WPT", "--loops", "5")
        heed(went)
        assert went["ok"], went
        assert went["energy_charged"] > 0
        assert [until(firmware, word) for word in ("paired", "aligned", "close", "open", "ended")] == [
            "paired, contactor open",
            "aligned, contactor open",
            "close, contactor closed",
            "open, contactor open",
            "ended, contactor open",
        ]
        process.communicate(timeout=300)
        assert process.returncode == 0


@contextmanager
def widowed(charger: Path, folder: Path, service: str) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """A firmware whose station was killed while a car charged, and the configuration of that."""
    config, path = configured(folder)
    trace = folder / "trace.jsonl"
    with running(charger, path) as firmware:
        with station("--config", str(config), "--trace", str(trace)) as (process, first):
            until(firmware, "station")
            command = [sys.executable, "-m", "v2gkit", "ev", "--connect", first["address"], "--no-tls", "--json", "--auth", "eim"]
            visitor = subprocess.Popen([*command, "--service", service], cwd=ROOT, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
            try:
                awaited(trace, "ChargeLoopRes", visitor)
                process.kill()
            finally:
                visitor.kill()
        yield firmware, config


@again
def test_a_station_that_dies_over_a_device_leaves_it_at_home(charger: Path, tmp_path: Path) -> None:
    with widowed(charger, tmp_path, "DC_ACDP") as (firmware, _):
        until(firmware, "down")
        assert until(firmware, "silence") == "silence, contactor open"
        assert until(firmware, "home") == "home, contactor open"


@again
def test_a_charger_that_hangs_ends_the_session_and_opens_by_itself_once_it_can(charger: Path, tmp_path: Path) -> None:
    config, path = configured(tmp_path)
    trace = tmp_path / "trace.jsonl"
    with station("--config", str(config), "--trace", str(trace)) as (process, first), running(charger, path) as firmware:
        until(firmware, "station")
        command = [sys.executable, "-m", "v2gkit", "ev", "--connect", first["address"], "--no-tls", "--json", "--auth", "eim"]
        visitor = subprocess.Popen([*command, "--service", "DC"], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
        try:
            awaited(trace, "ChargeLoopRes", visitor)
            firmware.send_signal(signal.SIGSTOP)
            ended = wait_for(process, "ended")
            assert not ended["ok"]
            assert "said nothing for 2 s" in ended["reason"] or heed(ended), ended
            assert not json.loads(visitor.communicate(timeout=300)[0].splitlines()[-1])["ok"]
            refused = car(first["address"], "--service", "DC", "--loops", "1")
            assert not refused["ok"]
            firmware.send_signal(signal.SIGCONT)
            until(firmware, "close")
            assert until(firmware, "silence") == "silence, contactor open"
            assert until(firmware, "station") == "station, contactor open"
            until(firmware, "open")  # the station asks for it, and then only serves again
        finally:
            visitor.kill()


@again
def test_a_station_that_dies_leaves_no_contactor_closed_and_is_found_again(charger: Path, tmp_path: Path) -> None:
    with widowed(charger, tmp_path, "DC") as (firmware, config):
        until(firmware, "close")
        assert until(firmware, "silence") == "silence, contactor open"
        with station("--config", str(config)) as (_, first):  # over the socket file that was left
            until(firmware, "station")
            went = car(first["address"], "--service", "DC", "--loops", "2")
            heed(went)
            assert went["ok"], went


def test_the_client_compiles_as_cplusplus(tmp_path: Path) -> None:
    if (cplusplus := shutil.which("c++") or shutil.which("g++")) is None:
        pytest.skip("no C++ compiler on this machine")
    source = tmp_path / "charger.cpp"
    source.write_text(
        f'#define V2GKIT_EVSE_IMPLEMENTATION\n#include "{FOLDER / "v2gkit_evse.h"}"\n'
        'int main() { v2gkit_hardware hardware{}; v2gkit_evse evse; v2gkit_init(&evse, "/nowhere", &hardware, nullptr);\n'
        "return v2gkit_poll(&evse, 0); }\n"
    )
    strict = ("-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror")
    subprocess.run([cplusplus, *strict, "-o", str(tmp_path / "charger"), str(source)], check=True)
    assert subprocess.run([str(tmp_path / "charger")], timeout=HANG).returncode == 0


def test_the_client_in_c_bears_any_line(tmp_path: Path) -> None:
    """Built with the sanitizers, fed with what no station says: it lets go, opens, and comes back."""
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    program = tmp_path / "charger"
    sanitized = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
    built = subprocess.run([compiler, *STRICT, *sanitized, "-o", str(program), str(FOLDER / "charger.c"), "-lm"], capture_output=True)
    if built.returncode:
        pytest.skip(f"no sanitizers for this compiler: {built.stderr.decode()[-200:]}")
    path = tmp_path / "outlet.sock"
    lines = [
        b"\n",
        b"{}\n",
        b'{"type":"close_contactor","id":1}\n',
        b'{"type":"close_contactor","id":1e400}\n{"type":"set_output","id":-3,"voltage":"x","current":null,"power":{}}\n',
        b'{"type":"authorize","id":4,"evccid":"' + b"\\u00e4\\n\\\\" * 400 + b'"}\n',
        b'{"type":"session_began","evccid":"\\u12"}\n',
        b'{"type":"follow_grid","id":6}\n{"type":"follow_grid","id":7,"control":{"var":1e999,"volt_var":{"points":[[1,2],[3,"}]]}}}\n',
        b'{"type":"follow_grid","id":8,"control":"var","var":3}\n{"type":"follow_grid","id":9,"control":{"a":{"var":3},"var"',
        b'{"type":"session_ended","well":true,"how":"x","reason":"' + b"A" * 4000 + b'"}\n',
        b'{"type":"set_power","id":5,"power":' + b"9" * 2000 + b"}\n",
        b'{"a":{"type":"close_contactor"},"type":"ping"}\n',
        b'["type","ping"]\n',
        b'{"type":"ping"' + b" " * 8000 + b"}\n",
        b'{"type":"ping"' + b" " * 9000 + b"}\n",
        b'{"type":"ping\\',
        b"\x00\xff" * 3000,
        b'{"type":"welcome","version":1,"evse_id":"E","silence":1e9}\n{"type":"ping"}\n',
        b'{"type":"welcome","version":2,"evse_id":"E","silence":2}\n',
    ]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(4)
        listener.settimeout(HANG)
        process = subprocess.Popen([str(program), str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            for line in lines:
                while not fed(listener, line):  # it lets go of a station that is silent, as a test is that gets no processor
                    pass
                assert process.poll() is None, (line[:60], process.stderr.read() if process.stderr else b"")
        finally:
            process.kill()
            process.wait()


def fed(listener: socket.socket, line: bytes) -> bool:
    """Whether the next firmware that comes was still there to be told a line."""
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(HANG)
        heard = connection.recv(100)
        assert json.loads(heard.splitlines()[0])["type"] == "hello"
        try:
            connection.sendall(line)
        except BrokenPipeError:
            return False
        time.sleep(0.05)
        return True


# --- the adapter ---


class Peer:
    """A firmware that says what a test tells it to; every line of both sides is held against the schema."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer
        self.heard: list[dict[str, Any]] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self.task = asyncio.ensure_future(self._listen())

    def say(self, kind: str, **said: Any) -> None:
        word = {"type": kind, **said}
        SCHEMA.validate(word)
        self.writer.write(json.dumps(word).encode() + b"\n")

    async def _listen(self) -> None:
        while line := await self.reader.readline():
            word = json.loads(line)
            SCHEMA.validate(word)
            self.heard.append(word)
            if word["type"] in self.answers and "id" in word:
                self.say("done", id=word["id"], **self.answers[word["type"]])

    async def until(self, kind: str) -> dict[str, Any]:
        await came(lambda: any(word["type"] == kind for word in self.heard))
        return next(word for word in self.heard if word["type"] == kind)


def outlet(story: Callable[[Firmware, Callable[[], Awaitable[Peer]]], Awaitable[None]], tmp_path: Path, **given: Any) -> None:
    """Run a story with a firmware outlet and a way to connect to it."""

    async def main() -> None:
        path = tmp_path / "f.sock"
        evse = Firmware(str(path), **{"silence": 30.0, **given})
        peers: list[Peer] = []

        async def connect() -> Peer:
            peer = Peer(*await asyncio.open_unix_connection(str(path)))
            peers.append(peer)
            return peer

        try:
            await story(evse, connect)
        finally:
            await evse.tasks.close()
            for peer in peers:
                peer.writer.close()
                peer.task.cancel()

    asyncio.run(main())


async def came(condition: Callable[[], object]) -> None:
    """Until the condition holds."""
    async with asyncio.timeout(HANG):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


async def there(evse: Firmware) -> None:
    await came(lambda: evse._line is not None)


async def gone(evse: Firmware) -> None:
    await came(lambda: evse._line is None)


def test_an_outlet_without_its_firmware_serves_nobody(tmp_path: Path) -> None:
    async def story(evse: Firmware, connect: Callable[[], Awaitable[Peer]]) -> None:
        assert evse.unserviceable() == "the firmware has not connected yet"
        assert await evse.open_contactor() is False
        assert await evse.close_contactor() is False
        with pytest.raises(ConnectionError, match="not connected"):
            await evse.set_output(400.0, 10.0, 4000.0)
        peer = await connect()
        peer.say("hello", version=1)
        await there(evse)
        assert evse.unserviceable() == ""
        peer.answers = {"open_contactor": {"ok": True}, "close_contactor": {"ok": False, "reason": "no feedback"}}
        assert await evse.open_contactor() is True
        assert await evse.close_contactor() is False
        peer.writer.close()
        await gone(evse)
        assert evse.unserviceable() == "the firmware closed the connection"
        assert await evse.open_contactor() is False

    outlet(story, tmp_path)


def test_what_the_firmware_sees_reaches_the_session(tmp_path: Path) -> None:
    async def story(evse: Firmware, connect: Callable[[], Awaitable[Peer]]) -> None:
        peer = await connect()
        peer.say("hello", version=1)
        peer.say("limits", charge_power=7400.0, phases=1)
        peer.say("pilot", state="C")
        peer.say("lock", locked=True)
        peer.say("link", linked=True)
        peer.say("meter", meter_id="M", imported=1000.0)
        peer.say("output", voltage=400.0, current=-5.0)
        await came(lambda: evse._output.voltage == 400.0)
        assert (await evse.limits()) == Limits(charge_power=7400.0, phases=1)
        assert evse.linked() is True
        await evse.session_began("CAR")
        peer.say("meter", meter_id="M", imported=1250.0, exported=40.0)
        facts: list[Fact] = []

        async def gather() -> None:
            async for fact in evse.notices():
                facts.append(fact)  # noqa: PERF401 - it never ends

        task = asyncio.ensure_future(gather())
        await peer.until("session_began")
        peer.say("contactor", closed=True)
        peer.say("stop", reason="button\x1b[31m")
        peer.say("emergency_stop", reason="mushroom")
        await came(lambda: len(facts) >= 5)
        assert facts[:3] == [PilotIs("C"), ConnectorLock(True), ContactorIs(True)]
        assert isinstance(facts[3], StopAsked)
        assert "\x1b" not in facts[3].reason
        assert facts[4] == EmergencyStop("mushroom")
        reading = await evse.read_meter()
        assert reading is not None
        assert (reading.charged, reading.discharged) == (250, 40)
        assert evse.unserviceable() == "emergency stop: mushroom"
        peer.writer.close()
        await came(lambda: len(facts) >= 6)
        assert facts[5] == EmergencyStop("the firmware closed the connection")
        await evse.session_ended(Ended("aborted", None))
        task.cancel()

    outlet(story, tmp_path)


def test_what_came_before_anybody_listened_is_told_first(tmp_path: Path) -> None:
    """A car was let in, and the button was hit before the session listened to its outlet."""

    async def story(evse: Firmware, connect: Callable[[], Awaitable[Peer]]) -> None:
        peer = await connect()
        peer.say("hello", version=1)
        await there(evse)
        await evse.session_began("CAR")
        peer.say("pilot", state="C")
        peer.say("pilot", state="B")
        peer.say("lock", locked=False)
        peer.say("contactor", closed=True)
        peer.say("emergency_stop", reason="mushroom")
        await came(lambda: evse._fault)
        told = evse.notices()
        assert [await asyncio.wait_for(anext(told), HANG) for _ in range(4)] == [
            PilotIs("B"), ConnectorLock(False), EmergencyStop("emergency stop: mushroom"), ContactorIs(True),
        ]  # fmt: skip

    outlet(story, tmp_path)


def test_a_contactor_closed_without_a_session_shuts_the_outlet(tmp_path: Path) -> None:
    async def story(evse: Firmware, connect: Callable[[], Awaitable[Peer]]) -> None:
        peer = await connect()
        peer.say("hello", version=1)
        peer.say("contactor", closed=True)
        await came(lambda: "contactor is closed" in evse.unserviceable())
        peer.say("contactor", closed=False)
        await came(lambda: not evse.unserviceable())

    outlet(story, tmp_path)


def test_the_device_of_an_acdp_is_moved_and_seen(tmp_path: Path) -> None:
    async def story(evse: Firmware, connect: Callable[[], Awaitable[Peer]]) -> None:
        peer = await connect()
        peer.say("hello", version=1)
        await there(evse)
        assert await evse.read_position() is None
        peer.answers = {"connect_device": {"ok": True}, "disconnect_device": {"ok": False, "reason": "jammed"}}
        assert await evse.connect_device() is True
        assert await evse.disconnect_device() is False
        peer.say("position", x=-3, y=4, window_x=10, window_y=12, reachable=True)
        peer.say("device", state="EndPosition")
        await came(lambda: evse._device)
        assert await evse.read_position() == Position(-3, 4, 10, 12, reachable=True)
        assert evse.unserviceable() == "the device is at EndPosition, not at Home, and no session has moved it"
        await evse.session_began("CAR")
        assert evse.unserviceable() == ""
        assert await asyncio.wait_for(anext(evse.notices()), HANG) == DeviceIs("EndPosition")
        await evse.session_ended(Ended("aborted", None))
        peer.say("device", state="Home")
        await came(lambda: not evse.unserviceable())
        peer.writer.close()
        await gone(evse)
        assert await evse.read_position() is None  # where a vehicle stood is not where one stands
        assert await evse.connect_device() is False

    outlet(story, tmp_path)


def test_a_ground_device_is_asked_and_seen(tmp_path: Path) -> None:
    async def story(evse: Firmware, connect: Callable[[], Awaitable[Peer]]) -> None:
        assert await evse.pair(None) == Paired(False, reason="the firmware has not connected yet")
        peer = await connect()
        peer.say("hello", version=1)
        await there(evse)
        peer.answers = {"pair_vehicle": {"ok": False, "reason": "another vehicle"}, "check_alignment": {"ok": True}}
        assert await evse.pair(7) == Paired(False, reason="another vehicle")
        assert (await peer.until("pair_vehicle"))["observed"] == 7
        assert await evse.check_alignment(4.0) == Alignment(True)
        peer.say("alignment", aligned=True, power=40.0, current=6.0)
        peer.say("ground_device", condition="FODDetected")
        await came(lambda: evse._alignment)
        peer.answers = {"pair_vehicle": {"ok": True}, "check_alignment": {"ok": False, "reason": "too far"}}
        assert await evse.pair(None) == Paired(True)
        assert await evse.check_alignment(4.0) == Alignment(False, reason="too far")  # what was before the check counts no more
        await evse.session_began("CAR")
        notices = evse.notices()
        assert await asyncio.wait_for(anext(notices), HANG) == GroundDeviceIs("FODDetected")  # it may lie there before the session
        heard = asyncio.ensure_future(anext(notices))
        await asyncio.sleep(0)
        peer.say("alignment", aligned=False, reason="it moved")
        assert await asyncio.wait_for(heard, HANG) == AlignmentIs(Alignment(False, reason="it moved"))
        peer.say("association_lost", reason="it is another")
        assert await asyncio.wait_for(anext(notices), HANG) == AssociationLost("it is another")

    outlet(story, tmp_path)


def test_an_inverter_is_told_what_the_grid_asks(tmp_path: Path) -> None:
    async def story(evse: Firmware, connect: Callable[[], Awaitable[Peer]]) -> None:
        assert evse.grid_functions == ("volt_var", "var")
        peer = await connect()
        peer.say("hello", version=1)
        await there(evse)
        peer.answers = {"follow_grid": {"ok": True}}
        await evse.follow_grid(GridControl(volt_var=Curve(((207.0, -3_000.0), (253.0, 3_000.0)), response=5.0)))
        control = (await peer.until("follow_grid"))["control"]
        assert control["volt_var"]["points"] == [[207.0, -3_000.0], [253.0, 3_000.0]]
        assert (control["volt_var"]["response"], control["var"]) == (5.0, None)
        peer.answers = {"follow_grid": {"ok": False, "reason": "no inverter"}}
        with pytest.raises(RuntimeError, match="no inverter"):
            await evse.follow_grid(GridControl(var=500.0))

    outlet(story, tmp_path, grid_functions=["volt_var", "var"])


def test_a_function_that_there_is_not_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="volt_var"):
        Firmware(str(tmp_path / "f.sock"), grid_functions=["volt_vra"])


def test_a_charger_in_c_is_told_what_the_grid_asks(charger: Path, tmp_path: Path) -> None:
    path = tmp_path / "outlet.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        listener.settimeout(HANG)
        with running(charger, path) as firmware:
            connection, _ = listener.accept()
            connection.settimeout(HANG)
            with connection, connection.makefile("rb") as lines:
                connection.sendall(words.line_of(words.Welcome(words.VERSION, "E", 60.0)))
                for number, control in enumerate((GridControl(var=-500.0), GridControl()), 1):
                    connection.sendall(words.line_of(words.FollowGrid(id=number, control=control)))
                    done = next(word for word in map(json.loads, lines) if word["type"] == "done")
                    assert (done["id"], done["ok"]) == (number, True)
                assert [until(firmware, "grid") for _ in range(2)] == ["grid -500 var", "grid 0 var"]


@pytest.mark.parametrize("x", [40_000, 1.5, None])
def test_a_position_that_no_message_holds_is_refused(x: object) -> None:
    said = {"type": "position", "x": x, "y": 0, "window_x": 0, "window_y": 0, "reachable": True}
    with pytest.raises(ValueError, match="x"):
        words.read(json.dumps(said).encode())


def test_answers_to_a_station_before_are_none_to_this_one(tmp_path: Path) -> None:
    """What answers late, a device perhaps, may outlive a station: another one does not count from one again."""

    async def story(evse: Firmware, connect: Callable[[], Awaitable[Peer]]) -> None:
        assert len({next(Firmware(str(tmp_path / f"{number}.sock"))._numbers) for number in range(8)}) > 1

    outlet(story, tmp_path)


def test_silence_is_death(tmp_path: Path) -> None:
    async def story(evse: Firmware, connect: Callable[[], Awaitable[Peer]]) -> None:
        peer = await connect()
        peer.say("hello", version=1)
        await came(lambda: evse.unserviceable() == "the firmware said nothing for 0.3 s")
        assert evse._line is None

    outlet(story, tmp_path, silence=0.3)


def test_a_second_firmware_does_not_cost_the_first_its_outlet(tmp_path: Path) -> None:
    async def story(evse: Firmware, connect: Callable[[], Awaitable[Peer]]) -> None:
        first = await connect()
        first.say("hello", version=1)
        await there(evse)
        second = await connect()
        assert (await second.until("refused"))["reason"] == "another program has this outlet"
        first.answers = {"open_contactor": {"ok": True}}
        assert await evse.open_contactor() is True

    outlet(story, tmp_path)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"type":"alive"}\n', "the first line of a firmware is hello"),
        (b'{"type":"hello","version":9}\n', "speaks version 9"),
        (b"GET / HTTP/1.1\r\n", "what is no line of its"),
        (b'{"type":"hello","version":"1"}\n', "what is no line of its"),
        (b"x" * 20_000 + b"\n", "a line of more than 8192 octets"),
    ],
)
def test_what_no_firmware_says_is_refused_with_the_reason(line: bytes, why: str, tmp_path: Path) -> None:
    async def story(evse: Firmware, connect: Callable[[], Awaitable[Peer]]) -> None:
        peer = await connect()
        peer.writer.write(line)
        assert why in (await peer.until("refused"))["reason"]
        await gone(evse)

    outlet(story, tmp_path)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.from_regex(rb'\{"type":"(limits|output|meter|done|pilot)".{0,80}\}', fullmatch=True))
def test_any_line_is_a_word_or_one_error(line: bytes) -> None:
    with contextlib.suppress(ValueError):
        words.read(line)


def test_a_socket_in_use_or_a_file_in_its_place_is_named(tmp_path: Path) -> None:
    async def main() -> None:
        evse = Firmware(str(tmp_path / "f.sock"))
        with pytest.raises(OSError, match="in use by another station"):
            Firmware(str(tmp_path / "f.sock"))
        await evse.tasks.close()
        (tmp_path / "file").write_text("precious")
        with pytest.raises(OSError, match="no socket"):
            Firmware(str(tmp_path / "file"))
        with pytest.raises(OSError, match="its folder must be there"):
            Firmware(str(tmp_path / "none" / "f.sock"))
        assert os.stat(tmp_path / "f.sock").st_mode & 0o777 == 0o660

    asyncio.run(main())
