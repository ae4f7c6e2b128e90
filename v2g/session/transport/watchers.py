"""All observers of one connection, kept apart from it: their errors never reach the session."""

from collections.abc import Callable, Sequence
from typing import Any

from v2g.legible import logger
from v2g.session.endpoint import Event
from v2g.session.link import Observer

log = logger("v2g.transport")

Heeding = tuple[Observer, Callable[..., None]]


class Watchers(Observer):
    """The observers of one connection as one observer that never raises.

    One that fails is told of nothing more on this connection, and that is said once. The connection goes on.
    """

    def __init__(self, make: Sequence[Callable[[], Observer]], who: str):
        self._who = who  # for the log
        watching = []
        for one in make:
            try:
                watching.append(one())
            except Exception as error:
                self._say("an observer", error)
        self._events, self._octets, self._secrets = (_heeding(watching, verb) for verb in ("event", "octets", "secret"))

    def event(self, event: Event) -> None:
        """Tell every observer of an event."""
        self._each(self._events, event)

    def octets(self, sent: bool, octets: bytes, now: float) -> None:
        """Tell every observer of octets on the wire."""
        self._each(self._octets, sent, octets, now)

    def secret(self, line: bytes) -> None:
        """Tell every observer of a TLS secret."""
        self._each(self._secrets, line)

    def _each(self, told: list[Heeding], *what: Any) -> None:
        for observer, tell in tuple(told):
            try:
                tell(*what)
            except Exception as error:
                for kind in (self._events, self._octets, self._secrets):
                    kind[:] = [each for each in kind if each[0] is not observer]
                self._say(type(observer).__name__, error)

    def _say(self, name: str, error: Exception) -> None:
        log.error("%s: %s watches no more: %r", self._who, name, error, exc_info=not isinstance(error, OSError))


def _heeding(watching: Sequence[Observer], verb: str) -> list[Heeding]:
    """Those of the observers who make something of a verb, with it."""
    told = [(each, getattr(each, verb)) for each in watching]
    return [(each, tell) for each, tell in told if getattr(tell, "__func__", None) is not getattr(Observer, verb)]
