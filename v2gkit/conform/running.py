"""Plays cases against a peer: several at once, each with a bench of its own, none longer than its bound. A shell."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from typing import Protocol

from v2gkit.conform.case import Case, Kind
from v2gkit.conform.controls import Controls
from v2gkit.conform.lateness import BEAT, Stalls, late_request, punctual, stalled
from v2gkit.conform.pics import Pics
from v2gkit.conform.runner import Place, Run, Schedule, divided, result, runs_of
from v2gkit.conform.verdict import Evidence, Outcome, Result, Verdict, blocked, failed, inconclusive

AGAIN = 3  # times that a run in which this side was late is made again


class Bench(Protocol):
    """What a script plays with: one place of the peer, for one run."""

    part: str

    @property
    def evidence(self) -> Evidence:
        """What was seen so far."""

    async def serves(self) -> None:
        """Raises Unreached where the peer serves no sound session before anything was done to it."""

    async def recovered(self) -> str:
        """Whether the peer serves a sound session after what was done to it: empty where it does, else what is wrong in words."""


class Blocked(Exception):
    """This side lacks what a case needs; the message says what."""


class Unreached(Exception):
    """The precondition of a case was not reached; the message says what happened instead."""


class Broken(Exception):
    """The peer did what the standard forbids; the message says what."""


Benches = Callable[[Run, Place], AbstractAsyncContextManager[Bench]]
"""Makes the bench of a run."""
Told = Callable[[Result, Iterable[tuple[Run, Outcome]], float], None]
"""Is told each result as it comes, with the runs behind it, and about how many seconds are left."""


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    async with asyncio.timeout(seconds):
        yield


async def played(run: Run, place: Place, benches: Benches) -> Outcome:
    """Play one run; what it came to. A script that fails by itself is inconclusive: it is never the peer's fault."""
    began = time.monotonic()
    evidence: Evidence = ()
    try:
        async with benches(run, place) as bench:
            try:
                if run.case.kind is Kind.ROBUSTNESS:
                    await bench.serves()
                outcome = await _outcome(run, bench)
                if outcome.verdict is Verdict.PASS and run.case.kind is Kind.ROBUSTNESS and (wrong := await bench.recovered()):
                    outcome = failed(f"{outcome.seen}; then {wrong}")
            finally:
                evidence = bench.evidence
    except Exception as error:
        outcome = _by_error(error)
    return replace(outcome, evidence=outcome.evidence or evidence, seconds=time.monotonic() - began)


async def in_time(run: Run, place: Place, benches: Benches, stalls: Stalls, slack: float) -> Outcome:
    """Play one run, and again while this side is late; what it came to. A run in which it was late is never the peer's fault."""
    for _ in range(1 + AGAIN):
        began = time.monotonic()
        outcome = await played(run, place, benches)
        stood = stalled(outcome.evidence, stalls, began, time.monotonic(), min(slack, run.case.slack))
        outcome = punctual(outcome, late_request(outcome.evidence, stalls), stood)
        if not outcome.late:
            return outcome
    return replace(outcome, seen=f"{outcome.seen} (and so {1 + AGAIN} times)")


async def _beating(stalls: Stalls) -> None:
    while True:
        await asyncio.sleep(BEAT)
        stalls.beat(time.monotonic())


@asynccontextmanager
async def _watched() -> AsyncIterator[Stalls]:
    """Within the block, the spells are kept in which this process is not scheduled."""
    stalls = Stalls(time.monotonic())
    beating = asyncio.create_task(_beating(stalls))
    try:
        yield stalls
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating


async def _outcome(run: Run, bench: Bench) -> Outcome:
    try:
        async with _within(run.case.within):
            return await run.case.script(bench)
    except Exception as error:
        return _by_error(error, run.case.within)


def _by_error(error: Exception, within: float = 0.0) -> Outcome:
    match error:
        case Blocked():
            return blocked(str(error))
        case Broken():
            return failed(str(error))
        case Unreached():
            return inconclusive(str(error))
        case TimeoutError() if within:
            return inconclusive(f"the case was not over after {within:g} s")
    return inconclusive(f"{type(error).__name__}: {error}")


async def run(cases: Iterable[Case], pics: Pics, benches: Benches, told: Told, *, outlets: int = 1, repeat: int = 1) -> list[Result]:
    """Play the cases that apply, `repeat` times each; the results of all, sorted by id. `told` hears of each as soon as it is known.

    A pass whose control is among the cases is known when that is, and stands where it passed too.
    """
    async with _watched() as stalls:
        return await _run(cases, pics, benches, told, outlets, repeat, stalls)


async def _run(cases: Iterable[Case], pics: Pics, benches: Benches, told: Told, outlets: int, repeat: int, stalls: Stalls) -> list[Result]:
    applicable, results = divided(cases, pics)
    schedule = Schedule(runs_of(applicable, repeat), outlets, pics.test.connections)
    controls = Controls[list[tuple[Run, Outcome]]]({case.id: case for case in applicable})
    for each in results:
        told(each, (), schedule.left(time.monotonic()))
    outcomes: dict[str, list[tuple[Run, Outcome]]] = {case.id: [] for case in applicable}
    tasks: dict[asyncio.Task[Outcome], Run] = {}
    try:
        while schedule.waiting or tasks:
            while (begun := schedule.next(time.monotonic())) is not None:
                tasks[asyncio.create_task(in_time(*begun, benches, stalls, pics.test.slack))] = begun[0]
            over, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in over:
                each_run = tasks.pop(task)
                schedule.done(each_run)
                case, heard = each_run.case, outcomes[each_run.case.id]
                heard.append((each_run, task.result()))
                if len(heard) == len(case.parts) * repeat:
                    for final, behind in controls.add(result(case, heard), heard):
                        results.append(final)
                        told(final, behind, schedule.left(time.monotonic()))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return sorted(results, key=lambda each: each.id)
