"""TLS for asyncio servers, with handshakes limited in number and time, and done off the event loop.

    gate = Gate(context)
    await loop.connect_accepted_socket(lambda: gate.entry(protocol), socket)

The ClientHello is read here; what costs cryptography is queued as at a station (`v2g.session.transport.handshakes`): few at a time, so many
a second, in turn for each source, and what finds no room is refused before any of it. `protocol` hears of its connection once TLS stands.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Any, Final, cast

from v2g.legible import logger
from v2g.session.admission import Stage
from v2g.session.errors import FramingError
from v2g.session.handshake import HelloReader
from v2g.session.link import address_text
from v2g.session.transport.handshakes import Handshakes, Step

HANDSHAKE: Final = 10.0  # s from the connection to the end of the handshake: over a mobile network it takes two
LINGER: Final = 1.0  # s in which the other side may close after us; a reset would take our last words with it
CHUNK: Final = 65_536  # octets that are deciphered in one go
HELLO: Final = 16_384  # octets of a ClientHello: with the keys of a post-quantum group it has 2000

log = logger("v2g.web")


class Gate:
    """The TLS of one server. `limit` (s) is for a handshake; `handshakes` may be shared with others, and is then not closed here."""

    def __init__(self, context: ssl.SSLContext, *, limit: float = HANDSHAKE, handshakes: Handshakes | None = None) -> None:
        self.context, self.limit = context, limit
        self.handshakes, self._own = handshakes or Handshakes(), handshakes is None

    def entry(
        self, inner: asyncio.Protocol, *, moved: Callable[[Stage], None] = lambda stage: None, over: Callable[[], None] = lambda: None
    ) -> asyncio.Protocol:
        """A protocol for a plain TCP connection that does TLS for the protocol `inner`.

        `moved` is called with the stages SPEAKING and SECURED, `over` at the end of the connection.
        """
        return _Entry(self, inner, moved, over)

    def close(self) -> None:
        """Begin no further handshake."""
        if self._own:
            self.handshakes.close()


class _Entry(asyncio.Protocol):
    """Between a plain transport and the protocol that is to hear of it."""

    def __init__(self, gate: Gate, inner: asyncio.Protocol, moved: Callable[[Stage], None], over: Callable[[], None]) -> None:
        self._gate, self._inner, self._moved, self._over = gate, inner, moved, over
        self._hello: HelloReader | None = HelloReader(HELLO)  # until it is read
        self._spoke = self._working = self._parted = False
        self._unread = b""  # that came while a flight was worked on
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._secured: Secured | None = None

    # --- asyncio calls these ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The plain connection stands."""
        self._raw = cast(asyncio.Transport, transport)
        self._peer: tuple[str, int] = (transport.get_extra_info("peername") or ("", 0))[:2]
        limit = self._gate.limit
        self._timer = asyncio.get_running_loop().call_later(limit, self._refuse, f"no complete TLS handshake within {limit:g} s")

    def data_received(self, data: bytes) -> None:
        """The peer sent something."""
        if not self._spoke:
            self._spoke = True
            self._moved(Stage.SPEAKING)
        if self._parted:
            return
        if self._secured is not None:
            self._incoming.write(data)
            self._secured.read()
        elif self._working:
            self._unread += data  # one read of the transport at most, which is not read meanwhile
        elif self._hello is None:
            self._work(data, False)
        else:
            self._greet(self._hello, data)

    def eof_received(self) -> bool:
        """The peer closed without a word of TLS, or after one."""
        if self._secured is not None:
            self._secured.ended()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left of it."""
        self._timer.cancel()
        self._over()
        if self._secured is not None:
            self._secured.lost(exc)

    def pause_writing(self) -> None:
        """The peer does not read."""
        if self._secured is not None:
            self._secured.get_protocol().pause_writing()

    def resume_writing(self) -> None:
        """The peer reads again."""
        if self._secured is not None:
            self._secured.get_protocol().resume_writing()

    # --- the handshake ---

    def _greet(self, hello: HelloReader, octets: bytes) -> None:
        try:
            if hello.feed(octets) is None:
                return
        except FramingError as error:
            self._refuse(str(error))
            return
        self._hello = None
        self._work(bytes(hello.octets), True)

    def _work(self, octets: bytes, first: bool) -> None:
        """Have a flight worked on; until it is done, the channel is the worker's."""
        self._working = True
        self._raw.pause_reading()
        self._gate.handshakes.submit(Step(self._peer[0], lambda: self._flight(octets), self._flown, self._wanted, self._refuse, first))

    def _wanted(self) -> bool:
        return not self._raw.is_closing()

    def _flight(self, octets: bytes) -> bytes:
        """On a thread: b"" while there is more to come, else one octet."""
        if self._tls is None:
            self._tls = self._gate.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._incoming.write(octets)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return b""
        return b"\1"

    def _flown(self, outcome: bytes | Exception) -> None:
        """On the loop again. What goes wrong with a connection is its own affair: the queue goes on."""
        self._working = False
        if self._raw.is_closing():
            return
        self._raw.resume_reading()
        if octets := self._outgoing.read():
            self._raw.write(octets)  # also the alert that says why not
        if isinstance(outcome, Exception):
            self._part(getattr(outcome, "reason", None) or str(outcome))
            return
        try:
            if outcome:
                self._stands()
            unread, self._unread = self._unread, b""
            if unread and not self._raw.is_closing():
                self.data_received(unread)
        except Exception:
            log.exception("%s: internal error", address_text(self._peer))
            self._raw.abort()

    def _stands(self) -> None:
        assert self._tls is not None
        self._timer.cancel()
        self._moved(Stage.SECURED)
        if self._raw.is_closing():
            return  # there was no room for it
        self._secured = Secured(self._raw, self._tls, self._incoming, self._outgoing, self._inner)
        self._inner.connection_made(self._secured)
        self._secured.read()

    def _refuse(self, reason: str) -> None:
        log.info("%s: %s", address_text(self._peer), reason)
        self._raw.abort()

    def _part(self, reason: str) -> None:
        """The handshake failed: the peer has a moment to read why."""
        log.info("%s: no TLS: %s", address_text(self._peer), reason)
        self._parted = True
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(LINGER, self._raw.abort)
        with contextlib.suppress(OSError):
            self._raw.write_eof()


class Secured(asyncio.Transport):
    """The transport of a protocol whose connection is protected by TLS."""

    def __init__(
        self, raw: asyncio.Transport, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, inner: asyncio.Protocol
    ) -> None:
        super().__init__()
        self._raw, self._tls, self._incoming, self._outgoing, self._inner = raw, tls, incoming, outgoing, inner
        self._paused = self._closing = self._eof = False
        self._timer: asyncio.TimerHandle | None = None

    # --- the entry calls these ---

    def read(self) -> None:
        """Decrypt what has arrived, and pass it to the protocol."""
        try:
            while not (self._paused or self._eof or self._raw.is_closing()):
                data = self._tls.read(CHUNK)
                if not data:
                    self.ended()
                elif not self._closing:
                    self._inner.data_received(data)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended()
        except ssl.SSLError as error:
            log.info("%s: %s", address_text((self._raw.get_extra_info("peername") or ("", 0))[:2]), error.reason or error)
            self._flush()
            self._raw.close()
            return
        self._flush()

    def ended(self) -> None:
        """Note that the peer has closed its direction."""
        if self._eof:
            return
        self._eof = True
        if not self._closing:
            self._inner.eof_received()
            self.close()
        self._raw.close()

    def lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone, and tell the protocol."""
        if self._timer is not None:
            self._timer.cancel()
        self._closing = True
        self._inner.connection_lost(exc)

    def _flush(self) -> None:
        if (octets := self._outgoing.read()) and not self._raw.is_closing():
            self._raw.write(octets)

    # --- the protocol calls these ---

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt octets and send them."""
        if data and not (self._closing or self._raw.is_closing()):
            self._tls.write(data)
            self._flush()

    def close(self) -> None:
        """Close with close_notify, and give the peer a moment to do the same."""
        if self._closing:
            return
        self._closing = True
        self.resume_reading()
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()
        if not self._raw.is_closing():
            self._timer = asyncio.get_running_loop().call_later(LINGER, self._raw.close)
            with contextlib.suppress(OSError):
                self._raw.write_eof()

    def abort(self) -> None:
        """Cut the connection, without close_notify."""
        self._closing = True
        self._raw.abort()

    def is_closing(self) -> bool:
        """Whether no more can be written."""
        return self._closing or self._raw.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Facts about the connection by name, as asyncio's own TLS transport gives them."""
        match name:
            case "ssl_object":
                return self._tls
            case "sslcontext":
                return self._tls.context
            case "peercert":
                return self._tls.getpeercert()
            case "cipher":
                return self._tls.cipher()
        return self._raw.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Pass nothing to the protocol until `resume_reading`."""
        self._paused = True
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Pass octets to the protocol again, first those that were read already."""
        if self._paused:
            self._paused = False
            self._raw.resume_reading()
            asyncio.get_running_loop().call_soon(self.read)

    def is_reading(self) -> bool:
        """Whether octets are passed to the protocol."""
        return not self._paused and not self.is_closing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the limits for the encrypted octets that wait to be sent."""
        self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """The number of encrypted octets that wait to be sent."""
        return self._raw.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The low and high limit of octets that wait to be sent."""
        return self._raw.get_write_buffer_limits()

    def can_write_eof(self) -> bool:
        """Always False: TLS closes both directions at once."""
        return False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Pass octets to another protocol from now on."""
        self._inner = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.Protocol:
        """The protocol that octets are passed to."""
        return self._inner
