"""Orders and readings by Modbus TCP: a register with the W that an asset may draw, one with the W that it draws."""

import asyncio
import math
from typing import Final

from v2g.address import host_and_port
from v2g.legible import legible, logger
from v2gkit.fleet.arms.verbs import ArmFault, Order, See, Seen
from v2gkit.fleet.declared import Asset
from v2gkit.grid.faults import GridFault
from v2gkit.grid.modbus.frames import HOLDING, Answer, Declined, Line, Question, Read, Write

PATIENCE: Final = 3.0  # s for a device to answer
AT_ONCE: Final = 512  # octets of one read
EVERY: Final = 1.0  # s between two readings
LOG = logger("v2g.fleet")


class ModbusArm:
    """Carries orders to devices, each on a connection of its own that is made anew after a fault."""

    def __init__(self) -> None:
        self._lines: dict[str, tuple[Line, asyncio.StreamReader, asyncio.StreamWriter]] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    def forget(self, asset: str) -> None:
        """Hang up to an asset."""
        if (line := self._lines.pop(asset, None)) is not None:
            line[2].transport.abort()
        self._turns.pop(asset, None)

    async def follow(self, asset: Asset, see: See) -> None:
        """Tell what the asset draws each second, until cancelled; one that does not answer is tried again."""
        missed, complained = False, ""
        while True:
            try:
                imported, exported = [await self.energy(asset, at) for at in (asset.energy_register, asset.exported_register)]
                see(Seen(await self.power(asset), back=missed, imported=imported, exported=exported or 0.0))
                missed, complained = False, ""
            except ArmFault as fault:
                missed = True
                if str(fault) != complained:
                    complained = str(fault)
                    LOG.warning("%s: %s", asset.id, legible(complained))
            await asyncio.sleep(EVERY)

    async def carry(self, asset: Asset, order: Order) -> None:
        """Write what the asset may draw. Raises ArmFault where the device does not confirm it."""
        watts = min(math.floor(max(order.power, 0.0)), 0xFFFF_FFFF)
        await self._asked(asset, Write(asset.limit_register, (watts >> 16, watts & 0xFFFF)))

    async def power(self, asset: Asset) -> float:
        """What the asset draws (W, signed). Raises ArmFault."""
        high, low = await self._asked(asset, Read(HOLDING, asset.power_register, 2))
        watts = high << 16 | low
        return float(watts - (1 << 32) if watts >= 1 << 31 else watts)

    async def energy(self, asset: Asset, register: int | None) -> float | None:
        """What the asset has drawn, or given (Wh), by its register; None where it has none. Raises ArmFault."""
        if register is None:
            return None
        high, low = await self._asked(asset, Read(HOLDING, register, 2))
        return float(high << 16 | low)

    def close(self) -> None:
        """Hang up everywhere, without a word."""
        for _, _, writer in self._lines.values():
            writer.transport.abort()
        self._lines.clear()

    async def _asked(self, asset: Asset, question: Question) -> tuple[int, ...]:
        async with self._turns.setdefault(asset.id, asyncio.Lock()):
            try:
                async with asyncio.timeout(PATIENCE):
                    answer = await self._answer(asset, question)
            except (GridFault, OSError, TimeoutError) as error:
                if (line := self._lines.pop(asset.id, None)) is not None:
                    line[2].transport.abort()
                raise ArmFault(f"{asset.address}: {error or type(error).__name__}") from None
        if isinstance(answer, Declined):
            raise ArmFault(f"{asset.address}: {answer}")
        return answer

    async def _answer(self, asset: Asset, question: Question) -> Answer:
        if asset.id not in self._lines:
            self._lines[asset.id] = Line(asset.unit), *await asyncio.open_connection(*host_and_port(asset.address))
        line, reader, writer = self._lines[asset.id]
        writer.write(line.ask(question))
        await writer.drain()
        while True:
            octets = await reader.read(AT_ONCE)
            if not octets:
                raise ConnectionResetError("it hangs up before it has answered")
            if (answer := line.receive(octets)) is not None:
                return answer
