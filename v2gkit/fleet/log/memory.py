"""A log in this process: for one process, and for tests of what several do. It ends with the process."""

import asyncio
import contextlib
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from v2gkit.fleet.log.verbs import AGAIN, WINDOW, Record, Said, demand_fit, fits

MOST: Final = 200_000  # records: of 200 sites a minute's telemetry is 200, so they last for hours; the oldest go


@dataclass(slots=True)
class _Reader:
    subject: str
    position: int = 0  # of the last that it was given
    given: OrderedDict[int, tuple[Record, float]] = field(default_factory=OrderedDict)  # not acknowledged: until when it may be


class MemoryLog:
    """Records in a ring. `clock` gives monotonic s."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self._clock = clock
        self._records: deque[Record] = deque(maxlen=most)
        self._keys: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._readers: dict[str, _Reader] = {}
        self._last = 0
        self._news = asyncio.Event()

    async def append(self, many: Iterable[Said]) -> int:
        """Append records; the position of the last."""
        now, position = self._clock(), self._last
        while self._keys and next(iter(self._keys.values()))[0] <= now:
            self._keys.popitem(last=False)
        for said in many:
            demand_fit(said)
            if said.key and said.key in self._keys:
                position = self._keys[said.key][1]
                continue
            self._last = position = self._last + 1
            if said.key:
                self._keys[said.key] = now + WINDOW, position
            self._records.append(Record(position, said.subject, said.octets))
        self._news.set()
        return position

    async def read(self, reader: str, subject: str, most: int = 500, within: float = 1.0) -> Sequence[Record]:
        """The next records for a reader."""
        one = self._readers.setdefault(reader, _Reader(subject))
        until = self._clock() + within
        while True:
            self._news.clear()
            if found := self._next(one, most):
                return found
            left = until - self._clock()
            if left <= 0:
                return ()
            due = min((again for _, again in one.given.values()), default=until)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, max(due - self._clock(), 0.0))):
                    await self._news.wait()

    def _next(self, one: _Reader, most: int) -> list[Record]:
        now = self._clock()
        found = [record for record, until in one.given.values() if until <= now][:most]
        if len(found) < most and self._records and one.position < self._last:
            first = max(one.position + 1 - self._records[0].position, 0)
            for place in range(first, len(self._records)):
                record = self._records[place]
                one.position = record.position
                if fits(record.subject, one.subject):
                    found.append(record)
                    if len(found) >= most:
                        break
        for record in found:
            one.given[record.position] = record, now + AGAIN
        return found

    async def ack(self, reader: str, positions: Iterable[int]) -> None:
        """Let a reader be done with records."""
        if (one := self._readers.get(reader)) is not None:
            for position in positions:
                one.given.pop(position, None)

    async def close(self) -> None:
        """Nothing is to be let go."""
