"""The cases that every exchange of a car has alike, by table: an answer that does not come, that refuses, that answers something else.

A row names a request, and where its cases stand; how long a car waits is read from the tables of the generation.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from v2g.iso20.services import AC, DC
from v2gkit.conform.case import GENERATIONS, Case, Kind, Script
from v2gkit.conform.cases.car_negotiation import EARLY, ENDS
from v2gkit.conform.scripted import faults
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.encounter import LOOPS
from v2gkit.conform.scripted.judging import ended, not_further
from v2gkit.conform.scripted.play import Answers, Fault, Play
from v2gkit.conform.scripted.speeches import SPEECHES
from v2gkit.conform.verdict import Outcome

KINDS = 3  # cases of a row
LET_BE = ("the session is ended, or the car asks the same again; it does not go on",)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request (without Req) whose answer is wrong the `nth` time, and the number of its first case in its family.

    `trigger` is what makes a car come that sends it; `ways` is what the station offers to be paid by, `services` to charge by.
    """

    family: str
    first: int
    request: str
    condition: tuple[str, ...] = ()
    trigger: str = ""
    nth: int = 1
    ways: tuple[str, ...] = ("EIM",)
    services: tuple[str, ...] = (DC.name, AC.name)
    answers: Mapping[str, Answers] = field(default_factory=dict)  # of the station to other requests
    called: str = ""  # where the name of the request alone does not say which

    @property
    def loop(self) -> bool:
        """Whether it is of the charge loop."""
        return f"{self.request}Req" in LOOPS

    @property
    def name(self) -> str:
        """What the request is called in a sentence."""
        return f"{self.request}Req{f' ({self.called})' if self.called else ''}"


def played(generation: str, row: Exchange, answer: Answers, always: bool) -> Play:
    """The station of a row that answers so."""
    fault = Fault(f"{row.request}Req", answer, nth=row.nth, always=always)
    return Play(generation=generation, ways=row.ways, services=row.services, fault=fault, answers=row.answers)


def unanswered(generation: str, row: Exchange) -> Script:
    """A script that withholds the answer: the session is ended once the car's time is over, and not before."""

    async def script(bench: CarBench) -> Outcome:
        limit = SPEECHES[generation].timeout(row.request)
        play = played(generation, row, faults.silence, True)
        return ended(await bench.visit(play, trigger=row.trigger, patience=limit + bench.close), limit + bench.close, limit - EARLY)

    return script


def refused(generation: str, row: Exchange) -> Script:
    """A script that answers FAILED as often as it is asked. Under power to ask again is to go on."""

    async def script(bench: CarBench) -> Outcome:
        seen = await bench.visit(played(generation, row, faults.failed, True), trigger=row.trigger)
        return (ended if row.loop else not_further)(seen, bench.close)

    return script


def mistaken(generation: str, row: Exchange) -> Script:
    """A script that answers with an OK response to another request."""

    async def script(bench: CarBench) -> Outcome:
        return ended(await bench.visit(played(generation, row, faults.wrong_type, False), trigger=row.trigger), bench.close)

    return script


def exchanged(prefix: str, rows: Iterable[Exchange], control: str, claims: Sequence[str], table: str) -> tuple[Case, ...]:
    """The three cases of each row. `claims` hold for all of them, `table` names where the times of a car stand."""
    generation = GENERATIONS[prefix[1:]]
    made: list[Case] = []
    for row in rows:
        car = partial(Case, role="car", domain="CMN", condition=(*claims, *row.condition), control=control, within=60.0)
        limit = SPEECHES[generation].timeout(row.request)
        ids = [f"{prefix}-{row.family}-{number:02}" for number in range(row.first, row.first + KINDS)]
        made += [
            car(
                id=ids[0],
                kind=Kind.TIMING,
                requirement=(),
                basis=f"V2G_EVCC_Msg_Timeout, {table}",
                purpose=f"A station that does not answer {row.name} is left",
                stimulus=f"no answer to {row.name}",
                expected=(f"TCP is closed after {limit:g} s",),
                script=unanswered(generation, row),
                lasts=limit + 2.0,
            ),
            car(
                id=ids[1],
                kind=Kind.NEGATIVE,
                requirement=("V2G2-735",) if generation == "2" else (),
                basis="" if generation == "2" else "ResponseCode of the message",
                purpose=f"A {row.name} that is refused grants nothing",
                stimulus=f"FAILED to {row.name}, as often as it comes",
                expected=ENDS if row.loop else LET_BE,
                script=refused(generation, row),
            ),
            car(
                id=ids[2],
                kind=Kind.NEGATIVE,
                requirement=(),
                basis="message sequence of the car",
                purpose=f"The answer to another question is none to {row.name}",
                stimulus=f"an OK response of the wrong type to {row.name}",
                expected=ENDS,
                script=mistaken(generation, row),
            ),
        ]
    return tuple(made)
