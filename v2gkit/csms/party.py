"""Processes of a CSMS that share stations: each holds the links of some, and reaches the others' over a bus.

A station is held by who claimed it on the bus. A process that says nothing for the length of a lease is taken for dead, and its stations
are free; one that was only asleep drops, when it wakes, the links of stations that others have taken. While the bus does not answer,
stations that are connected stay, and no new one is let in: who held it could not be known.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final

from ocpp_bridge.wire.schemas import Payload
from v2g.legible import logger
from v2gkit.csms.bus.verbs import LEASE, Bus, BusFault, Nobody, Said
from v2gkit.csms.operating import UNKNOWN, Arguments, Failed, operate
from v2gkit.csms.server import Csms

LOG = logger("v2g.csms")
RENEWAL: Final = LEASE / 3  # s between two signs of life
ANSWERING: Final = 40.0  # s for another process: a call to a station has 30, and the way its own
SUBJECT: Final = "v2g.csms"


class Party:
    """One process among those on a bus. With a bus in memory it is the only one, and everything is the same."""

    def __init__(self, csms: Csms, bus: Bus, process: str, clock: Callable[[], float] = time.monotonic):
        self._csms, self._bus, self.process, self._clock = csms, bus, process, clock
        self._others: dict[str, tuple[float, frozenset[str]]] = {}
        self._renewed = clock()
        self._turns: dict[str, asyncio.Lock] = {}  # one claim or release of a station at a time; as many as the CSMS remembers stations
        csms.holding = self

    @contextlib.asynccontextmanager
    async def joined(self) -> AsyncIterator["Party"]:
        """Be on the bus within the block."""
        await self._bus.renew(self.process)
        await self._bus.serve(f"{SUBJECT}.process.{self.process}", self._asked)
        await self.listen("alive", self._seen)
        living = asyncio.create_task(self._live())
        try:
            yield self
        finally:
            living.cancel()
            for station in self._held():
                with contextlib.suppress(BusFault):
                    await self._bus.release(station, self.process)
            await self._bus.close()

    def connected(self) -> dict[str, str]:
        """Every station that is connected anywhere, with the process that holds it."""
        alive = ((process, stations) for process, (at, stations) in self._others.items() if self._clock() - at < LEASE)
        found = {station: process for process, stations in alive for station in stations}
        return found | dict.fromkeys(self._held(), self.process)

    async def operate(self, station: str, verb: str, arguments: Arguments) -> Payload:
        """Carry out a verb at a station, wherever it is connected; its answer. Raises Failed."""
        place = self._csms.stations.get(station)
        if place is not None and place.link is not None:
            return await operate(self._csms, station, verb, arguments)
        try:
            holder = await self._bus.owner(station)
            if holder is None or holder == self.process:
                return await operate(self._csms, station, verb, arguments)
            said = {"ask": "operate", "station": station, "verb": verb, "arguments": arguments}
            answer = await self._bus.request(f"{SUBJECT}.process.{holder}", said, ANSWERING)
        except Nobody:
            raise Failed("NotConnected", f"{station} was held by a process that has gone") from None
        except BusFault as fault:
            raise Failed("Timeout", str(fault)) from None
        if "code" in answer:
            raise Failed(str(answer["code"]), str(answer["error"]))
        given: Payload = answer["answer"]
        return given

    async def publish(self, subject: str, said: Said) -> None:
        """Tell the other processes. Raises BusFault."""
        await self._bus.publish(f"{SUBJECT}.{subject}", said | {"process": self.process})

    async def listen(self, subject: str, hear: Callable[[Said], None]) -> None:
        """Hear what other processes publish. Raises BusFault."""
        await self._bus.listen(f"{SUBJECT}.{subject}", lambda said: hear(said) if said["process"] != self.process else None)

    # --- what the server asks: whether a station may come in ---

    async def claim(self, station: str) -> bool:
        """Whether a station that connects here is now ours: nobody else holds it, or who did finds that it does not answer any more."""
        try:
            async with self._turn(station):
                holder = await self._bus.claim(station, self.process)
                if holder != self.process and await self._yielded(holder, station):
                    holder = await self._bus.claim(station, self.process)
                return holder == self.process
        except BusFault as fault:
            LOG.error("%s is not let in, for it is not known who has it: %s", station, fault)
            return False

    async def _yielded(self, holder: str, station: str) -> bool:
        try:
            said = await self._bus.request(f"{SUBJECT}.process.{holder}", {"ask": "yield", "station": station}, LEASE)
        except Nobody:  # it has gone, and its lease ends soon
            return False
        return bool(said["yielded"])

    async def release(self, station: str) -> None:
        """Let a station that has gone be free for others."""
        with contextlib.suppress(BusFault):  # then it is free when the next one asks for it here, or the lease ends
            async with self._turn(station):
                if self._csms.stations[station].link is None:  # it has not come back meanwhile
                    await self._bus.release(station, self.process)

    def _turn(self, station: str) -> asyncio.Lock:
        return self._turns.setdefault(station, asyncio.Lock())

    # --- on the bus ---

    async def _asked(self, said: Said) -> Said:
        station = str(said["station"])
        if said["ask"] == "yield":
            async with self._turn(station):
                place = self._csms.stations.get(station)
                if place is not None and place.link is not None and not await self._csms.given_way(place):
                    return {"yielded": False}
                await self._bus.release(station, self.process)
                return {"yielded": True}
        try:
            if station not in self._csms.stations:
                raise Failed(UNKNOWN, f"no station {station} is here")
            return {"answer": await operate(self._csms, station, said["verb"], said["arguments"])}
        except Failed as failed:
            return {"code": failed.code, "error": str(failed)}

    def _seen(self, said: dict[str, Any]) -> None:
        self._others[said["process"]] = self._clock(), frozenset(said["stations"])

    async def _live(self) -> None:
        """Give signs of life; after a silence longer than the lease, let go what others have taken meanwhile."""
        while True:
            try:
                asleep = self._clock() - self._renewed > LEASE
                await self._bus.renew(self.process)
                self._renewed = self._clock()
                if asleep:
                    await self._let_go(self._held())
                await self.publish("alive", {"stations": self._held()})
            except BusFault as fault:
                LOG.warning("the other processes do not hear of this one: %s", fault)
            await asyncio.sleep(RENEWAL)

    async def _let_go(self, stations: Iterable[str]) -> None:
        for station in stations:
            if await self._bus.claim(station, self.process) != self.process:
                LOG.warning("%s is another process's now: its link here ends", station)
                self._csms.drop(self._csms.stations[station])

    def _held(self) -> list[str]:
        return [station.id for station in self._csms.stations.values() if station.link is not None]
