"""How a car is told what to do: a generator that yields steps and receives what came of them.

    def script(car: Car) -> Part[str]:
        response = yield ask(SessionSetupReq, EVCCID="...")       # a request, answered by its response
        yield Wait(0.1)                                           # seconds of the protocol's time
        response = yield from poll(car, ask(DC_CableCheckReq), CABLE_CHECK)
        return "Terminate"                                        # how the session ended

A request is stamped with SessionID and TimeStamp, checked against the sequence table, and its response is paired and judged before the
script sees it: a script never sees a FAILED, a stranger's SessionID or a wrong message. A misbehaving car sends with `Raw`, which is
neither stamped nor judged.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from v2g.exi.schema import Type
from v2g.messages.common_types import MessageHeaderType, processingType
from v2g.session.timing import EVCC_CABLE_CHECK_TIMEOUT, EVCC_ONGOING_TIMEOUT, EVCC_PRE_CHARGE_TIMEOUT

if TYPE_CHECKING:
    from evcc.car import Car

UNSTAMPED = MessageHeaderType(SessionID=bytes(8), TimeStamp=0)  # the engine writes SessionID and TimeStamp when it sends
POLL_PACE = (
    0.1  # s between a response that says Ongoing and the next request: quick beside the 0.5 s that people notice, light on the station
)


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Raw:
    """Send a message or octets exactly as they are, in sequence or not. Resumes with whatever message comes back.

    With `answered=False` it resumes at once, with None. `within` is how long to wait (s); beyond it the script gets TimedOut.
    """

    what: Type | bytes
    answered: bool = True
    within: float = 2.0


@dataclass(frozen=True, slots=True)
class Aside:
    """A request of a side stream. The script goes on at once, with True, or with False while an older one is not answered yet.

    The main stream keeps its own time meanwhile; the answer is judged as any other, and its failure ends the session.
    """

    request: Type


@dataclass(frozen=True, slots=True)
class Limit:
    """How long something may go on, under the name of its timer and the requirement that sets it."""

    timer: str
    seconds: float
    requirement: str | None = None


ONGOING = Limit("V2G_EVCC_Ongoing_Timeout", EVCC_ONGOING_TIMEOUT)
CABLE_CHECK = Limit("V2G_EVCC_CableCheck_Timeout", EVCC_CABLE_CHECK_TIMEOUT)
PRE_CHARGE = Limit("V2G_EVCC_PreCharge_Timeout", EVCC_PRE_CHARGE_TIMEOUT)

Step = Type | Wait | Raw | Aside
T = TypeVar("T")
Part = Generator[Step, Any, T]
Script = Callable[["Car"], Part[str]]


def ask(request: type[Type], **fields: Any) -> Type:
    """A request of that class; its header is written when it is sent."""
    return request(Header=UNSTAMPED, **fields)


def finished(response: Any) -> bool:
    """True when the station has finished what it was asked for."""
    return bool(response.EVSEProcessing is processingType.Finished)


def poll(
    car: "Car",
    request: Type | Callable[[Any], Type],
    limit: Limit = ONGOING,
    until: Callable[[Any], bool] = finished,
    pace: float = POLL_PACE,
) -> Part[Any]:
    """Repeat a request until `until(response)`; TimedOut when that takes longer than `limit`, whether the station answers or not.

    `request` is the same message every time [V2G20-1582], or a function of the last response (None at first) where it must not be.
    """
    response: Any = None
    with car.within(limit):
        while True:
            response = yield request(response) if callable(request) else request
            if until(response):
                return response
            yield Wait(pace)
