"""Scripts: a car's behaviour as a generator that yields steps and receives their outcomes.

    def script(car: Car) -> Part[str]:
        response = yield request                                  # a request, answered by its response
        yield Wait(0.1)                                           # seconds of the protocol's time
        response = yield from repeat(car, request, limit, until)  # until the station has done what it was asked for
        return "Terminate"                                        # how the session ended

How a generation's requests are made is its own (`evcc/iso20/requests.py`). A request gets its SessionID and TimeStamp and is checked
against the sequence table; its response is checked before the script gets it: a script never sees a FAILED, another SessionID or a wrong
message. A misbehaving car sends by `Raw`, which is not checked.
"""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from v2g.exi.schema import Type

POLL_PACE = (
    0.1  # s between a response that says Ongoing and the next request: quick beside the 0.5 s that people notice, light on the station
)


@dataclass(frozen=True, slots=True)
class Wait:
    """A step: do nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Raw:
    """A step: send a message or octets as they are, in sequence or not. The script resumes with whatever message comes back.

    With `answered=False` it resumes at once, with None. `within` is how long to wait (s); later the script gets TimedOut.
    """

    what: Type | bytes
    answered: bool = True
    within: float = 2.0


@dataclass(frozen=True, slots=True)
class Aside:
    """A step: send a request on its side stream. The script resumes at once: with True, or False while an older one has no answer.

    The main stream keeps its own time meanwhile; the answer is checked like any other, and its failure ends the session. `heard` is called
    with the answer.
    """

    request: Type
    heard: Callable[[Any], None] | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """A step: send a request whose signature stands in the header of its envelope, as -2 has it; answered like any other."""

    request: Type
    signature: Any


@dataclass(frozen=True, slots=True)
class Adopt:
    """A step: from here on the session is of the generation that was negotiated. The script resumes at once."""

    conduct: Any  # `evcc.conduct.Conduct`


@dataclass(frozen=True, slots=True)
class Limit:
    """A time limit (s), with the name of its timer and the requirement that sets it."""

    timer: str
    seconds: float
    requirement: str | None = None


Step = Type | Signed | Wait | Raw | Aside | Adopt
T = TypeVar("T")
Part = Generator[Step, Any, T]
Script = Callable[[Any], Part[str]]
"""What a car (`evcc.car.Car`) does; the value of the generator says how the session ended."""


class Timed(Protocol):
    """Keeps the time limits of a script: the car."""

    def within(self, limit: Limit, /) -> AbstractContextManager[object]:
        """A context that may last `limit`; later TimedOut is thrown into the script."""


def repeat(
    car: Timed, request: Step | Callable[[Any], Step], limit: Limit, until: Callable[[Any], bool], pace: float = POLL_PACE
) -> Part[Any]:
    """Repeat a request until `until(response)` is true, and return that response. TimedOut once that takes longer than `limit`.

    `request` is the same message every time, or a function of the last response (None at first) where it must not be.
    """
    response: Any = None
    with car.within(limit):
        while True:
            response = yield request(response) if callable(request) else request
            if until(response):
                return response
            yield Wait(pace)
