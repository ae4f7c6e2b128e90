"""Everything real: a car, a station and a CSMS as processes, and a CSMS that changes its mind in the middle of the charge loop."""

import asyncio
import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.starved import again, hear, heed
from tests.v2gkit.cli.test_secc import ENVIRONMENT, ROOT


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
        assert "AuthorizationReq" in result["reason"]
        assert "ChangeAvailability" in ended["reason"]
        assert "ChangeAvailability" in event["facts"]["techInfo"]
        assert not told

    asyncio.run(asyncio.wait_for(scene(), 300))


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
