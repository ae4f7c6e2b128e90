"""Events for what a session is given from outside besides frames and facts, so that it can be played again from its trace.

Nothing here is a secret: random octets are sent to the car as they are (SessionID, GenChallenge); of a verifier only its verdict is kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from secc.claims import Claim, Verifier
from secc.conduct import Say
from secc.outlet import Outlet
from secc.pause import PausedSession
from secc.station import Objection
from v2g.reasons import Reason
from v2g.session.endpoint import Event
from v2g.session.errors import PeerMisbehaved

T = TypeVar("T")
Signed = Literal["contract", "provisioning", "metering"]


@dataclass(frozen=True, slots=True)
class SessionGiven(Event):
    """What a session was made with: its outlet's offer, and what trust and TLS it has."""

    outlet: Outlet
    negotiable: tuple[str, ...]  # schema sets that may be selected on this connection
    insecure: bool = False  # by the bench override
    certificate: bool = False  # whether the car showed one in TLS
    verifier: bool = False
    prices_signed: bool = False
    identity: str = ""  # whom the car's certificate names
    let_pass: tuple[str, ...] = ()  # names of the deviations that TLS let pass of the car's certificates
    tls: str | None = None  # version of TLS, empty without; None in older traces: by what may be negotiated


@dataclass(frozen=True, slots=True)
class Drawn(Event):
    """Random octets that the session took from the system's generator."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Verified(Event):
    """The verifier's verdict on a message that the car signed. The car's certificates stand in that message."""

    what: Signed
    objection: Objection | None = None
    refused: Reason | None = None  # the session ended by it, because of `why`
    why: str = ""
    requirement: str | None = None
    emaid: str = ""
    expires_soon: bool = False
    relaxed: tuple[str, ...] = ()  # deviations that were let pass, by name


@dataclass(frozen=True, slots=True)
class Remembered(Event):
    """A paused session that was found for this car, which may resume it."""

    session_id: bytes
    agreement: Any  # in the class of its generation
    until: float  # epoch s
    evse_id: str
    generation: str = ""  # empty in older traces: the newest there was

    @classmethod
    def of(cls, now: float, session: PausedSession) -> "Remembered":
        """The event for a paused session that was found at `now` (session time, s)."""
        return cls(now, session.session_id, session.agreement, session.until, session.evse_id, session.generation)


def drawing(entropy: Callable[[int], bytes], say: Say) -> Callable[[int], bytes]:
    """The source of randomness `entropy`, of which every draw is recorded as `Drawn`."""

    def draw(length: int) -> bytes:
        octets = entropy(length)
        say(lambda now: Drawn(now, octets))
        return octets

    return draw


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A verifier whose verdicts are recorded as `Verified`."""

    verifier: Verifier
    say: Say

    def contract(self, request: Any, challenge: bytes, wall: float) -> Claim:
        claim = self._judged("contract", lambda: self.verifier.contract(request, challenge, wall))
        relaxed = tuple(deviation.name for deviation in claim.relaxed)
        self.say(lambda now: Verified(now, "contract", claim.warning, emaid=claim.emaid, expires_soon=claim.expires_soon, relaxed=relaxed))
        return claim

    def provisioning(self, request: Any, wall: float) -> Objection | None:
        found = self._judged("provisioning", lambda: self.verifier.provisioning(request, wall))
        self.say(lambda now: Verified(now, "provisioning", found))
        return found

    def metering(self, request: Any, contract: bytes) -> None:
        self._judged("metering", lambda: self.verifier.metering(request, contract))
        self.say(lambda now: Verified(now, "metering"))

    def _judged(self, what: Signed, judge: Callable[[], T]) -> T:
        try:
            return judge()
        except PeerMisbehaved as refusal:
            said = (refusal.kind, refusal.reason, refusal.requirement)
            self.say(lambda now: Verified(now, what, None, *said))
            raise
