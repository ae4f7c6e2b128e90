"""The rows of the tables of case and fault: how one is written, how it takes its place, and what a table does not say."""

import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pki.issue import build
from pki.plan import Plan
from pki.store import create
from tests.v2gkit.conform.faulty_shared import Shared
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.verdict import Verdict

LEAST = 5  # cases beside a fault
CELLS = 5  # behind the first
CURVES = ("secp521r1", "secp256r1")  # the second is that of ISO 15118-2
Found = Mapping[str, tuple[Verdict, str]]
"""The verdict on each case that was played at a fault, and what was seen."""


@contextmanager
def authorities() -> Iterator[tuple[Path, Path]]:
    """Within the block: certificates on the curves of every generation, and a folder for what is written while a table is played."""
    with tempfile.TemporaryDirectory() as folder:
        certs = Path(folder) / "certs"
        create(certs, [build(Plan(curves=CURVES), curve, datetime.now(UTC)) for curve in CURVES])
        yield certs, Path(folder)


def wrong(fault: str, found: Found, shared: Shared, own: Collection[str] = ()) -> list[str]:
    """What was seen of a case of a fault that does not fail, and of another that fails and is not known to."""
    cases, known = own or (fault,), shared.get(fault, ((), ""))[0]
    bad = [id_ for id_, (verdict, _) in found.items() if (verdict is Verdict.FAIL) is (id_ not in cases)]
    return [f"{fault}, {id_}: {found[id_][1]}" for id_ in bad if id_ not in known]


def show(line: str, told: list[str], table: Path | None, known: Collection[str]) -> int:
    """Print a row, and on standard error what is wrong with it; how much that is. It takes its place in a table where one is named."""
    print(line, flush=True)
    if table is not None:
        keep(line, table, known)
    print(*told, sep="\n", file=sys.stderr, flush=True)
    return len(told)


def row(fault: str, found: Found, shared: Shared, own: Collection[str] = ()) -> str:
    """The row of a fault: its case (its cases: `own`), which others failed, how many passed or came to no verdict, and why."""
    cases, first = own or (fault,), f"{fault} | {', '.join(own)}" if own else fault
    others = {id_: verdict for id_, (verdict, _) in found.items() if id_ not in cases}
    failed = sorted(id_ for id_, verdict in others.items() if verdict is Verdict.FAIL)
    open_ = sum(verdict in (Verdict.INCONCLUSIVE, Verdict.BLOCKED) for verdict in others.values())
    passed = sum(verdict is Verdict.PASS for verdict in others.values())
    verdicts = ", ".join(dict.fromkeys(found[id_][0].value for id_ in cases))
    why = shared.get(fault, ("", ""))[1] if failed else ""
    return f"| {first} | {verdicts} | {', '.join(failed) or 'none'} | {passed} | {open_} | {why} |"


def read(text: str) -> dict[str, list[str]]:
    """The cells behind the first of each row of a table, by that cell."""
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")]
    return {found[0]: found[1:] for found in cells}


def keep(new: str, table: Path, known: Collection[str]) -> None:
    """Put a row in the place of that of the same fault in the table, or behind the last row of a fault that is `known`, or at its top."""
    lines = table.read_text().splitlines()
    named = {number: line.strip("| ").split(" | ")[0] for number, line in enumerate(lines) if line.startswith("| ")}
    name = new.strip("| ").split(" | ")[0]
    old = next((number for number, each in named.items() if each == name), None)
    if old is None:
        top = next((number for number, line in enumerate(lines) if line.startswith("|--")), len(lines) - 1)
        lines.insert(max((number for number, each in named.items() if each in known), default=top) + 1, new)
    else:
        lines[old] = new
    table.write_text("\n".join(lines) + "\n")


def gaps(
    text: str, faults: Collection[str], shared: Shared, counted: bool = True, cases: Mapping[str, Collection[str]] | None = None
) -> list[str]:
    """What a table does not say: a fault without row, a row without the others, another failure without reason.

    `counted`: the row says how many others passed, and how many came to no verdict. `cases`: it says which each fault has, where they
    are not called like it.
    """
    found = read(text)
    told = [f"{fault} has no row" for fault in faults if fault not in found]
    for fault in set(faults) & set(found):
        named, *cells = found[fault] if cases is not None else ("", *found[fault])
        if cases is not None and named != ", ".join(cases[fault]):
            told.append(f"{fault} does not say its cases")
        verdict, others, *more = (*cells, *[""] * CELLS)[:CELLS]
        failed = set(others.split(", ")) - {"none"}
        if verdict != "fail":
            told.append(f"{fault} does not fail its case")
        if not others or failed - set(catalogue()):
            told.append(f"{fault} does not say which others failed: {others!r}")
        elif failed and (fault not in shared or failed != set(shared[fault][0]) or cells[-1] != shared[fault][1]):
            told.append(f"{fault} fails {others} without a reason")
        if counted and not (more[0].isdigit() and more[1].isdigit() and int(more[0]) + int(more[1]) >= LEAST):
            told.append(f"{fault} was played beside nothing")
    return told
