"""The interoperability matrix: every cell, and running them."""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence

from v2g.iso20.services import DC_BPT
from v2gkit.peers.bench import Bench, Cell, CellResult
from v2gkit.peers.stories import SERVICES, STORIES, WHOLE

ROLES = ("car", "station")
CONTROLS = ("scheduled", "dynamic")
AUTHORIZATIONS = ("eim", "pnc")
TRANSPORTS = ("tcp", "tls13")


def matrix(alone: bool = False) -> list[Cell]:
    """Every cell of the matrix. With `alone`, the peer's car and station meet each other, without us."""
    roles = ("both",) if alone else ROLES
    sessions = itertools.product(roles, SERVICES, CONTROLS, AUTHORIZATIONS, TRANSPORTS)
    discovered = itertools.product(roles, (DC_BPT.name,), ("scheduled",), ("pnc",), TRANSPORTS, ("sdp",))
    return [Cell(*cell) for cell in itertools.chain(sessions, discovered)] + ([] if alone else list(_other_stories()))


def _other_stories() -> Iterator[Cell]:
    """The cells of the other stories, each as the standard demands it: over TLS 1.3, with a contract."""
    for story in STORIES.values():
        if story is not WHOLE:
            for role, service, control in itertools.product(story.roles, story.services, story.controls):
                yield Cell(role, service, control, "pnc", "tls13", about=story.name)


def cells_with(cells: Sequence[Cell], words: Sequence[str]) -> list[Cell]:
    """The cells described by all of these words. ValueError for a word that describes no cell."""
    known = {word for cell in cells for word in cell.words}
    for word in words:
        if word not in known:
            raise ValueError(f"no cell has {word!r}; words are {', '.join(sorted(known))}")
    return [cell for cell in cells if cell.words >= set(words)]


async def run_all(bench: Bench, cells: Sequence[Cell], jobs: int, tell: Callable[[str], None]) -> list[CellResult]:
    """Run all cells, `jobs` at a time; `tell` is called with a line as each ends. The results in the order of the cells."""
    room = asyncio.Semaphore(jobs)

    async def one(cell: Cell) -> CellResult:
        async with room:
            result = await bench.run(cell)
        tell(f"{'ok  ' if result.ok else 'FAIL'} {cell}  {result.text}")
        return result

    return await asyncio.gather(*(one(cell) for cell in cells))
