"""Chooses, among several outlets behind one SDP responder, the outlet that a car is sent to (pure)."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, Protocol

# A car that was answered connects within a second or two and introduces itself within another few. Until then no other car is sent to the
# same outlet while there is a choice; a promise is no more than that, so that whoever asks and never comes shuts nobody out.
PROMISE: Final = 6.0  # s


class Welcome(IntEnum):
    """How welcome a car is at an outlet, the best first."""

    BACK = 1  # its own session is there, on a connection that it has lost
    FREE = 2
    SILENT = 3  # a session is there that has fallen silent; its car may have a new address
    NOT = 4  # out of service, in use, or no data link to any car


class Door(Protocol):
    """An outlet, as discovery asks it at the moment of a car's request."""

    def welcome(self, source: str) -> Welcome:
        """How welcome the car at the address `source` is at this outlet."""

    def linked(self) -> bool | None:
        """Whether the data link to a car stands at this outlet; None where the outlet cannot tell."""


class Lobby:
    """Chooses an outlet for each request. It remembers to which address each outlet was last promised, and nothing else."""

    def __init__(self, doors: Sequence[Door]):
        self._doors = tuple(doors)
        self._promised: dict[int, tuple[str, float]] = {}  # outlet -> to whom, and when

    def chosen(self, source: str, now: float) -> int | None:
        """The index of the outlet for the car at address `source`, None: there is none, the car must ask again. `now` in s."""
        welcome = {place: each for place, door in enumerate(self._doors) if (each := door.welcome(source)) is not Welcome.NOT}
        links = {place: self._doors[place].linked() for place in welcome}
        possible = [place for place in welcome if links[place]] or [place for place in welcome if links[place] is None]
        if not possible:
            return None
        best = min(welcome[place] for place in possible)
        place = min((place for place in possible if welcome[place] is best), key=lambda place: self._reluctance(place, source, now))
        self._promised[place] = source, now
        return place

    def _reluctance(self, place: int, source: str, now: float) -> tuple[int, float]:
        """What was promised to this car comes first, then what is promised to nobody, then the oldest promise."""
        to, since = self._promised.get(place, ("", -PROMISE))
        if now - since >= PROMISE:
            return (1, 0.0)
        return (0, 0.0) if to == source else (2, since)
