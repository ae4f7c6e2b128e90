"""The page of `v2g report` and `v2g diff`: the viewer with what it shows in one file."""

import time
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any, Final

from v2g.legible import legible
from v2gkit.insight.report import page as plain
from v2gkit.insight.report.story import Story
from v2gkit.insight.viewer import alignment
from v2gkit.insight.viewer.alignment import Difference
from v2gkit.insight.viewer.lines import Book, head
from v2gkit.insight.viewer.page import page
from v2gkit.insight.viewer.sources import Sources, opened

Line = dict[str, Any]
ROWS: Final = 500  # of a table, and points of a curve, on the page without scripts
PLAIN: Final = 400_000  # characters of the page without scripts: ten long sessions; the viewer itself has all of them


def written(path: Path, keys: Path | None = None) -> str:
    """The page about a trace, a folder of traces or a capture. Raises ValueError or OSError for what is none."""
    return of_sources(opened(path, keys))


def of_sources(sources: Sources) -> str:
    """The page about sources that were opened. Raises ValueError where they hold no session."""
    stories = sources.stories()
    name, many = sources.path.resolve().name, f": {len(stories)} connections" if stories else ""
    title = stories[0].title if len(stories) == 1 else f"{name}{many}"
    return page(_lines(sources, title), f"<main>\n{plain.content(*map(_bounded, stories), most=PLAIN)}\n</main>", title)


def _bounded(story: Story) -> Story:
    """A story for the page without scripts: of one that is long the first exchanges and notes, and not every sample of its curve."""
    every = max(1, len(story.samples) // ROWS)
    return replace(story, exchanges=story.exchanges[:ROWS], notes=story.notes[:ROWS], samples=story.samples[::every])


def _lines(sources: Sources, title: str) -> Iterator[Line]:
    yield head(title, round(time.time(), 3))
    yield from sources.lines(Book())


def differences(one: Path, other: Path, keys: Path | None = None) -> tuple[list[Difference], list[Line]]:
    """Each connection of one beside that of the other at the same place, and all view lines of both. Raises ValueError or OSError."""
    book = Book()
    sides = [list(opened(path, keys if not path.is_dir() else None).lines(book)) for path in (one, other)]
    shapes, first = alignment.connections(sides[0])
    more, second = alignment.connections(sides[1])
    if not first or not second:
        raise ValueError(f"{one if not first else other} holds no message, so there is nothing to compare")
    return [alignment.compared(a, b, {**shapes, **more}) for a, b in zip(first, second, strict=False)], [*sides[0], *sides[1]]


def of_differences(found: list[Difference], lines: list[Line]) -> str:
    """The page about two sources side by side."""
    one, other = found[0].one.about["source"], found[0].other.about["source"]
    title = f"{one} beside {other}" if one != other else f"Two of {one}"
    said = "\n".join(line for each in found for line in each.summary())
    whole = [head(title, round(time.time(), 3), diff=True), *lines, *(each.line() for each in found)]
    return page(whole, f"<main>\n<h1>{plain.shown(title)}</h1>\n<pre>{escape(legible(said, lines=True))}</pre>\n</main>", title)
