"""A car of ours and the scripted station in one process and in virtual time: a case of an older generation costs milliseconds.

What needs TLS or the program of a car cannot be played here. A car with a fault comes out of another process (`far`): the bench reads the
tables of this one.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from evcc.car import Car, Wish
from evcc.engine import EvccSession
from evcc.ev import Ev
from evcc.generations import Name, conducts_named
from evcc.goal import Goal
from evcc.opening import usual
from v2g.exi.errors import DecodeError
from v2g.iso20.services import AC, DC
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended
from v2g.session.errors import FramingError
from v2g.session.v2gtp import FrameReader
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.pics import Pics, Pixit
from v2gkit.conform.running import Blocked, Broken, Unreached
from v2gkit.conform.scripted.acts import Enveloped, HangUp, Late, Several
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.encounter import Closed, Encounter, Heard, Left
from v2gkit.conform.scripted.play import Play
from v2gkit.conform.scripted.speeches import SPEECHES
from v2gkit.conform.verdict import Evidence, Outcome, Verdict, failed

EPOCH = 1_800_000_000.0
IMPURE = ("tls", "sdp")  # claims whose cases need a socket
PROGRAM = ("EXI-04",)  # cases about what the program of a car prints
STEP = 1e-4  # s that an answer is on its way
WISHES: dict[str, dict[str, Any]] = {  # by trigger
    "": {"services": (DC.name, AC.name), "loops": 3},
    "eim": {"services": (DC.name, AC.name), "loops": 3},
    "long": {"services": (DC.name,), "loops": 100_000},
    "ac": {"services": (AC.name,), "loops": 100_000},
    "pause": {"services": (DC.name,), "pause_after": 2, "loops": 4},
}


def pure(case: Case) -> bool:
    """Whether a case can be played without a socket."""
    return not set(IMPURE) & set(case.condition) and not case.id.endswith(PROGRAM)


class Session(Protocol):
    """What a visit needs of a session of the car."""

    @property
    def ended(self) -> Ended | None: ...
    def receive(self, octets: bytes, now: float) -> None: ...
    def tick(self, now: float) -> None: ...
    def deadline(self) -> float | None: ...
    def octets_to_send(self) -> bytes: ...
    def stop(self, reason: str) -> None: ...


class Coming(Protocol):
    """A car that comes."""

    def session(self, now: float) -> Session:
        """Its next session, which begins at `now` (s)."""

    def left(self) -> Left | None:
        """How its program ended; None where it did not, or there is none. It comes no more."""


class Home:
    """A car of ours in this process."""

    def __init__(self, generation: Name, trigger: str):
        wish = Wish(**{"authorizations": ("EIM",), "bench_plain": True, **WISHES[trigger]})
        self._conducts, self._came = conducts_named((generation,)), False
        self._car: Car[Any] = Car(Ev(), wish=wish, goal=Goal(), clock=Clock(EPOCH, 0.0, 1.0))

    def session(self, now: float) -> EvccSession:
        """The next session of the car."""
        self._car, self._came = self._car.anew() if self._came else self._car, True
        return EvccSession(usual(self._conducts), self._car, now, self._conducts[0])

    def left(self) -> Left | None:
        """Nothing: there is no program."""
        return None


Comes = Callable[[Name, str], Coming]
"""Makes a car of a generation come, for a trigger of the PIXIT."""


@dataclass
class Virtual:
    """One visit: a session of the car against a desk, second by second as nothing passes but what they wait for."""

    session: Session
    desk: Desk
    seen: Encounter
    now: float
    late: list[tuple[float, Any]] = field(default_factory=list)
    reader: FrameReader = field(default_factory=FrameReader)

    @classmethod
    def of(cls, session: Session, play: Play, session_id: bytes, paused: set[bytes], seen: Encounter) -> "Virtual":
        """A visit whose station tells the time of its session."""
        desk = Desk(play, session_id, paused, lambda: EPOCH + made.now, SPEECHES[play.generation])
        made = cls(session, desk, seen, seen.opened)
        return made

    def run(self, patience: float, reach: float, stop_after: int) -> Encounter:
        """Play it to its end, or to the end of patience."""
        while self._spoken() is None:
            if stop_after and self.seen.loops >= stop_after:
                self.session.stop("the driver")
                stop_after = 0
            over = self.seen.opened + reach if self.seen.stimulus is None else self.seen.stimulus + patience
            dues = [due for due in (self.session.deadline(), *(at for at, _ in self.late)) if due is not None]
            if not dues or min(dues) > over:
                break
            self._at(min(dues))
        return self.seen

    def _spoken(self) -> Closed | None:
        """Exchange whatever can be said now; how the connection ended."""
        while self.seen.closed is None and (octets := self.session.octets_to_send()):
            self.reader.feed(octets)
            while (found := self.reader.next()) is not None:
                self._heard(found.payload_type, found.payload)
        self._look()
        return self.seen.closed

    def _look(self) -> None:
        if self.session.ended and self.seen.closed is None:
            self.seen.closed = Closed(self.now, "car", True, "TCP closed")
            self.seen.session_id = self.desk.session_id

    def _at(self, due: float) -> None:
        self.now = max(self.now, due)
        for each in [each for each in self.late if each[0] <= self.now]:
            self.late.remove(each)
            self._do(each[1])
        self.session.tick(self.now)

    def _heard(self, payload_type: int, payload: bytes) -> None:
        said = self.desk.speech.generation.read(payload_type, payload)
        heard = Heard(self.now, said.reading.message, payload_type, said.session_id, said.signature)
        self.seen.heard.append(heard)
        self.desk.told = said.session_id
        answer, fault = self.desk.chosen(heard.request)
        if fault and self.seen.stimulus is None:
            self.seen.stimulus, self.seen.before = self.now, len(self.seen.heard)
        self._do(answer(heard.request, self.desk))
        self.seen.session_id = self.desk.session_id
        how = getattr(heard.request, "ChargingSession", None)
        if how is not None and how.value == "Pause":
            self.seen.paused = True
            self.desk.paused.add(self.desk.session_id)

    def _do(self, what: Any) -> None:
        match what:
            case None:
                return
            case Late():
                self.late.append((self.now + what.seconds, what.what))
            case Several():
                for each in what.whats:
                    self._do(each)
            case HangUp():
                self.seen.closed = Closed(self.now, "us", True, "closed by the station")
                self.session.receive(b"", self.now)
            case bytes():
                self._tell(what, "octets")
            case _:
                told = what.what if isinstance(what, Enveloped) else what
                self.seen.answers.append(told)
                self._tell(self.desk.framed(what), type(told).__name__)

    def _tell(self, octets: bytes, name: str) -> None:
        self.seen.said.append((self.now, name))
        self.now += STEP
        self.session.receive(octets, self.now)


@dataclass
class PureBench:
    """What a script plays with, as `CarBench` has it."""

    part: str
    generation: Name
    pics: Pics
    comes: Comes = Home
    met: list[Encounter] = field(default_factory=list)
    evidence: Evidence = ()

    @property
    def site(self) -> "PureBench":
        """The bench itself, which has what is claimed."""
        return self

    @property
    def certificates(self) -> Any:
        """Nothing: there is no TLS."""
        raise Blocked("no TLS in virtual time")

    @property
    def close(self) -> float:
        """Seconds that a car has to end a session and close."""
        return self.pics.test.close + self.pics.test.slack

    async def visit(self, play: Play, **given: Any) -> Encounter:
        """One visit of one connection."""
        return (await self.visits((play,), **given))[0]

    async def visits(
        self, plays: Sequence[Play], *, trigger: str = "", patience: float | None = None, reach: float = 60.0, stop_after: int = 0, **_: Any
    ) -> list[Encounter]:
        """The car comes, and is served by `plays`, a connection each."""
        car, now, met, paused = self.comes(self.generation, trigger), 0.0, list[Encounter](), set[bytes]()
        for number, play in enumerate(plays):
            session = car.session(now)
            seen = Encounter(now)
            met.append(seen)
            ids = bytes([0xC0 + number]) * 8
            running = Virtual.of(session, play, ids, paused, seen)
            running.run(self.close if patience is None else patience, reach, stop_after)
            if session.ended is None or session.ended.how != "Pause":
                break
            now = running.now + 1.0
        met[0].process = car.left()
        if len(met) < len(plays):
            raise Unreached(f"no car came (connection {len(met) + 1}): {met[-1].story}")
        self.met += met
        return met

    def crashed(self, seen: Encounter) -> str:
        """How the program of a car that came from elsewhere ended, in words; empty where it did not."""
        left = seen.process
        return "" if left is None or left.code is None else f"the car's program ended with {left.code}"

    async def recovered(self) -> str:
        """How the car's program fell; empty where it did not."""
        return next((crash for seen in self.met if (crash := self.crashed(seen))), "")


def played(case: Case, generation: Name, comes: Comes = Home) -> dict[str, Outcome]:
    """What each part of a case comes to against a car of ours of a generation."""
    pics = Pics(test=Pixit(stop="SIGTERM", mutants=16, loops=20))
    return {part: _outcome(case, PureBench(part, generation, pics, comes)) for part in case.parts}


async def _judged(case: Case, bench: PureBench) -> Outcome:
    outcome = await case.script(bench)
    robust = outcome.verdict is Verdict.PASS and case.kind is Kind.ROBUSTNESS
    return failed(f"{outcome.seen}; then {wrong}") if robust and (wrong := await bench.recovered()) else outcome


def _outcome(case: Case, bench: PureBench) -> Outcome:
    try:
        return asyncio.run(_judged(case, bench))
    except Broken as error:
        return Outcome(Verdict.FAIL, str(error))
    except Unreached as error:
        return Outcome(Verdict.INCONCLUSIVE, str(error))
    except (DecodeError, FramingError) as error:
        return Outcome(Verdict.INCONCLUSIVE, f"the car's octets are no message: {error}")


def gravest(case: Case, generation: Name, comes: Comes = Home) -> Outcome:
    """The gravest outcome of the parts of a case, with the part in what was seen."""
    found = played(case, generation, comes)
    part, outcome = max(found.items(), key=lambda each: each[1].verdict.rank)
    return replace(outcome, seen=f"{part}: {outcome.seen}" if part else outcome.seen)
