"""Work that takes long, done beside the event loop: few threads for many owners, and a time for each job. A shell.

    workers = Workers("plans")
    workers.submit(outlet, lambda patience: offered(needs, site, now, signals, patience), done)

Strangers decide how much there is to do: a car that states odd needs, leaves and comes back. So an owner has one job waiting at the
most, a newer one takes its place, and whoever has the least running is next. What began is not stopped, but each job is told how long it
may take: less, the more are waiting. The last of them has its turn in time.
"""

import asyncio
import contextlib
import gc
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from v2g.energy.patience import Patience

T = TypeVar("T")
THREADS: Final = 2  # one goes on while another job is a hard one; the sessions' loop needs a core too
LONGEST: Final = 5.0  # s for one job: plans that need more are those that nobody asks for in earnest, and there is one without search
WITHIN: Final = 30.0  # s from the request to the answer, of the 55 s after which a station refuses (SECC_ONGOING_TIMEOUT)
TURN: Final = 0.0005  # s for which a working thread keeps the loop waiting at the most
SELDOM: Final = 50  # times as seldom as usual garbage is looked for among all that is old: in a plan of 200 cars one look takes 34 ms

Job = Callable[[Patience], Any]
Done = Callable[[Any], None]
"""Told on the loop what the job returned, or the exception that it raised."""


class Dropped(Exception):
    """A newer job of the same owner has taken the place of this one, which was never begun."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    job: Job
    done: Done
    since: float  # monotonic s


class Workers:
    """The threads of one kind of work, in the process of one event loop. Each job has `longest` s at most, and its end `within` s from its
    request where the others keep to their time.
    """

    def __init__(self, name: str, *, threads: int = THREADS, longest: float = LONGEST, within: float = WITHIN) -> None:
        self._pool, self._threads = ThreadPoolExecutor(threads, name), threads
        self._longest, self._within = longest, within
        self._waiting: dict[Hashable, _Waiting] = {}
        self._running: Counter[Hashable] = Counter()

    def submit(self, owner: Hashable, job: Job, done: Done) -> None:
        """Have a job done for an owner, instead of the one that still waits for the same; that is told `Dropped`."""
        before = self._waiting.get(owner)
        self._waiting[owner] = _Waiting(job, done, time.monotonic())  # in its place in the queue
        self._go_on()
        if before is not None:
            before.done(Dropped("a newer job has taken its place"))

    async def run(self, owner: Hashable, job: Callable[[Patience], T]) -> T:
        """What the job returns or raises; Dropped where a newer one of the same owner took its place."""
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def done(value: Any) -> None:
            if result.done():
                return
            if isinstance(value, Exception):
                result.set_exception(value)
            else:
                result.set_result(value)

        self.submit(owner, job, done)
        return await result

    def close(self) -> None:
        """Begin no further job; those that run go on to their end."""
        self._waiting.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _go_on(self) -> None:
        while self._waiting and self._running.total() < self._threads:
            owner = min(self._waiting, key=self._running.__getitem__)  # the first of those with the fewest
            self._begin(owner, self._waiting.pop(owner))

    def _begin(self, owner: Hashable, each: _Waiting) -> None:
        now = time.monotonic()
        fair = self._threads * (self._within - (now - each.since)) / (1 + len(self._waiting))
        patience = Patience(now + max(min(self._longest, fair), 0.0), time.monotonic)
        self._running[owner] += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, _turned, each.job, patience)
        future.add_done_callback(lambda ended: self._ended(owner, each, ended))

    def _ended(self, owner: Hashable, each: _Waiting, ended: "asyncio.Future[Any]") -> None:
        self._running[owner] -= 1
        if not self._running[owner]:
            del self._running[owner]
        self._go_on()
        if not ended.cancelled():
            error = ended.exception()
            each.done(ended.result() if error is None else error if isinstance(error, Exception) else RuntimeError(repr(error)))


def _turned(job: Job, patience: Patience) -> Any:
    with short_turns():
        return job(patience)


class _Turns:
    """How many threads work beside the loop, and what the interpreter's switch interval and its collector's thresholds are without them."""

    lock = threading.Lock()
    working = 0
    usual = 0.005  # s
    thresholds = (700, 10, 10)  # of gc.set_threshold


@contextlib.contextmanager
def short_turns() -> Iterator[None]:
    """While this thread works, the loop waits for its turn `TURN` at the most, and hardly ever for the collector of garbage.

    What a plan makes is freed as it goes, without the collector; what is old is looked through when no thread works, or after some
    millions of new objects (`SELDOM`), so that threads that never rest keep no garbage for good.
    """
    with _Turns.lock:
        _Turns.working += 1
        if _Turns.working == 1:
            _Turns.usual = sys.getswitchinterval()
            sys.setswitchinterval(min(_Turns.usual, TURN))
            _Turns.thresholds = young, middle, old = gc.get_threshold()
            gc.set_threshold(young, middle, old * SELDOM)
    try:
        yield
    finally:
        with _Turns.lock:
            _Turns.working -= 1
            if not _Turns.working:
                sys.setswitchinterval(_Turns.usual)
                gc.set_threshold(*_Turns.thresholds)
