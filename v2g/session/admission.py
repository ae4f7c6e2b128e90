"""Decides which connections go when more come than a listener has room for (pure).

Nobody who only connects may keep out a car, so connections stand in four stages and each stage has its own room:

    SILENT    a TCP connection on which no octet came
    SPEAKING  octets came; TLS is not complete
    SECURED   ready for a session: TLS is complete, or on a bench without TLS the first octets came
    PARTING   this side has closed and waits for the other

Where a stage is over its room, one connection of it goes: of the source that has most of them the one that came first. A session that
holds an outlet is never asked. One more connection than there is room for thus costs whoever floods, and a car that needs two seconds
between two flights is kept as long as its own address is not the flood's.
"""

from collections.abc import Callable, Hashable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final


class Stage(Enum):
    """How far a connection has come."""

    SILENT = "silent"
    SPEAKING = "speaking"
    SECURED = "secured"
    PARTING = "parting"


ROOM: Final[Mapping[Stage, int]] = MappingProxyType(
    {
        # A silent one costs a descriptor and 5 KB. A slow controller may take 2 s before it speaks; at 400 new ones per second this many
        # hold it for 2.5 s. One beyond, and the oldest silent one of the busiest source is closed.
        Stage.SILENT: 1024,
        # About 60 KB each, most of it the TLS library's, so 16 MB in all.
        Stage.SPEAKING: 256,
        # An outlet has one car; others are told so and go. Each may make the station keep one whole message.
        Stage.SECURED: 4,
        # They cost a descriptor for at most a second.
        Stage.PARTING: 128,
    }
)


class Crowd:
    """The open connections of a listener. Every step costs time in the number of sources at most, never in that of connections."""

    def __init__(self, room: Mapping[Stage, int] = ROOM):
        self._room = dict(room)
        self._where: dict[int, tuple[Stage, Hashable]] = {}
        self._stages: dict[Stage, dict[Hashable, dict[int, None]]] = {stage: {} for stage in Stage}  # source -> numbers, oldest first
        self._counts = dict.fromkeys(Stage, 0)

    def __len__(self) -> int:
        return len(self._where)

    def count(self, stage: Stage) -> int:
        """The number of connections in a stage."""
        return self._counts[stage]

    def stage(self, number: int) -> Stage | None:
        """How far a connection has come, None: it is not counted any more."""
        return self._where.get(number, (None,))[0]

    def put(self, number: int, source: Hashable, stage: Stage) -> None:
        """Note that connection `number`, from `source`, is new or has moved to `stage`."""
        if self.stage(number) is stage:
            return
        self.forget(number)
        self._where[number] = stage, source
        self._stages[stage].setdefault(source, {})[number] = None
        self._counts[stage] += 1

    def forget(self, number: int) -> None:
        """Note that a connection is gone. A second call does nothing."""
        if number not in self._where:
            return
        stage, source = self._where.pop(number)
        numbers = self._stages[stage][source]
        del numbers[number]
        self._counts[stage] -= 1
        if not numbers:
            del self._stages[stage][source]

    def surplus(self, stage: Stage, spared: Callable[[int], bool] = lambda number: False) -> int | None:
        """The number of the connection that must go because `stage` has more than its room; None: there is room, or all are `spared`."""
        return self.least(stage, spared) if self._counts[stage] > self._room[stage] else None

    def least(self, stage: Stage, spared: Callable[[int], bool] = lambda number: False) -> int | None:
        """The number of the connection of `stage` that would have to go first; None: there is none, or all are `spared`."""
        sources = self._stages[stage]
        for source in sorted(sources, key=lambda s: -len(sources[s])) if stage is Stage.SECURED else _busiest(sources):
            for number in sources[source]:
                if not spared(number):
                    return number
        return None


def _busiest(sources: Mapping[Hashable, Mapping[int, None]]) -> list[Hashable]:
    return [max(sources, key=lambda source: len(sources[source]))] if sources else []
