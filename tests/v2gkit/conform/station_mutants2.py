"""The cases of ISO 15118-2 against our station with their faults: `python -m tests.v2gkit.conform.station_mutants2 [NAME]...`

A fault is seeded in a process of its own, in which each case that must find it is played, with the part that it fails.
"""

import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pki.issue import build
from pki.plan import Plan
from pki.store import create
from tests.v2gkit.conform.faults2 import FAULTS2, NARROW2
from tests.v2gkit.conform.stations import CLAIMS2, OFFER2, QUICK, Own, station
from v2gkit.conform.case import Case
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.pics import Pics
from v2gkit.conform.runner import divided
from v2gkit.conform.verdict import Result, Verdict

OUTLETS = 4
UNPLAYED, UNSEEDED = "it does not apply to the station of the mutants", "no fault is seeded yet"
NOT_YET2 = {  # cases without a fault, and why
    "S2-TLS-05": "for information: any answer passes",
    "S2-TLS-08": "the TLS library of the station has no compression",
    "S2-TLS-14": "the TLS library of the station is told of no resumption",
}


def cases2() -> tuple[Case, ...]:
    """The cases that judge a station of -2."""
    return tuple(case for case in catalogue().values() if case.role == "station" and case.generation == "2")


def without2() -> dict[str, str]:
    """The cases that no fault is seeded for, each with the reason."""
    seeded = {id_ for fault in FAULTS2.values() for id_ in fault.cases}
    cases = [case for case in cases2() if case.id not in seeded]
    unplayed = {each.id for each in divided(cases, Pics(claims=CLAIMS2))[1]}
    return {case.id: NOT_YET2.get(case.id, UNPLAYED if case.id in unplayed else UNSEEDED) for case in cases}


def narrowed2(case: Case) -> Case:
    """The case with the part that its fault fails: one is named, or its first."""
    part = NARROW2.get(case.id)
    return case if part is None else replace(case, parts=(part if isinstance(part, str) else case.parts[part],))


def judged2(certs: Path, scratch: Path, fault: str, outlets: int = OUTLETS) -> dict[str, Result]:
    """The results of the cases of a fault at our station that has it."""
    known = catalogue()
    cases = [narrowed2(known[each]) for each in FAULTS2[fault].cases]
    with station(scratch, certs, OFFER2, outlets, fault=fault, faulty="faults2") as addresses:
        return Own(addresses, certs, CLAIMS2, replace(QUICK, recovery=3.0, mutants=30, paced=3.0)).judged(cases)


def main(wanted: list[str]) -> int:
    """Print a row for each case, and on standard error what was seen of one that its fault does not fail; 1 where there is such a one."""
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        certs = Path(folder) / "certs"
        create(certs, [build(Plan(), curve, datetime.now(UTC)) for curve in ("secp521r1", "secp256r1")])
        for fault in (each for each in FAULTS2 if not wanted or each in wanted):
            for id_, found in judged2(certs, Path(folder), fault).items():
                print(f"| {id_} | {fault} | {found.verdict.value} |", flush=True)
                if found.verdict is not Verdict.FAIL:
                    bad += 1
                    print(f"{fault}, {id_}: {found.seen}", file=sys.stderr, flush=True)
    if not wanted:
        print(*(f"| {id_} | {why} | |" for id_, why in without2().items()), sep="\n")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
