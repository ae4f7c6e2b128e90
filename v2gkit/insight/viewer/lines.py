"""Records of a trace as view lines, one by one: the whole input of the viewer, from a file as from a live stream.

    book = Book()                          # shared by everything that one viewer shows
    lines = Lines("trace.jsonl", book)
    for record in records:
        for line in lines.record(record): ...
    for line in lines.close(): ...

A record costs what it has in it, whatever came before. None raises: one that is not understood becomes a note.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any, Final

from v2gkit.insight.viewer.connection import Connection
from v2gkit.insight.viewer.requirements import Requirements
from v2gkit.insight.viewer.shapes import Shapes
from v2gkit.insight.viewer.told import cited

Line = dict[str, Any]
VERSION: Final = 1


def head(title: str, made: float, *, live: bool = False, diff: bool = False) -> Line:
    """The first line of any input. `made` is epoch s."""
    return {"t": "head", "v": VERSION, "title": title, "made": made, "live": live, "diff": diff}


class Book:
    """What all connections of one viewer share: their numbers, the shapes of messages, the requirements that were told."""

    def __init__(self) -> None:
        self.shapes = Shapes()
        self.requirements = Requirements()
        self.numbers = count()


class Lines:
    """The view lines of one trace or stream. `source` is its name for people."""

    def __init__(self, source: str, book: Book | None = None) -> None:
        self.source, self.book = source, book or Book()
        self.connections: dict[Any, Connection] = {}  # number -> the latest with it

    def record(self, record: Any) -> Iterator[Line]:
        """The lines of one record, whatever it is."""
        yield from self._guarded(self._told(record), record)

    def logged(self, event: Any) -> Iterator[Line]:
        """The lines of what a CSMS logged, in a connection of its own for each station."""
        yield from self._guarded(self._logged(event), event)

    def happening(self, event: Any) -> Iterator[Line]:
        """The lines of what a CSMS logged of the connection that stands at its station, none where that is not certain."""
        standing = [each for each in self.connections.values() if not each.over]
        meant = [each for each in standing if each.about.get("evse") == event.get("station")] or standing
        if len(meant) == 1:
            yield from self._guarded(self._cited(meant[0].happening(event)), event)

    def close(self) -> Iterator[Line]:
        """The lines at the end of the input: connections without an end say so."""
        for connection in self.connections.values():
            yield from self._cited(connection.cut_off())

    def _guarded(self, told: Iterator[Line], record: Any) -> Iterator[Line]:
        while True:
            try:
                line = next(told)
            except StopIteration:
                return
            except Exception as error:  # who watches never fails: the record is shown as what it is
                yield from self._odd(record, error)
                return
            yield line

    def _logged(self, event: Any) -> Iterator[Line]:
        at, station = float(event["at"]), str(event.get("station") or "")
        connection = self.connections.get(station)
        if connection is None:
            opening = {"side": "csms", "at": at, "epoch": at, "about": {"station": station} if station else {}}
            connection = self.connections[station] = Connection(next(self.book.numbers), 0, self.source, self.book.shapes, opening)
            connection.title = "What the CSMS logged"
            yield connection.line()
        yield from self._cited(connection.happening(event))

    def _told(self, record: Any) -> Iterator[Line]:
        number = record["connection"]
        if record["type"] == "trace" or number not in self.connections:
            if (before := self.connections.get(number)) is not None:
                yield from self._cited(before.cut_off())
            self.connections[number] = Connection(next(self.book.numbers), number, self.source, self.book.shapes, record)
        yield from self._cited(self.connections[number].record(record))

    def _cited(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Lines, with a line for each requirement that they are the first to cite."""
        for line in lines:
            yield line
            for name in _ids(line):
                if (told := self.book.requirements.told(name)) is not None:
                    yield told

    def _odd(self, record: Any, error: Exception) -> Iterator[Line]:
        said = record if isinstance(record, Mapping) else {"record": record}
        connection = self.connections.get(_hashable(said.get("connection"))) or next(reversed(self.connections.values()), None)
        if connection is None:
            connection = Connection(next(self.book.numbers), None, self.source, self.book.shapes, {})
            self.connections[None] = connection
            yield connection.line()
        yield connection.odd(said, f"{type(error).__name__}: {error}")


def _hashable(value: Any) -> Any:
    return value if isinstance(value, int | str) else None


def _ids(line: Line) -> Iterator[str]:
    """The requirements that a line cites."""
    if isinstance(found := line.get("requirement"), str) and found:
        yield from cited(found)
    for each in (*line.get("checks", ()), *(line["steps"] if line["t"] == "signature" else ())):
        yield from cited(each.get("requirement", ""))
    if line["t"] == "verdict":
        yield from cited(line.get("reason", ""))
