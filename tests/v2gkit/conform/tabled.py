"""The rows of the tables of case and fault: how one is written, how it takes its place, and what a table does not say."""

from collections.abc import Collection, Mapping
from pathlib import Path

from tests.v2gkit.conform.faulty_shared import Shared
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.verdict import Verdict

LEAST = 5  # cases beside a fault
CELLS = 5  # behind the first


def row(first: str, fault: str, found: Mapping[str, Verdict], shared: Shared, own: Collection[str] = ()) -> str:
    """The row of a fault: its case (or the gravest of `own`), which others failed, how many passed or came to no verdict, and why."""
    cases = own or (fault,)
    others = {id_: verdict for id_, verdict in found.items() if id_ not in cases}
    failed = sorted(id_ for id_, verdict in others.items() if verdict is Verdict.FAIL)
    open_ = sum(verdict in (Verdict.INCONCLUSIVE, Verdict.BLOCKED) for verdict in others.values())
    passed = sum(verdict is Verdict.PASS for verdict in others.values())
    verdicts = ", ".join(dict.fromkeys(found[id_].value for id_ in cases))
    why = shared.get(fault, ("", ""))[1] if failed else ""
    return f"| {first} | {verdicts} | {', '.join(failed) or 'none'} | {passed} | {open_} | {why} |"


def read(text: str) -> dict[str, list[str]]:
    """The cells behind the first of each row of a table, by that cell."""
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")]
    return {found[0]: found[1:] for found in cells}


def keep(new: str, table: Path, known: Collection[str]) -> None:
    """Put a row in the place of that of the same fault in the table, or behind the last row of a fault that is `known`."""
    lines = table.read_text().splitlines()
    named = {number: line.strip("| ").split(" | ")[0] for number, line in enumerate(lines) if line.startswith("| ")}
    name = new.strip("| ").split(" | ")[0]
    old = next((number for number, each in named.items() if each == name), None)
    if old is None:
        lines.insert(max(number for number, each in named.items() if each in known) + 1, new)
    else:
        lines[old] = new
    table.write_text("\n".join(lines) + "\n")


def gaps(text: str, faults: Collection[str], shared: Shared, counted: bool = True) -> list[str]:
    """What a table does not say: a fault without row, a row without the others, another failure without reason.

    `counted`: the row says how many others passed, and how many came to no verdict.
    """
    found = read(text)
    told = [f"{fault} has no row" for fault in faults if fault not in found]
    for fault in set(faults) & set(found):
        verdict, others, *more = (*found[fault], *[""] * CELLS)[:CELLS]
        failed = set(others.split(", ")) - {"none"}
        if verdict != "fail":
            told.append(f"{fault} does not fail its case")
        if not others or failed - set(catalogue()):
            told.append(f"{fault} does not say which others failed: {others!r}")
        elif failed and (fault not in shared or failed != set(shared[fault][0]) or found[fault][-1] != shared[fault][1]):
            told.append(f"{fault} fails {others} without a reason")
        if counted and not (more[0].isdigit() and more[1].isdigit() and int(more[0]) + int(more[1]) >= LEAST):
            told.append(f"{fault} was played beside nothing")
    return told
