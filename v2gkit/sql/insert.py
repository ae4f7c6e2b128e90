"""How rows of one table are written many at a time: SQLite takes them row by row, PostgreSQL as one statement over arrays of columns.

Statements are compiled once. What costs in a fleet's second of shedding is not the database but the way to it: of 10,000 orders written
through SQLAlchemy's own parameters two thirds of the time went there.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Double, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from v2gkit.sql.schema import Again, Schema

KINDS: Final = {
    "TEXT": "text",
    "BIGINT": "bigint",
    "INTEGER": "bigint",
    "DOUBLE": "double precision",
    "DOUBLE PRECISION": "double precision",
}
Writes = Callable[[Connection, Sequence[dict[str, Any]]], None]
"""Writes rows that all name the same columns, in the same order."""


def insert_of(schema: Schema, dialect: Dialect, name: str, names: tuple[str, ...]) -> Writes:
    """What writes rows of a table that name these columns, and does with those that are there already what the schema says."""
    table = schema.metadata.tables[name]
    if dialect.name == "postgresql":
        return _in_columns(schema, dialect, table, names)
    made = _statement(schema, sqlite.insert(table), table, names).compile(dialect=dialect, column_keys=list(names))
    text, order = str(made), tuple(made.positiontup)  # the order of the table's columns

    def write(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        connection.exec_driver_sql(text, [tuple(map(row.__getitem__, order)) for row in rows])

    return write


def _in_columns(schema: Schema, dialect: Dialect, table: Table, names: tuple[str, ...]) -> Writes:
    kinds = {each: KINDS[str(table.c[each].type.compile(dialect))] for each in names}
    arrays = ", ".join(f"%({each})s::{kinds[each]}[]" for each in names)
    plain = postgresql.insert(table).from_select(list(names), select(func.unnest()))
    text = str(_statement(schema, plain, table, names).compile(dialect=dialect))
    before, after = text.split(" SELECT ", 1)[0], text.partition(" ON CONFLICT")
    statement = f"{before} SELECT * FROM unnest({arrays}){after[1]}{after[2]}"  # noqa: S608 (of names that are declared here)
    numbers = {each for each in names if isinstance(table.c[each].type, Double)}

    def write(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        columns = {each: [row[each] for row in rows] for each in names}
        for each in numbers:  # an array is of one type: an integer among them is a number, too
            columns[each] = [None if value is None else float(value) for value in columns[each]]
        connection.exec_driver_sql(statement, columns)

    return write


def _statement(schema: Schema, insert: Any, table: Table, names: tuple[str, ...]) -> Any:
    if schema.again[table.name] is Again.NEVER:
        return insert
    keys = [column.name for column in table.primary_key]
    new = {each: _renewed(schema, table, insert, each) for each in names if each not in keys}
    if schema.again[table.name] is Again.SAME or not new:
        return insert.on_conflict_do_nothing()
    return insert.on_conflict_do_update(index_elements=keys, set_=new)


def _renewed(schema: Schema, table: Table, insert: Any, name: str) -> Any:
    """The new value of a column: what is not known erases nothing, and what was first stays."""
    old, new = table.c[name], insert.excluded[name]
    return func.coalesce(old, new) if name in schema.firsts else func.coalesce(new, old)
