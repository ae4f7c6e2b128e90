"""From signals to orders that were taken: caps hold whatever is deaf, killed or silent; what was decided is kept and can be asked again."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.v2gkit.fleet.played import Stage
from v2gkit.fleet.decision import read
from v2gkit.fleet.log.memory import MemoryLog
from v2gkit.fleet.shed import replayed
from v2gkit.fleet.store.sql import SqlStore, file_url
from v2gkit.fleet.store.tables import DECISIONS, ORDERS, SHED
from v2gkit.grid.standing import Standing
from v2gkit.sql.words import StoreFault


def cap(power: float, by: str = "dso:1") -> Standing:
    return Standing(import_cap=power, import_by=(by,))


def test_a_cap_sheds_the_staff_first_and_no_other_tenant(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(tmp_path)
        stage.cars()
        await stage.settle()
        assert stage.drawn("depot") == pytest.approx(52_000, abs=1)  # 30 kW of the hall, two buses beside it
        assert stage.yard.holds["guest0"] == 11_000
        stage.conductor.heed("peak", cap(30_000.0))
        await stage.settle(1)
        assert stage.drawn("depot") <= 28_000 + 1
        await stage.settle()
        assert [stage.yard.holds[name] for name in ("staff0", "staff1")] == [0, 0]
        assert stage.drawn("depot") == pytest.approx(28_000, abs=50)
        assert stage.drawn("lot") == 22_000
        decisions = await stage.store.read(lambda c: c.execute(select(DECISIONS)).mappings().all())
        assert decisions
        assert all(replayed(read(each["doc"])) for each in decisions)
        shed = await stage.store.read(lambda c: c.execute(select(SHED).where(SHED.c.asset == "staff0")).mappings().all())
        assert any(each["why"].startswith("signal dso:1") for each in shed)
        assert {each["tenant"] for each in shed} == {"metro"}
        orders = await stage.store.read(lambda c: c.execute(select(ORDERS)).mappings().all())
        assert {each["state"] for each in orders} == {"done"}
        stage.store.close()

    asyncio.run(scene())


def test_power_comes_back_in_steps_after_a_limit(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(tmp_path)
        stage.cars()
        stage.conductor.heed("peak", cap(20_000.0))
        await stage.settle()
        stage.conductor.heed("peak", Standing())
        seen = []
        for _ in range(40):
            await stage.settle(1, 60.0)
            seen.append(stage.drawn("depot"))
        assert seen[0] <= 18_000 + 1
        assert max(later - before for before, later in pairwise(seen)) < 12_000
        assert seen[-1] == pytest.approx(52_000, abs=50)
        stage.store.close()

    asyncio.run(scene())


def test_who_is_deaf_costs_the_others_and_is_told_again(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(tmp_path)
        stage.cars()
        await stage.settle()
        stage.yard.deaf.add("staff0")
        held = stage.yard.holds["staff0"]
        stage.conductor.heed("peak", cap(30_000.0))
        await stage.settle()
        assert stage.yard.holds["staff0"] == held
        assert stage.drawn("depot") <= 28_000 + 1  # the others make room for it
        stage.yard.deaf.clear()
        await stage.settle(8)
        assert stage.yard.holds["staff0"] == 0
        assert stage.drawn("depot") == pytest.approx(28_000, abs=50)
        stage.store.close()

    asyncio.run(scene())


def test_buses_give_on_a_setpoint_and_others_do_not(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(tmp_path)
        stage.cars(wanted=0.0, missing=0.0)
        stage.conductor.heed("peak", Standing(asked=-10_000.0, asked_by="vpp:1"))
        await stage.settle()
        assert stage.drawn("depot") == pytest.approx(-12_000, abs=50)
        assert stage.yard.holds["staff0"] == 0
        assert stage.drawn("lot") == 0
        stage.store.close()

    asyncio.run(scene())


class Sick(SqlStore):
    """A store whose database has gone."""

    sick = False

    async def keep(self, rows):  # type: ignore[no-untyped-def]
        if self.sick:
            raise StoreFault("gone")
        await super().keep(rows)


def test_without_its_store_a_fleet_sheds_and_raises_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        store = Sick(file_url(tmp_path))
        stage = Stage(tmp_path, store=store)
        stage.cars()
        await stage.settle()
        store.sick = True
        stage.conductor.heed("peak", cap(30_000.0))
        await stage.settle()
        assert stage.drawn("depot") <= 28_000 + 1
        low = dict(stage.yard.holds)
        stage.conductor.heed("peak", Standing())
        stage.now += 5_000
        await stage.settle()
        assert all(stage.yard.holds[name] <= low[name] + 1 for name in low)
        store.sick = False
        await stage.settle(20, 120.0)
        assert stage.drawn("depot") == pytest.approx(52_000, abs=50)
        kept = await store.read(lambda c: c.execute(select(DECISIONS.c.doc)).scalars().all())
        assert len(kept) >= 4
        store.close()

    asyncio.run(scene())


def test_everything_that_is_told_is_in_the_log(tmp_path: Path) -> None:
    async def scene() -> None:
        log = MemoryLog()
        stage = Stage(tmp_path, log=log)
        stage.cars("guest0")
        await stage.settle(2)
        await stage.conductor.telemetry()
        subjects = {each.subject for each in await log.read("r", ">")}
        assert subjects >= {"dispatch.shop.lot", "ack.shop.lot", "telemetry.shop.lot", "telemetry.metro.depot"}
        stage.store.close()

    asyncio.run(scene())


def test_orders_of_a_signal_that_were_all_taken_acknowledge_it(tmp_path: Path) -> None:
    async def scene() -> None:
        stage, heard = Stage(tmp_path), []
        stage.conductor.settled = lambda tenant, by, at: heard.append((tenant, by))
        stage.cars()
        await stage.settle()
        stage.conductor.heed("peak", cap(30_000.0))
        await stage.settle(2)
        assert ("metro", ("dso:1",)) in heard
        stage.store.close()

    asyncio.run(scene())


def test_a_process_that_follows_another_knows_what_assets_hold(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(tmp_path)
        stage.cars()
        await stage.settle()
        stage.yard.deaf.add("bus0")  # it keeps what it has, and nobody hears of it any more
        stage.store.close()
        later = Stage(tmp_path)
        later.yard, later.now = stage.yard, stage.now
        later.conductor._arms = {"ocpp": stage.yard}
        assert await later.conductor.recall() == 8
        assert later.conductor.holds["bus0"] == pytest.approx(stage.yard.holds["bus0"])
        later.cars("bus1", "bus2", "bus3", "staff0", "staff1")
        later.cars("bus0", drawn=None)
        later.conductor.heed("peak", cap(30_000.0))
        await later.settle()
        assert later.drawn("depot") <= 28_000 + 1
        later.store.close()

    asyncio.run(scene())
