"""Reports of OpenADR 3.1: our VEN's and our VTN's words judged by Prism on the Alliance's description, and read by `openadr3-client`."""

import asyncio
import contextlib
import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.free_ports import free_port
from tests.starved import HANG
from v2gkit.grid.declared import Grid, OpenAdr
from v2gkit.grid.openadr3.vtn import Client
from v2gkit.grid.shell.running import Listening
from v2gkit.grid.shell.vtn import routes_of
from v2gkit.grid.times import written
from v2gkit.peers import grid_setup, prism_setup

HOME = Path(__file__).parents[2] / ".interop"
pytest.importorskip("uvicorn")
pytestmark = pytest.mark.skipif(bool(prism_setup.missing(HOME)), reason=prism_setup.missing(HOME) or "Prism is there")
CLIENTS = {name: Client(name, "secret", role) for name, role in (("utility", "bl"), ("ours", "ven"))}  # type: ignore[arg-type]
LENGTH, AHEAD = 900.0, 900.0  # s of an interval, and until the first one: longer than any machine stands still


def mended(text: str) -> str:
    """The description with the one thing put right that no VTN could answer: objectType of VENs and resources has two lists of values.

    By objectMetadata it is VEN, by BlVenRequest, of which a VEN is one as well, BL_VEN_REQUEST.
    """
    for former, name in (("[ BL_VEN_REQUEST ]", "VEN"), ("[BL_RESOURCE_REQUEST]", "RESOURCE")):
        assert text.count(f"enum: {former}") == 1
        text = text.replace(f"enum: {former}", f"enum: {former[:-1]}, {name}]")
    return text


@contextlib.contextmanager
def prism(port: int, behind: str, folder: Path) -> Iterator[str]:
    """Prism before a VTN: what breaks the description is answered by it with a fault, and told in a file."""
    said, described = folder / "prism.log", folder / "openadr3.yaml"
    described.write_text(mended(prism_setup.description_of(HOME).read_text()))
    command = [*prism_setup.command_of(HOME), "proxy", "-h", "127.0.0.1", "-p", str(port), str(described), behind]
    with said.open("w") as file, subprocess.Popen([*command, "--errors"], stdout=file, stderr=subprocess.STDOUT) as process:
        try:
            until = time.monotonic() + HANG
            while "is listening" not in said.read_text():
                assert process.poll() is None, said.read_text()
                assert time.monotonic() < until
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def asked(url: str, path: str, body: Any, token: str = "", method: str = "POST") -> Any:
    form = isinstance(body, dict) and "grant_type" in body
    data = None if body is None else (urlencode(body) if form else json.dumps(body)).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded" if form else "application/json"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(url + path, data, headers, method=method), timeout=HANG) as answer:
        return json.load(answer)


def events(url: str) -> tuple[str, str]:
    """A utility makes an event of which it wants reports, and one in a unit that nobody can read; their ids."""
    form = {"grant_type": "client_credentials", "client_id": "utility", "client_secret": "secret"}
    token = asked(url, "/auth/token", form)["access_token"]
    program = asked(url, "/programs", {"objectType": "PROGRAM", "programName": "caps"}, token)["id"]
    made = []
    for units in ("KW", "BTU"):
        limits = [{"id": n, "payloads": [{"type": "IMPORT_CAPACITY_LIMIT", "values": [9.0 + n]}]} for n in range(2)]
        event = {
            "objectType": "EVENT", "programID": program, "intervals": limits,
            "intervalPeriod": {"start": written(time.time() + AHEAD), "duration": f"PT{LENGTH:.0f}S"},
            "payloadDescriptors": [{"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": "IMPORT_CAPACITY_LIMIT", "units": units}],
        }  # fmt: skip
        if units == "KW":
            event["reportDescriptors"] = [{"payloadType": kind, "frequency": 1} for kind in ("DEMAND", "USAGE", "OPERATING_STATE")]
        made.append(asked(url, "/events", event, token)["id"])
    return made[0], made[1]


async def reported(url: str, folder: Path) -> list[dict[str, Any]]:
    """Be a VEN with a meter of 7.2 kW until both intervals, which pass at once, were told; the lines of what happened."""
    vtn = OpenAdr("dso", url, "ours", str(folder / "secret"), "depot", "caps", every=0.3, timeout=30.0, patience=86_400.0)
    lines: list[dict[str, Any]] = []
    late = 0.0
    listening = Listening(Grid(openadr=(vtn,)), lambda: time.time() + late, lines.append)
    reports = listening._reports["dso"]
    task = asyncio.ensure_future(listening.run())
    async with asyncio.timeout(HANG):
        while len(reports.events) < 2:  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.1)
        while late < 2 * LENGTH + 2 * AHEAD:
            listening.measured("meter", 7_200.0)
            late += 30.0
        while {each.told for each in reports._events.values()} != {("RUNNING_NORMAL", 2), ("RUNNING_OPTED_OUT", 0)}:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.wait([task])
    return lines


def foreign(url: str, tokens: str, reports: list[Any], wanted: str, unread: str) -> None:
    """What `openadr3-client` reads by its models. Its token it gets by HTTP Basic, which the description has not, and so not by Prism."""
    python = grid_setup.reports_of(HOME)
    if not python.exists():
        return
    said = {"url": url, "bl": ["utility", "secret"], "tokens": tokens, "reports": reports}
    command = [python, grid_setup.REPORTS3, json.dumps(said)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    first, *found = map(json.loads, done.stdout.splitlines())
    assert dict(zip(first["events"], first["wanted"], strict=True)) == {wanted: 3, unread: 0}
    by = {each["report"]: each["rows"] for each in found}
    assert {each["report"]: each["described"] for each in found}[wanted] == ["DEMAND", "USAGE", "OPERATING_STATE"]
    assert by[unread] == [["depot", 0, "OPERATING_STATE", ["RUNNING_OPTED_OUT"]]]
    assert [row[:3] for row in by[wanted]] == [
        ["meter", 0, "DEMAND"], ["meter", 0, "USAGE"], ["meter", 1, "DEMAND"], ["meter", 1, "USAGE"], ["depot", 0, "OPERATING_STATE"],
    ]  # fmt: skip


def test_reports_pass_the_alliances_description_and_a_foreign_client_reads_them(tmp_path: Path) -> None:
    from v2gkit.authorities.web import Site

    (tmp_path / "secret").write_text("secret\n")
    port, routes = free_port(), list[Any]()
    with Site(routes, "127.0.0.1") as site, prism(port, site.url, tmp_path) as url:
        routes += routes_of(url, CLIENTS)
        wanted, unread = events(url)
        lines = asyncio.run(reported(url, tmp_path))
        faults = [line["text"] for line in lines if line["what"] == "fault"]
        assert faults
        assert all("BTU" in text for text in faults), faults  # the unit, and nothing that Prism has to say
        token = asked(url, "/auth/token", {"grant_type": "client_credentials", "client_id": "utility", "client_secret": "secret"})
        reports = asked(url, "/reports?skip=0&limit=50", None, token["access_token"], "GET")
        foreign(url, f"{site.url}/auth/token", reports, wanted, unread)
    by = {report["eventID"]: report for report in reports}
    assert sorted(by) == sorted((wanted, unread))
    (out,) = by[unread]["resources"]
    assert out["intervals"][0]["payloads"] == [{"type": "OPERATING_STATE", "values": ["RUNNING_OPTED_OUT"]}]
    meter, state = by[wanted]["resources"]
    assert state["intervals"][0]["payloads"][0]["values"] == ["RUNNING_NORMAL"]
    assert [each["id"] for each in meter["intervals"]] == [0, 1]
    for each in meter["intervals"]:
        values = {payload["type"]: payload["values"][0] for payload in each["payloads"]}
        assert values == {"DEMAND": pytest.approx(7.2), "USAGE": pytest.approx(7.2 * LENGTH / 3_600, abs=0.001)}
