"""The functions of one generation that the station's engine calls; `secc/iso20/conduct.py` has those of ISO 15118-20.

What a session knows ("known") is a value of the generation's own class: the engine passes it on, and reads it by these functions alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from secc.claims import PriceSigner, Trust, Verifier
from secc.outlet import Outlet
from secc.pause import PausedSession
from v2g.exi.schema import Type
from v2g.messages.app_protocol import supportedAppProtocolReq, supportedAppProtocolRes
from v2g.session.endpoint import Event, Relaxed
from v2g.session.errors import PeerIncompatible, PeerMisbehaved, SessionError, StationFailed
from v2g.session.generation import Generation, Incoming
from v2g.session.profiles import Deviation
from v2g.session.sap import Protocol as AppProtocol
from v2g.session.tls import TlsFacts

Say = Callable[[Callable[[float], Event]], None]
"""Takes a function that makes an event from the session's time (s), and adds that event to the session's events."""


class Diary:
    """What happened in a session and was not asked for yet, and the session's time now (s).

    What a session is made of may hold its diary, and with it no session: one that is over is gone at once, not when the collector comes.
    """

    def __init__(self, now: float):
        self.now = now
        self.events: list[Event] = []

    def say(self, event: Callable[[float], Event]) -> None:
        """Add something that was given on the way of an answer; a `Say`."""
        self.events.append(event(self.now))

    def take(self) -> list[Event]:
        """All events since the last call."""
        taken, self.events[:] = self.events[:], []
        return taken


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The constants of a session, given when it begins: outlet, trust, TLS facts, randomness."""

    outlet: Outlet
    entropy: Callable[[int], bytes]  # octets of the system's generator
    verifier: Verifier | None = None  # None: no trust anchors
    prices: PriceSigner | None = None  # None: prices are not signed
    tls: TlsFacts | None = None
    insecure: bool = False  # the bench override
    identity: str = ""  # of the car, where another layer has proved it
    let_pass: tuple[Deviation, ...] = ()  # what another layer has let pass of the car's certificates; empty: it is found in `tls`
    chain: tuple[bytes, ...] = ()  # of the car (`Vehicle.chain`), where another layer has verified it; empty: it is found in `tls`

    @property
    def version(self) -> str:
        """The version of TLS; empty for a connection without."""
        return "" if self.tls is None else self.tls.version


class Pauses(Protocol):
    """The store of paused sessions, for all connections of a station."""

    def keep(self, session: PausedSession, /) -> None:
        """Keep a session; one with the same id is replaced."""

    def look(self, session_id: bytes, vehicle_certificate: bytes, generation: str, wall: float, /) -> PausedSession | None:
        """The session of that id, if this certificate paused it in that generation and its time is not over; else None."""

    def drop(self, session: PausedSession, /) -> None:
        """Forget a session: its car has come back."""


class Fault(Protocol):
    """The reason for which the station took the power away at once."""

    @property
    def error(self) -> PeerMisbehaved | StationFailed:
        """The error by which the car's next request is refused."""


class Replied(Protocol):
    """What a request leads to: an answer, or the note that the answer has to wait."""

    @property
    def known(self) -> Any:
        """What the session knows after the request."""

    @property
    def wants(self) -> tuple[Event, ...]:
        """What the station must do because of the request, and other events for the trace."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Where an answer leads: its response, the state after it, and how the session ends where it does."""

    response: Type
    then: Enum
    how: str = ""
    paused: PausedSession | None = None  # the session, where it is paused and must be kept
    joined: PausedSession | None = None  # the paused session that the car has resumed, to be forgotten
    signature: Any = None  # for the envelope of the response, where the generation has one


@dataclass(frozen=True, slots=True)
class Conduct:
    """The functions of one generation. Those that judge a request raise PeerMisbehaved or StationFailed; none changes anything in place."""

    generation: Generation
    beginning: Callable[[Surroundings, Say, float], tuple[Any, Event]]  # what a session knows at first, and its event for the trace
    protocols: Callable[[Any], tuple[AppProtocol, ...]]  # those that may be selected on this connection
    settle: Callable[[Any, supportedAppProtocolReq, supportedAppProtocolRes, AppProtocol | None], Replied]  # carries what was negotiated
    welcome: Callable[[Any, bool, float], tuple[Event, ...] | PeerIncompatible]  # what was let pass on the way, or why there is no session
    decode: Callable[[int, bytes, Any, float], tuple[Incoming, tuple[Relaxed, ...]]]
    admit: Callable[[Incoming, int, Any, float], tuple[Any, tuple[Relaxed, ...]]]
    at_moment: Callable[[Any, float, float, float, bytes], Any]  # known at a moment: now, wall, received, octets
    resumption: Callable[[Type, Any], tuple[bytes, bytes] | None]  # SessionID and certificate of a car that asks for a paused session
    recall: Callable[[Any, PausedSession, Say], Any]  # what is known once that paused session was found
    answer: Callable[[Type, Any], Replied]
    waits: Callable[[Replied], float | None]  # until when (session time, s) the answer waits for a fact; None: it is there
    ending: Callable[[Replied], Ending]
    advance: Callable[[Any, Replied, type[Type], float], Any]  # what is known once the response has left
    refusal: Callable[[type[Type], PeerMisbehaved | StationFailed, Any], Type | None]  # the response that refuses; None: there is none
    undecodable: Callable[[tuple[str, ...], str], tuple[type[Type], PeerMisbehaved] | None]  # the request that a decode error was in
    learn: Callable[[Any, Any], tuple[Any, tuple[Event, ...]]]
    supervise: Callable[[Any, float], tuple[Any, tuple[Event, ...]]]
    due: Callable[[Any], float | None]  # when supervision must look again
    over: Callable[[Any, float], tuple[Any, tuple[Event, ...]]]  # at the end of a session: what makes the outlet safe
    state: Callable[[Any], Enum]  # the state of the sequence
    fault: Callable[[Any], Fault | None]  # the fault for which power was taken away, if any
    session_id: Callable[[Any], bytes]  # zeros before there is a session
    same: Callable[[Any, Any], bool]  # whether two values of what is known differ in nothing but the time
    account: Callable[[Any], dict[str, int]]  # energies (Wh) for the trace
    stop_reason: Callable[[Any], str]  # why the station wants the session to end; empty: it does not
    agreement: type[Any]  # the class of what survives a pause: `PausedSession.agreement`
    verifier: Callable[[Trust], Verifier]  # of what a car signs
    contract_chain: Callable[[Type], tuple[bytes, ...]]  # the contract certificates (DER, leaf first) that a request to authorize shows
    signatures: Callable[[Incoming], tuple[Any, ...]]  # under the prices of a response: one, None if there was no key; empty: not wanted
    fault_answer: float  # s after a fault in which a car may still ask and be told why its power went
    silent: str  # id of the requirement by which the session of a silent car ends
    signing: frozenset[Enum] = frozenset()  # the states in which a car shows its contract, or signs to have one
    foresee: Callable[..., None] = lambda heard, known, wall: None  # (Incoming, known, wall): judge what it signs, before the answer asks


def blamed(error: SessionError) -> str:
    """The word for a session that an error ended: "refused" where the car is to blame, "failed" where the station is."""
    return "failed" if isinstance(error, StationFailed) else "refused"
