"""The cases of ISO 15118-2 and of DIN SPEC 70121 against our station with their faults.

    python -m tests.v2gkit.conform.station_mutants2 [--some] [--keep] 2|DIN [NAME]...

A fault is seeded in a process of its own, in which each case that must find it is played, with the part that it fails. Beside them others
are played at such a station, with their first part and the one that their own fault fails: where it has many outlets, and the fault does
not make it die, all that are over in a few seconds, else, or with `--some`, a sample: the families of these cases, and the first case of
each other family (a family is about one message or state, or one layer below). What fails beside others is played again alone; where a
case makes the station die, what found none is played again in halves, each at one of its own. Several faults are played at once, since
most of the time is waiting. With `--keep` each row takes the place of the one that the table has of its fault.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tests.v2gkit.conform.faults2 import FAULTS2, NARROW2
from tests.v2gkit.conform.faults_din import FAULTS_DIN, NARROW_DIN
from tests.v2gkit.conform.faulty_shared import SHARED_STATIONS
from tests.v2gkit.conform.faulty_station2 import Fault
from tests.v2gkit.conform.settings import SETTINGS, base, equipped, plays
from tests.v2gkit.conform.stations import QUICK, Own, station
from tests.v2gkit.conform.tabled import Found, authorities, row, show, wrong
from v2g.session.link import address_text
from v2gkit.conform.case import Case
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.pics import Pics
from v2gkit.conform.runner import divided
from v2gkit.conform.verdict import Result, Verdict

OUTLETS, MANY = 4, 12  # of a station at which the cases of a fault are played, and at which the others are
CHEAP = 6.0  # s that a case beside may last
AT_ONCE = 3  # faults that are played at once
GONE = "no connection to"  # what is seen of one that has died
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
        return replace(case, parts=self._failing(case) or case.parts)

    def _failing(self, case: Case) -> tuple[str, ...]:
        part = self.narrow.get(case.id)
        return () if part is None else (part if isinstance(part, str) else case.parts[part],)

    def beside(self, fault: str, every: bool) -> list[Case]:
        """The cases that are played beside those of a fault, at its setting: `every` short one if the station bears them, or a sample."""
        seeded = self.faults[fault]
        setting = SETTINGS[self.generation][seeded.place]
        every = every and setting.outlets >= MANY and not fault.startswith("dies")
        families, seen, found = {catalogue()[each].family for each in seeded.cases}, set[str](), list[Case]()
        for case in self.cases:
            if case.id in seeded.cases or case.lasts > CHEAP or case.claim == "station":
                continue
            if every or case.family in families or case.family not in seen:
                found.append(replace(case, parts=tuple(dict.fromkeys((*case.parts[:1], *self._failing(case))))))
            seen.add(case.family)
        return divided(found, setting.pics(base(self.generation), "[::1]:1"))[0]

    def judged(self, certs: Path, scratch: Path, fault: str) -> dict[str, Result]:
        """The results of the cases of a fault at our station that has it."""
        known = catalogue()
        return self._played(certs, scratch, fault, [self.narrowed(known[each]) for each in self.faults[fault].cases], OUTLETS)

    def neighbours(self, certs: Path, scratch: Path, fault: str, every: bool) -> dict[str, Result]:
        """The results of the others at our station that has a fault; what fails beside others was played again alone."""
        cases = self.beside(fault, every)
        found = self._halved(certs, scratch, fault, cases)
        for each in [each for each in cases if found[each.id].verdict is Verdict.FAIL]:
            found |= self._played(certs, scratch, fault, [each], 1)
        return found

    def _halved(self, certs: Path, scratch: Path, fault: str, cases: Sequence[Case]) -> dict[str, Result]:
        """The results of cases: what has none because the station died is played again in halves, each at a station of its own."""
        found = self._played(certs, scratch, fault, cases, MANY)
        left = [each for each in cases if found[each.id].verdict is not Verdict.PASS]
        if len(cases) > 1 and any(GONE in found[each.id].seen for each in left):
            for half in (left[::2], left[1::2]):
                found |= self._halved(certs, scratch, fault, half) if half else {}
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


def rowed(generation: str, certs: Path, scratch: Path, every: bool, fault: str) -> Found:
    """The verdicts on the cases of a fault and on the others at it, and what was seen."""
    table = TABLES[generation]
    results = table.neighbours(certs, scratch, fault, every) | table.judged(certs, scratch, fault)
    return {id_: (each.verdict, each.seen) for id_, each in results.items()}


def main(generation: str, wanted: Sequence[str], every: bool, keeps: bool) -> int:
    """Print the row of each fault, and on standard error what was seen of its case that passes, of another that fails; 1: there is one."""
    bad, table, shared = 0, TABLES[generation], SHARED_STATIONS[generation]
    faults = [each for each in table.faults if not wanted or each in wanted]
    with authorities() as (certs, scratch), ProcessPoolExecutor(AT_ONCE, get_context("forkserver")) as pool:
        played = pool.map(partial(rowed, generation, certs, scratch, every), faults)
        for fault, found in zip(faults, played, strict=True):
            own = table.faults[fault].cases
            told = wrong(fault, found, shared, own)
            bad += show(row(fault, found, shared, own), told, table.kept() if keeps else None, table.faults)
    return int(bad > 0)


if __name__ == "__main__":
    named = [each for each in sys.argv[1:] if not each.startswith("--")]
    sys.exit(main(named[0], named[1:], "--some" not in sys.argv, "--keep" in sys.argv))
