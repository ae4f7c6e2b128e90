"""Where the coverage-guided target starts: inputs that each show the codec something the others do not, one file of text for each set.

A line is `document` or `fragment` and the octets in hexadecimal. All of them come from frames that we generate ourselves: `fuzz.seeds`, and
what the target has made of them.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from fuzz.seeds import seeds

KEPT = Path(__file__).with_name("corpora")
DOCUMENT, FRAGMENT = b"\0", b"\1"  # how an input begins
MOST = 16_000  # characters in the file of a set
LONGEST = 160  # octets of an input that is kept


def parts(data: bytes) -> tuple[bool, bytes]:
    """An input: whether it is a fragment, and the octets."""
    return data[:1] >= FRAGMENT and data[0] & 1 == 1, data[1:]


def unpack(name: str, folder: Path) -> int:
    """Write the inputs of a set, the kept and the generated ones, as files into a folder, as libFuzzer wants them; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    inputs = {(FRAGMENT if seed.fragment else DOCUMENT) + seed.octets for seed in seeds(name)} | set(kept(name))
    for data in inputs:
        (folder / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
    return len(inputs)


def kept(name: str) -> list[bytes]:
    """The inputs in the repository."""
    file = KEPT / f"{name}.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return [
        (FRAGMENT if kind == "fragment" else DOCUMENT) + bytes.fromhex(octets)
        for kind, _, octets in (line.partition(" ") for line in lines)
    ]


def keep(name: str, inputs: Iterable[bytes]) -> int:
    """Write the shortest inputs into the repository, as many as there is room for; returns how many."""
    lines, room = [], MOST
    for fragment, octets in sorted({parts(i) for i in inputs if len(i) <= LONGEST}, key=lambda p: (len(p[1]), p)):
        line = f"{'fragment' if fragment else 'document'} {octets.hex()}\n"
        room -= len(line)
        if room < 0:
            break
        lines.append(line)
    KEPT.mkdir(exist_ok=True)
    (KEPT / f"{name}.txt").write_text("".join(lines))
    return len(lines)
