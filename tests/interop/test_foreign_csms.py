"""Whole sessions of `v2g secc` and `v2g ev`, each a process, under CSMSs that we did not write: from the boot to the stop by the CSMS."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.starved import again, heed
from v2gkit.peers import caller, judge, npm_setup
from v2gkit.peers.process import Process

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".interop"
TIME = 300.0  # s, generous: a loaded machine starts an interpreter in many
needs_npm = pytest.mark.skipif(bool(npm_setup.missing(HOME)), reason=f"the peers of npm cannot be run: {npm_setup.missing(HOME)}")
Said = list[dict[str, Any]]


def npm(package: str, version: str) -> list[str]:
    return ["node", str(npm_setup.CSMS), str(npm_setup.folder(HOME)), package, version]


def pypi(version: str) -> list[str]:
    pytest.importorskip("ocpp.v21")
    return [sys.executable, "-m", "v2gkit.peers.ocpp_csms", version]


async def session(command: list[str], service: str, folder: Path) -> tuple[Said, dict[str, Any], Said]:
    """What the CSMS said, the car's result, and the records of the station's trace."""
    trace = folder / "trace.jsonl"
    v2g = [sys.executable, "-m", "v2g"]
    async with Process("CSMS", command, folder=ROOT, log=folder / "csms.log") as csms:
        url = f"ws://127.0.0.1:{(await csms.expect('port', TIME))['port']}/ocpp"
        station = [*v2g, "secc", "--host", "127.0.0.1", "--port", "0", "--no-tls", "--auth", "EIM", "--once", "--json", "--ocpp", url]
        async with Process("station", [*station, "--trace", str(trace)], folder=folder, log=folder / "secc.log") as secc:
            address = (await secc.expect("address", TIME))["address"]
            while (await csms.expect("answered", TIME))["answered"] != "SetVariables":
                pass
            car = [*v2g, "ev", "--connect", address, "--no-tls", "--service", service, "--control", "dynamic", "--auth", "eim"]
            async with Process("car", [*car, "--soc", "60", "--json", "--quiet"], folder=folder, log=folder / "ev.log") as ev:
                await ev.finish(TIME)
                result = ev.last
            await secc.finish(TIME)
        await csms.expect("left", TIME)
        return csms.said, result, [json.loads(line) for line in trace.read_text().splitlines()]


def heard(said: Said, action: str) -> Said:
    """The payloads of an action, in the names of the wire (the package from PyPI has its own for Python)."""
    return [_camel(one["payload"]) for one in said if one.get("heard") == action]


def _camel(value: Any) -> Any:
    if isinstance(value, list):
        return [_camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {"".join(w if not n else w[:1].upper() + w[1:] for n, w in enumerate(k.split("_"))): _camel(v) for k, v in value.items()}


def sampled(event: dict[str, Any]) -> dict[str, float]:
    return {one["measurand"]: one["value"] for value in event.get("meterValue", ()) for one in value["sampledValue"]}


def powers(records: Said) -> list[float]:
    """The most that the station let the car draw (W), loop by loop; in a discharge the least is asked of it."""
    found = []
    for record in records:
        loop = ((record.get("message") or {}).get("DC_ChargeLoopRes") or {}) if record["type"] == "frame" else {}
        for name, mode in loop.items():
            if "Dynamic" in name:
                least = mode.get("EVSEMinimumDischargePower", {"Value": 0, "Exponent": 0})
                one = mode["EVSEMaximumChargePower"] if not least["Value"] else {**least, "Value": -abs(least["Value"])}
                found.append(one["Value"] * 10.0 ** one["Exponent"])
    return found


def check(command: list[str], version: str, folder: Path) -> Said:
    said, result, records = asyncio.run(session(command, "DC_BPT" if version == "ocpp2.1" else "DC", folder))
    heed(result)
    assert result["ok"], result
    assert not [one for one in said if "failure" in one or "failed" in one], said
    assert {one["answered"]: one["payload"].get("status") for one in said if "answered" in one} == {
        "GetBaseReport": "Accepted", "SetVariables": None, "SetChargingProfile": "Accepted",
        "GetCompositeSchedule": "Accepted", "RequestStopTransaction": "Accepted",
    }  # fmt: skip
    assert heard(said, "BootNotification")[0]["reason"] == "PowerUp"
    assert sum(len(report["reportData"]) for report in heard(said, "NotifyReport")) > 30
    assert heard(said, "Authorize")
    assert heard(said, "NotifyEVChargingNeeds")[0]["chargingNeeds"]["requestedEnergyTransfer"] == (
        "DC_BPT" if version == "ocpp2.1" else "DC"
    )
    events = heard(said, "TransactionEvent")
    assert [event["seqNo"] for event in events] == list(range(len(events)))
    assert (events[0]["eventType"], events[-1]["eventType"]) == ("Started", "Ended")
    assert events[-1]["transactionInfo"]["stoppedReason"] == "Remote"
    way = "Export" if version == "ocpp2.1" else "Import"
    assert max(sampled(event).get(f"Power.Active.{way}", 0.0) for event in events) == pytest.approx(8000.0, rel=0.02)
    assert sampled(events[-1])[f"Energy.Active.{way}.Register"] > 0.0
    assert pytest.approx(-8000.0 if version == "ocpp2.1" else 8000.0, rel=0.01) in powers(records)
    return said


@needs_npm
@pytest.mark.parametrize(("package", "version"), [("ocpp-ws-io", "ocpp2.1"), ("ocpp-rpc", "ocpp2.0.1")])
@again
def test_a_strict_csms_of_npm_plays_a_whole_session(package: str, version: str, tmp_path: Path) -> None:
    said = check(npm(package, version), version, tmp_path)
    calls = [[version, None, [2, "1", one["heard"], one["payload"]]] for one in said if "heard" in one]
    results = [[version, [2, "1", one["answered"], {}], [3, "1", one["payload"]]] for one in said if "answered" in one]
    (tmp_path / "frames.jsonl").write_text("".join(json.dumps(one) + "\n" for one in calls + results))
    verdict = judge.judged(HOME, [tmp_path / "frames.jsonl"])
    assert (verdict["judged"], verdict["refused"]) == (len(calls) + len(results), [])


@pytest.mark.parametrize("version", ["ocpp2.1", "ocpp2.0.1"])
@again
def test_the_csms_of_pypi_plays_a_whole_session(version: str, tmp_path: Path) -> None:
    check(pypi(version), version, tmp_path)


@pytest.mark.skipif(not (caller.folder(HOME) / "test_ocpp").exists(), reason="test-ocpp is not in .interop: make interop")
def test_a_foreign_station_is_received_by_our_csms(tmp_path: Path) -> None:
    async def calls() -> str:
        command = [sys.executable, "-m", "v2g", "csms", "--port", "0", "--json"]
        async with Process("CSMS", command, folder=tmp_path, log=tmp_path / "csms.log") as csms:
            url = (await csms.expect("url", TIME))["url"].removesuffix("/STATION")
            theirs = [sys.executable, "-m", "test_ocpp", url, "CP001", "--ocpp", "2.0.1"]
            paths = os.pathsep.join((str(caller.folder(HOME)), str(ROOT)))
            done = await asyncio.to_thread(
                subprocess.run, theirs, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=TIME
            )
            return str(done.stdout + done.stderr)

    said = asyncio.run(calls())
    assert "Negotiated subprotocol: ocpp2.0.1" in said, said
    assert "BootNotification status: Accepted" in said
    assert said.rstrip().endswith("SUCCESS"), said


BOOT = {"reason": "PowerUp", "chargingStation": {"model": "m", "vendorName": "v"}}
WRONG = (
    ["ocpp2.1", None, [2, "1", "BootNotification", {"reason": "PowerUp"}]],
    ["ocpp2.0.1", None, [2, "1", "BootNotification", {**BOOT, "more": 1}]],
    ["ocpp2.1", [2, "1", "Reset", {}], [3, "1", {"status": "Perhaps"}]],
    ["ocpp2.0.1", None, [2, "1", "AFRRSignal", {"timestamp": "2026-11-22T18:00:00Z", "signal": 1}]],
    ["ocpp2.1", None, [2, "1", "Heartbeat"]],
)


@needs_npm
def test_the_second_judge_refuses_what_is_wrong_and_nothing_else(tmp_path: Path) -> None:
    right = ["ocpp2.1", None, [2, "1", "BootNotification", BOOT]], ["ocpp2.1", None, [4, "1", "FormatViolation", "", {}]]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(one) + "\n" for one in (*WRONG, *right)))
    verdict = judge.judged(HOME, [tmp_path / "a.jsonl"])
    assert verdict["judged"] == len(WRONG) + len(right)
    assert [one["frame"] for one in verdict["refused"]] == [one[2] for one in WRONG]
    assert judge.main(HOME, tmp_path) == 1
