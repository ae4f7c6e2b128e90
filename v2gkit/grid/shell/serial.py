"""The shell of a serial line: a port of the system, on which one question is under way at a time, whoever asks it."""

import asyncio
import os
import weakref
from typing import Final

from v2gkit.grid.declared import Modbus
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.modbus.frames import Answer, Question
from v2gkit.grid.modbus.rtu import FRAME, SerialLine, silence

try:
    import termios
except ImportError:  # a system without POSIX: there is no such line, and everything else goes on
    termios = None  # type: ignore[assignment]

_turns: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Lock]]" = weakref.WeakKeyDictionary()
ANSWER: Final = FRAME + 1  # octets of one read: one more than a frame has


class Serial:
    """The port of a device on a serial line. OSError where it is none, or another program has it; several devices share a line."""

    def __init__(self, device: Modbus) -> None:
        if termios is None:
            raise OSError("this system has no serial lines of POSIX")
        self._loop = asyncio.get_running_loop()
        self._turn = _turns.setdefault(self._loop, {}).setdefault(device.address, asyncio.Lock())
        self._line, self._timeout, self._silence = SerialLine(device.unit), device.timeout, silence(device.baud)
        self._port = os.open(device.address, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            speed = getattr(termios, f"B{device.baud}")
            flags = termios.CS8 | termios.CREAD | termios.CLOCAL
            flags |= {"none": 0, "even": termios.PARENB, "odd": termios.PARENB | termios.PARODD}[device.parity]
            flags |= termios.CSTOPB if device.parity == "none" and device.stop == 2 else 0
            characters = termios.tcgetattr(self._port)[6]
            termios.tcsetattr(self._port, termios.TCSANOW, [0, 0, flags, 0, speed, speed, characters])
        except termios.error as error:
            os.close(self._port)
            raise OSError(*error.args) from None

    async def ask(self, question: Question) -> Answer:
        """The answer to a question, once it is this device's turn. TimeoutError without one, GridFault, OSError."""
        async with self._turn:
            await asyncio.sleep(self._silence)
            termios.tcflush(self._port, termios.TCIFLUSH)
            octets = self._line.ask(question)
            if os.write(self._port, octets) != len(octets):
                raise GridFault(Trouble.UNREACHABLE, "its line takes no whole frame")
            async with asyncio.timeout(self._timeout):
                while (answer := self._line.receive(await self._read())) is None:
                    pass
                return answer

    def close(self) -> None:
        """Give the port back."""
        os.close(self._port)

    async def _read(self) -> bytes:
        ready = self._loop.create_future()
        self._loop.add_reader(self._port, _set, ready)
        try:
            await ready
        finally:
            self._loop.remove_reader(self._port)
        octets = os.read(self._port, ANSWER)
        if not octets:
            raise ConnectionResetError("its line hangs up")
        return octets


def _set(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
