"""The simulated outlet of a soak, with a tell-tale that another process reads: a few numbers in a file that both have mapped."""

import asyncio
import mmap
import struct
import time
from pathlib import Path
from typing import Final

from secc.simulated import Physics, SimulatedEVSE
from v2g.session.endpoint import Ended

FIELDS: Final = ("closed", "closings", "openings", "began", "ended", "astray")
_ROW: Final = struct.Struct("<6Q")
QUICK: Final = Physics(contactor=0.01, isolation=0.01, volts_per_second=80_000, amperes_per_second=40_000)


class Telltale:
    """The file: one row an outlet, `closed` 1 or 0, the rest counts. `astray` counts what must never be (see `SoakedEVSE`)."""

    def __init__(self, file: Path, outlets: int):
        if not file.exists():
            file.write_bytes(bytes(_ROW.size * outlets))
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), 0)

    def read(self, place: int) -> dict[str, int]:
        """The row of an outlet, by the names in FIELDS."""
        return dict(zip(FIELDS, _ROW.unpack_from(self._map, place * _ROW.size), strict=True))

    def write(self, place: int, row: dict[str, int]) -> None:
        """Put the row of an outlet."""
        _ROW.pack_into(self._map, place * _ROW.size, *(row[name] for name in FIELDS))


class SoakedEVSE(SimulatedEVSE):
    """Simulated hardware that tells of its contactor by itself, whatever the software above it believes.

    Astray is a contactor that closes while no session has the outlet, or is closed when its session is said to be over.
    """

    def __init__(self, file: str, place: int, outlets: int):
        now = asyncio.get_running_loop().time
        super().__init__(now, time.time, asyncio.sleep, evse_id=f"DE*V2G*E{place + 1}", physics=QUICK)
        self._telltale, self._place = Telltale(Path(file), outlets), place
        self._in_session = False

    async def session_began(self, evccid: str) -> None:
        await super().session_began(evccid)
        self._in_session = True
        self._count("began")

    async def session_ended(self, ended: Ended) -> None:
        await super().session_ended(ended)
        self._in_session = False
        row = self._count("ended")
        if row["closed"]:
            self._count("astray")

    async def _switch(self, closed: bool) -> None:
        await super()._switch(closed)
        row = self._telltale.read(self._place)
        if row["closed"] != self.closed:
            self._telltale.write(self._place, row | {"closed": int(self.closed)})
            self._count("closings" if self.closed else "openings")
            if self.closed and not self._in_session:
                self._count("astray")

    def _count(self, name: str) -> dict[str, int]:
        row = self._telltale.read(self._place)
        row[name] += 1
        self._telltale.write(self._place, row)
        return row
