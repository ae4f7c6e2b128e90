"""The shell of Modbus TCP: one connection to one device, round after round, for ever."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from v2g.address import host_and_port
from v2gkit.grid.declared import Modbus
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.modbus.frames import Answer, Line, Question
from v2gkit.grid.modbus.reading import opening_of, round_of
from v2gkit.grid.modbus.storage import Storage
from v2gkit.grid.modbus.sunspec import Script
from v2gkit.grid.shell.reason import reason

T = TypeVar("T")
AT_ONCE: Final = 512  # octets of one read: the longest answer has 260
FIRST, LONGEST = 0.2, 10.0  # s between two attempts at a connection, the first and the longest
Hear = Callable[[dict[str, float]], None]
Complain = Callable[[GridFault], None]


async def follow(device: Modbus, hear: Hear, complain: Complain, storage: Storage | None = None) -> None:
    """Tell `hear` what the device says in each round, and `complain` each fault, until cancelled. What `hear` raises is a fault as well.

    After each round a battery's `storage` is asked for the order of that moment."""
    wait = FIRST
    while True:
        try:
            async with asyncio.timeout(device.timeout):
                reader, writer = await asyncio.open_connection(*host_and_port(device.address))
        except TimeoutError:
            complain(GridFault(Trouble.SLOW, f"{device.name}: {device.address} takes no connection within {device.timeout:g} s"))
        except OSError as error:
            complain(GridFault(Trouble.UNREACHABLE, f"{device.name}: {device.address}: {reason(error)}"))
        else:
            wait = await _attended(device, reader, writer, hear, complain, storage) or wait
        await asyncio.sleep(wait)
        wait = min(2 * wait, LONGEST)


async def _attended(
    device: Modbus,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    hear: Hear,
    complain: Complain,
    storage: Storage | None,
) -> float | None:
    """Rounds on one connection until a fault; how long to wait then (s), None where there was no sound round."""
    sound, line, loop = None, Line(device.unit), asyncio.get_running_loop()

    async def carried(script: Script[T]) -> T:
        return await _carried(script, line, reader, writer, device.timeout)

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
        writer.transport.abort()
    return sound


async def _carried(script: Script[T], line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float) -> T:  # noqa: ASYNC109
    """What a script finds, its questions asked one after the other, each within `timeout` s."""
    try:
        question = next(script)
        while True:
            async with asyncio.timeout(timeout):
                answer = await _asked(question, line, reader, writer)
            question = script.send(answer)
    except StopIteration as end:
        found: T = end.value
        return found


async def _asked(question: Question, line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer:
    writer.write(line.ask(question))
    await writer.drain()
    while True:
        octets = await reader.read(AT_ONCE)
        if not octets:
            raise ConnectionResetError("it hangs up before it has answered")
        if (answer := line.receive(octets)) is not None:
            return answer
