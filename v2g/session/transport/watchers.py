"""All observers of one connection, kept apart from it: their errors never reach the session."""

from collections.abc import Callable, Sequence

from v2g.legible import logger
from v2g.session.endpoint import Event
from v2g.session.link import Observer

log = logger("v2g.transport")


class Watchers(Observer):
    """The observers of one connection as one observer that never raises.

    One that fails is told of nothing more on this connection, and that is said once. The connection goes on.
    """

    def __init__(self, make: Sequence[Callable[[], Observer]], who: str):
        self._who = who  # for the log
        self._watching: list[Observer] = []
        for one in make:
            self._kept(lambda: self._watching.append(one()), "an observer")  # noqa: B023 - called at once

    def event(self, event: Event) -> None:
        """Tell every observer of an event."""
        self._each(lambda observer: observer.event(event))

    def octets(self, sent: bool, octets: bytes, now: float) -> None:
        """Tell every observer of octets on the wire."""
        self._each(lambda observer: observer.octets(sent, octets, now))

    def secret(self, line: bytes) -> None:
        """Tell every observer of a TLS secret."""
        self._each(lambda observer: observer.secret(line))

    def _each(self, tell: Callable[[Observer], None]) -> None:
        for observer in tuple(self._watching):
            if not self._kept(lambda: tell(observer), type(observer).__name__):  # noqa: B023 - called at once
                self._watching.remove(observer)

    def _kept(self, call: Callable[[], None], name: str) -> bool:
        try:
            call()
        except Exception as error:
            log.error("%s: %s watches no more: %r", self._who, name, error, exc_info=not isinstance(error, OSError))
            return False
        return True
