"""The interoperability matrix: every cell, and running them."""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence

from v2g.iso20.services import DC, DC_BPT
from v2gkit.peers.bench import Bench, Cell, CellResult
from v2gkit.peers.stories import OLDER, SERVICES, STORIES, WHOLE

ROLES = ("car", "station")
CONTROLS = ("scheduled", "dynamic")
AUTHORIZATIONS = ("eim", "pnc")
TRANSPORTS = ("tcp", "tls13")
LINKS = {"2": (("eim", "tcp"), ("eim", "tls12"), ("pnc", "tls12")), "DIN": (("eim", "tcp"),)}  # by which a car of it may pay


def matrix(alone: bool = False) -> list[Cell]:
    """Every cell of the matrix. With `alone`, the peer's car and station meet each other, without us."""
    roles = ("both",) if alone else ROLES
    sessions = itertools.product(roles, SERVICES, CONTROLS, AUTHORIZATIONS, TRANSPORTS)
    discovered = itertools.product(roles, (DC_BPT.name,), ("scheduled",), ("pnc",), TRANSPORTS, ("sdp",))
    newest = [Cell(*cell) for cell in itertools.chain(sessions, discovered)]
    return [*newest, *_older(roles)] if alone else [*newest, *_other_stories(), *_older(roles)]


def _other_stories() -> Iterator[Cell]:
    """The cells of the other stories, each as the standard demands it: over TLS 1.3, with a contract."""
    for story in STORIES.values():
        if story is not WHOLE:
            for role, service, control in itertools.product(story.roles, story.services, story.controls):
                yield Cell(role, service, control, "pnc", "tls13", about=story.name)


def _older(roles: Sequence[str]) -> Iterator[Cell]:
    """The cells of -2 and DIN: each way of paying over each link that may carry it, and each story by the safest of them."""
    for story in OLDER.values():
        if story.name != WHOLE.name and "both" in roles:
            continue  # the peer alone is asked whether this machine can run it
        for role, (generation, service) in itertools.product([one for one in roles if one == "both" or one in story.roles], story.sessions):
            ways = LINKS[generation] if story.name == WHOLE.name else LINKS[generation][-1:]
            for authorization, transport in ways:
                yield Cell(role, service, "", authorization, transport, about=story.name, generation=generation)
    for role, (generation, ways) in itertools.product(roles, LINKS.items()):
        yield Cell(role, DC.name, "", *ways[-1], discovery="sdp", generation=generation)


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
