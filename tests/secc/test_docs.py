"""The example that the documentation gives to whoever brings hardware is run as it stands there."""

import asyncio
import re
import sys
import types
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from secc.evse import EVSE
from tests.secc.test_server import bench, run

TEXT = (Path(__file__).parents[2] / "docs" / "secc.md").read_text()


class Bus(types.ModuleType):
    """A fieldbus: what is written is kept, feedback follows."""

    def __init__(self) -> None:
        super().__init__("mybus")
        self.written: dict[str, Any] = {"U_I": (0.0, 0.0)}

    async def read(self, name: str) -> Any:
        voltage, current = self.written["U_I"]
        found = {"P_max": 50_000.0, "iso_kohm": 500.0, "U": voltage, "I": current, "Wh_in": 10.0, "Wh_out": 0.0, "clock": 1.8e9}
        return found[name] if name in found else self.written.get(name.removesuffix("_feedback"), 0)

    async def write(self, name: str, value: Any) -> None:
        self.written[name] = value

    async def pressed(self, name: str) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield


def test_the_example_serves_a_car(monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = [block for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "class Charger" in block]
    lines = [line for line in example.splitlines() if line.strip() and not line.startswith(("from", "import"))]
    assert len(lines) <= 30
    bus, space = Bus(), {}  # type: ignore[var-annotated]
    monkeypatch.setitem(sys.modules, "mybus", bus)
    exec(example, space)
    charger = space["Charger"]()
    assert isinstance(charger, EVSE)

    async def story() -> None:
        async with bench(evse=charger) as it:
            result = await it.visit("DC")
            assert result.ended.well, result.ended
            await it.free()
            assert bus.written["K1"] == 0
            assert bus.written["iso_test"] > 0

    run(story)
