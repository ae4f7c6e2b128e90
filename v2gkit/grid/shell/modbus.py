"""The shell of Modbus: one connection to one device, over TCP, TLS or a serial line, round after round, for ever."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from v2g.address import host_and_port
from v2gkit.grid.declared import Modbus
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.modbus.frames import Answer, Line, Question
from v2gkit.grid.modbus.reading import opening_of, round_of
from v2gkit.grid.modbus.storage import Storage
from v2gkit.grid.modbus.sunspec import Script
from v2gkit.grid.shell.http import tls_client
from v2gkit.grid.shell.reason import reason
from v2gkit.grid.shell.serial import Serial

T = TypeVar("T")
AT_ONCE: Final = 512  # octets of one read: the longest answer has 260
FIRST, LONGEST = 0.2, 10.0  # s between two attempts at a connection, the first and the longest
Hear = Callable[[dict[str, float]], None]
Complain = Callable[[GridFault], None]


class Asked(Protocol):
    """What carries questions to a device."""

    async def ask(self, question: Question) -> Answer:
        """The answer to a question. TimeoutError without one in time, GridFault, OSError."""

    def close(self) -> None:
        """End the connection to the device at once."""


class Stream:
    """A connection by TCP or TLS."""

    def __init__(self, device: Modbus, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._line, self._timeout, self._reader, self._writer = Line(device.unit), device.timeout, reader, writer

    async def ask(self, question: Question) -> Answer:
        """The answer to a question. TimeoutError without one in time, GridFault, OSError."""
        async with asyncio.timeout(self._timeout):
            self._writer.write(self._line.ask(question))
            await self._writer.drain()
            while True:
                octets = await self._reader.read(AT_ONCE)
                if not octets:
                    raise ConnectionResetError("it hangs up before it has answered")
                if (answer := self._line.receive(octets)) is not None:
                    return answer

    def close(self) -> None:
        """End the connection to the device at once."""
        self._writer.transport.abort()


async def _opened(device: Modbus) -> Asked:
    if device.serial:
        return Serial(device)
    tls = await asyncio.to_thread(tls_client, device.roots, device.cert, device.key) if device.roots is not None else None
    async with asyncio.timeout(device.timeout):
        return Stream(device, *await asyncio.open_connection(*host_and_port(device.address), ssl=tls))


async def follow(device: Modbus, hear: Hear, complain: Complain, storage: Storage | None = None) -> None:
    """Tell `hear` what the device says in each round, and `complain` each fault, until cancelled. What `hear` raises is a fault as well.

    After each round a battery's `storage` is asked for the order of that moment."""
    wait = FIRST
    while True:
        try:
            asked = await _opened(device)
        except TimeoutError:
            complain(GridFault(Trouble.SLOW, f"{device.name}: {device.address} takes no connection within {device.timeout:g} s"))
        except ssl.SSLError as error:
            complain(GridFault(Trouble.DENIED, f"{device.name}: {device.address}: TLS: {error.reason or error}"))
        except OSError as error:
            complain(GridFault(Trouble.UNREACHABLE, f"{device.name}: {device.address}: {reason(error)}"))
        else:
            wait = await _attended(device, asked, hear, complain, storage) or wait
        await asyncio.sleep(wait)
        wait = min(2 * wait, LONGEST)


async def _attended(device: Modbus, asked: Asked, hear: Hear, complain: Complain, storage: Storage | None) -> float | None:
    """Rounds on one connection until a fault; how long to wait then (s), None where there was no sound round."""
    sound, loop = None, asyncio.get_running_loop()

    async def carried(script: Script[T]) -> T:
        return await _carried(script, asked)

    try:
        models = await carried(opening_of(device))
        if storage is not None:
            await carried(storage.opening(models or {}))
        due = loop.time()
        while True:
            hear(await carried(round_of(device, models)))
            if storage is not None:
                await carried(storage.obeyed())
            sound = FIRST
            due = max(due + device.every, loop.time())
            await asyncio.sleep(due - loop.time())
    except GridFault as fault:
        text = str(fault)
        complain(fault if text.startswith(f"{device.name}: ") else GridFault(fault.trouble, f"{device.name}: {text}"))
    except TimeoutError:
        complain(GridFault(Trouble.SLOW, f"{device.name}: no whole answer within {device.timeout:g} s"))
    except OSError as error:
        complain(GridFault(Trouble.UNREACHABLE, f"{device.name}: {reason(error)}"))
    finally:
        asked.close()
    return sound


async def _carried(script: Script[T], asked: Asked) -> T:
    """What a script finds, its questions asked one after the other."""
    try:
        question = next(script)
        while True:
            question = script.send(await asked.ask(question))
    except StopIteration as end:
        found: T = end.value
        return found
