"""Everything real: a car, a station and a CSMS as processes, and a CSMS that changes its mind in the middle of the charge loop."""

import asyncio
import json
import shutil
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pki.issue import build
from pki.plan import Names, Plan
from pki.store import Store, create
from tests.starved import HANG, again, hear, heed
from tests.v2gkit.cli.test_secc import ENVIRONMENT, ROOT
from v2gkit.authorities.office import Office


class Process:
    """One of ours with JSON lines on standard output."""

    def __init__(self, process):
        self.process = process
        self.said: list[dict] = []

    @classmethod
    async def start(cls, *arguments: str) -> "Process":
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        command = [sys.executable, "-m", "v2gkit", *arguments]
        pipes = {"stdin": pipe, "stdout": pipe, "stderr": null, "limit": 1 << 20}
        made = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=ENVIRONMENT, **pipes)
        return cls(made)

    async def says(self, true) -> dict:
        while True:
            line = await asyncio.wait_for(self.process.stdout.readline(), 300)
            assert line, f"{self.said[-3:]}"
            hear(line)
            self.said.append(json.loads(line))
            if true(self.said[-1]):
                return self.said[-1]

    def hear(self, text: str) -> None:
        self.process.stdin.write(text.encode() + b"\n")

    async def rest(self) -> list[dict]:
        out, _ = await asyncio.wait_for(self.process.communicate(), 300)
        hear(out)
        self.said += [json.loads(line) for line in out.splitlines()]
        return self.said

    @property
    def over(self) -> bool:
        return self.process.returncode is not None

    def leave(self) -> None:
        """Ask a car to end its session in order."""
        if not self.over:
            self.process.terminate()

    def kill(self) -> None:
        if not self.over:
            self.process.kill()


@pytest.mark.parametrize(("control", "service"), [("dynamic", "AC_BPT"), ("scheduled", "DC_BPT")])
@again
def test_a_csms_that_changes_its_mind_reaches_the_car_in_its_charge_loop(control: str, service: str, tmp_path: Path):
    async def scene() -> None:
        csms = await Process.start("csms", "--port", "0", "--json", "--stdin", "--strategy", "setpoint", "--setpoint", "6000")
        port = (await csms.says(lambda line: line.get("topic") == "listening"))["port"]
        trace, url = tmp_path / "trace.jsonl", f"ws://127.0.0.1:{port}/ocpp"
        station = await Process.start(
            *("secc", "--json", "--once", "--no-tls", "--host", "127.0.0.1", "--port", "0", "--services", service),
            *("--trace", str(trace), "--ocpp", url),
        )
        address = (await station.says(lambda line: line["event"] == "listening"))["address"]
        await csms.says(lambda line: line.get("topic") == "status")
        car = await Process.start("ev", "--json", "--no-tls", "--connect", address, "--service", service, "--control", control)
        await csms.says(lambda line: line.get("topic") == "chosen")
        gone = asyncio.ensure_future(car.process.wait())
        if control == "dynamic":
            await either(ordered(trace, 6000.0), gone)
        csms.hear("setpoint DE*V2G*E1 3000")
        accepted = await csms.says(lambda line: "topic" not in line)
        await either(ordered(trace, 3000.0) if control == "dynamic" else csms.says(lambda line: line.get("topic") == "chosen"), gone)
        car.leave()  # which stays until it was told
        result, ended = (await car.rest())[-1], (await station.rest())[-1]
        heed(result, ended)
        assert accepted == {"status": "Accepted"}
        await csms.says(lambda line: line.get("topic") == "disconnected")
        csms.hear("quit")
        await csms.rest()
        for process in (csms, station, car):
            process.kill()
        assert result["ok"], result
        assert ended["ok"], ended
        judge(control, trace, csms.said)

    asyncio.run(asyncio.wait_for(scene(), 300))


@again
def test_an_evse_that_the_csms_takes_out_of_service_lets_no_car_charge_and_both_hear_why():
    async def scene() -> None:
        csms = await Process.start("csms", "--port", "0", "--json", "--stdin")
        port = (await csms.says(lambda line: line.get("topic") == "listening"))["port"]
        where = ("--host", "127.0.0.1", "--port", "0", "--ocpp", f"ws://127.0.0.1:{port}/ocpp")
        station = await Process.start("secc", "--json", "--once", "--no-tls", "--services", "DC", *where)
        address = (await station.says(lambda line: line["event"] == "listening"))["address"]
        await csms.says(lambda line: line.get("topic") == "status")
        csms.hear('call DE*V2G*E1 ChangeAvailability {"operationalStatus":"Inoperative"}')
        await csms.says(lambda line: line.get("facts", {}).get("connectorStatus") == "Unavailable")
        car = await Process.start("ev", "--json", "--no-tls", "--connect", address, "--service", "DC", "--loops", "5")
        result, ended = (await car.rest())[-1], (await station.rest())[-1]
        heed(result, ended)
        event = await csms.says(lambda line: line.get("topic") == "event")
        csms.hear("quit")
        told = [line for line in await csms.rest() if line.get("topic") == "transaction"]
        for process in (csms, station, car):
            process.kill()
        assert (result["loops"], result["energy_charged"]) == (0, 0.0)
        assert "Authorization" in result["reason"]  # its request, or the one before where the word to stop was there by then
        assert "ChangeAvailability" in ended["reason"]
        assert "ChangeAvailability" in event["facts"]["techInfo"]
        assert not told

    asyncio.run(asyncio.wait_for(scene(), 300))


@again
def test_a_vehicle_that_was_revoked_is_refused_by_the_word_of_the_csms_and_then_at_the_handshake(tmp_path: Path):
    """Its vehicle certificate, not a contract: the CSMS alone knows, and what it said lies in the station's store for the next car."""
    now, here, there = datetime.now(UTC), tmp_path / "station", tmp_path / "csms"
    store = create(here, [build(Plan(names=Names(ocsp_url="http://[::1]:1/ocsp")), "secp521r1", now)])  # a responder that is not there
    shutil.copytree(here, there)
    Office(Store(there)).revoke(store.vehicle.leaf, now)

    async def scene() -> None:
        csms = await Process.start("csms", "--port", "0", "--json", "--strategy", "none", "--cps", str(there))
        port = (await csms.says(lambda line: line.get("topic") == "listening"))["port"]
        where = ("--host", "127.0.0.1", "--port", "0", "--ocpp", f"ws://127.0.0.1:{port}/ocpp", "--ocpp-vehicle-status", "demanded")
        station = await Process.start("secc", "--json", "--services", "DC", "--auth", "EIM", "--pki", str(here), *where)
        address = (await station.says(lambda line: line["event"] == "listening"))["address"]
        await csms.says(lambda line: line.get("topic") == "status")
        results = []
        try:
            for told in ("ended", "handshake-failed"):
                car = await Process.start(*("ev", "--json", "--connect", address, "--pki", str(here), "--service", "DC", "--loops", "3"))
                results.append((await car.rest())[-1])
                heed(results[-1])
                ended = await station.says(lambda line, told=told: line["event"] == told)
                assert "revoked" in ended["reason"], ended
                while not list(here.glob("responses/*.told.json")):  # noqa: ASYNC110 - it comes as a file
                    await asyncio.sleep(0.05)
            await csms.says(lambda line: line.get("topic") == "event" and "handshake failed" in line["text"])
        finally:
            for process in (csms, station):
                process.kill()
                await process.process.communicate()
        asked = [line["text"] for line in csms.said if "GetCertificateChainStatus" in line.get("text", "")]
        assert len(asked) == 1, asked
        assert f"{store.vehicle.leaf.serial_number:x} Revoked" in asked[0].lower().replace("revoked", "Revoked")
        assert [(result["ok"], result["loops"], result["energy_charged"]) for result in results] == [(False, 0, 0.0)] * 2
        assert "certificate_revoked" in results[1]["reason"]

    asyncio.run(asyncio.wait_for(scene(), HANG))


def read(trace: Path) -> list[dict]:
    """The records that a trace has by now, without a line that is being written."""
    lines = trace.read_text().split("\n")[:-1] if trace.exists() else []
    return [json.loads(line) for line in lines]


async def either(wanted: Coroutine[Any, Any, object], gone: "asyncio.Future[int]") -> None:
    """Until what is wanted has come, or the car has gone."""
    waiting = asyncio.ensure_future(wanted)
    await asyncio.wait([waiting, gone], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def ordered(trace: Path, power: float) -> None:
    """Until the hardware was told of a setpoint (W)."""
    while not any(record.get("name") == "SetPower" and record["facts"]["power"] == power for record in read(trace)):  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def judge(control: str, trace: Path, said: list[dict]) -> None:
    """In Dynamic control the new setpoint is ordered at once; in Scheduled the car negotiates anew and the CSMS hears what it chose."""
    records = read(trace)
    names = [record.get("name") or record.get("message") for record in records]
    chosen = [line["facts"]["chargingSchedule"]["chargingSchedulePeriod"] for line in said if line.get("topic") == "chosen"]
    if control == "dynamic":
        powers = [record["facts"]["power"] for record in records if record.get("name") == "SetPower"]
        assert 6000.0 in powers
        assert powers.index(3000.0) > powers.index(6000.0)
    else:
        assert names.count("ScheduleExchangeRes") >= 2
        assert len(chosen) == 2
        assert max(period["limit"] for period in chosen[0]) == 6000.0
        assert max(period["limit"] for period in chosen[1]) == 3000.0
