"""Every background task of `v2g secc`, killed one by one: it comes back, and the station serves the next car."""

import argparse
import asyncio
import json
from datetime import UTC, datetime

import pytest

from pki.issue import build
from pki.plan import Plan
from pki.store import Store, create
from v2gkit.cli import secc as secc_cli
from v2gkit.cli.main import parsed
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy
from v2gkit.station.thrift import Allocator

STATION = {"limits of DE*V2G*E1", "account of DE*V2G*E1", "certificates on disk", "paused sessions"}
STATION |= {"free memory"} if Allocator().there else set()
CSMS = {"charge point", "bridge", "connection", "OCSP responses of the CSMS"}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return create(tmp_path_factory.mktemp("pki"), [build(Plan(), "secp521r1", datetime.now(UTC))])


def options(*arguments: str) -> argparse.Namespace:
    return parsed(["secc", "--host", "127.0.0.1", "--port", "0", "--json", *arguments])


async def until(true, limit: float = 300.0):
    async with asyncio.timeout(limit):
        while not (found := true()):  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)
    return found


def named(name: str) -> asyncio.Task | None:
    return next((task for task in asyncio.all_tasks() if task.get_name() == name and not task.cancelling()), None)


FIRMWARE = """
[hardware]
driver = "v2gkit.station.firmware.unix:Firmware"
options = {{ socket = {path} }}
"""


@pytest.mark.parametrize(
    ("csms", "firmware"), [(False, False), (True, False), (False, True)], ids=["alone", "with a CSMS", "with firmware"]
)
def test_each_task_of_a_station_that_is_killed_comes_back(store, csms, firmware, capsys, tmp_path, monkeypatch):
    path, config, manners, serve = tmp_path / "f.sock", tmp_path / "station.toml", [], secc_cli.serve
    monkeypatch.setattr(secc_cli, "serve", lambda config, manner: manners.append(manner) or serve(config, manner))
    config.write_text(FIRMWARE.format(path=json.dumps(str(path))) if firmware else "")

    async def scene():
        backend = Csms(Strategy("none"))
        server = await backend.serve()
        port = next(iter(server.sockets)).getsockname()[1]
        given = options(
            "--pki",
            str(store.path),
            "--config",
            str(config),
            "--state",
            str(tmp_path / "state"),
            *(("--ocpp", f"ws://127.0.0.1:{port}/ocpp") if csms else ()),
        )
        serving = asyncio.create_task(secc_cli.served(secc_cli.configured(given), given))
        expected = STATION | (CSMS if csms else {"OCSP responses"}) | ({f"firmware on {path}"} if firmware else set())
        await until(lambda: all(named(name) for name in expected))
        for name in sorted(expected):
            killed = await until(lambda name=name: named(name))  # one that hung on the task before may be on its way back
            killed.cancel()
            await until(lambda name=name, killed=killed: named(name) not in (None, killed))
        assert expected <= {name for account in manners[0].accounts for name in account()}  # what metrics tell
        if firmware:
            _, writer = await asyncio.open_unix_connection(str(path))
            writer.close()
        if csms:
            await until(lambda: any(s.link is not None and s.connectors for s in backend.stations.values()))
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        server.close()
        assert not [task for task in asyncio.all_tasks() if task.get_name() in expected]
        return expected

    expected = asyncio.run(asyncio.wait_for(scene(), 300))
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    fell = {line["name"] for line in said if line["event"] == "task-fell"}
    assert expected <= fell
