"""What a store keeps, declared: SQLAlchemy Core tables, what a row means that is met again, and the steps from one version to the next.

A row that is met again is one of three kinds: it is the same (events come twice), it is renewed (a station), or there is no meeting
again because it has a number of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Double, Integer, MetaData, Table, Text


class Again(Enum):
    """What a row means whose key is there already."""

    SAME = "the row that is there stays"
    NEWER = "the columns that it names are renewed"
    NEVER = "it has a number of its own"


Step = Callable[[Connection], None]
"""Brings the tables of the version before to its own, in the transaction of its connection."""


@dataclass(frozen=True)
class Schema:
    """The tables of one store. `version` is theirs; `steps` are by the version that they lead to; `firsts` columns whose first value stays.

    Every schema has a table `about` with the columns name and value, in which its version stands.
    """

    name: str
    version: int
    metadata: MetaData = field(default_factory=MetaData)
    again: dict[str, Again] = field(default_factory=dict)
    firsts: frozenset[str] = frozenset()
    steps: Mapping[int, Step] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.table("about", Again.SAME, text("name", primary_key=True), text("value"))

    def table(self, name: str, again: Again, *parts: Any) -> Table:
        """Declare a table of this schema."""
        self.again[name] = again
        return Table(name, self.metadata, *parts)


def number() -> Column[int]:
    """A number that grows: the order in which rows came, and the place at which a reader goes on."""
    return Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


def text(name: str, **how: Any) -> Column[str]:
    """A column of text."""
    return Column(name, Text, **how)


def real(name: str, **how: Any) -> Column[float]:
    """A column of numbers: times in epoch s, energies in Wh, powers in W."""
    return Column(name, Double, **how)


def whole(name: str, **how: Any) -> Column[int]:
    """A column of integers."""
    return Column(name, BigInteger, **how)
