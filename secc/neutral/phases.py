"""What the states of a generation are to whoever watches a session, whatever its sequence is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """The states of one generation, by what holds in them, and times (s) and requirements that a fault of this generation names."""

    stays: Mapping[Enum, float] = field(default_factory=dict)  # s that a car may poll in a state: each poll rearms the sequence timer
    settling: tuple[Enum, ...] = ()  # of those: not once a schedule is asked for, whose exchange has a patience of its own
    exchanges: tuple[Enum, ...] = ()  # in which a car waits for its schedule
    standby: tuple[Enum, ...] = ()
    idle: tuple[Enum, ...] = ()  # of those: whose pilot may go to state B
    renegotiating: tuple[Enum, ...] = ()  # under power
    after_power: tuple[Enum, ...] = ()
    loopless: float = 60.0  # s under power without a charge loop
    unheeded: str | None = None  # id of the requirement that a car breaks which does not follow a notice
