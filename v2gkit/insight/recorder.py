"""Writes to files and pipes that may be full, slow or gone, without ever making the session wait.

A recorder takes octets at once and writes them in a thread of its own. A failure there (no space, a folder that was removed, a reader that
has gone or does not read) is reported once; then the recorder writes nothing more, because a record with a gap would be wrong. The session
goes on.

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
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO, cast

from v2g.legible import logger
from v2gkit.output import answer_stream, answered_by
from v2gkit.private import open_private

log = logger("v2g.recorder")

# What may wait to be written. A session makes some 20 KB/s with capture and trace, so a reader may pause for minutes; beyond it, recording
# stops before memory is the next thing to run out.
ROOM: Final = 8 * 1024 * 1024  # octets
LAST_WORDS: Final = 2.0  # s that what still waits may take at the end
PIECE: Final = 64 * 1024  # octets in one call, so that what a slow reader took is known

Write = Callable[[bytes], int]
"""Writes some of the octets, waiting if it must, and returns how many. Raises OSError, or ValueError for a closed file."""


class Recorder:
    """One file or pipe to write to. No method raises for a failure of it, and only `close` waits for it.

    `say` is called once with the reason why nothing more is written. `removed` tells whether the file has been removed meanwhile.
    What is put here waits for `gather` s before it is written with what came meanwhile: to wake a thread for each costs more than to write
    it. `made` turns what waits into octets, in the recorder's thread.
    """

    def __init__(
        self,
        name: str,
        write: Write,
        *,
        say: Callable[[str], None] | None = None,
        removed: Callable[[], bool] | None = None,
        then: Callable[[], None] = lambda: None,
        gather: float = 0.0,
        made: Callable[[Iterable[Any]], bytes] = b"".join,
    ):
        self.name, self.failure = name, ""  # why it stopped, empty: it did not
        self._write, self._removed = write, removed or (lambda: False)
        self._say = say or (lambda reason: log.error("%s", reason))
        self._gather, self._made = gather, made
        self._waiting: deque[Any] = deque()
        self._octets = 0  # that wait, with those that are being written
        self._idle = self._hurry = False  # the thread waits for something to write; it shall not gather
        self._changed = threading.Condition()
        self._closed = False
        self._then = then  # once nothing more is written
        self._thread = threading.Thread(target=self._run, name=f"recorder of {name}", daemon=True)
        self._thread.start()

    @classmethod
    def into(cls, path: Path, *, append: bool = False) -> "Recorder":
        """A recorder into a file that only its owner can read. Raises OSError when it cannot be opened."""
        file = open_private(path, append=append)
        regular = stat.S_ISREG(os.fstat(file).st_mode)
        return cls(
            str(path),
            lambda octets: os.write(file, octets),
            removed=lambda: regular and os.fstat(file).st_nlink == 0,
            then=lambda: os.close(file),
        )

    def octets(self, octets: bytes) -> None:
        """Queue octets to be written."""
        if octets:
            self.put(octets, len(octets))

    def put(self, what: Any, octets: int) -> None:
        """Queue something of which `made` will make about so many octets."""
        with self._changed:
            if self.failure or self._closed:
                return
            if self._octets + octets > ROOM:
                self._stop(f"its reader is too slow, {self._octets} octets wait to be written")
                return
            self._waiting.append(what)
            self._octets += octets
            if self._idle:
                self._idle = False
                self._changed.notify_all()

    def text(self, text: str) -> None:
        """Queue text to be written, as UTF-8."""
        self.octets(text.encode(errors="replace"))

    def flush(self, within: float = LAST_WORDS) -> None:
        """Wait at most `within` s for what is queued to be written; gather no longer."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._octets or bool(self.failure), within)
            self._hurry = False

    def close(self, within: float = LAST_WORDS) -> None:
        """Wait at most `within` s for what is queued to be written, then write nothing more."""
        self.flush(within)
        with self._changed:
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
                self._idle = not self._waiting
                self._changed.wait_for(lambda: bool(self._waiting) or self._closed or bool(self.failure))
                if self._gather:
                    self._changed.wait_for(lambda: self._hurry or self._closed or bool(self.failure), self._gather)
                if self.failure or not self._waiting:
                    break
                waiting, expected = list(self._waiting), self._octets
                self._waiting.clear()
            octets = self._made(waiting)
            with self._changed:
                self._octets += len(octets) - expected
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
    """Within the block, standard output and error never wait for their readers and never fail: for commands that run a session.

    To be used inside `v2gkit.output.reserved`. A failure of standard output is reported on standard error, one of standard error nowhere.
    Output that libraries print from C takes the same way as standard error, because it would wait for the reader as well.
    Where both lead to one terminal, pipe or file, they keep their order.
    """
    before, answers = (sys.stdout, sys.stderr), answer_stream()
    errors = _spoken("standard error", sys.stderr, lambda reason: None)
    if _same_file(answers, sys.stderr):
        output = errors
    else:
        output = _spoken("standard output", answers, lambda reason: errors.text(f"v2g: {reason}\n"))
    sys.stdout = sys.stderr = _Stream(errors, before[1])
    try:
        with answered_by(cast(TextIO, _Stream(output, answers))), _native(errors):
            yield
    finally:
        sys.stdout, sys.stderr = before
        output.close()
        errors.close()


def _same_file(one: TextIO, other: TextIO) -> bool:
    try:
        return os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError, AttributeError):  # no file of the system, or closed
        return False


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
