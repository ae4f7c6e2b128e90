"""S2: our resource manager under a CEM made of a library that we did not write, which reads each of our messages by its own models."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.starved import again
from v2gkit.grid.declared import Grid
from v2gkit.grid.s2 import words
from v2gkit.grid.s2.declared import S2
from v2gkit.grid.shell.running import Listening
from v2gkit.grid.times import written
from v2gkit.peers import grid_setup

ROOT = Path(__file__).parents[2]
PYTHON = grid_setup.python_of(ROOT / ".interop")
TIME = 60.0  # s, generous
pytest.importorskip("websockets")
pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="s2-python is not in .interop: make interop")
ID = "5bd2ac3d-2b8e-4b3c-8f9e-0d6a5f3d9a01"


def envelope(now: float) -> dict[str, Any]:
    elements = [{"duration": 900_000, "upper_limit": 7_400, "lower_limit": -3_000}]
    envelopes = [{"id": ID, "commodity_quantity": "ELECTRIC.POWER.3_PHASE_SYMMETRIC", "power_envelope_elements": elements}]
    return {"message_type": "PEBC.Instruction", "power_envelopes": envelopes}


def mode(now: float) -> dict[str, Any]:
    return {"message_type": "OMBC.Instruction", "operation_mode_factor": 0.5}


@pytest.mark.parametrize(
    ("control", "instruction", "held"),
    [(words.ENVELOPE, envelope, {"import_cap": 7_400, "export_cap": 3_000}), (words.MODES, mode, {"setpoint": -5_500})],
)
@again
def test_a_foreign_cem_steers_our_site(control: str, instruction: Any, held: dict[str, float]) -> None:
    asyncio.run(_steered(control, instruction, held))


async def _steered(control: str, instruction: Any, held: dict[str, float]) -> None:
    now = time.time()
    facts = {"message_id": ID, "id": ID, "execution_time": written(now), "abnormal_condition": False}
    asked = json.dumps({"control": control, "instruction": instruction(now) | facts})
    async with asyncio.timeout(TIME):
        peer = await asyncio.create_subprocess_exec(
            PYTHON, grid_setup.S2, asked, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        assert peer.stdout is not None
        url = json.loads(await peer.stdout.readline())["url"]
        found: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def say(line: dict[str, Any]) -> None:
            if line["what"] == "holds" and all(line[name] == value for name, value in held.items()) and not found.done():
                found.set_result(None)

        source = S2("cem", url, 22_000, 11_000, fallback_import=4_200)
        listening = Listening(Grid(s2=(source,)), time.time, say)
        task = asyncio.ensure_future(listening.run())
        await found
        assert all(row.acknowledged is not None for row in listening.book.rows())
        said: list[dict[str, Any]] = []
        while not any(line.get("heard", {}).get("status_type") == "STARTED" for line in said):
            said.append(json.loads(await peer.stdout.readline()))
        task.cancel()
        await asyncio.wait([task])
        peer.kill()
        await peer.wait()
    assert {line["status"] for line in said if "answered" in line} == {"OK"}
    heard = [line["heard"]["message_type"] for line in said if "heard" in line]
    assert heard[:2] == ["Handshake", "ResourceManagerDetails"]
