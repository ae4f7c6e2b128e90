"""The store of a fleet in SQLite or PostgreSQL: the keeper of its tables, which books as well."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from v2g.energy.ledger.transaction import Transaction
from v2gkit.fleet.store import books
from v2gkit.fleet.store.tables import SCHEMA
from v2gkit.sql.keeper import Keeper
from v2gkit.sql.words import StoreFault

TRIES: Final = 8  # to book where another process books for the same tenant at this moment
PAUSE: Final = 0.02  # s before the second try, twice as much before each further one


class SqlStore(Keeper):
    """A store at sqlite:///FILE or postgresql://USER@HOST/DATABASE. Raises StoreFault where it cannot be had."""

    def __init__(self, url: str):
        super().__init__(url, SCHEMA)

    async def settle(self, many: Sequence[books.Due], run: str) -> list[Transaction | None]:
        """Post what makes each interval come to what is due, all or none."""
        wait = PAUSE
        for tries in range(TRIES, 0, -1):
            try:
                return await self.work(partial(books.settle, many=many, run=run))
            except StoreFault:
                if tries == 1:
                    raise
            await asyncio.sleep(wait)
            wait *= 2
        raise AssertionError


def file_url(folder: Path) -> str:
    """The URL of the SQLite store in a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'fleet.sqlite'}"
