"""What a pass is worth: a peer that refuses everything passes every case about refusals, so each names a case that shows the same without
the fault, its control. A pass stands where the control that was played beside it passed (pure).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from v2gkit.conform.case import Case, Kind
from v2gkit.conform.verdict import Result, Verdict

T = TypeVar("T")


def with_controls(cases: Iterable[Case], known: Mapping[str, Case]) -> tuple[Case, ...]:
    """The cases and the controls that they stand on, each once: of the controls only the first part, where they were not asked for."""
    found = {case.id: case for case in cases}
    wanted = [case.control for case in found.values() if case.control]
    while wanted:
        control = known[wanted.pop()]
        if control.id not in found:
            found[control.id] = replace(control, parts=control.parts[:1])
            wanted += [control.control] if control.control else []
    return tuple(found.values())


def shown(control: Case, verdict: Verdict) -> bool:
    """Whether a control shows what it is there for: it passes, or its time alone was not kept. One that does not apply says nothing."""
    timed = control.kind is Kind.TIMING and verdict is Verdict.FAIL
    return timed or verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE)


def weighed(result: Result, control: Case, found: Result) -> Result:
    """The result of a case beside that of its control: a pass that proves nothing is inconclusive, and says why."""
    if result.verdict is not Verdict.PASS or shown(control, found.verdict):
        return result
    why = f"its control {control.id} came to {found.verdict}: {found.seen}"
    return replace(result, verdict=Verdict.INCONCLUSIVE, seen=f"{why}; seen was: {result.seen}")


@dataclass
class Controls(Generic[T]):
    """Holds back each result until its control has one, where that is among the cases that are played."""

    cases: Mapping[str, Case]
    known: dict[str, Result] = field(default_factory=dict)
    held: list[tuple[Result, T]] = field(default_factory=list)

    def add(self, result: Result, more: T) -> list[tuple[Result, T]]:
        """Take a result in, with what belongs to it; what is final now: it, and what waited for it."""
        self.held.append((result, more))
        final: list[tuple[Result, T]] = []
        while ready := [each for each in self.held if self._ready(each[0])]:
            for each in ready:
                self.held.remove(each)
                final.append((self._final(each[0]), each[1]))
                self.known[each[0].id] = final[-1][0]
        return final

    def _ready(self, result: Result) -> bool:
        control = self.cases[result.id].control
        return result.verdict is not Verdict.PASS or control not in self.cases or control in self.known

    def _final(self, result: Result) -> Result:
        control = self.cases[result.id].control
        return weighed(result, self.cases[control], self.known[control]) if control in self.known else result
