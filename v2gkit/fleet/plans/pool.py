"""Solvers in a pool of processes on this machine. One that is killed costs its task another try."""

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final

from v2gkit.fleet.plans.task import solved
from v2gkit.fleet.plans.verbs import TRIES, SolverFault

NICE: Final = 5  # plans may wait; orders, which the process beside them gives, may not


class PoolSolvers:
    """A number of processes, begun with the first task. They end with this process, however it ends."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None
        self.retries = 0

    async def solve(self, site: str, task: bytes) -> bytes:
        """The plan of a task, by the next process that is free."""
        for _ in range(TRIES):
            pool = self._begun()
            try:
                return await asyncio.wrap_future(pool.submit(timed, task))
            except BrokenProcessPool:  # one was killed, and with it the pool: all its tasks are given to another
                self.retries += 1
                if self._pool is pool:
                    self._pool = None
                    pool.shutdown(wait=False, cancel_futures=True)
            except RuntimeError as error:
                raise SolverFault(f"{site}: {error}") from None
        raise SolverFault(f"{site}: solvers were killed {TRIES} times at its task")

    def _begun(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._processes, multiprocessing.get_context("spawn"), _prepare)
        return self._pool

    @property
    def pids(self) -> list[int]:
        """The processes that are there."""
        return [] if self._pool is None else list(self._pool._processes)

    async def close(self) -> None:
        """End the processes; what they had begun has no plan."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)


def timed(task: bytes) -> bytes:
    """The plan of a task, within the time that it gives."""
    return solved(task, time.monotonic)


def _prepare() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the process that began this one
    if hasattr(os, "nice"):
        os.nice(NICE)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: "multiprocessing.process.BaseProcess") -> None:
    """End with the process that began this one, be it killed."""
    parent.join()
    os._exit(1)
