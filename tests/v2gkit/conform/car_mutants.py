"""Each case of -20 that judges a car against our car with its fault, as a table: `python -m tests.v2gkit.conform.car_mutants [ID]...`

A mutant must fail its own case; the neighbours, cases of other families, must not fail. Those of -2 and DIN are in `car_mutants2`.
"""

import sys
from dataclasses import replace
from pathlib import Path

from tests.v2gkit.conform.cars import Own
from tests.v2gkit.conform.faulty_car import FAULTS
from tests.v2gkit.conform.faulty_car2 import FAULTS as FAULTS2
from tests.v2gkit.conform.faulty_card import FAULTS as FAULTS_DIN
from tests.v2gkit.conform.tabled import authorities
from v2gkit.conform.case import Case
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.verdict import Verdict

NEIGHBOURS2 = ("E2-SAP-02", "E2-SES-04", "E2-DCS-10", "E2-END-01")
NEIGHBOURS = ("E-SAP-02", "E-SES-01", "E-TLS-06", "E-AUT-02", "E-SVC-01", "E-CHG-06", "E-LOP-03", "E-END-01", "E-EXI-02")
CHAINS = {"01": "with-root", "02": "unknown-root", "03": "leaf-is-ca", "04": "version1"}  # of the cases about a station's certificates
NARROW = {  # case -> a part that its fault fails, where there are many
    "E-SES-04": ("Authorization",),
    "E-END-03": ("Authorization",),
    "E-END-04": ("late ServiceDiscovery",),
    "E-END-05": ("ServiceDiscovery",),
    "E-AUT-08": ("in order", "no signature"),
    "E-AUT-09": ("an encrypted key of zeros",),
    "E-EXI-01": ("AuthorizationSetup",),
    "E-EXI-02": ("wrong version",),
    "E-EXI-03": ("turned 1", "turned 2", "turned 3"),
    "E-EXI-04": ("ANSI sequences",),
    **{f"{letter}-CRT-{number}": (part,) for letter in ("E", "E2") for number, part in CHAINS.items()},
    "E2-SES-07": ("CableCheck",),
    "E2-AUT-04": ("Ongoing",),
    "E2-END-03": ("Authorization",),
    "E2-END-04": ("early ServiceDiscovery",),
    "E2-EXI-01": ("ServiceDiscovery",),
    "E2-EXI-02": ("wrong version",),
    "E2-EXI-03": ("turned 1", "turned 2", "turned 3"),
    "E2-EXI-04": ("ANSI sequences",),
    "ED-DCS-09": ("EVSE_Shutdown",),
    "ED-LOP-04": ("EVSE_Shutdown",),
    "ED-END-02": ("ServiceDiscovery",),
    "ED-END-03": ("early ServiceDiscovery",),
    "ED-EXI-01": ("ServiceDiscovery",),
    "ED-EXI-02": ("wrong version",),
}
BESIDE = {"20": NEIGHBOURS, "2": NEIGHBOURS2, "DIN": ("ED-SAP-02", "ED-SES-04", "ED-DCS-10", "ED-END-01")}
TABLES = {"20": FAULTS, "2": FAULTS2, "DIN": FAULTS_DIN}


def narrowed(case: Case) -> Case:
    """The case with the part that its fault fails."""
    return replace(case, parts=NARROW.get(case.id, case.parts))


def first_part(case: Case) -> Case:
    """The case with its first part alone."""
    return replace(case, parts=case.parts[:1])


def judged(certs: Path, scratch: Path, fault: str, neighbours: bool = True) -> dict[str, Verdict]:
    """The verdicts on our car with a fault: of its own case, and of the neighbours."""
    known = catalogue()
    generation = known[fault].generation
    beside = [each for each in BESIDE[generation] if each != fault and {known[fault].family, known[each].family} != {"CRT", "TLS"}]
    others = [first_part(known[each]) for each in beside] if neighbours else []
    results = Own(certs, scratch, fault, "lo", generation).judged([narrowed(known[fault]), *others])
    return {id_: each.verdict for id_, each in results.items()}


def main(wanted: list[str]) -> int:
    """Print a row for each mutant; 1 where one does not fail its case, or fails another."""
    bad = 0
    with authorities() as (certs, scratch):
        for fault in FAULTS:
            if wanted and not any(fault.startswith(each) for each in wanted):
                continue
            found = judged(certs, scratch, fault)
            own, others = found.pop(fault), [id_ for id_, verdict in found.items() if verdict is Verdict.FAIL]
            unclear = [f"{id_} {verdict.value}" for id_, verdict in found.items() if verdict not in (Verdict.FAIL, Verdict.PASS)]
            bad += own is not Verdict.FAIL or bool(others)
            print(f"| {fault} | {own.value} | {', '.join(others) or 'none'} | {', '.join(unclear)} |", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
