"""The display of running sessions at a terminal: one live line for each, and above them the story where it is wanted."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO, cast

from v2g.legible import legible
from v2g.session.link import Observe
from v2gkit.cli import terminal
from v2gkit.insight.progress import Progress
from v2gkit.output import answered_by, put, quiet_libraries

BAR = 12  # columns of a bar of the state of charge
WIDE = 60  # columns from which on there is room for it


def add_options(parser: Any) -> None:
    """Add the option by which the story is shown at a terminal, too."""
    parser.add_argument("-v", "--verbose", action="store_true", help="tell the story at a terminal, too, above the line that moves")


class Screen:
    """The live lines of one command, and the lines above them. Without a terminal there are no live lines, and the whole story is shown."""

    def __init__(self, console: Any, verbose: bool):
        self._console, self._verbose = console, verbose
        self._lines: list[Progress] = []
        self.summary: Callable[[], list[list[str]]] | None = None  # lines, in parts, of a command whose sessions are too many for one each

    @property
    def moving(self) -> bool:
        """Whether there are live lines."""
        return self._console is not None

    @property
    def folded(self) -> bool:
        """Whether the story is left out, because a live line shows the progress instead."""
        return self._console is not None and not self._verbose

    def observing(self, name: str, wall: Callable[[float], float]) -> Observe:
        """The observers that keep a live line for each connection of one outlet or car; `wall` gives its wall time (epoch s)."""

        def follow(local: tuple[str, int], peer: tuple[str, int], number: int) -> Progress:
            progress = Progress(name, wall)
            self._lines = [*(line for line in self._lines if not line.over), progress]
            return progress

        return follow

    def verdict(self, text: str, well: bool) -> None:
        """Print how the session ended, in colour where the terminal has it; `well` chooses the colour."""
        if self._console is None:
            put(legible(text), flush=True)
        else:
            from rich.text import Text

            self._console.print(Text(legible(text), style="green" if well else "bold red"))

    def live(self) -> Any:
        """The live lines at this moment, each cut to the width of the terminal."""
        from rich.text import Text

        self._console.width = terminal.width(self._console.file)
        if self.summary is not None:
            lines = [Text("  ".join(map(legible, parts))) for parts in self.summary()]
        else:
            lines = [self._line(line, Text) for line in self._lines if not line.over]
        return Text("\n", no_wrap=True, overflow="ellipsis").join(lines)

    def _line(self, progress: Progress, text: Any) -> Any:
        room = self._console.width
        parts = [legible(part) for part in progress.parts]
        bar = ""
        if progress.soc is not None and room >= WIDE:
            full = round(progress.soc * BAR / 100)
            bar = f"[{'=' * full}{' ' * (BAR - full)}] "
        line = text(bar + "  ".join(parts), no_wrap=True, overflow="ellipsis")
        line.truncate(room - 1, overflow="ellipsis")
        return line


@contextlib.contextmanager
def screen(options: argparse.Namespace) -> Iterator[Screen]:
    """A screen for a command, within the block: with live lines where standard output is a terminal and `rich` is installed."""
    console = None if options.json else terminal.console()
    if console is None:
        yield Screen(None, True)
        return
    from rich.file_proxy import FileProxy
    from rich.live import Live

    stream, shown = console.file, Screen(console, options.verbose)
    before = sys.stderr
    live = Live(
        console=console, get_renderable=shown.live, refresh_per_second=5, transient=True, redirect_stdout=False, redirect_stderr=False
    )
    with quiet_libraries(), live:
        if before.isatty():  # else it goes to a file, and not through here
            sys.stderr = cast(TextIO, FileProxy(console, before))
        try:
            with answered_by(cast(TextIO, FileProxy(console, stream))):
                yield shown
        finally:
            sys.stderr = before
