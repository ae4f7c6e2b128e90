"""What a scripted station saw of one connection of a car, from the first octet to the close."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from v2g.din.generation import DIN
from v2g.generations import GENERATIONS
from v2g.session.endpoint import Event
from v2g.session.handshake import ClientHello
from v2g.session.tls import TlsFacts
from v2gkit.conform.scripted.speech import name_of

M = TypeVar("M")
LOOPS = frozenset(loop.__name__ for generation in (*GENERATIONS, DIN) for loop in generation.loops)
LEAVING = ("SessionStopReq", "MeteringConfirmationReq", "MeteringReceiptReq", "DC_WeldingDetectionReq", "WeldingDetectionReq")


@dataclass(frozen=True, slots=True)
class Heard:
    """A request of the car, decoded, with the time (monotonic s) at which it was whole.

    `session_id` came with it, in its header or its envelope; `signature` in an envelope.
    """

    at: float
    request: Any
    payload_type: int
    session_id: bytes | None = None
    signature: Any = None

    @property
    def name(self) -> str:
        """The name of the request, without its Req."""
        return name_of(type(self.request)).removesuffix("Req")


@dataclass(frozen=True, slots=True)
class Closed:
    """The end of a connection: when (monotonic s), by "car" or "us", and whether TLS or TCP was closed in order."""

    at: float
    by: str
    clean: bool
    how: str


@dataclass(frozen=True, slots=True)
class Left:
    """How the program of a car ended: its exit code, negative for a signal, None while it runs; and the end of what it said.

    `drove`: it was there while the car was connected, so that it is the car, and not somebody who called one.
    """

    code: int | None
    said: str
    drove: bool = False


@dataclass
class Encounter:
    """All that was seen of one connection. Times are monotonic s; `stimulus` is when the fault was played, after `before` requests.

    `trouble` is why its octets were no message; `said` has the names of what was answered and when.
    """

    opened: float
    hello: ClientHello | None = None
    facts: TlsFacts | None = None
    refused: str = ""  # why there was no TLS
    alert: str | None = None  # of the car, by which it refused
    heard: list[Heard] = field(default_factory=list)
    said: list[tuple[float, str]] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    trouble: str = ""
    stimulus: float | None = None
    before: int = 0
    closed: Closed | None = None
    session_id: bytes = b""
    paused: bool = False
    events: list[Event] = field(default_factory=list)
    process: Left | None = None

    @property
    def after(self) -> Sequence[Heard]:
        """The requests that came after the fault was played."""
        return self.heard[self.before :] if self.stimulus is not None else ()

    @property
    def names(self) -> list[str]:
        """The requests by name, without their Req."""
        return [each.name for each in self.heard]

    def of(self, kind: type[M]) -> list[M]:
        """The requests of a class, in their order."""
        return [each.request for each in self.heard if type(each.request) is kind]

    def at(self, name: str, nth: int = 1) -> float | None:
        """When the `nth` request of a name came; None: it did not."""
        times = [each.at for each in self.heard if each.name == name]
        return times[nth - 1] if len(times) >= nth else None

    @property
    def charged(self) -> bool:
        """Whether the car came to the charge loop."""
        return self.loops > 0

    @property
    def loops(self) -> int:
        """How many requests of the charge loop came."""
        return sum(is_loop(each.request) for each in self.heard)

    @property
    def story(self) -> str:
        """The connection in one line: the requests without repetition, and how it ended."""
        steps: list[str] = []
        for name in self.names:
            if not steps or steps[-1].partition(" x")[0] != name:
                steps.append(name)
            else:
                count = int(steps[-1].partition(" x")[2] or 1) + 1
                steps[-1] = f"{name} x{count}"
        end = f"closed by {self.closed.by} ({self.closed.how})" if self.closed else "still open"
        told = [self.refused and f"no TLS: {self.refused}", " > ".join(steps), self.trouble, end]
        return ", ".join(part for part in told if part)


def is_loop(request: Any) -> bool:
    """Whether a request is of the charge loop, in any generation."""
    return type(request).__name__ in LOOPS


def leaving(request: Any) -> bool:
    """Whether a request is of those with which a car leaves in order: power off, welding detection, SessionStop; or metering beside."""
    name = name_of(type(request))
    if name != "PowerDeliveryReq":
        return name in LEAVING
    progress = getattr(request, "ChargeProgress", None)
    return not request.ReadyToChargeState if progress is None else progress.value == "Stop"
