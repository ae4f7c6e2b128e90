"""A charge loop of a car and a station in one process, in virtual time: calls of Python and processor time, whatever else the machine does.

python -m bench.leaps                                  both controls
python -m bench.leaps --control Dynamic --most 40      and which functions lead to most calls

Plug & Charge over TLS 1.3 and a real socket, DC_BPT, four loops a second. Once the charge loop runs, the clock of the event loop leaps to
what is due next: no timer of the standard runs out for want of a processor. Calls are those of Python and of C, of both ends together.
"""

import argparse
import asyncio
import logging
import selectors
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final, get_args

from bench.calls import Loops, station
from evcc.car import Wish
from evcc.client import Visit
from evcc.config import Config
from evcc.trust import equip, vehicle_tls
from pki.issue import build
from pki.plan import Plan
from pki.store import create
from secc.server import wall_clock
from v2g.iso20.services import DC_BPT, Control

PACE: Final = 0.25  # s from an answer of the charge loop to the next request
SETTLED: Final = 20.0  # s of virtual time, after which output and caches stand still
LOOKS: Final = 3  # at the sockets, before nothing is taken to be under way: what one end has sent is there for the other at once


class Selector(selectors.DefaultSelector):
    """A selector that waits for nothing once `leaping`: it adds to `leapt` (s) what it would have waited."""

    leaping = False
    leapt = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """What is ready, without waiting where time leaps."""
        if not self.leaping or timeout is None or timeout <= 0:
            return super().select(timeout)
        for _ in range(LOOKS):
            if found := super().select(0):
                return found
        self.leapt += timeout
        return []


class Loop(asyncio.SelectorEventLoop):
    """An event loop by whose clock no time passes but what it leaps, once `leap` was called."""

    def __init__(self) -> None:
        self._selecting, self._stopped = Selector(), 0.0
        super().__init__(self._selecting)

    def time(self) -> float:
        """Seconds of the loop's clock."""
        return (self._stopped or time.monotonic()) + self._selecting.leapt

    def leap(self, leaping: bool) -> None:
        """Leap from now on, or wait again as everybody does."""
        self._stopped, self._selecting.leaping = time.monotonic() if leaping else 0.0, leaping


class Calls:
    """Counts calls by `sys.setprofile`: all of them, and for each function those that it leads to."""

    def __init__(self) -> None:
        self.total = 0
        self.led: Counter[CodeType] = Counter()
        self._open: list[tuple[CodeType, int]] = []

    def heard(self, frame: FrameType, event: str, _: object) -> None:
        """Take one event of the interpreter; a `sys.setprofile` function."""
        if event == "return":
            if self._open:
                code, before = self._open.pop()
                self.led[code] += self.total - before + 1
        elif event in ("call", "c_call"):
            self.total += 1
            if event == "call":
                self._open.append((frame.f_code, self.total))


async def measured(folder: Path, control: Control, seconds: float, calls: Calls | None) -> tuple[int, float]:
    """The charge loops in so many seconds of virtual time, and the processor time (s) of both ends."""
    loop, loops = asyncio.get_running_loop(), Loops()
    assert isinstance(loop, Loop)
    store = create(folder / "pki", [build(Plan(), "secp521r1", datetime.now(UTC))])
    async with station(store, loops) as serving:
        wish = Wish(store.vehicle.common_name, (DC_BPT.name,), control=control, authorizations=("PnC",), loops=10**6, pace=PACE)
        car = Config(soc=30.0, wish=wish, departure_in=36_000.0).car(wall_clock(), loop.time())
        equip(car, store)
        visit = asyncio.create_task(Visit(car, tls=vehicle_tls(store)).at(*serving.addresses[0]))
        await loops.begun.wait()
        loop.leap(True)
        await asyncio.sleep(SETTLED)
        before, began = loops.count, time.process_time()
        sys.setprofile(None if calls is None else calls.heard)
        await asyncio.sleep(seconds)
        sys.setprofile(None)
        counted, took = loops.count - before, time.process_time() - began
        assert not visit.done(), visit.result()
        loop.leap(False)
        visit.cancel()
        await asyncio.gather(visit, return_exceptions=True)
    return counted, took


def run(controls: Sequence[Control] = get_args(Control), seconds: float = 100.0, most: int = 0) -> None:
    """Print calls and processor time for each loop, the least of three runs; and of which functions there are `most`."""
    logging.disable(logging.WARNING)
    for control in controls:
        costs, counts = [], Calls()
        for calls in (None, None, None, counts):
            with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=Loop) as runner:
                loops, took = runner.run(measured(Path(folder), control, seconds, calls))
                costs.append(took / loops)
        print(f"{control:9} both ends: {counts.total / loops:.0f} calls for each charge loop, {min(costs) * 1e3:.2f} ms of processor time")
        for code, led in counts.led.most_common(most):
            print(f"  {led / loops:8.1f} in {code.co_qualname} ({Path(code.co_filename).name}:{code.co_firstlineno})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m bench.leaps")
    parser.add_argument("--control", choices=get_args(Control), action="append")
    parser.add_argument("--seconds", type=float, default=100.0, help="of virtual time")
    parser.add_argument("--most", type=int, default=0, help="so many functions, by the calls that they lead to")
    options = parser.parse_args()
    run(options.control or get_args(Control), options.seconds, options.most)
