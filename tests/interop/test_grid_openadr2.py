"""OpenADR 2.0b: our VEN at a VTN that we did not write, which holds each of its messages to the Alliance's schema."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.starved import again
from v2gkit.grid.declared import Grid, OpenAdr2
from v2gkit.grid.shell.running import Listening
from v2gkit.peers import grid_setup

ROOT = Path(__file__).parents[2]
PYTHON = grid_setup.python_of(ROOT / ".interop")
TIME = 120.0  # s, generous
pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="openleadr is not in .interop: make interop")
Lines = list[dict[str, Any]]


class Board:
    """What was said so far, and a wait for more."""

    def __init__(self) -> None:
        self.lines: Lines = []
        self._more = asyncio.Event()

    def say(self, line: dict[str, Any]) -> None:
        self.lines.append(line)
        self._more.set()

    async def until(self, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while not (found := [line for line in self.lines if true(line)]):
            self._more.clear()
            await self._more.wait()
        return found[-1]


@again
def test_events_of_a_foreign_vtn_are_followed_answered_and_taken_back() -> None:
    async def tried() -> None:
        vtn, ven = Board(), Board()
        command = (str(PYTHON), str(grid_setup.OPENADR2))
        server = await asyncio.create_subprocess_exec(*command, stdin=-1, stdout=-1, stderr=asyncio.subprocess.DEVNULL)
        assert server.stdin is not None
        assert server.stdout is not None

        async def read(output: asyncio.StreamReader) -> None:
            while line := await output.readline():
                if line.startswith(b"{"):
                    vtn.say(json.loads(line))

        async def ask(**said: Any) -> None:
            assert server.stdin is not None
            server.stdin.write(json.dumps(said).encode() + b"\n")
            await server.stdin.drain()

        reading = asyncio.ensure_future(read(server.stdout))
        listening: asyncio.Future[None] | None = None
        try:
            async with asyncio.timeout(TIME):
                port = (await vtn.until(lambda line: "port" in line))["port"]
                url = f"http://127.0.0.1:{port}/OpenADR2/Simple/2.0b"
                levels = (float("inf"), 20_000.0, 5_000.0, 0.0)
                source = OpenAdr2("utility", url, "depot", simple=levels, every=0.2, timeout=60.0, fallback_import=4_000.0)
                listening = asyncio.ensure_future(Listening(Grid(openadr2=(source,)), time.time, ven.say).run())
                assert (await vtn.until(lambda line: "registers" in line)) == {"registers": "depot", "pulls": True}
                await ven.until(lambda line: line["what"] == "holds" and line["import_cap"] is None)
                await ask(event="e1", signal=["SIMPLE", "level"], intervals=[[-5, 900, 2], [895, 900, 1]])
                await ven.until(lambda line: line["what"] == "holds" and line["import_cap"] == 5_000)
                assert (await vtn.until(lambda line: line.get("event") == "e1"))["opt"] == "optIn"
                signal = (await ven.until(lambda line: line["what"] == "acknowledged"))["signal"]
                assert signal["acknowledged"] >= signal["received"]
                assert [step[2] for step in signal["steps"]] == [5_000, 20_000]
                await ask(event="e2", signal=["LOAD_DISPATCH", "setpoint"], intervals=[[-5, 900, -3.5]])
                await ven.until(lambda line: line["what"] == "holds" and line["setpoint"] == -3_500)
                await ask(event="e3", signal=["LOAD_DISPATCH", "setpoint"], bare=True, intervals=[[-5, 900, 1]])
                assert (await vtn.until(lambda line: line.get("event") == "e3"))["opt"] == "optOut"
                assert "without powerReal" in (await ven.until(lambda line: line["what"] == "fault"))["text"]
                ven.lines.clear()
                await ask(cancel="e3")
                await ask(cancel="e1")
                await ven.until(lambda line: line["what"] == "withdrawn" and line["signal"]["reference"] == "e1")
                await ven.until(lambda line: line["what"] == "holds" and line["import_cap"] is None)
                vtn.lines.clear()
                await ask()
                wrong = (await vtn.until(lambda line: "done" in line))["wrong"]
                assert not [text for text in wrong if "valid" in text.lower()], "a message of ours broke the schema"
        finally:
            reading.cancel()
            if listening is not None:
                listening.cancel()
                await asyncio.wait([listening])
            server.kill()
            await server.wait()

    asyncio.run(tried())
