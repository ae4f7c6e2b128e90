"""The store of a CSMS: a keeper of its tables that knows what is asked of transactions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from v2gkit.csms.store import reading
from v2gkit.csms.store.tables import SCHEMA
from v2gkit.sql.keeper import Keeper


class Store(Keeper):
    """The history of a CSMS. Raises StoreFault where the database cannot be had or has other tables."""

    def __init__(self, url: str):
        super().__init__(url, SCHEMA)

    async def open_transactions(self, station: str) -> Sequence[Mapping[str, Any]]:
        """The newest transactions of a station that have not ended."""
        return await self.read(lambda connection: reading.open_transactions(connection, station))

    async def transaction(self, station: str, id_: str) -> Mapping[str, Any] | None:
        """One transaction; None: it was never told."""
        return await self.read(lambda connection: reading.transaction(connection, station, id_))

    async def led_by(self, station: str, transaction: str) -> Sequence[Mapping[str, Any]]:
        """The newest needs of a transaction, and the newest profile of it that its station accepted."""
        return await self.read(lambda connection: reading.led_by(connection, station, transaction))


def file_url(folder: Path) -> str:
    """The URL of the SQLite store in a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'csms.sqlite'}"
