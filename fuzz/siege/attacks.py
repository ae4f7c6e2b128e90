"""What is tried at the attacked outlet. Each runs until its time is over, and counts what it did."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import msgspec

from evcc.iso20.known import Car
from evcc.iso20.misbehaving import upto
from evcc.script import Part, Raw
from evcc.trust import vehicle_tls
from fuzz.siege.frames import largest
from fuzz.siege.guests import visit_of
from pki.store import Store
from v2g.exi.codec import encode
from v2g.iso20.services import PROTOCOLS
from v2g.messages import schema_set
from v2g.messages.common_messages import ScheduleExchangeReq
from v2g.messages.common_types import RationalNumberType
from v2g.session import sdp
from v2g.session.errors import SessionError
from v2g.session.sap import offer
from v2g.session.sdp import PORT, Request, Security
from v2g.session.transport import ClientTls
from v2g.session.transport.channel import Channel
from v2g.session.v2gtp import PayloadType, frame

HELLO: Final = frame(PayloadType.EXI, encode(offer((PROTOCOLS["dc"],)), schema_set("app")))
ABORT: Final = struct.pack("ii", 1, 0)


@dataclass
class Target:
    """The attacked outlet, and how long it is attacked."""

    host: str
    port: int
    store: Store
    until: float  # of the event loop's clock
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether the time has run out."""
        return asyncio.get_running_loop().time() >= self.until

    def count(self, what: str) -> None:
        """One more of them."""
        self.counts[what] = self.counts.get(what, 0) + 1

    @property
    def tls(self) -> ClientTls:
        """A car's TLS, with the certificate that the store holds."""
        return vehicle_tls(self.store)


Attack = Callable[[Target], Awaitable[None]]


async def _connect(target: Target) -> socket.socket:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        async with asyncio.timeout(5):
            await asyncio.get_running_loop().sock_connect(sock, (target.host, target.port))
    except BaseException:
        sock.close()
        raise
    return sock


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    sock.close()


@contextlib.asynccontextmanager
async def secured(target: Target, pause: float = 0.0) -> AsyncIterator[tuple[Channel, socket.socket]]:
    """A whole handshake, with `pause` seconds before each flight."""
    loop, channel = asyncio.get_running_loop(), target.tls.channel()
    sock = await _connect(target)
    try:
        await asyncio.sleep(pause)
        channel.start()
        await loop.sock_sendall(sock, channel.octets_to_send())
        while channel.facts is None:
            octets = await loop.sock_recv(sock, 65536)
            if not octets:
                raise ConnectionError("closed in the handshake")
            await asyncio.sleep(pause)
            channel.receive(octets)
            await loop.sock_sendall(sock, channel.octets_to_send())
        yield channel, sock
    finally:
        _reset(sock)


async def speak(channel: Channel, sock: socket.socket, octets: bytes, answer: bool = True) -> bytes:
    """Send octets; what comes back first, b"" where nothing is waited for or the station closed."""
    loop = asyncio.get_running_loop()
    channel.send(octets)
    await loop.sock_sendall(sock, channel.octets_to_send())
    heard = b""
    while answer and not heard:
        octets = await loop.sock_recv(sock, 65536)
        if not octets:
            break
        heard = channel.receive(octets)
    return heard


async def _many(count: int, attack: Attack, target: Target) -> None:
    async def again() -> None:
        while not target.over:
            with contextlib.suppress(OSError, SessionError, TimeoutError):
                async with asyncio.timeout_at(target.until):
                    await attack(target)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(again())


def times(count: int, attack: Attack) -> Attack:
    """An attack by so many at once."""
    return lambda target: _many(count, attack, target)


# --- at the door ---


async def _nothing(target: Target) -> None:
    await asyncio.sleep(max(0.0, target.until - asyncio.get_running_loop().time()))


def _hello(target: Target) -> bytes:
    channel = target.tls.channel()
    channel.start()
    return channel.octets_to_send()


async def _hellos_at_once(target: Target) -> None:
    hello, loop = _hello(target), asyncio.get_running_loop()
    open_ones = []
    for _ in range(500):
        with contextlib.suppress(OSError, TimeoutError):
            sock = await _connect(target)
            open_ones.append(sock)
    for sock in open_ones:
        with contextlib.suppress(OSError):
            await loop.sock_sendall(sock, hello)
            target.count("hellos")
    await _nothing(target)
    for sock in open_ones:
        sock.close()


async def _hello_once(target: Target) -> None:
    sock = await _connect(target)
    try:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, _hello(target))
        await loop.sock_recv(sock, 65536)
        target.count("hellos")
    finally:
        _reset(sock)


async def _touch(target: Target) -> None:
    _reset(await _connect(target))
    target.count("connections")


async def _garbage(target: Target) -> None:
    sock = await _connect(target)
    await asyncio.get_running_loop().sock_sendall(sock, b"\x16\x03\x01" + bytes(22))
    _reset(sock)
    target.count("connections")


async def _idle(target: Target) -> None:
    open_ones = []
    for _ in range(500):
        with contextlib.suppress(OSError, TimeoutError):
            open_ones.append(await _connect(target))
            target.count("connections")
    await _nothing(target)
    for sock in open_ones:
        sock.close()


async def idle_stream(target: Target, rate: float) -> None:
    """So many new silent connections each second, all kept."""
    loop = asyncio.get_running_loop()
    open_ones: list[socket.socket] = []
    begin = loop.time()
    while not target.over:
        while len(open_ones) < (loop.time() - begin) * rate:
            with contextlib.suppress(OSError, TimeoutError):
                open_ones.append(await _connect(target))
                target.count("connections")
        await asyncio.sleep(0.01)
        if len(open_ones) > 4000:
            for sock in open_ones[:2000]:
                sock.close()
            begin += 2000 / rate
            del open_ones[:2000]
    for sock in open_ones:
        sock.close()


async def _shake_hands(target: Target) -> None:
    async with secured(target):
        target.count("handshakes")


async def slow_car(target: Target, pause: float) -> bool:
    """A good car whose controller takes so long for each flight; whether it got an answer to its first message."""
    try:
        async with asyncio.timeout(15), secured(target, pause) as (channel, sock):
            return bool(await speak(channel, sock, HELLO))
    except (OSError, SessionError, TimeoutError):
        return False


async def _discovery(target: Target) -> None:
    loop = asyncio.get_running_loop()
    requests = (sdp.encode(Request(Security.TLS)), b"\x01\xfe\x90\x00\x00\x00\x00\x02\x10", bytes(300))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        while not target.over:
            for _ in range(20):
                for request in requests:
                    with contextlib.suppress(OSError):
                        sock.sendto(request, ("::1", PORT))
                        target.count("datagrams")
            await asyncio.sleep(0.01)
            await loop.run_in_executor(None, lambda: None)


# --- behind it ---


def _large(kind: str, cut: bool) -> Attack:
    async def attack(target: Target) -> None:
        async with secured(target) as (channel, sock):
            await speak(channel, sock, HELLO)
            octets = largest(kind, cut)
            for at in range(0, len(octets), 16_000):
                await speak(channel, sock, octets[at : at + 16_000], answer=False)
            await speak(channel, sock, b"", answer=True)
            target.count("frames")

    return attack


async def _dripping(target: Target) -> None:
    """A frame whose last octets come one by one."""
    async with secured(target) as (channel, sock):
        await speak(channel, sock, HELLO)
        octets = largest("Objects")
        for at in range(0, len(octets) - 6_000, 16_000):
            await speak(channel, sock, octets[at : at + 16_000], answer=False)
        target.count("connections")
        while not target.over:
            await speak(channel, sock, octets[:1], answer=False)
            await asyncio.sleep(1)


async def _changing_needs(target: Target) -> None:
    """An authorized car that asks for a schedule again and again, each time for other needs."""

    def script(car: Car) -> Part[str]:
        request: Any = yield from upto(car, ScheduleExchangeReq)
        mode = request.Dynamic_SEReqControlMode
        while not target.over:
            wh = RationalNumberType(Exponent=0, Value=1000 + 50 * (target.counts.get("requests", 0) % 600))
            wanted = msgspec.structs.replace(mode, EVTargetEnergyRequest=wh)
            yield Raw(car.stamped(msgspec.structs.replace(request, Dynamic_SEReqControlMode=wanted)))
            target.count("requests")
        return "over"

    while not target.over:
        await visit_of(target.store, None, script).at(target.host, target.port)
        await asyncio.sleep(0.1)


ATTACKS: Final[Mapping[str, Attack]] = MappingProxyType(
    {
        "none": _nothing,
        "one malformed frame of 256 KiB at a time, 1 connection": times(1, _large("Objects", True)),
        "the same, 10 connections": times(10, _large("Objects", True)),
        "malformed References, 10 connections": times(10, _large("References", True)),
        "valid X509IssuerSerials, 1 connection": times(1, _large("X509IssuerSerials", False)),
        "valid KeyNames of 4-octet characters, 10 connections": times(10, _large("KeyNames of 4-octet characters", False)),
        "valid KeyNames, 10 connections": times(10, _large("KeyNames", False)),
        "valid References, 10 connections": times(10, _large("References", False)),
        "valid empty Objects, 40 connections": times(40, _large("Objects", False)),
        "frames of 256 KiB that never end, 40 connections": times(40, _dripping),
        "500 ClientHellos at once, then silence": _hellos_at_once,
        "ClientHellos, 128 at a time": times(128, _hello_once),
        "connect and reset": times(8, _touch),
        "25 octets of garbage and reset": times(8, _garbage),
        "500 idle connections": _idle,
        "400 idle connections per second": lambda target: idle_stream(target, 400),
        "whole mutual handshakes, 10 at a time": times(10, _shake_hands),
        "ScheduleExchangeReq with other needs, without a pause": _changing_needs,
        "discovery requests, half of them nonsense": _discovery,
    }
)
