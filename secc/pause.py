"""Paused sessions: kept for all connections of a station, given back only to the car that paused [V2G20-2545]."""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

CAPACITY = 64  # sessions: an outlet has one car, a site some dozens; the oldest gives way, and its car starts over


def binding(session_id: bytes, vehicle_certificate: bytes) -> bytes:
    """The digest that ties a session to a car: of SessionID and certificate (DER) shown in TLS [V2G20-2630] [V2G20-2677]."""
    return hashlib.sha512(session_id + hashlib.sha512(vehicle_certificate).digest()).digest()


@dataclass(frozen=True, slots=True)
class PausedSession:
    """A paused session that a car may resume. `binding` (see the function of that name) proves that it is the same car."""

    session_id: bytes
    binding: bytes
    generation: str  # the name of the one that was spoken
    agreement: Any  # what car and station have agreed upon, in the class that the generation's `Conduct` names
    until: float  # wall
    evse_id: str = ""  # where it was paused


class PausedSessions:
    """The paused sessions of a station. `changed` is called after each change, so that they can be written to a file."""

    def __init__(self, sessions: Iterable[PausedSession] = (), changed: Callable[[], None] = lambda: None) -> None:
        self._kept: dict[bytes, PausedSession] = {}
        self._changed: Callable[[], None] = lambda: None
        for session in sessions:
            self.keep(session)
        self._changed = changed

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[PausedSession]:
        return iter(tuple(self._kept.values()))

    def keep(self, session: PausedSession) -> None:
        """Keep a session; a session with the same id is replaced."""
        self._kept.pop(session.session_id, None)
        self._kept[session.session_id] = session
        while len(self._kept) > CAPACITY:
            del self._kept[next(iter(self._kept))]
        self._changed()

    def look(self, session_id: bytes, vehicle_certificate: bytes, generation: str, wall: float) -> PausedSession | None:
        """The session of that id, if this certificate (DER) paused it and its time is not over at `wall` (epoch s). It stays until `drop`.

        A car without a certificate cannot prove itself and gets none [V2G20-2626], nor does one that speaks another generation now.
        """
        session = self._kept.get(session_id)
        if session is None or not vehicle_certificate:
            return None
        if not hmac.compare_digest(session.binding, binding(session_id, vehicle_certificate)):
            return None  # another car: the one that paused may still come back
        return session if wall < session.until and session.generation == generation else None

    def drop(self, session: PausedSession) -> None:
        """Forget a session, once its car has resumed it: none is resumed twice."""
        self._kept.pop(session.session_id, None)
        self._changed()
