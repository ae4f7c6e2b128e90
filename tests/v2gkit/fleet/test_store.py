"""The contract of a fleet's store, which SQLite and a real PostgreSQL both keep: what is kept is there, what is booked is booked once."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, inspect, select, text
from sqlalchemy.pool import NullPool

from tests.v2gkit.csms.stores import postgres
from v2g.energy.ledger.books import BrokenChain, balances, verify
from v2g.energy.ledger.chart import Flow
from v2g.energy.ledger.transaction import Evidence, Interval, amounts, basis
from v2gkit.fleet.store import books
from v2gkit.fleet.store.sql import SqlStore, file_url
from v2gkit.fleet.store.tables import BOOKS, METADATA, ORDERS, REGISTERS, SCHEMA
from v2gkit.sql.keeper import DRIVERS
from v2gkit.sql.words import Row, StoreFault

QUARTER = 900
BASES = (basis(Evidence.METER, b"registers"),)


def due(tenant: str, place: int, micro: int = 1_000_000) -> books.Due:
    start = 1_800_000_000 + place * QUARTER
    return Interval(tenant, "c1", start, start + QUARTER), amounts([(Flow.CHARGING, micro)], "EUR"), BASES


async def booked_twice_is_booked_once(store: SqlStore) -> None:
    many = [due("a", place) for place in range(20)]
    assert all(await store.settle(many, "SF"))
    assert await store.settle(many, "SF") == [None] * 20
    changed = await store.settle([due("a", 3, 1_500_000)], "R1")
    assert changed[0] is not None
    assert changed[0].revision == 1
    made = await store.read(lambda connection: list(books.transactions(connection, "a")))
    assert verify(made, (21, changed[0].digest)) == 21
    assert balances(made)["operator:charging", "EUR"] == 20_500_000


async def two_who_book_at_once_make_one_chain(store: SqlStore) -> None:
    other = SqlStore(store.url)
    halves = [[due("b", place) for place in range(start, 40, 2)] for start in (0, 1)]
    both = [*halves, halves[0]]
    await asyncio.gather(*((store, other, other)[n % 3].settle([each], "SF") for n, half in enumerate(both) for each in half))
    other.close()
    made = await store.read(lambda connection: list(books.transactions(connection, "b")))
    assert verify(made) == 40


async def all_or_none(store: SqlStore) -> None:
    overlapping = (Interval("c", "c1", 1_800_000_100, 1_800_000_200), amounts([(Flow.CHARGING, 5)], "EUR"), BASES)
    with pytest.raises((StoreFault, ValueError)):
        await store.settle([due("c", 0), overlapping], "SF")
    assert await store.read(lambda connection: list(books.transactions(connection, "c"))) == []


async def rows_are_the_same_or_renewed(store: SqlStore) -> None:
    register = {"tenant": "a", "asset": "x", "session": "s", "at": 900.0, "imported": 10.0, "exported": 0.0}
    await store.keep([Row("registers", register), Row("registers", register | {"imported": 99.0})])
    await store.keep([Row("registers", register | {"imported": 98.0})])
    order = {"tenant": "a", "asset": "x", "id": "o1", "state": "open", "sent": 1.0}
    await store.keep([Row("orders", order)])
    await store.keep([Row("orders", {"tenant": "a", "asset": "x", "id": "o1", "state": "done", "sent": 2.0, "answered": 3.0})])
    found = await store.read(lambda connection: connection.execute(select(REGISTERS.c.imported)).scalars().all())
    assert found == [10.0]
    row = (await store.read(lambda connection: connection.execute(select(ORDERS)).mappings().all()))[0]
    assert (row["state"], row["sent"], row["answered"]) == ("done", 1.0, 3.0)


async def nobody_changes_the_books(store: SqlStore) -> None:
    await store.settle([due("d", 0)], "SF")
    for statement in ("UPDATE books SET postings = '[]' WHERE tenant = 'd'", "DELETE FROM books WHERE tenant = 'd'"):
        with pytest.raises(StoreFault, match="never changed"):
            await store.work(lambda connection, said=statement: connection.execute(text(said)))


CONTRACT: tuple[Callable[[SqlStore], Awaitable[None]], ...] = (
    booked_twice_is_booked_once,
    two_who_book_at_once_make_one_chain,
    all_or_none,
    rows_are_the_same_or_renewed,
    nobody_changes_the_books,
)


def _kept(url: str) -> None:
    for case in CONTRACT:
        store = SqlStore(url)
        try:
            asyncio.run(case(store))
        finally:
            store.close()


def _migrated(url: str) -> None:
    """Tables of version 1, with what is in them, become those of this version; those of a later one are refused."""
    SqlStore(url).close()
    scheme, _, rest = url.partition(":")
    engine = create_engine(f"{DRIVERS[scheme]}:{rest}", poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX orders_open"))
        connection.execute(text("UPDATE about SET value = '1' WHERE name = 'tables'"))
    one, other = SqlStore(url), SqlStore(url)
    one.close()
    other.close()
    assert "orders_open" in {each["name"] for each in inspect(engine).get_indexes("orders")}
    with engine.begin() as connection:
        assert connection.execute(text("SELECT value FROM about WHERE name = 'tables'")).scalar_one() == str(SCHEMA.version)
        connection.execute(text("UPDATE about SET value = '99' WHERE name = 'tables'"))
    with pytest.raises(StoreFault, match="version 99"):
        SqlStore(url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE about SET value = '{SCHEMA.version}' WHERE name = 'tables'"))


def test_sqlite_keeps_the_contract(tmp_path: Path) -> None:
    _kept(file_url(tmp_path))
    _migrated(file_url(tmp_path))


def test_postgresql_keeps_the_contract() -> None:
    with postgres() as url:
        _kept(url)
        _migrated(url)


def test_every_row_belongs_to_a_tenant() -> None:
    for name, table in METADATA.tables.items():
        assert name == "about" or "tenant" in table.c, f"{name} has no tenant: its rows could be read by all"


def test_a_changed_file_is_found(tmp_path: Path) -> None:
    store = SqlStore(file_url(tmp_path))
    asyncio.run(store.settle([due("a", 0), due("a", 1)], "SF"))
    store.close()
    engine = create_engine(file_url(tmp_path))
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER books_UPDATE"))
        connection.execute(text("UPDATE books SET run = 'other' WHERE number = 1"))
    with engine.connect() as connection, pytest.raises(BrokenChain, match="tenant a, transaction 1"):
        verify(books.transactions(connection, "a"))
    engine.dispose()


def test_a_process_that_is_killed_while_it_books_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    url = file_url(tmp_path)
    SqlStore(url).close()
    for turn in range(3):
        process = subprocess.Popen([sys.executable, __file__, url], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])
        assert process.stdout is not None
        for _ in range(3 + turn):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        told = [line for line in process.stdout.read().splitlines() if line.isdecimal()]
        process.wait()
        store = SqlStore(url)
        made = asyncio.run(store.read(lambda connection: list(books.transactions(connection, "k"))))
        assert verify(made) == len(made) >= max(map(int, told), default=0)
        store.close()
    with_all = SqlStore(url)
    asyncio.run(with_all.settle([due("k", place) for place in range(200)], "SF"))
    assert asyncio.run(with_all.read(lambda c: c.execute(select(func.count()).select_from(BOOKS)).scalar_one())) == 200
    with_all.close()


async def _book(url: str) -> None:
    store = SqlStore(url)
    for place in range(200):
        await store.settle([due("k", place)], "SF")
        print(place + 1, flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))
    asyncio.run(_book(sys.argv[1]))
