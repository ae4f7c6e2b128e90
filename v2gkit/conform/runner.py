"""Which run comes next, and what several runs of a case come to (pure). The shell that starts them is `running`.

A run is one part of a case, once. A run that needs an outlet has one for itself; of those that need the data link too there is one at a
time; one that needs only a connection runs beside them, as many at once as the peer takes; one that needs the whole station runs alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from v2gkit.conform.case import Case
from v2gkit.conform.pics import Pics
from v2gkit.conform.verdict import Outcome, Result, Verdict, gravest

LINK = "link"


@dataclass(frozen=True, slots=True)
class Run:
    """One part of a case, for the `number`-th time."""

    case: Case
    part: str = ""
    number: int = 1

    @property
    def name(self) -> str:
        """What people are shown: the id, the part, and which time it is."""
        part = f" ({self.part})" if self.part else ""
        return f"{self.case.id}{part}" + (f" #{self.number}" if self.number > 1 else "")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run is played: the number of an outlet, and whether it has that outlet for itself."""

    outlet: int
    beside: bool = False


def runs_of(cases: Iterable[Case], repeat: int = 1) -> list[Run]:
    """The runs of cases: those that need the link first, since they wait for each other; then the longest, so that the last are short."""
    runs = [Run(case, part, number) for case in cases for part in case.parts for number in range(1, repeat + 1)]
    return sorted(runs, key=lambda run: (run.case.claim != LINK, -run.case.lasts, run.case.id))


@dataclass
class Schedule:
    """Hands out runs to outlets. `beside` is how many connections the peer takes beside those of its outlets' sessions."""

    waiting: list[Run]
    outlets: int
    beside: int = 0
    playing: dict[Run, Place] = field(default_factory=dict)
    begun: dict[Run, float] = field(default_factory=dict)  # when what is playing began (s)

    def next(self, now: float = 0.0) -> tuple[Run, Place] | None:
        """The run that may begin `now` (s), and where, counted as begun; None while there is none."""
        for run in self.waiting:
            place = self._place(run)
            if place is not None:
                self.waiting.remove(run)
                self.playing[run], self.begun[run] = place, now
                return run, place
        return None

    def _place(self, run: Run) -> Place | None:
        if any(each.case.claim == "station" for each in self.playing):
            return None
        if run.case.claim == "station":
            return None if self.playing else Place(0)
        if run.case.claim == "connection" and self.beside:
            shared = [place.outlet for place in self.playing.values() if place.beside]
            if len(shared) >= self.beside:
                return None
            return Place(min(range(self.outlets), key=shared.count), beside=True)
        if run.case.claim == LINK and any(each.case.claim == LINK for each in self.playing):
            return None
        taken = {place.outlet for place in self.playing.values() if not place.beside}
        free = [number for number in range(self.outlets) if number not in taken]
        return Place(free[0]) if free else None

    def done(self, run: Run) -> None:
        """Count a run as over."""
        del self.playing[run], self.begun[run]

    def left(self, now: float = 0.0) -> float:
        """About how many seconds are left at `now` (s): what a run that is playing has had of its usual time is over."""
        runs = [*self.waiting, *self.playing]
        beside = [run for run in runs if run.case.claim == "connection"] if self.beside else []
        own = [run for run in runs if run not in beside]
        link = [run for run in own if run.case.claim == LINK]
        lanes = ((own, self.outlets), (beside, self.beside), (link, 1))
        times = [([self._lasts(run, now) for run in each], count) for each, count in lanes if each]
        return max((max(sum(each) / count, *each) for each, count in times), default=0.0)

    def _lasts(self, run: Run, now: float) -> float:
        """How long a run still lasts, about (s)."""
        return max(0.0, run.case.lasts - (now - self.begun.get(run, now)))


def not_applicable(case: Case, why: str) -> Result:
    """The result of a case that the PICS rule out."""
    return Result(case.id, Verdict.NOT_APPLICABLE, case.requirement, expected_of(case), why)


def divided(cases: Iterable[Case], pics: Pics) -> tuple[list[Case], list[Result]]:
    """Cases that apply to a peer, and the results of those that do not, each with its reason."""
    applicable: list[Case] = []
    ruled_out: list[Result] = []
    for case in cases:
        why = pics.lacking(case.condition)
        if why:
            ruled_out.append(not_applicable(case, why))
        else:
            applicable.append(case)
    return applicable, ruled_out


def expected_of(case: Case) -> str:
    """The admissible outcomes of a case in one line."""
    return "; or ".join(case.expected)


def result(case: Case, outcomes: Sequence[tuple[Run, Outcome]], evidence: str = "") -> Result:
    """What all runs of a case come to: the gravest verdict, and whether a failure comes each time."""
    verdict = gravest(outcome.verdict for _, outcome in outcomes)
    gravely = [(run, outcome) for run, outcome in outcomes if outcome.verdict is verdict]
    told = "; ".join(dict.fromkeys(_told(run, outcome) for run, outcome in gravely))
    flaky = [each for each in case.parts if _flaky(each, outcomes)]
    if flaky:
        times = len({run.number for run, _ in outcomes})
        bad = max(sum(run.part == each and outcome.verdict is verdict for run, outcome in outcomes) for each in flaky)
        told = f"flaky, {verdict} in {bad} of {times}: {told}"
    return Result(case.id, verdict, case.requirement, expected_of(case), told, sum(outcome.seconds for _, outcome in outcomes), evidence)


def _flaky(part: str, outcomes: Sequence[tuple[Run, Outcome]]) -> bool:
    return len({outcome.verdict for run, outcome in outcomes if run.part == part}) > 1


def _told(run: Run, outcome: Outcome) -> str:
    return f"{run.part}: {outcome.seen}" if run.part else outcome.seen
