"""What a session knows when it answers: what was given to it, what the car said, what the station told.

A context is a value. An answer reads it and returns the next one; nothing is changed in place, so any moment of a session can be looked at,
kept and played again.
"""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Protocol

from energy.needs import Needs
from energy.offer import Offer
from energy.series import Series
from secc.intent import Intent, Notice
from secc.outlet import Outlet
from secc.reserve import Reserve
from secc.services import Selection
from secc.station import (
    Authorization,
    AuthorizationRefused,
    Authorized,
    CertificateReady,
    CertificateRefused,
    Limits,
    MeterReading,
    Objection,
    OutputMeasured,
    Service,
    SetOutput,
)
from v2g.exi.schema import Type
from v2g.messages.common_messages import AuthorizationReq, CertificateInstallationReq, MeteringConfirmationReq, ScheduleExchangeRes
from v2g.messages.common_types import EVSEStatusType, MessageHeaderType, MeterInfoType
from v2g.messages.xmldsig import SignatureType
from v2g.session.endpoint import Event
from v2g.session.errors import PeerMisbehaved, StationFailed
from v2g.session.profiles import Deviation
from v2g.session.sequence import State
from v2g.session.tls import TlsFacts

NO_SESSION = bytes(8)
CHALLENGE_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Fault:
    """Why power was taken away at once. With `may_stop` the car may still stop in order, else every request is refused."""

    error: PeerMisbehaved | StationFailed
    may_stop: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """What car and station agreed upon: what survives a pause."""

    evccid: str = ""
    authorization: Authorization | None = None  # None: not authorized
    expires_soon: bool = False
    permitted: tuple[Service, ...] = ()  # what the backend limits the car to; empty: nothing
    contract: bytes = b""  # DER of the contract certificate, PnC
    emaid: str = ""
    selection: Selection | None = None
    tuple_id: int | None = None  # of the schedule that was chosen

    @property
    def selected(self) -> Selection:
        """The selection, where the sequence guarantees that there is one."""
        assert self.selection is not None
        return self.selection


@dataclass(frozen=True, slots=True)
class PausedSession:
    """A session to come back to, and the proof by which its car is known again."""

    session_id: bytes
    binding: bytes
    agreement: Agreement
    until: float  # wall
    evse_id: str = ""  # where it was paused


@dataclass(frozen=True, slots=True)
class Claim:
    """On what grounds a car asks to charge: `presented` tells two attempts apart, a repeated poll is the same claim."""

    authorization: Authorization
    presented: object = None  # the signed element and its signature, PnC
    emaid: str = ""
    chain: tuple[bytes, ...] = ()  # DER, leaf first
    warning: Objection | None = None  # what the station itself found wrong
    expires_soon: bool = False
    relaxed: tuple[Deviation, ...] = ()  # what the profile let pass


class Verifier(Protocol):
    """Who verifies what a car signs; `secc.verifier` does so with the station's trust anchors."""

    def contract(self, request: AuthorizationReq, challenge: bytes, wall: float) -> Claim:
        """The claim of a PnC request, with what is wrong with challenge or chain. Raises Refused if the signature does not hold."""

    def provisioning(self, request: CertificateInstallationReq, wall: float) -> Objection | None:
        """None, or what is wrong with its provisioning certificate. Raises Refused if the signature does not hold."""

    def metering(self, request: MeteringConfirmationReq, contract: bytes) -> Objection | None:
        """None, or what is wrong with the signature of the holder of this contract certificate (DER)."""


PriceSigner = Callable[[ScheduleExchangeRes, bytes], SignatureType]
"""The signature over all prices of a response, for the holder of a contract (DER of its certificate, empty without)."""


@dataclass(frozen=True, slots=True)
class Context:
    """All that an answer may read. Times are of the session's clock (`now`, s) unless they are named wall (epoch s)."""

    # given when the session began
    outlet: Outlet
    entropy: Callable[[int], bytes]
    verifier: Verifier | None = None  # None: no trust anchors, PnC is not offered
    prices: PriceSigner | None = None  # None: prices are the station's own word
    tls: TlsFacts | None = None
    negotiable: tuple[str, ...] = ()  # EXI sets that may be selected on this connection
    former: PausedSession | None = None  # the paused session that this car may resume
    limits: Limits = field(default_factory=Limits)  # what the outlet can do now

    # of the request that is being answered
    now: float = 0.0
    wall: float = 0.0
    received: float = 0.0
    exi: bytes = b""
    state: State = State.SUPPORTED_APP_PROTOCOL

    # the session
    session_id: bytes = NO_SESSION
    schema_set: str = ""  # what SupportedAppProtocol selected
    agreement: Agreement = Agreement()
    taken: bool = False  # another session has the outlet
    unserviceable: str = ""  # why the outlet serves nobody now
    intent: Intent = field(default_factory=Intent)  # what the station asks of the car
    fault: Fault | None = None
    polled: float | None = None  # since when the car has asked in this state without leaving it

    # authorization
    challenge: bytes = b""
    claim: Claim | None = None
    asked: float | None = None  # since when the backend has been asked about the claim
    verdict: Authorized | AuthorizationRefused | None = None
    installation: CertificateReady | CertificateRefused | None = None
    installation_asked: float | None = None
    installation_request: bytes = b""  # what is signed of the provisioning certificate the pending request is for

    # services
    services: tuple[int, ...] = ()  # offered in this session
    sets: frozenset[tuple[int, int]] = frozenset()  # (service, parameter set) that the car has seen

    # parameters
    announced: Limits | None = None  # what ChargeParameterDiscoveryRes said, or the loop after it: never exceeded [V2G20-2654]
    car: Limits | None = None

    # schedule
    needs: Needs | None = None
    schedule_asked: float | None = None
    offer: Offer | None = None  # as the car was shown it, once it was
    coming: tuple[Offer, Needs] | None = None  # told while another offer binds, and for which needs: for the next exchange
    profile: Series | None = None  # W, what the car will follow
    violating: tuple[tuple[str, float], ...] = ()  # bounds that the power is beyond, and since when
    pause_proposed: bool = False  # the next schedule says GoToPause
    may_pause: bool = False  # the last one did: PowerDelivery(Stop) may come before Start
    max_points: int = 1024

    # hardware
    emergency: str = ""  # why the outlet was stopped at once
    locked: bool | None = None  # the connector; None: not observed
    welded: bool = False  # the contactor was seen closed when nothing of this session had closed it, or after it was told to open
    pilot: str | None = None  # None: not observed
    contactor: bool | None = None  # None: not told yet
    contactor_wanted: bool | None = None
    isolation_asked: float | None = None
    isolation: bool | None = None
    output: OutputMeasured = field(default_factory=lambda: OutputMeasured(0.0, 0.0))
    output_wanted: SetOutput | None = None
    target_voltage: float = 0.0  # V, the last that the car named

    # charge loop
    delivering: bool = False
    looped: float | None = None  # when the last loop was answered, or power began
    metered: bool = False  # this service session has shown the meter
    meter: MeterReading | None = None
    meters_shown: tuple[MeterInfoType, ...] = ()  # that a confirmation was asked for and has not come: any of them may be signed
    reserve: Reserve = field(default_factory=Reserve)
    setpoint: float | None = None  # W, Dynamic control
    setpoint_wanted: float | None = None  # W, what SetPower said last

    @property
    def header(self) -> MessageHeaderType:
        """The header of a response."""
        return MessageHeaderType(SessionID=self.session_id, TimeStamp=int(self.wall))

    @property
    def present_limits(self) -> Limits:
        """What the outlet can do now, within what was announced: maxima never rise, minima never fall [V2G20-2654] [V2G20-2655]."""
        return self.limits if self.announced is None else self.limits.within(self.announced)

    @property
    def net(self) -> float | None:
        """Wh into the car less Wh out of it, by the registers of the meter; only differences of it mean something. None: no reading."""
        return None if self.meter is None else self.meter.imported - self.meter.exported

    @property
    def notice(self) -> Notice | None:
        """What the car is asked by EVSEStatus now."""
        return self.intent.notice

    @property
    def stopping(self) -> str:
        """Why the session is to end; empty while it may go on."""
        return self.intent.stopping

    @property
    def status(self) -> EVSEStatusType | None:
        """EVSEStatus of a response."""
        return None if self.notice is None else self.notice.status(self.now)

    @property
    def energised(self) -> bool:
        """The outlet is or may be live, as far as the session knows."""
        return self.contactor is True or self.contactor_wanted is True or (self.isolation_asked is not None and self.contactor is not False)

    @property
    def live(self) -> bool:
        """Energised, and not told to open: what may be closed must be told so before the session is over."""
        return self.energised and self.contactor_wanted is not False

    def anew(self) -> dict[str, Any]:
        """The fields that end with a service, as they are at its beginning. What is not named in `OF_THE_SERVICE` outlives it."""
        defaults = {f.name: f.default_factory() if f.default_factory is not MISSING else f.default for f in fields(self)}
        return {name: defaults[name] for name in OF_THE_SERVICE}


OF_THE_SERVICE = (
    *("challenge", "claim", "asked", "verdict", "installation", "installation_asked", "installation_request"),
    *("services", "sets", "announced", "car", "needs", "schedule_asked", "offer", "coming", "profile", "violating", "pause_proposed"),
    *("may_pause", "max_points"),
    *("isolation_asked", "isolation", "output_wanted", "target_voltage"),
    *("delivering", "looped", "polled", "metered", "meters_shown", "reserve", "setpoint_wanted"),
)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: the response, where it leads, what is known after it, and what the station must do."""

    response: Type
    then: State
    known: Context
    wants: tuple[Event, ...] = ()  # and what else belongs into the trace
    how: str = ""  # how the session ends, where it leads to the end
    objection: Objection | None = None  # why the response is a WARNING
    paused: PausedSession | None = None  # to be kept
    joined: PausedSession | None = None  # that has been come back to, and is paused no more


@dataclass(frozen=True, slots=True)
class Pending:
    """The answer waits for a fact, at the longest until `until`: for the one response that cannot say Ongoing, PowerDeliveryRes."""

    known: Context
    until: float
    wants: tuple[Event, ...] = ()  # and what else belongs into the trace


Answer = Callable[..., "Reply | Pending"]
