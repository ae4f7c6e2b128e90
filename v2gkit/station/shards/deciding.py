"""What a worker has in place of what stands in the parent: who decides, who watches, who remembers pauses. They pass everything on."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from secc.pause import PausedSession, PausedSessions
from secc.station import Fact, Tell
from v2g.legible import logger
from v2g.session.endpoint import Ended, Event
from v2g.session.link import Disconnected, Observe, Observer
from v2gkit.station.shards import said
from v2gkit.station.shards.channel import Channel

Say = Callable[[Any], None]
log = logger("v2g.service")


class Deputy:
    """The `Backend` of an outlet whose decisions are made in the parent. `place` is its number there."""

    def __init__(self, place: int, say: Say):
        self._place, self._say = place, say
        self._tell: Tell | None = None
        self._visit = 0

    def began(self, tell: Tell) -> None:
        """A session begins; `tell` passes what is decided to it."""
        self._tell, self._visit = tell, self._visit + 1
        self._say(said.Began(self._place, self._visit))

    def heard(self, event: Event | Fact) -> None:
        """Let the parent hear a want or a fact."""
        self._say(said.Heard(self._place, event))

    def ended(self, ended: Ended) -> None:
        """The session is over."""
        self._tell = None
        self._say(said.Over(self._place, ended))

    def decided(self, decision: said.Tell) -> None:
        """Pass on what was decided, unless its session is over."""
        if self._tell is not None and decision.visit == self._visit:
            self._tell(decision.fact)


class Away(PausedSessions):
    """The paused sessions of these outlets; the parent keeps them over the end of this process, and of its own."""

    def __init__(self, sessions: Iterable[PausedSession], say: Say):
        super().__init__(sessions)
        self._say = say

    def keep(self, session: PausedSession) -> None:
        """Keep a session, here and there."""
        super().keep(session)
        if hasattr(self, "_say"):  # those that are given were said before
            self._say(said.Kept(session))

    def drop(self, session: PausedSession) -> None:
        """Forget a session, here and there."""
        super().drop(session)
        self._say(said.Dropped(session))


class Witness(Observer):
    """Lets the parent see one connection; one that it is too late to see is seen to its end no more, but for how it ended."""

    def __init__(self, channel: Channel, number: int):
        self._channel, self._number = channel, number
        self._blind = False

    def event(self, event: Event) -> None:
        """Pass an event on."""
        if self._sees() or isinstance(event, Disconnected):
            self._channel.say(said.Happened(self._number, event))

    def octets(self, sent: bool, octets: bytes, now: float) -> None:
        """Pass on octets as they were on the wire."""
        if self._sees():
            self._channel.say(said.Octets(self._number, sent, octets, now))

    def secret(self, line: bytes) -> None:
        """Pass a secret on."""
        if self._sees():
            self._channel.say(said.Secret(self._number, line))

    def _sees(self) -> bool:
        if not self._blind and self._channel.behind:
            self._blind = True
            log.warning("connection %d is watched no more: whoever watches does not keep up", self._number)
        return not self._blind


def witness(channel: Channel, place: int) -> Observe:
    """Makes the observers of an outlet's connections."""

    def observe(local: tuple[str, int], peer: tuple[str, int], number: int) -> Observer:
        channel.say(said.Opened(place, number, local, peer))
        return Witness(channel, number)

    return observe


class Logging(logging.Handler):
    """Has the parent log what is logged here: from any thread, on the loop; what comes after it is gone stands on standard error."""

    def __init__(self, channel: Channel, loop: asyncio.AbstractEventLoop):
        super().__init__()
        self._channel, self._loop = channel, loop
        self._last = logging.StreamHandler()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one line on."""
        if self._channel.gone.is_set() or self._loop.is_closed():
            self._last.emit(record)
            return
        trace = record.exc_text or (logging.Formatter().formatException(record.exc_info) if record.exc_info and record.exc_info[0] else "")
        line = said.Logged(record.name, record.levelno, record.getMessage(), trace, record.created)
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            here = False
        if here:
            self._channel.say(line)
        else:
            self._loop.call_soon_threadsafe(self._channel.say, line)
