"""What a viewer is made of: a trace, a folder of traces with the log of a CSMS, or a capture."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from v2gkit.insight.report.reading import records_of, stories_in
from v2gkit.insight.report.story import Story
from v2gkit.insight.viewer.lines import Book, Lines

Line = dict[str, Any]
Record = dict[str, Any]
FIRST_LINE: Final = 1 << 20  # octets looked at to see what a file is; the first record of a trace has some hundred
CAPTURES: Final = (b"\x0a\x0d\x0d\x0a", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x1f\x8b")
TEXTS: Final = (".log", ".txt", ".hex", ".asc")  # octets in text, as a logger writes them


@dataclass(slots=True)
class Source:
    """The records of one file; of a CSMS the lines of its log."""

    path: Path
    records: list[Record]
    log: bool = False


@dataclass(slots=True)
class Sources:
    """Everything that one page shows."""

    path: Path
    files: list[Source] = field(default_factory=list)

    def stories(self) -> tuple[Story, ...]:
        """The stories of all traces. Raises ValueError where there are none."""
        return tuple(story for source in self.files if not source.log for story in stories_in(source.records, source.path))

    def lines(self, book: Book) -> Iterator[Line]:
        """The view lines of everything, without their head."""
        events = sorted((each for source in self.files if source.log for each in source.records), key=lambda each: float(each["at"]))
        for source in self.files:
            lines = Lines(source.path.name, book)
            yield from _log(lines, source.records) if source.log else _trace(lines, source.records, events)
            yield from lines.close()


def opened(path: Path, keys: Path | None = None) -> Sources:
    """What is at a path; `keys` opens TLS in a capture. Raises ValueError for what is no trace, folder of traces or capture, OSError."""
    if not path.is_dir():
        return Sources(path, [_file(path, keys)])
    if keys is not None:
        raise ValueError(f"{path} is a folder, and --keys opens a capture; give the capture")
    files = [Source(each, _logged(each), log=True) if kind == "log" else _file(each, None) for each, kind in _within(path)]
    if all(source.log for source in files):
        raise ValueError(f"{path} holds no trace; give a folder in which files are that --trace wrote, or one of them")
    return Sources(path, sorted(files, key=lambda source: (source.log, source.path.name != "trace.jsonl", source.path.name)))


def _within(folder: Path) -> Iterator[tuple[Path, str]]:
    """The traces and logs of CSMSs in a folder; other files there are none of ours."""
    for each in sorted(folder.glob("*.jsonl")):
        if each.is_file() and (kind := _kind(_beginning(each))):
            yield each, kind


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline(FIRST_LINE)


def _kind(line: bytes) -> str:
    """What a file is by its first line: trace, log (of a CSMS), or empty."""
    try:
        first = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(first, dict):
        return ""
    return "trace" if first.get("type") == "trace" else "log" if "topic" in first else ""


def _file(path: Path, keys: Path | None) -> Source:
    first = _beginning(path)
    with path.open("rb") as file:
        magic = file.read(4)
    if keys is not None or magic.startswith(CAPTURES) or path.suffix.lower() in TEXTS:
        from v2gkit.insight.decode import records

        return Source(path, list(records(path, keys)))
    if _kind(first) == "log":
        return Source(path, _logged(path), log=True)
    return Source(path, list(records_of(path)))


def _logged(path: Path) -> list[Record]:
    """What a CSMS wrote, without what has no time."""
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue  # the last line of one that was cut off
        if isinstance(event, dict) and isinstance(event.get("at"), int | float):
            found.append(event)
    return found


def _log(lines: Lines, events: list[Record]) -> Iterator[Line]:
    for event in events:
        yield from lines.logged(event)


def _trace(lines: Lines, records: list[Record], events: list[Record]) -> Iterator[Line]:
    """A trace; where it is a station's, with what its CSMS logged while each connection stood."""
    waiting = events if records and records[0].get("side") == "secc" else []
    place = 0
    for record in records:
        while place < len(waiting) and waiting[place]["at"] <= _epoch(record):
            yield from lines.happening(waiting[place])
            place += 1
        yield from lines.record(record)


def _epoch(record: Mapping[str, Any]) -> float:
    found = record.get("epoch")
    return float(found) if isinstance(found, int | float) else 0.0
