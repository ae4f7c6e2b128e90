"""An observer of every connection of an outlet that reports cars which were refused before they had the outlet, and why."""

from collections.abc import Callable

from secc.station import SessionStarted, TurnedAway
from v2g.session.endpoint import Event
from v2g.session.link import Disconnected, HandshakeFailed, Observer

CLOSING = "the station shuts down"


class Doorkeeper(Observer):
    """Observes one connection. `tell` is called at its end if its car was turned away; a connection on which nobody spoke is no car.

    A car that has introduced itself belongs to its session, whose end the backend hears; one that came while the station shuts down was not
    refused for anything that it did.
    """

    def __init__(self, tell: Callable[[TurnedAway], None]):
        self._tell = tell
        self._spoke = self._inside = False
        self._failed: HandshakeFailed | None = None

    def octets(self, sent: bool, octets: bytes, now: float) -> None:
        """Note whether the car has said anything."""
        self._spoke = self._spoke or not sent

    def event(self, event: Event) -> None:
        """Note how far the car came, and call `tell` at the end of its connection."""
        match event:
            case SessionStarted():
                self._inside = True
            case HandshakeFailed():
                self._failed = event
            case Disconnected() if not self._inside and (said := self._said(event)) is not None:
                self._tell(said)

    def _said(self, last: Disconnected) -> TurnedAway | None:
        ended = last.ended
        if last.reason == CLOSING or (ended is not None and (ended.well or (ended.reason or "").startswith(CLOSING))):
            return None
        if self._failed is not None:
            said = f"{self._failed.reason} (said by the car)" if self._failed.by == "peer" else self._failed.reason
            return TurnedAway(last.at, "handshake failed", said, self._failed.requirement) if self._spoke else None
        if last.dropped:
            return TurnedAway(last.at, "no room", last.reason)
        if ended is None or not self._spoke:
            return None
        return TurnedAway(last.at, ended.how, ended.reason or ended.how, ended.requirement)
