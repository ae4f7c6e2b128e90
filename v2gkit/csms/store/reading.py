"""What can be asked of the history: each a function of a connection, with a page of rows as its answer."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, desc, literal, select, tuple_

from v2gkit.csms.store.tables import METADATA, PROFILES, SAMPLES, TRANSACTIONS

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


def led_by(connection: Connection, station: str, transaction: str) -> Found:
    """The newest needs of a transaction and the newest profile that its station accepted: a row each, where there is one."""
    p, found = PROFILES, list[dict[str, Any]]()
    for kind, said in (("needs", ("Accepted", "Processing", "NoChargingProfile")), ("sent", ("Accepted",))):
        wanted = select(p).where(p.c.station == station, p.c.transaction == transaction, p.c.kind == kind, p.c.status.in_(said))
        found += rows(connection, wanted.order_by(desc(p.c.number)).limit(1))
    return found


class Asked(NamedTuple):
    """A page that is asked for: of which table, in which order, which rows."""

    table: str
    order: tuple[str, ...]
    equal: Mapping[str, Any]
    times: str | None = None
    since: float | None = None
    until: float | None = None
    running: bool | None = None
    after: Sequence[Any] | None = None
    limit: int = 100
    newest: bool = False


def page(connection: Connection, asked: Asked) -> list[dict[str, Any]]:
    """The rows of a page, in the order asked for."""
    columns = METADATA.tables[asked.table].c
    keys = [columns[name] for name in asked.order]
    wanted = select(METADATA.tables[asked.table]).where(*(columns[name] == value for name, value in asked.equal.items()))
    if asked.times is not None and asked.since is not None:
        wanted = wanted.where(columns[asked.times] >= asked.since)
    if asked.times is not None and asked.until is not None:
        wanted = wanted.where(columns[asked.times] < asked.until)
    if asked.running is not None:
        wanted = wanted.where(columns.ended.is_(None) if asked.running else columns.ended.is_not(None))
    if asked.after is not None:
        here, there = tuple_(*keys), tuple_(*(literal(value) for value in asked.after))
        wanted = wanted.where(here < there if asked.newest else here > there)
    return rows(connection, wanted.order_by(*(desc(key) if asked.newest else key for key in keys)).limit(asked.limit))


def curve(connection: Connection, station: str, transaction: str, most: int) -> list[tuple[float, str, float]]:
    """The powers of a transaction as (epoch s, measurand, W), the newest `most` of them in the order of time; phases are left out."""
    t = SAMPLES
    wanted = select(t.c.at, t.c.measurand, t.c.value).where(t.c.station == station, t.c.transaction == transaction, t.c.phase.is_(None))
    wanted = wanted.where(t.c.measurand.in_(("Power.Active.Import", "Power.Active.Export")), t.c.at.is_not(None))
    return sorted((row.at, row.measurand, row.value) for row in connection.execute(wanted.order_by(desc(t.c.seq_no)).limit(most)))
