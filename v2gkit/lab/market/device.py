"""Devices on Modbus TCP for the laboratory: holding registers in memory, which programs set and read. For one market, on loopback."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

HEAD: Final = struct.Struct(">HHHB")
READ, WRITE = 0x03, 0x10
ILLEGAL: Final = 0x02  # exception: no such register

Registers = dict[int, int]
Wrote = Callable[[int], None]
"""Hears that registers of a unit were written."""


class Device:
    """The registers of several units behind one address."""

    def __init__(self, wrote: Wrote = lambda unit: None) -> None:
        self.units: dict[int, Registers] = {}
        self._wrote = wrote

    def put(self, unit: int, at: int, value: int) -> None:
        """Set two registers to a number of 32 bits, signed or not, the high word first."""
        high, low = struct.unpack(">HH", struct.pack(">I", value & 0xFFFF_FFFF))
        self.units.setdefault(unit, {}).update({at: high, at + 1: low})

    def number(self, unit: int, at: int) -> int:
        """The number of 32 bits, without sign, in two registers."""
        registers = self.units.get(unit, {})
        return registers.get(at, 0) << 16 | registers.get(at + 1, 0)

    def answer(self, unit: int, pdu: bytes) -> bytes:
        """The octets that answer a question."""
        function, at, count = struct.unpack_from(">BHH", pdu)
        registers = self.units.get(unit, {})
        wanted = range(at, at + count)
        if function == READ and all(place in registers for place in wanted):
            return struct.pack(f">BB{count}H", function, 2 * count, *(registers[place] for place in wanted))
        if function == WRITE and len(pdu) == 6 + 2 * count:
            registers.update(zip(wanted, struct.unpack_from(f">{count}H", pdu, 6), strict=True))
            self._wrote(unit)
            return struct.pack(">BHH", function, at, count)
        return bytes([function | 0x80, ILLEGAL])

    @asynccontextmanager
    async def served(self, port: int = 0) -> AsyncIterator[int]:
        """Answer on loopback within the block, at a port, or any (0); gives the port."""
        there: set[asyncio.StreamWriter] = set()

        async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there.add(writer)
            try:
                while True:
                    transaction, protocol, length, unit = HEAD.unpack(await reader.readexactly(HEAD.size))
                    pdu = self.answer(unit, await reader.readexactly(length - 1))
                    writer.write(HEAD.pack(transaction, protocol, len(pdu) + 1, unit) + pdu)
                    await writer.drain()
            except (ConnectionError, asyncio.IncompleteReadError, struct.error):
                pass
            finally:
                there.discard(writer)
                writer.transport.abort()

        server = await asyncio.start_server(attend, "127.0.0.1", port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for writer in list(there):
                writer.transport.abort()
