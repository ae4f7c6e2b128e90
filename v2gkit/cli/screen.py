"""The display of running sessions at a terminal: one live block for each, and above them the story where it is wanted.

Sessions that are too many for blocks have a line each, and more than there are lines a summary: what moves is never higher than the
terminal. A session that is over leaves its block above, with the verdict.
"""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TextIO, cast

from v2g.legible import legible
from v2g.session.link import Observe
from v2gkit.cli import terminal
from v2gkit.output import answered_by, put, quiet_libraries

if TYPE_CHECKING:  # a command without a terminal draws nothing
    from v2gkit.cli.blocks import Line
    from v2gkit.insight.progress import Progress

SPARE = 2  # rows that are left to the shell: what moves must not push itself out of the terminal
REASONS = 50  # that are told of sessions in a summary, each once: a crowd of strangers has as many reasons as it likes


def add_options(parser: Any) -> None:
    """Add the option by which the story is shown at a terminal, too."""
    parser.add_argument("-v", "--verbose", action="store_true", help="tell the story at a terminal, too, above the blocks that move")


class Screen:
    """The live blocks of one command, and the lines above them. Without a terminal there are no blocks, and the whole story is shown."""

    def __init__(self, console: Any, verbose: bool):
        self._console, self._verbose = console, verbose
        self._sessions: dict[int, Progress] = {}  # that are not over, by identity, in the order in which they came
        self._reasons: set[str] = set()  # that were told of sessions in a summary
        self.told = ""  # why the last session above did not end well
        self.refresh: Callable[[], object] = lambda: None  # draws the live blocks anew, at once
        self.more: Callable[[], list[str]] = list  # what a command adds to the summary of its sessions, in parts

    @property
    def moving(self) -> bool:
        """Whether there are live blocks."""
        return self._console is not None

    @property
    def folded(self) -> bool:
        """Whether the story is left out, because a block shows the progress instead."""
        return self._console is not None and not self._verbose

    def observing(self, name: str, wall: Callable[[float], float]) -> list[Observe]:
        """The observers that keep a block for each connection of one outlet or car, none without blocks; `wall` gives its wall time
        (epoch s).
        """
        if not self.moving:
            return []
        from v2gkit.insight.progress import Progress

        return [lambda local, peer, number: self.follow(Progress(name, wall))]

    def follow(self, progress: "Progress") -> "Progress":
        """Show a session until it is over, and its verdict from then on; returns it."""
        if self.moving:
            self._sessions[id(progress)] = progress
            progress.parted = self._part
        return progress

    def _part(self, one: "Progress") -> None:
        """Let what is over leave the lines that move: its block stays above them, one line of it where there are many."""
        from v2gkit.cli.blocks import block, folded, verdict

        rows, room = self._size()
        many = list(self._sessions.values())
        self._sessions.pop(id(one), None)
        self.refresh()  # else it would be drawn once more below what is printed
        if one.dropped or not one.phase:
            return  # no session: whoever was sent away for want of room is told of by the command
        if not one.peer or self._blocks(many, room, rows) is None:
            if len(many) <= rows or self._is_news(one):
                self._say([folded(one, room)], room)
        else:
            self._say([*block(one, room), verdict(one)], room)
        self.told = one.reason

    def _is_news(self, one: "Progress") -> bool:
        """Whether a session of a crowd ended as none before: only then is it told."""
        if one.well or one.reason in self._reasons or len(self._reasons) >= REASONS:
            return False
        self._reasons.add(one.reason)
        return True

    def verdict(self, text: str, well: bool) -> None:
        """Print how the command ended, in colour where the terminal has it; `well` chooses the colour."""
        if self._console is None:
            put(legible(text), flush=True)
        else:
            from rich.text import Text

            self._console.print(Text(legible(text), style="green" if well else "bold red"))

    def _say(self, lines: "list[Line]", room: int) -> None:
        """Print lines that stay, above those that move: cut to the terminal, but for the last, which is a verdict and is wrapped."""
        from rich.text import Text

        *above, last = lines
        for line in above:
            self._console.print(self._cut(line, room))
        self._console.print(Text.assemble(*self._styled(last)))

    def _styled(self, line: "Line") -> "Line":
        """The line; without styles where the user wants no colours."""
        return [(text, "") for text, _ in line] if self._console.no_color else line

    def _cut(self, line: "Line", room: int) -> Any:
        """A line for the console, cut to so many columns as a terminal counts them."""
        from rich.text import Text

        text = Text.assemble(*self._styled(line), no_wrap=True, overflow="ellipsis")
        text.truncate(room, overflow="ellipsis")
        return text

    def _size(self) -> tuple[int, int]:
        """Rows and columns that what moves may have now; the console is told, since a terminal changes its size without telling."""
        rows, room = terminal.height(self._console.file), terminal.width(self._console.file)
        self._console.width, self._console.height = room, rows
        return max(rows - SPARE, 1), room - 1

    def live(self) -> Any:
        """The live blocks at this moment, each line cut to the width of the terminal."""
        from rich.text import Text

        from v2gkit.cli.blocks import folded, summary

        rows, room = self._size()
        sessions = list(self._sessions.values())
        lines = self._blocks(sessions, room, rows)
        if lines is None:
            lines = [folded(one, room) for one in sessions] if len(sessions) <= rows else summary(sessions, self.more(), room)[:rows]
        return Text("\n", no_wrap=True, overflow="ellipsis").join(self._cut(line, room) for line in lines)

    def _blocks(self, sessions: "list[Progress]", room: int, rows: int) -> "list[Line] | None":
        """The lines of all blocks; None where they would not fit into the terminal."""
        from v2gkit.cli.blocks import block

        if len(sessions) * 2 > rows:
            return None
        lines = [line for one in sessions for line in block(one, room)]
        return lines if len(lines) <= rows else None


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
    shown.refresh = live.refresh
    with quiet_libraries(), live:
        if before.isatty():  # else it goes to a file, and not through here
            sys.stderr = cast(TextIO, FileProxy(console, before))
        try:
            with answered_by(cast(TextIO, FileProxy(console, stream))):
                yield shown
        finally:
            sys.stderr = before
