"""What a CSMS keeps of payloads in memory, so that no station can fill it (pure)."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

REMEMBERED: Final = 64 << 20  # octets of payloads over all stations: 50,000 events of 1.3 kB; the oldest go first, the store has them all
BEYOND: Final = 1_024  # numbers that came before the ones below them: a station sends in order, and one that does not loses but doubles


class Recollection:
    """The newest payloads of all stations together, up to so many octets."""

    def __init__(self, octets: int = REMEMBERED):
        self._room = octets
        self._kept: deque[tuple[deque[Any], int]] = deque()

    def keep(self, where: deque[Any], payload: Any, octets: int) -> None:
        """Append a payload to a list; where there is no room for it, the oldest ones leave theirs."""
        where.append(payload)
        self._kept.append((where, octets))
        self._room -= octets
        while self._room < 0 and len(self._kept) > 1:
            oldest, size = self._kept.popleft()
            self._room += size
            if oldest:
                oldest.popleft()


@dataclass(slots=True)
class Numbers:
    """Which numbers of a sequence have come, in constant room: all below one, and a few beyond it."""

    below: int = 0
    _beyond: set[int] = field(default_factory=set)

    def add(self, number: int) -> bool:
        """Note a number; False: it was there already."""
        if number < self.below or number in self._beyond:
            return False
        self._beyond.add(number)
        if len(self._beyond) > BEYOND:
            self.below = min(self._beyond)
        while self.below in self._beyond:
            self._beyond.discard(self.below)
            self.below += 1
        return True


@dataclass(slots=True)
class Register:
    """A register of energy over a transaction: its first and its last value (Wh) by seqNo, however the events arrive."""

    first: tuple[int, float]
    last: tuple[int, float]

    def note(self, number: int, value: float) -> None:
        """Note a value of the event with this seqNo."""
        if number < self.first[0]:
            self.first = (number, value)
        if number >= self.last[0]:
            self.last = (number, value)

    @property
    def energy(self) -> float:
        """What flowed, in Wh."""
        return self.last[1] - self.first[1]
