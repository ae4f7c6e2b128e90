"""Whatever is signed is judged in place, and beside the loop: tests that import `where` are run both ways, with the same outcome."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from secc.engine import SeccSession
from secc.foreseen import SIGNED, Foreseen
from tests.secc import older, scripted


class Aside(SeccSession):
    """A session whose shell reads on another thread what it leaves, as a station does."""

    read = 0

    def __init__(self, *given: Any, **options: Any):
        verifier = options.pop("verifier", None)
        super().__init__(*given, **options, verifier=None if verifier is None else Foreseen(verifier), signed_aside=SIGNED)

    def receive(self, octets: bytes, now: float) -> None:
        super().receive(octets, now)
        while (unread := self.desk.errand()) is not None:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(unread.read).result()
            Aside.read += 1
            self.was_read(unread, now)


@pytest.fixture(autouse=True, params=["in place", "aside"])
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test's stations read and judge what is signed."""
    if request.param == "aside":
        for module in (scripted, older):
            monkeypatch.setattr(module, "SeccSession", Aside)
