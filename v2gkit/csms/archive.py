"""What a CSMS wants of what keeps its history. Without one it knows what is in its memory, until it ends."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from v2gkit.sql.words import Row


class Archive(Protocol):
    """Keeps rows, and knows transactions that this process has not in its memory."""

    async def keep(self, rows: Sequence[Row]) -> None:
        """Write rows; they are safe when it returns. Raises StoreFault where they are not."""

    def note(self, rows: Sequence[Row]) -> None:
        """Write rows some time."""

    async def open_transactions(self, station: str) -> Sequence[Mapping[str, Any]]:
        """The newest transactions of a station that have not ended."""

    async def transaction(self, station: str, id_: str) -> Mapping[str, Any] | None:
        """One transaction; None: it was never told."""

    async def led_by(self, station: str, transaction: str) -> Sequence[Mapping[str, Any]]:
        """The newest needs of a transaction, and the newest profile of it that its station accepted."""
