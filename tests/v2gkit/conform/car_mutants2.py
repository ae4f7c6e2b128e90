"""The cases of ISO 15118-2 and of DIN SPEC 70121 against our car with their faults, in virtual time.

    python -m tests.v2gkit.conform.car_mutants2 [--whole] [--keep] 2|DIN [ID]...

Beside its own case a fault is played against a sample: the family of the case, the case of each request whose answer is a refusal (a car
meets it in each state), and the first case of each other family; of each the first part. With `--whole` it is every case that needs neither
TLS nor a program, with every part. A fault of what these two see is played over sockets instead, beside the families TLS and CRT. With
`--keep` each row takes the place of the one that the table has of its fault.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.v2gkit.conform.car_mutants import NARROW, TABLES, first_part, narrowed
from tests.v2gkit.conform.cars import Own
from tests.v2gkit.conform.far import cars
from tests.v2gkit.conform.faulty_shared import SHARED_CARS
from tests.v2gkit.conform.pure import gravest, pure
from tests.v2gkit.conform.tabled import authorities, row, show, wrong
from v2gkit.conform.case import Case
from v2gkit.conform.cases import car2_exchanges, card_exchanges
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.verdict import Verdict

ROWS = {"2": ("E2", car2_exchanges.ROWS), "DIN": ("ED", card_exchanges.ROWS)}
IN_TLS = ("TLS", "CRT")  # families that need sockets
ON_SOCKETS = ("E2-END-01", "ED-END-01")  # whose fault is in the program around the session
KEPT = {"2": Path(__file__).parent / "car_mutants2.md", "DIN": Path(__file__).parent / "car_mutants_din.md"}


def refusals(generation: str) -> set[str]:
    """The case of each request that is refused."""
    prefix, rows = ROWS[generation]
    return {f"{prefix}-{each.family}-{each.first + 1:02}" for each in rows}


def sample(fault: str) -> list[Case]:
    """The cases beside a fault: its family, one of each request, one of each family; of each the first part and the one of its fault."""
    own, seen = catalogue()[fault], set[str]()
    everyone = [each for each in catalogue().values() if each.role == "car" and each.generation == own.generation and pure(each)]
    chosen = []
    for each in everyone:
        first, _ = each.family not in seen, seen.add(each.family)
        if each.id != fault and (first or each.family == own.family or each.id in refusals(own.generation)):
            chosen.append(replace(each, parts=tuple(dict.fromkeys((each.parts[0], *NARROW.get(each.id, ()))))))
    return chosen


def whole(fault: str) -> list[Case]:
    """Every case beside a fault that needs neither TLS nor a program, with every part."""
    own = catalogue()[fault]
    return [
        each
        for each in catalogue().values()
        if each.role == "car" and each.generation == own.generation and each.id != fault and pure(each)
    ]


def over_sockets(fault: str) -> list[Case]:
    """The cases beside a fault that are played over sockets: where it is in TLS, the others about it."""
    own = catalogue()[fault]
    others = [each for each in catalogue().values() if each.role == "car" and each.generation == own.generation and each.id != fault]
    return [narrowed(first_part(each)) for each in others if own.family in IN_TLS and each.family in IN_TLS]


def judged(certs: Path, scratch: Path, fault: str, beside: Sequence[Case]) -> dict[str, tuple[Verdict, str]]:
    """The verdicts at our car with a fault, and what was seen: of its own case and of those beside it."""
    own = catalogue()[fault]
    generation, virtual = own.generation, pure(own) and fault not in ON_SOCKETS
    with cars(generation, fault) as come:  # type: ignore[arg-type]
        played = [narrowed(own), *beside] if virtual else beside
        found = {each.id: gravest(each, generation, come) for each in played}  # type: ignore[arg-type]
    results = {id_: (each.verdict, each.seen) for id_, each in found.items()}
    if not virtual:
        other = Own(certs, scratch, fault, "lo", generation).judged([narrowed(own), *over_sockets(fault)])
        results |= {id_: (each.verdict, each.seen) for id_, each in other.items()}
    return results


def main(generation: str, wanted: Sequence[str], every: bool, keeps: bool) -> int:
    """Print the row of each fault that is wanted (by the beginning of its id), all where none is; 1 where something is wrong with one."""
    bad, faults = 0, TABLES[generation]
    with authorities() as (certs, scratch):
        for fault in (each for each in faults if not wanted or each.startswith(tuple(wanted))):
            found = judged(certs, scratch, fault, (whole if every else sample)(fault))
            told = wrong(fault, found, SHARED_CARS)
            bad += show(row(fault, found, SHARED_CARS), told, KEPT[generation] if keeps else None, faults)
    return int(bad > 0)


if __name__ == "__main__":
    named = [each for each in sys.argv[1:] if not each.startswith("--")]
    sys.exit(main(named[0], named[1:], "--whole" in sys.argv, "--keep" in sys.argv))
