"""Cars of ours to be judged, each in a process of its own, and the verdicts of a run of cases against them."""

import asyncio
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pki.store import Store
from tests.starved import heed
from v2gkit.conform.case import Case
from v2gkit.conform.pics import Pics, read
from v2gkit.conform.running import run
from v2gkit.conform.scripted.bench import Site
from v2gkit.conform.scripted.trust import Certificates
from v2gkit.conform.verdict import Result, Verdict

ROOT = Path(__file__).parents[3]
CLAIMED = {
    "20": ("ev.toml", "faulty_car"),
    "2": ("ev2.toml", "faulty_car2"),
    "DIN": ("ev_din.toml", "faulty_card"),
}  # generation -> what is claimed, and the test double


def pics(fault: str = "", generation: str = "20") -> Pics:
    """What is claimed of our car of a generation; with a seeded `fault` it is the test double that comes."""
    file, double = CLAIMED[generation]
    path = Path(__file__).parent / file
    program = f"-m tests.v2gkit.conform.{double} {fault}" if fault else "-m v2gkit"
    words = read(path.read_text(), path)

    def called(command: str) -> str:
        return command.replace("exec v2g ", f"cd {ROOT} && exec {sys.executable} {program} ")

    triggers = {name: called(command) for name, command in words.test.triggers.items()}
    test = replace(words.test, command=called(words.test.command), triggers=triggers, cars=4, mutants=16, loops=20)
    triggers["pilot_fault"] = "kill -USR1 {pid}"  # to which our car's program ends, as a car without power does
    return replace(words, test=test, claims=replace(words.claims, **CLAIMED_OF.get(fault, {})))


CLAIMED_OF = {"E-SAP-05": {"generation_2": True}, "E-LOP-08": {"hal": True}}  # what the double of a fault has beside our car


@dataclass(frozen=True)
class Own:
    """Our car, or its test double, and the folder of certificates that it shares with the bench."""

    certs: Path
    scratch: Path
    fault: str = ""
    interface: str = ""
    generation: str = "20"

    def judged(self, cases: Iterable[Case]) -> Mapping[str, Result]:
        """The results of cases, by their ids."""
        claimed = pics(self.fault, self.generation)
        site = Site("::1", 0, Certificates(Store(self.certs)), claimed, self.interface, self.scratch)
        results = asyncio.run(run(cases, claimed, site.bench, lambda *_: None, outlets=claimed.test.cars))
        return {each.id: each for each in results}


def bad(results: Mapping[str, Result]) -> dict[str, str]:
    """What is neither pass nor not applicable, by the ids; a timer that was missed is told as such."""
    fine = (Verdict.PASS, Verdict.NOT_APPLICABLE)
    found = {each.id: f"{each.verdict}: {each.seen}" for each in results.values() if each.verdict not in fine}
    heed(*found.values())
    return found
