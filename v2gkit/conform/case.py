"""A case of the suite as data: what it asks, when it applies, what a peer may do, and the script that plays it (pure)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Any, Literal

from v2gkit.conform.verdict import Outcome

Role = Literal["station", "car"]
Claim = Literal["outlet", "link", "connection", "station"]
GENERATIONS = {"": "20", "2": "2", "D": "DIN"}  # what follows the letter of the role in an id -> the generation that is judged
Script = Callable[[Any], Awaitable[Outcome]]
"""Plays a case with a bench of the role and says what it came to. The bench has the part that is played as `bench.part`."""


class Kind(StrEnum):
    """What a case is about, by the letter of the catalogue."""

    POSITIVE = "P"
    NEGATIVE = "N"
    ROBUSTNESS = "R"
    TIMING = "T"


@dataclass(frozen=True, slots=True)
class Case:
    """One case of the suite.

    `condition` names claims of the PICS, each of which must hold; "not X" must not. `expected` are the outcomes that are admissible, in
    words. `control` is the id of the case that shows the same without the fault. `within` bounds one run (s), `lasts` is how long one
    usually takes (s). A case with `parts` is run once for each, and the gravest verdict holds. `claim` says what a run needs for itself: an
    outlet, an outlet and the data link (of which there is one), a connection beside others, or the whole station or car. `basis` names
    clause or table where no requirement id is known. `slack`
    (s) is how late this side may be where the stimulus leaves it less time than the PIXIT do.
    """

    id: str
    role: Role
    kind: Kind
    domain: str
    requirement: tuple[str, ...]
    purpose: str
    stimulus: str
    expected: tuple[str, ...]
    script: Script
    precondition: str = ""
    condition: tuple[str, ...] = ()
    control: str = ""
    within: float = 30.0
    lasts: float = 2.0
    parts: tuple[str, ...] = ("",)
    claim: Claim = "outlet"
    basis: str = ""
    slack: float = inf

    @property
    def family(self) -> str:
        """The middle part of a case id: SDP, TLS, LOP."""
        return self.id.split("-")[1]

    @property
    def generation(self) -> str:
        """The generation that a peer of the case speaks, by its usual name: E-SAP-01 is of "20", E2-SAP-01 of "2", ED-SAP-01 of "DIN"."""
        return GENERATIONS[self.id.split("-")[0][1:]]
