"""Keeps standard output for the answer of a command. What libraries print, from Python or from C, goes to standard error.

While a command works, file descriptor 1 is standard error, and so is `sys.stdout`; `put` alone writes where the user reads. HiGHS 1.16
prints a banner whenever a solver is made, before it can be told not to: it is one of many, and `--json` must be JSON whoever prints.
"""

import contextlib
import ctypes
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from v2g.legible import legible, masked

_form: Callable[[str], str] = str  # of a complaint
_answers: TextIO | None = None  # where `put` writes while standard output is reserved


def put(*values: object, end: str = "\n", flush: bool = False) -> None:
    """Print to the standard output that the user reads. Raises OSError where the disk is full or the reader has gone."""
    with _named():
        print(*(legible(value, lines=True) for value in values), end=end, flush=flush, file=answer_stream())


def complain(text: object, *, flush: bool = False) -> None:
    """Print one line on standard error, with text from outside made legible and passwords removed."""
    print(_form(legible(masked(text))), file=sys.stderr, flush=flush)


@contextlib.contextmanager
def complaints_as(form: Callable[[str], str]) -> Iterator[None]:
    """Within the block, let `complain` print its lines in the form that `form` gives them."""
    global _form
    before, _form = _form, form
    try:
        yield
    finally:
        _form = before


def answer_stream() -> TextIO:
    """The stream that `put` prints to."""
    return sys.stdout if _answers is None else _answers


@contextlib.contextmanager
def answered_by(stream: TextIO) -> Iterator[None]:
    """Within the block, let `put` print to another stream."""
    global _answers
    before, _answers = _answers, stream
    try:
        yield
    finally:
        _answers = before


@contextlib.contextmanager
def _named() -> Iterator[None]:
    """Let an error say that it was standard output."""
    try:
        yield
    except OSError as error:
        error.filename = "standard output"
        raise


@contextlib.contextmanager
def reserved() -> Iterator[None]:
    """Within the block, keep standard output for `put`. At its end everything is flushed; raises OSError as `put` does."""
    global _answers
    if _answers is not None:  # a command inside a command
        yield
        return
    _opened()
    before, kept = sys.stdout, os.dup(1)
    _answers = _own(before, kept)
    sys.stdout = sys.stderr
    os.dup2(2, 1)
    try:
        yield
        with _named():
            _answers.flush()
    finally:
        _printed(before)
        os.dup2(kept, 1)
        sys.stdout, answers, _answers = before, _answers, None
        if answers is not before:
            with contextlib.suppress(OSError):  # it was said already, by the flush above or by a `put`
                answers.close()
        else:
            os.close(kept)


def _opened() -> None:
    """What was closed before we began leads nowhere: the next file to be opened would take its place, and the banners."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)


def _own(before: TextIO | None, kept: int) -> TextIO:
    """A stream to the real standard output; where something else stands in its place, such as a test's, that is the real one."""
    try:
        real = before is None or before.fileno() == 1
    except (OSError, ValueError):  # it is no file
        real = False
    if before is not None:
        before.flush()
        if not real:
            return before
    encoding = before.encoding if before is not None else "utf-8"
    octets = open(kept, "wb")  # noqa: SIM115 - closed with the stream
    # a file name that is no text is shown, and is no reason to stop
    return io.TextIOWrapper(octets, encoding, "backslashreplace", line_buffering=os.isatty(kept))


def _printed(before: TextIO | None) -> None:
    """Write out what Python and C have buffered, before their descriptor is the user's again."""
    for stream in (before, sys.stderr):
        with contextlib.suppress(OSError, AttributeError, ValueError):
            stream.flush()  # type: ignore[union-attr]
    _flush_of_c()


def _flush_of_c() -> None:
    """Write out what C has buffered."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # no such C library
        ctypes.CDLL(None).fflush(None)


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Drop what libraries in C print to standard output while it is reserved, as long as the block lasts: it would tear lines that move."""
    _flush_of_c()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    try:
        yield
    finally:
        _flush_of_c()
        os.dup2(kept, 1)
        os.close(kept)
