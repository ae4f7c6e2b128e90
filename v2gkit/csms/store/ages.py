"""How long a CSMS keeps what it has heard, declared: for each table the time by which a row is old, and what is thrown away in one step.

What belongs to a transaction grows old with its end: nothing of one that has not ended is thrown away, however old. Stations and the values
of their variables are the present, and stay.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select, tuple_

from v2gkit.csms.store.tables import METADATA, TRANSACTIONS

STEP: Final = 500  # rows that are thrown away in one commit: what stations say waits that long at the most
DAY: Final = 86_400.0  # s
LONGEST: Final = 36_500.0  # days


class Aged(NamedTuple):
    """A table whose rows grow old: by which column (epoch s), and whether they belong to a transaction."""

    time: str
    of_transaction: bool = False


AGED: Final[Mapping[str, Aged]] = {
    "events": Aged("received", of_transaction=True),
    "samples": Aged("at", of_transaction=True),
    "profiles": Aged("at", of_transaction=True),
    "transactions": Aged("ended"),
    "connections": Aged("ended"),
    "certificates": Aged("at"),
    "security_events": Aged("at"),
    "messages": Aged("at"),
    "story": Aged("at"),
    "power": Aged("at"),
    "operations": Aged("at"),
}


def ages_of(given: Iterable[str]) -> dict[str, float]:
    """The age (s) beyond which rows of a table go, by its name, of arguments DAYS (all tables) and TABLE=DAYS; ValueError for others."""
    every: dict[str, float] = {}
    own: dict[str, float] = {}
    for text in given:
        table, equals, days = text.rpartition("=")
        if equals and table not in AGED:
            raise ValueError(f"--keep {text}: there is no {table!r}; give {', '.join(AGED)}, or DAYS for all")
        try:
            age = float(days)
        except ValueError:
            age = 0.0
        if not 0 < age <= LONGEST:
            raise ValueError(f"--keep {text}: give days above 0, at most {LONGEST:g}")
        if equals:
            own[table] = age * DAY
        else:
            every = dict.fromkeys(AGED, age * DAY)
    return every | own


def thrown(connection: Connection, name: str, before: float, most: int = STEP) -> int:
    """Throw away the oldest rows of a table that are from before a time (epoch s), `most` of them; how many they were."""
    table = METADATA.tables[name]
    keys = list(table.primary_key)
    old = select(*keys).where(_over(name, before)).order_by(*keys).limit(most)
    if AGED[name].of_transaction:
        mine = and_(TRANSACTIONS.c.station == table.c.station, TRANSACTIONS.c.id == table.c.transaction)
        old = old.select_from(table.outerjoin(TRANSACTIONS, mine))
    found = [tuple(row) for row in connection.execute(old)]
    if found:
        connection.execute(delete(table).where(tuple_(*keys).in_(found)))
    return len(found)


def _over(name: str, before: float) -> ColumnElement[bool]:
    """Whether a row is old. Times that are not told are never before another."""
    time = METADATA.tables[name].c[AGED[name].time]
    if not AGED[name].of_transaction:
        return time < before
    alone = and_(TRANSACTIONS.c.id.is_(None), time < before)
    return or_(alone, TRANSACTIONS.c.ended < before)


Work = Callable[[Connection], int]
