"""What the observed process writes into the pipe, as view lines: records of traces, and words to this process."""

import json
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from v2g.session.trace import full
from v2gkit.insight.live.limiting import Limiting
from v2gkit.insight.viewer.lines import Book, Line, Lines

OPENING: Final = frozenset({"trace", "connected", "plain", "tls"})  # records without which those after them say little
ENDED: Final = 256  # connections that are over and still remembered: frames of a CSMS may follow


class Reading:
    """Reads the lines of one stream. `source` is its name for people."""

    def __init__(self, source: str):
        self.over = False
        self.follow: list[str] = []  # paths of traces that shall be shown as well
        self._source, self._openings = source, dict[tuple[str, Any], list[Any]]()
        self._ended: deque[tuple[str, Any]] = deque()
        self._begin()

    def _begin(self) -> None:
        self._book = Book()
        self._traces: dict[str, Lines] = {}
        self._limiting: dict[Any, Limiting] = {}  # of connections of a CSMS

    def lines(self, octets: bytes, source: str = "") -> Iterator[Line]:
        """The view lines of one line of the pipe, or of the file `source` that is followed."""
        try:
            record = json.loads(octets)
            record = full(record) if isinstance(record, list) else record
        except (TypeError, ValueError, RecursionError):
            return  # it was cut off, or nothing of ours wrote it
        if not isinstance(record, dict) or not isinstance(record.get("connection", 0), int):
            return  # nothing of ours writes that
        kind = record.get("type")
        if kind == "over" and not source:
            self.over = True
        elif kind == "follow" and not source:
            self.follow.append(str(record["path"]))
        else:
            yield from self._shown(record, kind, source)

    def anew(self) -> Iterator[Line]:
        """Forget everything; the lines with which connections that are still open begin again."""
        self._begin()
        for (source, _), records in list(self._openings.items()):
            for record in records:
                yield from self._of(source).record(record)

    def _shown(self, record: Any, kind: Any, source: str) -> Iterator[Line]:
        lines = self._of(source)
        if kind in OPENING:
            key = (source, record.get("connection"))
            self._openings[key] = [record] if kind == "trace" else [*self._openings.get(key, []), record]
        limiting = self._limited(record, kind)
        for line in lines.record(record):
            if limiting is not None:
                limiting.note(line)
            yield line
        if limiting is not None and kind == "ocpp":
            yield from self._counted(lines, record, limiting)
        if kind == "end":
            self._over(source, record.get("connection"))

    def _limited(self, record: Any, kind: Any) -> Limiting | None:
        """Who limits a connection of a CSMS; None for one of a session."""
        if kind == "trace" and record.get("side") == "csms":
            self._limiting[record["connection"]] = Limiting()
        return self._limiting.get(record.get("connection"))

    def _counted(self, lines: Lines, record: Any, limiting: Limiting) -> Iterator[Line]:
        connection = lines.connections[record["connection"]]
        try:
            for line in limiting.frame(record):
                yield {**line, "c": connection.c}
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            return  # a station of whatever make wrote it: the frame is shown, what it means is not
        if limiting.title and limiting.title != connection.title:
            connection.title = limiting.title
            yield connection.line()

    def _of(self, source: str) -> Lines:
        if source not in self._traces:
            self._traces[source] = Lines(source or self._source, self._book)
        return self._traces[source]

    def _over(self, source: str, number: Any) -> None:
        """Forget how a connection began; and of connections that are over all but the latest."""
        self._openings.pop((source, number), None)
        self._ended.append((source, number))
        if len(self._ended) > ENDED:
            gone, number = self._ended.popleft()
            self._of(gone).connections.pop(number, None)
            self._limiting.pop(number, None)
