"""What a backend hears of one session, and when: nothing before the outlet is free and its meter read."""

from math import inf

from secc.station import Backend, Fact, MeterRead, OutputMeasured, Tell
from v2g.legible import logger
from v2g.session.endpoint import Ended, Event

log = logger("v2g.secc")
AGAIN = 2.0  # s after which it is said again what flows, though it is the same: who shares power by it believes it for 10 s


class Hearing:
    """Tells a backend the events and facts of a session. What goes wrong there is said in the log, and costs nobody a session."""

    def __init__(self, backend: Backend, evse_id: str):
        self._backend, self._evse_id = backend, evse_id
        self._held: list[Event | Fact] | None = None
        self._introduced = False
        self._again = -inf

    @property
    def waits(self) -> bool:
        """Whether what is said now is heard later."""
        return self._held is not None

    def wait(self) -> None:
        """Keep what is said from now on, until `go_on`."""
        self._held = []

    def introduce(self, tell: Tell) -> None:
        """Tell the backend that the session begins; `tell` passes its facts to the session."""
        self._introduced = True
        self._backend.began(tell)

    def over(self, ended: Ended) -> None:
        """Tell the backend that the session has ended, where it knew of it: it may know of the next one already."""
        if self._introduced:
            self._introduced = False
            try:
                self._backend.ended(ended)
            except Exception:
                log.exception("%s: the backend failed after the session", self._evse_id)

    def go_on(self) -> None:
        """Let the backend hear what was kept: first what the meter shows, by which a transaction is to begin, then the rest in order.

        What happened before it knew of the session is never heard.
        """
        held, self._held = (self._held or [] if self._introduced else []), None
        for event in sorted(held, key=lambda each: not isinstance(each, MeterRead)):
            self.hear(event)

    def find(self, fact: Fact, repeated: bool, now: float) -> None:
        """Tell the backend what the hardware found at `now` (s). Of what it found before only the output is told, and now and then: silence
        would mean that nobody measures.
        """
        if repeated and not (isinstance(fact, OutputMeasured) and now - self._again >= AGAIN):
            return
        self._again = now if repeated else self._again
        self.hear(fact)

    def hear(self, event: Event | Fact) -> None:
        """Tell the backend now, or once it no longer waits."""
        if self._held is not None:
            self._held.append(event)
            return
        try:
            self._backend.heard(event)
        except Exception:
            log.exception("%s: the backend failed on %s", self._evse_id, type(event).__name__)
