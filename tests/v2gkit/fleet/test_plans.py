"""Plans by other processes: one contract in a pool and over a real NATS server, whoever is killed; and what a site does with its plan."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.free_ports import free_port
from tests.starved import HANG
from tests.v2gkit.csms.stores import nats
from tests.v2gkit.csms.test_bus import served
from tests.v2gkit.fleet.played import Stage
from v2g.energy.series import Series
from v2g.energy.signal import Kind, Signal
from v2gkit.fleet.decision import Car
from v2gkit.fleet.declared import Site
from v2gkit.fleet.plans.over_nats import SHARDS, NatsSolvers, shard_of
from v2gkit.fleet.plans.planner import Planner
from v2gkit.fleet.plans.pool import PoolSolvers
from v2gkit.fleet.plans.task import Limit, Planned, Span, Task, solved
from v2gkit.fleet.plans.verbs import TRIES, SolverFault, Solvers
from v2gkit.grid.standing import Standing

NOW = 1_800_000_000.0
HOUR = 3_600.0


def task(site: str = "s", cars: int = 3, **more: Any) -> bytes:
    """Cars that want 20 kWh in four hours, all of which the connection cannot feed at once."""
    known: dict[str, Any] = {"wanted": 11_000.0, "most": 11_000.0, "missing": 20_000.0, "departure": NOW + 4 * HOUR}
    found = tuple(Car(f"c{n}", "grid", **(known | more)) for n in range(cars))
    return msgspec.json.encode(Task("t", Site(site, "t", import_limit=22_000.0), NOW, found))


def planned(octets: bytes) -> Planned:
    return msgspec.json.decode(octets, type=Planned)


# --- the plan ---


def energy(plan: Planned, asset: str, until: float = NOW + 4 * HOUR) -> float:
    return sum(power * (min(end, until) - start) / HOUR for start, end, power in plan.powers[asset] if start < until)


def test_a_plan_serves_all_within_the_connection_and_before_a_cap_that_is_known() -> None:
    plan = planned(solved(task()))
    assert not plan.fault
    assert not plan.missing
    for at in range(int(NOW), int(NOW + 4 * HOUR), 450):
        assert sum(power for spans in plan.powers.values() for start, end, power in spans if start <= at < end) <= 22_001
    ahead = Limit("dso:1", Kind.IMPORT_CAP.value, 1, ((NOW + 3.2 * HOUR, NOW + 4 * HOUR, 0.0),))
    known = msgspec.json.encode(msgspec.structs.replace(msgspec.json.decode(task(), type=Task), limits=(ahead,)))
    early = planned(solved(known))
    assert not early.missing
    assert sum(energy(early, name, NOW + 3.2 * HOUR) for name in early.powers) == pytest.approx(sum(energy(early, n) for n in early.powers))
    assert solved(known) == solved(known)


def test_octets_that_are_no_task_and_a_site_that_cannot_be_have_a_fault() -> None:
    assert planned(solved(b"\xff{")).fault.startswith("that is no task")
    elsewhere = msgspec.structs.replace(msgspec.json.decode(task(), type=Task), cars=(Car("c", "nowhere", 1.0, 1.0, departure=NOW + 60),))
    assert "nowhere" in planned(solved(msgspec.json.encode(elsewhere))).fault


# --- the contract of solvers ---


def worker(url: str, *more: str) -> "subprocess.Popen[str]":
    """A worker in a process of its own, at work."""
    command = [sys.executable, "-m", "v2gkit", "solver", "--nats", url, *more]
    one = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert one.stdout is not None
    assert "solving" in one.stdout.readline()
    return one


@contextlib.asynccontextmanager
async def solvers(kind: str, folder: Path) -> AsyncIterator[tuple[Solvers, Callable[[], None]]]:
    """Solvers with two workers, and what kills one of those."""
    if kind == "pool":
        pool = PoolSolvers(2)
        yield pool, lambda: os.kill(pool.pids[0], signal.SIGKILL)
        await pool.close()
        return
    with served(folder, "-js", "-sd", str(folder)) as url:
        workers = [worker(url), worker(url)]
        one = await NatsSolvers.at(url)
        try:
            yield one, workers[0].kill
        finally:
            await one.close()
            for each in workers:
                each.kill()
                each.communicate(timeout=HANG)


@pytest.mark.parametrize("kind", ["pool", "nats"])
def test_a_worker_that_is_killed_costs_a_retry_and_never_a_plan(kind: str, tmp_path: Path) -> None:
    async def scene() -> None:
        tasks = {f"s{n}": task(f"s{n}", cars=24) for n in range(10)}
        async with solvers(kind, tmp_path) as (one, kill):
            assert planned(await one.solve("s0", tasks["s0"])).powers == planned(solved(tasks["s0"])).powers
            asked = [asyncio.create_task(one.solve(site, octets)) for site, octets in tasks.items()]
            await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            kill()
            async with asyncio.timeout(HANG):
                plans = [planned(each) for each in await asyncio.gather(*asked)]
            assert [plan.site for plan in plans] == list(tasks)
            assert not any(plan.fault for plan in plans)
            with_none = planned(await one.solve("s0", b"nothing"))
            assert with_none.fault

    asyncio.run(scene())


def test_nobody_at_work_is_a_fault_and_a_server_that_is_killed_costs_a_retry(tmp_path: Path) -> None:
    async def scene() -> None:
        port = free_port()
        command = [nats(), "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(tmp_path)]
        url = f"nats://127.0.0.1:{port}"
        with begun(command) as first:
            one = await NatsSolvers.at(url, waiting=0.2)
            with pytest.raises(SolverFault, match="v2g solver"):
                await one.solve("s", task())
            one._waiting = 30.0  # three times that for a server to begin and a worker to find it
            own = worker(url, "--shards", f"{shard_of('s')}")
            assert planned(await one.solve("s", task())).powers
            first.kill()
            first.wait()
        asked, before = asyncio.create_task(one.solve("s", task())), one.retries
        with begun(command[:-3]):  # as a server that begins: it answers, and has no queue yet
            while one.retries <= before + TRIES and not asked.done():  # noqa: ASYNC110 - a count is looked at
                await asyncio.sleep(0.1)
        assert not asked.done()
        with begun(command):
            try:
                async with asyncio.timeout(HANG):
                    assert planned(await asked).powers
                assert one.retries
            finally:
                own.kill()
                own.communicate(timeout=HANG)
                await one.close()

    asyncio.run(scene())


@contextlib.contextmanager
def begun(command: list[str]):  # type: ignore[no-untyped-def]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert any("Server is ready" in line for line in server.stderr)  # type: ignore[union-attr]
        yield server
    finally:
        server.kill()
        server.communicate(timeout=HANG)


def test_every_site_has_one_shard() -> None:
    assert {shard_of(f"site-{n}") for n in range(400)} == set(range(SHARDS))


PARENT = """
import asyncio
from v2gkit.fleet.plans.pool import PoolSolvers
from v2gkit.fleet.plans.task import solved
async def main():
    pool = PoolSolvers(1)
    await pool.solve("s", b"nothing")
    print(*pool.pids, flush=True)
    await asyncio.sleep(600)
if __name__ == "__main__":
    asyncio.run(main())
"""


def test_the_processes_of_a_pool_end_with_the_one_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py")], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.communicate(timeout=HANG)
    until = time.monotonic() + HANG
    while alive(child):
        assert time.monotonic() < until
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


# --- what a site does with its plan ---


class Here:
    """Solves in this process; `gone`: nobody does."""

    gone = False

    async def solve(self, site: str, task: bytes) -> bytes:
        if self.gone:
            raise SolverFault("nobody")
        return solved(task)

    async def close(self) -> None:
        pass


def staged(folder: Path) -> tuple[Stage, Planner, Here]:
    stage, here = Stage(folder), Here()
    return stage, Planner(stage.conductor, here, lambda: stage.now), here


def test_a_site_follows_its_plan_and_the_last_one_where_no_new_one_comes(tmp_path: Path) -> None:
    async def scene() -> None:
        stage, planner, here = staged(tmp_path)
        closed = Signal("dso:1", Kind.IMPORT_CAP, Series.constant(stage.now + 2 * HOUR, 8 * HOUR, 2_000.0))
        stage.conductor.heed("peak", Standing(), (closed,))
        stage.cars("bus2", "bus3", wanted=11_000.0, missing=15_000.0, departure=stage.now + 9 * HOUR)
        stage.cars("staff0", missing=0.0)  # says nothing of a goal, and draws what it can
        assert planner.unplanned() == ["depot"]
        assert await planner.round() == 1
        assert planner.unplanned() == []
        await stage.settle()
        assert stage.yard.holds["bus2"] > 0  # before the cap, not when there is time
        here.gone = True
        stage.now += 2 * HOUR
        await planner.round()
        assert [stage.conductor.counts[name] for name in ("plans", "plan_faults")] == [1, 1]
        await stage.settle()
        assert stage.yard.holds["bus2"] == stage.yard.holds["bus3"] == 0  # as it was planned
        assert stage.yard.holds["staff0"] == 11_000
        stage.cars("bus2", missing=15_000.0, departure=stage.now + 5 * HOUR)  # another car than was planned for
        await stage.settle()
        assert stage.yard.holds["bus2"] == 11_000
        stage.store.close()

    asyncio.run(scene())


def test_who_has_to_leave_is_served_whatever_is_planned_and_no_plan_breaks_a_cap(tmp_path: Path) -> None:
    async def scene() -> None:
        stage, _, _ = staged(tmp_path)
        leaves = stage.now + HOUR
        stage.cars(missing=10_500.0, departure=leaves)
        none: tuple[Span, ...] = ((stage.now, leaves, 0.0),)
        wild: tuple[Span, ...] = ((stage.now, leaves, 90_000.0),)
        names = {"bus2": none, "bus3": none, "guest0": wild}
        for site in ("depot", "lot"):
            stage.conductor.follow(Planned("", site, stage.now, names, dict.fromkeys(names, leaves)))
        await stage.settle()
        assert stage.yard.holds["bus2"] == 0
        assert stage.yard.holds["guest0"] == 11_000
        stage.now = leaves - 3_400.0  # of 3,436 s that it needs
        await stage.settle()
        assert stage.yard.holds["bus2"] == 11_000
        stage.conductor.heed("peak-shop", Standing(import_cap=5_000.0, import_by=("x",)))
        await stage.settle()
        assert stage.drawn("lot") <= 5_000
        stage.store.close()

    asyncio.run(scene())


def test_a_process_that_follows_another_has_its_plans(tmp_path: Path) -> None:
    async def scene() -> None:
        stage, planner, _ = staged(tmp_path)
        stage.cars("bus2", missing=15_000.0, departure=stage.now + 9 * HOUR)
        await planner.round()
        plan = stage.conductor.places["depot"].plan
        stage.store.close()
        later, other, here = staged(tmp_path)
        here.gone = True
        assert await other.recall() == 1
        assert later.conductor.places["depot"].plan == plan
        later.store.close()

    asyncio.run(scene())
