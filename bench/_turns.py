"""A station that measures the turns of its event loop: `v2g secc` in this process, from the first charge loop on.

A turn is what runs without giving the loop back; what it costs is the CPU time of the loop's thread, so that work of other processes does
not count, and a car's request waits that long at the most for it. When the station ends it prints `turns` and, as JSON, for each kind of
turn how many there were, their sum and the longest (s), and whether it is the OCPP bridge's.
"""

import asyncio
import functools
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from v2g.messages.common_types import ChargeLoopResType
from v2g.session.endpoint import Event, FrameSent
from v2gkit.cli import main as v2g
from v2gkit.insight.witness import Tracer

KEPT = {"bridge", "connection", "store", "charge point"}  # the tasks that the bridge keeps, whose coroutines are those of v2g.tasks


class Turns:
    """What each kind of turn has cost since `began`: its number, the sum and the longest (s), whether it is the bridge's."""

    def __init__(self) -> None:
        self.began, self._collecting = False, 0.0
        self.spent: dict[str, tuple[int, float, float, bool]] = {}

    def measure(self, handle: Any, run: Callable[[Any], None]) -> None:
        """Run one turn of the loop."""
        callback, before = handle._callback, time.thread_time()
        run(handle)
        took = time.thread_time() - before
        if self.began:
            name, ours = _owner(callback)
            count, whole, longest, _ = self.spent.get(name, (0, 0.0, 0.0, ours))
            self.spent[name] = count + 1, whole + took, max(longest, took), ours

    def collected(self, phase: str, info: dict[str, int]) -> None:
        """Measure a round of the garbage collector, which is within the turn of whoever needed memory."""
        if phase == "start":
            self._collecting = time.thread_time()
        elif self.began:
            took, name = time.thread_time() - self._collecting, f"garbage of generation {info['generation']}"
            count, whole, longest, _ = self.spent.get(name, (0, 0.0, 0.0, False))
            self.spent[name] = count + 1, whole + took, max(longest, took), False


def _owner(callback: Any) -> tuple[str, bool]:
    """What a turn is called, and whether it is the bridge's."""
    task = getattr(callback, "__self__", None)
    if isinstance(task, asyncio.Task):
        coroutine: Any = task.get_coro()
        kept = task.get_name() in KEPT
        return task.get_name() if kept else coroutine.__qualname__, kept or "ocpp_bridge" in coroutine.cr_code.co_filename
    while isinstance(callback, functools.partial):
        callback = callback.func
    return getattr(callback, "__qualname__", "a callback"), str(getattr(callback, "__module__", "")).startswith("ocpp_bridge")


def main(arguments: list[str]) -> None:
    """Serve until the station ends, then print its turns."""
    turns, event, run, output = Turns(), Tracer.event, asyncio.Handle._run, os.dup(1)  # the command takes the other for itself

    def seen(tracer: Tracer, one: Event) -> None:
        turns.began = turns.began or (isinstance(one, FrameSent) and isinstance(one.message, ChargeLoopResType))
        event(tracer, one)

    Tracer.event = seen  # type: ignore[assignment, method-assign]
    gc.callbacks.append(turns.collected)
    asyncio.Handle._run = lambda handle: turns.measure(handle, run)  # type: ignore[assignment, method-assign]
    try:
        v2g.main(["secc", *arguments])
    finally:
        os.write(output, b"turns " + json.dumps(turns.spent).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
