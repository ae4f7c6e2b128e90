"""The interface of a backend, which decides for an outlet."""

from collections.abc import Callable
from typing import Protocol

from secc.station.facts import Fact
from v2g.session.endpoint import Ended, Event

Tell = Callable[[Fact], None]


class Backend(Protocol):
    """Decides for one outlet: authorization, schedules, setpoints, stops.

    No method waits: `heard` returns at once, and a decision is told by `tell`, sooner or later, from the same event loop. The built-in one
    is `secc.backend.LocalBackend`; the bridge to a CSMS is another.
    """

    def began(self, tell: Tell) -> None:
        """Called when a session begins; `tell` passes facts to it until `ended`."""

    def heard(self, event: Event | Fact) -> None:
        """Called with every want of the session and every fact of the hardware, in order."""

    def ended(self, ended: Ended) -> None:
        """Called when the session is over and the outlet safe."""
