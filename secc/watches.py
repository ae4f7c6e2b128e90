"""What a session's hardware is watched for: each watch reads it again and again, and tells what it found. A shell."""

import asyncio
from collections.abc import Callable

from secc.evse import EVSE
from secc.station import Arrival, Fact, LimitsChanged, MeterRead, PlaceIs, PositionIs

METER_PERIOD = 0.5  # s between two readings of the meter under power
LIMITS_PERIOD = 1.0  # s between two looks at what the outlet can do
POSITION_PERIOD = 0.2  # s between two looks at where a vehicle stands
STILL = 5  # periods between two readings of an output that stands still: with those of an EVSE a quarter of a second, as a car's loop


class Watches:
    """The watches over one outlet in one session. Each goes on until its task is cancelled; `fact` is told what was found.

    `commanded` is set when the hardware was told something.
    """

    def __init__(self, evse: EVSE, fact: Callable[[Fact], None], commanded: asyncio.Event):
        self._evse, self._fact, self._commanded = evse, fact, commanded

    async def position(self) -> None:
        """Watch where a vehicle stands under an ACDP."""
        while True:
            position = await self._evse.read_position()
            if position is not None:
                self._fact(PositionIs(position))
            await asyncio.sleep(POSITION_PERIOD)

    async def place(self, arrival: Callable[[], Arrival | None]) -> None:
        """Watch the place of a vehicle that checks in; `arrival` gives what it said last."""
        while (said := arrival()) is not None:
            place = await self._evse.read_place(said)
            if place is not None:
                self._fact(PlaceIs(place))
            await asyncio.sleep(POSITION_PERIOD)

    async def output(self) -> None:
        """Watch voltage and current at the outlet: closely while they change, more rarely while they do not, until the next command."""
        before, periods = None, 1
        while True:
            self._commanded.clear()
            found = await self._evse.read_output()
            self._fact(found)
            periods = min(periods * 2, STILL) if found == before else 1
            before = found
            if await self._told(periods * self._evse.output_period):
                periods = 1

    async def _told(self, seconds: float) -> bool:
        """Wait so long, or until the next command; whether one came."""
        loop = asyncio.get_running_loop()
        bell = loop.call_later(seconds, self._commanded.set)
        try:
            await self._commanded.wait()
        finally:
            bell.cancel()
        return loop.time() < bell.when()

    async def meter(self) -> None:
        """Watch the meter of the outlet: its registers under power."""
        while True:
            await self.read_meter()
            await asyncio.sleep(METER_PERIOD)

    async def read_meter(self) -> None:
        """Read the meter once; nothing is told where there is none."""
        reading = await self._evse.read_meter()
        if reading is not None:
            self._fact(MeterRead(reading))

    async def limits(self) -> None:
        """Watch what the outlet can do."""
        while True:
            await asyncio.sleep(LIMITS_PERIOD)
            self._fact(LimitsChanged(await self._evse.limits()))

    async def notices(self) -> None:
        """Listen to what happens at the outlet by itself."""
        async for fact in self._evse.notices():
            self._fact(fact)
