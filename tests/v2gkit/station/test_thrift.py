"""What a station has used once goes back to the system."""

import asyncio
import gc
import json
import subprocess
import sys
from typing import Any

import pytest

from v2gkit.station import service
from v2gkit.station.thrift import FREED, Allocator, settled

BURST = """
import asyncio, ctypes, json
from pathlib import Path
from v2gkit.station.thrift import Allocator

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

async def story():
    allocator = Allocator()
    allocator.save()
    idle = await allocator.look()
    burst = [ctypes.create_string_buffer(4000) for _ in range(10_000)]
    full, taken = resident(), await allocator.look()
    rest = burst[::100]  # here and there one stays, so that no heap ends where the burst began
    burst.clear()
    freed = resident()
    given = await allocator.look()
    left, again = resident(), await allocator.look()
    said = {"idle": idle, "taken": taken, "given": given, "again": again}
    return {**said, "full": full, "freed": freed, "left": left, "kept": len(rest)}

print(json.dumps(asyncio.run(story())))
"""


@pytest.mark.skipif(not Allocator().there, reason="the C library is not glibc 2.33 or newer")
def test_what_a_burst_leaves_free_goes_back_to_the_system_once() -> None:
    done = subprocess.run([sys.executable, "-c", BURST], capture_output=True, text=True, timeout=300, check=True)
    said = json.loads(done.stdout)
    assert (said["idle"], said["taken"], said["given"], said["again"]) == (False, False, True, False)
    assert said["full"] - said["freed"] < FREED, "the library gave it back by itself: this shows nothing"
    assert said["freed"] - said["left"] > 30e6


def test_where_the_library_cannot_give_back_nothing_is_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: object) -> Any:
        raise TypeError(name)

    monkeypatch.setattr("ctypes.CDLL", none)
    allocator = Allocator()
    allocator.save()
    assert not allocator.there
    assert allocator.used() == 0
    assert asyncio.run(allocator.look()) is False


def test_what_is_there_at_the_start_is_left_alone_by_the_collector() -> None:
    try:
        settled()
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
    assert service.settled is settled
