"""What a station's parent process and its workers say to each other: frozen values. A place is the number of an outlet, from 0."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from secc.config import Config
from secc.lobby import Seen
from secc.pause import PausedSession
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended
from v2g.session.endpoint import Event as SessionEvent


def certificate(der: bytes) -> x509.Certificate:
    """A certificate that was said by its octets."""
    return x509.load_der_x509_certificate(der)


# --- by the parent ---


@dataclass(frozen=True, slots=True)
class Furnish:
    """Make the hardware of these places. The first thing that a worker hears."""

    config: Config
    places: tuple[int, ...]
    clock: Clock
    folder: Path | None  # of the configuration
    level: int  # of the log
    watched: bool  # somebody watches the connections
    first: int  # number of its first connection
    step: int  # to the next


@dataclass(frozen=True, slots=True)
class Open:
    """Serve cars: at these ports, in the order of the places; None: as the configuration says."""

    ports: tuple[int | None, ...]
    paused: tuple[PausedSession, ...]
    again: bool  # a worker served these outlets before, and is no more


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell a fact to the session of a visit, if it is still there."""

    place: int
    visit: int
    fact: Any


@dataclass(frozen=True, slots=True)
class Unlock:
    """Unlock the connector of a place, and answer by its ticket."""

    place: int
    ticket: int  # of the answer


@dataclass(frozen=True, slots=True)
class Leave:
    """Take no more cars, and ask those that are here to leave within `grace` s."""

    grace: float


@dataclass(frozen=True, slots=True)
class Abort:
    """End every session at once."""

    why: str


@dataclass(frozen=True, slots=True)
class Close:
    """Make every outlet safe, and end."""


# --- by a worker ---


@dataclass(frozen=True, slots=True)
class Furnished:
    """The hardware is made: EVSE id and grid functions of each place."""

    outlets: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Listening:
    """Cars are served at these addresses."""

    addresses: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker cannot serve, for a reason that is the user's to cure."""

    reason: str


@dataclass(frozen=True, slots=True)
class Began:
    """A session begins: `Backend.began`."""

    place: int
    visit: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A want or a fact of a session: `Backend.heard`."""

    place: int
    event: Any


@dataclass(frozen=True, slots=True)
class Over:
    """A session is over: `Backend.ended`."""

    place: int
    ended: Ended


@dataclass(frozen=True, slots=True)
class Doors:
    """What discovery has to know of some places, since it has changed."""

    seen: tuple[tuple[int, Seen], ...]
    occupied: bool


@dataclass(frozen=True, slots=True)
class Came:
    """A car has connected."""

    place: int
    source: str


@dataclass(frozen=True, slots=True)
class Line:
    """An event for standard output."""

    event: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Complaint:
    """A line for the user."""

    text: str


@dataclass(frozen=True, slots=True)
class Logged:
    """A line of the log."""

    name: str
    level: int
    text: str
    trace: str
    created: float


@dataclass(frozen=True, slots=True)
class Alive:
    """The loop of the sessions turns. `account` is that of its background tasks, None: as before."""

    account: dict[str, dict[str, Any]] | None


@dataclass(frozen=True, slots=True)
class Left:
    """Whether all cars have left in order."""

    well: bool


@dataclass(frozen=True, slots=True)
class Unlocked:
    """The answer to an `Unlock`: why it failed, empty where it did not."""

    ticket: int
    why: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection begins that somebody watches."""

    place: int
    number: int
    local: tuple[str, int]
    peer: tuple[str, int]


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a connection that somebody watches."""

    number: int
    event: SessionEvent


@dataclass(frozen=True, slots=True)
class Octets:
    """Octets of a connection that somebody watches."""

    number: int
    sent: bool
    octets: bytes
    now: float


@dataclass(frozen=True, slots=True)
class Secret:
    """A line of the TLS key log."""

    number: int
    line: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """A session has paused, and may go on at its outlet."""

    session: PausedSession


@dataclass(frozen=True, slots=True)
class Dropped:
    """A paused session was resumed."""

    session: PausedSession
