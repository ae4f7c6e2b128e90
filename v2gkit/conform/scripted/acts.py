"""What a scripted station may do instead of answering at once: answer late, answer with several frames, hang up (pure)."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Late:
    """An answer after so many seconds; the connection may end meanwhile."""

    seconds: float
    what: Any


@dataclass(frozen=True, slots=True)
class Several:
    """Several answers, one after the other."""

    whats: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class HangUp:
    """The TCP connection is closed, by a reset where `reset`."""

    reset: bool = False


@dataclass(frozen=True, slots=True)
class Enveloped:
    """An answer whose envelope says something else than usual, in a generation that has one: another SessionID, a signature."""

    what: Any
    session_id: bytes | None = None
    signature: Any = None


SILENCE = None  # no answer, and the connection stays open
