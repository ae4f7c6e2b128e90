"""A station under a laboratory CSMS, as processes: what the car does reaches the CSMS, what the CSMS decides reaches the car."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ocpp_bridge.model.variables import SUPPORTED
from secc.outlet import Outlet
from secc.replay import replay
from tests.starved import again, heed
from tests.v2gkit.cli.test_secc import ENVIRONMENT, ROOT, station
from v2g.services import SERVICES
from v2gkit.station.csms import protocols_of, providers_of


def read(trace: Path) -> list[dict[str, Any]]:
    """The records that a trace has by now, without a line that is being written."""
    return [json.loads(line) for line in trace.read_text().split("\n")[:-1]] if trace.exists() else []


def steered(trace: Path) -> bool:
    """Whether the CSMS has heard that its profile was accepted, and the hardware has been told."""
    records = read(trace)
    answered = any(one["type"] == "ocpp" and (one["kind"], one["action"]) == ("result", "SetChargingProfile") for one in records)
    return answered and any(one.get("name") == "SetPower" and one["facts"]["power"] == 6000 for one in records)


def visited(address: str, enough: Callable[[], bool]) -> dict[str, Any]:
    """What a car says that charges until it is enough, however long a CSMS takes."""
    command = [sys.executable, "-m", "v2gkit", "ev", "--connect", address, "--no-tls", "--json", "--auth", "eim"]
    visitor = subprocess.Popen(
        [*command, "--service", "AC", "--control", "dynamic"], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    try:
        while visitor.poll() is None and not enough():
            time.sleep(0.05)
        visitor.terminate()
        said = visitor.communicate(timeout=300)[0]
        heed(said)
        told: dict[str, Any] = json.loads(said.splitlines()[-1])
        return told
    finally:
        visitor.kill()


@again
def test_a_session_under_a_csms(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "v2gkit", "csms", "--port", "0", "--json", "--strategy", "setpoint", "--setpoint", "6000"]
    csms = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT)
    try:
        assert csms.stdout is not None
        port = json.loads(csms.stdout.readline())["port"]
        trace = tmp_path / "trace.jsonl"
        with station("--once", "--services", "AC", "--trace", str(trace), "--ocpp", f"ws://127.0.0.1:{port}/ocpp") as (process, first):
            assert "accepted" in json.loads(csms.stdout.readline() and csms.stdout.readline())["text"].lower()
            result = visited(first["address"], lambda: steered(trace))
            process.communicate(timeout=300)
        assert result["ok"], result
        assert process.returncode == 0
        said = []
        while not said or said[-1]["topic"] != "disconnected":
            said.append(json.loads(csms.stdout.readline()))
    finally:
        csms.kill()
        csms.wait()
    events = [line["facts"]["eventType"] for line in said if line["topic"] == "transaction"]
    assert events[0] == "Started"
    assert events[-1] == "Ended"
    assert any(line["topic"] == "needs" for line in said)
    records = read(trace)
    targets = [record["facts"]["power"] for record in records if record["type"] == "event" and record["name"] == "SetPower"]
    assert 6000 in targets
    frames = [record for record in records if record["type"] == "ocpp"]
    assert {record["kind"] for record in frames} == {"call", "result"}
    started, asked = (next(one for one in frames if one["action"] == action) for action in ("TransactionEvent", "SetChargingProfile"))
    assert (started["direction"], started["payload"]["eventType"], started["evse"]) == ("sent", "Started", first["evse"])
    assert (asked["direction"], asked["evse"]) == ("received", first["evse"])
    (answer,) = [one for one in frames if one["kind"] == "result" and one["id"] == asked["id"]]
    assert (answer["direction"], answer["action"], answer["payload"]["status"]) == ("sent", "SetChargingProfile", "Accepted")
    assert records[-1]["type"] == "end"  # what a transaction ends with comes later, and is not in the trace
    (played,) = replay(records)
    assert not played.differences


def test_the_csms_is_told_the_protocols_that_the_outlets_speak() -> None:
    newer, older = Outlet(services=("DC", "DC_BPT"), generations=("20",)), Outlet(services=("AC",), generations=("2",))
    assert protocols_of([newer]) == ("urn:iso:std:iso:15118:-20:DC,1,0",)
    assert protocols_of([older, older]) == ("urn:iso:15118:2:2013:MsgDef,2,0",)
    assert protocols_of([older, newer]) == (*protocols_of([newer]), *protocols_of([older]))
    assert protocols_of([Outlet(services=("WPT",), generations=("2", "20"))]) == ("urn:iso:std:iso:15118:-20:WPT,1,0",)  # -2 has none
    assert len(protocols_of([Outlet(services=tuple(SERVICES))])) < len(SUPPORTED)


def test_the_csms_is_told_the_providers_whose_contracts_are_taken_unless_an_outlet_takes_any() -> None:
    some, others, anyone = (Outlet(providers=names) for names in (("DE8AA", "NLABC"), ("NLABC", "FRXYZ"), ()))
    assert providers_of([some, others]) == ("DE8AA", "NLABC", "FRXYZ")
    assert providers_of([some, anyone]) == providers_of([anyone]) == ()
