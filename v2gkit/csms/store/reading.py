"""What can be asked of the history: each a function of a connection, with a page of rows as its answer."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, desc, select

from v2gkit.csms.store.tables import TRANSACTIONS

OPEN: Final = 64  # transactions of a station that are taken up again: as many as it may have in memory

Found = Sequence[Mapping[str, Any]]


def rows(connection: Connection, statement: Select[Any]) -> list[dict[str, Any]]:
    """The rows of a statement as dictionaries."""
    return [dict(row) for row in connection.execute(statement).mappings()]


def open_transactions(connection: Connection, station: str) -> Found:
    """The newest transactions of a station that have not ended, the oldest of them first."""
    t = TRANSACTIONS
    wanted = select(t).where(t.c.station == station, t.c.ended.is_(None)).order_by(desc(t.c.began)).limit(OPEN)
    return rows(connection, wanted)[::-1]


def transaction(connection: Connection, station: str, id_: str) -> Mapping[str, Any] | None:
    """One transaction; None: it was never told."""
    found = rows(connection, select(TRANSACTIONS).where(TRANSACTIONS.c.station == station, TRANSACTIONS.c.id == id_))
    return found[0] if found else None
