"""Accidents by the million: `python -m fuzz.mutations --frames 1000000 --seed 15118`.

Valid frames of every schema set, each message of a set as often as any other, suffer one to three accidents each and are judged. The frames
follow from the seed alone, however many processes share the work. Exit codes: 0 the promise holds, 1 it is broken (the frame is printed).
"""

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from fuzz.accidents import accident
from fuzz.promise import VERDICTS, judge
from fuzz.seeds import Seed, seeds
from v2g.exi import engine
from v2g.exi.dialect import DIALECTS
from v2g.messages import MODULES, schema_set

CHUNK = 4_000  # frames in one piece of work
VIEWED = 50  # of so many frames one is also turned into XML and JSON, which takes long
OTHERWISE = 10  # of so many frames one is also judged in the other dialect


@dataclass(frozen=True, slots=True)
class Work:
    """One piece: `frames` accidents in a set, the first of which befalls the seed at `first`."""

    name: str
    seed: int
    first: int
    frames: int
    messages_only: bool = False  # not the other elements, nor fragments


@dataclass(slots=True)
class Outcome:
    """Counts of verdicts, and the frames that broke the promise, as text."""

    name: str
    verdicts: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


def stock(name: str, seed: int, messages_only: bool) -> tuple[Seed, ...]:
    """The frames that accidents befall."""
    return tuple(s for s in seeds(name, seed) if s.is_message) if messages_only else seeds(name, seed)


def suffered(work: Work) -> Iterator[tuple[Seed, bytes]]:
    """The frames of a piece of work."""
    chance, whole = random.Random(f"{work.seed} {work.name} {work.first}"), stock(work.name, work.seed, work.messages_only)
    for number in range(work.first, work.first + work.frames):
        seed = whole[number % len(whole)]
        yield seed, accident(seed, chance)


def judged(work: Work) -> Outcome:
    """A piece of work done."""
    outcome, (schemas, otherwise) = Outcome(work.name), (schema_set(work.name, dialect) for dialect in DIALECTS)
    for number, (seed, octets) in enumerate(suffered(work)):
        try:
            outcome.verdicts[judge(octets, schemas, seed.fragment, views=number % VIEWED == 0)] += 1
            if number % OTHERWISE == 0:
                judge(octets, otherwise, seed.fragment)
        except Exception as error:
            kind = "fragment" if seed.fragment else "document"
            outcome.broken.append(f"{work.name} {kind} {octets.hex()} ({seed.name}): {type(error).__name__}: {error}")
    return outcome


def pieces(frames: dict[str, int], seed: int, messages_only: bool = False) -> list[Work]:
    """The work on so many frames of each set."""
    return [
        Work(n, seed, first, min(CHUNK, count - first), messages_only) for n, count in frames.items() for first in range(0, count, CHUNK)
    ]


def run(work: Sequence[Work], jobs: int) -> dict[str, Outcome]:
    """All of the work, in `jobs` processes."""
    total = {piece.name: Outcome(piece.name) for piece in work}
    with ProcessPoolExecutor(jobs) as pool:
        for done in pool.map(judged, work):
            total[done.name].verdicts += done.verdicts
            total[done.name].broken += done.broken
    return total


def wanted(sets: Sequence[str], frames: int, each: int | None, seed: int) -> dict[str, int]:
    """Frames of each set: `frames` in all, or `each` for every message."""
    if each is None:
        return {name: -(-frames // len(sets)) for name in sets}
    return {name: each * len({s.name for s in stock(name, seed, True)}) for name in sets}


def table(total: dict[str, Outcome], seed: int, messages_only: bool) -> Iterator[str]:
    """Counts for each set, and in all. `elements` are messages and other elements that frames are made of, `seeds` the frames."""
    yield f"{'set':<12}{'elements':>9}{'seeds':>7}{'frames':>10}" + "".join(f"{v:>11}" for v in VERDICTS) + f"{'broken':>8}"
    everything = Outcome("all")
    for name, outcome in total.items():
        everything.verdicts += outcome.verdicts
        everything.broken += outcome.broken
        whole = stock(name, seed, messages_only)
        yield _row(outcome, len({(s.name, s.fragment) for s in whole}), len(whole))
    yield _row(everything, "", "")


def _row(outcome: Outcome, kinds: object, count: object) -> str:
    verdicts = "".join(f"{outcome.verdicts[v]:>11}" for v in VERDICTS)
    return f"{outcome.name:<12}{kinds:>9}{count:>7}{sum(outcome.verdicts.values()):>10}{verdicts}{len(outcome.broken):>8}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m fuzz.mutations", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1_000_000, help="in all sets together (default 1000000)")
    parser.add_argument("--each", type=int, metavar="N", help="instead: N frames for each message, and no other elements")
    parser.add_argument("--seed", type=int, default=15118, help="of all chance (default 15118)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one for each core)")
    parser.add_argument("--sets", nargs="+", default=list(MODULES), choices=list(MODULES), metavar="SET", help=", ".join(MODULES))
    options = parser.parse_args(argv)
    began, frames = time.monotonic(), wanted(options.sets, options.frames, options.each, options.seed)
    total = run(pieces(frames, options.seed, options.each is not None), options.jobs)
    print("\n".join(table(total, options.seed, options.each is not None)))
    spent, count = time.monotonic() - began, sum(o.verdicts.total() for o in total.values())
    print(f"seed {options.seed}, engines {', '.join(engine.names())}: {count} frames in {spent:.0f} s with {options.jobs} processes")
    broken = [line for outcome in total.values() for line in outcome.broken]
    for line in broken[:20]:
        print(f"BROKEN {line}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
