"""What a case comes to: a verdict, what was seen, and the traffic that shows it (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from v2g.session.endpoint import Event


class Verdict(StrEnum):
    """The verdict of a case, from the mildest to the gravest; of several attempts the gravest holds."""

    NOT_APPLICABLE = "not applicable"  # the peer does not claim what the case is about
    PASS = "pass"  # noqa: S105 - no password
    BLOCKED = "blocked"  # this side lacks what the case needs
    INCONCLUSIVE = "inconclusive"  # the precondition was not reached
    FAIL = "fail"

    @property
    def rank(self) -> int:
        """The place of a verdict in the order of gravity, 0 is the mildest."""
        return list(Verdict).index(self)


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of all together: the gravest; `not applicable` where there are none."""
    return max(verdicts, key=lambda each: each.rank, default=Verdict.NOT_APPLICABLE)


Evidence = tuple[tuple[int, Event], ...]
"""What was seen on the wire: events in their order, each with the number of its connection."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of a script came to. `seen` says in words what the peer did; `seconds` is how long it took.

    `late`: it came to no verdict because this side was late, and is worth another try.
    """

    verdict: Verdict
    seen: str
    evidence: Evidence = ()
    seconds: float = 0.0
    late: bool = False


def passed(seen: str) -> Outcome:
    """The outcome of a run in which the peer did what it may do."""
    return Outcome(Verdict.PASS, seen)


def failed(seen: str) -> Outcome:
    """The outcome of a run in which the peer did what it must not do."""
    return Outcome(Verdict.FAIL, seen)


def inconclusive(seen: str) -> Outcome:
    """The outcome of a run that did not come to its stimulus, or could not see what followed."""
    return Outcome(Verdict.INCONCLUSIVE, seen)


def blocked(seen: str) -> Outcome:
    """The outcome of a run for which this side lacks something: certificates, hardware, a network."""
    return Outcome(Verdict.BLOCKED, seen)


def judged(well: bool, seen: str) -> Outcome:
    """The outcome of a run that passed where `well` is true, and failed where it is not."""
    return passed(seen) if well else failed(seen)


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the results: the verdict on a case. `evidence` is the path of its trace below the folder of results, empty: none."""

    id: str
    verdict: Verdict
    requirement: tuple[str, ...]
    expected: str
    seen: str
    seconds: float = 0.0
    evidence: str = ""
