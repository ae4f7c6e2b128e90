"""Where observers write: files and pipes that may be full, slow or gone, without the session noticing.

A recorder takes octets at once and writes them in a thread of its own. What goes wrong there (no space, a folder that was removed, a reader
that has gone or does not read) is said once; then the recorder is silent for good, because a record with a gap would lie, and whoever is
being recorded goes on.

    with Recorder.into(Path("trace.jsonl")) as recorder:
        recorder.text("a line\\n")
"""

import contextlib
import ctypes
import io
import os
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, TextIO, cast

from lab.output import answered, answered_by
from lab.private import opened
from v2g.legible import logger

log = logger("v2g.recorder")

# What may wait to be written. A session makes some 20 KB/s with capture and trace, so a reader may pause for minutes; beyond it, recording
# stops before memory is the next thing to run out.
ROOM: Final = 8 * 1024 * 1024  # octets
LAST_WORDS: Final = 2.0  # s that what still waits may take at the end
PIECE: Final = 64 * 1024  # octets in one call, so that what a slow reader took is known

Write = Callable[[bytes], int]
"""Writes some of the octets, waiting if it must; how many. Raises OSError or ValueError (a closed file)."""


class Recorder:
    """One place to write to. No method raises for what the place does, and only `close` waits for it.

    `say` is told once why nothing more is written. `removed` says whether what is written can still be found.
    """

    def __init__(
        self,
        name: str,
        write: Write,
        *,
        say: Callable[[str], None] | None = None,
        removed: Callable[[], bool] | None = None,
        then: Callable[[], None] = lambda: None,
    ):
        self.name, self.failure = name, ""  # why it stopped, empty: it did not
        self._write, self._removed = write, removed or (lambda: False)
        self._say = say or (lambda reason: log.error("%s", reason))
        self._waiting: deque[bytes] = deque()
        self._octets = 0  # that wait, with those that are being written
        self._changed = threading.Condition()
        self._closed = False
        self._then = then  # once nothing more is written
        self._thread = threading.Thread(target=self._run, name=f"recorder of {name}", daemon=True)
        self._thread.start()

    @classmethod
    def into(cls, path: Path, *, append: bool = False) -> "Recorder":
        """A recorder into a file for its owner alone. Raises OSError when it cannot be opened: that is said to whoever asked for it."""
        file = opened(path, append=append)
        regular = stat.S_ISREG(os.fstat(file).st_mode)
        return cls(
            str(path),
            lambda octets: os.write(file, octets),
            removed=lambda: regular and os.fstat(file).st_nlink == 0,
            then=lambda: os.close(file),
        )

    def octets(self, octets: bytes) -> None:
        """Write octets, some time soon."""
        with self._changed:
            if self.failure or self._closed or not octets:
                return
            if self._octets + len(octets) > ROOM:
                self._stop(f"its reader is too slow, {self._octets} octets wait to be written")
                return
            self._waiting.append(octets)
            self._octets += len(octets)
            self._changed.notify_all()

    def text(self, text: str) -> None:
        """Write text."""
        self.octets(text.encode(errors="replace"))

    def close(self, within: float = LAST_WORDS) -> None:
        """Let what waits be written, for so many seconds at most, then write nothing more."""
        with self._changed:
            self._changed.wait_for(lambda: not self._octets or bool(self.failure), within)
            if self._octets and not self.failure:
                self._stop(f"its reader does not read, {self._octets} octets were not written")
            self._closed = True
            self._changed.notify_all()
        self._thread.join(LAST_WORDS if not self.failure else 0.0)

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # --- inside; `_stop` under the lock ---

    def _stop(self, reason: str) -> None:
        self.failure = reason
        self._waiting.clear()
        self._octets = 0
        self._changed.notify_all()
        self._say(f"{self.name}: {reason}; nothing more is written there, all else goes on")

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting) or self._closed or bool(self.failure))
                if self.failure or not self._waiting:
                    break
                octets = b"".join(self._waiting)
                self._waiting.clear()
            if (wrong := self._written(octets)) is not None:
                with self._changed:
                    if not self.failure:
                        self._stop(wrong)
                break
        self._then()

    def _written(self, octets: bytes) -> str | None:
        """Write all; None, or what went wrong."""
        at = 0
        try:
            while at < len(octets) and not self.failure:
                try:
                    taken = self._write(octets[at : at + PIECE])
                except BlockingIOError:  # somebody made the pipe one that does not wait
                    time.sleep(0.01)
                    continue
                at += taken
                with self._changed:
                    self._octets = max(0, self._octets - taken)
                    self._changed.notify_all()
            return "the file was removed" if self._removed() else None
        except BrokenPipeError:
            return "its reader has gone"
        except OSError as error:
            return error.strerror or str(error)
        except ValueError as error:  # a stream of Python's that is closed
            return str(error)


class _Stream(io.TextIOBase):
    """A standard stream whose reader costs nobody anything."""

    def __init__(self, recorder: Recorder, behind: TextIO):
        self._recorder, self._behind = recorder, behind

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._behind.encoding

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._behind.isatty()

    def fileno(self) -> int:
        return self._behind.fileno()

    def write(self, text: str) -> int:
        self._recorder.octets(text.encode(self.encoding or "utf-8", "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """What was written is on its way."""


@contextlib.contextmanager
def detached() -> Iterator[None]:
    """Standard output and error that never wait for their readers and never fail: for commands that carry a session.

    Inside `lab.output.reserved`. What goes wrong with the output is said on standard error; what goes wrong there can be said nowhere. What
    libraries print from C would wait for the reader as well: it goes the way of standard error.
    """
    before, answers = (sys.stdout, sys.stderr), answered()
    errors = _spoken("standard error", sys.stderr, lambda reason: None)
    output = _spoken("standard output", answers, lambda reason: errors.text(f"v2g: {reason}\n"))
    sys.stdout = sys.stderr = _Stream(errors, before[1])
    try:
        with answered_by(cast(TextIO, _Stream(output, answers))), _native(errors):
            yield
    finally:
        sys.stdout, sys.stderr = before
        output.close()
        errors.close()


@contextlib.contextmanager
def _native(errors: Recorder) -> Iterator[None]:
    """File descriptor 1 as a pipe that is always read."""
    kept = os.dup(1)
    source, sink = os.pipe()
    os.dup2(sink, 1)
    os.close(sink)

    def read() -> None:
        while octets := os.read(source, PIECE):
            errors.octets(octets)
        os.close(source)

    reader = threading.Thread(target=read, name="reader of what libraries print", daemon=True)
    reader.start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError, AttributeError, TypeError):
            ctypes.CDLL(None).fflush(None)  # what C has buffered
        os.dup2(kept, 1)
        os.close(kept)
        reader.join(LAST_WORDS)


def _spoken(name: str, stream: TextIO, say: Callable[[str], None]) -> Recorder:
    """The recorder in front of a stream: to its file, by a descriptor of its own, or to what a test or a notebook put there."""
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
    try:
        file = os.dup(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return Recorder(name, lambda octets: _printed(stream, octets), say=say)
    return Recorder(name, lambda octets: os.write(file, octets), say=say, then=lambda: os.close(file))


def _printed(stream: TextIO, octets: bytes) -> int:
    stream.write(octets.decode(getattr(stream, "encoding", None) or "utf-8", "replace"))
    stream.flush()
    return len(octets)
