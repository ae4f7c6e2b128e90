"""The contract of a store: rows that are on the disk when `keep` returns, work in a transaction, reading, and books."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from v2g.energy.ledger.transaction import Transaction
from v2gkit.fleet.store.books import Due
from v2gkit.sql.words import Row

T = TypeVar("T")


class Store(Protocol):
    """Every method may raise StoreFault, and nothing of what it was given is written then."""

    async def keep(self, rows: Sequence[Row]) -> None:
        """Write rows; they are on the disk when it returns. A row that is met again is what its table says (`SCHEMA.again`)."""

    def note(self, rows: Sequence[Row]) -> None:
        """Write rows some time: nobody waits for them."""

    async def work(self, work: Callable[[Connection], T]) -> T:
        """What `work` gives, done in a transaction of its own."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` reads, in a connection of its own."""

    async def settle(self, many: Sequence[Due], run: str) -> list[Transaction | None]:
        """Post what makes each interval come to what is due, all or none; None for what is booked already. Said twice it is booked once."""

    def close(self) -> None:
        """Write what waits, and let the database go."""
