"""The cryptography of newcomers, beside the event loop that serves the sessions.

A flight of a TLS handshake costs two to ten milliseconds of a core, and anyone may send one. They run on threads of their own: few at a
time, no more than a number per second, in turn for each source, and what finds no room in the queue is refused before any cryptography.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from v2g.legible import logger

log = logger("v2g.transport")

# Two threads keep a second car going while one waits for a slow verifier; the sessions' loop needs a core too.
WORKERS: Final = 2
# ClientHellos begun per second at the most: 200 cost a third of a core. A depot of 100 cars that plug in at once waits half a second.
PACE: Final = 1 / 200  # s
CATCH_UP: Final = 0.05  # s of that pace that a late loop may make up for
# At that pace the last of the queue waits for 1.3 s, of the 9 s that a handshake has. One more, and the newest of the busiest source goes.
WAITING: Final = 256


@dataclass(eq=False, slots=True)
class Step:
    """The work on one flight of a TLS handshake: `run` on a thread, then `done` on the loop with what it returned or raised."""

    source: Hashable
    run: Callable[[], bytes]
    done: Callable[[bytes | Exception], None]
    wanted: Callable[[], bool]  # False: the connection is gone, there is nothing to do
    refuse: Callable[[str], None]  # there is no room
    first: bool  # the peer's first flight: paced, and refused where the queue is full


class Handshakes:
    """The queue and its threads; one for all listeners of a process. Belongs to the running event loop from its first step on."""

    def __init__(self, *, workers: int = WORKERS, pace: float = PACE, waiting: int = WAITING):
        self._free, self._pace, self._most = workers, pace, waiting
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="handshake")
        self._begun: deque[Step] = deque()  # second flights, whose first has been paid for
        self._new: dict[Hashable, deque[Step]] = {}  # source -> first flights; the source whose turn it is stands first
        self._queued = 0
        self._next = 0.0  # monotonic s before which no first flight is begun
        self._alarm: asyncio.TimerHandle | None = None

    def submit(self, step: Step) -> None:
        """Queue a step; one of its callbacks (`done`, `refuse`) tells the outcome, on the loop."""
        if step.first:
            self._new.setdefault(step.source, deque()).append(step)
            self._queued += 1
            if self._queued > self._most:
                self._refuse_one()
        else:
            self._begun.append(step)
        self._go_on()

    def close(self) -> None:
        """Begin no further step; those that run go on to their end."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._begun.clear()
        self._new.clear()
        self._queued = 0
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _refuse_one(self) -> None:
        busiest = max(self._new, key=lambda source: len(self._new[source]))
        step = self._new[busiest].pop()
        self._took(busiest)
        step.refuse(f"more than {self._most} TLS handshakes wait, and this is the newest of the source that has most of them")

    def _took(self, source: Hashable) -> None:
        self._queued -= 1
        queue = self._new.pop(source)
        if queue:
            self._new[source] = queue  # at the end: the next source has its turn

    def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        while self._free and (step := self._chosen(loop)) is not None:
            if step.wanted():
                self._start(step, loop)

    def _chosen(self, loop: asyncio.AbstractEventLoop) -> Step | None:
        if self._begun:
            return self._begun.popleft()
        now = loop.time()
        if not self._new:
            return None
        if now < self._next:
            if self._alarm is None:
                self._alarm = loop.call_at(self._next, self._awake)
            return None
        source = next(iter(self._new))
        step = self._new[source].popleft()
        self._took(source)
        if step.wanted():
            self._next = max(self._next, now - CATCH_UP) + self._pace
        return step

    def _awake(self) -> None:
        self._alarm = None
        self._go_on()

    def _start(self, step: Step, loop: asyncio.AbstractEventLoop) -> None:
        self._free -= 1
        loop.run_in_executor(self._pool, step.run).add_done_callback(lambda future: self._finished(step, future))

    def _finished(self, step: Step, future: "asyncio.Future[bytes]") -> None:
        self._free += 1
        if not future.cancelled():
            error = future.exception()
            step.done(future.result() if error is None else error if isinstance(error, Exception) else RuntimeError(repr(error)))
        self._go_on()
