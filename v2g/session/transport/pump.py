"""Drives any endpoint, station or car, over one connection: octets in, deadlines, octets out, and an orderly end.

A connection goes through phases (`connection.Phase`), each with its own limit in time. A station's half of the handshake is cryptography
that anyone may ask for, so it is worked on beside the event loop (`Handshakes`); until a flight is done the connection is not read.
Whatever a peer does costs its own connection and nothing else: nothing here raises into the event loop.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from v2g.legible import logger
from v2g.session.admission import Stage
from v2g.session.endpoint import Endpoint, Event, Relaxed
from v2g.session.errors import SessionError
from v2g.session.handshake import HelloReader
from v2g.session.link import Connected, Disconnected, HandshakeFailed, Link, Observe, Observer, Secured, Unprotected, address_text
from v2g.session.tls import TlsError, TlsFacts
from v2g.session.transport.alarm import Alarm
from v2g.session.transport.channel import Channel
from v2g.session.transport.connection import Attend, Limits, Phase, Secure, address, cut, stage_of, worded
from v2g.session.transport.handshakes import Handshakes, Step
from v2g.session.transport.stamp import Stamp
from v2g.session.transport.watchers import Watchers
from v2g.session.v2gtp import VERSION, frames_of

log = logger("v2g.transport")


class Pump(asyncio.Protocol):
    """Drives one endpoint over one TCP connection, with TLS unless `secure` is None.

    A `server` reads the ClientHello before it chooses its certificates, and has `handshakes` work on its flights. `moved` is called when
    the connection has come to another stage. `done` is a future that holds the last event, how the connection ended, once it is gone.
    """

    def __init__(
        self,
        attend: Attend,
        secure: Secure | None,
        *,
        server: bool,
        number: int = 0,
        handshakes: Handshakes | None = None,
        moved: Callable[["Pump"], None] = lambda pump: None,
        observe: Sequence[Observe] = (),
        limits: Limits | None = None,
        name: str = "",
        plain: bool = False,
    ):
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[Disconnected] = self.loop.create_future()
        self.phase = Phase.HELLO if server else Phase.HANDSHAKE
        self.endpoint: Endpoint | None = None
        self.heard = False  # whether the endpoint got any octet
        self.spoke = False  # whether the peer sent any octet
        self.local = self.peer = ("unknown", 0)
        self._attend, self._secure, self._server, self._number = attend, secure, server, number
        self._observe, self._limits, self._name = observe, limits or Limits(), name
        self._handshakes, self._moved, self._plain = handshakes, moved, plain
        self._working, self._unread = False, b""  # on a flight of the handshake: the channel is not ours; octets that came meanwhile
        self._observers: Observer = Watchers((), self.who)
        self._hello, self._stamp = HelloReader(), Stamp()
        self._channel: Channel | None = None
        self._transport: asyncio.Transport | None = None
        self._alarm = Alarm(self.loop, lambda: self._guarded(self._run_out))
        self._parted: tuple[str, str] | None = None  # who closed first, and why
        self._dropped = False  # that was for want of room

    # --- asyncio calls these ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The TCP connection stands."""
        self._transport = cast(asyncio.Transport, transport)
        if self._parted is not None:  # dropped before it stood
            self._transport.abort()
            return
        self.local, self.peer = (address(transport.get_extra_info(key)) for key in ("sockname", "peername"))
        self._observers = Watchers([partial(make, self.local, self.peer, self._number) for make in self._observe], self.who)
        self._guarded(self._begin)

    def data_received(self, octets: bytes) -> None:
        """The peer sent something."""
        now = self.loop.time()
        if not self.spoke:
            self.spoke = True
            self._moved(self)
            if self.phase is Phase.HELLO and self._plain:
                self._alarm.set(now + self._limits.handshake)  # what it gets for TLS counts from here
        self._guarded(lambda: self._take(octets, now))

    def eof_received(self) -> bool:
        """The peer closed its direction; ours stays open, so that the last octets can be sent."""
        self._guarded(self._peer_closed)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """Nothing is left of the connection."""
        by, reason = self._parted or ("peer", worded(error))
        clean = error is None and (self._channel is None or self._channel.peer_closed or by == "us")
        if self.endpoint is not None and self.endpoint.ended is None:
            self._guarded(lambda: self._lose(cut(by, reason)))  # also after an error of ours: what it drives must be made safe
        self._enter(Phase.CLOSED)
        self._alarm.cancel()
        last = Disconnected(self.loop.time(), by, clean, reason, self.endpoint.ended if self.endpoint else None, self._dropped)
        self._tell(last)
        self.endpoint = self._channel = self._transport = None  # they know this pump, by the link: neither keeps the other
        if not self.done.done():
            self.done.set_result(last)

    def pause_writing(self) -> None:
        """The peer does not read: until it does, it is not read either."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The peer reads again."""
        if self._transport is not None:
            self._transport.resume_reading()

    # --- the owner calls these ---

    @property
    def who(self) -> str:
        """The outlet, where there is one, and the peer, as text that begins a line of the log."""
        return f"{self._name} {address_text(self.peer)}".lstrip()

    def nudge(self) -> None:
        """Look at the session again at once, because something from outside changed it."""
        if self.phase is Phase.OPEN and self._alarm.is_due:
            self._alarm.judge_soon()
        elif self.phase is Phase.OPEN:
            self._guarded(self._tick)

    def abandon(self, reason: str) -> None:
        """Close now, with close_notify and a wait for the peer's; `reason` becomes that of `Disconnected`."""
        if self._transport is None:
            self._parted = self._parted or ("us", reason)  # closed as soon as it stands
        self._guarded(lambda: self._hang_up(reason))

    def drop(self, reason: str) -> None:
        """Cut the connection now, without a word to the peer, because there is no room for it."""
        self._dropped = self._parted is None
        self._parted = self._parted or ("us", reason)
        if self._transport is not None:
            self._transport.abort()

    @property
    def stage(self) -> Stage:
        """How far the connection has come, as `admission` counts it."""
        return stage_of(self.phase, self.spoke)

    # --- phases ---

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self._moved(self)

    def _begin(self) -> None:
        self._tell(Connected(now := self.loop.time(), self.local, self.peer))
        if self._secure is None:
            log.warning("plain TCP with %s: bench override, -20 forbids it [V2G20-2356]", self.who)
            self._open(None)
            return
        self._alarm.set(now + self._limits.patience(self._plain, self.spoke))
        if not self._server:
            self._channel = self._secure.channel(None)
            self._channel.start()
            self._flush()

    def _take(self, octets: bytes, now: float) -> None:
        if self.phase is Phase.HELLO and self._plain and self._secure is not None and octets[0] == VERSION:
            self._secure = None  # no TLS record begins so: a car of a generation that may do without
            self._open(None)
        if self.phase in (Phase.DRAINING, Phase.CLOSED):
            self._witness(False, octets, now)
        elif self._server and self._secure is not None and self.phase in (Phase.HELLO, Phase.HANDSHAKE):
            self._shake_hands(octets, now)
        else:
            try:
                plaintext = self._unprotected(octets, now)
            except SessionError as error:
                self._broken(error)
                return
            self._pass_on(plaintext, now)

    def _pass_on(self, plaintext: bytes, now: float) -> None:
        """`now` is when the octets came: what it took to unprotect them is part of the time to answer."""
        if self.phase is Phase.OPEN:
            if plaintext:
                self._hand_over(plaintext, now)
            if self._channel is not None and self._channel.peer_closed:
                self._peer_closed()

    def _shake_hands(self, octets: bytes, now: float) -> None:
        """A station's part: the hello is read here, what costs cryptography is queued."""
        assert self._handshakes is not None, "a station's pump has somebody who works on its handshakes"
        assert self._secure is not None
        if self._working:
            self._unread += octets  # one read of the transport at most, which is not read meanwhile
            return
        channel, read, first = self._channel, octets, self._channel is None
        if channel is None:
            try:
                hello = self._hello.feed(octets)
            except SessionError as error:
                self._witness(False, octets, now)
                self._broken(error)
                return
            if hello is None:
                self._witness(False, octets, now)
                return
            read = bytes(self._hello.octets)
            channel = self._channel = self._secure.channel(hello)
            self._enter(Phase.HANDSHAKE)
        self._working = True
        if self._transport is not None:
            self._transport.pause_reading()
        flight = channel
        self._handshakes.submit(
            Step(
                self.peer[0],
                lambda: flight.receive(read),
                lambda outcome: self._guarded(lambda: self._shaken(outcome, octets, now)),
                lambda: self.phase is Phase.HANDSHAKE,
                self.drop,
                first,
            )
        )

    def _shaken(self, outcome: bytes | Exception, octets: bytes, now: float) -> None:
        """A flight was worked on. Witnesses hear of the keys, then of what they open, then of the answer."""
        self._working = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()  # in any case: a connection that is refused must hear that the peer closes, too
        self._reveal()
        self._witness(False, octets, now)
        if self.phase is not Phase.HANDSHAKE or self._channel is None:
            return
        self._flush()
        if isinstance(outcome, SessionError):
            self._broken(outcome)
            return
        if isinstance(outcome, Exception):
            raise outcome
        if self._channel.facts is not None:
            self._open(self._channel.facts)
        self._pass_on(outcome, self.loop.time())
        unread, self._unread = self._unread, b""
        if unread:
            self._take(unread, self.loop.time())

    def _unprotected(self, octets: bytes, now: float) -> bytes:
        """What the octets protect; on the way the handshake goes on."""
        if self._secure is None:
            self._witness(False, octets, now)
            return octets
        channel = self._channel
        assert channel is not None, "a car's channel is there from the start, a station's since the ClientHello"
        try:
            plaintext = channel.receive(octets)
        finally:  # witnesses hear of the keys, then of what they open, then of the answer
            self._reveal()
            self._witness(False, octets, now)
            self._flush()
        if self.phase is Phase.HANDSHAKE and channel.facts is not None:
            self._open(channel.facts)
        return plaintext

    def _reveal(self) -> None:
        lines = self._channel.secrets if self._channel is not None else []
        for line in lines:
            self._observers.secret(line)
        lines.clear()

    def _open(self, facts: TlsFacts | None) -> None:
        now = self.loop.time()
        self._enter(Phase.OPEN)
        self._tell(Unprotected(now) if facts is None else Secured(now, facts))
        for relaxation in () if facts is None else facts.relaxations:
            self._tell(Relaxed(now, relaxation.what, relaxation.requirement))
            profile = "" if facts is None else facts.profile
            log.warning("%s: profile %s lets pass: %s [%s]", self.who, profile, relaxation.what, relaxation.requirement)
        self.endpoint = self._attend(Link(self.local, self.peer, facts, now, self._number, self.nudge))
        if self.endpoint is None:
            self._hang_up("no session is taken")
        else:
            self._settle()

    def _hand_over(self, plaintext: bytes, now: float | None = None) -> None:
        assert self.endpoint is not None
        self.heard = self.heard or bool(plaintext)
        self.endpoint.receive(plaintext, self.loop.time() if now is None else now)
        self._settle()

    def _lose(self, error: SessionError) -> None:
        assert self.endpoint is not None
        self.endpoint.lost(error, self.loop.time())
        self._settle()

    def _tick(self) -> None:
        if self.endpoint is not None:
            self.endpoint.tick(self.loop.time())
            self._settle()

    def _settle(self) -> None:
        """After every call of the endpoint: write, tell, and wait for the next deadline or close."""
        endpoint = self.endpoint
        assert endpoint is not None
        left = []
        for frame in frames_of(endpoint.octets_to_send()):  # one write per frame: there are peers that read once per message
            if self._channel is None:
                self._write(frame)
            else:
                self._channel.send(frame)
                self._flush()
            left.append(self.loop.time())
        for event in self._stamp.stamped(endpoint.events(), left):
            self._tell(event)
        if endpoint.ended is None:
            self._alarm.set(endpoint.deadline())
        elif self.phase is Phase.OPEN:
            self._hang_up("the session is over")

    def _peer_closed(self) -> None:
        """End of the peer's stream, by close_notify or by TCP."""
        self._parted = self._parted or ("peer", "the peer closed")
        if self.phase in (Phase.HELLO, Phase.HANDSHAKE):
            self._broken(TlsError(f"the peer closed in the TLS handshake ({self.phase.value})", "peer"))
        elif self.phase is Phase.OPEN and self.endpoint is not None and self.endpoint.ended is None:
            self._hand_over(b"")
        self._hang_up("the peer closed")
        if self._transport is not None:
            self._transport.close()

    def _broken(self, error: SessionError) -> None:
        """The handshake failed, or TLS did later. In TLS 1.3 a station's verdict on a car's certificate comes after the car is done."""
        by, alert = (error.by, error.alert) if isinstance(error, TlsError) else ("us", None)
        if not self.heard:
            self._tell(HandshakeFailed(self.loop.time(), error.reason, by, alert, error.requirement))
        log.info("%s: %s", self.who, error)
        if self.phase is Phase.OPEN:
            self._parted = (by, str(error))
            self._lose(error)
        self._hang_up(str(error))

    def _hang_up(self, reason: str) -> None:
        """Close our direction and wait a little for the peer to close its own."""
        if self.phase in (Phase.DRAINING, Phase.CLOSED) or self._transport is None:
            return
        self._parted = self._parted or ("us", reason)
        self._enter(Phase.DRAINING)
        if self._channel is not None and not self._working:
            self._channel.close()
            self._flush()
        if self._transport.is_closing():
            return
        if self._transport.can_write_eof():
            with contextlib.suppress(OSError):  # the peer has reset the connection in the meantime
                self._transport.write_eof()
        self._alarm.set(self.loop.time() + self._limits.drain)

    # --- octets, time, witnesses ---

    def _flush(self) -> None:
        if self._channel is not None and not self._working and (octets := self._channel.octets_to_send()):
            self._write(octets)

    def _write(self, octets: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(octets)
            self._witness(True, octets, self.loop.time())

    def _witness(self, sent: bool, octets: bytes, now: float) -> None:
        self._observers.octets(sent, octets, now)

    def _run_out(self) -> None:
        if self.phase is Phase.OPEN:
            self._tick()
        elif self.phase is Phase.DRAINING and self._transport is not None:
            self._transport.abort()
        else:
            given = self._limits.patience(self._plain, self.spoke)
            self._broken(TlsError(f"no complete TLS handshake within {given:g} s ({self.phase.value})", "peer"))

    def _tell(self, event: Event) -> None:
        self._observers.event(event)

    def _guarded(self, step: Callable[[], None]) -> None:
        """Run a step; a bug of ours ends this connection, says so, and no other."""
        try:
            step()
        except Exception as error:
            log.exception("%s: internal error", self.who)
            self._parted = self._parted or ("us", f"internal error: {error!r}")
            self._enter(Phase.DRAINING)
            if self._transport is not None:
                self._transport.abort()
