"""The cases of ISO 15118-2 and of DIN SPEC 70121 against our station with their faults.

    python -m tests.v2gkit.conform.station_mutants2 2|DIN [NAME]...

A fault is seeded in a process of its own, in which each case that must find it is played, with the part that it fails.
"""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pki.issue import build
from pki.plan import Plan
from pki.store import create
from tests.v2gkit.conform.faults2 import FAULTS2, NARROW2
from tests.v2gkit.conform.faults_din import FAULTS_DIN, NARROW_DIN
from tests.v2gkit.conform.faulty_station2 import Fault
from tests.v2gkit.conform.settings import SETTINGS, base, equipped, plays
from tests.v2gkit.conform.stations import QUICK, Own, station
from v2g.session.link import address_text
from v2gkit.conform.case import Case
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.pics import Pics
from v2gkit.conform.verdict import Result, Verdict

OUTLETS = 4
UNPLAYED, UNSEEDED = "it does not apply to the station of the mutants", "no fault is seeded yet"
NOT_YET2 = {  # cases without a fault, and why
    "S2-TLS-05": "for information: any answer passes",
}


@dataclass(frozen=True)
class Table:
    """The faults of one generation: the module that seeds them, the parts that they fail, and why some cases have none."""

    generation: str
    module: str
    faults: Mapping[str, Fault]
    narrow: Mapping[str, str | int]
    not_yet: Mapping[str, str]

    @property
    def cases(self) -> tuple[Case, ...]:
        """The cases that judge a station of the generation."""
        return tuple(case for case in catalogue().values() if case.role == "station" and case.generation == self.generation)

    @property
    def seeded(self) -> list[str]:
        """The ids of the cases that a fault is seeded for."""
        return [id_ for fault in self.faults.values() for id_ in fault.cases]

    def without(self) -> dict[str, str]:
        """The cases that no fault is seeded for, each with the reason."""
        cases = tuple(case for case in self.cases if case.id not in self.seeded)
        played = {case.id for found in plays(self.generation, cases).values() for case in found}
        return {case.id: self.not_yet.get(case.id, UNSEEDED if case.id in played else UNPLAYED) for case in cases}

    def narrowed(self, case: Case) -> Case:
        """The case with the part that its fault fails: one is named, or counted, or all."""
        part = self.narrow.get(case.id)
        return case if part is None else replace(case, parts=(part if isinstance(part, str) else case.parts[part],))

    def judged(self, certs: Path, scratch: Path, fault: str, outlets: int = OUTLETS) -> dict[str, Result]:
        """The results of the cases of a fault at our station that has it."""
        known, seeded = catalogue(), self.faults[fault]
        setting, usual = SETTINGS[self.generation][seeded.place], base(self.generation)
        own, more, csms = equipped(setting, certs, scratch)
        places = min(outlets, setting.outlets)
        with station(scratch, own, setting.offer, places, more, fault=fault, faulty=self.module) as addresses:
            test = replace(QUICK, recovery=3.0, mutants=30, paced=3.0)
            pics = setting.pics(Pics(claims=usual.claims, test=test), address_text(addresses[0]))
            judge = Own(addresses, own, pics.claims, pics.test, setting.iface, csms)
            return judge.judged([self.narrowed(known[each]) for each in seeded.cases])

    def kept(self) -> Path:
        """The file that keeps what a whole run printed."""
        return Path(__file__).parent / f"station_mutants{'2' if self.generation == '2' else '_din'}.md"


TABLES = {"2": Table("2", "faults2", FAULTS2, NARROW2, NOT_YET2), "DIN": Table("DIN", "faults_din", FAULTS_DIN, NARROW_DIN, {})}


def main(generation: str, wanted: list[str]) -> int:
    """Print a row for each case, and on standard error what was seen of one that its fault does not fail; 1 where there is such a one."""
    bad, rows = 0, TABLES[generation]
    with tempfile.TemporaryDirectory() as folder:
        certs = Path(folder) / "certs"
        create(certs, [build(Plan(), curve, datetime.now(UTC)) for curve in ("secp521r1", "secp256r1")])
        for fault in (each for each in rows.faults if not wanted or each in wanted):
            scratch = Path(folder) / fault.replace(" ", "-")
            scratch.mkdir()
            for id_, found in rows.judged(certs, scratch, fault).items():
                print(f"| {id_} | {fault} | {found.verdict.value} |", flush=True)
                if found.verdict is not Verdict.FAIL:
                    bad += 1
                    print(f"{fault}, {id_}: {found.seen}", file=sys.stderr, flush=True)
    if not wanted:
        print(*(f"| {id_} | {why} | |" for id_, why in rows.without().items()), sep="\n")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
