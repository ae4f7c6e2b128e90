"""What the live viewer has shown so far, within bounds: each line with an id, from which a browser goes on where it was cut off (pure).

Lines are kept as they are sent. Where they become too many, whole connections go, those that are over first and of them the oldest; of the
last one its oldest messages. How many went is said in the head line.
"""

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

# Octets of lines: some 100,000 messages, of which a browser shows half without effort. One octet beyond, and the oldest connection goes.
ROOM: Final = 96 * 1024 * 1024
PIECE: Final = 256 * 1024  # octets that are sent at once: more than a step of all viewers needs, less than a slow one would keep waiting
CONNECTIONS: Final = 2000  # more than a list can show: whoever only connects and goes would fill it
BULK: Final = frozenset({"frame", "mark"})  # lines without which the rest of their connection still makes sense
RESET: Final = b"event: reset\ndata: {}\n\n"
OVER: Final = b"event: over\ndata: {}\n\n"
Line = dict[str, Any]


class _Kept(NamedTuple):
    number: int
    octets: bytes
    owner: Any  # the connection, None: the line is of all
    bulk: bool


def _number(kept: _Kept) -> int:
    return kept.number


class History:
    """The lines so far. `head` is the first of them; ids are whole numbers beyond `base`, which is beyond all ids of former histories."""

    def __init__(self, base: int, head: Line, room: int = ROOM):
        self.over = False
        self._begin(base, head, room)

    def _begin(self, base: int, head: Line, room: int) -> None:
        self._base, self._head, self._room = base, dict(head), room
        self._octets = self._gap = self._dropped = 0
        self._last = base
        self._kept: list[_Kept] = []
        self._owners: dict[Any, bool] = {}  # connection -> whether it is over, in the order in which they began
        self._piece: tuple[int, bytes, int] = (-1, b"", 0)  # the last answer of `after`: most viewers ask for the same
        self._keep(self._head)

    @property
    def dropped(self) -> int:
        """How many connections are no longer kept."""
        return self._dropped

    @property
    def count(self) -> int:
        """How many lines are kept."""
        return len(self._kept)

    @property
    def last(self) -> int:
        """The number of the latest line."""
        return self._last

    def add(self, lines: Iterable[Line]) -> bool:
        """Add lines; False where all that could go has gone and they still do not fit: then it must begin anew."""
        for line in lines:
            if line.get("t") != "head":
                self._keep(line)
        while self._octets > self._room or len(self._owners) > CONNECTIONS:
            if not self._shrink():
                return False
        return True

    def anew(self) -> None:
        """Forget everything. Whoever has read a line is told so."""
        self._begin(self._last + 1, self._head, self._room)

    @staticmethod
    def place(last_event_id: str) -> int:
        """The number of an id that a browser got last, 0: it has nothing yet; one that is none of ours leads to a reset."""
        read = last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) < 20
        return int(last_event_id) if read else 0 if not last_event_id else -1

    def after(self, number: int) -> tuple[bytes, int]:
        """What to send next to whoever has all up to `number` (0: nothing), and the number that it then has."""
        if number and not max(self._gap, self._base + 1) <= number <= self._last:
            first, reached = self._joined(0)
            return RESET + first, reached
        if self._piece[0] != number:
            self._piece = (number, *self._joined(number))
        return self._piece[1:]

    def _joined(self, number: int) -> tuple[bytes, int]:
        parts, size = [], 0
        for place in range(bisect_right(self._kept, number, key=_number), len(self._kept)):
            kept = self._kept[place]
            parts.append(kept.octets)
            number, size = kept.number, size + len(kept.octets)
            if size >= PIECE:
                break
        return b"".join(parts), number

    # --- inside ---

    def _keep(self, line: Line) -> None:
        self._last += 1
        self._piece = (-1, b"", 0)
        owner, kind = line.get("c"), line.get("t")
        if owner is not None:
            self._owners[owner] = bool(line.get("over")) if kind == "verdict" else self._owners.get(owner, False)
        octets = f"id: {self._last}\ndata: {json.dumps(line, separators=(',', ':'))}\n\n".encode()
        self._kept.append(_Kept(self._last, octets, owner, kind in BULK))
        self._octets += len(octets)

    def _shrink(self) -> bool:
        """Let the oldest go, a tenth of the room at once; False: there is nothing that may."""
        gone, freed = set[Any](), 0
        sizes = Counter[Any]()
        for kept in self._kept:
            sizes[kept.owner] += len(kept.octets)
        *older, _ = self._owners or (None,)
        for owner in sorted(older, key=lambda owner: not self._owners[owner]):  # stable: of those that are over the oldest first
            if self._octets - freed <= 0.9 * self._room and len(self._owners) - len(gone) <= 0.9 * CONNECTIONS:
                break
            gone.add(owner)
            freed += sizes[owner]
            del self._owners[owner]
        bulk = [kept.number for kept in self._kept if kept.bulk]
        if gone:
            self._dropped += len(gone)
            self._drop(lambda kept: kept.owner in gone)
        elif bulk:
            middle = bulk[len(bulk) // 2]
            self._drop(lambda kept: kept.bulk and kept.number <= middle)
        else:
            return False
        self._say()
        return True

    def _drop(self, goes: Callable[[_Kept], bool]) -> None:
        gone = [kept for kept in self._kept if goes(kept)]
        self._kept = [kept for kept in self._kept if not goes(kept)]
        self._octets -= sum(len(kept.octets) for kept in gone)
        self._gap = max(self._gap, *(kept.number for kept in gone)) if gone else self._gap
        self._piece = (-1, b"", 0)

    def _say(self) -> None:
        """Say in the head line, for those to come and those who are here, what is no longer kept."""
        self._head |= {"dropped": self._dropped, "cut": True}
        octets = f"id: {self._base + 1}\ndata: {json.dumps(self._head, separators=(',', ':'))}\n\n".encode()
        self._octets += len(octets) - len(self._kept[0].octets)
        self._kept[0] = self._kept[0]._replace(octets=octets)
        self._drop(lambda kept: kept.number > self._base + 1 and kept.owner is None and b'"t":"head"' in kept.octets[:80])
        self._keep(self._head)
