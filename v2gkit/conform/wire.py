"""One connection to the peer under test, over which a script may send any octets at any time. A shell.

    wire = await Wire.opened(log, "::1", 15118, offer)      # TCP, then TLS as offered; None: plain TCP
    await wire.send(octets)
    reply = await wire.reply(within=2.0)                     # an answer, silence, or the end of the connection

Nothing here judges. What came of it is a `Reply`, which says it in words as well.
"""

import asyncio
import contextlib
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any, Literal

from v2g.exi.errors import DecodeError
from v2g.exi.schema import Type
from v2g.iso20.generation import ISO20
from v2g.session.endpoint import Event, FrameReceived
from v2g.session.errors import FramingError
from v2g.session.generation import Generation
from v2g.session.link import Connected, Disconnected, HandshakeFailed, Secured, Unprotected
from v2g.session.tls import CONFORMANCE, Credential, Profile, TlsError, TlsFacts
from v2g.session.transport import openssl
from v2g.session.transport.channel import Channel, Terms, Verify, Wall
from v2g.session.v2gtp import CAR_RECEIVES, Frame, FrameReader, frames_of
from v2gkit.conform.speech import framed, sent, set_of, understood
from v2gkit.conform.verdict import Evidence

CONNECT = 5.0  # s for TCP
HANDSHAKE = 10.0  # s for TLS


class Log:
    """What was seen on the connections of one run."""

    def __init__(self) -> None:
        self.events: list[tuple[int, Event]] = []
        self.connections = 0

    def connection(self) -> int:
        """The number of the next connection."""
        self.connections += 1
        return self.connections

    @property
    def evidence(self) -> Evidence:
        """Everything so far, in its order."""
        return tuple(self.events)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client brings to a TLS handshake: its lists and version in `profile`, the roots (DER) that it names in `authorities`.

    With `staples` it asks for OCSP responses.
    """

    credential: Credential | None
    profile: Profile = CONFORMANCE
    staples: bool = False
    authorities: tuple[bytes, ...] = ()


class _Ear(Channel):
    """A channel that keeps every message of the handshake, as (sent, content type, octets)."""

    def __init__(self, terms: Terms, context: "_Context"):
        self.heard: list[tuple[bool, int, bytes]] = []
        super().__init__(terms, context._engine)

    def hear(self, sent: bool, content: int, octets: bytes) -> None:
        self.heard.append((sent, content, octets))
        super().hear(sent, content, octets)


class _Context(openssl.Context):
    """TLS of a client that takes any server: what the server shows is for cases to judge."""

    def channel(self, verify: Verify | None, check_staples: Any = None, wall: Wall = time.time, older: Any = None) -> _Ear:
        return _Ear(Terms(self.profile, False, verify, check_staples, wall=wall), self)


def _context(offer: Offer) -> Any:
    """The library for an offer: only that of the system can name roots."""
    if not offer.authorities:
        return _Context(offer.profile, server=False, credential=offer.credential)
    from v2g.session.transport import libssl  # reads a table of C declarations, which costs 60 ms

    return libssl.Context(offer.profile, credential=offer.credential, authorities=offer.authorities)


@dataclass(frozen=True, slots=True)
class Reply:
    """What followed: an answer, octets that are none, silence, or the end of the connection; `seconds` after what was sent.

    `session_id` came with the answer; None: an answer that carries none.
    """

    kind: Literal["answer", "garbage", "silence", "closed"]
    seconds: float
    message: Type | None = None
    frame: Frame | None = None
    how: str = ""  # the connection ended: in order, by an alert, by a reset; or why the octets are no message
    session_id: bytes | None = None

    @property
    def code(self) -> str:
        """The response code; empty where there is no answer, or one without."""
        code = getattr(self.message, "ResponseCode", None)
        return str(code.value) if code is not None else ""

    @property
    def name(self) -> str:
        """The name of the message that was answered; empty where there is none."""
        return type(self.message).__name__ if self.message is not None else ""

    @property
    def ok(self) -> bool:
        """Whether it is an answer with a code that grants what was asked."""
        return self.code.startswith("OK")

    @property
    def fatal(self) -> bool:
        """Whether it is an answer whose code ends the session."""
        return self.code.upper().startswith("FAILED")

    @property
    def refused(self) -> bool:
        """Whether it grants nothing and ends the session: a fatal code, or the end of the connection."""
        return self.fatal or self.kind == "closed"

    def __str__(self) -> str:
        after = f"after {self.seconds:.2f} s"
        if self.kind == "answer":
            return f"{self.name} {self.code} {after}" if self.code else f"{self.name} {after}"
        return {"silence": f"nothing in {self.seconds:.2f} s", "closed": f"closed ({self.how}) {after}"}.get(
            self.kind, f"octets that are no message ({self.how}) {after}"
        )


@dataclass
class Wire:
    """One connection, from TCP to its end, on which messages of one generation are spoken."""

    log: Log
    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    channel: Channel | None = None
    frames: FrameReader = field(default_factory=lambda: FrameReader(CAR_RECEIVES, types=None))
    ended: str = ""  # how the connection ended, empty while it stands
    said: float = 0.0  # when this side spoke last, monotonic s
    generation: Generation = ISO20

    # --- begin ---

    @classmethod
    async def opened(cls, log: Log, host: str, port: int, offer: Offer | None, generation: Generation = ISO20) -> "Wire":
        """Connect, and shake hands where there is an offer. Raises OSError or TimeoutError without a connection, TlsError without TLS."""
        wire = await cls.connected(log, host, port, generation)
        try:
            if offer is None:
                wire._event(Unprotected(time.monotonic()))
            else:
                await wire.secure(offer)
        except BaseException:
            wire.abandon()
            raise
        return wire

    @classmethod
    async def connected(cls, log: Log, host: str, port: int, generation: Generation = ISO20) -> "Wire":
        """Connect by TCP alone. Raises OSError or TimeoutError."""
        async with asyncio.timeout(CONNECT):
            reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = cls(log, log.connection(), reader, writer, said=time.monotonic(), generation=generation)
        local, peer = sock.getsockname()[:2], sock.getpeername()[:2]
        wire._event(Connected(wire.said, tuple(local), tuple(peer)))
        return wire

    async def secure(self, offer: Offer) -> TlsFacts:
        """Shake hands over the connection. Raises TlsError, with the alert that the peer sent as `alert`."""
        check = (lambda chain, staples, at: None) if offer.staples else None
        channel: Channel = _context(offer).channel(lambda chain, at: chain, check)
        self.channel = channel
        try:
            async with asyncio.timeout(HANDSHAKE):
                channel.start()
                while channel.facts is None:
                    await self._flush()
                    await self._handshake_octets(channel)
                await self._flush()
        except TlsError as error:
            with contextlib.suppress(OSError):
                await self._flush()
            self._event(HandshakeFailed(time.monotonic(), error.reason, error.by, error.alert))
            raise
        except TimeoutError:
            self._event(HandshakeFailed(time.monotonic(), f"not complete after {HANDSHAKE:g} s", "peer"))
            raise
        self._event(Secured(time.monotonic(), channel.facts))
        return channel.facts

    async def _handshake_octets(self, channel: Channel) -> None:
        try:
            octets = await self.reader.read(65536)
        except OSError as error:
            self.ended = f"reset: {error.strerror}"
            raise TlsError(f"the peer reset the connection in the handshake: {error.strerror}", "peer") from None
        if not octets:
            self.ended = "closed in the handshake"
            raise TlsError("the peer closed the connection in the handshake", "peer")
        self._plain(channel.receive(octets))

    @property
    def facts(self) -> TlsFacts:
        """What was agreed in the handshake."""
        assert self.channel is not None
        assert self.channel.facts is not None
        return self.channel.facts

    def handshake_messages(self, kind: int) -> list[bytes]:
        """The messages of one kind that the peer sent in the handshake, whole."""
        heard = self.channel.heard if isinstance(self.channel, _Ear) else []
        return [octets for sent, content, octets in heard if not sent and content == 22 and octets[:1] == bytes((kind,))]

    # --- say ---

    async def send(self, octets: bytes) -> None:
        """Write octets; in TLS they are one or more records. A connection that the peer closed takes them silently."""
        self.said = time.monotonic()
        for piece in frames_of(octets):
            self._event(sent(self.generation, self.said, piece))
        await self.raw(octets)

    async def raw(self, octets: bytes) -> None:
        """Write octets, part of a frame perhaps, without a word in the evidence."""
        if self.channel is not None and self.channel.facts is not None:
            with contextlib.suppress(TlsError):
                for start in range(0, len(octets), 16384):
                    self.channel.send(octets[start : start + 16384])
            await self._flush()
            return
        await self._write(octets)

    async def beneath(self, octets: bytes) -> None:
        """Write octets beneath TLS, as they are."""
        self.said = time.monotonic()
        await self._write(octets)

    async def _flush(self) -> None:
        assert self.channel is not None
        octets = self.channel.octets_to_send()
        if octets:
            await self._write(octets)

    async def _write(self, octets: bytes) -> None:
        with contextlib.suppress(OSError):
            self.writer.write(octets)
            await self.writer.drain()

    async def tell(self, message: Type, stream: str = "main") -> None:
        """Send a message in its frame."""
        await self.send(framed(self.generation, message, stream=stream))

    # --- hear ---

    async def reply(self, within: float) -> Reply:
        """What follows within so many seconds of now: the next frame, or that there is none."""
        began = max(self.said, 0.0)
        try:
            async with asyncio.timeout(within):
                found = await self._frame()
        except TimeoutError:
            return Reply("silence", time.monotonic() - began)
        after = time.monotonic() - began
        if found is None:
            return Reply("closed", after, how=self.ended)
        if isinstance(found, str):
            return Reply("garbage", after, how=found)
        return self._heard(found, after)

    async def octets(self, within: float) -> bytes:
        """What the peer sends next beneath TLS, within so many seconds; nothing where it sends nothing, or the connection ended."""
        try:
            async with asyncio.timeout(within):
                return await self.reader.read(65536)
        except (TimeoutError, OSError):
            return b""

    async def _frame(self) -> Frame | str | None:
        while True:
            try:
                if (one := self.frames.next()) is not None:
                    return one
            except FramingError as error:
                return str(error)
            if not await self._more():
                return None

    async def _more(self) -> bool:
        """Read once more; False when the connection is over."""
        if self.ended:
            return False
        try:
            octets = await self.reader.read(65536)
            if not octets:
                self._over("closed")
            elif self.channel is not None:
                self._plain(self.channel.receive(octets))
                if self.channel.peer_closed:
                    self._over("closed in order")
            else:
                self.frames.feed(octets)
        except OSError as error:
            self._over(f"reset: {error.strerror}")
        except TlsError as error:
            self._over(f"TLS alert {error.alert}" if error.alert else f"TLS broke: {error.reason}")
        return not self.ended or self.frames.pending > 0

    def _plain(self, octets: bytes) -> None:
        if octets:
            self.frames.feed(octets)

    def _heard(self, found: Frame, after: float) -> Reply:
        now = time.monotonic()
        try:
            heard = understood(self.generation, found.payload_type, found.payload)
        except (DecodeError, FramingError) as error:
            self._event(FrameReceived(now, found.payload_type, set_of(found.payload_type), found.payload, None, after))
            return Reply("garbage", after, frame=found, how=str(error))
        message = heard.reading.message
        self._event(FrameReceived(now, found.payload_type, heard.schema_set, found.payload, message, after))
        return Reply("answer", after, message, found, session_id=heard.session_id)

    async def closed(self, within: float) -> Reply:
        """Whether the peer ends the connection within so many seconds; frames that it still sends come first in the evidence."""
        began, until = time.monotonic(), time.monotonic() + within
        while (left := until - time.monotonic()) > 0:
            reply = await self.reply(left)
            if reply.kind == "closed":
                return Reply("closed", time.monotonic() - began, how=reply.how)
            if reply.kind == "garbage" and reply.frame is None:
                return await self._drained(began, left)
        return Reply("silence", time.monotonic() - began)

    async def _drained(self, began: float, within: float) -> Reply:
        """Read what has lost its rhythm until it ends."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while await self._more() or not self.ended:
                    pass
        return Reply("closed" if self.ended else "silence", time.monotonic() - began, how=self.ended)

    # --- end ---

    async def close(self) -> None:
        """Close the connection in order."""
        if self.channel is not None and not self.ended:
            self.channel.close()
            await self._flush()
        self._over("closed by this side")
        self.writer.close()

    def abandon(self, *, reset: bool = False) -> None:
        """Drop the connection at once; with `reset` by TCP RST."""
        if reset:
            sock = self.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._over("dropped by this side")
        self.writer.transport.abort()

    def _over(self, how: str) -> None:
        if not self.ended:
            self.ended = how
            ours = "this side" in how
            self._event(Disconnected(time.monotonic(), "us" if ours else "peer", clean="in order" in how or ours, reason=how))

    def _event(self, event: Event) -> None:
        self.log.events.append((self.number, event))
