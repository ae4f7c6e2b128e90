"""The log of a command that runs long: which lines are written, and in which form. Times are UTC."""

import argparse
import contextlib
import json
import logging
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from v2g.legible import legible, masked
from v2gkit.output import complaints_as

LEVELS = ("debug", "info", "warning", "error", "critical")
_evses: list[str] = []  # ids of the outlets that a line may be about


def add_options(parser: argparse.ArgumentParser, level: str = "warning") -> None:
    """Add the options of the log; `level` is the default level."""
    log = parser.add_argument_group("log, on standard error")
    log.add_argument("--log-level", choices=LEVELS, default=level, help=f"lines of this weight and above (default: {level})")
    log.add_argument("--log-format", choices=("text", "json"), default="text", help="json: one object a line (default: text)")


def about(*evses: str) -> None:
    """Let JSON lines of the log that name one of these outlets have it in the field "evse"."""
    _evses.extend(evses)


@contextlib.contextmanager
def logging_as(options: argparse.Namespace) -> Iterator[None]:
    """Log as the options say within the block; a command without such options logs as Python does by default."""
    if not hasattr(options, "log_level"):
        yield
        return
    as_json = options.log_format == "json"
    handler, root = _ToStandardError(), logging.getLogger()
    handler.setFormatter(AsJson() if as_json else AsText())
    before = root.level
    root.setLevel(options.log_level.upper())
    root.addHandler(handler)
    try:
        with complaints_as(_complaint) if as_json else contextlib.nullcontext():
            yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        _evses.clear()


class _ToStandardError(logging.Handler):
    """Writes where standard error is at that moment: it moves when output is detached from its readers."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a log that cannot be written costs nobody anything."""
        with contextlib.suppress(Exception):
            print(self.format(record), file=sys.stderr, flush=True)


def moment(seconds: float) -> str:
    """Epoch seconds as ISO 8601 text, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _said(record: logging.LogRecord) -> tuple[str, str]:
    """The message on one line, and its traceback; whoever logged it."""
    trace = record.exc_text or (logging.Formatter().formatException(record.exc_info) if record.exc_info and record.exc_info[0] else "")
    return legible(masked(record.getMessage())), legible(masked(trace), lines=True)


class AsText(logging.Formatter):
    """`2026-03-01T12:00:00.000Z WARNING v2g.secc: ...`, a traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        said, trace = _said(record)
        line = f"{moment(record.created)} {record.levelname} {record.name}: {said}"
        return f"{line}\n{trace}" if trace else line


class AsJson(logging.Formatter):
    """One object a line: time, level, logger, message, evse where it is about one, traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as JSON."""
        said, trace = _said(record)
        return _object(record.created, record.levelname, record.name, said, {"traceback": trace} if trace else {})


def _object(at: float, level: str, logger: str, said: str, more: dict[str, str]) -> str:
    evse = next((id_ for id_ in _evses if re.search(rf"(?<![\w*]){re.escape(id_)}(?![\w*])", said)), None)
    fields = {"time": moment(at), "level": level.lower(), "logger": logger, **({"evse": evse} if evse else {}), "message": said}
    return json.dumps(fields | more)


def _complaint(text: str) -> str:
    """What a command says itself, in the form of its log."""
    return _object(datetime.now(UTC).timestamp(), "WARNING", "v2g", text, {})
