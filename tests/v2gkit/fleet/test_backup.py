"""A copy of the store, taken while it is written, is whole: books verify, and settlement goes on from it."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.v2gkit.csms.stores import POSTGRES, postgres
from tests.v2gkit.fleet.depot import written
from tests.v2gkit.fleet.test_settlement import START, known
from tests.v2gkit.fleet.test_store import due
from v2g.energy.ledger.books import verify
from v2g.energy.ledger.transaction import Transaction
from v2gkit.fleet import declared, settlement
from v2gkit.fleet.store import books
from v2gkit.fleet.store.sql import SqlStore, file_url


async def chain(store: SqlStore, tenant: str = "metro") -> list[Transaction]:
    return await store.read(lambda connection: list(books.transactions(connection, tenant)))


def test_a_file_is_copied_while_it_is_written(tmp_path: Path) -> None:
    async def scene() -> None:
        fleet, store = declared.read(written(tmp_path)), SqlStore(file_url(tmp_path))
        await known(store, START + 5_400.0, None)
        await settlement.run(store, fleet, "metro", START + 5_400.0)
        booking = asyncio.create_task(store.settle([due("metro", place) for place in range(300)], "SF"))
        (tmp_path / "copy").mkdir()
        copy = tmp_path / "copy" / "fleet.sqlite"
        with sqlite3.connect(tmp_path / "fleet.sqlite") as one, sqlite3.connect(copy) as other:
            one.backup(other)
        await booking
        store.close()
        again = SqlStore(file_url(tmp_path / "copy"))
        made = await chain(again)
        assert verify(made) in (len(made), 300 + len(made))
        assert len(made) >= 5
        await known(again, START + 9_000.0, None)
        assert await settlement.run(again, fleet, "metro", START + 9_000.0)
        assert await settlement.run(again, fleet, "metro", START + 9_000.0) == 0
        verify(await chain(again))
        again.close()

    asyncio.run(scene())


def test_a_server_is_dumped_and_restored() -> None:
    if not POSTGRES or shutil.which(os.fspath(POSTGRES[-1] / "pg_dump")) is None:
        pytest.skip("no PostgreSQL on this machine: apt-get install postgresql")
    with postgres() as url:
        store = SqlStore(url)
        asyncio.run(store.settle([due("metro", place) for place in range(20)], "SF"))
        before = asyncio.run(chain(store))
        store.close()
        dump = subprocess.run([POSTGRES[-1] / "pg_dump", url], check=True, capture_output=True).stdout
        restored = url.rpartition("/")[0] + "/restored"
        subprocess.run([POSTGRES[-1] / "psql", "-q", url, "-c", "CREATE DATABASE restored"], check=True)
        subprocess.run([POSTGRES[-1] / "psql", "-q", "-v", "ON_ERROR_STOP=1", restored], input=dump, check=True, stdout=subprocess.DEVNULL)
        again = SqlStore(restored)
        assert asyncio.run(chain(again)) == before
        assert asyncio.run(again.settle([due("metro", place) for place in range(21)], "SF")).count(None) == 20
        again.close()
