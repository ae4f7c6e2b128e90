"""Every background task of `v2g secc`, killed one by one: it comes back, and the station serves the next car."""

import argparse
import asyncio
import json
from datetime import UTC, datetime

import pytest

from lab import secc_cli
from lab.csms import Csms
from lab.csms_steering import Strategy
from pki.issue import build
from pki.plan import Plan
from pki.store import Store, create

STATION = {"limits of DE*V2G*E1", "account of DE*V2G*E1", "certificates on disk"}
CSMS = {"charge point", "bridge", "connection", "OCSP responses of the CSMS"}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return create(tmp_path_factory.mktemp("pki"), [build(Plan(), "secp521r1", datetime.now(UTC))])


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    secc_cli.register(parser.add_subparsers())
    return parser.parse_args(["secc", "--host", "127.0.0.1", "--port", "0", "--json", *arguments])


async def until(true, limit: float = 300.0):
    async with asyncio.timeout(limit):
        while not (found := true()):  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)
    return found


def named(name: str) -> asyncio.Task | None:
    return next((task for task in asyncio.all_tasks() if task.get_name() == name and not task.cancelling()), None)


@pytest.mark.parametrize("csms", [False, True], ids=["alone", "with a CSMS"])
def test_each_task_of_a_station_that_is_killed_comes_back(store, csms, capsys):
    async def scene():
        lab = Csms(Strategy("none"))
        server = await lab.serve()
        port = next(iter(server.sockets)).getsockname()[1]
        given = options("--pki", str(store.path), *(("--ocpp", f"ws://127.0.0.1:{port}/ocpp") if csms else ()))
        serving = asyncio.create_task(secc_cli.serve(secc_cli.configured(given), given))
        expected = STATION | (CSMS if csms else {"OCSP responses"})
        await until(lambda: all(named(name) for name in expected))
        for name in sorted(expected):
            killed = await until(lambda name=name: named(name))  # one that hung on the task before may be on its way back
            killed.cancel()
            await until(lambda name=name, killed=killed: named(name) not in (None, killed))
        if csms:
            await until(lambda: any(s.link is not None and s.connectors for s in lab.stations.values()))
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        server.close()
        assert not [task for task in asyncio.all_tasks() if task.get_name() in expected]
        return expected

    expected = asyncio.run(asyncio.wait_for(scene(), 300))
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    fell = {line["name"] for line in said if line["event"] == "task-fell"}
    assert expected <= fell
