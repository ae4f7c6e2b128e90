"""Look for octets that break the promise of the codec, guided by coverage: `python -m fuzz SET --seconds N`.

Needs atheris (`pip install v2gkit[fuzz]`; Linux on x86-64). SET is a schema set, or `all` for one after the other. With --keep the inputs
that reach something new are merged into fuzz/corpora.

Exit codes: 0 the promise held, 1 it was broken (the octets are printed), 2 there is no atheris.
"""

import argparse
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzz import corpus
from v2g.messages import MODULES

LONGEST = 1_000  # octets of an input
MISSING = "fuzzing needs atheris, which is for Linux on x86-64: pip install 'v2gkit[fuzz]'. `python -m fuzz.mutations` runs without it."


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one set: the summary, and the inputs that broke the promise with the last words about each."""

    summary: str
    broken: tuple[tuple[bool, bytes], ...]
    words: str


def fuzz(name: str, seconds: int, folder: Path) -> Run:
    """Run the target of a set for so long, on the inputs in `folder/corpus`."""
    inputs, found = folder / "corpus", folder / "broken"
    found.mkdir()
    started = corpus.unpack(name, inputs)
    said = _target(
        name, inputs, f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-artifact_prefix={found}/", "-timeout=10", "-rss_limit_mb=1024"
    )
    numbers = re.findall(r"^#(\d+)\s.*?cov: (\d+) ft: (\d+) corp: (\d+)/", said, re.MULTILINE)
    frames, edges, features, size = numbers[-1] if numbers else ("0",) * 4
    broken = tuple(corpus.parts(file.read_bytes()) for file in sorted(found.iterdir()))
    summary = f"{name:<12}{frames:>10} inputs, {edges:>5} edges, {features:>6} features, corpus {started} -> {size}, {len(broken)} broken"
    return Run(
        summary, broken, "\n".join([line for line in said.splitlines() if not line.startswith("#")][-40:]) if broken or not numbers else ""
    )


def minimised(name: str, folder: Path) -> list[bytes]:
    """The fewest inputs that reach all that the corpus reaches."""
    merged = folder / "merged"
    merged.mkdir()
    _target(name, merged, str(folder / "corpus"), "-merge=1", f"-max_len={LONGEST}")
    return [file.read_bytes() for file in merged.iterdir()]


def _target(name: str, inputs: Path, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "fuzz.target", name, str(inputs), *options], capture_output=True, text=True, errors="replace", check=False
    )
    return done.stdout + done.stderr


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=[*MODULES, "all"], metavar="SET", help=f"{', '.join(MODULES)} or all")
    parser.add_argument("--seconds", type=int, default=60, help="for each set (default 60)")
    parser.add_argument("--keep", action="store_true", help="merge what was found into fuzz/corpora")
    options = parser.parse_args(argv)
    if importlib.util.find_spec("atheris") is None:
        print(MISSING, file=sys.stderr)
        return 2
    failed = False
    for name in MODULES if options.set == "all" else [options.set]:
        with tempfile.TemporaryDirectory() as folder:
            run = fuzz(name, options.seconds, Path(folder))
            print(run.summary, flush=True)
            for fragment, octets in run.broken:
                print(f"BROKEN {name} {'fragment' if fragment else 'document'} {octets.hex()}", file=sys.stderr)
            if run.words:
                print(run.words, file=sys.stderr)
                failed = True
            if options.keep:
                print(f"{name:<12}{corpus.keep(name, minimised(name, Path(folder)))} inputs kept")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
