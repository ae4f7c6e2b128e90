"""What `pump` and its callers share of a connection: who makes its session and its TLS, its phases, and the time limits of a peer."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from v2g.session.admission import Stage
from v2g.session.endpoint import Endpoint
from v2g.session.errors import ConnectionLost
from v2g.session.handshake import ClientHello
from v2g.session.link import Link
from v2g.session.transport.channel import Channel

Attend = Callable[[Link], Endpoint | None]
"""Makes the endpoint for a connection that is ready, or None to decline it."""


class Secure(Protocol):
    """Makes the TLS channel for a connection."""

    def channel(self, hello: ClientHello | None) -> Channel:
        """A fresh TLS channel for one connection; a station chooses its credential by the car's `hello`, a car has None."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a peer may take, in seconds: to complete the TLS handshake, to close after this side has, and to say its first octet."""

    # A handshake takes 20 ms on a desktop and about a second between slow controllers over a busy power line. The standard gives 18 s from
    # the data link to SessionSetup; half of that is for TLS, and a peer that needs longer would miss the other half anyway.
    handshake: float = 9.0
    drain: float = 1.0
    # On a port that takes cars without TLS too, nobody knows which timer runs before the first octet: a car of ISO 15118-2 on plain TCP has
    # the whole time for communication setup [V2G2-714].
    first: float = 18.0

    def patience(self, plain: bool, spoke: bool) -> float:
        """How long a peer has until TLS stands (s); where it may do without (`plain`), until it `spoke`."""
        return self.first if plain and not spoke else self.handshake


class Phase(Enum):
    """How far a connection is, from plain TCP to closed."""

    HELLO = "hello"  # a station waits for the whole ClientHello, to choose its certificates by it
    HANDSHAKE = "handshake"  # TLS
    OPEN = "open"  # octets go to the endpoint, its deadline decides when it is ticked; it says itself when it has ended
    DRAINING = "draining"  # this side has closed; what still arrives is thrown away, so that what was sent last is not lost in a reset
    CLOSED = "closed"


def stage_of(phase: Phase, spoke: bool) -> Stage:
    """How far a connection has come, as `admission` counts it; `spoke`: the peer has sent an octet."""
    if phase in (Phase.DRAINING, Phase.CLOSED):
        return Stage.PARTING
    if not spoke:
        return Stage.SILENT
    return Stage.SECURED if phase is Phase.OPEN else Stage.SPEAKING


def address(name: object) -> tuple[str, int]:
    """Host and port of a socket's name; an IPv6 host with its zone."""
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else ("unknown", 0)


def worded(error: Exception | None) -> str:
    """The system's text for the error by which a connection was lost, without its number; None: there was no error."""
    return str(getattr(error, "strerror", None) or error) if error is not None else "closed without a word"


def cut(by: str, reason: str) -> ConnectionLost:
    """The error of a session whose connection was closed by "us" or lost by the "peer" before its end."""
    return ConnectionLost(f"{'this side closed the connection' if by == 'us' else 'the connection was lost'}: {reason}")
