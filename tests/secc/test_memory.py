"""Pauses that outlive the station: written whole, read back, resumed over kill -9."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pki.issue import build
from pki.plan import Plan
from pki.store import create
from secc.memory import Memory
from secc.neutral.context import Agreement
from secc.pause import PausedSession, PausedSessions
from tests.secc.test_stop import paused, returned
from tests.starved import HANG, again, heed
from v2g.iso20.generation import ISO20
from v2g.messages.common_types import responseCodeType as Code
from v2g.services import Selection

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
WHOLE = PausedSession(
    bytes(range(8)),
    b"\x00\xff" * 32,
    ISO20.name,
    Agreement(
        "WMIX", "PnC", True, ("DC",), b"\x30\x82", "DE-ABC-C12345678-9", Selection("DC_BPT", 2, "Dynamic", "SECC"), ("VehicleCheckIn",), 3
    ),
    1.8e9,
    "DE*ABC*E1",
)


def remembered(folder: Path) -> PausedSessions:
    async def main() -> PausedSessions:
        return Memory(folder).paused()

    return asyncio.run(main())


def written(folder: Path, *sessions: PausedSession) -> bool:
    async def main() -> bool:
        memory = Memory(folder)
        kept = memory.paused()
        for session in sessions:
            kept.keep(session)
        return memory.write()

    return asyncio.run(main())


def test_every_field_of_a_pause_comes_back(tmp_path: Path) -> None:
    assert written(tmp_path / "state", WHOLE)
    assert list(remembered(tmp_path / "state")) == [WHOLE]
    assert (tmp_path / "state" / "paused.json").stat().st_mode & 0o777 == 0o600


def test_a_file_without_generations_is_of_the_newest(tmp_path: Path) -> None:
    assert written(tmp_path, WHOLE)
    file = tmp_path / "paused.json"
    (whole,) = json.loads(file.read_text())
    del whole["generation"]
    file.write_text(json.dumps([whole]))
    assert list(remembered(tmp_path)) == [WHOLE]


def test_a_pause_of_a_generation_that_is_not_spoken_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert written(tmp_path, replace(WHOLE, generation="ISO 15118-40"))
    assert not list(remembered(tmp_path))
    assert "'ISO 15118-40' is no generation that is spoken here" in caplog.text


def test_a_car_resumes_at_the_station_after_its_restart(tmp_path: Path) -> None:
    store, session_id = paused()
    assert written(tmp_path, *store)
    after = remembered(tmp_path)
    _, response = returned(after, session_id)
    assert response.ResponseCode is Code.OK_OldSessionJoined
    assert not list(after)  # nobody comes back twice


def test_another_car_does_not(tmp_path: Path) -> None:
    store, session_id = paused()
    assert written(tmp_path, *store)
    _, response = returned(remembered(tmp_path), session_id, leaf=b"another vehicle")
    assert response.ResponseCode is Code.OK_NewSessionEstablished


@pytest.mark.parametrize("octets", [b"", b"[", b"null", b"[{}]", b"\x00" * 100, b"[" * 100_000, b" " * 5_000_000])
def test_a_damaged_file_costs_the_pauses_and_nothing_else(octets: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "paused.json").write_bytes(octets)
    assert not list(remembered(tmp_path))
    assert "cannot be resumed" in caplog.text


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    for _ in range(3):
        assert not written(tmp_path / "file", WHOLE)
    assert "does not outlive the station" in caplog.text


def test_changes_are_written_as_they_come(tmp_path: Path) -> None:
    async def main() -> None:
        memory = Memory(tmp_path)
        kept = memory.paused()
        task = asyncio.ensure_future(memory.follow())

        async def holds(count: int) -> None:
            async with asyncio.timeout(HANG):
                while not (tmp_path / "paused.json").exists() or len(json.loads((tmp_path / "paused.json").read_text())) != count:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

        kept.keep(WHOLE)
        await holds(1)
        kept.drop(WHOLE)
        await holds(0)
        task.cancel()

    asyncio.run(main())


def lines_until(process: "subprocess.Popen[str]", event: str) -> dict[str, Any]:
    assert process.stdout is not None
    for line in process.stdout:
        said: dict[str, Any] = json.loads(line)
        if said["event"] == event:
            return said
    raise AssertionError(f"the station never said {event}")


@again
def test_kill_9_between_pause_and_return_costs_no_session(tmp_path: Path) -> None:
    """Over TLS, between processes: the car paused at one station and goes on at the next, on the same port."""
    pki = str(tmp_path / "certs")
    create(Path(pki), [build(Plan(), "secp521r1", datetime.now(UTC))])
    folder = tmp_path / "state"
    command = [sys.executable, "-m", "v2gkit", "secc", "--pki", pki, "--json", "--state", str(folder), "--auth", "PnC"]

    def station(port: int) -> "subprocess.Popen[str]":
        return subprocess.Popen([*command, "--port", str(port)], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)

    first = station(0)
    stations = [first]
    try:
        address = lines_until(first, "listening")["address"]
        visit = [sys.executable, "-m", "v2gkit", "ev", "--connect", address, "--pki", pki, "--json", "--pause-after", "2", "--loops", "4"]
        car = subprocess.Popen([*visit, "--resume-within", "200"], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
        assert lines_until(first, "ended")["how"] == "Pause"
        car.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + HANG
        while not json.loads((folder / "paused.json").read_text() if (folder / "paused.json").exists() else "[]"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        first.kill()
        first.wait()
        second = station(int(address.rpartition(":")[2]))
        stations.append(second)
        lines_until(second, "listening")
        car.send_signal(signal.SIGCONT)
        session = lines_until(second, "session")
        assert session["resumed"], session
        said = json.loads(car.communicate(timeout=300)[0].splitlines()[-1])
        heed(said)
        assert said["ok"], said
        assert (said["sessions"], said["loops"]) == (2, 4)
    finally:
        for process in stations:
            process.kill()
            process.wait()
