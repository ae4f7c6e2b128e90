"""The connection of a session: its addresses and TLS facts, the events of its life, and the observers that are told of them."""

from collections.abc import Callable
from dataclasses import dataclass

from v2g.session.endpoint import Ended, Event
from v2g.session.errors import SessionError
from v2g.session.tls import TlsFacts


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """One connection that is ready for a session. Compared by identity: two connections of one car are two links.

    `nudge` makes the shell look at the session again at once: call it when something from outside (hardware, a backend, a user) changed
    what the session wants to send, its deadline, or its life.
    """

    local: tuple[str, int]
    peer: tuple[str, int]
    tls: TlsFacts | None  # None: plain TCP, which a bench must ask for
    opened: float  # now, monotonic s
    number: int = 0  # counts the connections of a server
    nudge: Callable[[], None] = lambda: None

    def __str__(self) -> str:
        return address_text(self.peer)


def address_text(address: tuple[str, int]) -> str:
    """An address as the text host:port, with brackets around an IPv6 host."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class Connected(Event):
    """A TCP connection stands; nothing is known about who is there."""

    local: tuple[str, int]
    peer: tuple[str, int]


@dataclass(frozen=True, slots=True)
class Secured(Event):
    """The TLS handshake is complete and the peer's chain verified."""

    facts: TlsFacts


@dataclass(frozen=True, slots=True)
class HandshakeFailed(Event):
    """The TLS handshake failed. `by` is "us" or "peer", whoever gave up; `alert` the TLS alert where there was one."""

    reason: str
    by: str
    alert: str | None = None
    requirement: str | None = None  # id of the requirement that the peer's certificates broke, where they were the cause


@dataclass(frozen=True, slots=True)
class Unprotected(Event):
    """The connection is plain TCP, without TLS, because the configuration of a bench allows it."""

    requirement: str = "V2G20-2356"


@dataclass(frozen=True, slots=True)
class Disconnected(Event):
    """The connection is gone. `by` says who closed first; `clean` that TLS (or TCP) was closed in order, not reset or cut.

    `dropped` is True where it had to go because there was no room for it.
    """

    by: str
    clean: bool
    reason: str = ""
    ended: Ended | None = None  # how the session ended, None when there was none
    dropped: bool = False


class Unreachable(SessionError):
    """No connection came about; the message says what was tried and what to do."""


class Observer:
    """Base: is told what happens on one connection. A subclass overrides the methods it needs; the others do nothing."""

    def event(self, event: Event) -> None:
        """Called with everything the session did or wants, and everything that happened to its connection."""

    def octets(self, sent: bool, octets: bytes, now: float) -> None:
        """Called with octets as they were on the wire (under TLS: ciphertext), at `now` (monotonic s)."""

    def secret(self, line: bytes) -> None:
        """Called with a line of the TLS key log, without its end of line. Whoever has it can decrypt the connection."""


class KeyLog(Observer):
    """Writes the TLS key log of a connection in the NSS format, which Wireshark and others read. `write` takes a line."""

    def __init__(self, write: Callable[[str], object]):
        self._write = write

    def secret(self, line: bytes) -> None:
        """Write one line of the key log."""
        self._write(line.decode("ascii") + "\n")


Observe = Callable[[tuple[str, int], tuple[str, int], int], Observer]
"""Makes the observer of a connection from its local address, its peer's, and its number."""
