"""Work beside the loop: bounded, fair, told how long it may take, and never in the way of whoever comes next."""

import asyncio
import gc
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from v2g.energy.patience import Patience
from v2g.workers import SELDOM, TURN, Dropped, Workers

HANG = 60.0  # s until a test gives up; nothing waits so long


def played(script: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(HANG):
            await script()

    asyncio.run(bounded())


class Held:
    """A job that goes on until it is let go."""

    def __init__(self) -> None:
        self.began, self.free = threading.Event(), threading.Event()
        self.patience: Patience | None = None

    def __call__(self, patience: Patience) -> "Held":
        self.patience = patience
        self.began.set()
        assert self.free.wait(HANG)
        return self

    async def begun(self) -> None:
        assert await asyncio.to_thread(self.began.wait, HANG)


def test_a_hundred_visits_of_one_car_leave_a_job_a_thread_and_the_newest_waiting() -> None:
    async def script() -> None:
        workers, jobs, told, all_told = Workers("test", threads=2), [Held() for _ in range(100)], list[Any](), asyncio.Event()

        def tell(result: Any) -> None:
            told.append(result)
            if len(told) == len(jobs):
                all_told.set()

        for job in jobs:
            workers.submit("outlet", job, tell)
        await jobs[0].begun()
        await jobs[1].begun()
        assert [type(each) for each in told] == [Dropped] * 97
        for job in jobs:
            job.free.set()
        await all_told.wait()
        assert {id(each) for each in told[97:]} == {id(jobs[0]), id(jobs[1]), id(jobs[99])}
        assert not any(job.began.is_set() for job in jobs[2:99])

    played(script)


def test_who_has_least_running_is_next_and_a_newer_job_has_the_place_of_the_one_before() -> None:
    async def script() -> None:
        workers, order = Workers("test", threads=2), list[str]()
        first, second = Held(), Held()
        workers.submit("greedy", first, lambda _: None)
        workers.submit("greedy", second, lambda _: None)
        last = asyncio.Event()

        def begins(name: str) -> Callable[[Patience], None]:
            return lambda _: order.append(name)

        workers.submit("greedy", begins("greedy"), lambda _: last.set())
        workers.submit("a", begins("a before"), lambda _: None)
        workers.submit("b", begins("b"), lambda _: None)
        workers.submit("a", begins("a"), lambda _: None)
        first.free.set()
        await last.wait()
        second.free.set()
        assert order == ["a", "b", "greedy"]

    played(script)


def test_the_more_are_waiting_the_less_time_has_each_and_the_last_has_its_turn_in_time() -> None:
    async def script() -> None:
        workers, held = Workers("test", threads=1, longest=5.0, within=30.0), Held()
        workers.submit("alone", held, lambda _: None)
        await held.begun()
        assert held.patience is not None
        assert 0 < held.patience.left <= 5.0
        given, ended = list[float](), asyncio.Event()

        def job(patience: Patience) -> None:
            given.append(patience.left)

        for number in range(60):
            workers.submit(number, job, lambda _: ended.set() if len(given) == 60 else None)
        held.free.set()
        await ended.wait()
        assert given[0] <= 30.0 / 60
        assert given[30] <= 30.0 / 30
        assert given[-1] <= 5.0

    played(script)


def test_who_waited_too_long_has_no_time_left() -> None:
    async def script() -> None:
        workers = Workers("test", within=0.0)
        assert await workers.run("late", lambda patience: patience.over)

    played(script)


def test_what_a_job_raises_is_told_and_the_next_goes_on() -> None:
    async def script() -> None:
        workers = Workers("test", threads=1)
        with pytest.raises(ArithmeticError, match="no plan"):
            await workers.run("a", _fails)
        assert await workers.run("a", lambda _: 1) == 1

    played(script)


def _fails(_: Patience) -> None:
    raise ArithmeticError("no plan")


def test_who_waits_for_a_job_that_was_replaced_hears_of_it_and_what_is_closed_begins_nothing() -> None:
    async def script() -> None:
        workers, held, late = Workers("test", threads=1), Held(), Held()
        workers.submit("a", held, lambda _: None)
        replaced = asyncio.create_task(workers.run("b", lambda _: 1))
        await asyncio.sleep(0)
        newer = asyncio.create_task(workers.run("b", lambda _: 2))
        with pytest.raises(Dropped):
            await replaced
        held.free.set()
        assert await newer == 2
        other = Held()
        workers.submit("a", other, lambda _: None)
        workers.submit("c", late, lambda _: None)
        workers.close()
        other.free.set()
        await asyncio.sleep(0.05)
        assert not late.began.is_set()

    played(script)


def test_the_loop_waits_little_for_its_turn_while_somebody_works() -> None:
    async def script() -> None:
        usual = sys.getswitchinterval()
        assert await Workers("test").run("a", lambda _: sys.getswitchinterval()) == pytest.approx(TURN)
        assert sys.getswitchinterval() == pytest.approx(usual)

    played(script)


def test_while_somebody_works_garbage_is_seldom_looked_for_among_all_that_is_old() -> None:
    async def script() -> None:
        usual = gc.get_threshold()
        assert await Workers("test").run("a", lambda _: gc.get_threshold()) == (*usual[:2], usual[2] * SELDOM)
        assert gc.get_threshold() == usual

    played(script)
