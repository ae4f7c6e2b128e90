"""What a session waits for: the car, until a timer runs out; the station, for a fact that an answer needs; or a frame to be read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from v2g.exi.schema import Type
from v2g.session.endpoint import Relaxed
from v2g.session.errors import bare
from v2g.session.generation import MAIN, Incoming
from v2g.session.v2gtp import Frame

Decoded = tuple[Incoming, tuple[Relaxed, ...]]
"""A message, and what was let pass of it."""


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer of the standard that runs: its name, its limit (s), when it is due (session time, s), and what says what is waited for."""

    name: str
    limit: float
    due: float
    what: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Parked:
    """A request whose answer waits for a fact, at most until a time (session time, s); its stream waits with it, no other does."""

    request: Type
    received: float
    exi: bytes
    until: float
    stream: str = MAIN


@dataclass(eq=False, slots=True)
class Unread:
    """A frame that was cut from the stream. `decode` touches nothing of the session, so that it may run on any thread."""

    frame: Frame
    since: float | None  # s since the frame before it
    decode: Callable[[int, bytes, Any, float], Decoded]  # of payload type, octets, what is known, and when (session time, s)
    known: Any = None
    now: float = 0.0
    foresee: Callable[[Incoming, Any], None] = lambda heard, known: None  # judge what is signed in it, where it is read aside
    signed: bool = False  # whether it comes when a car shows its contract
    outcome: Decoded | None = None  # None: it was not read yet, or in vain
    failed: list[Exception] = field(default_factory=list)  # what reading it raised, until somebody asks for the message

    def read(self) -> None:
        """Read the frame, and keep its message, or what reading it raised, for whoever asks for the message. Judge what is signed in it."""
        try:
            self.outcome = self._decoded()
            self.foresee(self.outcome[0], self.known)
        except Exception as error:
            self.failed.append(bare(error))

    def message(self) -> Decoded:
        """The message of the frame. Raises DecodeError or FramingError where there is none, and whatever a fault of ours raised."""
        if self.failed:
            raise self.failed.pop()  # taken out: it will hold the frames that hold this
        return self._decoded() if self.outcome is None else self.outcome

    def _decoded(self) -> Decoded:
        return self.decode(*self.frame, self.known, self.now)


class Desk:
    """The frame that a session leaves for its shell to read: at most one, for which all that comes later waits.

    Frames of more than `limit` octets are left, and of more than `signed` where a car shows its contract; None: none is.
    """

    def __init__(self, limit: int | None, signed: int | None = None):
        self.limit, self.signed = limit, signed
        self.waits: Unread | None = None
        self._given = False

    def leaves(self, unread: Unread) -> bool:
        """Whether this frame is left to the shell, and kept here for it."""
        bounds = [bound for bound in (self.limit, self.signed if unread.signed else None) if bound is not None]
        if not bounds or len(unread.frame.payload) <= min(bounds):
            return False
        self.waits, self._given = unread, False
        return True

    def errand(self) -> Unread | None:
        """The frame to `read` where nobody waits for it, once; then it is given to the session's `was_read`."""
        found, self._given = (None if self._given else self.waits), True
        return found

    def clear(self) -> None:
        """Wait for no frame any more."""
        self.waits = None
