"""OpenADR 3.1: our VTN under a client library that we did not write, which also resolves our VEN's intervals by itself."""

import asyncio
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.starved import again
from v2g.energy.signal import Kind
from v2gkit.grid.declared import Grid, OpenAdr
from v2gkit.grid.openadr3.events import Reader, signals_of
from v2gkit.grid.openadr3.vtn import Client
from v2gkit.grid.openadr3.words import Event
from v2gkit.grid.shell.running import Listening
from v2gkit.grid.shell.vtn import routes_of
from v2gkit.grid.times import written
from v2gkit.peers import grid_setup

ROOT = Path(__file__).parents[2]
PYTHON = grid_setup.python_of(ROOT / ".interop")
TIME = 120.0  # s, generous
pytest.importorskip("uvicorn")
pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="openadr3 is not in .interop: make interop")
CLIENTS = {name: Client(name, "secret", role) for name, role in (("utility", "bl"), ("depot", "ven"), ("ours", "ven"))}  # type: ignore[arg-type]


def event(now: float) -> dict[str, Any]:
    """Three intervals: two by the event's period, one at a time and of a length of its own."""
    payloads = [[{"type": "IMPORT_CAPACITY_LIMIT", "values": [value]}] for value in (11.0, 7.4, 4.2)]
    own = {"start": written(now + 3_600), "duration": "PT1H30M"}
    return {
        "intervalPeriod": {"start": written(now), "duration": "PT15M"},
        "intervals": [
            {"id": 0, "payloads": payloads[0]},
            {"id": 1, "payloads": payloads[1]},
            {"id": 2, "intervalPeriod": own, "payloads": payloads[2]},
        ],
    }


@again
def test_a_foreign_client_and_our_ven_find_the_same_event_at_our_vtn(tmp_path: Path) -> None:
    from v2gkit.authorities.web import Site

    now = float(int(time.time()))
    (tmp_path / "secret").write_text("secret\n")
    routes: list[Any] = []
    with Site(routes, "127.0.0.1") as site:
        routes += routes_of(site.url, CLIENTS)
        asked = {"url": site.url, "bl": ["utility", "secret"], "ven": ["depot", "secret"], "event": event(now)}
        command = [PYTHON, grid_setup.OPENADR3, json.dumps(asked)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME, check=False)
        assert done.returncode == 0, done.stderr
        found = {name: value for line in done.stdout.splitlines() for name, value in json.loads(line).items()}
        spans = found.pop("intervals")
        assert found == {
            "created": 201, "found": True, "ven": "foreign", "known": ["foreign"], "report": 201, "read": ["foreign"],
            "forbidden": [403, 403], "subscribed": 201, "missing": 404, "wrong": 400,
        }  # fmt: skip
        said = msgspec.convert(event(now) | {"id": "e", "programID": "p"}, Event)
        (told,) = signals_of(said, Reader("dso", "ours"), {}, now)
        ours = [[start, end, watts / 1_000] for start, end, watts in told.signal.power.spans() if watts < 1e9]
        assert ours == [pytest.approx(span) for span in spans]
        assert asyncio.run(_first_cap(site.url, tmp_path)) == 11_000


async def _first_cap(url: str, folder: Path) -> float:
    """The import cap (W) that our VEN finds at a VTN."""
    found: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    vtn = OpenAdr("dso", url, "ours", str(folder / "secret"), "ours", "caps", every=0.1, timeout=60.0)

    def heed(held: Any, signals: Any) -> None:
        if any(signal.kind is Kind.IMPORT_CAP for signal in signals) and not found.done():
            found.set_result(held.import_cap)

    async with asyncio.timeout(TIME):
        task = asyncio.ensure_future(Listening(Grid(openadr=(vtn,)), time.time, lambda line: None, heed).run())
        cap = await found
        task.cancel()
        await asyncio.wait([task])
        return cap
