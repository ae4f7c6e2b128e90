"""How a scripted station speaks one generation of the standard: the tables of it, and what they leave open (pure)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from v2g.exi.schema import Type, declared_elements
from v2g.session.generation import Generation

Answer = Callable[[Any, Any], Any]
"""From a request and the desk that it came to: what is answered."""


@dataclass(frozen=True, slots=True)
class Speech:
    """One generation as a station speaks it. `good` is the good answer to any request, `other` an OK response to another one.

    `session` names the requests of a good DC session in their order, without Req and without the negotiation.
    """

    generation: Generation
    good: Answer
    other: Answer
    session: tuple[str, ...]

    @property
    def states(self) -> tuple[str, ...]:
        """Every state of a DC session and what comes before it, by the request that the station answers in it."""
        return ("supportedAppProtocol", *self.session)

    def timeout(self, name: str) -> float:
        """How long a car waits for the answer to a request (s), by its name without Req. Raises KeyError for a name that is none."""
        requests = {name_of(each): each for each in self.generation.responses}
        return self.generation.timing(requests[f"{name}Req"]).msg_timeout


def name_of(kind: type[Type]) -> str:
    """The name of a message, which is that of its element: the class of DIN SPEC 70121's SessionStopReq is called otherwise."""
    return declared_elements(kind)[0].name
