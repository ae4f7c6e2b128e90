"""Books in an SQLite file: a transaction is on the disk, whole, before `settle` returns; rows cannot be changed.

A process that is killed leaves a balanced, unbroken chain: it had written a transaction with all its postings, or nothing of it.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, Self

from v2g.energy.ledger.books import BrokenChain, following
from v2g.energy.ledger.transaction import Amounts, Basis, Interval, Posting, Transaction

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS transactions (
    tenant TEXT NOT NULL, number INTEGER NOT NULL, contract TEXT NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
    revision INTEGER NOT NULL, run TEXT NOT NULL, postings TEXT NOT NULL, bases TEXT NOT NULL, before TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (tenant, number), UNIQUE (tenant, contract, start, "end", revision)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS unchanged BEFORE UPDATE ON transactions BEGIN SELECT RAISE(ABORT, 'rows of the books are never changed'); END;
CREATE TRIGGER IF NOT EXISTS undeleted BEFORE DELETE ON transactions BEGIN SELECT RAISE(ABORT, 'rows of the books are never deleted'); END;
"""
COLUMNS: Final = 'tenant, number, contract, start, "end", revision, run, postings, bases, before, digest'
INSERT: Final = f"INSERT INTO transactions ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants of ours
CHAIN: Final = f"SELECT {COLUMNS} FROM transactions WHERE tenant = ? ORDER BY number"  # noqa: S608
LAST: Final = f"SELECT {COLUMNS} FROM transactions WHERE tenant = ? ORDER BY number DESC LIMIT 1"  # noqa: S608
OVERLAPPING: Final = f'SELECT {COLUMNS} FROM transactions WHERE tenant = ? AND contract = ? AND start < ? AND "end" > ? ORDER BY number'  # noqa: S608
WAIT: Final = 30.0  # s for another process that is booking; a transaction takes some milliseconds
Row = tuple[str, int, str, int, int, int, str, str, str, str, str]


class File:
    """Books in a file. Several processes may keep it at the same time: each transaction is a turn of its own."""

    def __init__(self, path: Path):
        self._connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")  # a power cut loses nothing that was booked
        self._connection.executescript(SCHEMA)

    def settle(self, at: Interval, wanted: Amounts, bases: Sequence[Basis], run: str) -> Transaction | None:
        """Post what makes the interval come to `wanted`, and have it on the disk; None if that is booked already."""
        with self._turn():
            return self._settled(at, wanted, bases, run)

    def settle_all(self, many: Iterable[tuple[Interval, Amounts, Sequence[Basis]]], run: str) -> list[Transaction | None]:
        """Post many intervals in one turn, all of them or, where one raises, none: one wait for the disk instead of one for each."""
        with self._turn():
            return [self._settled(at, wanted, bases, run) for at, wanted, bases in many]

    def _settled(self, at: Interval, wanted: Amounts, bases: Sequence[Basis], run: str) -> Transaction | None:
        with closing(self._connection.execute(OVERLAPPING, (at.tenant, at.contract, at.end, at.start))) as rows:
            former = [_read(row) for row in rows]
        with closing(self._connection.execute(LAST, (at.tenant,))) as rows:
            last = next((_read(row) for row in rows), None)
        made = following(at, wanted, bases, run, former, last)
        if made is not None:
            self._connection.execute(INSERT, _row(made))
        return made

    def transactions(self, tenant: str) -> Iterator[Transaction]:
        """Every transaction of a tenant, in the order of its chain. Raises BrokenChain for a row that is not as it was written."""
        with closing(self._connection.execute(CHAIN, (tenant,))) as rows:
            for row in rows:
                yield _read(row)

    def tenants(self) -> tuple[str, ...]:
        """The tenants that have transactions, in the order of their names."""
        with closing(self._connection.execute("SELECT DISTINCT tenant FROM transactions ORDER BY tenant")) as rows:
            return tuple(name for (name,) in rows)

    def close(self) -> None:
        """Close the file; nothing can be settled after that."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _row(one: Transaction) -> Row:
    at = one.interval
    postings = json.dumps([[p.account, p.unit, p.amount] for p in one.postings], separators=(",", ":"))
    bases = json.dumps([[b.kind, b.digest, b.about] for b in one.bases], separators=(",", ":"))
    return (at.tenant, one.number, at.contract, at.start, at.end, one.revision, one.run, postings, bases, one.before, one.digest)


def _read(row: Row) -> Transaction:
    tenant, number, contract, start, end, revision, run, postings, bases, before, digest = row
    try:
        made = Transaction(
            number,
            Interval(tenant, contract, start, end),
            revision,
            run,
            tuple(Posting(*each) for each in json.loads(postings)),
            tuple(Basis(*each) for each in json.loads(bases)),
            before,
        )
    except (TypeError, ValueError) as error:
        raise BrokenChain(f"tenant {tenant}, transaction {number}: its row was changed ({error}); restore the books from a copy") from error
    if made.digest != digest:
        raise BrokenChain(f"tenant {tenant}, transaction {number}: its row was changed; restore the books from a copy")
    return made
