"""Chooses, among several outlets behind one SDP responder, the outlet that a car is sent to (pure)."""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

# A car that was answered connects within a second or two and introduces itself within another few. Until then no other car is sent to the
# same outlet while there is a choice; a promise is no more than that, so that whoever asks and never comes shuts nobody out.
PROMISE: Final = 6.0  # s
# Cars that were answered and have not connected, each an address and a time; of more than that the oldest is forgotten, and answered again.
AWAITED: Final = 256
# Who was sent where: more addresses than discovery answers within the setup (80 a second): none has to make room for a forged one.
SENT: Final = 2048


class Welcome(IntEnum):
    """How welcome a car is at an outlet, the best first."""

    BACK = 1  # its own session is there, on a connection that it has lost
    FREE = 2
    SILENT = 3  # a session is there that has fallen silent; its car may have a new address
    NOT = 4  # out of service, in use, or no data link to any car


@dataclass(frozen=True, slots=True)
class Seen:
    """What discovery has to know of an outlet at one moment."""

    why: str = ""  # it serves nobody; empty while it serves
    holder: str | None = None  # the address of the car whose session has it
    silent: bool = False  # that session has fallen silent
    linked: bool | None = None  # whether the data link to a car stands; None: that cannot be told

    def welcome(self, source: str) -> Welcome:
        """How welcome a car is here that asks by SDP from address `source`."""
        if self.why:
            return Welcome.NOT
        if self.holder is None:
            return Welcome.FREE
        if source.startswith("fe80:") and self.holder == source:  # on a loopback all cars have one
            return Welcome.BACK
        return Welcome.SILENT if self.silent else Welcome.NOT

    def shut(self) -> str:
        """Why no car is sent here now, as far as that is not for want of a car at its cable; empty where one is."""
        return "" if self.linked is False else self.why or ("another car has it" if self.holder is not None else "")


class Door(Protocol):
    """An outlet, as discovery asks it at the moment of a car's request."""

    def welcome(self, source: str) -> Welcome:
        """How welcome the car at the address `source` is at this outlet."""

    def linked(self) -> bool | None:
        """Whether the data link to a car stands at this outlet; None where the outlet cannot tell."""


class Lobby:
    """Chooses an outlet for each request.

    It remembers to which address each outlet was last promised, who was sent where, and since when it waits for whom it answered. A car
    that was sent to an outlet whose data link stands, and has not connected `setup` s later, is answered no more until that link has
    fallen (`look`).
    """

    def __init__(self, doors: Sequence[Door], setup: float):
        self._doors, self._setup = tuple(doors), setup
        self._promised: dict[int, tuple[str, float]] = {}  # outlet -> to whom, and when
        self._awaited: OrderedDict[str, tuple[int, float]] = OrderedDict()  # address -> outlet, and when it was first sent there
        self._sent: OrderedDict[str, tuple[int, float]] = OrderedDict()  # address -> outlet, and when it was last sent there

    def chosen(self, source: str, now: float, among: Collection[int] | None = None) -> int | None:
        """The index of the outlet for the car at address `source`, None: there is none, the car must ask again. `now` in s.

        `among` are the outlets at one of which the car is known to stand; None: any where a data link stands or cannot be told.
        """
        places = range(len(self._doors)) if among is None else among
        welcome = {place: each for place in places if (each := self._doors[place].welcome(source)) is not Welcome.NOT}
        links = {place: True if among is not None else self._doors[place].linked() for place in welcome}
        possible = [place for place in welcome if links[place]] or [place for place in welcome if links[place] is None]
        if not possible or (among is None and self.late(source, now)):
            return None
        best = min(welcome[place] for place in possible)
        place = min((place for place in possible if welcome[place] is best), key=lambda place: self._reluctance(place, source, now))
        self._promised[place] = source, now
        self._sent.pop(source, None)
        self._sent[source] = place, now
        if len(self._sent) > SENT:
            self._sent.popitem(last=False)
        if among is None and links[place]:
            self._await(source, place, now)
        return place

    def sent(self, source: str, now: float) -> int | None:
        """The index of the outlet to which the car at `source` was sent within the last `setup` s; None: it was not."""
        place, since = self._sent.get(source, (None, -self._setup))
        return place if now - since < self._setup else None

    def late(self, source: str, now: float) -> bool:
        """Whether the car at `source` was sent to an outlet `setup` s ago or more, and has not connected since."""
        return source in self._awaited and now - self._awaited[source][1] >= self._setup

    def came(self, source: str) -> None:
        """The car at `source` has connected to one of the outlets."""
        self._awaited.pop(source, None)

    def look(self) -> None:
        """Forget who was sent to an outlet whose data link stands no more: whoever comes by a new one is answered."""
        fallen = {place for place, _ in self._awaited.values() if not self._doors[place].linked()}
        for source in [source for source, (place, _) in self._awaited.items() if place in fallen]:
            del self._awaited[source]

    def _await(self, source: str, place: int, now: float) -> None:
        before = self._awaited.pop(source, (place, now))
        self._awaited[source] = before if before[0] == place else (place, now)
        if len(self._awaited) > AWAITED:
            self._awaited.popitem(last=False)

    def _reluctance(self, place: int, source: str, now: float) -> tuple[int, float]:
        """What was promised to this car comes first, then what is promised to nobody, then the oldest promise."""
        to, since = self._promised.get(place, ("", -PROMISE))
        if now - since >= PROMISE:
            return (1, 0.0)
        return (0, 0.0) if to == source else (2, since)
