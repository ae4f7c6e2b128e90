"""The listening side of the scripted station: each connection is served by the play that waits for it, and written down. A shell."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

from v2g.exi.errors import DecodeError, EncodeError
from v2g.iso20.frames import SETS
from v2g.session.endpoint import Event, FrameReceived, FrameSent
from v2g.session.errors import FramingError
from v2g.session.handshake import TLS13, HelloReader
from v2g.session.link import Connected, Disconnected, HandshakeFailed, Secured, Unprotected, address_text
from v2g.session.tls import TlsError
from v2g.session.transport.channel import Channel
from v2g.session.v2gtp import FrameReader, PayloadType, frame
from v2gkit.conform.scripted.acts import Enveloped, HangUp, Late, Several
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.encounter import Closed, Encounter, Heard
from v2gkit.conform.scripted.play import Play
from v2gkit.conform.scripted.speeches import SPEECHES

TLS_RECORD = b"\x16"  # with which every ClientHello begins


@dataclass(frozen=True, slots=True)
class Tls:
    """How a station shakes hands. `channel` makes TLS for one connection, None: it speaks plain TCP.

    `instead` is what it sends in place of its first flight, then it closes; empty octets: it only closes. `older` makes TLS for a car that
    offers no TLS 1.3; `plain`: a car that begins without TLS is served, too.
    """

    channel: Callable[[], Channel] | None = None
    instead: bytes | None = None
    older: Callable[[], Channel] | None = None
    plain: bool = False


@dataclass
class Door:
    """Listens at one address. Connections are served in turn by `plays` and `tls`, the last of each for all that follow."""

    host: str
    port: int
    plays: Sequence[Play] = (Play(),)
    tls: Sequence[Tls] = (Tls(),)
    met: list[Encounter] = field(default_factory=list)
    paused: set[bytes] = field(default_factory=set)

    async def __aenter__(self) -> "Door":
        self.moved = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.Transport] = set()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), self.host, self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for transport in list(self._open):
            transport.abort()
        await asyncio.sleep(0)

    @property
    def address(self) -> str:
        """Host and port at which it listens, as a car is told them."""
        host, port = self._server.sockets[0].getsockname()[:2]
        return address_text((host, port))

    def admit(self, connection: "Connection", transport: asyncio.Transport) -> tuple[Encounter, Desk, Tls]:
        """Count a connection; what it is served with."""
        number = len(self.met)
        seen = Encounter(asyncio.get_running_loop().time())
        self.met.append(seen)
        self._open.add(transport)
        play = self.plays[min(number, len(self.plays) - 1)]
        desk = Desk(play, os.urandom(8), self.paused, time.time, SPEECHES[play.generation])
        task = asyncio.get_running_loop().create_task(connection.converse())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.moved.set()
        return seen, desk, self.tls[min(number, len(self.tls) - 1)]

    def gone(self, transport: asyncio.Transport) -> None:
        """Count a connection as over."""
        self._open.discard(transport)
        self.moved.set()

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds, looked at whenever anything was seen, for so many seconds at the most; whether it holds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not holds():
                    self.moved.clear()
                    await self.moved.wait()
        return holds()


class Connection(asyncio.Protocol):
    """One connection: octets to requests, answers to octets, and everything written down."""

    def __init__(self, door: Door):
        self.door, self.inbox = door, asyncio.Queue[Heard | None]()
        self.reader, self.hello = FrameReader(), HelloReader()
        self.channel: Channel | None = None
        self.greeted = False

    # --- what comes ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.seen, self.desk, self.tls = self.door.admit(self, self.transport)
        local, peer = (self.transport.get_extra_info(name)[:2] for name in ("sockname", "peername"))
        self._note(Connected(self.now, local, peer))
        if self.tls.channel is None and self.tls.instead is None:
            self._unprotect()

    def _unprotect(self) -> None:
        """Speak without TLS from now on."""
        self.greeted = True
        self._note(Unprotected(self.now))

    @property
    def now(self) -> float:
        """The time of the loop's clock (s)."""
        return asyncio.get_running_loop().time()

    def data_received(self, data: bytes) -> None:
        try:
            if self.tls.plain and not self.greeted and not self.hello.octets and data[:1] != TLS_RECORD:
                self._unprotect()
            octets = data if self.greeted and self.channel is None else self._unprotected(data)
            self.reader.feed(octets)
            while (found := self.reader.next()) is not None:
                self._heard(found.payload_type, found.payload)
        except TlsError as error:
            self._refused(error)
        except (FramingError, DecodeError) as error:
            self._trouble(str(error))
        if self.channel is not None and self.channel.peer_closed:
            self._close("car", clean=True, how="TLS closed")
        self.door.moved.set()

    def _unprotected(self, data: bytes) -> bytes:
        """Octets of the wire as plaintext, after the ClientHello was read."""
        if not self.greeted:
            self.seen.hello = self.hello.feed(data)
            if self.seen.hello is None:
                return b""
            self.greeted, data = True, bytes(self.hello.octets)
            if self.tls.instead is not None or self.tls.channel is None:
                self.seen.stimulus = self.now
                self.transport.write(self.tls.instead or b"")
                self._close("us", clean=False, how="cut in the handshake")
                return b""
            older = self.tls.older if TLS13 not in self.seen.hello.versions else None
            self.channel = (older or self.tls.channel)()
        if self.channel is None:
            return b""
        secured = self.channel.facts
        try:
            plaintext = self.channel.receive(data)
        finally:
            self.transport.write(self.channel.octets_to_send())
        if secured is None and self.channel.facts is not None:
            self.seen.facts = self.channel.facts
            self._note(Secured(self.now, self.channel.facts))
        return plaintext

    def _heard(self, payload_type: int, payload: bytes) -> None:
        schemas = SETS[PayloadType(payload_type)] if payload_type in SETS else ""
        try:
            said = self.desk.speech.generation.read(payload_type, payload)
        except DecodeError:
            self._note(FrameReceived(self.now, payload_type, schemas, payload, None))
            raise
        request = said.reading.message
        self._note(FrameReceived(self.now, payload_type, said.schema_set, payload, request))
        heard = Heard(self.now, request, payload_type, said.session_id, said.signature)
        self.seen.heard.append(heard)
        self.inbox.put_nowait(heard)

    def _refused(self, error: TlsError) -> None:
        if self.seen.facts is None:
            self.seen.refused, self.seen.alert = str(error), error.alert if error.by == "peer" else None
            self._note(HandshakeFailed(self.now, str(error), error.by, error.alert, error.requirement))
        else:
            self._trouble(str(error))
        self._close("car" if error.by == "peer" else "us", clean=False, how=f"TLS alert {error.alert}" if error.alert else "TLS broke")

    def _trouble(self, words: str) -> None:
        self.seen.trouble = self.seen.trouble or words

    def eof_received(self) -> bool:
        self._close("car", clean=self.channel is None, how="TCP closed")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._close("car", clean=error is None, how="TCP reset" if error else "TCP closed")
        self.door.gone(self.transport)

    def _close(self, by: str, *, clean: bool, how: str) -> None:
        if self.seen.closed is None:
            self.seen.closed = Closed(self.now, by, clean, how)
            self._note(Disconnected(self.now, "peer" if by == "car" else "us", clean, how))
            self.inbox.put_nowait(None)
        if self.channel is not None and self.seen.facts is not None:
            with suppress(TlsError):
                self.channel.close()
                self.transport.write(self.channel.octets_to_send())
        self.transport.close()

    def _note(self, event: Event) -> None:
        self.seen.events.append(event)

    # --- what goes ---

    async def converse(self) -> None:
        """Answer request after request, until the connection is gone."""
        while (heard := await self.inbox.get()) is not None:
            self.desk.told = heard.session_id
            answer, fault = self.desk.chosen(heard.request)
            if fault and self.seen.stimulus is None:
                self.seen.stimulus, self.seen.before = self.now, self.seen.heard.index(heard) + 1
            await self.do(answer(heard.request, self.desk), heard)
            self._after(heard)

    def _after(self, heard: Heard) -> None:
        self.seen.session_id = self.desk.session_id
        how = getattr(heard.request, "ChargingSession", None)
        if how is not None and how.value == "Pause":
            self.seen.paused = True
            self.door.paused.add(self.desk.session_id)
        self.door.moved.set()

    async def do(self, what: Any, heard: Heard) -> None:
        """Do what an answer says."""
        match what:
            case None:
                return
            case Late():
                if not await self.door.until(lambda: self.seen.closed is not None, what.seconds):
                    await self.do(what.what, heard)
            case Several():
                for each in what.whats:
                    await self.do(each, heard)
            case HangUp():
                self._hang_up(what)
            case bytes():
                self._write(what, "octets")
            case _:
                self._say(what, heard)

    def _hang_up(self, what: HangUp) -> None:
        self._close("us", clean=not what.reset, how="reset by the station" if what.reset else "closed by the station")
        if what.reset:
            self.transport.abort()

    def _say(self, response: Any, heard: Heard) -> None:
        try:
            made = self.desk.written(response, self.desk.speech.generation.stream(heard.payload_type))
        except EncodeError as error:
            self._trouble(f"the answer cannot be written: {error}")
            return
        what = response.what if isinstance(response, Enveloped) else response
        self._note(FrameSent(self.now, made.payload_type, made.schema_set, made.exi, what))
        self.seen.answers.append(what)
        self._write(frame(made.payload_type, made.exi), type(what).__name__)

    def _write(self, octets: bytes, name: str) -> None:
        self.seen.said.append((self.now, name))
        if self.seen.closed is not None:
            return
        if self.channel is not None:
            for at in range(0, len(octets), 16_000):
                self.channel.send(octets[at : at + 16_000])
            octets = self.channel.octets_to_send()
        self.transport.write(octets)
