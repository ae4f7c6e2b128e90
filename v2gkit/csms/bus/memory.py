"""A bus in memory: for one process, and for tests of what several do."""

import asyncio
import time
from collections.abc import Callable

from v2gkit.csms.bus.verbs import LEASE, BusFault, Hear, Nobody, Said, Serve


class MemoryBus:
    """A bus whose parties are in this process. `clock` gives monotonic s."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._serving: dict[str, Serve] = {}
        self._hearing: dict[str, list[Hear]] = {}
        self._owners: dict[str, str] = {}
        self._alive: dict[str, float] = {}

    async def serve(self, subject: str, serve: Serve) -> None:
        """Answer requests to a subject."""
        self._serving[subject] = serve

    async def request(self, subject: str, said: Said, within: float) -> Said:
        """The answer of whoever serves a subject."""
        if (serve := self._serving.get(subject)) is None:
            raise Nobody(f"nobody serves {subject}")
        try:
            async with asyncio.timeout(within):
                return await serve(said)
        except TimeoutError:
            raise BusFault(f"{subject} did not answer within {within:g} s") from None

    async def publish(self, subject: str, said: Said) -> None:
        """Tell everybody who listens."""
        for hear in self._hearing.get(subject, ()):
            hear(said)

    async def listen(self, subject: str, hear: Hear) -> None:
        """Hear what is published."""
        self._hearing.setdefault(subject, []).append(hear)

    async def renew(self, owner: str) -> None:
        """Note that an owner lives."""
        self._alive[owner] = self._clock() + LEASE

    async def claim(self, thing: str, owner: str) -> str:
        """Take what is nobody's."""
        holder = self._owners.get(thing)
        if holder is not None and holder != owner and self._alive.get(holder, 0.0) > self._clock():
            return holder
        self._owners[thing] = owner
        return owner

    async def owner(self, thing: str) -> str | None:
        """Whose a thing is."""
        return self._owners.get(thing)

    async def release(self, thing: str, owner: str) -> None:
        """Let go what is one's own."""
        if self._owners.get(thing) == owner:
            del self._owners[thing]

    async def close(self) -> None:
        """Nothing is to be left."""
