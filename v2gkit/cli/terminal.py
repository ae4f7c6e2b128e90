"""The terminal that reads standard output, if one does: how wide it is, and lines for it with their verdict in colour."""

import contextlib
import os
import textwrap
from typing import Any, TextIO

from v2g.legible import legible
from v2gkit.extras import missing
from v2gkit.output import answer_stream, put

COLOURS = {"ok": "green", "note": "yellow", "bad": "bold red", "NO": "bold red", "accepted": "green", "refused": "bold red"}


def width(stream: TextIO) -> int:
    """The columns of the terminal that a stream leads to; the variable COLUMNS overrules."""
    with contextlib.suppress(ValueError):
        return max(20, int(os.environ["COLUMNS"])) if "COLUMNS" in os.environ else max(20, os.get_terminal_size(stream.fileno()).columns)
    return 80


def height(stream: TextIO) -> int:
    """The rows of the terminal that a stream leads to; the variable LINES overrules."""
    with contextlib.suppress(ValueError):
        return max(1, int(os.environ["LINES"])) if "LINES" in os.environ else max(1, os.get_terminal_size(stream.fileno()).lines)
    return 24


def console() -> Any:
    """The console of `rich` on standard output; None where no terminal reads it, or one that is dumb, or `rich` is missing.

    It has colours unless NO_COLOR is set.
    """
    stream = answer_stream()
    if not stream.isatty() or os.environ.get("TERM") in (None, "dumb") or missing(["terminal"]):
        return None
    from rich.console import Console

    return Console(file=stream, width=width(stream), force_terminal=True, highlight=False, markup=False, emoji=False)


class Lines:
    """Prints lines; at a terminal each is wrapped to fit, and its first word is coloured if it is a verdict."""

    def __init__(self) -> None:
        self._console = console()

    def say(self, line: str, hang: int = 0) -> None:
        """Print one line; what does not fit goes below, `hang` columns from the left."""
        line = legible(line)
        if self._console is None:
            put(line)
            return
        from rich.text import Text

        room = self._console.width
        folded = textwrap.wrap(line, room, subsequent_indent=" " * min(hang, room // 3), break_on_hyphens=False)
        text = Text("\n".join(folded))
        word = line.split(maxsplit=1)[0].rstrip(":") if line.strip() else ""
        if word in COLOURS:
            begin = line.index(word)
            text.stylize(COLOURS[word], begin, begin + len(word))
        self._console.print(text, soft_wrap=True)
