"""Paused sessions: kept for all connections of a station, given back only to the car that paused [V2G20-2545]."""

import hashlib
import hmac

from secc.context import PausedSession

CAPACITY = 64  # sessions: an outlet has one car, a site some dozens; the oldest gives way, and its car starts over


def binding(session_id: bytes, vehicle_certificate: bytes) -> bytes:
    """What ties a session to a car: a digest of its id and of the certificate (DER) shown in TLS [V2G20-2630] [V2G20-2677]."""
    return hashlib.sha512(session_id + hashlib.sha512(vehicle_certificate).digest()).digest()


class PausedSessions:
    """The paused sessions of a station."""

    def __init__(self) -> None:
        self._kept: dict[bytes, PausedSession] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, session: PausedSession) -> None:
        """Keep a session; a session with the same id is replaced."""
        self._kept.pop(session.session_id, None)
        self._kept[session.session_id] = session
        while len(self._kept) > CAPACITY:
            del self._kept[next(iter(self._kept))]

    def look(self, session_id: bytes, vehicle_certificate: bytes, wall: float) -> PausedSession | None:
        """The session of that id, if this certificate is the one that paused it and its time is not over. It stays until it is dropped.

        A car without a certificate cannot prove itself and gets none [V2G20-2626].
        """
        session = self._kept.get(session_id)
        if session is None or not vehicle_certificate:
            return None
        if not hmac.compare_digest(session.binding, binding(session_id, vehicle_certificate)):
            return None  # another car: the one that paused may still come back
        return session if wall < session.until else None

    def drop(self, session: PausedSession) -> None:
        """Forget a session: its car has come back to it, and nobody comes back twice."""
        self._kept.pop(session.session_id, None)
