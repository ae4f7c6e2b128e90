"""`Words`: by what a generation whose messages come in an envelope says what it has in common with the other.

Messages, types and states that both have are of one name in both, but of a module of its own in each.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from secc.intent import Wish
from secc.outlet import Spoken
from v2g.exi.schema import Type
from v2g.reasons import Reason
from v2g.session.generation import Generation
from v2g.session.sap import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words of one generation. `out_of_turn` and what follows it are ids of the requirements that a car breaks."""

    generation: Generation
    name: Spoken  # by which an outlet names it
    protocol: Protocol
    state: Any  # the enumeration of its states
    body: Any  # the module of its messages
    types: Any  # that of their types
    physical: Callable[..., Type]
    code: Callable[[Reason], Enum]
    stop: type[Type]  # the request that ends a session
    ends_power: Callable[[Type], bool]
    after_start: tuple[type[Type], ...]  # requests that come once power may have begun
    notifications: Mapping[Wish, Enum]  # what EVSENotification can ask for
    shuts_down: tuple[Wish, ...]  # wishes by which EVSEStatusCode is EVSE_Shutdown
    out_of_turn: str
    unknown_session: str
    wrong_parameters: str
    pilot_after_power: str
    not_negotiated: str
    silent: str

    def volts(self, value: float, rounding: str = "nearest") -> Type:
        """A voltage (V) as a physical value."""
        return self.physical(value, self.types.unitSymbolType.V, rounding)

    def amperes(self, value: float, rounding: str = "nearest") -> Type:
        """A current (A) as a physical value."""
        return self.physical(value, self.types.unitSymbolType.A, rounding)

    def watts(self, value: float, rounding: str = "nearest") -> Type:
        """A power (W) as a physical value."""
        return self.physical(value, self.types.unitSymbolType.W, rounding)
