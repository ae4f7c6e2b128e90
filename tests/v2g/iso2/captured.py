"""Sessions of real cars and stations, where they are at hand: not part of this repository."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[4] / "shared" / "captures" / "sessions.jsonl"
needs_captures = pytest.mark.skipif(not FILE.exists(), reason="the captured sessions are not at hand")


@cache
def sessions(generation: str = "-2") -> tuple[dict[str, Any], ...]:
    """The captured sessions of a generation, in the order of the file; none without it."""
    if not FILE.exists():
        return ()
    found = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    return tuple(each for each in found if each["generation"] == generation)
