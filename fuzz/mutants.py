"""Break one behaviour at a time and see that a test notices: the tables beside this say which.

    python -m fuzz.mutants                       # all of it; exit code 1 when a mutant lived, or the table does not fit the code
    python -m fuzz.mutants --only pilot --only 7 # those whose name or whose place in the table of faults is that

Each mutant is applied to a copy of the tree, never to the tree itself, and its targets are run until one fails. What counts as seen is a
test that fails: one that hangs, or cannot even be collected, is no test of that behaviour. Before, every target must pass without mutants.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from fuzz.behaviours import LIVED, Mutant
from fuzz.fairness import LEGAL
from fuzz.feeding import GRID
from fuzz.flexibility import SIGNALS
from fuzz.remembrance import KEPT
from fuzz.restraints import BOUNDS, CAR
from fuzz.safeguards import STATION
from fuzz.steering import CSMS
from fuzz.streams import STREAMS
from fuzz.updating import UPDATES
from fuzz.wireless import WIRELESS

MUTANTS = (*LIVED, *STATION, *BOUNDS, *CAR, *GRID, *LEGAL, *STREAMS, *CSMS, *KEPT, *UPDATES, *WIRELESS, *SIGNALS)
ROOT = Path(__file__).parents[1]
NOT_COPIED = ("*.egg-info", ".*", "build", "certs", "demo-output")
LIMIT = 120.0  # s for the targets of one mutant: many times what the slowest takes
BASE_LIMIT = 900.0  # s for all targets without a mutant
FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", re.MULTILINE)


class Found(NamedTuple):
    """What became of a mutant: killed is well, all else is not."""

    verdict: str  # killed, survived, stale, hung, broken
    by: str  # the test that killed it, or what is wrong
    seconds: float = 0.0


def tree(source: Path, copy: Path) -> Path:
    """A copy of the sources, the compiled codec among them."""
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
    return copy


def run(copy: Path, targets: Sequence[str], limit: float, keep: str = "x") -> tuple[int | None, str]:
    """Exit code (None: out of time) and output of pytest over targets in a copy of the tree; bytecode stays where `keep` is empty."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "--tb=line", "-p", "no:cacheprovider", *targets]
    surroundings = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": keep}
    with subprocess.Popen(
        command, cwd=copy, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as tests:
        try:
            output, _ = tests.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(tests.pid, signal.SIGKILL)  # of its own session: the tests and what they have started
            return None, tests.communicate()[0]
    return tests.returncode, output


@contextmanager
def applied(mutant: Mutant, copy: Path) -> Iterator[bool]:
    """The mutant in the tree; false where its text does not stand there exactly once."""
    place = copy / mutant.file
    before = place.read_text() if place.is_file() else ""
    fits = before.count(mutant.text) == 1
    if fits:
        place.write_text(before.replace(mutant.text, mutant.instead))
    try:
        yield fits
    finally:
        if fits:
            place.write_text(before)


def judged(mutant: Mutant, copy: Path, limit: float = LIMIT) -> Found:
    """Whether a test notices the mutant in this copy of the tree."""
    began = time.monotonic()
    with applied(mutant, copy) as fits:
        if not fits:
            return Found("stale", f"its text does not stand exactly once in {mutant.file}: mend its row")
        code, output = run(copy, mutant.targets, limit)
    seconds = time.monotonic() - began
    if code is None:
        return Found("hung", f"the tests did not end within {limit:g} s: bound their loops", seconds)
    if code == 0:
        return Found("survived", f"no test of {' '.join(mutant.targets)} sees that {mutant.means}", seconds)
    failed = FAILED.search(output)
    if code != 1 or failed is None:
        return Found("broken", f"no test could be run: {' '.join(output.split()[-12:])}", seconds)
    return Found("killed", failed[1], seconds)


def sound(copy: Path, mutants: Sequence[Mutant]) -> str:
    """Empty when all targets pass as they are; else what they say. What is red already shows nothing."""
    targets = list(dict.fromkeys(target for mutant in mutants for target in mutant.targets))
    code, output = run(copy, targets, BASE_LIMIT, "")
    return "" if code == 0 else output or f"the targets did not end within {BASE_LIMIT:g} s"


def hunt(mutants: Sequence[Mutant], jobs: int, clean: Path, limit: float = LIMIT) -> Iterator[tuple[Mutant, Found]]:
    """Every mutant and what became of it, in the order of the table; `jobs` at a time, each in a copy of its own of a clean tree."""
    copies: SimpleQueue[Path] = SimpleQueue()
    for number in range(jobs):
        copies.put(tree(clean, clean.with_name(str(number))))

    def one(mutant: Mutant) -> Found:
        copy = copies.get()
        try:
            return judged(mutant, copy, limit)
        finally:
            copies.put(copy)

    with ThreadPoolExecutor(jobs) as pool:
        yield from zip(mutants, pool.map(one, mutants), strict=True)


def chosen(only: Sequence[str]) -> list[Mutant]:
    """The mutants whose name holds one of these words, or that stand for the fault or survivor of that name; all of them without a word."""
    return [m for m in MUTANTS if not only or any(word in m.name or word == m.fault for word in only)]


def main(argv: Sequence[str] | None = None) -> int:
    """The hunt as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="part of a name, or a fault")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 4), help="how many at a time")
    options = parser.parse_args(argv)
    mutants = chosen(options.only)
    if not mutants:
        parser.error(f"there is no mutant {', '.join(options.only)}; there are: {', '.join(m.name for m in MUTANTS)}")
    began, amiss = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="v2gkit-mutants-") as folder:
        clean = tree(ROOT, Path(folder) / "clean")
        if red := sound(clean, mutants):
            print(f"{red}\nthe tests are red without any mutant: mend them first", file=sys.stderr)
            return 1
        for mutant, found in hunt(mutants, max(options.jobs, 1), clean):
            amiss += found.verdict != "killed"
            print(f"{found.verdict:9} {mutant.fault:4} {mutant.name} ({found.seconds:.0f} s): {found.by}", flush=True)
    print(f"{len(mutants) - amiss} of {len(mutants)} mutants were killed, in {time.monotonic() - began:.0f} s")
    return 1 if amiss else 0


if __name__ == "__main__":
    raise SystemExit(main())
