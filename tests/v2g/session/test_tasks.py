"""Background tasks: whatever ends one is said, and it begins again."""

import asyncio
import json
import logging

import pytest

from v2g.tasks import Fallen, Tasks


async def _until(true, limit: float = 300.0):
    async with asyncio.timeout(limit):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


async def _fails():
    raise ValueError("line one\nended: ok")


async def _returns():
    await asyncio.sleep(0)


async def _sleeps():
    await asyncio.sleep(3600)


@pytest.mark.parametrize(
    ("work", "reason"), [(_fails, "ValueError: line one"), (_returns, "it returned"), (_sleeps, "somebody cancelled it")]
)
def test_whatever_ends_a_task_it_begins_again_and_is_said(work, reason, caplog):
    fallen: list[Fallen] = []

    async def scene():
        async with Tasks("v2g.test", fallen.append, first=0.001) as tasks:
            tasks.keep("work", work)

            def hit():
                for task in tasks.running():
                    if work is _sleeps:
                        task.cancel()
                return len(fallen) >= 3

            await _until(hit)
            await _until(lambda: tasks.account()["work"]["restarts"] >= 3)
            said = tasks.account()
            assert said["work"]["reason"].startswith(reason)
            json.dumps(said)
        assert not tasks.running()
        count = len(fallen)
        await asyncio.sleep(0.05)
        assert len(fallen) == count  # closed is closed

    with caplog.at_level(logging.ERROR, logger="v2g.test"):
        asyncio.run(scene())
    assert [each.restarts for each in fallen] == list(range(1, len(fallen) + 1))
    assert [each.again for each in fallen[:3]] == [0.001, 0.002, 0.004]
    assert reason in caplog.text
    assert "\nended: ok" not in caplog.text


def test_the_wait_doubles_to_a_limit_and_a_sound_run_forgives(monkeypatch):
    waits: list[float] = []

    async def scene():
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "call_later", lambda delay, call, *given: waits.append(delay) or loop.call_soon(call, *given))
        tasks = Tasks("v2g.test.limit", first=1.0, longest=60.0)
        tasks.keep("work", _fails)
        await _until_soon(lambda: len(waits) >= 10)
        monkeypatch.setattr("v2g.tasks.SOUND", 0.0)
        count = len(waits)
        await _until_soon(lambda: len(waits) > count)
        await tasks.close()
        assert waits[:8] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
        assert waits[-1] == 1.0

    asyncio.run(scene())


async def _until_soon(true):
    for _ in range(10_000):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came true")


def test_a_task_that_runs_once_is_heard_when_it_fails():
    async def scene():
        fallen: list[Fallen] = []
        async with Tasks("v2g.test.once", fallen.append) as tasks:
            tasks.start("good", _returns())
            tasks.start("bad", _fails())
            await _until(lambda: fallen)
            assert fallen[0].name == "bad"
            assert fallen[0].again is None
            assert tasks.account() == {"bad": {"failures": 1, "reason": "ValueError: line one\nended: ok"}}

    asyncio.run(scene())


def test_a_listener_that_fails_costs_nobody_the_restart():
    async def scene():
        def deaf(fallen):
            raise RuntimeError("deaf")

        async with Tasks("v2g.test.deaf", deaf, first=0.001) as tasks:
            tasks.keep("work", _fails)
            await _until(lambda: tasks.account()["work"]["restarts"] >= 3)

    asyncio.run(scene())


def test_what_is_closed_can_be_opened_again():
    async def scene():
        tasks = Tasks("v2g.test.again", first=0.001)
        for _ in range(2):
            tasks.keep("work", _sleeps)
            tasks.keep("work", _sleeps)
            assert len(tasks.running()) == 1
            await tasks.close()
            assert not tasks.running()

    asyncio.run(scene())
