"""Raw Ethernet for matching (Linux), and the loop that drives either side over it.

async with Wire("eth1") as wire:
    side = EvMatching(wire.mac, wire.now(), entropy=os.urandom)
    await wire.run(side, print, until=lambda: side.state in ("linked", "failed"))
"""

import asyncio
import socket
import sys
from collections.abc import Callable
from types import TracebackType

from v2g.session.link import Unreachable
from v2g.session.transport.addresses import index_of
from v2g.slac.car import EvMatching
from v2g.slac.frames import ETHERTYPE, MOST
from v2g.slac.side import Progress, Side

AT_ONCE = 64  # frames that are read before what is due is done: a flood does not keep a timer waiting
DOWN = 1.0  # s until a frame is tried again on an interface that is down


class Wire:
    """A raw socket on one Ethernet interface, for frames of power line modems alone. Opening it raises Unreachable with the cure."""

    def __init__(self, interface: str):
        self.interface = interface
        index_of(interface)
        self._socket = _opened(interface)
        self.mac: bytes = self._socket.getsockname()[4]
        self._came = asyncio.Event()
        self.down = ""  # why the last frame could not be sent

    async def __aenter__(self) -> "Wire":
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._came.set)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self.close()

    def close(self) -> None:
        """Close the socket: nothing more is sent or read."""
        self._socket.close()

    @staticmethod
    def now() -> float:
        """The monotonic time (s) that the sides on this wire are given."""
        return asyncio.get_running_loop().time()

    def stir(self) -> None:
        """Make `run` look at its side at once, because something from outside changed it."""
        self._came.set()

    async def run(self, side: Side, observe: Callable[[Progress], None], *, until: Callable[[], bool] = lambda: False) -> None:
        """Drive a side of matching until `until()` is true; `observe` is called with each of its steps."""
        while True:
            self._read(side)
            side.tick(self.now())
            for octets in side.frames_to_send(self.now()):
                self._write(octets)
            for event in side.events():
                observe(event)
            if until():
                return
            deadline = side.deadline()
            limit = None if deadline is None else max(0.0, deadline - self.now())
            try:
                async with asyncio.timeout(limit):
                    await self._came.wait()
            except TimeoutError:
                continue

    def _read(self, side: Side) -> None:
        self._came.clear()
        for _ in range(AT_ONCE):
            try:
                octets = self._socket.recv(MOST + 1)
            except BlockingIOError:
                return
            except OSError as error:  # the interface went away or down: it may come back
                self.down = error.strerror or str(error)
                return
            side.receive(octets, self.now())
        self._came.set()  # there may be more

    def _write(self, octets: bytes) -> None:
        try:
            self._socket.send(octets)
            self.down = ""
        except OSError as error:  # lost, as a frame on the line may be: whoever waits asks again
            self.down = error.strerror or str(error)


def _opened(interface: str) -> socket.socket:
    if not sys.platform.startswith("linux"):
        raise Unreachable(f"matching on {interface!r} needs raw Ethernet, which is only made for Linux")
    try:
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE))
    except PermissionError:
        raise Unreachable(
            f"matching on {interface!r} needs raw Ethernet, which this user may not open: run as root, or give CAP_NET_RAW "
            "(systemd: AmbientCapabilities=CAP_NET_RAW; else setcap cap_net_raw+ep on the Python interpreter)"
        ) from None
    try:
        wire.setblocking(False)
        wire.bind((interface, ETHERTYPE))
    except OSError as error:
        wire.close()
        raise Unreachable(
            f"interface {interface!r} cannot be used for matching: {error.strerror}; set it up (ip link set {interface} up)"
        ) from None
    return wire


async def join(interface: str, observe: Callable[[Progress], None], entropy: Callable[[int], bytes]) -> EvMatching:
    """Match a car on an interface, and return its side once the link stands. Raises Unreachable with the reason where none comes about."""
    async with Wire(interface) as wire:
        car = EvMatching(wire.mac, wire.now(), entropy=entropy)
        last: list[Progress] = []

        def heard(step: Progress) -> None:
            last[:] = [step]
            observe(step)

        await wire.run(car, heard, until=lambda: car.state in ("linked", "failed"))
    if car.state == "failed":
        raise Unreachable(f"no station was matched on {interface!r}: {last[0].what}")
    return car
