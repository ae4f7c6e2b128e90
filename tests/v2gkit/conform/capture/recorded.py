"""What the tests of offline judgement share: a session of ours as it was recorded, in virtual time, to be broken in one place."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from tests.evcc.test_pair import car, link
from tests.evcc.virtual_pair import Pair
from v2g.exi.codec import encode
from v2g.exi.schema import Type
from v2g.messages import schema_set
from v2g.session.endpoint import FrameReceived, FrameSent
from v2g.session.link import Connected, Secured, Unprotected
from v2g.session.tls import TlsFacts
from v2gkit.conform.capture.judge import Breach, Judge, Session
from v2gkit.insight.decode.telling import Sessions

CONNECTION = 1


@dataclass(frozen=True)
class Line:
    """One frame of a recording."""

    by_car: bool
    at: float
    payload_type: int
    set: str
    message: Type | None
    octets: bytes | None = None  # instead of the message

    @property
    def name(self) -> str:
        return type(self.message).__name__

    def but(self, **changes: Any) -> "Line":
        """With other fields in the message, or in its header."""
        message: Any = self.message
        header = {name: changes.pop(name) for name in ("SessionID", "TimeStamp") if name in changes}
        if header:
            changes["Header"] = replaced(message.Header, **header)
        return replace(self, message=replaced(message, **changes))

    def later(self, seconds: float) -> "Line":
        return replace(self, at=self.at + seconds)


def replaced(value: Any, **changes: Any) -> Any:
    """A message with other values in some fields."""
    return type(value)(**{name: changes.get(name, getattr(value, name)) for name in value.__struct_fields__})


@cache
def session(service: str = "DC", control: str = "Scheduled", loops: int = 3) -> tuple[Line, ...]:
    """The frames of a session in which nothing is wrong."""
    pair = Pair(car(service, control, loops=loops))
    assert pair.station.ended is not None
    assert pair.station.ended.well
    return tuple(
        Line(isinstance(each, FrameReceived), each.at, each.payload_type, each.schema_set, each.message)
        for each in pair.happened
        if isinstance(each, FrameReceived | FrameSent)
    )


def place(lines: Iterable[Line], name: str) -> int:
    """Where the first message of that name is."""
    return next(number for number, line in enumerate(lines) if line.name == name)


def judged(
    lines: Iterable[Line], *, tls: TlsFacts | None = None, plain: bool = False, about: dict[str, Any] | None = None, lost: int = -1
) -> tuple[list[Breach], Session]:
    """What a judge says of a recording; `lost` is the place before which some of it is missing."""
    lines = list(lines)
    telling = Sessions(lambda at: 1_800_000_000.0 + at, timed=(about or {}).get("timed", True)).another()
    began = lines[0].at if lines else 0.0
    facts = tls if tls is not None else link().tls
    assert facts is not None
    made = [telling.opening(began, about or {}), telling.event(Connected(began, ("::1", 1), ("::1", 2)))]
    made.append(telling.event(Unprotected(began, "V2G20-2356") if plain else Secured(began, facts)))
    judge = Judge()
    found = [breach for record in made for breach in judge.record(record)]
    for number, line in enumerate(lines):
        if number == lost:
            found += judge.record(telling.note(line.at, "capture gap", {"from": "the car", "octets": 99, "reason": "lost"}))
        octets = encode(line.message, schema_set(line.set)) if line.octets is None and line.message is not None else line.octets
        found += judge.record(telling.frame(line.by_car, line.payload_type, octets or b"", line.at))
    return found, judge.sessions[CONNECTION]


Mutant = Callable[[tuple[Line, ...]], list[Line]]


def at(name: str, change: Callable[[Line], Line]) -> Mutant:
    """Changes the first message of that name."""

    def mutated(lines: tuple[Line, ...]) -> list[Line]:
        number = place(lines, name)
        return [*lines[:number], change(lines[number]), *lines[number + 1 :]]

    return mutated


def delayed(name: str, seconds: float) -> Mutant:
    """The first message of that name, and all that follows, comes later."""

    def mutated(lines: tuple[Line, ...]) -> list[Line]:
        number = place(lines, name)
        return [*lines[:number], *(line.later(seconds) for line in lines[number:])]

    return mutated


def without(*names: str) -> Mutant:
    """The first message of each name is not there."""

    def mutated(lines: tuple[Line, ...]) -> list[Line]:
        gone = {place(lines, name) for name in names}
        return [line for number, line in enumerate(lines) if number not in gone]

    return mutated
