"""The shape that every session has for its shell: six verbs, no socket, no clock.

    octets -> receive    the shell passes what it read (b"" is end of stream) and the time
    lost                 the connection is gone although the peer did not close it
    tick                 the shell calls it when `deadline()` has come
    octets_to_send       what the shell must write now
    events               what happened since the last call, for the trace and for the hardware or the driver
    ended                None while the session lives

`now` is seconds of one monotonic clock. The wall clock, which time stamps and schedules need, is given to a session as an offset when it is
made, so that a three-hour charge runs in milliseconds in a test.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

from v2g.exi.schema import Type
from v2g.session.errors import SessionError, bare


@dataclass(frozen=True, slots=True)
class Ended:
    """How a session ended. `error` is None when it ended as the standard foresees (`how` is Terminate or Pause).

    `asked` is why a station wanted it to end, empty where it did not: a car that is told to stop and does so ends well.
    """

    how: str
    error: SessionError | None = None
    asked: str = ""

    def __post_init__(self) -> None:
        if self.error is not None:
            bare(self.error)

    @property
    def well(self) -> bool:
        """True when both sides finished what they began."""
        return self.error is None

    @property
    def reason(self) -> str | None:
        """Why it did not end well, in words; None where it did."""
        return self.error.reason if self.error else None

    @property
    def requirement(self) -> str | None:
        """The requirement id that was broken, where one is known."""
        return self.error.requirement if self.error else None


@dataclass(frozen=True, slots=True)
class Event:
    """Base: something a session did or wants. `at` is the monotonic time (s) at which it happened."""

    at: float


@dataclass(frozen=True, slots=True)
class FrameReceived(Event):
    """A whole frame arrived; `message` is None when it could not be decoded."""

    payload_type: int
    schema_set: str
    exi: bytes
    message: Type | None
    since_previous: float | None = None  # s since the frame before it
    findings: tuple[str, ...] = ()  # what was tolerated in it


@dataclass(frozen=True, slots=True)
class FrameSent(Event):
    """A frame was handed to the shell, which puts the time into it at which its octets left."""

    payload_type: int
    schema_set: str
    exi: bytes
    message: Type
    since_previous: float | None = None  # s since the frame it answers, or since the answer it follows


@dataclass(frozen=True, slots=True)
class StateEntered(Event):
    """The sequence moved on: `state` is what the SECC waits for now, `timer`/`limit` what it allows the EV."""

    state: str
    timer: str = ""
    limit: float | None = None  # s


@dataclass(frozen=True, slots=True)
class Relaxed(Event):
    """A named profile let something pass that the standard forbids."""

    relaxation: str
    requirement: str


@dataclass(frozen=True, slots=True)
class Noted(Event):
    """Something a reader of the trace wants to know: `topic` is stable, `facts` is JSON-able."""

    topic: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StationSaid(Event):
    """A station told its session what became true: `fact` is a frozen value of the station's words."""

    fact: object


class Endpoint(Protocol):
    """What a shell drives: one side of one session."""

    @property
    def ended(self) -> Ended | None:
        """How the session ended, None while it lives."""

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets of the stream; b"" says that the peer closed it."""

    def lost(self, error: SessionError, now: float) -> None:
        """End the session because the connection was lost, for this reason, without an orderly close by the peer."""

    def tick(self, now: float) -> None:
        """Act on every timer that is due at `now` (monotonic s)."""

    def deadline(self) -> float | None:
        """The time (monotonic s) at which `tick` must be called at the latest; None: nothing waits for a time."""

    def octets_to_send(self) -> bytes:
        """Take what must be written now: whole frames, possibly none."""

    def events(self) -> list[Event]:
        """Take what happened since the last call."""
