"""Books in the store of a fleet: `v2g.energy.ledger` in the database that all else is in, for several processes at the same time."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from v2g.energy.ledger.books import BrokenChain, following
from v2g.energy.ledger.transaction import Amounts, Basis, Interval, Posting, Transaction
from v2gkit.fleet.store.tables import BOOKS

Due = tuple[Interval, Amounts, Sequence[Basis]]
COLUMNS: Final = (
    BOOKS.c.tenant, BOOKS.c.number, BOOKS.c.contract, BOOKS.c.start, BOOKS.c.end, BOOKS.c.revision, BOOKS.c.run,
    BOOKS.c.postings, BOOKS.c.bases, BOOKS.c.before, BOOKS.c.digest,
)  # fmt: skip


def settle(connection: Connection, many: Sequence[Due], run: str) -> list[Transaction | None]:
    """Post what makes each interval come to what is due, within the transaction of this connection; None for what is booked already.

    Two who book at once for one tenant cannot both: the number of the second is taken, its whole transaction fails, and it asks again.
    """
    return [_settled(connection, at, wanted, bases, run) for at, wanted, bases in many]


def _settled(connection: Connection, at: Interval, wanted: Amounts, bases: Sequence[Basis], run: str) -> Transaction | None:
    mine = select(*COLUMNS).where(BOOKS.c.tenant == at.tenant)
    overlapping = mine.where(BOOKS.c.contract == at.contract, BOOKS.c.start < at.end, BOOKS.c.end > at.start).order_by(BOOKS.c.number)
    former = [_read(row) for row in connection.execute(overlapping)]
    last = next((_read(row) for row in connection.execute(mine.order_by(BOOKS.c.number.desc()).limit(1))), None)
    made = following(at, wanted, bases, run, former, last)
    if made is not None:
        connection.execute(insert(BOOKS).values(_row(made)))
    return made


def transactions(connection: Connection, tenant: str) -> Iterator[Transaction]:
    """Every transaction of a tenant, in the order of its chain. Raises BrokenChain for a row that is not as it was written."""
    for row in connection.execute(select(*COLUMNS).where(BOOKS.c.tenant == tenant).order_by(BOOKS.c.number)):
        yield _read(row)


def tenants(connection: Connection) -> list[str]:
    """The tenants that have books."""
    return list(connection.execute(select(BOOKS.c.tenant).distinct().order_by(BOOKS.c.tenant)).scalars())


def _row(one: Transaction) -> dict[str, Any]:
    at = one.interval
    return {
        "tenant": at.tenant,
        "number": one.number,
        "contract": at.contract,
        "start": at.start,
        "end": at.end,
        "revision": one.revision,
        "run": one.run,
        "postings": json.dumps([[p.account, p.unit, p.amount] for p in one.postings], separators=(",", ":")),
        "bases": json.dumps([[b.kind, b.digest, b.about] for b in one.bases], separators=(",", ":")),
        "before": one.before,
        "digest": one.digest,
    }


def _read(row: Any) -> Transaction:
    try:
        made = Transaction(
            row.number,
            Interval(row.tenant, row.contract, row.start, row.end),
            row.revision,
            row.run,
            tuple(Posting(*each) for each in json.loads(row.postings)),
            tuple(Basis(*each) for each in json.loads(row.bases)),
            row.before,
        )
    except (TypeError, ValueError) as error:
        raise BrokenChain(f"tenant {row.tenant}, transaction {row.number}: its row was changed ({error}); restore a copy") from error
    if made.digest != row.digest:
        raise BrokenChain(f"tenant {row.tenant}, transaction {row.number}: its row was changed; restore a copy")
    return made
