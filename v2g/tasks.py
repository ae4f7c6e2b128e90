"""Background tasks whose end is always reported. A shell: it belongs to the event loop.

    tasks = Tasks("v2g.ocpp")
    tasks.keep("connection", self._connect)      # for ever: whatever ends it is reported, and it begins again
    tasks.start("plan", self._plan(wanted))      # once: a failure is reported
    tasks.account()                              # what runs, how often it failed, why: JSON-able
    await tasks.close()

A task that is kept may fail, return, or be cancelled by a stranger: only `close` ends it. The wait before it begins again doubles with each
failure, and is short again once it has run for a while.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from v2g.legible import logger

FIRST: Final = 0.1  # s before a task that fell begins again
LONGEST: Final = 60.0  # s between two beginnings of a task that falls at once: a line a minute in the log, and no load
SOUND: Final = 60.0  # s a task has to run for its failures to be forgotten

Account = Callable[[], dict[str, dict[str, Any]]]
"""Gives, for each background task by name, whether it runs and how often it failed, as `Tasks.account` does."""

Work = Callable[[], Coroutine[Any, Any, object]]


@dataclass(frozen=True, slots=True)
class Fallen:
    """The report that a background task ended by itself: its name, the reason, and whether it begins again."""

    name: str
    reason: str
    restarts: int  # how often it has begun anew, this time included; 0 for a task that runs once
    again: float | None  # s until it begins again; None: it runs once

    @property
    def text(self) -> str:
        """The report as a sentence for people."""
        return f"{self.name} ended: {self.reason}" + ("" if self.again is None else f"; it begins again in {self.again:g} s")


@dataclass(slots=True)
class _Kept:
    """A task that is kept, over all its runs."""

    name: str
    work: Work
    task: "asyncio.Task[object] | None" = None
    again: asyncio.TimerHandle | None = None
    began: float = 0.0
    failures: int = 0  # without a sound run between them
    restarts: int = 0
    reason: str = ""

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return self.task is not None and not self.task.done()

    @property
    def idle(self) -> bool:
        """Whether it neither runs nor waits to begin again."""
        return not self.running and self.again is None


class Tasks:
    """The background tasks of one owner. Each that fails is logged to the logger `name`, and `say` is called with its `Fallen`."""

    def __init__(self, log: str, say: Callable[[Fallen], None] | None = None, *, first: float = FIRST, longest: float = LONGEST) -> None:
        self._log, self.say = logger(log), say
        self._first, self._longest = first, longest
        self._kept: dict[str, _Kept] = {}
        self._once: set[asyncio.Task[object]] = set()
        self._failed: dict[str, tuple[int, str]] = {}  # of tasks that run once: how many, the last reason
        self._closed = False

    def keep(self, name: str, work: Work) -> None:
        """Run `work` for ever. Does nothing where a task of that name is kept already; may be called again after `close`."""
        self._closed = False
        kept = self._kept.setdefault(name, _Kept(name, work))
        if kept.idle:
            kept.work = work
            self._begin(kept)

    def start(self, name: str, work: Coroutine[Any, Any, object]) -> None:
        """Run `work` once, in the background, and report its failure."""
        if self._closed:
            work.close()
            return
        task = asyncio.create_task(work, name=name)
        self._once.add(task)
        task.add_done_callback(partial(self._ran, name))

    def account(self) -> dict[str, dict[str, Any]]:
        """For each task by name: whether it runs, how often it began anew or failed, and the last reason. JSON-able."""
        kept = {each.name: {"running": each.running, "restarts": each.restarts, "reason": each.reason} for each in self._kept.values()}
        once = {name: {"failures": count, "reason": reason} for name, (count, reason) in self._failed.items()}
        return {**once, **kept}

    def running(self) -> "list[asyncio.Task[object]]":
        """The asyncio tasks that run now."""
        return [each.task for each in self._kept.values() if each.task is not None and not each.task.done()] + list(self._once)

    async def __aenter__(self) -> "Tasks":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Cancel all tasks, and wait until they have ended."""
        self._closed = True
        for each in self._kept.values():
            if each.again is not None:
                each.again.cancel()
                each.again = None
        tasks = self.running()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- inside ---

    def _begin(self, kept: _Kept) -> None:
        kept.again = None
        kept.began = asyncio.get_running_loop().time()
        kept.task = asyncio.create_task(_running(kept.work), name=kept.name)
        kept.task.add_done_callback(partial(self._over, kept))

    def _over(self, kept: _Kept, task: "asyncio.Task[object]") -> None:
        error = None if task.cancelled() else task.exception()
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        if loop.time() - kept.began >= SOUND:
            kept.failures = 0
        delay = min(self._first * 2.0 ** min(kept.failures, 32), self._longest)
        kept.failures += 1
        kept.restarts += 1
        kept.reason = _reason(task, error)
        kept.again = loop.call_later(delay, self._begin, kept)
        self._tell(Fallen(kept.name, kept.reason, kept.restarts, delay), error)

    def _ran(self, name: str, task: "asyncio.Task[object]") -> None:
        self._once.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        reason = _reason(task, error)
        self._failed[name] = (self._failed.get(name, (0, ""))[0] + 1, reason)
        if not self._closed:
            self._tell(Fallen(name, reason, 0, None), error)

    def _tell(self, fallen: Fallen, error: BaseException | None) -> None:
        self._log.error("%s", fallen.text, exc_info=error)
        if self.say is not None:
            try:
                self.say(fallen)
            except Exception:
                self._log.exception("nobody could be told that %s", fallen.text)


async def _running(work: Work) -> object:
    """The work, begun within its task: what fails before the first await falls like all else."""
    return await work()


def _reason(task: "asyncio.Task[object]", error: BaseException | None) -> str:
    if error is None:
        return "somebody cancelled it" if task.cancelled() else "it returned"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
