"""The cases of ISO 15118-2 and of DIN SPEC 70121 against our station with their faults.

    python -m tests.v2gkit.conform.station_mutants2 [--keep] 2|DIN [NAME]...

A fault is seeded in a process of its own, in which each case that must find it is played, with the part that it fails. Beside them a sample
is played at the same station: the families of these cases, and the first case of each other family (a family is about one message or state,
or one layer below), of each the first part, as far as it is over in a few seconds. With `--keep` each row takes the place of the one that
the table has of its fault.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pki.issue import build
from pki.plan import Plan
from pki.store import create
from tests.v2gkit.conform.faults2 import FAULTS2, NARROW2
from tests.v2gkit.conform.faults_din import FAULTS_DIN, NARROW_DIN
from tests.v2gkit.conform.faulty_shared import SHARED_STATIONS
from tests.v2gkit.conform.faulty_station2 import Fault
from tests.v2gkit.conform.settings import SETTINGS, base, equipped, plays
from tests.v2gkit.conform.stations import QUICK, Own, station
from tests.v2gkit.conform.tabled import keep, row
from v2g.session.link import address_text
from v2gkit.conform.case import Case
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.pics import Pics
from v2gkit.conform.runner import divided
from v2gkit.conform.verdict import Result, Verdict

OUTLETS = 4
CHEAP = 6.0  # s that a case beside may last
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

    def beside(self, fault: str) -> list[Case]:
        """The sample of cases that is played beside those of a fault, at its setting of the station."""
        seeded = self.faults[fault]
        families, seen, found = {catalogue()[each].family for each in seeded.cases}, set[str](), list[Case]()
        for case in self.cases:
            if case.id in seeded.cases or case.lasts > CHEAP or case.claim == "station":
                continue
            if case.family in families or case.family not in seen:
                found.append(replace(case, parts=case.parts[:1]))
            seen.add(case.family)
        setting = SETTINGS[self.generation][seeded.place]
        return divided(found, setting.pics(base(self.generation), "[::1]:1"))[0]

    def judged(self, certs: Path, scratch: Path, fault: str, outlets: int = OUTLETS, neighbours: bool = False) -> dict[str, Result]:
        """The results of the cases of a fault at our station that has it, and of those beside them."""
        known, seeded = catalogue(), self.faults[fault]
        found = self._played(certs, scratch, fault, [self.narrowed(known[each]) for each in seeded.cases], outlets)
        cases = self.beside(fault) if neighbours else []
        for places in (
            outlets,
            1,
        ):  # what fails is played once more, alone: not all that fails beside others does so by its fault
            if cases:
                found |= self._played(certs, scratch, fault, cases, places)
            cases = [each for each in cases if found[each.id].verdict is Verdict.FAIL]
        return found

    def _played(self, certs: Path, scratch: Path, fault: str, cases: Sequence[Case], outlets: int) -> dict[str, Result]:
        seeded = self.faults[fault]
        scratch = Path(tempfile.mkdtemp(dir=scratch))
        setting, usual = SETTINGS[self.generation][seeded.place], base(self.generation)
        own, more, csms = equipped(setting, certs, scratch)
        places = min(outlets, setting.outlets)
        with station(scratch, own, setting.offer, places, more, fault=fault, faulty=self.module) as addresses:
            test = replace(QUICK, recovery=3.0, mutants=30, paced=3.0)
            pics = setting.pics(Pics(claims=usual.claims, test=test), address_text(addresses[0]))
            judge = Own(addresses, own, pics.claims, pics.test, setting.iface, csms)
            return judge.judged(cases)

    def kept(self) -> Path:
        """The file that keeps what a whole run printed."""
        return Path(__file__).parent / f"station_mutants{'2' if self.generation == '2' else '_din'}.md"


TABLES = {"2": Table("2", "faults2", FAULTS2, NARROW2, NOT_YET2), "DIN": Table("DIN", "faults_din", FAULTS_DIN, NARROW_DIN, {})}


def main(generation: str, wanted: Sequence[str], keeps: bool = False) -> int:
    """Print the row of each fault, and on standard error what was seen of its case that passes, of another that fails; 1: there is one."""
    bad, table = 0, TABLES[generation]
    with tempfile.TemporaryDirectory() as folder:
        certs = Path(folder) / "certs"
        create(certs, [build(Plan(), curve, datetime.now(UTC)) for curve in ("secp521r1", "secp256r1")])
        for fault in (each for each in table.faults if not wanted or each in wanted):
            found, own = table.judged(certs, Path(folder), fault, neighbours=True), table.faults[fault].cases
            shared = SHARED_STATIONS[generation]
            line = row(fault, fault, {id_: each.verdict for id_, each in found.items()}, shared, own)
            print(line, flush=True)
            if keeps:
                keep(line, table.kept(), set(table.faults))
            wrong = [id_ for id_, each in found.items() if (each.verdict is Verdict.FAIL) is (id_ not in own)]
            told = [f"{fault}, {id_}: {found[id_].seen}" for id_ in wrong if id_ not in shared.get(fault, ((), ""))[0]]
            bad += len(told)
            print(*told, sep="\n", file=sys.stderr, flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    named = [each for each in sys.argv[1:] if not each.startswith("--")]
    sys.exit(main(named[0], named[1:], "--keep" in sys.argv))
