"""A station under a service manager: it is told when it is ready, that it lives, and when it stops."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from v2gkit.station.supervisor import Supervisor

TIME = 60.0  # s; only a hang takes so long


@pytest.fixture(params=["a file", "an abstract name"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    name = str(tmp_path / "notify") if request.param == "a file" else f"@v2gkit-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name[1:] if name.startswith("@") else name)
        sock.settimeout(TIME)
        yield sock, name


def test_a_manager_hears_that_the_station_is_ready_lives_and_stops(manager: tuple[socket.socket, str]) -> None:
    sock, name = manager
    command = [sys.executable, "-m", "v2g", "secc", "--host", "127.0.0.1", "--port", "0", "--no-tls", "--auth", "EIM"]
    environment = {**os.environ, "NOTIFY_SOCKET": name, "WATCHDOG_USEC": "200000"}
    environment.pop("WATCHDOG_PID", None)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert sock.recv(100) == b"READY=1"
            assert [sock.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
            process.send_signal(signal.SIGTERM)
            heard = b"WATCHDOG=1"
            while heard == b"WATCHDOG=1":
                heard = sock.recv(100)
            assert heard == b"STOPPING=1"
            assert process.wait(TIME) == 0
        finally:
            process.kill()


def test_without_a_manager_nothing_is_sent_and_a_manager_that_is_gone_costs_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Supervisor({}).tell("READY=1")
    assert not caplog.records
    gone = Supervisor({"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "4000000"})
    assert gone.pace == 2.0
    for _ in range(3):
        gone.tell("WATCHDOG=1")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_watchdog_that_is_meant_for_another_process_is_not_ours() -> None:
    assert Supervisor({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}).pace is None


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine to judge the unit")
    text = (Path(__file__).parents[3] / "packaging" / "v2gkit-secc.service").read_text()
    unit = tmp_path / "v2gkit-secc.service"
    unit.write_text(text.replace("/usr/bin/v2g ", f"{sys.executable} -m v2g "))
    said = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=TIME, check=False)
    assert (said.returncode, unit.name in said.stderr) == (0, False), said.stderr
