"""An outlet of ours whose pilot, contactor, button and data link a tester drives: by the files of a folder, each with one word."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal, cast

from secc.simulated import SimulatedEVSE
from secc.station import Fact, PilotIs, StopAsked

LOOK = 0.05  # s between two looks at the folder


class Driven(SimulatedEVSE):
    """The simulated outlet with the files of a folder as levers: pilot (B, C), contactor (held), stop (any word), link (up, down)."""

    def __init__(self, levers: str):
        super().__init__(asyncio.get_running_loop().time, time.time, asyncio.sleep)
        self._levers = Path(levers)

    def _lever(self, name: str) -> str:
        file = self._levers / name
        return file.read_text().strip() if file.is_file() else ""

    def linked(self) -> bool | None:
        return {"up": True, "down": False}.get(self._lever("link"))

    async def close_contactor(self) -> bool:
        return self._lever("contactor") != "held" and await super().close_contactor()

    async def notices(self) -> AsyncIterator[Fact]:
        """The pilot as it is and with every change; the button once for each press."""
        pilot = ""
        while True:
            if (word := self._lever("pilot")) and word != pilot:
                pilot = word
                yield PilotIs(cast(Literal["B", "C"], word))
            if self._lever("stop"):
                (self._levers / "stop").unlink()
                yield StopAsked("button")
            await asyncio.sleep(LOOK)
