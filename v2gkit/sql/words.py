"""What is said to a store and by it, without the library that databases want."""

from typing import Any, NamedTuple


class Row(NamedTuple):
    """One row for a store: the table's name, and the values of the columns that are known."""

    table: str
    values: dict[str, Any]


class StoreFault(Exception):
    """Something was not stored, or cannot be read; the text says what and why."""
