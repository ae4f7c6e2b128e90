"""What watches a session may fail in every way that disks and readers fail; the session is none the wiser."""

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.free_ports import free_port
from tests.starved import again, hear, heed
from v2gkit.cli.main import main
from v2gkit.insight.recorder import ROOM, Recorder

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
V2G = (sys.executable, "-m", "v2gkit")
DC = ("--no-tls", "--service", "DC", "--auth", "eim", "--json")
TIME = 300.0  # s, generous: a loaded machine starts an interpreter in many


# --- the recorder alone ---


def heard(make: Callable[[Callable[[str], None]], Recorder], *pieces: bytes) -> list[str]:
    """What a recorder says, when these are written to it."""
    said: list[str] = []
    recorder = make(said.append)
    for piece in pieces:
        recorder.octets(piece)
    recorder.close(within=0.2)
    return said


def test_what_is_written_is_there_in_order(tmp_path: Path) -> None:
    with Recorder.into(tmp_path / "file") as recorder:
        for number in range(1000):
            recorder.text(f"{number}\n")
    assert (tmp_path / "file").read_text() == "".join(f"{n}\n" for n in range(1000))
    with Recorder.into(tmp_path / "file", append=True) as recorder:
        recorder.text("more")
    assert (tmp_path / "file").read_text().endswith("999\nmore")


def test_a_full_disk_is_said_once() -> None:
    file = os.open("/dev/full", os.O_WRONLY)
    said = heard(lambda say: Recorder("the trace", lambda octets: os.write(file, octets), say=say), *[b"x"] * 100)
    assert said == ["the trace: No space left on device; nothing more is written there, all else goes on"]


def test_a_reader_that_has_gone_is_said_once() -> None:
    source, sink = os.pipe()
    os.close(source)
    said = heard(lambda say: Recorder("the trace", lambda octets: os.write(sink, octets), say=say), *[b"x"] * 100)
    assert said == ["the trace: its reader has gone; nothing more is written there, all else goes on"]


def test_a_reader_that_does_not_read_costs_neither_time_nor_memory() -> None:
    source, sink = os.pipe()
    began = time.monotonic()
    said = heard(lambda say: Recorder("the trace", lambda octets: os.write(sink, octets), say=say), *[bytes(ROOM // 50)] * 100)
    assert time.monotonic() - began < TIME
    assert len(said) == 1
    assert "too slow" in said[0]
    os.close(source)


def test_the_last_words_do_not_wait_for_ever() -> None:
    source, sink = os.pipe()
    said = heard(lambda say: Recorder("the trace", lambda octets: os.write(sink, octets), say=say), bytes(200_000))
    assert len(said) == 1
    assert "does not read" in said[0]
    os.close(source)


def test_what_is_gathered_is_written_at_once_and_in_order() -> None:
    pieces: list[bytes] = []
    recorder = Recorder(
        "the trace", lambda octets: pieces.append(octets) or len(octets), say=pytest.fail, gather=TIME, made=lambda all: b" ".join(all)
    )
    for number in range(100):
        recorder.put(b"%d" % number, 1)  # what it will be may be guessed
    recorder.flush(TIME)
    assert pieces == [b" ".join(b"%d" % number for number in range(100))]
    recorder.put(b"last", ROOM // 2)
    recorder.close(TIME)
    assert pieces[1:] == [b"last"]
    assert not recorder._octets


def test_a_slow_reader_gets_everything() -> None:
    source, sink = os.pipe()
    recorder = Recorder("the trace", lambda octets: os.write(sink, octets), say=pytest.fail)
    got = bytearray()

    def read() -> None:
        while octets := os.read(source, 1000):
            got.extend(octets)

    reader = threading.Thread(target=read)
    reader.start()
    recorder.octets(bytes(500_000))
    recorder.close(within=TIME)
    os.close(sink)
    reader.join(TIME)
    assert len(got) == 500_000


def test_a_folder_that_vanishes_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    folder = tmp_path / "records"
    folder.mkdir()
    recorder = Recorder.into(folder / "trace.jsonl")
    recorder._say = said.append
    (folder / "trace.jsonl").unlink()
    folder.rmdir()
    recorder.text("a line\n")
    recorder.close()
    assert said == [f"{folder}/trace.jsonl: the file was removed; nothing more is written there, all else goes on"]


# --- whole commands ---


@contextlib.contextmanager
def pipe(reader: str) -> Iterator[int]:
    """A pipe to write to, whose reader `stalls` (full already) or has `gone`."""
    source, sink = os.pipe()
    if reader == "gone":
        os.close(source)
    else:
        os.set_blocking(sink, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(sink, bytes(4096))
        os.set_blocking(sink, True)
    try:
        yield sink
    finally:
        os.close(sink)
        if reader != "gone":
            os.close(source)


def drive(port: int, *arguments: str, command: tuple[str, ...] = V2G, **streams: Any) -> "subprocess.CompletedProcess[str]":
    """A car at a station that is about to listen."""
    wait_for(port)
    asked = [*command, "ev", "--connect", f"127.0.0.1:{port}", *DC, *arguments]
    streams = streams or {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    done = subprocess.run(asked, cwd=ROOT, text=True, env=ENVIRONMENT, timeout=TIME, check=False, **streams)
    heed(done.stdout, done.stderr)
    return done


def wait_for(port: int) -> None:
    """Until somebody is bound there; a probe by connecting would be a session that never spoke."""
    until = time.monotonic() + TIME
    while time.monotonic() < until:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return
        time.sleep(0.1)
    raise AssertionError(f"nobody listens on port {port}")


def small_disk(folder: Path, size: str = "32k") -> tuple[str, ...] | None:
    """A prefix for a command that makes it see a file system of this size in this folder; None where that takes rights we do not have."""
    prefix = ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o size={size} small "{folder}" && exec "$@"', "sh")
    try:
        able = subprocess.run([*prefix, "true"], capture_output=True, timeout=TIME, check=False).returncode == 0
    except OSError:
        able = False
    return prefix if able else None


@contextlib.contextmanager
def station(port: int, *arguments: str, prefix: tuple[str, ...] = (), **streams: Any) -> Iterator["subprocess.Popen[str]"]:
    command = [*prefix, *V2G, "secc", "--host", "127.0.0.1", "--port", str(port), "--no-tls", "--once", "--json", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    process = subprocess.Popen(command, cwd=ROOT, text=True, env=ENVIRONMENT, **streams)
    try:
        yield process
    finally:
        process.kill()
        hear(*process.communicate(timeout=TIME))


def records(folder: Path) -> list[str]:
    return ["--trace", str(folder / "trace"), "--capture", str(folder / "capture"), "--key-log", str(folder / "keys")]


def full(folder: Path) -> tuple[tuple[str, ...], list[str]]:
    """A prefix and options under which every record meets a full disk: a small file system, or the device that is always full."""
    if (prefix := small_disk(folder)) is not None:
        return prefix, records(folder)
    return (), ["--trace", "/dev/full", "--capture", "/dev/full", "--key-log", "/dev/full"]


@again
def test_a_full_disk_at_the_station_costs_no_session(tmp_path: Path) -> None:
    prefix, left = full(tmp_path)
    port = free_port()
    with station(port, *left, prefix=prefix) as process:
        car = drive(port, "--loops", "60")
        out, err = process.communicate(timeout=TIME)
    heed(out, err)
    said = json.loads(car.stdout.splitlines()[-1])
    assert (said["ok"], said["loops"]) == (True, 60), car.stderr
    assert json.loads(out.splitlines()[-1])["loops"] == 60
    assert process.returncode == 0, err
    assert "Traceback" not in err
    for name in left[1:4:2]:
        assert err.count(f"{name}: No space left on device; nothing more is written there") >= 1
    assert err.count("No space left") == 2, err  # once each, though hundreds of records came after


@again
def test_a_full_disk_at_the_car_costs_no_session(tmp_path: Path) -> None:
    prefix, left = full(tmp_path)
    port = free_port()
    with station(port) as process:
        car = drive(port, "--loops", "60", *left, command=(*prefix, *V2G))
        heed(*process.communicate(timeout=TIME))
    assert json.loads(car.stdout.splitlines()[-1])["loops"] == 60
    assert (car.returncode, process.returncode) == (0, 0)
    assert "Traceback" not in car.stderr
    assert car.stderr.count("No space left") == 2, car.stderr


@again
def test_a_folder_that_is_removed_in_mid_charge_is_said_and_costs_no_session(tmp_path: Path) -> None:
    port, folder = free_port(), tmp_path / "records"
    folder.mkdir()
    with station(port, *records(folder)) as process:
        wait_for(port)
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        car = drive(port, "--loops", "5")
        out, err = process.communicate(timeout=TIME)
    heed(out, err)
    assert car.returncode == 0, car.stderr
    assert process.returncode == 0
    assert err.count("the file was removed") == 2, err


def test_a_folder_that_cannot_be_written_is_said_before_anybody_comes(tmp_path: Path) -> None:
    for option in ("--trace", "--capture", "--key-log"):
        with station(free_port(), option, str(tmp_path / "nowhere" / "file")) as process:
            _, err = process.communicate(timeout=TIME)
        assert process.returncode == 2
        assert err == f"v2g secc: {tmp_path}/nowhere/file: there is no such file or folder\n"


@pytest.mark.parametrize("reader", ["stalls", "gone"])
@pytest.mark.parametrize("which", ["stdout", "stderr", "trace"])
@again
def test_no_reader_of_a_station_costs_a_session(reader: str, which: str, tmp_path: Path) -> None:
    port = free_port()
    with pipe(reader) as sink:
        others = subprocess.PIPE
        streams = {"stdout": others, "stderr": others} | ({which: sink} if which != "trace" else {"pass_fds": (sink,)})
        arguments = ("--trace", f"/dev/fd/{sink}") if which == "trace" and reader == "stalls" else ()
        with station(port, *arguments, **streams) as process:
            car = drive(port, "--loops", "30")
            out, err = process.communicate(timeout=TIME)
    heed(out, err)
    assert json.loads(car.stdout.splitlines()[-1])["loops"] == 30, car.stderr
    assert process.returncode == 0, err
    if which == "stdout":
        assert err.count("standard output: its reader") == 1


@pytest.mark.parametrize("reader", ["stalls", "gone"])
@again
def test_no_reader_of_a_car_costs_a_session(reader: str) -> None:
    port = free_port()
    with pipe(reader) as sink, station(port) as process:
        car = drive(port, "--loops", "30", stdout=sink, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=TIME)
    heed(out, err)
    assert json.loads(out.splitlines()[-1])["loops"] == 30
    assert car.returncode == 0
    assert car.stderr.count("standard output: its reader") == 1


@pytest.mark.parametrize("reader", ["stalls", "gone"])
@again
def test_no_reader_of_a_csms_costs_a_session(reader: str) -> None:
    port, csms_port = free_port(), free_port()
    with pipe(reader) as sink:
        command = [*V2G, "csms", "--host", "127.0.0.1", "--port", str(csms_port), "--json", "--verbose"]
        csms = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL)
        try:
            wait_for(csms_port)
            with station(port, "--ocpp", f"ws://127.0.0.1:{csms_port}/ocpp") as process:
                car = drive(port, "--loops", "10")
                out, err = process.communicate(timeout=TIME)
            heed(out, err)
            assert csms.poll() is None
        finally:
            csms.kill()
            csms.wait()
    assert json.loads(car.stdout.splitlines()[-1])["ok"], car.stdout
    assert process.returncode == 0, err


@pytest.mark.parametrize("reader", ["stalls", "gone"])
@again
def test_no_reader_of_the_demo_costs_a_session(reader: str, tmp_path: Path) -> None:
    with pipe(reader) as sink:
        command = [*V2G, "demo", "--no-ocpp", "--service", "AC", "--auth", "eim", "--seconds", "9", "--output", str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, stdout=sink, stderr=subprocess.PIPE, timeout=TIME, check=False, text=True)
    heed(done.stderr, *((each.read_text(errors="replace")) for each in tmp_path.glob("*.jsonl") if done.returncode))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("standard output: its reader") == 1


@again
def test_a_full_disk_costs_the_demo_no_session(tmp_path: Path) -> None:
    small, pki = tmp_path / "small", tmp_path / "pki"
    small.mkdir()
    if (prefix := small_disk(small, "256k")) is None:
        pytest.skip("a small file system takes the right to mount one")
    assert main(["pki", "create", str(pki), "--json"]) == 0
    command = [*prefix, *V2G, "demo", "--no-ocpp", "--pki", str(pki), "--seconds", "9", "--output", str(small), "--json"]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, timeout=TIME, check=False, text=True)
    heed(done.stdout, done.stderr)
    said = json.loads(done.stdout)
    assert (done.returncode, said["well"]) == (0, True), done.stdout + done.stderr
    assert done.stderr.count("trace.jsonl: No space left on device") == 1
    assert "no report" in done.stderr


def test_a_pipe_that_does_not_wait_is_waited_for() -> None:
    source, sink = os.pipe()
    fcntl.fcntl(sink, fcntl.F_SETFL, os.O_NONBLOCK)
    recorder = Recorder("the trace", lambda octets: os.write(sink, octets), say=pytest.fail)
    recorder.octets(bytes(100_000))
    got = 0
    while got < 100_000:
        got += len(os.read(source, 65536))
    recorder.close(within=TIME)
    assert not recorder.failure


def test_both_streams_keep_their_order_where_they_lead_to_one_place() -> None:
    """At a terminal, or with 2>&1, the answer is the last line that is seen."""
    told = """
from v2gkit.cli.main import main
from v2gkit.insight.recorder import detached
from v2gkit.output import complain, put, reserved
with reserved(), detached():
    for number in range(2_000):
        (put, complain)[number % 2](number)
"""
    said = subprocess.run([sys.executable, "-c", told], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    assert said.returncode == 0
    assert [int(line) for line in said.stdout.splitlines()] == list(range(2_000))
